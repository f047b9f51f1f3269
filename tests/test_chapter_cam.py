"""Chapter 4: the code in its solutions runs by itself, and the chapter notices when the library is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor, nn

from addgcn import sam

CELLS, _ = read_chapter("04_cam.ipynb")


def rebuild() -> None:
    """The chapter's own maps and scores beside the library's: its cells `scratch` and `equal`."""
    names = {"torch": torch, "nn": nn, "Tensor": Tensor, "MAPS": sam.MAPS, "SAM": sam.SAM}
    execute(CELLS, names, "scratch", "equal")


def test_the_chapter_agrees_with_the_library():
    rebuild()


def softmax_maps(self: sam.SAM, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    L = self.classifier(X)
    return L, self.pool(X, L, self.classifier), L.softmax(1)


def transposed_maps(self: sam.SAM, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    L = self.classifier(X)
    return L, self.pool(X, L, self.classifier), L.sigmoid().mT.reshape(L.shape)


def pooled_sigmoids(self: sam.SAM, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    L = self.classifier(X)
    return L, self.pool(X, L.sigmoid(), self.classifier), L.sigmoid()


def detached_maps(self: sam.SAM, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    L = self.classifier(X)
    return L, self.pool(X, L, self.classifier), L.detach().sigmoid()


@pytest.mark.parametrize(
    ("owner", "forward"),
    [
        (sam.SAM, softmax_maps),
        (sam.SAM, transposed_maps),
        (sam.SAM, pooled_sigmoids),
        (sam.SAM, detached_maps),
        (sam.ClsGMP, lambda self, X, L, classifier: L.mean((2, 3))),
        (sam.ClsGMP, lambda self, X, L, classifier: L.abs().amax((2, 3))),
        (sam.GAPCls, lambda self, X, L, classifier: L.sum((2, 3))),
        (sam.GMPCls, lambda self, X, L, classifier: L.amax((2, 3))),
    ],
)
def test_the_chapter_notices_a_wrong_library(monkeypatch: pytest.MonkeyPatch, owner: type, forward: Callable):
    monkeypatch.setattr(owner, "forward", forward)
    with pytest.raises(AssertionError):
        rebuild()
