"""Chapter 7: the code in its solutions runs by itself, and the chapter notices when the library is wrong."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor, nn
from torch.nn import functional as F

from addgcn import graph
from addgcn.graph import SLOPE

CELLS, _ = read_chapter("07_dgcn.ipynb")


def run(*cells: str) -> None:
    names: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "Tensor": Tensor, "SLOPE": SLOPE, "deepcopy": deepcopy}
    names |= {"library": graph, "keep": lambda **_: None}
    execute(CELLS, names, *cells)


def rebuild() -> None:
    """The chapter's own D-GCN beside the library's, every row of table 4."""
    run("scratch", "equal")


def released() -> None:
    """What the chapter shows of the released wiring."""
    run("context", "orientation", "permute", "released")


def test_the_chapter_agrees_with_the_library():
    rebuild()
    released()


def adjacency(change: str) -> Callable[..., Tensor]:
    def forward(self: graph.DynamicAdjacency, H: Tensor) -> Tensor:
        mean = H.amax(1, keepdim=True) if change == "max" else H.mean(1, keepdim=True)
        h_g = mean if change == "no convolution" else self.global_conv(mean)
        parts = [h_g.expand_as(H), H] if change == "order" else [H, h_g.expand_as(H)]
        u = self.weight @ torch.cat(parts, dim=2).transpose(1, 2)
        A = u.softmax(2) if change == "senders" else u.softmax(1) if change == "receivers" else u.sigmoid()
        return A.mT if change == "transposed" else A.detach() if change == "detached" else A

    return forward


@pytest.mark.parametrize(
    "change", ["max", "no convolution", "order", "senders", "receivers", "transposed", "detached"]
)  # fmt: skip
def test_the_chapter_notices_a_wrong_dynamic_graph(monkeypatch: pytest.MonkeyPatch, change: str):
    monkeypatch.setattr(graph.DynamicAdjacency, "forward", adjacency("none"))
    rebuild()
    monkeypatch.setattr(graph.DynamicAdjacency, "forward", adjacency(change))
    with pytest.raises((AssertionError, TypeError)):  # the latter: no gradient to compare
        rebuild()


def no_slope(self: graph.GraphConvolution, A: Tensor, H: Tensor, V: Tensor) -> Tensor:
    return F.leaky_relu(self.update(A @ H), 0.01)


def dynamic_from_V(self: graph.StaticDynamic, V: Tensor) -> graph.GraphOutput:
    H, A_s = self.static(V, V)
    _, A_d = self.dynamic(V, V)
    return graph.GraphOutput(H, self.dynamic.convolution(A_d, H, V), A_s, A_d)


def static_first(self: graph.DynamicStatic, V: Tensor) -> graph.GraphOutput:
    return graph.StaticDynamic.forward(self, V)


def in_a_row(self: graph.Parallel, V: Tensor) -> graph.GraphOutput:
    H, A_s = self.static(V, V)
    Z_d, A_d = self.dynamic(H, V)
    return graph.GraphOutput(H, self.fuse(H, Z_d), A_s, A_d)


@pytest.mark.parametrize(
    ("owner", "forward"),
    [
        (graph.StaticAdjacency, lambda self, H: self.weight.T),
        (graph.StaticAdjacency, lambda self, H: self.weight.detach()),
        (graph.Identity, lambda self, H: torch.ones(H.shape[1], H.shape[1], dtype=H.dtype)),
        (graph.GraphConvolution, no_slope),
        (graph.StaticDynamic, dynamic_from_V),
        (graph.DynamicStatic, static_first),
        (graph.Parallel, in_a_row),
    ],
)
def test_the_chapter_notices_a_wrong_library(monkeypatch: pytest.MonkeyPatch, owner: type, forward: Callable):
    monkeypatch.setattr(owner, "forward", forward)
    with pytest.raises((AssertionError, TypeError)):
        rebuild()


def not_transposed(self: graph.ReleasedDynamicAdjacency, H: Tensor) -> Tensor:
    h_g = F.leaky_relu(self.global_norm(self.global_conv(H.mean(1))), SLOPE)
    return torch.sigmoid(self.to_weights(torch.cat([h_g.unsqueeze(1).expand_as(H), H], dim=2))).mT


def without_norm(self: graph.ReleasedDynamicAdjacency, H: Tensor) -> Tensor:
    h_g = F.leaky_relu(self.global_conv(H.mean(1)), SLOPE)
    return torch.sigmoid(self.to_weights(torch.cat([h_g.unsqueeze(1).expand_as(H), H], dim=2)))


@pytest.mark.parametrize(
    ("owner", "forward"),
    [
        (graph.ReleasedDynamicAdjacency, not_transposed),
        (graph.ReleasedDynamicAdjacency, without_norm),
        (graph.ReleasedConvolution, lambda self, A, H, V: H + F.leaky_relu(self.update(A @ H), SLOPE)),
    ],
)
def test_the_chapter_notices_a_wrong_released_wiring(monkeypatch: pytest.MonkeyPatch, owner: type, forward: Callable):
    monkeypatch.setattr(owner, "forward", forward)
    with pytest.raises(AssertionError):
        released()
