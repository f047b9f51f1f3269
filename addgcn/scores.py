"""Saved scores, and what they say: metrics without the model, category by category too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from .errors import InputError
from .metrics import Metrics, MultiLabelMetrics
from .records import read_json


@dataclass(frozen=True)
class SavedScores:
    """What `addgcn.records.save_scores` wrote: the scores of a split, with everything to judge them by."""

    scores: Tensor  # (N, C) float32, logits
    targets: Tensor  # (N, C) int8: 1 present, 0 absent, -1 ignored
    ids: tuple[str, ...]  # (N), the images' names
    classes: tuple[str, ...]  # (C)


def read_scores(path: str | Path) -> SavedScores:
    """A `scores_SPLIT.npz` of a run folder, read without running any code in it.

    Raises:
        InputError: no such file, a damaged one, or arrays that are not what such a file holds.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file of scores {path}: `addgcn evaluate RUN` writes one into the run folder.")
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            scores, targets, ids, classes = (file[name] for name in ("scores", "targets", "ids", "classes"))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged, or no file of scores ({error}). Evaluate the run again.") from error
    shape = (len(ids), len(classes)) if ids.ndim == classes.ndim == 1 else None
    if scores.shape != shape or targets.shape != shape or not scores.size:
        raise InputError(
            f"{path} is damaged: scores {scores.shape}, targets {targets.shape}, ids {ids.shape} and classes "
            f"{classes.shape} do not fit together. Evaluate the run again."
        )
    names, images = tuple(map(str, classes)), tuple(map(str, ids))
    for what, values in (("classes", names), ("ids", images)):
        if len(set(values)) != len(values):
            raise InputError(f"{path} is damaged: two of its {what} are equal. Evaluate the run again.")
    if scores.dtype != np.float32 or not np.isfinite(scores).all() or not np.isin(targets, (-1, 0, 1)).all():
        raise InputError(
            f"{path} is damaged: scores must be finite float32 numbers and targets 1, 0 or -1. Evaluate the run again."
        )
    return SavedScores(torch.from_numpy(scores), torch.from_numpy(targets.astype(np.int8)), images, names)


def free_name(folder: Path, name: str, digest: str, sizes: Sequence[int]) -> str:
    """What the scores of a split are called in a run folder: `name`, or longer where other scores have that name.

    Of other images, which also have a split of that name: and the first of the data's digest, `val_1a2b3c4d`. Of the
    same at another size, though not averaged: and that, `val_576`.

    Args:
        name: what stands for SPLIT in `scores_SPLIT.npz`.
        digest: that of the data to be scored, see `addgcn.data.MultiLabelDataset.digest`.
        sizes: the test sizes, in pixels.
    """
    if not (folder / f"scores_{name}.npz").is_file():
        return name
    for path in (folder / f"evaluate_{name}.json", folder / "record.json"):  # the second: scored when it was trained
        try:
            record = read_json(path)
            judged, recipe = record["data"]["eval"], record.get("recipe", {})
            if path.name == "record.json" and judged["split"] != name:
                continue
            before = record.get("sizes") or [recipe["test_size"] or recipe["size"]]
        except (InputError, KeyError, TypeError, AttributeError):  # not there, or damaged: then it says nothing
            continue
        if judged.get("digest") != digest:
            name = f"{name}_{digest[:8]}"
            return free_name(folder, name, digest, sizes)
        return f"{name}_{sizes[0]}" if len(sizes) == len(before) == 1 and list(sizes) != before else name
    return name


def compute_metrics(scores: Tensor, targets: Tensor, classes: tuple[str, ...], mode: str = "raw") -> Metrics:
    """All metrics of scores (N, C) and targets (N, C)."""
    metrics = MultiLabelMetrics(len(classes), classes=classes, mode=mode)
    metrics.update(scores, targets)
    return metrics.compute()


def per_class(scores: Tensor, targets: Tensor) -> dict[str, list[Any]]:
    """Category by category: positives (how many images have it), and precision, recall and F1 in percent.

    Of the decisions sigma(s) > 0.5, with an ignored target as negative; as in `addgcn.metrics.MultiLabelMetrics`,
    whose CP and CR are the means of `precision` and `recall` over the categories that have a positive. For the others
    the three are None: there is nothing to find.

    Args:
        scores, targets: (N, C) each.
    """
    predicted, present = scores > 0, targets == 1  # (N, C)
    hits, yes, positives = ((predicted & present).sum(0), predicted.sum(0), present.sum(0))  # (C,) each
    found: dict[str, list[Any]] = {"positives": positives.tolist(), "precision": [], "recall": [], "F1": []}
    for h, y, p in zip(hits.tolist(), yes.tolist(), positives.tolist(), strict=True):
        found["precision"].append(100 * h / max(y, 1) if p else None)
        found["recall"].append(100 * h / p if p else None)
        found["F1"].append(200 * h / (y + p) if p else None)
    return found
