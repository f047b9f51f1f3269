"""The model: every row of the paper's tables trains, explains, saves and loads; image sizes; wrong arguments."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from variants import BASELINES, DIM, ROWS, VARIANTS, WIRINGS, C, D, Trunk, addgcn, pictures

from addgcn import ADDGCN, GAP, GMP, Explanation, InputError
from addgcn.graph import Identity
from addgcn.losses import multilabel_loss


@pytest.mark.parametrize(("make", "absent"), VARIANTS + BASELINES)
def test_every_row_trains_explains_saves_and_loads(make, absent, tmp_path):
    model, images = make(), pictures()
    targets = (torch.rand(4, C, generator=torch.Generator().manual_seed(2)) < 0.4).to(torch.int8)

    # one step of gradient descent: gradients everywhere, and the loss goes down
    model.train()
    loss = multilabel_loss(model(images), targets)
    loss.backward()
    normalised = any("global_norm" in name for name, _ in model.named_parameters())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if normalised and name == "graph.dynamic.adjacency.global_conv.bias":
            # the only one: the released BatchNorm subtracts the mean, and with it the bias before it
            assert parameter.grad.abs().max() < 1e-6
        else:
            assert parameter.grad.abs().max() > 0, name
    torch.optim.SGD(model.parameters(), lr=1e-3).step()
    assert multilabel_loss(model(images), targets) < loss

    # the explanation: shapes, ranges, and its scores are the forward pass's
    model.eval()
    with torch.no_grad():
        out = model.explain(images)
        scores = model(images)
    assert torch.equal(out.scores, scores)
    wide = 2 * DIM if "P-cat" in model._hub_mixin_config.values() else DIM
    shapes = {
        "scores": (4, C), "s_m": (4, C), "s_r": (4, C), "maps": (4, C, 4, 3), "V": (4, C, DIM), "H": (4, C, DIM),
        "Z": (4, C, wide), "A_s": (C, C), "A_d": (4, C, C),
    }  # fmt: skip
    for name, shape in shapes.items():
        value = getattr(out, name)
        assert (value is None) if name in absent else (value.shape == shape), name
    if out.maps is not None:
        assert ((out.maps > 0) & (out.maps < 1)).all()
    if out.A_d is not None:
        assert ((out.A_d >= 0) & (out.A_d <= 1)).all()
    if out.s_m is not None and out.s_r is not None:
        torch.testing.assert_close(out.scores, (out.s_m + out.s_r) / 2)

    # saved and loaded, it is the same to the last bit
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path, backbone=Trunk())
    assert not loaded.training
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in model.state_dict().items())
    assert torch.equal(loaded(images), scores)


def test_rows_differ_where_they_should():
    """No two rows compute the same function of the same weights, but for the two that are the default anyway."""
    same = {"figure 3: both", "table 5: Bi", "table 6: cls -> GMP"}
    for wiring in WIRINGS:
        scores = {
            row: addgcn(wiring=wiring, **options).eval()(pictures()).detach()
            for row, (options, _) in ROWS.items()
            if row not in same
        }
        for a, b in itertools.combinations(scores, 2):
            assert not torch.allclose(scores[a], scores[b], atol=1e-6), (wiring, a, b)


def test_controls_have_the_weights_of_their_rows_but_no_graph():
    def convolutions(model):
        return {k: v.shape for k, v in model.named_parameters() if "adjacency" not in k}

    for wiring, (control, row) in itertools.product(WIRINGS, [("I", "S"), ("I-I", "S-D")]):
        alone = addgcn(wiring=wiring, graph=control)
        assert convolutions(alone) == convolutions(addgcn(wiring=wiring, graph=row))
        out = alone.explain(pictures())
        assert torch.equal(out.A_s, torch.eye(C))
        assert out.A_d is None or torch.equal(out.A_d, torch.eye(C).expand(4, C, C))


def test_identity_takes_device_and_type_from_the_nodes():
    assert torch.equal(Identity()(torch.zeros(2, 3, 4, dtype=torch.float64)), torch.eye(3, dtype=torch.float64))


# --- Image sizes.


def test_with_the_sum_v_grows_with_the_image_and_with_the_mean_it_does_not():
    """196 positions at 448 pixels, 324 at 576: a trained model meets larger V on larger images (eq. 1)."""
    small, large = torch.ones(1, D, 14, 14), torch.ones(1, D, 18, 18)
    grows, stays = addgcn(attend="sum").representation, addgcn(attend="mean").representation
    torch.testing.assert_close(grows(large)[0], grows(small)[0] * 324 / 196)
    torch.testing.assert_close(stays(large)[0], stays(small)[0])
    X = torch.randn(2, D, 5, 7)
    torch.testing.assert_close(stays(X)[0], grows(X)[0] / 35)


@pytest.mark.parametrize(("height", "width"), [(448, 448), (576, 576), (448, 320), (100, 333), (8, 8)])
@pytest.mark.parametrize("representation", ["sam", "conv"])
def test_any_image_size_will_do(height, width, representation):
    model = addgcn(representation=representation).eval()
    with torch.no_grad():
        out = model.explain(pictures(1, height, width))
    assert out.scores.shape == (1, C)
    assert out.scores.isfinite().all()
    assert out.maps is None or out.maps.shape == (1, C, height // 8, width // 8)


def test_from_features_is_the_rest_of_the_model():
    model = addgcn().eval()
    X = model.backbone(pictures())
    assert torch.equal(model.from_features(X), model(pictures()))
    assert isinstance(model.explain_features(X), Explanation)


def test_channels_last_changes_nothing_but_the_layout():
    for wiring in WIRINGS:
        model = addgcn(wiring=wiring).eval()
        before = model(pictures())
        after = model.to(memory_format=torch.channels_last)(pictures().to(memory_format=torch.channels_last))
        torch.testing.assert_close(after, before)


def test_the_baselines_maps_are_cam():
    """GAP: the mean of the map logits is the score, with the classifier's bias in both."""
    model = GAP(C, backbone=Trunk()).eval()
    out = model.explain(pictures())
    torch.testing.assert_close(out.maps.logit().mean((2, 3)), out.scores, rtol=1e-4, atol=1e-4)
    X = model.backbone(pictures())
    torch.testing.assert_close(out.scores, model.classifier(X.flatten(2).mean(2)))
    gmp = GMP(C, backbone=Trunk()).eval()
    torch.testing.assert_close(gmp(pictures()), gmp.classifier(gmp.backbone(pictures()).flatten(2).amax(2)))


# --- Wrong arguments.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"wiring": "relesed"}, "released"),
        ({"representation": "sams"}, "sam"),
        ({"maps": "cls-gap"}, "gap-cls|cls-gmp"),
        ({"graph": "S-S"}, "S-D"),
        ({"readout": "mean"}, "bi, sum, avg, max"),
        ({"attend": "summ"}, "'sum'"),
        ({"dim": 0}, "dim must be at least 1"),
        ({"classes": ["a", "b"]}, "2 distinct class names were given for 5 classes"),
        ({"classes": ["a", "b", "c", "d", "d"]}, "4 distinct class names"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_built(settings, message):
    with pytest.raises(InputError, match=message):
        ADDGCN(C, backbone=nn.Identity() if "classes" not in settings else Trunk(), **settings)


@pytest.mark.parametrize("cls", [ADDGCN, GAP, GMP])
def test_there_is_at_least_one_category(cls):
    with pytest.raises(InputError, match="num_classes must be at least 1"):
        cls(0, backbone=Trunk())
    assert cls(1, backbone=Trunk()).eval()(pictures()).shape == (4, 1)
