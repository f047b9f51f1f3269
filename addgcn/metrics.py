"""What the field's tables report: average precision by category; precision, recall and F1 of the decisions.

Average precision judges how one category ranks the images; the others judge the yes-or-no decisions
sigma(s) > threshold. The letters: O pools the decisions of all categories, C is a mean over categories.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from addgcn.errors import InputError, check_name

# A category's average precision, from the precision at each of its P positives and from how many positives have
# been found by then: (P,) each, both beginning at the lowest-ranked positive, where found = P.
MODES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "raw": lambda precision, found: precision.mean(),
    # The envelope: the best precision at this recall or any higher one.
    "area": lambda precision, found: np.maximum.accumulate(precision).mean(),
    # Recall >= r/10, in whole numbers, since neither 0.3 nor most recalls are exact in floating point.
    "11pt": lambda precision, found: np.mean([precision[10 * found >= r * len(found)].max() for r in range(11)]),
}


def average_precision(scores: Tensor | np.ndarray, targets: Tensor | np.ndarray, mode: str = "raw") -> Tensor:
    """Average precision of each category, as a fraction in (0, 1].

    Images of equal score are ranked as one group: the precision at the group's end counts for every positive
    in it. So the order of the images never matters; the released code takes ties as its sort leaves them.

    Args:
        scores: (N, C); only their order within a category matters, as float32 sees it. float16 and bfloat16
            scores warn: they put close scores in one place, which costs up to a point of mAP, so give float32
            logits. So do probabilities near 1, hence logits and not sigmoids.
        targets: (N, C) with 1 present, 0 absent, -1 ignored. An ignored image leaves that category's ranking.
        mode: "raw", the mean of the precision at each positive (ADD-GCN, ML-GCN, ASL and most others; equal
            to scikit-learn's `average_precision_score`, ties included); "area", under the monotone envelope
            (VOC from 2010 on); "11pt", the mean of that envelope at recall 0, 0.1, ... 1 (VOC 2007).

    Returns:
        (C,) float64 on the CPU, NaN where a category has no positive.

    Raises:
        InputError: shapes that differ, no image, scores NaN or infinite, other target values, unknown mode.
    """
    check_name("mode of average precision", mode, MODES)
    return _average_precision(*_checked(scores, targets), mode)


@dataclass(frozen=True, kw_only=True)
class PrecisionRecall:
    """Precision, recall and F1 in percent: OP, OR, OF1 over all decisions, CP, CR, CF1 by category."""

    OP: float
    OR: float
    OF1: float
    CP: float
    CR: float
    CF1: float


@dataclass(frozen=True, kw_only=True)
class Metrics(PrecisionRecall):
    """One row of a results table. All values in percent, as the field prints them; NaN where undefined."""

    mAP: float  # mean of AP over the categories that have a positive
    AP: tuple[float, ...]  # (C,), NaN for those that have none
    top3: PrecisionRecall  # the same for decisions among each image's top_k scores
    num_samples: int
    absent: tuple[str | int, ...]  # categories without a positive: names if known, else indices
    mode: str
    threshold: float
    top_k: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN, which JSON lacks, becomes None."""
        return _plain(asdict(self))


class MultiLabelMetrics:
    """Collects scores and targets batch by batch, then computes everything at once.

    P, R and F1 take an ignored target as negative, as the released code does; average precision leaves it out.
    A category that has positives and is never predicted has precision 0. A category without a positive is left
    out of all three means over categories (mAP, CP, CR) and named in `absent`; its false alarms still count in
    OP. CF1 is the harmonic mean of CP and CR, not the mean of the categories' F1.

    Where the released code differs: it decides by s >= 0, so that a score of exactly 0 is a yes (here a no, as
    sigma(s) > 0.5 says); a category never predicted adds 1 to the denominator of its OP; and a category without
    a positive makes it divide by zero.

    Args:
        num_classes: C.
        threshold: a category is predicted where sigma(s) > threshold.
        top_k: for `top3`, a category must also be among the image's top_k scores, with all that tie for k-th.
        mode: of average precision; see `average_precision`.
        classes: the C names, for `absent`.

    Raises:
        InputError: a setting out of range, or any fault `average_precision` names, or no sample at `compute`.
    """

    def __init__(
        self,
        num_classes: int,
        threshold: float = 0.5,
        top_k: int = 3,
        mode: str = "raw",
        classes: Sequence[str] | None = None,
    ) -> None:
        check_name("mode of average precision", mode, MODES)
        if not 0 < threshold < 1:
            raise InputError(f"threshold is {threshold}, but it cuts sigma(s): give one between 0 and 1.")
        if num_classes < 1 or top_k < 1:
            raise InputError(f"num_classes is {num_classes} and top_k {top_k}: both must be 1 or more.")
        if classes is not None and len(classes) != num_classes:
            raise InputError(f"{len(classes)} class names for num_classes={num_classes}: give one name each.")
        self.num_classes, self.threshold, self.top_k, self.mode = num_classes, threshold, top_k, mode
        self.classes: Sequence[str | int] = range(num_classes) if classes is None else classes
        self.reset()

    def reset(self) -> None:
        """Forget every sample."""
        self._scores: list[Tensor] = []
        self._targets: list[Tensor] = []

    def update(self, scores: Tensor | np.ndarray, targets: Tensor | np.ndarray) -> None:
        """Add a batch: scores (B, C), logits; targets (B, C) in {1, 0, -1}. Kept on the CPU, float32 and int8."""
        scores, targets = _checked(scores, targets)
        if scores.shape[1] != self.num_classes:
            raise InputError(f"scores have {scores.shape[1]} columns, but num_classes is {self.num_classes}.")
        self._scores.append(scores)
        self._targets.append(targets)

    def compute(self) -> Metrics:
        """The metrics of all samples since the last `reset`."""
        if not self._scores:
            raise InputError("no samples to compute metrics of: call update(scores, targets) first.")
        scores, targets = torch.cat(self._scores), torch.cat(self._targets)  # (N, C) each
        AP = 100 * _average_precision(scores, targets, self.mode)  # (C,)
        present = targets == 1
        # sigma(s) > t in logits, where float32 tells a score just above 0 from 0 itself
        predicted = scores > math.log(self.threshold / (1 - self.threshold))
        kth = scores.topk(min(self.top_k, self.num_classes), dim=1).values[:, -1:]  # (N, 1)
        return Metrics(
            mAP=AP.nanmean().item(),
            AP=tuple(AP.tolist()),
            **_precision_recall(predicted, present),
            top3=PrecisionRecall(**_precision_recall(predicted & (scores >= kth), present)),
            num_samples=len(scores),
            absent=tuple(self.classes[c] for c in AP.isnan().nonzero()[:, 0].tolist()),
            mode=self.mode,
            threshold=self.threshold,
            top_k=self.top_k,
        )


def _average_precision(scores: Tensor, targets: Tensor, mode: str) -> Tensor:
    """Only the positives' ranks are needed: sorting values and looking those up beats a sort of indices."""
    AP = torch.full((scores.shape[1],), math.nan, dtype=torch.float64)
    by_class = zip(scores.T.contiguous().numpy(), targets.T.contiguous().numpy(), strict=True)
    for c, (s, t) in enumerate(by_class):  # (N,) each
        ranking, positives = np.sort(s[t != -1]), np.sort(s[t == 1])  # ascending; (P,)
        if len(positives):
            # how many images, and how many positives among them, score as high as each positive or higher
            rank = len(ranking) - np.searchsorted(ranking, positives)
            found = len(positives) - np.searchsorted(positives, positives)
            AP[c] = float(MODES[mode](found / rank, found))
    return AP


def _precision_recall(predicted: Tensor, present: Tensor) -> dict[str, float]:
    """The six values in percent, from decisions and truth, (N, C) bool each."""
    hits = (predicted & present).sum(0).double()  # (C,)
    yes, positives = predicted.sum(0), present.sum(0)  # (C,) each
    seen = positives > 0
    OP = (hits.sum() / yes.sum().clamp(min=1)).item()
    OR = (hits.sum() / positives.sum()).item()
    CP = (hits / yes.clamp(min=1))[seen].mean().item()
    CR = (hits / positives)[seen].mean().item()
    values = {"OP": OP, "OR": OR, "OF1": _harmonic(OP, OR), "CP": CP, "CR": CR, "CF1": _harmonic(CP, CR)}
    return {name: 100 * value for name, value in values.items()}


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def _checked(scores: Tensor | np.ndarray, targets: Tensor | np.ndarray) -> tuple[Tensor, Tensor]:
    """Scores as float32 and targets as int8, (N, C) on the CPU, or an InputError that says what is wrong."""
    s, t = (x.detach() if isinstance(x, Tensor) else torch.from_numpy(np.array(x)) for x in (scores, targets))
    if s.ndim != 2 or s.shape != t.shape or not s.numel():
        raise InputError(
            f"scores have shape {tuple(s.shape)} and targets {tuple(t.shape)}: "
            "give (N, C) to both, one row per image and one column per category."
        )
    if s.dtype in (torch.float16, torch.bfloat16):
        kind = str(s.dtype).removeprefix("torch.")
        message = f"{kind} scores tie where float32 ones differ, which costs up to a point of mAP: give float32."
        warnings.warn(message, UserWarning, stacklevel=3)
    s, t = s.to("cpu", torch.float32, copy=True), t.cpu()
    rows = (~s.isfinite()).any(1).nonzero()[:, 0].tolist()
    if rows:
        raise InputError(
            f"scores are NaN or infinite in {len(rows)} of {len(s)} rows, first in row {rows[0]}: "
            "the training has diverged, or a sigmoid was inverted at 0 or 1."
        )
    odd = ~((t == 1) | (t == 0) | (t.double() == -1))
    if odd.any():
        i, c = odd.nonzero()[0].tolist()
        raise InputError(
            f"{int(odd.sum())} targets are not 1 (present), 0 (absent) or -1 (ignored); "
            f"the first is {t[i, c].item()}, in row {i}, column {c}."
        )
    return s, t.to(torch.int8, copy=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
