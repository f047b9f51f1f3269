"""Chapter 9: the code in its solutions runs by itself, and the chapter notices when the library is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor, nn

from addgcn import batches, load_model
from addgcn import train as library
from addgcn.backbone import build_backbone
from addgcn.data import load, transforms
from addgcn.features import FeatureDataset, cached_features
from addgcn.losses import multilabel_loss
from addgcn.recipes import RECIPES, Recipe

CELLS, _ = read_chapter("09_training.ipynb")
# Warm-up, cosine, clipping and decay all have an effect within these eight steps.
SHORT = replace(RECIPES["scenes-heads"], epochs=2, batch_size=16, dim=8, evaluate_every=2, weight_decay=0.01)


def run(*cells: str, **more: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"torch": torch, "np": np, "nn": nn, "math": math, "Tensor": Tensor, "Recipe": Recipe}
    names |= {"multilabel_loss": multilabel_loss, "keep": lambda **_: None, **more}
    return execute(CELLS, names, *cells)


def train_both(scenes: Path, out: Path, own: Recipe = SHORT) -> None:
    """The chapter's loop and the library's on the same features: its cells `scratch` and `equal`."""
    train_set = load("scenes", "train", scenes)
    trunk = build_backbone("scenes", weights="scenes").eval()
    features = cached_features(trunk, train_set, 64, mirror=True).features
    names = run("scratch")
    model = names["train_by_hand"](own, features, train_set.targets, [])
    library.train(SHORT, "scenes", out / "run", scenes)
    run("equal", own=model, theirs=load_model(out / "run"))


def test_the_loop_leaves_the_bits_of_the_library(scenes_small: Path, tmp_path: Path):
    train_both(scenes_small, tmp_path)


def test_another_seed_leaves_other_weights(scenes_small: Path, tmp_path: Path):
    """So equal bits say something."""
    with pytest.raises(AssertionError, match="differs from the library's"):
        train_both(scenes_small, tmp_path, own=replace(SHORT, seed=1))


def no_warm_up(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    return right_factor(replace(recipe, warmup=0.0), step, steps_per_epoch)


def one_late(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    return right_factor(recipe, step + 1, steps_per_epoch)


def plain_sgd(recipe: Recipe, model: Any) -> torch.optim.Optimizer:
    return right_optimizer(replace(recipe, momentum=0.0), model)


def no_decay(recipe: Recipe, model: Any) -> torch.optim.Optimizer:
    return right_optimizer(replace(recipe, weight_decay=0.0), model)


def mean_for_sum(scores: Tensor, targets: Tensor, over: str) -> Tensor:
    return multilabel_loss(scores, targets, "mean")


def same_order(self: batches.EpochSampler) -> Iterator[int]:
    order = np.random.default_rng([self.seed, 2, 0]).permutation(self.length)
    return iter((self.epoch * self.length + order).tolist())


def same_coin(self: batches.SeededItems, key: int) -> Any:
    """The augmentation of every epoch is that of the first."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed((self.seed << 40) + key % len(self))
        return self.items[key % len(self)]


def never_mirrored(self: FeatureDataset, i: int) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(self.features[0, i].copy()), self.targets[i]


WRONG: list[tuple[Any, str, Callable[..., Any]]] = [
    (library, "lr_factor", no_warm_up),
    (library, "lr_factor", one_late),
    (library, "build_optimizer", plain_sgd),
    (library, "build_optimizer", no_decay),
    (library, "multilabel_loss", mean_for_sum),
    (batches.EpochSampler, "__iter__", same_order),
    (batches.SeededItems, "__getitem__", same_coin),
    (FeatureDataset, "__getitem__", never_mirrored),
    (library.Accelerator, "clip_grad_norm_", lambda self, parameters, most: None),
]


@pytest.mark.parametrize(("part", "name", "wrong"), WRONG, ids=[f"{n}-{f.__name__}" for _, n, f in WRONG])
def test_the_chapter_notices_a_wrong_loop(
    scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: Any, name: str, wrong: Callable[..., Any]
):
    monkeypatch.setattr(part, name, wrong)
    with pytest.raises(AssertionError, match="differs from the library's"):
        train_both(scenes_small, tmp_path)


def count_crops() -> None:
    run("crops", MultiScaleCrop=transforms.MultiScaleCrop)


def test_crops():
    count_crops()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("crop_sizes", lambda self, w, h: [(int(w * a), int(h * b)) for a in self.scales for b in self.scales]),
        ("crop_sizes", lambda self, w, h: [(int(w * a), int(h * a)) for a in self.scales]),
        ("offsets", lambda self, W, H, crop: [(0, 0), ((W - crop[0]) // 2, (H - crop[1]) // 2)]),
        ("offsets", lambda self, W, H, crop: [(0, 0)] * 13),
    ],
)
def test_the_chapter_notices_wrong_crops(monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any]):
    monkeypatch.setattr(transforms.MultiScaleCrop, name, wrong)
    with pytest.raises(AssertionError):
        count_crops()


def test_small_cells():
    run("momentum")
    run("accumulate")
    run("ema")


right_factor, right_optimizer = library.lr_factor, library.build_optimizer  # as they are before a test replaces them
