"""The released wiring computes what the authors' code computes, for weights made by a rule anyone can repeat."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch

from addgcn import ADDGCN
from addgcn.convert import NAMES, from_released, reorder_classes, to_released
from addgcn.losses import multilabel_loss

SHAPES = {
    "fc.weight": (5, 2048, 1, 1),
    "conv_transform.weight": (1024, 2048, 1, 1),
    "conv_transform.bias": (1024,),
    "gcn.static_adj.0.weight": (5, 5, 1),
    "gcn.static_weight.0.weight": (1024, 1024, 1),
    "gcn.static_weight.0.bias": (1024,),
    "gcn.conv_global.weight": (1024, 1024, 1),
    "gcn.conv_global.bias": (1024,),
    "gcn.bn_global.weight": (1024,),
    "gcn.bn_global.bias": (1024,),
    "gcn.bn_global.running_mean": (1024,),
    "gcn.bn_global.running_var": (1024,),
    "gcn.conv_create_co_mat.weight": (5, 2048, 1),
    "gcn.conv_create_co_mat.bias": (5,),
    "gcn.dynamic_weight.weight": (1024, 1024, 1),
    "gcn.dynamic_weight.bias": (1024,),
    "mask_mat": (5, 5),
    "last_linear.weight": (5, 1024, 1),
    "last_linear.bias": (5,),
}


def rule(key: str, shape: tuple[int, ...], seed: int = 7) -> torch.Tensor:
    n = np.random.default_rng([seed, zlib.crc32(key.encode())]).standard_normal(shape)
    if key == "mask_mat":
        n = np.eye(*shape)
    elif key.endswith((".bias", "running_mean")):
        n = 0.1 * n
    elif key.endswith("running_var"):
        n = 1 + 0.5 * np.tanh(n)
    elif len(shape) == 1:
        n = 1 + 0.1 * n
    else:
        n = n / np.sqrt(np.prod(shape[1:]))
    return torch.tensor(n, dtype=torch.float32)


class Features(torch.nn.Identity):
    out_channels = 2048


@pytest.fixture(scope="module")
def released() -> dict[str, torch.Tensor]:
    return {key: rule(key, shape) for key, shape in SHAPES.items()}


@pytest.fixture
def model(released: dict[str, torch.Tensor]) -> ADDGCN:
    model = ADDGCN(5, backbone=Features(), wiring="released")
    model.fill(from_released(released), "the rule")
    return model.eval()


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared("golden/public_head_c5.npz"))


@pytest.fixture(scope="module")
def X() -> torch.Tensor:
    x = np.abs(np.random.default_rng([7, 1]).standard_normal((3, 2048, 4, 6))) * 0.5
    return torch.tensor(x, dtype=torch.float32)


def close(ours: torch.Tensor, theirs: np.ndarray, tolerance: float = 1e-4) -> bool:
    """Relative to the largest value: the difference stays under `tolerance`."""
    return float(np.abs(ours.detach().numpy() - theirs).max() / np.abs(theirs).max()) < tolerance


def test_forward_in_eval_mode(model, golden, X):
    out = model.explain(X)
    assert close(out.s_m, golden["s_m"])
    assert close(out.s_r, golden["s_r"])
    assert close(out.scores, golden["scores"])
    assert close(out.A_d.transpose(1, 2), golden["A_d_conv"])  # theirs is kept before the transpose
    assert close(out.V.mean(2), golden["V_mean"])
    assert close(out.V.norm(dim=2), golden["V_norm"])
    assert close(out.H.norm(dim=2), golden["H_norm"])
    assert not close(out.A_d, golden["A_d_conv"], 1e-2), "the golden matrix must be able to tell a transpose"


def test_loss_and_gradients_in_train_mode(model, golden, X):
    y = torch.tensor(np.random.default_rng([7, 2]).random((3, 5)) < 0.3).to(torch.int8)
    model.train()
    scores = model(X)
    loss = multilabel_loss(scores, y, over="mean")
    loss.backward()
    assert close(scores, golden["train_scores"])
    assert abs(loss.item() - float(golden["train_loss"])) < 1e-4 * float(golden["train_loss"])
    parameters = dict(model.named_parameters())
    for name, norm in zip(golden["grad_names"], golden["grad_norms"], strict=True):
        gradient = parameters[NAMES[str(name)][0]].grad
        # BatchNorm takes a constant away again, so the bias before it has no gradient but rounding errors
        noise = 1e-6 if name == "gcn.conv_global.bias" else 0.0
        assert gradient.norm().item() == pytest.approx(float(norm), rel=1e-4, abs=noise), name


def test_there_and_back(released, model):
    back = to_released(model.state_dict())
    back.pop("gcn.bn_global.num_batches_tracked")
    assert back.keys() == released.keys()
    assert all(torch.equal(back[k], released[k]) for k in released)


def test_reordering_the_classes_permutes_the_scores(released, X):
    old, new = ["a", "b", "c", "d", "e"], ["c", "a", "e", "b", "d"]
    model = ADDGCN(5, backbone=Features(), wiring="released").eval()
    model.fill(from_released(released), "the rule")
    before = model.explain(X)
    model.fill(reorder_classes(from_released(released), old, new), "reordered")
    after = model.explain(X)
    take = [old.index(c) for c in new]
    torch.testing.assert_close(after.scores, before.scores[:, take], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(after.A_d, before.A_d[:, take][:, :, take], rtol=1e-4, atol=1e-4)
