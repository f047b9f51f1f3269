"""Chapter 8: the code in its solutions runs by itself, and the chapter notices when the library is wrong."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor, nn
from torch.nn import functional as F

from addgcn import ADDGCN, graph, heads, losses, sam

CELLS, _ = read_chapter("08_heads_loss.ipynb")


def run(*cells: str) -> None:
    names: dict[str, Any] = {"torch": torch, "nn": nn, "Tensor": Tensor, "copy": copy, "math": math}
    names |= {"ADDGCN": ADDGCN, "heads": heads, "losses": losses, "keep": lambda **_: None}
    execute(CELLS, names, *cells)


def rebuild_model() -> None:
    """The whole model from the chapter's two cells beside the library's."""
    run("scratch-parts", "scratch-whole", "equal")


def compute_loss() -> None:
    """Equation 5 by hand, with an ignored target, and sum against mean."""
    run("sign", "by-hand", "decisions")


def test_the_chapter_agrees_with_the_library():
    rebuild_model()
    compute_loss()
    run("pooled")


def crossed(self: heads.BinaryHeads, Z: Tensor) -> Tensor:
    return (Z * self.weight.flip(0)).sum(2) + self.bias


def no_bias(self: heads.BinaryHeads, Z: Tensor) -> Tensor:
    return (Z * self.weight).sum(2)


def no_minus(scores: Tensor, targets: Tensor, over: str = "mean") -> Tensor:
    return -right_loss(scores, targets, over)


def sum_for_mean(scores: Tensor, targets: Tensor, over: str = "mean") -> Tensor:
    return right_loss(scores, targets, "sum")


def nothing_ignored(scores: Tensor, targets: Tensor, over: str = "mean") -> Tensor:
    loss = F.binary_cross_entropy_with_logits(scores, targets.to(scores.dtype), reduction="sum")
    return loss / (targets.numel() if over == "mean" else len(scores))


def probabilities(self: heads.AverageScores, s_m: Tensor, s_r: Tensor) -> Tensor:
    return ((s_m.sigmoid() + s_r.sigmoid()) / 2).logit()


WRONG_MODELS: list[tuple[type, str, Callable[..., Any]]] = [
    (heads.BinaryHeads, "forward", crossed),
    (heads.BinaryHeads, "forward", no_bias),
    (heads.AverageScores, "forward", lambda self, s_m, s_r: s_m + s_r),
    (heads.AverageScores, "forward", probabilities),
    (sam.ClsGMP, "forward", lambda self, X, L, classifier: L.sigmoid().amax((2, 3))),
    (sam.SumAttention, "forward", lambda self, M, X_: torch.einsum("bchw,bdhw->bcd", M, X_) / M[0, 0].numel()),
    (graph.StaticAdjacency, "forward", lambda self, H: self.weight.T),
    (graph.GraphConvolution, "forward", lambda self, A, H, V: F.leaky_relu(self.update(A.mT @ H), 0.2)),
]


@pytest.mark.parametrize(("part", "method", "wrong"), WRONG_MODELS)
def test_the_chapter_notices_a_wrong_model(
    monkeypatch: pytest.MonkeyPatch, part: type, method: str, wrong: Callable[..., Any]
):
    monkeypatch.setattr(part, method, wrong)
    with pytest.raises(AssertionError):
        rebuild_model()


@pytest.mark.parametrize("wrong", [no_minus, sum_for_mean, nothing_ignored])
def test_the_chapter_notices_a_wrong_loss(monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., Tensor]):
    monkeypatch.setattr(losses, "multilabel_loss", wrong)
    with pytest.raises(AssertionError):
        compute_loss()


right_loss = losses.multilabel_loss  # as it is before a test replaces it
