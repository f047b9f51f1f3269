"""Chapter 6: the code in its solutions runs by itself, and the chapter notices when the library is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor, nn
from torch.nn import functional as F

from addgcn import baselines, graph
from addgcn.errors import InputError
from addgcn.records import cooccurrence

CELLS, _ = read_chapter("06_gcn.ipynb")


def run(*cells: str, **names: Any) -> None:
    names |= {"np": np, "torch": torch, "nn": nn, "F": F, "Tensor": Tensor, "InputError": InputError}
    names |= {"baselines": baselines, "library": graph, "cooccurrence": cooccurrence, "keep": lambda **_: None}
    execute(CELLS, names, *cells)


def rebuild_layer() -> None:
    """The chapter's own layer beside the library's."""
    run("scratch", "equal")


def rebuild_label_graph() -> None:
    """ML-GCN's four moves entry by entry beside the library's function."""
    run("label-graph", "label-graph-equal", **counts())


def counts() -> dict[str, Any]:
    classes, images, pairs = cooccurrence("coco")
    at = {name: c for c, name in enumerate(classes)}
    return {"classes": classes, "images": images, "pairs": pairs, "P": pairs / images[:, None], "at": at}


def test_the_chapter_agrees_with_the_library():
    rebuild_layer()
    rebuild_label_graph()


def layer(change: str) -> Callable[..., Tensor]:
    def forward(self: graph.GraphConvolution, A: Tensor, H: Tensor, V: Tensor) -> Tensor:
        heard = (A.mT if change == "transposed" else A.softmax(-1) if change == "softmax" else A) @ H
        heard = heard.detach() if change == "detached" else heard
        Z = heard @ self.update.weight if change == "W" else self.update(heard)
        Z = F.leaky_relu(Z, 0.01 if change == "slope" else 0.2)
        return Z + V if change == "residual" else Z

    return forward


@pytest.mark.parametrize("change", ["transposed", "softmax", "detached", "W", "slope", "residual"])
def test_the_chapter_notices_a_wrong_layer(monkeypatch: pytest.MonkeyPatch, change: str):
    monkeypatch.setattr(graph.GraphConvolution, "forward", layer("none"))
    rebuild_layer()
    monkeypatch.setattr(graph.GraphConvolution, "forward", layer(change))
    with pytest.raises((AssertionError, TypeError)):  # the latter: no gradient to compare
        rebuild_layer()


def test_the_chapter_notices_a_wrong_identity(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(graph.Identity, "forward", lambda self, H: torch.ones(H.shape[1], H.shape[1], dtype=H.dtype))
    with pytest.raises(AssertionError):
        rebuild_layer()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda pairs, images: baselines_label_graph(pairs, images).T,
        lambda pairs, images: baselines_label_graph(pairs, images, threshold=0.39),
        lambda pairs, images: baselines_label_graph(pairs, images, p=0.2),
        lambda pairs, images: baselines_label_graph(pairs, images) * 1.001,
    ],
)
def test_the_chapter_notices_a_wrong_label_graph(monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., Tensor]):
    monkeypatch.setattr(baselines, "label_graph", wrong)
    with pytest.raises(AssertionError):
        rebuild_label_graph()


baselines_label_graph = baselines.label_graph  # as it is before a test replaces it
