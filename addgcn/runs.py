"""A run folder: what `addgcn train --out FOLDER` leaves, written so that a stop at any moment loses nothing.

It holds::

    run.json         recipe and data          checkpoint.pt    where it is, to go on from (--resume)
    log.jsonl        a line per epoch         tensorboard/     the same as curves
    config.json, model.safetensors            the trained model, for `load_model`
    scores_SPLIT.npz, record.json             what it was judged by, and the record
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from .data import MultiLabelDataset
from .errors import InputError
from .recipes import Recipe
from .records import discard, read_json, read_json_lines, write_json, write_text
from .sigterm import unbroken

CHECKPOINT_VERSION = 2
READABLE = (1, 2)  # in 1, a checkpoint was always of whole epochs
FREE_SPACE = "Free some space: a run goes on from its last whole checkpoint with --resume."
RUNS = ("version", "recipe", "data", "processes")  # in a checkpoint: what runs
STANDS = ("epoch", "seconds", "model", "average", "optimizer", "scaler")  # and where it stands


def open_run(
    out: Path, recipe: Recipe, source: dict[str, Any], resume: bool, main: bool
) -> tuple[dict[str, Any] | None, FolderLock | None]:
    """Make the run folder, or open its checkpoint to go on from.

    Args:
        source: name, root and splits of the data, kept in run.json for `addgcn evaluate`; and init_from.
        main: whether this process is the one that writes.

    Returns:
        The checkpoint, None where there is no epoch to go on from; and a lock to keep while the run lasts.

    Raises:
        InputError: the folder holds a run, or another run than the one to resume, or nothing to resume; or another
            process is at work in it; or it cannot be written.
    """
    path = out / "checkpoint.pt"
    if resume and not out.is_dir():
        raise InputError(f"there is nothing to resume: {out} does not exist.")
    lock = None
    if main:
        try:
            out.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(out)
        except OSError as error:
            raise InputError(
                f"cannot write in the run folder {out}: {error.strerror}. Choose another --out."
            ) from error
    if resume and path.is_file():
        checkpoint = read_checkpoint(path)
        check_same_recipe(out, Recipe.from_dict(checkpoint["recipe"]), recipe)
        return checkpoint, lock
    if resume:  # stopped before its first epoch was complete?
        if not (out / "run.json").is_file():
            raise InputError(f"there is nothing to resume: {out} holds neither checkpoint.pt nor run.json.")
        check_same_recipe(out, read_run(out)[0], recipe)
    if main:
        held = [name for name in ("checkpoint.pt", "record.json", "model.safetensors") if (out / name).exists()]
        if held and resume:
            raise InputError(f"{out} has {held[0]} but no checkpoint.pt to resume from: start anew in another --out.")
        if held:
            raise InputError(
                f"{out} holds a run or a model already ({held[0]}): --resume goes on with a run; another --out "
                "starts a new one."
            )
        write_json(out / "run.json", {"recipe": recipe.as_dict(), "data": source})
    return None, lock


class FolderLock:
    """A lock on a run folder, held until it is closed or forgotten, or the process ends, however it ends.

    Raises:
        InputError: another process holds it.
    """

    def __init__(self, out: Path) -> None:
        self.file = os.open(out / ".lock", os.O_WRONLY | os.O_CREAT)
        try:
            import fcntl

            fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise InputError(
                f"another process is training in {out}: let it finish, or choose another --out."
            ) from error
        except (ImportError, OSError):  # Windows, or a network folder without locks
            pass

    def close(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    __del__ = close


def check_same_recipe(out: Path, begun: Recipe, now: Recipe) -> None:
    """Refuse to go on with other settings than the run was begun with; names each that differs."""
    then, ours = begun.as_dict(), now.as_dict()
    changed = ", ".join(f"{k}: {then[k]} -> {ours[k]}" for k in ours if ours[k] != then[k])
    if changed:
        raise InputError(
            f"{out} was begun with other settings ({changed}). Resume with the same, or start anew in another --out."
        )


def read_run(out: Path) -> tuple[Recipe, dict[str, Any]]:
    """What run.json says: the recipe, and of the data name, root, train_split and eval_split; and init_from.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = out / "run.json"
    run = read_json(path)
    try:
        source = {key: run["data"][key] for key in ("name", "root", "train_split", "eval_split")}
        source["init_from"] = run["data"].get("init_from")  # runs of older versions have none
        return Recipe.from_dict(run["recipe"]), source
    except (KeyError, TypeError, AttributeError, InputError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}).") from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, read without running any code in it.

    Raises:
        InputError: a damaged file, a pickle with code in it, or a checkpoint of another version.
    """
    remedy = "Start anew in another --out, or put back a whole copy."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on the file's format; what cannot be read raises
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        found = checkpoint["version"]
    except Exception as error:  # torch.load raises many kinds, most with long advice that would not help here
        reason = f"{type(error).__name__}; it is damaged, or holds more than tensors and plain values"
        raise InputError(f"{path} cannot be read as a run's checkpoint ({reason}). {remedy}") from error
    if found not in READABLE:
        raise InputError(
            f"{path} was written by another version of this library (format {found}, this one reads "
            f"{CHECKPOINT_VERSION}): resume with that version. {remedy}"
        )
    if missing := [key for key in RUNS + STANDS if key not in checkpoint]:
        raise InputError(f"{path} lacks {', '.join(missing)}. {remedy}")
    return checkpoint


@unbroken
def save_checkpoint(
    out: Path,
    recipe: Recipe,
    data: dict[str, Any],
    epoch: int,
    losses: list[float],
    seconds: float,
    accelerator: Accelerator,
    model: nn.Module,
    average: nn.Module | None,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write `checkpoint.pt` atomically: a stop in the middle leaves the one before.

    Args:
        epoch, losses: so many whole epochs are done, and of the next as many steps as there are losses.

    Raises:
        InputError: the disk is full or the folder cannot be written; the checkpoint before is whole.
    """
    checkpoint = {
        "version": CHECKPOINT_VERSION,
        "epoch": epoch,
        "losses": losses,
        "seconds": seconds,
        "recipe": recipe.as_dict(),
        "data": data,
        "processes": accelerator.num_processes,
        "model": model.state_dict(),
        "average": None if average is None else average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": None if accelerator.scaler is None else accelerator.scaler.state_dict(),
    }
    path, temporary = out / "checkpoint.pt", out / ".checkpoint.pt.tmp"
    try:
        with open(temporary, "wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
        discard(temporary)
        raise InputError(f"cannot write {path} ({getattr(error, 'strerror', None) or error}). {FREE_SPACE}") from error


def restore(
    out: Path,
    checkpoint: dict[str, Any],
    data: dict[str, Any],
    accelerator: Accelerator,
    model: nn.Module,
    average: nn.Module | None,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Put everything back as `save_checkpoint` found it.

    Raises:
        InputError: other data or another number of processes than the run was begun with, which would not be the
            same run; or content that does not fit.
    """
    if checkpoint["data"] != data:
        changed = "; ".join(
            f"{k}: {checkpoint['data'].get(k)} -> {v}" for k, v in data.items() if checkpoint["data"].get(k) != v
        )
        raise InputError(f"{out} was begun with other data ({changed}). Resume with the same, or start anew.")
    if checkpoint["processes"] != accelerator.num_processes:
        raise InputError(
            f"{out} was begun with {checkpoint['processes']} processes, now there are {accelerator.num_processes}: "
            "the batches would be others. Resume with as many."
        )
    try:
        model.load_state_dict(checkpoint["model"])
        if average is not None:
            average.load_state_dict(checkpoint["average"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        if accelerator.scaler is not None:
            accelerator.scaler.load_state_dict(checkpoint["scaler"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{out / 'checkpoint.pt'} does not fit its own recipe ({error}). Start anew.") from error


class Log:
    """One JSON line per epoch in log.jsonl, and the same as TensorBoard curves.

    Lines of epochs that the checkpoint does not know are dropped: they will be run again.
    """

    def __init__(self, out: Path, first_epoch: int) -> None:
        self.path = out / "log.jsonl"
        lines = self.path.read_text(encoding="utf-8").splitlines()[:first_epoch] if self.path.exists() else []
        write_text(self.path, "".join(line + "\n" for line in lines))
        try:
            self.curves = SummaryWriter(str(out / "tensorboard"), purge_step=first_epoch + 1)
        except OSError as error:
            raise InputError(f"cannot write {out / 'tensorboard'}: {error.strerror}.") from error

    def write(self, row: dict[str, Any]) -> None:
        """Add a row.

        Raises:
            InputError: it cannot be written; the checkpoint of the epoch before is whole.
        """
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            for name, value in row.items():
                if name != "epoch":
                    self.curves.add_scalar(name, value, row["epoch"])
            self.curves.flush()
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}. {FREE_SPACE}") from error

    def close(self) -> None:
        self.curves.close()


def read_log(out: str | Path) -> list[dict[str, Any]]:
    """The rows of a run's log.jsonl, one per epoch.

    Raises:
        InputError: there is no log, or a line is damaged.
    """
    path = Path(out) / "log.jsonl"
    if not path.is_file():
        raise InputError(f"{path} does not exist: is {out} a run folder?")
    return read_json_lines(path)


def describe(dataset: MultiLabelDataset) -> dict[str, Any]:
    """What a record says of a split."""
    return {"split": dataset.split, "images": len(dataset), "digest": dataset.digest()}
