"""Chapter 5: the code in its solutions runs by itself, and the chapter notices when the library is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor, nn
from torch.nn import functional as F

from addgcn import sam

CELLS, _ = read_chapter("05_sam.ipynb")


def rebuild() -> None:
    """The chapter's own SAM beside the library's, and ConvRepresentation as equation 1 with fixed maps."""
    names = {"torch": torch, "nn": nn, "F": F, "Tensor": Tensor, "library": sam}
    execute(CELLS, names, "scratch", "equal", "conv-check")


def test_the_chapter_agrees_with_the_library():
    rebuild()


def attend_by(weigh: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda self, M, X_: torch.einsum("bchw,bdhw->bcd", weigh(M), X_)


def without_activation(self: sam.SAM, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    L = self.classifier(X)
    return self.attend(L.sigmoid(), self.transform(X)), self.pool(X, L, self.classifier), L.sigmoid()


def logits_for_maps(self: sam.SAM, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    L = self.classifier(X)
    return self.attend(L, self.activation(self.transform(X))), self.pool(X, L, self.classifier), L.sigmoid()


def halved_nodes(self: sam.ConvRepresentation, X: Tensor) -> tuple[Tensor, None, None]:
    return self.to_nodes(self.pool(self.activation(self.transform(X))).flatten(2)).mT * 0.5, None, None


@pytest.mark.parametrize(
    ("owner", "forward"),
    [
        (sam.SumAttention, attend_by(lambda M: M / M.sum(1, keepdim=True))),  # over categories
        (sam.SumAttention, attend_by(lambda M: M / M.sum((2, 3), keepdim=True))),  # over positions
        (sam.SumAttention, attend_by(lambda M: M.mT.reshape(M.shape))),  # transposed positions
        (sam.SumAttention, attend_by(lambda M: M.detach())),  # maps that do not learn through V
        (sam.MeanAttention, attend_by(lambda M: M / M.shape[1])),  # divided by C
        (sam.MeanAttention, attend_by(lambda M: M)),
        (sam.SAM, without_activation),
        (sam.SAM, logits_for_maps),
        (sam.ConvRepresentation, halved_nodes),
    ],
)
def test_the_chapter_notices_a_wrong_library(monkeypatch: pytest.MonkeyPatch, owner: type, forward: Callable):
    monkeypatch.setattr(owner, "forward", forward)
    with pytest.raises(AssertionError):
        rebuild()
