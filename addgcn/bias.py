"""The paper's central claim as numbers: does a model lean on the company that a category usually keeps?

The introduction names three failures of a graph that is the same for all images: a car is missed where there is no
truck, a truck is invented where there is only a car, a toilet is ignored beside a car. Each is a rate here, of
decisions by the sign of the score, with and without the other category. Beside them stands the view of the ranking,
after Singh et al. (CVPR 2020): AP among images where the category is with its companion, and where it is without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .metrics import average_precision

RATES = ("missed with", "missed without", "invented with", "invented without")
PAPERS_PAIRS = (("car", "truck"), ("truck", "car"), ("toilet", "car"), ("car", "toilet"))  # figure 1


def failures(scores: Tensor, targets: Tensor, c: int, k: int) -> dict[str, float]:
    """How often category c is missed where it is, and invented where it is not: with category k there, and without.

    Args:
        scores: (N, C) logits; targets: (N, C) in {1, 0, -1}. Images that ignore c or k are left out.

    Returns:
        For each of `RATES` a share in percent; NaN where there is no such image.
    """
    y, other, said = targets[:, c], targets[:, k], scores[:, c] > 0
    shares = {}
    for name, of, wrong in (("missed", y == 1, ~said), ("invented", y == 0, said)):
        shares[f"{name} with"] = 100 * wrong[of & (other == 1)].float().mean().item()
        shares[f"{name} without"] = 100 * wrong[of & (other == 0)].float().mean().item()
    return {name: shares[name] for name in RATES}


def with_and_without(scores: Tensor, targets: Tensor, c: int, k: int) -> dict[str, float]:
    """AP of category c, in percent, when its positives are only those with category k, and only those without.

    The negatives are all images without c, both times (the "co-occurring" and "exclusive" test sets of Singh et al.).
    """
    y, other = targets[:, c], targets[:, k]
    found = {}
    for name, left_out in (("AP with", other != 1), ("AP without", other != 0)):
        judged = torch.where((y == 1) & left_out, -1, y)
        found[name] = 100 * average_precision(scores[:, c : c + 1], judged[:, None]).item()
    return found


def company(targets: Tensor) -> tuple[list[int], list[int]]:
    """For each category the one that makes it most likely in the training labels, and the one that makes it least so.

    Args:
        targets: (N, C) of the training split.

    Returns:
        Two lists of C categories: companions (largest P(c | k)) and strangers (smallest). Of equals the first.
    """
    here = (targets == 1).double()  # (N, C)
    both = here.T @ here  # (C, C): images with both
    P = both / both.diagonal().clamp(min=1)  # P[c, k] = P(c | k)
    own = torch.eye(len(P), dtype=torch.bool)
    return P.masked_fill(own, -1).argmax(1).tolist(), P.masked_fill(own, 2).argmin(1).tolist()


def bias(scores: Tensor, targets: Tensor, train_targets: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """The three failures: means over categories, each with its companion and with its stranger; and the paper's pairs.

    Returns:
        "companion", "stranger": `RATES`, "AP with" and "AP without", means over the categories for which all exist;
        "car, truck" and so on: the four rates of the first with and without the second, where both are classes.
    """
    found: dict[str, Any] = {}
    for kind, others in zip(("companion", "stranger"), company(train_targets), strict=True):
        both = [failures(scores, targets, c, k) | with_and_without(scores, targets, c, k) for c, k in enumerate(others)]
        rows = torch.tensor([list(row.values()) for row in both])  # (C, 6)
        rows = rows[rows.isfinite().all(1)]
        found[kind] = dict(zip(both[0], rows.mean(0).tolist(), strict=True)) if len(rows) else None
    names = list(classes)
    for first, second in PAPERS_PAIRS:
        if first in names and second in names:
            found[f"{first}, {second}"] = failures(scores, targets, names.index(first), names.index(second))
    return found
