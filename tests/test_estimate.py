"""The estimate before a run: right by its own measurement, and without a trace in the run."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from folders import write_coco
from safetensors.torch import load_file
from variants import TINY

from addgcn import estimate
from addgcn import train as train_module
from addgcn.batches import items, open_data, start_accelerator
from addgcn.data import load
from addgcn.errors import InputError
from addgcn.estimate import Estimate, duration, measure, say_left_out
from addgcn.runs import read_checkpoint
from addgcn.train import train


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "SMALL", 0)
    monkeypatch.setattr(estimate, "SHORT", 0.0)


VARIANTS = {
    "plain": TINY,
    "flip-adamw-ema": replace(TINY, augment="flip", optimizer="adamw", lr=1e-3, ema=0.9, epochs=2),
    "released": replace(TINY, wiring="released", accumulate=2, augment="multiscale"),
    "bf16": replace(TINY, precision="bf16"),
    "frozen": replace(TINY, lr_trunk=0.0, augment="flip"),
    "workers": replace(TINY, workers=1),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_run_is_the_same_with_and_without(
    name: str, scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, always: None, capfd: Any
) -> None:
    train(VARIANTS[name], "scenes", tmp_path / "with", scenes_small)
    said = capfd.readouterr().err
    assert f"for {VARIANTS[name].epochs} epochs" in said
    assert "GPU memory" not in said or torch.cuda.is_available()
    monkeypatch.setattr(train_module, "announce", lambda *args: None)
    train(VARIANTS[name], "scenes", tmp_path / "without", scenes_small)
    a, b = (read_checkpoint(tmp_path / folder / "checkpoint.pt") for folder in ("with", "without"))
    for part in ("model", "average"):
        assert (a[part] is None) == (b[part] is None)
        assert all(torch.equal(value, b[part][key]) for key, value in (a[part] or {}).items())
    for key, state in a["optimizer"]["state"].items():
        assert all(
            torch.equal(torch.as_tensor(v), torch.as_tensor(b["optimizer"]["state"][key][k])) for k, v in state.items()
        )
    a, b = (load_file(tmp_path / folder / "model.safetensors") for folder in ("with", "without"))
    assert all(torch.equal(value, b[key]) for key, value in a.items())


def measured(recipe: Any, root: Path, epochs: int) -> Estimate | None:
    accelerator = start_accelerator(recipe.precision)
    train_set, eval_set = open_data(recipe, "scenes", root, None, None)
    model = recipe.build(18)
    return measure(recipe, model, *items(recipe, model, train_set, eval_set, accelerator), accelerator, epochs)


def test_it_leaves_random_numbers_and_weights_alone(scenes_small: Path, always: None) -> None:
    accelerator = start_accelerator()
    train_set, eval_set = open_data(TINY, "scenes", scenes_small, None, None)
    model = TINY.build(18)
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.random.get_rng_state()
    assert measure(TINY, model, *items(TINY, model, train_set, eval_set, accelerator), accelerator, 1) is not None
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_it_counts_steps_evaluations_and_loading(
    scenes_small: Path, monkeypatch: pytest.MonkeyPatch, always: None
) -> None:
    """With a clock that says how long each part takes."""
    clock = iter([4.0, 9.0, 1.0, 3.0, 0.5])  # loading 4 images, warm-up, two steps, a forward pass

    def timed(work: Any, device: torch.device) -> tuple[float, Any]:
        return next(clock), work()

    monkeypatch.setattr(estimate, "timed", timed)
    recipe = replace(TINY, test_size=64, evaluate_every=2)
    found = measured(recipe, scenes_small, epochs=3)
    assert found is not None
    # 3 epochs of 4 steps, each 2 s and 16 images of 1 s; 2 evaluations of 2 batches, each 4 x 0.5 s and 16 s
    assert found.seconds == pytest.approx(3 * 4 * (2 + 16) + 2 * 2 * (2 + 16))
    monkeypatch.setattr(estimate.os, "cpu_count", lambda: 2)
    clock = iter([4.0, 9.0, 1.0, 3.0, 0.5])
    found = measured(replace(recipe, workers=8), scenes_small, epochs=3)
    assert found is not None
    assert found.seconds == pytest.approx((3 * 4 + 2 * 2) * 16 / 2)  # two processors load, the steps wait for them


def test_it_is_near_the_truth(scenes_small: Path, tmp_path: Path, always: None) -> None:
    recipe = replace(TINY, epochs=6, size=64, dim=64, evaluate_every=6)
    found = measured(recipe, scenes_small, epochs=6)
    began = time.time()
    train(recipe, "scenes", tmp_path / "run", scenes_small)
    assert found is not None
    assert 0.03 < found.seconds / (time.time() - began) < 15  # wide: other things run on this machine


def test_of_a_run_of_seconds_nothing_is_said(scenes_small: Path, tmp_path: Path, capfd: Any) -> None:
    assert measured(TINY, scenes_small, 1) is None
    train(TINY, "scenes", tmp_path / "run", scenes_small)
    assert "about" not in capfd.readouterr().err


def test_too_large_for_the_gpu(scenes_small: Path, monkeypatch: pytest.MonkeyPatch, always: None) -> None:
    def full(*args: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(estimate, "make_steps", full)
    with pytest.raises(InputError, match="a batch of 16 images at 32 pixels does not fit"):
        measured(TINY, scenes_small, 1)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (50, "50 s"), (89, "89 s"), (91, "2 min"), (3590, "1 h 0 min"), (7800, "2 h 10 min"),
     (200000, "2 days 8 h")],
)  # fmt: skip
def test_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said
    assert str(Estimate(7800, int(9.3e9))) == "about 2 h 10 min, 9.3 GB of GPU memory"


def test_no_more_loaders_than_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate.os, "cpu_count", lambda: 8)
    assert [estimate.decoders(*asked) for asked in ((4, 1), (4, 2), (4, 4), (4, 16), (0, 1), (-1, 1))] == [
        4,
        4,
        2,
        0,
        0,
        0,
    ]
    monkeypatch.setattr(estimate.os, "cpu_count", lambda: None)  # not known
    assert estimate.decoders(4) == 1


def test_images_that_are_left_out_are_counted(tmp_path: Path, capfd: Any) -> None:
    """Image 12 of 3 has no annotation."""
    data = load("coco2017", "train", write_coco(tmp_path))
    assert (len(data), data.unlabelled) == (2, 1)
    say_left_out(data, data.subset([0], split="holdout"))  # of one file, so it is said once
    assert capfd.readouterr().err == "1 images of train2017 have no annotation and are left out, as in the literature\n"
    say_left_out(load("coco2017", "train", tmp_path, drop_unlabelled=False))
    assert capfd.readouterr().err == ""
