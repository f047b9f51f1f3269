"""Controls on a trained model: exchanged graphs, single scores, and figure 5 as a number."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from addgcn import ADDGCN
from addgcn.baselines import GAP
from addgcn.controls import SWAPS, controls, dynamic_layer, exchanged, partners
from addgcn.metrics import average_precision

C = 5


class Pixels(nn.Module):
    """A backbone that does nothing: three channels."""

    out_channels, mean, std = 3, (0.0,) * 3, (1.0,) * 3

    def forward(self, images: Tensor) -> Tensor:
        return images


def model(graph: str = "S-D", wiring: str = "paper", **settings: str) -> ADDGCN:
    torch.manual_seed(0)
    net = ADDGCN(C, Pixels(), graph=graph, wiring=wiring, dim=6, **settings)
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    return net.eval()


X = torch.randn(24, 3, 2, 2, generator=torch.Generator().manual_seed(1))
Y = (torch.rand(24, C, generator=torch.Generator().manual_seed(2)) < 0.5).to(torch.int8)
Y[0] = 1


def batches(size: int = 24) -> Iterator[tuple[Tensor, Tensor]]:
    yield from zip(X.split(size), Y.split(size), strict=True)


def test_partners_by_hand():
    # categories 0, 1, 3 are there. In row 0, 1 (0.9) wins against 2 (0.5) and 4 (0.2), and 3 (0.2) half of one
    A = torch.tensor([0.0, 0.9, 0.5, 0.2, 0.2]).repeat(5, 1)
    values = partners(A[None], torch.tensor([[1, 1, 0, 1, 0]]))
    # row 1: 0 (0.0) loses both, 3 half of one; row 3: 0 loses both, 1 wins both
    assert torch.allclose(values, torch.tensor([(1 + 0.25) / 2, (0 + 0.25) / 2, (0 + 1) / 2]))
    # all entries of a column are alike here, so nobody stands out
    assert torch.allclose(partners(A[None], torch.tensor([[1, 1, 0, 1, 0]]), columns=True), torch.tensor(0.5))


def test_partners_leaves_out_what_it_must():
    A = torch.rand(4, C, C)
    alone = torch.tensor([[1, 0, 0, 0, 0], [1, 1, 1, 1, 1], [1, -1, 0, 0, 0], [0, 0, 0, 0, 0]])
    assert len(partners(A, alone)) == 0
    y = torch.tensor([[1, 1, -1, 0, 0]])
    changed = A[:1].clone()
    changed[:, :, 2] += 10  # of an ignored category nobody asks
    changed.diagonal(dim1=1, dim2=2).add_(10)  # nor of itself
    assert torch.equal(partners(A[:1], y), partners(changed, y))


def test_partners_is_the_chance_of_winning():
    rng = np.random.default_rng(0)
    A, y = rng.random((3, 8, 8)).astype(np.float32), (rng.random((3, 8)) < 0.5).astype(int)
    y[:, :2], y[:, 2] = 1, 0
    expected = []
    for b in range(3):
        for i in np.flatnonzero(y[b]):
            pairs = [(p, a) for p in np.flatnonzero(y[b]) if p != i for a in np.flatnonzero(y[b] == 0)]
            expected.append(np.mean([A[b, i, p] > A[b, i, a] for p, a in pairs]))
    assert np.allclose(partners(torch.from_numpy(A), torch.from_numpy(y)).numpy(), expected)


@pytest.mark.parametrize("wiring", ["paper", "released"])
def test_exchanged_graphs_are_the_ones_that_count(wiring: str):
    net = model(wiring=wiring)
    layer = dynamic_layer(net)
    assert layer is not None
    mean = torch.rand(C, C)
    for name, swap in SWAPS.items():
        with exchanged(layer, partial(swap, mean=mean)):
            out = net.explain_features(X)
        wanted = {"mean": mean, "ones": torch.ones(C, C), "identity": torch.eye(C), "zeros": torch.zeros(C, C)}
        if name in wanted:
            assert torch.equal(out.A_d, wanted[name].expand(24, C, C))
        H = out.H
        Z = layer.convolution(out.A_d, H, out.V)
        assert torch.allclose(out.Z, Z)
    assert torch.equal(net.explain_features(X).A_d, net.explain_features(X).A_d)
    assert not torch.equal(net.explain_features(X).A_d, out.A_d)  # the exchange is over


def test_controls_of_the_whole_model():
    net = model()
    found = controls(net, batches)
    with torch.no_grad():
        out = net.explain_features(X)
    for name, s in (("s", out.scores), ("s_m", out.s_m), ("s_r", out.s_r)):
        assert found[name] == pytest.approx(100 * average_precision(s, Y).nanmean().item())
    assert set(found) == {"s", "s_m", "s_r", *(f"A_d = {name}" for name in SWAPS)} | {
        "row", "column", "row of another", "column of another"
    }  # fmt: skip
    assert found["row"] == pytest.approx(partners(out.A_d, Y).mean().item())
    assert found["row of another"] == pytest.approx(partners(out.A_d.roll(1, 0), Y).mean().item())


def test_batches_do_not_matter_but_for_the_neighbour():
    net = model()
    whole, parts = controls(net, batches), controls(net, lambda: batches(8))
    for name in whole:
        if "another" not in name:
            assert whole[name] == pytest.approx(parts[name], abs=1e-4), name


def test_an_image_blind_graph_loses_nothing():
    net = model()
    layer = dynamic_layer(net)
    assert layer is not None
    with torch.no_grad():
        layer.adjacency.weight.zero_()  # A_d = 0.5 everywhere
    found = controls(net, batches)
    assert found["A_d = mean"] == found["A_d = another"] == pytest.approx(found["s"])
    assert found["row"] == found["column"] == 0.5


@pytest.mark.parametrize("graph", ["none", "S", "I", "I-I"])
def test_without_a_dynamic_graph_only_the_scores(graph: str):
    assert set(controls(model(graph), batches)) == {"s", "s_m", "s_r"}


@pytest.mark.parametrize("graph", ["D", "P-add", "P-mul", "P-cat", "D-S", "S-D"])
def test_every_composition_with_a_dynamic_graph(graph: str):
    assert {"A_d = mean", "row"} <= set(controls(model(graph), batches))


def test_conv_has_no_maps_and_a_baseline_nothing():
    conv = model(representation="conv")
    assert "s_m" not in controls(conv, batches) and "A_d = ones" in controls(conv, batches)  # noqa: PT018
    assert controls(GAP(C, Pixels()), batches) == {}
