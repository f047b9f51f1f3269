"""The loop and its parts against numbers worked out by hand or by other means."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from variants import TINY

from addgcn import ADDGCN
from addgcn import train as train_module
from addgcn.batches import EpochSampler, FromPixels, SeededItems, batches, open_data, start_accelerator
from addgcn.data import load
from addgcn.data.transforms import train_transform
from addgcn.errors import InputError
from addgcn.evaluate import evaluate_run
from addgcn.losses import multilabel_loss
from addgcn.recipes import RECIPES, Recipe
from addgcn.records import read_json
from addgcn.runs import read_checkpoint, read_log
from addgcn.train import build_optimizer, lr_factor, train

# --- recipes


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_round_trip(name: str) -> None:
    recipe = RECIPES[name]
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe
    assert recipe.as_dict().keys() == {field.name for field in fields(Recipe)}
    with pytest.raises(AttributeError):
        recipe.lr = 1.0  # type: ignore[misc]


def test_recipes_hold_the_published_values() -> None:
    both = {
        "model": "addgcn",
        "backbone": "resnet101",
        "weights": "imagenet",
        "graph": "S-D",
        "representation": "sam",
        "maps": "cls-gmp",
        "readout": "bi",
        "attend": "sum",
        "dim": 1024,
        "size": 448,
        "augment": "multiscale",
        "epochs": 50,
        "optimizer": "sgd",
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "schedule": "step",
        "milestones": (30, 40),
        "warmup": 0.0,
        "accumulate": 1,
        "ema": 0.0,
    }
    paper = {"wiring": "paper", "lr": 0.5, "lr_trunk": 0.05, "batch_size": 18, "test_size": 512, "over": "sum"}
    released = {"wiring": "released", "lr": 0.05, "lr_trunk": 0.005, "batch_size": 16, "over": "mean", "clip": 10.0}
    for name, values in (("paper", both | paper), ("released", both | released)):
        recipe = asdict(RECIPES[name])
        assert {key: recipe[key] for key in values} == values
    assert RECIPES["released"].test_size in (None, 448)
    adamw = {"wiring": "released", "optimizer": "adamw", "lr": 5e-5, "lr_trunk": 5e-6, "warmup": 2.0, "size": 448}
    recipe = asdict(RECIPES["adamw"])
    assert {key: recipe[key] for key in adamw} == adamw
    assert (recipe["schedule"], recipe["milestones"]) == ("step", (15, 25))
    assert RECIPES["colab"].precision == "fp16"  # a T4 has no bf16
    assert RECIPES["adamw"].augment == RECIPES["colab"].augment == "multiscale"


def test_recipe_refuses() -> None:
    for wrong in ({"lr": -1}, {"epochs": 0}, {"ema": 1.0}, {"graph": "SD"}, {"seed": 2**23}, {"lr": math.nan}):
        with pytest.raises(InputError):
            replace(TINY, **wrong)
    with pytest.raises(InputError, match="Did you mean 'epochs'"):
        Recipe.from_dict({"epoch": 3})
    with pytest.raises(InputError, match="wrong kind"):
        Recipe.from_dict({"epochs": "many"})


# --- the learning rate


@pytest.mark.parametrize(
    ("settings", "step", "factor"),
    [
        ({}, 0, 1.0),
        ({}, 299, 1.0),  # epoch 30 begins at step 300
        ({}, 300, 0.1),
        ({}, 399, 0.1),
        ({}, 400, 0.01),
        ({}, 499, 0.01),
        ({"warmup": 2.0}, 0, 1 / 21),
        ({"warmup": 2.0}, 9, 10 / 21),
        ({"warmup": 2.0}, 19, 20 / 21),
        ({"warmup": 2.0}, 20, 1.0),
        ({"schedule": "cosine"}, 0, 1.0),
        ({"schedule": "cosine"}, 125, (1 + math.sqrt(0.5)) / 2),
        ({"schedule": "cosine"}, 250, 0.5),
        ({"schedule": "cosine"}, 499, 0.5 * (1 - math.cos(math.pi / 500))),
        ({"schedule": "cosine", "warmup": 10.0}, 300, 0.5),
        ({"schedule": "cosine", "warmup": 50.0}, 499, 500 / 501),
    ],
)
def test_lr_factor(settings: dict, step: int, factor: float) -> None:
    assert lr_factor(replace(TINY, epochs=50, **settings), step, steps_per_epoch=10) == pytest.approx(factor, abs=1e-12)


def test_the_backbone_has_its_own_learning_rate(scenes_small: Path, tmp_path: Path) -> None:
    recipe = replace(TINY, epochs=3, milestones=(1, 2))
    train(recipe, "scenes", tmp_path / "run", scenes_small)
    log = read_log(tmp_path / "run")
    assert [row["lr_head"] for row in log] == pytest.approx([0.05, 0.005, 0.0005])
    assert [row["lr_trunk"] for row in log] == pytest.approx([0.01, 0.001, 0.0001])
    assert [row["step"] for row in log] == [4, 8, 12]

    model = recipe.build(3)
    head, trunk = build_optimizer(recipe, model).param_groups
    assert {id(p) for p in trunk["params"]} == {id(p) for p in model.backbone.parameters()}
    assert len(head["params"]) + len(trunk["params"]) == len(list(model.parameters()))


# --- what it is fed


def test_epoch_sampler_is_a_permutation() -> None:
    sampler = EpochSampler(100, seed=5)
    orders = []
    for epoch in range(3):
        sampler.epoch = epoch
        keys = list(sampler)
        assert [key // 100 for key in keys] == [epoch] * 100
        assert sorted(key % 100 for key in keys) == list(range(100))
        assert keys == list(sampler)
        orders.append([key % 100 for key in keys])
    assert orders[0] != orders[1] != orders[2]
    other = EpochSampler(100, seed=6)
    assert list(other) != orders[0]


@pytest.mark.parametrize("augment", ["multiscale", "flip"])
def test_augmentation_is_the_same_whatever_the_number_of_workers(augment: str, scenes_small: Path) -> None:
    dataset = load("scenes", "train", scenes_small, train_transform(32, (0.5,) * 3, (0.25,) * 3, augment))
    sampler = EpochSampler(len(dataset), seed=1)
    seen = {}
    for workers in (0, 1, 2):
        torch.manual_seed(workers)  # has no influence
        loader = torch.utils.data.DataLoader(
            SeededItems(dataset, 1), 16, sampler=sampler, num_workers=workers, persistent_workers=workers > 0
        )
        for epoch in (0, 1):
            sampler.epoch = epoch
            seen[workers, epoch] = torch.cat([images for images, _ in batches(loader)])
    for epoch in (0, 1):
        assert torch.equal(seen[0, epoch], seen[1, epoch])
        assert torch.equal(seen[0, epoch], seen[2, epoch])
    # another epoch or seed augments otherwise
    item = {
        (seed, epoch): SeededItems(dataset, seed)[epoch * len(dataset) + 3][0]
        for seed in range(3)
        for epoch in range(4)
    }
    assert not all(torch.equal(item[0, 0], other) for other in item.values())
    state = torch.random.get_rng_state()
    SeededItems(dataset, 0)[3]
    assert torch.equal(torch.random.get_rng_state(), state)  # and leaves the loop's own numbers alone


def test_every_epoch_of_a_run_sees_all_images_in_an_order_of_its_own(
    scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    fetch = SeededItems.__getitem__

    def spy(self, key):
        seen.append(key)
        return fetch(self, key)

    monkeypatch.setattr(SeededItems, "__getitem__", spy)
    train(replace(TINY, epochs=2, lr_trunk=0.0, evaluate_every=2), "scenes", tmp_path / "run", scenes_small)
    assert sorted(seen) == list(range(128))  # key = epoch * 64 + image
    first, second = seen[:64], [key - 64 for key in seen[64:]]
    assert sorted(first) == sorted(second) == list(range(64))
    assert first != second


def test_holdout(scenes_small: Path, tmp_path: Path) -> None:
    recipe = replace(TINY, holdout=0.25)
    train_set, held_out = open_data(recipe, "scenes", scenes_small, None, None)
    assert (len(train_set), len(held_out)) == (48, 16)
    assert not set(train_set.ids) & set(held_out.ids)
    assert set(train_set.ids) | set(held_out.ids) == set(load("scenes", "train", scenes_small).ids)
    whole = load("scenes", "train", scenes_small)
    for part in (train_set, held_out):
        for i, name in enumerate(part.ids):
            assert torch.equal(part.targets[i], whole.targets[whole.ids.index(name)])
    again = open_data(recipe, "scenes", scenes_small, None, None)[1]
    other = open_data(replace(recipe, seed=1), "scenes", scenes_small, None, None)[1]
    assert again.ids == held_out.ids != other.ids
    # and `evaluate` finds the same images again
    record = train(recipe, "scenes", tmp_path / "run", scenes_small)
    alone = evaluate_run(tmp_path / "run", batch_size=16, workers=0)
    assert alone["metrics"] == record["metrics"]
    assert alone["data"]["eval"] == record["data"]["eval"]


# --- steps


def first_batches(root: Path, recipe: Recipe, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The first batches of epoch 0, made without the loop."""
    model = recipe.build(18)
    transform = train_transform(recipe.size, model.backbone.mean, model.backbone.std, recipe.augment)
    data = load("scenes", "train", root, transform)
    keys = list(EpochSampler(len(data), recipe.seed))
    items = [SeededItems(data, recipe.seed)[key] for key in keys[: count * recipe.batch_size]]
    images, targets = torch.stack([x for x, _ in items]), torch.stack([y for _, y in items])
    return list(zip(images.split(recipe.batch_size), targets.split(recipe.batch_size), strict=True))


def by_hand(recipe: Recipe, root: Path, classes: tuple[str, ...], steps: int) -> tuple[nn.Module, list[dict], list]:
    """Plain SGD with momentum, written out, for as many steps; the weights after each, and the losses."""
    torch.manual_seed(recipe.seed)
    model = recipe.build(len(classes), classes).train()
    velocity = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    states, losses = [], []
    for images, targets in first_batches(root, recipe, steps):
        model.zero_grad()
        scores = model(images)
        y = targets.float()
        loss = -(y * scores.sigmoid().log() + (1 - y) * (1 - scores.sigmoid()).log())  # eq. 5, no target is ignored
        loss = loss.sum(1).mean() if recipe.over == "sum" else loss.mean()
        loss.backward()
        norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
        scale = min(1.0, recipe.clip / (norm + 1e-6)) if recipe.clip else 1.0
        with torch.no_grad():
            for name, p in model.named_parameters():
                g = p.grad * scale + recipe.weight_decay * p
                velocity[name] = recipe.momentum * velocity[name] + g
                p -= (recipe.lr_trunk if name.startswith("backbone.") else recipe.lr) * velocity[name]
        states.append({k: v.clone() for k, v in model.state_dict().items()})
        losses.append(loss.item())
    return model, states, losses


@pytest.mark.parametrize("over", ["sum", "mean"])
def test_an_epoch_by_hand(over: str, scenes_small: Path, tmp_path: Path) -> None:
    recipe = replace(TINY, over=over, ema=0.75, clip=1.0, augment="flip", channels_last=False)
    record = train(recipe, "scenes", tmp_path / "run", scenes_small)
    classes = load("scenes", "train", scenes_small).classes
    _, states, losses = by_hand(recipe, scenes_small, classes, steps=4)
    checkpoint = read_checkpoint(tmp_path / "run" / "checkpoint.pt")
    for key, value in states[-1].items():
        torch.testing.assert_close(checkpoint["model"][key], value, rtol=1e-4, atol=1e-5)
    assert read_log(tmp_path / "run")[0]["train_loss"] == pytest.approx(np.mean(losses), rel=1e-5)

    # the averaged weights: the first state, then .75 old + .25 new; they are what is saved and evaluated
    saved = load_file(tmp_path / "run" / "model.safetensors")
    for key, value in states[0].items():
        if value.is_floating_point():
            average = value
            for state in states[1:]:
                average = 0.75 * average + 0.25 * state[key]
            torch.testing.assert_close(saved[key], average, rtol=1e-4, atol=1e-5)
            assert key.endswith("scale") or not torch.equal(saved[key], checkpoint["model"][key])
    assert evaluate_run(tmp_path / "run", batch_size=16, workers=0)["metrics"] == record["metrics"]


@pytest.mark.parametrize("over", ["sum", "mean"])
def test_two_times_eight_is_sixteen(over: str, scenes_small: Path, tmp_path: Path) -> None:
    # the backbone frozen, since its batch normalisation sees 8 images or 16
    recipe = replace(TINY, lr_trunk=0.0, lr=0.5, over=over, clip=0.5, epochs=2, augment="flip")
    train(recipe, "scenes", tmp_path / "16", scenes_small)
    train(replace(recipe, batch_size=8, accumulate=2), "scenes", tmp_path / "2x8", scenes_small)
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("16", "2x8"))
    for key in a:
        torch.testing.assert_close(b[key], a[key], rtol=1e-4, atol=1e-5)
    losses = [[row["train_loss"] for row in read_log(tmp_path / name)] for name in ("16", "2x8")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_frozen_backbone_does_not_change(scenes_small: Path, tmp_path: Path) -> None:
    recipe = replace(TINY, lr_trunk=0.0)
    train(recipe, "scenes", tmp_path / "run", scenes_small)
    torch.manual_seed(recipe.seed)
    fresh = recipe.build(18).state_dict()
    saved = load_file(tmp_path / "run" / "model.safetensors")
    for key, value in saved.items():
        assert torch.equal(value, fresh[key]) == key.startswith("backbone."), key


def test_sum_is_the_mean_times_the_classes() -> None:
    scores, targets = torch.randn(4, 18), torch.ones(4, 18)
    assert multilabel_loss(scores, targets, "sum") == pytest.approx(18 * multilabel_loss(scores, targets, "mean"))


def test_images_come_as_bytes_and_are_normalised_where_the_model_is(
    scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In training and in both evaluations."""
    model = TINY.build(18)
    seen: list[tuple[torch.dtype, float]] = []
    through = FromPixels.forward

    def spy(self, images):
        seen.append((images.dtype, float(images.float().mean())))
        return through(self, images)

    monkeypatch.setattr(FromPixels, "forward", spy)
    monkeypatch.setattr(type(model.backbone), "forward", checked(type(model.backbone).forward))
    train(replace(TINY, epochs=1), "scenes", tmp_path / "run", scenes_small)
    evaluate_run(tmp_path / "run", batch_size=16, workers=0)
    assert len(seen) == 4 + 2 + 2  # batches of 16: 64 to train on, 32 to judge by, twice
    assert {dtype for dtype, _ in seen} == {torch.uint8}
    assert all(50 < mean < 205 for _, mean in seen)  # 0 to 255


def checked(forward: Callable) -> Callable:
    """A backbone's forward that refuses what is not normalised."""

    def run(self, images: torch.Tensor) -> torch.Tensor:
        assert images.dtype == torch.float32
        assert images.min() >= -2
        assert images.max() <= 2  # with mean 0.5 and deviation 0.25
        return forward(self, images)

    return run


@pytest.mark.parametrize("model", ["gap", "gmp"])
def test_adamw_trains_the_baselines(model: str, scenes_small: Path, tmp_path: Path) -> None:
    recipe = replace(TINY, model=model, optimizer="adamw", lr=3e-3, lr_trunk=3e-3, epochs=4)
    train(recipe, "scenes", tmp_path / "run", scenes_small)
    losses = [row["train_loss"] for row in read_log(tmp_path / "run")]
    assert losses[-1] < 0.8 * losses[0]


def test_bf16_steps_and_float32_evaluation(scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: dict[bool, set[torch.dtype]] = {True: set(), False: set()}
    explain = ADDGCN.explain_features

    def spy(self, X):
        kinds[self.training].add(X.dtype)
        return explain(self, X)

    monkeypatch.setattr(ADDGCN, "explain_features", spy)
    train(replace(TINY, precision="bf16"), "scenes", tmp_path / "half", scenes_small)
    assert kinds == {True: {torch.bfloat16}, False: {torch.float32}}
    train(TINY, "scenes", tmp_path / "full", scenes_small)  # in the same process, another precision
    assert kinds[True] == {torch.bfloat16, torch.float32}
    saved = load_file(tmp_path / "half" / "model.safetensors")
    assert {v.dtype for v in saved.values()} <= {torch.float32, torch.int64}
    assert np.load(tmp_path / "half" / "scores_id.npz")["scores"].dtype == np.float32
    alone = evaluate_run(tmp_path / "half", batch_size=16, workers=0)
    assert alone["metrics"] == read_json(tmp_path / "half" / "record.json")["metrics"]


def test_a_run_folder(scenes_small: Path, tmp_path: Path) -> None:
    record = train(replace(TINY, epochs=3, evaluate_every=2), "scenes", tmp_path / "run", scenes_small)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"run.json", "checkpoint.pt", "log.jsonl", "config.json", "model.safetensors", "record.json"} <= names
    assert {"scores_id.npz", "tensorboard"} <= names
    assert not [name for name in names if "tmp" in name]
    log = read_log(tmp_path / "run")
    assert ["mAP" in row for row in log] == [False, True, True]
    assert log[-1]["mAP"] == record["metrics"]["mAP"]
    assert read_json(tmp_path / "run" / "record.json") == json.loads(json.dumps(record))

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in curves.Scalars("train_loss")] == [
        (row["epoch"], pytest.approx(row["train_loss"])) for row in log
    ]


def test_same_seed_same_weights_other_seed_other(scenes_small: Path, tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        digests.append(train(replace(TINY, seed=seed), "scenes", tmp_path / name, scenes_small)["scores_sha256"])
    assert digests[0] == digests[1] != digests[2]


def test_a_stopped_run_leaves_nothing_behind_in_the_process(scenes_small: Path, tmp_path: Path) -> None:
    whole = train(TINY, "scenes", tmp_path / "a", scenes_small)
    with pytest.raises(InputError):
        train(replace(TINY, lr=1e30, clip=0.0, accumulate=3), "scenes", tmp_path / "b", scenes_small)
    assert train(TINY, "scenes", tmp_path / "c", scenes_small)["scores_sha256"] == whole["scores_sha256"]
    assert start_accelerator().gradient_accumulation_steps == 1


def test_train_is_short() -> None:
    assert len(Path(train_module.__file__).read_text().splitlines()) < 300
