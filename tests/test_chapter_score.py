"""Chapter 2: the code in its solutions runs by itself, and the chapter notices when the library is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor

from addgcn import metrics

CELLS, _ = read_chapter("02_score.ipynb")


def rebuild() -> None:
    """The chapter's own metrics beside the library's: its cells `scratch` and `equal`."""
    names: dict[str, Any] = {"math": math, "np": np, "torch": torch, "MODES": metrics.MODES}
    names |= {"average_precision": metrics.average_precision, "MultiLabelMetrics": metrics.MultiLabelMetrics}
    execute(CELLS, names, "scratch", "equal")


def test_the_chapter_agrees_with_the_library():
    rebuild()


def ranked(positive_ties: Callable[[np.ndarray, np.ndarray], np.ndarray], ignore: bool = True) -> Callable[..., Tensor]:
    """Average precision with a rule for how many images score as high as each positive."""

    def wrong(scores: Tensor, targets: Tensor, mode: str) -> Tensor:
        AP = torch.full((scores.shape[1],), math.nan, dtype=torch.float64)
        for c, (s, t) in enumerate(zip(scores.T.numpy(), targets.T.numpy(), strict=True)):
            ranking, positives = np.sort(s[t != -1] if ignore else s), np.sort(s[t == 1])
            if len(positives):
                rank = positive_ties(ranking, positives)
                found = len(positives) - np.searchsorted(positives, positives)
                AP[c] = float(metrics.MODES[mode](found / rank, found))
        return AP

    return wrong


def right_ties(ranking: np.ndarray, positives: np.ndarray) -> np.ndarray:
    return len(ranking) - np.searchsorted(ranking, positives)


def test_the_rule_of_ties_is_the_librarys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metrics, "_average_precision", ranked(right_ties))
    rebuild()


def absent_is_zero(scores: Tensor, targets: Tensor, mode: str) -> Tensor:
    return ranked(right_ties)(scores, targets, mode).nan_to_num(0.0)


def prefix(**changes: Callable[[dict[str, float]], float]) -> Callable[..., dict[str, float]]:
    """The library's six values, some of them changed."""
    right = metrics._precision_recall

    def wrong(predicted: Tensor, present: Tensor) -> dict[str, float]:
        values = right(predicted, present)
        return values | {name: change(values) for name, change in changes.items()}

    return wrong


def averaged_F1(predicted: Tensor, present: Tensor) -> dict[str, float]:
    """CF1 as the mean of the categories' F1."""
    hits, yes, there = (part.sum(0).double() for part in (predicted & present, predicted, present))
    F1 = (2 * hits / (yes + there).clamp(min=1))[there > 0].mean().item()
    return RIGHT(predicted, present) | {"CF1": 100 * F1}


def counted_absent(predicted: Tensor, present: Tensor) -> dict[str, float]:
    """A category without a positive counts in the means."""
    hits, yes, there = (part.sum(0).double() for part in (predicted & present, predicted, present))
    P, R = (hits / yes.clamp(min=1)).mean().item(), (hits / there.clamp(min=1)).mean().item()
    return RIGHT(predicted, present) | {"CP": 100 * P, "CR": 100 * R, "CF1": 200 * P * R / (P + R)}


RIGHT = metrics._precision_recall


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("_average_precision", ranked(lambda r, p: len(r) - np.searchsorted(r, p, side="right") + 1)),  # ties favour
        ("_average_precision", ranked(lambda r, p: len(r) - np.searchsorted(r, p), ignore=False)),  # ignored are ranked
        ("_average_precision", ranked(lambda r, p: np.searchsorted(r, p) + 1)),  # lowest score first
        ("_average_precision", absent_is_zero),
        ("_precision_recall", lambda predicted, present: RIGHT(present, predicted)),  # P and R exchanged
        ("_precision_recall", averaged_F1),
        ("_precision_recall", counted_absent),
        ("_precision_recall", prefix(OF1=lambda v: (v["OP"] + v["OR"]) / 2)),
        ("_harmonic", lambda a, b: (a * b) ** 0.5),
    ],
)
def test_the_chapter_notices_a_wrong_library(monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable):
    monkeypatch.setattr(metrics, name, wrong)
    with pytest.raises(AssertionError):
        rebuild()


@pytest.mark.parametrize("mode", list(metrics.MODES))
def test_the_chapter_notices_a_wrong_convention(monkeypatch: pytest.MonkeyPatch, mode: str):
    others = [convention for name, convention in metrics.MODES.items() if name != mode]
    monkeypatch.setitem(metrics.MODES, mode, others[0])
    with pytest.raises(AssertionError):
        rebuild()


@pytest.mark.parametrize(("attribute", "off"), [("threshold", 0.1), ("top_k", 1)])
def test_the_chapter_notices_wrong_decisions(monkeypatch: pytest.MonkeyPatch, attribute: str, off: float):
    compute = metrics.MultiLabelMetrics.compute

    def wrong(self: metrics.MultiLabelMetrics) -> metrics.Metrics:
        setattr(self, attribute, getattr(self, attribute) + off)
        return compute(self)

    monkeypatch.setattr(metrics.MultiLabelMetrics, "compute", wrong)
    with pytest.raises(AssertionError):
        rebuild()
