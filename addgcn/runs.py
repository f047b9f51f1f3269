"""A run folder: what `addgcn train --out FOLDER` leaves, written so that a stop at any moment loses nothing.

run.json         recipe and data          checkpoint.pt    where it is, to go on from (--resume)
log.jsonl        a line per epoch         tensorboard/     the same as curves
config.json, model.safetensors            the trained model, for `load_model`
scores_SPLIT.npz, record.json             what it was judged by, and the record
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from .data import MultiLabelDataset
from .errors import InputError
from .recipes import Recipe
from .records import write_json

CHECKPOINT_VERSION = 1


def open_run(out: Path, recipe: Recipe, data: dict[str, Any], resume: bool, main: bool) -> dict[str, Any] | None:
    """Make the run folder, or open its checkpoint to go on from.

    Raises:
        InputError: the folder holds another run, has nothing to resume, or cannot be written.
    """
    path = out / "checkpoint.pt"
    if resume:
        checkpoint = read_checkpoint(path)
        saved = Recipe.from_dict(checkpoint["recipe"])
        if saved != recipe:
            ours, theirs = recipe.as_dict(), saved.as_dict()
            changed = ", ".join(f"{k}: {theirs[k]} -> {ours[k]}" for k in ours if ours[k] != theirs[k])
            raise InputError(f"{out} was begun with other settings ({changed}). Resume with the same, or start anew.")
        return checkpoint
    if main:
        if path.exists() or (out / "log.jsonl").exists():
            raise InputError(f"{out} holds a run already: --resume goes on with it; another --out starts a new one.")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the run folder {out}: {error.strerror}.") from error
        write_json(out / "run.json", {"recipe": recipe.as_dict(), "data": data})
    return None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, read without running any code in it."""
    if not path.is_file():
        raise InputError(f"there is nothing to resume: {path} does not exist.")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        found = checkpoint["version"]
    except Exception as error:  # torch.load raises many kinds for a damaged file
        raise InputError(f"{path} is not a checkpoint of a run ({type(error).__name__}: {error}).") from error
    if found != CHECKPOINT_VERSION:
        raise InputError(f"{path} was written by another version (format {found}, this is {CHECKPOINT_VERSION}).")
    return checkpoint


def save_checkpoint(
    out: Path,
    recipe: Recipe,
    epoch: int,
    seconds: float,
    accelerator: Accelerator,
    model: nn.Module,
    average: nn.Module | None,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write `checkpoint.pt` atomically: a stop in the middle leaves the one before.

    Raises:
        InputError: the disk is full or the folder cannot be written; the checkpoint before is whole.
    """
    checkpoint = {
        "version": CHECKPOINT_VERSION,
        "epoch": epoch,
        "seconds": seconds,
        "recipe": recipe.as_dict(),
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
        temporary.unlink(missing_ok=True)
        raise InputError(
            f"cannot write {path} ({error}); the checkpoint of the epoch before is whole. "
            "Free some space and go on with --resume."
        ) from error


def restore(
    checkpoint: dict[str, Any],
    accelerator: Accelerator,
    model: nn.Module,
    average: nn.Module | None,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Put everything back as `save_checkpoint` found it."""
    model.load_state_dict(checkpoint["model"])
    if average is not None:
        average.load_state_dict(checkpoint["average"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    if accelerator.scaler is not None:
        accelerator.scaler.load_state_dict(checkpoint["scaler"])


class Log:
    """One JSON line per epoch in log.jsonl, and the same as TensorBoard curves.

    Lines of epochs that the checkpoint does not know are dropped: they will be run again.
    """

    def __init__(self, out: Path, first_epoch: int) -> None:
        self.path = out / "log.jsonl"
        lines = self.path.read_text().splitlines()[:first_epoch] if self.path.exists() else []
        self.path.write_text("".join(line + "\n" for line in lines))
        self.curves = SummaryWriter(str(out / "tensorboard"), purge_step=first_epoch + 1)

    def write(self, row: dict[str, Any]) -> None:
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")
        for name, value in row.items():
            if name != "epoch":
                self.curves.add_scalar(name, value, row["epoch"])
        self.curves.flush()

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
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except json.JSONDecodeError as error:
        raise InputError(f"{path} has a damaged line ({error}).") from error


def describe(dataset: MultiLabelDataset) -> dict[str, Any]:
    """What a record says of a split."""
    return {"split": dataset.split, "images": len(dataset), "digest": dataset.digest()}


def save_scores(path: Path, scores: Tensor, targets: Tensor, dataset: MultiLabelDataset) -> str:
    """Write scores (N, C) float32, targets (N, C) int8, ids and classes; return the SHA-256 of the scores' bytes."""
    temporary = path.with_name(f".{path.name}.tmp.npz")
    arrays = {"scores": scores.numpy(), "targets": targets.numpy()}
    names = {"ids": np.array(dataset.ids), "classes": np.array(dataset.classes)}
    try:
        np.savez_compressed(temporary, allow_pickle=False, **arrays, **names)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror}.") from error
    return sha256_of(scores)


def sha256_of(scores: Tensor) -> str:
    """The digest that a record keeps of its scores: SHA-256 over the float32 values, row by row."""
    return hashlib.sha256(scores.contiguous().float().numpy().tobytes()).hexdigest()
