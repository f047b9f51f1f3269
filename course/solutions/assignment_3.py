"""Assignment 3: a model solution, with a control of its own and the record of its run."""

from __future__ import annotations

from torch import Tensor

T95 = {3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


def control(A_d: Tensor) -> Tensor:
    return A_d.mean(2, keepdim=True).expand_as(A_d)  # each listens as much as before, to everybody alike


def paired(a: list[float], b: list[float]) -> tuple[float, float]:
    d = [x - y for x, y in zip(a, b, strict=True)]
    mean = sum(d) / len(d)
    variance = sum((x - mean) ** 2 for x in d) / (len(d) - 1)
    return mean, T95[len(d)] * (variance / len(d)) ** 0.5


def verdict(mean: float, half: float) -> str:
    if mean - half > 0:
        return "higher"
    return "lower" if mean + half < 0 else "open"


# One thread of a laptop; elsewhere the second decimals may differ.
RECORD = {
    "control": "Each row of A_d is replaced by its mean over the senders, so every category hears all others alike.",
    "keeps": "How much each category hears in all, in this very image; only whom it hears is taken away.",
    "prediction": "A clear loss, less than by another image's graph: most of the variance lies in whole rows.",
    "split": "id",
    "seeds": [1, 2, 3, 4, 5],
    "own": [82.59, 85.03, 81.37, 84.22, 85.36],
    "changed": [71.59, 75.89, 77.34, 76.77, 79.97],
    "difference": -7.40,
    "half": 3.48,
    "claim": "lower",
}
