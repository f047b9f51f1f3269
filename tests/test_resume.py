"""A run that was stopped, however, and resumed ends with the very weights of one that was not."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import variants
from safetensors.torch import load_file
from variants import Stop, stopped_after_an_epoch

from addgcn import runs
from addgcn import train as train_module
from addgcn.cli import Terminated, main, sigterm_raises
from addgcn.errors import InputError
from addgcn.losses import multilabel_loss
from addgcn.recipes import Recipe
from addgcn.records import read_json
from addgcn.runs import read_log

TINY = replace(variants.TINY, augment="flip", epochs=4, schedule="cosine", warmup=0.5)
VARIANTS = {
    "plain": TINY,
    "released-accumulate-ema": replace(TINY, wiring="released", accumulate=2, ema=0.9, augment="multiscale"),
    "frozen": replace(TINY, lr_trunk=0.0, lr=0.1, ema=0.5),
    "adamw-holdout": replace(TINY, optimizer="adamw", lr=1e-3, lr_trunk=1e-4, holdout=0.25, evaluate_every=3),
    "workers": replace(TINY, workers=2, epochs=2, augment="multiscale"),
}


def same_weights(a: Path, b: Path) -> bool:
    x, y = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


@pytest.mark.parametrize("name", VARIANTS)
def test_stopped_after_an_epoch(name: str, scenes_small: Path, tmp_path: Path) -> None:
    recipe = VARIANTS[name]
    train_module.train(recipe, "scenes", tmp_path / "whole", scenes_small)

    with stopped_after_an_epoch():
        train_module.train(recipe, "scenes", tmp_path / "broken", scenes_small)
    torch.manual_seed(12345)  # whatever the random numbers are by then
    record = train_module.train(recipe, "scenes", tmp_path / "broken", scenes_small, resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "broken")
    whole = read_json(tmp_path / "whole" / "record.json")
    assert record["metrics"] == whole["metrics"]
    assert record["scores_sha256"] == whole["scores_sha256"]
    assert rows_of(tmp_path / "whole") == rows_of(tmp_path / "broken")


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize(  # an epoch has 8 steps: the first, one in the middle, the last, one of the next epoch
    ("name", "step"), [("plain", 1), ("plain", 8), ("plain", 11), *((name, 5) for name in VARIANTS)]
)
def test_sigterm_in_the_middle_of_an_epoch(
    name: str, step: int, scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(VARIANTS[name], epochs=2, batch_size=8)
    steps = []

    def loss_and_signal(*args):
        steps.append(step)
        if len(steps) == step:
            signal.raise_signal(signal.SIGTERM)
        return multilabel_loss(*args)

    monkeypatch.setattr(train_module, "multilabel_loss", loss_and_signal)
    with pytest.raises(Terminated), sigterm_raises():
        train_module.train(recipe, "scenes", tmp_path / "broken", scenes_small)
    monkeypatch.undo()
    checkpoint = runs.read_checkpoint(tmp_path / "broken" / "checkpoint.pt")
    steps_per_epoch = 6 if recipe.holdout else 8
    done = checkpoint["epoch"] * steps_per_epoch + len(checkpoint["losses"])
    assert done == (step + step % 2 if recipe.accumulate == 2 else step) == len(steps)

    torch.manual_seed(12345)
    record = train_module.train(recipe, "scenes", tmp_path / "broken", scenes_small, resume=True)
    whole = train_module.train(recipe, "scenes", tmp_path / "whole", scenes_small)
    assert record["scores_sha256"] == whole["scores_sha256"]
    assert same_weights(tmp_path / "whole", tmp_path / "broken")
    assert rows_of(tmp_path / "whole") == rows_of(tmp_path / "broken")


def rows_of(out: Path) -> list[dict[str, Any]]:
    """The log, but for the time."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_log(out)]


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize(("number", "raised"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_waits_until_a_checkpoint_is_written(
    number: signal.Signals, raised: type[BaseException], scenes_small: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """torch.save, stopped in the middle, would raise what a full disk does, and leave half a file."""
    recipe, out, fsync = replace(TINY, epochs=1), tmp_path / "run", os.fsync

    def signal_and_sync(file: int) -> None:
        signal.raise_signal(number)
        fsync(file)

    monkeypatch.setattr(runs.os, "fsync", signal_and_sync)
    with pytest.raises(raised), sigterm_raises():
        train_module.train(recipe, "scenes", out, scenes_small)
    monkeypatch.undo()
    assert [path.name for path in out.glob("*checkpoint*")] + [p.name for p in out.glob(".*tmp")] == ["checkpoint.pt"]
    assert len(runs.read_checkpoint(out / "checkpoint.pt")["losses"]) == 4
    train_module.train(recipe, "scenes", out, scenes_small, resume=True)
    train_module.train(recipe, "scenes", tmp_path / "whole", scenes_small)
    assert same_weights(out, tmp_path / "whole")


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="the system does not tell who sent a signal")
def test_a_worker_leaves_sigterm_to_the_run(
    scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schedulers send it to every process of a job, loaders' workers among them."""
    recipe, out = replace(TINY, epochs=2, workers=1, batch_size=8), tmp_path / "run"
    steps = []

    def loss_and_signals(*args):
        steps.append(len(steps))
        if len(steps) == 3:
            workers = multiprocessing.active_children()
            assert workers
            for worker in workers:
                subprocess.run(["kill", "-TERM", str(worker.pid)], check=True)  # not from here: from a scheduler
            time.sleep(0.5)  # enough to die
            assert all(worker.is_alive() for worker in workers)
            signal.raise_signal(signal.SIGTERM)
        return multilabel_loss(*args)

    monkeypatch.setattr(train_module, "multilabel_loss", loss_and_signals)
    with pytest.raises(Terminated), sigterm_raises():
        train_module.train(recipe, "scenes", out, scenes_small)
    assert len(runs.read_checkpoint(out / "checkpoint.pt")["losses"]) == 3


def test_stopped_while_it_was_judged(scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation may take longer than the epoch: no step of the epoch is done again."""
    recipe, out = replace(TINY, epochs=2, augment="none"), tmp_path / "run"

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_module, "collect_scores", stop)
    with pytest.raises(KeyboardInterrupt):
        train_module.train(recipe, "scenes", out, scenes_small)
    monkeypatch.undo()
    checkpoint = runs.read_checkpoint(out / "checkpoint.pt")
    assert (checkpoint["epoch"], len(checkpoint["losses"])) == (0, 4)
    train_module.train(recipe, "scenes", out, scenes_small, resume=True)
    train_module.train(recipe, "scenes", tmp_path / "whole", scenes_small)
    assert same_weights(out, tmp_path / "whole")
    assert rows_of(out) == rows_of(tmp_path / "whole")


def test_a_checkpoint_of_the_format_before_this_one_is_read(scenes_small: Path, tmp_path: Path) -> None:
    """It has no losses: it was always of whole epochs."""
    with stopped_after_an_epoch():
        train_module.train(TINY, "scenes", tmp_path / "run", scenes_small)
    path = tmp_path / "run" / "checkpoint.pt"
    checkpoint = runs.read_checkpoint(path)
    assert checkpoint.pop("losses") == []
    torch.save({**checkpoint, "version": 1}, path)
    train_module.train(TINY, "scenes", tmp_path / "run", scenes_small, resume=True)
    train_module.train(TINY, "scenes", tmp_path / "whole", scenes_small)
    assert same_weights(tmp_path / "run", tmp_path / "whole")


def test_stopped_before_the_first_epoch_was_complete(
    scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(TINY, epochs=1)

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_module, "multilabel_loss", stop)
    with pytest.raises(KeyboardInterrupt):
        train_module.train(recipe, "scenes", tmp_path / "run", scenes_small)
    monkeypatch.undo()
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
    with pytest.raises(InputError, match=r"other settings \(seed: 0 -> 1\)"):
        train_module.train(replace(recipe, seed=1), "scenes", tmp_path / "run", scenes_small, resume=True)
    train_module.train(recipe, "scenes", tmp_path / "run", scenes_small, resume=True)
    train_module.train(recipe, "scenes", tmp_path / "whole", scenes_small)
    assert same_weights(tmp_path / "run", tmp_path / "whole")


def test_stopped_between_last_checkpoint_and_record(
    scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = replace(TINY, epochs=1), tmp_path / "run"

    def stop(*args):
        raise Stop

    monkeypatch.setattr(train_module, "save_scores", stop)  # the model is there, scores and record are not
    with pytest.raises(Stop):
        train_module.train(recipe, "scenes", out, scenes_small)
    monkeypatch.undo()
    assert not (out / "record.json").exists()
    model = (out / "model.safetensors").read_bytes()
    first = train_module.train(recipe, "scenes", out, scenes_small, resume=True)
    assert (out / "model.safetensors").read_bytes() == model
    assert (out / "scores_id.npz").exists()

    # once more: there is nothing left to do, and nothing is touched
    before = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.name != ".lock"}
    again = train_module.train(recipe, "scenes", out, scenes_small, resume=True)
    assert again == first == read_json(out / "record.json")
    assert {path: path.stat().st_mtime_ns for path in out.iterdir() if path.name != ".lock"} == before
    assert len(read_log(out)) == 1


@pytest.mark.parametrize("how", ["no space while writing", "no space when moving", "stopped between bytes"])
def test_a_checkpoint_is_whole_or_the_one_before(
    how: str, scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = replace(TINY, epochs=2, evaluate_every=2), tmp_path / "run"
    save, replace_file = torch.save, os.replace
    done: list[bytes] = []

    def full(source, target):
        if Path(target).name == "checkpoint.pt" and done:
            raise OSError(28, "No space left on device")
        replace_file(source, target)
        if Path(target).name == "checkpoint.pt":
            done.append(Path(target).read_bytes())

    def half(content, file):
        if not done:
            return save(content, file)
        file.write(done[0][: len(done[0]) // 2])
        if how == "stopped between bytes":
            file.flush()
            raise Stop
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs.os, "replace", full)
    if how != "no space when moving":
        monkeypatch.setattr(runs.torch, "save", half)
    error = Stop if how == "stopped between bytes" else InputError
    with pytest.raises(error) as caught:
        train_module.train(recipe, "scenes", out, scenes_small)
    monkeypatch.undo()
    if error is InputError:
        assert "No space left on device" in str(caught.value)
        assert "--resume" in str(caught.value)
        assert not (out / ".checkpoint.pt.tmp").exists()
    assert (out / "checkpoint.pt").read_bytes() == done[0]
    assert runs.read_checkpoint(out / "checkpoint.pt")["epoch"] == 1
    train_module.train(recipe, "scenes", out, scenes_small, resume=True)
    assert len(read_log(out)) == 2


# Processes that are killed come from a server that has imported everything already: torch takes long to import.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["addgcn.cli", "addgcn.train"])


def command_line(args: list[str], stderr: Path) -> None:
    """In a process of its own: `addgcn ARGS`."""
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    torch.set_num_threads(1)
    main(args)


def start(out: Path, *args: str) -> Any:
    process = SERVER.Process(target=command_line, args=(["train", "--out", str(out), *args], out.with_suffix(".err")))
    process.start()
    return process


def settings(root: Path) -> list[str]:
    model = ["--root", str(root), "--weights", "None", "--dim", "8", "--size", "32", "--ema", "0.5"]
    return [*model, "--epochs", "8", "--seed", "3", "--batch-size", "8", "--accumulate", "2", "--workers", "0"]


def wait_until(process: Any, condition: Callable[[], bool]) -> None:
    while not condition():
        assert process.is_alive(), "it ended too early"
        time.sleep(0.0005)


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_stopped_at_random_moments_and_ctrl_c(scenes_small: Path, tmp_path: Path) -> None:
    """ADDGCN_KILLS=20 stops more often than the three times of every day; SIGKILL and SIGTERM by turns."""
    kills = int(os.environ.get("ADDGCN_KILLS", "3"))
    seed = int(os.environ.get("ADDGCN_KILL_SEED") or random.SystemRandom().randrange(10**6))
    print(f"ADDGCN_KILL_SEED={seed} repeats these moments")
    draw, out, epochs = random.Random(seed), tmp_path / "killed", kills + 5
    run = [*settings(scenes_small), "--epochs", str(epochs)]

    def epochs_done() -> int:
        try:
            return len((out / "log.jsonl").read_text().splitlines())
        except FileNotFoundError:
            return 0

    # a moment is: so many epochs done, then so many seconds more; an epoch takes about 0.2 s
    moments = [(epoch, signal.SIGKILL) for epoch in sorted(draw.sample(range(epochs - 2), kills))]
    moments = [(epoch, signal.SIGTERM if i % 3 == 1 else number) for i, (epoch, number) in enumerate(moments)]
    for epoch, number in [*moments, (epochs - 1, signal.SIGINT)]:
        process = start(out, *run, *(["--resume"] if out.exists() else []))
        wait_until(process, lambda epoch=epoch: epochs_done() >= epoch and (out / "run.json").exists())
        time.sleep(draw.uniform(0, 0.2) if number != signal.SIGINT else 0)
        os.kill(process.pid, number)
        process.join()
        print(f"stopped by {number.name} with {epochs_done()} epochs in the log")
        assert process.exitcode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    said = out.with_suffix(".err").read_text()
    assert "--resume" in said
    assert "Traceback" not in said
    assert not (out / "record.json").exists()

    process = start(out, "--resume")  # nothing more: the settings and the data are those it was begun with
    process.join()
    assert process.exitcode == 0, out.with_suffix(".err").read_text()

    recipe = Recipe.from_dict(read_json(out / "run.json")["recipe"])
    assert (recipe.epochs, recipe.seed, recipe.accumulate, recipe.ema) == (epochs, 3, 2, 0.5)
    train_module.train(recipe, "scenes", tmp_path / "whole", scenes_small)
    assert same_weights(out, tmp_path / "whole")
    assert rows_of(out) == rows_of(tmp_path / "whole")


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_kill_9_in_the_middle_of_writing_a_checkpoint(scenes_small: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(out, *settings(scenes_small))
    wait_until(process, (out / "checkpoint.pt").exists)
    wait_until(process, (out / ".checkpoint.pt.tmp").exists)
    process.kill()
    process.join()
    checkpoint = runs.read_checkpoint(out / "checkpoint.pt")  # whole
    assert checkpoint["epoch"] or checkpoint["losses"]
    recipe = Recipe.from_dict(read_json(out / "run.json")["recipe"])
    train_module.train(recipe, "scenes", out, scenes_small, resume=True)
    assert not (out / ".checkpoint.pt.tmp").exists()
    train_module.train(recipe, "scenes", tmp_path / "whole", scenes_small)
    assert same_weights(out, tmp_path / "whole")


def hold(out: Path, ready: Any) -> None:
    """In a process of its own: keep a run folder locked."""
    lock = runs.FolderLock(out)
    ready.set()
    time.sleep(60)
    lock.close()


def test_two_runs_cannot_write_to_one_folder(scenes_small: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    out = tmp_path / "run"
    out.mkdir()
    ready = SERVER.Event()
    process = SERVER.Process(target=hold, args=(out, ready))
    process.start()
    assert ready.wait(60)
    with pytest.raises(InputError, match="another process is training in"):
        train_module.train(replace(TINY, epochs=1), "scenes", out, scenes_small)
    process.kill()
    process.join()
    train_module.train(replace(TINY, epochs=1), "scenes", out, scenes_small)
