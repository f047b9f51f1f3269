"""The paper's central claim as numbers: does a model lean on the company that a category usually keeps?

The introduction names three failures of a graph that is the same for all images: a car is missed where there is no
truck, a truck is invented where there is only a car, a toilet is ignored beside a car. Each is a rate here, of
decisions by the sign of the score, with and without the other category. Such a rate mixes leaning on company with
where a model happens to put its threshold; `at_recall` makes thresholds alike, `leaning` needs none.

The benchmark of Singh et al. ("Don't Judge an Object by Its Context", CVPR 2020) asks the ranking: `biased_pairs` finds
the pairs on held-out training images, `contextual_bias` judges AP where the category is with its companion (the
co-occurring test set), and where it is without (the exclusive one).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from scipy.stats import rankdata
from torch import Tensor

from .errors import InputError, check_name
from .metrics import average_precision
from .scores import read_scores

RATES = ("missed with", "missed without", "invented with", "invented without")
PAPERS_PAIRS = (("car", "truck"), ("truck", "car"), ("toilet", "car"), ("car", "toilet"))  # figure 1
# Of the 20 pairs that Singh et al. found on COCO-Stuff, the 14 whose categories are both among COCO's 80.
COCO_PAIRS = (
    ("cup", "dining table"), ("wine glass", "person"), ("handbag", "person"), ("potted plant", "vase"),
    ("spoon", "bowl"), ("microwave", "oven"), ("keyboard", "mouse"), ("skis", "person"), ("sports ball", "person"),
    ("remote", "person"), ("snowboard", "person"), ("tennis racket", "person"), ("skateboard", "person"),
    ("baseball glove", "person"),
)  # fmt: skip


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


def at_recall(scores: Tensor, targets: Tensor, recall: float = 0.7) -> Tensor:
    """The scores (N, C), each category's shifted so that the decision s > 0 finds this share of its positives.

    Two models are compared fairly at one recall: one that says yes more often misses less and invents more, with or
    without company. A tie at the threshold is found as a whole. A category without a positive stays as it is.
    """
    shifted = scores.double()  # (N, C), a copy
    for c in range(scores.shape[1]):
        positives = shifted[targets[:, c] == 1, c].sort(descending=True).values
        if len(positives):
            last = positives[max(0, math.ceil(recall * len(positives) - 1e-9) - 1)]  # the last that is to be found
            below = shifted[shifted[:, c] < last, c]
            shifted[:, c] -= (last + below.max()) / 2 if len(below) else last - 1
    return shifted


def leaning(scores: Tensor, targets: Tensor, c: int, k: int) -> dict[str, float]:
    """Does category k raise the score of c? Without any threshold, and whatever the scale of the scores.

    Returns:
        "present": the chance that a random image with c and k has a higher score for c than one with c and without k;
        "absent": the same among images without c. Ties count half; 0.5: k does not matter. NaN where there are none.
    """
    s, y, other = scores[:, c], targets[:, c], targets[:, k]
    chances = {}
    for name, of in (("present", y == 1), ("absent", y == 0)):
        there, not_there = s[of & (other == 1)], s[of & (other == 0)]
        n, m = len(there), len(not_there)
        ranks = rankdata(torch.cat([there, not_there]).numpy())[:n]  # Mann and Whitney's statistic, from ranks
        chances[name] = (float(ranks.sum()) - n * (n + 1) / 2) / (n * m) if n and m else math.nan
    return chances


@dataclass(frozen=True)
class Pair:
    """A category b that a model finds less surely without its companion c; both are columns of the scores."""

    category: int
    companion: int
    bias: float = math.nan  # mean p(b) where both are, over mean p(b) where b is without c
    together: int = 0  # images with both
    alone: int = 0  # images with b and without c


def biased_pairs(scores: Tensor, targets: Tensor, pairs: int = 20, share: float = 0.2) -> list[Pair]:
    """The most biased pairs of a model, one companion for each category, after Singh et al. (CVPR 2020).

    bias(b, z) is the mean predicted probability of b over the images with b and z, divided by that over the images
    with b and without z. The companion c of b is the z with the largest, among those that are on a large enough share
    of b's images; the categories with the largest bias(b, c) make the pairs.

    The authors train on 80 % of COCO's training images, ask a plain classifier about the other 20 %, and keep 20 pairs.
    For the share, accounts of their work have 10 % and 20 %; here it is an argument. Choices here: images that ignore
    b or z are left out, and so is a z that b is never without. There is no least number of images: a ratio with few
    images `alone` is mostly chance, so look at the counts.

    Args:
        scores: (N, C) logits of images that the model was not trained on; targets: (N, C) in {1, 0, -1}.

    Returns:
        At most `pairs`, the most biased first.

    Raises:
        InputError: shapes that differ, no pair asked for, a share outside [0, 1], or no pair found.
    """
    if scores.shape != targets.shape or pairs < 1 or not 0 <= share <= 1:
        raise InputError(
            f"biased pairs need scores and targets of one shape, not {tuple(scores.shape)} and {tuple(targets.shape)}, "
            f"at least one pair, not {pairs}, and a share between 0 and 1, not {share}."
        )
    found = []
    for b in range(scores.shape[1]):
        here = targets[:, b] == 1
        p, y = scores[here, b].double().sigmoid(), targets[here]  # (n,), (n, C)
        both, alone = (y == 1).double(), (y == 0).double()
        ratio = (p @ both / both.sum(0)) / (p @ alone / alone.sum(0))  # (C,); NaN where there are none
        often = both.sum(0) >= share * (both.sum(0) + alone.sum(0))
        ratio = ratio.masked_fill(~often | ratio.isnan(), -1.0)
        ratio[b] = -1.0
        c = int(ratio.argmax())
        if ratio[c] >= 0:
            found.append(Pair(b, c, float(ratio[c]), int(both[:, c].sum()), int(alone[:, c].sum())))
    if not found:
        raise InputError(f"no category has another on {share:.0%} of its images, and images without it: no pairs.")
    return sorted(found, key=lambda pair: -pair.bias)[:pairs]


def named_pairs(names: Sequence[tuple[str, str]], classes: Sequence[str]) -> list[Pair]:
    """Pairs (category, companion) by name, for instance `COCO_PAIRS`.

    Raises:
        InputError: a name that is no class.
    """
    at = {name: list(classes).index(name) for name in {name for both in names for name in both} & set(classes)}
    return [Pair(*(at[check_name("category", name, list(classes))] for name in both)) for both in names]


def contextual_bias(scores: Tensor, targets: Tensor, pairs: Sequence[Pair]) -> dict[str, Any]:
    """The benchmark of Singh et al. (CVPR 2020) on a test split: AP of biased categories with their companion, without.

    Of a pair (b, c), images with both are the co-occurring set and images with b alone the exclusive one; each is
    ranked together with all images without b. AP is that of `metrics.average_precision`, mode "raw". Beside it, as the
    authors' view of errors: how often b is invented where only c is, and where neither is.

    Two sets of unlike size are not comparable in AP (fewer positives among the same negatives: lower AP), so compare
    models on one set, not the sets of one model; `leaning` compares sets.

    Returns:
        "exclusive", "co-occurring", "invented with", "invented without": percent, means over the pairs for which all
        four exist (None without any); "pairs": a dictionary for each pair, with its numbers of images, None for NaN.

    Raises:
        InputError: no pairs, shapes that differ, or a pair that is no column.
    """
    C = scores.shape[1]
    if scores.shape != targets.shape or not pairs or any(max(q.category, q.companion) >= C for q in pairs):
        raise InputError(
            f"contextual bias needs at least one pair of columns below {C}, and scores and targets of one shape, not "
            f"{tuple(scores.shape)} and {tuple(targets.shape)}."
        )
    names = ("exclusive", "co-occurring", "invented with", "invented without")
    rows, whole = [], []
    for pair in pairs:
        b, c = pair.category, pair.companion
        AP, wrong = with_and_without(scores, targets, b, c), failures(scores, targets, b, c)
        values = (AP["AP without"], AP["AP with"], wrong["invented with"], wrong["invented without"])
        other = targets[targets[:, b] == 1, c]
        images = {"images exclusive": int((other == 0).sum()), "images co-occurring": int((other == 1).sum())}
        shown = {name: v if math.isfinite(v) else None for name, v in zip(names, values, strict=True)}
        rows.append({"category": b, "companion": c, "bias": pair.bias, **shown, **images})
        whole += [values] if None not in shown.values() else []
    means = dict(zip(names, (math.fsum(column) / len(whole) for column in zip(*whole, strict=True)), strict=False))
    return {**{name: means.get(name) for name in names}, "pairs": rows}


def saved_bias(
    scores: str | Path, train_scores: str | Path | None, pairs: int = 20, share: float = 0.2
) -> dict[str, Any]:
    """`contextual_bias` of saved scores, categories by name: pairs found on the second file, or `COCO_PAIRS` without.

    Raises:
        InputError: a file that cannot be read, other classes in the second, the same file twice, or classes that are
            not COCO's where the pairs are.
    """
    test = read_scores(scores)
    if train_scores is None:
        if not {name for both in COCO_PAIRS for name in both} <= set(test.classes):
            raise InputError(f"{scores} has not COCO's classes: give --train-scores, the scores of held-out images.")
        found = named_pairs(COCO_PAIRS, test.classes)
    else:
        train = read_scores(train_scores)
        if train.classes != test.classes:
            raise InputError(f"{train_scores} and {scores} have different classes: take two files of the same model.")
        if both := set(train.ids) & set(test.ids):
            raise InputError(
                f"{train_scores} and {scores} have {len(both)} images in common, {min(both)} among them: the first "
                "must be of images held out of training, the second of a test split."
            )
        found = biased_pairs(train.scores, train.targets, pairs, share)
    judged = contextual_bias(test.scores, test.targets, found)
    for row in judged["pairs"]:
        row["category"], row["companion"] = test.classes[row["category"]], test.classes[row["companion"]]
        row["bias"] = None if math.isnan(row["bias"]) else row["bias"]
    return judged
