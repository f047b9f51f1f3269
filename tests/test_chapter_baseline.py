"""Chapter 3: the code in its solutions runs by itself, and the chapter notices when the library is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor
from torch.nn import functional as F

from addgcn import backbone, baselines

CELLS, _ = read_chapter("03_baseline.ipynb")


def rebuild() -> None:
    """The chapter's own trunk and baselines beside the library's: its cells `scratch` and `equal`."""
    names = {"torch": torch, "F": F, "Tensor": Tensor, "backbone": backbone, "baselines": baselines}
    execute(CELLS, names, "scratch", "equal")


def test_the_chapter_agrees_with_the_library():
    rebuild()


def no_shortcut(self: backbone.BasicBlock, x: Tensor) -> Tensor:
    y = self.bn1(self.conv1(x)).relu()
    return self.bn2(self.conv2(y)).relu()


def plain_shortcut_only(self: backbone.BasicBlock, x: Tensor) -> Tensor:
    y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
    return (y + (self.shortcut(x) if isinstance(self.shortcut, torch.nn.Identity) else 0)).relu()


def added_after_the_relu(self: backbone.BasicBlock, x: Tensor) -> Tensor:
    y = self.bn1(self.conv1(x)).relu()
    return self.bn2(self.conv2(y)).relu() + self.shortcut(x)


def norm_after_the_relu(self: backbone.BasicBlock, x: Tensor) -> Tensor:
    y = self.bn1(self.conv1(x).relu())
    return (self.bn2(self.conv2(y)) + self.shortcut(x)).relu()


def detached_block(self: backbone.BasicBlock, x: Tensor) -> Tensor:
    y = self.bn1(self.conv1(x.detach())).relu()
    return (self.bn2(self.conv2(y)) + self.shortcut(x)).relu()


def without_scale(self: backbone.ScenesTrunk, images: Tensor) -> Tensor:
    return self.stage3(self.stage2(self.stage1(self.stem(images))))


def times_scale(self: backbone.ScenesTrunk, images: Tensor) -> Tensor:
    return self.stage3(self.stage2(self.stage1(self.stem(images)))) * self.scale


def always_evaluating(self: backbone.ScenesTrunk, images: Tensor) -> Tensor:
    self.eval()
    return self.stage3(self.stage2(self.stage1(self.stem(images)))) / self.scale


@pytest.mark.parametrize(
    ("owner", "method", "wrong"),
    [
        (backbone.BasicBlock, "forward", no_shortcut),
        (backbone.BasicBlock, "forward", plain_shortcut_only),
        (backbone.BasicBlock, "forward", added_after_the_relu),
        (backbone.BasicBlock, "forward", norm_after_the_relu),
        (backbone.BasicBlock, "forward", detached_block),
        (backbone.ScenesTrunk, "forward", without_scale),
        (backbone.ScenesTrunk, "forward", times_scale),
        (backbone.ScenesTrunk, "forward", always_evaluating),
        (baselines.GAP, "pool", lambda self, X: X.sum((2, 3))),
        (baselines.GAP, "pool", lambda self, X: X.amax((2, 3))),
        (baselines.GAP, "pool", lambda self, X: X[:, :, 1:-1, 1:-1].mean((2, 3))),
        (baselines.GAP, "from_features", lambda self, X: self.classifier(self.pool(X)).sigmoid()),
        (baselines.GAP, "from_features", lambda self, X: self.classifier(self.pool(X.detach()))),
        (baselines.GAP, "from_features", lambda self, X: F.linear(self.pool(X), self.classifier.weight)),
        (baselines.GAP, "forward", lambda self, images: self.from_features(self.backbone(images.flip(3)))),
        (baselines.GMP, "pool", lambda self, X: X.mean((2, 3))),
        (baselines.GMP, "pool", lambda self, X: X.amin((2, 3))),
        (baselines.GMP, "pool", lambda self, X: X.abs().amax((1, 2, 3), keepdim=True).expand_as(X)[:, :, 0, 0]),
    ],
)
def test_the_chapter_notices_a_wrong_library(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, wrong: Callable[..., Tensor]
):
    monkeypatch.setattr(owner, method, wrong)
    with pytest.raises(AssertionError):
        rebuild()
