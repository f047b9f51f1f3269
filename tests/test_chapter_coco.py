"""Chapter 16: what it computes agrees with the library, and it notices when the library is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor, nn

from addgcn import batches, data, evaluate, records, scores, views
from addgcn import train as library
from addgcn.data import archives
from addgcn.metrics import average_precision
from addgcn.recipes import RECIPES, Recipe
from addgcn.train import train

CELLS, _ = read_chapter("16_coco.ipynb")
TINY = replace(RECIPES["scenes-heads"], epochs=2, batch_size=8, dim=8, evaluate_every=2, holdout=0.4)


def run(*cells: str, **more: Any) -> dict[str, Any]:
    """The cells one after another, behind the imports, which take the library as it is now: with its mutation."""
    names = execute(CELLS, {}, "imports")
    names |= {"keep": lambda **_: None, "DATA": "scenes", "ROOT": None, "expect": expect, **more}
    return execute(CELLS, names, *cells)


def expect(holds: bool, what: str) -> None:
    assert holds, what


@pytest.fixture(scope="module")
def trained(scenes_small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run as the chapter's, only smaller, and the names that the cells about it need."""
    runs = tmp_path_factory.mktemp("runs")
    train(TINY, "scenes", runs / "healthy", scenes_small)
    _, held = batches.open_data(TINY, "scenes", scenes_small, None, None)
    model = TINY.build(18)
    right = data.transforms.eval_transform(TINY.size, model.backbone.mean, model.backbone.std)
    normal = (model.backbone.mean, model.backbone.std)
    return {"runs": runs, "held": held, "right": right, "small": TINY, "ROOT": scenes_small, "C": 18, "normal": normal}


def counted(names: dict[str, Any]) -> None:
    run("counts", **names)


def stepped(names: dict[str, Any]) -> None:
    run("recipes", "by-hand", "equal", N_TRAIN=82_081, **names)


def viewed(names: dict[str, Any]) -> None:
    run("lib-views", "views", **names)


def reported(names: dict[str, Any]) -> None:
    run("report", **names)


def sharded(names: dict[str, Any]) -> None:
    run("report", "shards", **names)


def told(names: dict[str, Any]) -> None:
    run("curves", "numbers", "largest", N_TRAIN=82_081, GMAC={448: 31.85}, **names)


@pytest.mark.parametrize("cells", [counted, stepped, viewed, reported, sharded, told])
def test_the_chapter_agrees_with_the_library(cells: Callable, trained: dict[str, Any]):
    cells(trained)


def test_the_cost_and_the_gradients_of_halves_are_as_told(trained: dict[str, Any]):
    names = run("recipes", "operations", "hours", "gpus", N_TRAIN=82_081, N_VAL=40_137, **trained)
    assert names["GMAC"][448] == pytest.approx(31.85, abs=0.05)  # ResNet-101's 7.8 at 224, four times, and the heads
    assert names["n_weights"] == sum(p.numel() for p in names["net"].parameters())


def test_the_colleagues_fault_is_one_on_other_scores_too():
    """The mean of the parts' mAPs is not the mAP: on random scores it lies above."""
    torch.manual_seed(0)
    targets = (torch.rand(600, 6) < 0.15).to(torch.int8)
    names = {"scores": torch.randn(600, 6) + targets, "targets": targets}
    names |= {"alone": {"mAP": 100 * average_precision(**names).mean().item()}}
    assert run("fault", **names)["colleague"][32] > names["alone"]["mAP"] + 1


# --- wrong libraries

RIGHT_OPTIMIZER, RIGHT_FACTOR = library.build_optimizer, library.lr_factor
RIGHT_PERMUTATION, RIGHT_READ = data.class_permutation, scores.read_scores


def with_settings(**settings: Any) -> Callable:
    return lambda recipe, model: RIGHT_OPTIMIZER(replace(recipe, **settings), model)


def one_rate(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    return RIGHT_OPTIMIZER(replace(recipe, lr_trunk=recipe.lr), model)


def decay_spared(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    return RIGHT_OPTIMIZER(replace(recipe, weight_decay=0.0), model)


def adam_not_w(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    right = RIGHT_OPTIMIZER(recipe, model)
    if recipe.optimizer == "sgd":
        return right
    names = ("params", "lr", "base_lr", "weight_decay")
    return torch.optim.Adam([{name: group[name] for name in names} for group in right.param_groups])


def nesterov(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    optimizer = RIGHT_OPTIMIZER(recipe, model)
    for group in optimizer.param_groups:
        group["nesterov"] = True
    return optimizer


def backwards(names: Any, wanted: Any) -> list[int]:
    return RIGHT_PERMUTATION(wanted, names)


def one_lost(path: Path) -> scores.SavedScores:
    saved = RIGHT_READ(path)
    return replace(saved, scores=saved.scores[:-1], targets=saved.targets[:-1], ids=saved.ids[:-1])


def upside_down(self: views.AveragedViews, images: list[Tensor]) -> Tensor:
    return torch.stack([(self.model(x) + self.model(x.flip(2))) / 2 for x in images]).mean(0)


def of_probabilities(self: views.AveragedViews, images: list[Tensor]) -> Tensor:
    both = [self.model(y).sigmoid() for x in images for y in (x, x.flip(3))]
    return torch.stack(both).mean(0).logit()


def first_view_alone(self: views.AveragedViews, images: list[Tensor]) -> Tensor:
    return self.model(images[0])


@contextmanager
def count_changed() -> Iterator[None]:
    source = archives.SOURCES["coco2014"]
    counts = {**source.counts, "train": (82_783, 82_783)}
    with patch.dict(archives.SOURCES, coco2014=replace(source, counts=counts)):
        yield


@contextmanager
def paper_changed() -> Iterator[None]:
    rows = records.paper

    def wrong(table: str) -> list[dict[str, Any]]:
        return [{**row, "mAP": 84.3} if row["method"] == "Ours" else row for row in rows(table)]

    with patch.object(records, "paper", wrong):
        yield


WRONG = {
    "one rate for both": (patch.object(library, "build_optimizer", one_rate), stepped),
    "no momentum": (patch.object(library, "build_optimizer", with_settings(momentum=0.0)), stepped),
    "no decay": (patch.object(library, "build_optimizer", decay_spared), stepped),
    "Adam for AdamW": (patch.object(library, "build_optimizer", adam_not_w), stepped),
    "Nesterov": (patch.object(library, "build_optimizer", nesterov), stepped),
    "SGD always": (patch.object(library, "build_optimizer", with_settings(optimizer="sgd")), stepped),
    "no drops": (patch.object(library, "lr_factor", lambda recipe, step, steps: 1.0), stepped),
    "schedule in steps of an epoch": (
        patch.object(library, "lr_factor", lambda recipe, step, steps: RIGHT_FACTOR(recipe, step // steps, steps)),
        stepped,
    ),
    "the inverse permutation": (patch.object(data, "class_permutation", backwards), counted),
    "unlabelled images counted": (count_changed(), counted),
    "mirrored upside down": (patch.object(views.AveragedViews, "forward", upside_down), viewed),
    "probabilities averaged": (patch.object(views.AveragedViews, "forward", of_probabilities), viewed),
    "one view": (patch.object(views.AveragedViews, "forward", first_view_alone), viewed),
    "an image lost from the file": (patch.object(evaluate, "read_scores", one_lost), reported),
    "another number for the paper": (paper_changed(), told),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_library_is_noticed(name: str, trained: dict[str, Any]):
    wrong, cells = WRONG[name]
    with wrong, pytest.raises(AssertionError):
        cells(trained)


def test_what_the_chapter_says_of_steps_and_of_the_record():
    """The numbers of the published log are those that the recipe's settings give."""
    assert 82_081 // RECIPES["released"].batch_size == 5_130  # as the log says: iter_per_epoch
    (ours,) = records.load_records("scenes_run")
    assert math.isclose(ours["log"][-1]["mAP"], ours["metrics"]["mAP"])
