"""Assignment 1, hidden cases: average precision, CP, CR and CF1, equation 1. The library gives the expected values."""

from __future__ import annotations

import random
from typing import Any

import torch
from grade import Criterion, Submission, close, expect

from addgcn.metrics import MultiLabelMetrics
from addgcn.metrics import average_precision as library_AP
from addgcn.sam import SumAttention

# The table of the assignment: five images; cup, chair, lamp.
SCORES = torch.tensor([[3.0, -2.0, -1.0], [2.0, 1.5, -2.0], [2.0, 0.5, 0.3], [-1.0, 1.0, -3.0], [-0.5, -0.2, -2.0]])
TARGETS = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, -1, 0], [1, 1, 0]])
MAP = torch.tensor([[[1.0, 0.5], [0.0, 0.5]]])  # (1, 2, 2)
FEATURES = torch.tensor([[[2.0, 4.0], [6.0, 0.0]], [[-1.0, 0.0], [3.0, 2.0]]])  # (2, 2, 2)


def means(scores: torch.Tensor, targets: torch.Tensor) -> tuple[float, float, float]:
    metrics = MultiLabelMetrics(scores.shape[1])
    metrics.update(scores, targets)
    result = metrics.compute()
    return result.CP / 100, result.CR / 100, result.CF1 / 100


CP, CR, CF1 = means(SCORES, TARGETS)
BY_HAND = {
    "AP_cup": float(library_AP(SCORES, TARGETS)[0]),
    "AP_chair": float(library_AP(SCORES, TARGETS)[1]),
    "CP": CP,
    "CR": CR,
    "CF1": CF1,
    "v": SumAttention()(MAP[None], FEATURES[None])[0, 0].tolist(),
}


def by_hand(name: str) -> Criterion:
    def test(work: Submission, rng: random.Random) -> None:
        answers = work.value("ANSWERS")
        expect(isinstance(answers, dict) and answers.get(name) is not None, f"ANSWERS[{name!r}] is empty")
        told = f"{answers[name]!r} is not right"
        if name != "v" and (not isinstance(answers[name], int | float) or answers[name] > 1):
            told += "; a number between 0 and 1 is wanted"
        expect(close(answers[name], BY_HAND[name], 2e-3), told)

    return Criterion(f"by hand: {name}", 1, test)


def ranking(rng: random.Random, n: int = 12, ties: bool = False) -> tuple[list[float], list[int]]:
    """Scores and targets of one category with at least two positives and two negatives."""
    targets = [1, 1, 0, 0] + [int(rng.random() < 0.4) for _ in range(n - 4)]
    rng.shuffle(targets)
    places = [rng.randrange(4) for _ in range(n)] if ties else rng.sample(range(5 * n), n)
    return [place / 4 - 2 for place in places], targets


def same_AP(work: Submission, scores: list[float], targets: list[int], why: str) -> None:
    wanted = float(library_AP(torch.tensor(scores)[:, None], torch.tensor(targets)[:, None])[0])
    found = work.call("average_precision", scores, targets)
    expect(close(found, wanted), f"{why}: {found} for {scores} and {targets}; right is {wanted:.4f}")


def plain(work: Submission, rng: random.Random) -> None:
    for _ in range(5):
        same_AP(work, *ranking(rng), "no ties, nothing ignored")


def ties(work: Submission, rng: random.Random) -> None:
    for _ in range(5):
        scores, targets = ranking(rng, ties=True)
        for order in (sorted(range(12), key=lambda n: targets[n]), sorted(range(12), key=lambda n: -targets[n])):
            same_AP(work, [scores[n] for n in order], [targets[n] for n in order], "equal scores")


def ignored(work: Submission, rng: random.Random) -> None:
    for _ in range(3):
        scores, targets = ranking(rng)
        same_AP(work, [9.0, *scores, 0.1], [-1, *targets, -1], "a target of -1")


def none(work: Submission, rng: random.Random) -> None:
    for targets in ([0, 0, 0], [0, -1, 0]):
        found = work.call("average_precision", [0.5, 0.1, -0.2], targets)
        expect(close(found, float("nan")), f"without a positive it gives {found}; there is nothing to average")


def table(rng: random.Random, C: int = 4, N: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    """A table in which every category has positives and decisions, some of them right."""
    g = torch.Generator().manual_seed(rng.randrange(10**6))
    targets = (torch.rand(N, C, generator=g) < 0.5).int()
    scores = torch.randn(N, C, generator=g) + targets - 0.5
    targets[0], scores[0] = 1, 1.0
    targets[1], scores[1] = 0, 0.5
    return scores, targets


def three(work: Submission, scores: torch.Tensor, targets: torch.Tensor) -> Any:
    found = work.call("class_means", scores.tolist(), targets.tolist())
    expect(isinstance(found, list) and len(found) == 3, "three numbers are wanted: CP, CR, CF1")
    return found


def precision_and_recall(work: Submission, rng: random.Random) -> None:
    for _ in range(4):
        scores, targets = table(rng)
        expect(
            close(three(work, scores, targets)[:2], means(scores, targets)[:2]), "CP or CR differs on an ordinary table"
        )


def harmonic(work: Submission, rng: random.Random) -> None:
    for _ in range(4):
        scores, targets = table(rng)
        found, wanted = three(work, scores, targets)[2], means(scores, targets)[2]
        expect(close(found, wanted), f"CF1 is {found}; the harmonic mean of CP and CR would be {wanted:.4f}")


def never_predicted(work: Submission, rng: random.Random) -> None:
    scores, targets = table(rng)
    scores[:, 2] = -3.0
    expect(close(three(work, scores, targets)[:2], means(scores, targets)[:2]), "a category that is never predicted")


def absent(work: Submission, rng: random.Random) -> None:
    scores, targets = table(rng)
    targets[:, 1] = 0
    expect(close(three(work, scores, targets)[:2], means(scores, targets)[:2]), "a category without a positive")
    targets[2:5, 3] = -1
    expect(close(three(work, scores, targets)[:2], means(scores, targets)[:2]), "a target of -1")


def vectors(work: Submission, rng: random.Random) -> None:
    for C, H, W, D in ((3, 2, 4, 5), (1, 5, 3, 2), (4, 4, 4, 4)):
        g = torch.Generator().manual_seed(rng.randrange(10**6))
        M, X = torch.rand(C, H, W, generator=g), torch.randn(D, H, W, generator=g)
        found, wanted = work.call("category_vectors", M, X), SumAttention()(M[None], X[None])[0]
        expect(isinstance(found, list) and len(found) == C, f"{C} maps give {C} vectors")
        expect(close(found, wanted), f"values differ for C = {C}, H = {H}, W = {W}, D' = {D}")


def position(work: Submission, rng: random.Random) -> None:
    for H, W in ((2, 5), (5, 2), (3, 3)):
        row, column = rng.randrange(H), rng.randrange(W)
        L = torch.randn(H, W, generator=torch.Generator().manual_seed(rng.randrange(10**6))) - 5
        L[row, column] = 1.0
        found = work.call("strongest_position", L)
        expect(found == [row, column], f"on a map of {H} rows and {W} columns: {found} for {(row, column)}")


CRITERIA = [
    *(by_hand(name) for name in BY_HAND),
    Criterion("average precision: the mean of the precisions at the positives", 2, plain),
    Criterion("average precision: a tied group is read as a whole", 2, ties),
    Criterion("average precision: ignored targets leave the ranking", 1, ignored),
    Criterion("average precision: NaN where nothing is positive", 1, none),
    Criterion("CP and CR: means over the categories", 2, precision_and_recall),
    Criterion("CF1: the harmonic mean of CP and CR", 1, harmonic),
    Criterion("CP: 0 for a category that is never predicted", 1, never_predicted),
    Criterion("CP, CR: absent categories left out, -1 counts as absent", 1, absent),
    Criterion("equation 1: values and shape, for any H, W, C and D'", 2, vectors),
    Criterion("the strongest position: row and column", 1, position),
]
