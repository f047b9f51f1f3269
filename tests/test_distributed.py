"""Several processes: the metrics of one, one log and one record, the gradients of one with the larger batch."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import variants
from safetensors.torch import load_file

from addgcn import train as train_module
from addgcn.errors import InputError
from addgcn.evaluate import evaluate_run
from addgcn.recipes import Recipe
from addgcn.records import read_json
from addgcn.runs import read_log

# 32 images to evaluate on: no multiple of 5, nor of 2 x 5
TINY = replace(variants.TINY, augment="flip", epochs=2, batch_size=5, lr_trunk=0.02)
# as in test_resume.py: torch takes long to import
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["addgcn.cli", "addgcn.train"])


def one_of(rank: int, world: int, port: int, function: Callable, args: tuple) -> None:
    """One of the processes, with the environment that torchrun would give it."""
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    os.environ.update({k: str(v) for k, v in names.items()}, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    function(*args)
    torch.distributed.destroy_process_group()


def with_processes(world: int, function: Callable, *args: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = [SERVER.Process(target=one_of, args=(rank, world, port, function, args)) for rank in range(world)]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert all(process.exitcode is not None for process in started), "they wait for each other"
    assert [process.exitcode for process in started] == [0] * world


def do_train(recipe: Recipe, out: Path, root: Path, resume: bool = False) -> None:
    train_module.train(recipe, "scenes", out, root, resume=resume)


def do_evaluate(out: Path, split: str) -> None:
    evaluate_run(out, split, batch_size=5, workers=0)


def test_torchrun_trains_and_evaluates_as_one_process_does(scenes_small: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    values = {k: v for k, v in TINY.as_dict().items() if k not in ("milestones", "test_size")}
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in values.items() if not isinstance(v, bool)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launch, "-m", "addgcn.cli", "train", "--root", str(scenes_small), "--out", str(out), *flags],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("mAP") == 1  # one of the two speaks

    record = read_json(out / "record.json")
    assert record["processes"] == 2
    assert record["metrics"]["num_samples"] == 32
    assert [row["epoch"] for row in read_log(out)] == [1, 2]
    assert read_log(out)[-1]["step"] == 2 * (64 // 5 // 2)
    assert len(list((out / "tensorboard").iterdir())) == 1
    two = np.load(out / "scores_id.npz")
    alone = evaluate_run(out, batch_size=5, workers=0)  # writes scores_id.npz anew
    one = np.load(out / "scores_id.npz")
    assert alone["metrics"] == record["metrics"]  # to the last digit
    assert two["ids"].tolist() == one["ids"].tolist()
    assert np.array_equal(two["targets"], one["targets"])
    np.testing.assert_allclose(two["scores"], one["scores"], rtol=1e-5, atol=1e-5)


def test_two_and_three_processes_evaluate_as_one(scenes_small: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    do_train(replace(TINY, batch_size=16), out, scenes_small)
    alone = evaluate_run(out, "ood", batch_size=5, workers=0)
    for world in (2, 3):
        (out / "evaluate_ood.json").unlink()
        with_processes(world, do_evaluate, out, "ood")
        record = json.loads((out / "evaluate_ood.json").read_text())
        assert record["processes"] == world
        assert record["metrics"] == alone["metrics"]


@pytest.mark.parametrize("augment", ["none", "flip"])
def test_two_batches_of_8_make_the_gradients_of_one_of_16(augment: str, scenes_small: Path, tmp_path: Path) -> None:
    # the backbone frozen, since its batch normalisation sees each process's images alone
    recipe = replace(TINY, lr_trunk=0.0, lr=0.5, batch_size=16, augment=augment, clip=1.0)
    do_train(recipe, tmp_path / "one", scenes_small)
    with_processes(2, do_train, replace(recipe, batch_size=8), tmp_path / "two", scenes_small)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for key in one:
        torch.testing.assert_close(two[key], one[key], rtol=1e-4, atol=1e-5)
    losses = [[row["train_loss"] for row in read_log(tmp_path / name)] for name in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)  # the mean over both processes


def test_a_run_of_two_processes_is_saved_with_the_statistics_it_was_judged_by(
    scenes_small: Path, tmp_path: Path
) -> None:
    # batch normalisation of trunk and graph, averaged weights: all of them differ between processes by themselves
    recipe = replace(TINY, batch_size=8, wiring="released", ema=0.5, accumulate=2)
    with_processes(2, do_train, recipe, tmp_path / "run", scenes_small)
    record = read_json(tmp_path / "run" / "record.json")
    alone = evaluate_run(tmp_path / "run", batch_size=8, workers=0)
    assert alone["metrics"] == record["metrics"]


def test_resume_with_another_number_of_processes(scenes_small: Path, tmp_path: Path) -> None:
    with_processes(2, do_train, replace(TINY, epochs=1), tmp_path / "run", scenes_small)
    with pytest.raises(InputError, match="begun with 2 processes, now there are 1"):
        do_train(replace(TINY, epochs=1), tmp_path / "run", scenes_small, resume=True)
