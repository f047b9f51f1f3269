"""Several processes: the metrics of one, one log and one record, the gradients of one with the larger batch."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import variants
from safetensors.torch import load_file
from torch import nn

from addgcn import train as train_module
from addgcn.batches import synchronised
from addgcn.cli import Terminated, sigterm_raises
from addgcn.errors import InputError
from addgcn.evaluate import evaluate_run
from addgcn.losses import multilabel_loss
from addgcn.recipes import Recipe
from addgcn.records import read_json
from addgcn.runs import read_checkpoint, read_log
from addgcn.sigterm import ASK_EVERY

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


def torchrun(recipe: Recipe, out: Path, root: Path, *options: str) -> list[str]:
    """The command that trains with two processes."""
    values = {k: v for k, v in recipe.as_dict().items() if k not in ("milestones", "test_size")}
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in values.items() if not isinstance(v, bool)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *options]
    return [*launch, "-m", "addgcn.cli", "train", "--root", str(root), "--out", str(out), *flags]


def test_torchrun_trains_and_evaluates_as_one_process_does(scenes_small: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        torchrun(TINY, out, scenes_small), env=environment, capture_output=True, text=True, timeout=200
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


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds a process by its environment in /proc")
def test_torchrun_begins_again_where_a_process_died(scenes_small: Path, tmp_path: Path) -> None:
    recipe, out = replace(TINY, epochs=6, evaluate_every=6), tmp_path / "run"
    # torch would hand the processes that begin again the addresses of those that have died (pytorch issue 135712)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    command = torchrun(recipe, out, scenes_small, "--max-restarts", "1", "--monitor-interval", "0.1")
    with open(tmp_path / "said.txt", "w") as said:
        launched = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    try:
        while not (out / "checkpoint.pt").exists():
            assert launched.poll() is None, (tmp_path / "said.txt").read_text()
            time.sleep(0.01)
        os.kill(worker(out, rank=1), signal.SIGKILL)
        assert launched.wait(200) == 0, (tmp_path / "said.txt").read_text()
    finally:
        launched.kill()
        launched.wait()
    with_processes(2, do_train, recipe, tmp_path / "whole", scenes_small)
    assert [row["epoch"] for row in read_log(out)] == [1, 2, 3, 4, 5, 6]
    assert read_json(out / "record.json")["scores_sha256"] == read_json(tmp_path / "whole/record.json")["scores_sha256"]


def worker(out: Path, rank: int) -> int:
    """The process of this rank that trains in `out`."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            started, known = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:  # it has ended, or is not ours
            continue
        if str(out).encode() in started and f"\0RANK={rank}\0".encode() in known:
            return int(process.name)
    raise AssertionError(f"no process of rank {rank}")


def signal_in_step_3(recipe: Recipe, out: Path, root: Path) -> None:
    """Train; the second process alone is told to stop, in its third step. Both end with 143, as the command does."""
    steps = []

    def loss(*args):
        steps.append(1)
        if len(steps) == 3 and os.environ["RANK"] == "1":
            signal.raise_signal(signal.SIGTERM)
        return multilabel_loss(*args)

    train_module.multilabel_loss = loss
    with sigterm_raises():
        try:
            do_train(recipe, out, root)
        except Terminated:
            assert len(steps) == min(ASK_EVERY, 64 // 2 // recipe.batch_size)  # or an epoch, where it is shorter
            return
    raise AssertionError("nothing stopped it")


@pytest.mark.parametrize("batch_size", [2, 8])  # 16 steps an epoch, and 4: fewer than pass between two questions
def test_sigterm_to_one_stops_all_at_the_same_step(batch_size: int, scenes_small: Path, tmp_path: Path) -> None:
    recipe = replace(TINY, batch_size=batch_size, wiring="released", ema=0.5)
    with_processes(2, signal_in_step_3, recipe, tmp_path / "run", scenes_small)
    assert len(read_checkpoint(tmp_path / "run" / "checkpoint.pt")["losses"]) == min(ASK_EVERY, 32 // batch_size)
    with_processes(2, do_train, recipe, tmp_path / "run", scenes_small, True)
    with_processes(2, do_train, recipe, tmp_path / "whole", scenes_small)
    records = [read_json(tmp_path / name / "record.json") for name in ("run", "whole")]
    assert records[0]["scores_sha256"] == records[1]["scores_sha256"]
    losses = [[row["train_loss"] for row in read_log(tmp_path / name)] for name in ("run", "whole")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_resume_with_another_number_of_processes(scenes_small: Path, tmp_path: Path) -> None:
    with_processes(2, do_train, replace(TINY, epochs=1), tmp_path / "run", scenes_small)
    with pytest.raises(InputError, match="begun with 2 processes, now there are 1"):
        do_train(replace(TINY, epochs=1), tmp_path / "run", scenes_small, resume=True)


@pytest.mark.parametrize("wiring", ["paper", "released"])
def test_batch_normalisation_is_over_all_processes_on_gpus(wiring: str) -> None:
    """What cannot run without GPUs: that the right layers are exchanged, and the weights keep their names."""
    model = replace(TINY, wiring=wiring).build(18)
    before, plain = (
        model.state_dict(),
        synchronised(model, SimpleNamespace(num_processes=1, device=torch.device("cuda"))),
    )
    assert not any(isinstance(m, nn.SyncBatchNorm) for m in plain.modules())
    synchronised(model, SimpleNamespace(num_processes=2, device=torch.device("cpu")))
    assert not any(isinstance(m, nn.SyncBatchNorm) for m in model.modules())
    count = sum(isinstance(m, BATCH_NORMS) for part in head_of(model) for m in part.modules())
    synchronised(model, SimpleNamespace(num_processes=2, device=torch.device("cuda")))
    found = [m for part in head_of(model) for m in part.modules() if isinstance(m, BATCH_NORMS)]
    assert len(found) == count
    assert all(isinstance(m, nn.SyncBatchNorm) for m in found)
    assert bool(found) == (wiring == "released")
    assert not any(isinstance(m, nn.SyncBatchNorm) for m in model.backbone.modules())
    assert any(isinstance(m, BATCH_NORMS) for m in model.backbone.modules())
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[k], before[k]) for k in after)


BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm)


def head_of(model: nn.Module) -> list[nn.Module]:
    return [part for name, part in model.named_children() if name != "backbone"]
