"""Faults around a run: a broken image in the middle of an epoch, SIGTERM, a cache that cannot be written."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_resume import settings, start, wait_until
from variants import TINY

from addgcn import train as train_module
from addgcn.batches import FromPixels
from addgcn.cli import Terminated, main, sigterm_raises
from addgcn.data import load
from addgcn.errors import InputError
from addgcn.recipes import Recipe
from addgcn.runs import read_checkpoint, read_log
from addgcn.skip import SkipBad
from addgcn.train import train

SKIP = replace(TINY, on_bad_image="skip", epochs=2)


@pytest.fixture
def broken(scenes_small: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """The scenes with three training images that cannot be read, and their names."""
    root = Path(shutil.copytree(scenes_small, tmp_path / "scenes"))
    data = load("scenes", "train", root)
    for i, content in ((5, data.path(5).read_bytes()[:100]), (17, b""), (40, b"no image")):
        data.path(i).write_bytes(content)
    return root, sorted(data.ids[i] for i in (5, 17, 40))


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_images_are_skipped_counted_and_named(
    workers: int, broken: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    root, names = broken
    record = train(replace(SKIP, workers=workers), "scenes", tmp_path / "run", root)
    assert record["bad_images"] == names
    assert [row["bad_images"] for row in read_log(tmp_path / "run")] == [3, 3]
    told = (tmp_path / "run" / "bad_images.txt").read_text().splitlines()
    assert len(told) == 6  # each in each epoch
    assert any("is empty" in line for line in told)
    flags = ["--weights", "None", "--dim", "8", "--size", "32", "--epochs", "1", "--workers", "0"]
    main(["train", "--out", str(tmp_path / "cli"), "--root", str(root), *flags, "--on-bad-image", "skip"])
    assert "3 training images could not be read and were skipped" in capsys.readouterr().out


def test_stop_is_the_default(broken: tuple[Path, list[str]], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"damaged or truncated|is empty|not an image"):
        train(TINY, "scenes", tmp_path / "run", broken[0])


def test_a_skipped_image_adds_nothing(broken: tuple[Path, list[str]], tmp_path: Path) -> None:
    """The gradient of a batch with it is that of the batch without, but for what batch normalisation sees."""
    from addgcn.data.transforms import eval_transform
    from addgcn.losses import multilabel_loss

    data = load("scenes", "train", broken[0], eval_transform(32))
    items, model = SkipBad(data, 32, (0.5,) * 3, tmp_path), TINY.build(18).eval()
    gradients = []
    for rows in ([3, 4, 5], [3, 4]):  # 5 is broken
        images, targets = (torch.stack([items[i][k] for i in rows]) for k in (0, 1))
        loss = multilabel_loss(FromPixels(model)(images), targets, "mean")
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)
    assert (items[5][1] == -1).all()
    assert items[3][1].tolist() == data.targets[3].tolist()


def test_all_readable_nothing_changes(scenes_small: Path, tmp_path: Path) -> None:
    skip = train(SKIP, "scenes", tmp_path / "skip", scenes_small)
    stop = train(replace(SKIP, on_bad_image="stop"), "scenes", tmp_path / "stop", scenes_small)
    assert skip["scores_sha256"] == stop["scores_sha256"]
    assert "bad_images" not in skip
    with pytest.raises(InputError, match="do not skip"):
        replace(SKIP, lr_trunk=0.0)


def test_an_evaluation_always_stops(scenes_small: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(scenes_small, tmp_path / "scenes"))
    load("scenes", "id", root).path(3).write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        train(SKIP, "scenes", tmp_path / "run", root)


def test_records_of_before_know_no_bad_images() -> None:
    old = {key: value for key, value in TINY.as_dict().items() if key != "on_bad_image"}
    assert Recipe.from_dict(old) == TINY


# --- SIGTERM


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize("workers", ["0", "1"])
def test_sigterm_keeps_what_was_done_and_exits_143(workers: str, scenes_small: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(out, *settings(scenes_small), "--workers", workers, "--epochs", "40")
    wait_until(process, (out / "checkpoint.pt").exists)
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 143
    said = out.with_suffix(".err").read_text()
    assert "stopped by SIGTERM" in said
    assert "Traceback" not in said
    checkpoint = read_checkpoint(out / "checkpoint.pt")
    assert 1 <= 8 * checkpoint["epoch"] + len(checkpoint["losses"]) < 8 * 40
    with pytest.raises(InputError, match="other settings"):  # and its folder is free again
        train(TINY, "scenes", out, scenes_small, resume=True)


def test_sigterm_is_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), sigterm_raises():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


# --- a cache that cannot be written


def test_a_cache_that_cannot_be_written(scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file where the folder should be: as a read-only disk, but for root, too."""
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("ADDGCN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="ADDGCN_CACHE"):
        train_module.train(replace(TINY, lr_trunk=0.0), "scenes", tmp_path / "run", scenes_small)
