"""What a score is worth: a temperature that makes probabilities honest, and thresholds tuned for F1.

Both are fitted on images that the model was not trained on, and reported on other ones: on the images that they were
fitted on they flatter themselves. Neither is in the paper, which decides at 0.5 (section 4.1).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy.optimize import brentq
from torch import Tensor

from .errors import InputError
from .scores import compute_metrics

DECISIONS = ("CP", "CR", "CF1", "OP", "OR", "OF1")


def fit_temperature(scores: Tensor, targets: Tensor) -> float:
    """The T > 0 at which sigma(s / T) has the smallest logistic loss: one T for the decisions of all categories.

    From Guo et al. (ICML 2017), there for the choice of one class.
    T > 1: the model was too sure of itself. Dividing changes no ranking, so no average precision, and no decision at
    0.5. In b = 1 / T the loss is convex, and its slope, the mean of s (sigma(b s) - y), rises: T is where it is zero.

    Args:
        scores, targets: (N, C) each, of held-out images; an ignored target counts nothing.

    Raises:
        InputError: there is no such T: scores that are no better than their opposite, or no mistake among them.
    """
    s, y = _counted(scores, targets)

    def slope(b: float) -> float:
        return float((s * ((b * s).sigmoid() - y)).mean())

    if slope(0.0) >= 0:
        raise InputError("the scores are no better than their opposite on the held-out images: train the model first.")
    if not ((s != 0) & ((s > 0) != (y == 1))).any():
        raise InputError(
            f"no decision is wrong on the held-out images ({len(s)} of them), so every score could be doubled: "
            "calibrate on more images."
        )
    steepest = 1.0
    while slope(steepest) < 0:
        steepest *= 2
    return 1 / float(brentq(slope, 0.0, steepest, xtol=1e-12))


def calibration_error(probabilities: Tensor, targets: Tensor, bins: int = 15) -> float:
    """Expected calibration error in percent: how far "80 %" is from being right in 80 % of the cases.

    The decisions of all categories together are sorted into `bins` parts of [0, 1] of equal width by the probability
    that the category is there. In each, the mean probability is compared with the frequency of the category; the
    differences are averaged, weighted by how many decisions are in the bin. Most are near 0, where it is easy to
    be right: compare two of these numbers on the same images, not on different ones.

    Args:
        probabilities: (N, C) in [0, 1].
        targets: (N, C); an ignored one counts nothing.
    """
    p, y = _counted(probabilities, targets)
    place = (p * bins).long().clamp(0, bins - 1)
    gap = torch.zeros(bins, dtype=torch.double).scatter_add_(0, place, p - y)  # (bins,): sum of p minus sum of y
    return 100 * float(gap.abs().sum() / len(p))


def best_threshold(scores: Tensor, present: Tensor) -> tuple[float, float]:
    """The threshold t with the best F1 for the decisions s > t, and this F1 as a fraction.

    Only places between two scores matter, so all are tried; t lies in the middle. With equal F1 the fewest decisions
    win.

    Args:
        scores: (K,), logits.
        present: (K,) bool. Without any True there is nothing to tune for: t = 0, the usual sigma(s) > 0.5.
    """
    s, order = scores.double().sort(descending=True)  # (K,)
    hits = present[order].double().cumsum(0)  # (K,): found, when the first k + 1 are predicted
    positives = hits[-1].item()
    if not positives:
        return 0.0, math.nan
    F1 = 2 * hits / (torch.arange(1, len(s) + 1) + positives)  # (K,)
    lower = torch.cat([s[1:], s[-1:] - 2])  # (K,): the next score; below the last, any number
    F1[s == lower] = -1  # no threshold goes between equal scores
    k = int(F1.argmax())  # the first of equal ones
    t = (s[k] + lower[k]).item() / 2
    if not lower[k].item() <= torch.tensor(t).float().item() < s[k].item():  # the float32 next to the upper one
        t = lower[k].item()
    return t, F1[k].item()


def tune(scores: Tensor, targets: Tensor) -> tuple[float, list[float]]:
    """One threshold for all categories, by OF1, and one for each, by its own F1: logits, of the decision s > t.

    A category without a positive among these images keeps 0. Those with few get a threshold that chance has
    chosen: see `best_threshold`, and count them. An ignored target counts as negative, as in the metrics.

    Args:
        scores, targets: (N, C) each, of held-out images.
    """
    present = targets == 1  # (N, C)
    one, _ = best_threshold(scores.flatten(), present.flatten())
    return one, [best_threshold(scores[:, c], present[:, c])[0] for c in range(scores.shape[1])]


def decisions(scores: Tensor, targets: Tensor, classes: tuple[str, ...], thresholds: float | list[float]) -> dict:
    """CP, CR, CF1, OP, OR and OF1 of the decisions s > t, one threshold for all or one for each category."""
    t = torch.tensor(thresholds, dtype=torch.float32)  # () or (C,)
    found = compute_metrics(scores - t, targets, classes).as_dict()  # s - t > 0 exactly where s > t
    return {name: found[name] for name in DECISIONS}


def calibrate(
    held_out: tuple[Tensor, Tensor], reported: tuple[Tensor, Tensor], classes: tuple[str, ...]
) -> dict[str, Any]:
    """Fit temperature and thresholds on the one part and say what they do on the other.

    Args:
        held_out, reported: scores and targets, (N, C) each.

    Returns:
        "temperature"; "ECE_before" and "ECE_after" in percent, on `reported`; "thresholds", as probabilities of the
        uncalibrated sigma(s): "one" and "per_class"; "decisions" on `reported` with each, and "untuned", at 0.5;
        "few": the categories with fewer than 10 positives in `held_out`, whose own threshold means little.

    Raises:
        InputError: as `fit_temperature`.
    """
    T = fit_temperature(*held_out)
    one, each = tune(*held_out)
    scores, targets = reported
    positives = (held_out[1] == 1).sum(0).tolist()
    return {
        "temperature": T,
        "ECE_before": calibration_error(scores.double().sigmoid(), targets),
        "ECE_after": calibration_error((scores.double() / T).sigmoid(), targets),
        "thresholds": {"one": _sigmoid(one), "per_class": [_sigmoid(t) for t in each]},
        "decisions": {
            "untuned": decisions(scores, targets, classes, 0.0),
            "one": decisions(scores, targets, classes, one),
            "per_class": decisions(scores, targets, classes, each),
        },
        "few": [name for name, n in zip(classes, positives, strict=True) if n < 10],
    }


def _counted(values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Values and targets (K,) in float64 where the target is not ignored."""
    if values.shape != targets.shape or not (targets != -1).any():
        raise InputError(
            f"values of shape {tuple(values.shape)} and targets of {tuple(targets.shape)}: give (N, C) to both, "
            "and at least one target that is not ignored."
        )
    counted = targets != -1
    return values[counted].double(), targets[counted].double()


def _sigmoid(t: float) -> float:
    return 1 / (1 + math.exp(-t)) if t > -700 else 0.0
