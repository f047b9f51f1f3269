"""Chapter 11, compared with others: graph A (C, C), nodes H (B, C, D), feature map X (B, D, H', W'), mAPs (R, n)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..check import Answer, close, exercise, random


def made(A: Tensor, E: Tensor, W_1: Tensor, W_2: Tensor) -> Tensor:
    return A @ F.leaky_relu(A @ E @ W_1, 0.2) @ W_2


@exercise("11.1", "classifiers(A, E, W_1, W_2)")
def classifiers(answer: Answer) -> None:
    """ML-GCN's classifiers (C, D): two graph convolutions on label vectors E (C, E), a LeakyReLU between them."""
    A, E, W_1, W_2 = random(4, 4).abs(), random(4, 3, seed=1), random(3, 5, seed=2), random(5, 6, seed=3)
    one = torch.eye(4)
    hint = "One classifier per category, as wide as the features: (C, D)."
    alone = answer.tensor((4, 6), one, E, W_1, W_2, hint=hint)
    linear = answer.tensor((4, 6), one, E.abs(), W_1.abs(), W_2)
    hint = "Positive numbers pass the first convolution as they are, and behind the second there is no activation."
    answer.expect("no activation at the end", close(linear, E.abs() @ W_1.abs() @ W_2), hint)
    hint = "Between the two convolutions stands a LeakyReLU with slope 0.2, and with the identity nobody hears another."
    answer.expect("activation", close(alone, made(one, E, W_1, W_2)), hint)
    heard = answer.tensor((4, 6), A, E.abs(), W_1.abs(), W_2)
    hint = "Row i of A says whom node i hears, and both convolutions hear."
    answer.expect("heard twice", close(heard, A @ A @ E.abs() @ W_1.abs() @ W_2, rtol=1e-3, atol=1e-3), hint)
    answer.expect("values", close(answer.tensor((4, 6), A, E, W_1, W_2), made(A, E, W_1, W_2)), hint)
    answer.gradients(made, A, E, W_1, W_2)


@exercise("11.2", "decouple(X, e)")
def decouple(answer: Answer) -> None:
    """SSGRL's nodes V (B, C, D): a mean of X over the positions, weighed by the softmax of e (B, C, H', W')."""
    X, e = random(2, 5, 3, 4), random(2, 6, 3, 4, seed=1)
    flat = answer.tensor((2, 6, 5), X, torch.zeros(2, 6, 3, 4), hint="Nodes first: (B, C, D).")
    mean = X.mean((2, 3))[:, None].expand(2, 6, 5)
    hint = "If all positions have the same e, every category's vector is the plain mean of X: the weights add up to 1."
    answer.expect("adds up to 1", close(flat, mean), hint)
    peak = torch.zeros(2, 6, 3, 4)
    peak[:, 1, 2, 3], peak[:, 4, 0, 1] = 100.0, 100.0
    got = answer.tensor((2, 6, 5), X, peak)
    hint = "With one very large e, a category takes the vector at that position, and no other category does."
    right = close(got[:, 1], X[:, :, 2, 3]) and close(got[:, 4], X[:, :, 0, 1]) and close(got[:, 0], mean[:, 0])
    answer.expect("own peak", right, hint)
    hint = "The softmax runs over all positions of one category together, rows and columns at once."
    wanted = torch.einsum("bchw,bdhw->bcd", e.flatten(2).softmax(2).view_as(e), X)
    answer.expect("values", close(answer.tensor((2, 6, 5), X, e), wanted), hint)
    answer.gradients(lambda X, e: e.flatten(2).softmax(2) @ X.flatten(2).mT, X, e)


@exercise("11.3", "hears(H, A)")
def hears(answer: Answer) -> None:
    """What SSGRL's nodes hear, m (B, C, 2D): along the links and against them, side by side."""
    H, A = random(2, 4, 3), random(4, 4, seed=1).abs()
    m = answer.tensor((2, 4, 6), H, A, hint="Two vectors of width D for each node, side by side: (B, C, 2D).")
    link = torch.zeros(4, 4)
    link[1, 0] = 1.0  # the second implies the first
    got = answer.tensor((2, 4, 6), H, link)
    hint = "With the one link A[1, 0], the second node hears the first in the first half of m."
    answer.expect("first half", close(got[:, 1, :3], H[:, 0]) and close(got[:, 0, :3], 0 * H[:, 0]), hint)
    hint = "With the one link A[1, 0], the first node hears the second in the other half of m."
    answer.expect("second half", close(got[:, 0, 3:], H[:, 1]) and close(got[:, 1, 3:], 0 * H[:, 0]), hint)
    answer.expect("values", close(m, torch.cat([A @ H, A.T @ H], 2)), "Every link counts with its weight.")
    answer.gradients(lambda H, A: torch.cat([A @ H, A.T @ H], 2), H, A)


@exercise("11.4", "apart(scores)")
def apart(answer: Answer) -> None:
    """The difference that two single runs of equal rows exceed once in 20; mAPs (R, n), n seeds of R rows."""
    level = torch.tensor([[80.0] * 5, [90.0] * 5])
    [none] = answer.numbers(level)
    answer.expect(
        "luck alone", close(none, 0.0), "How far the rows lie from each other is no luck; only the seeds are."
    )
    [one] = answer.numbers(torch.tensor([[81.0, 82.0, 83.0]]))
    hint = "Here the variance of a run is 1 (divide by n - 1), that of a difference of two runs is 2."
    answer.expect("two runs", close(one, 1.96 * 2**0.5, rtol=2e-3), hint)
    [mixed] = answer.numbers(torch.tensor([[81.0, 82.0, 83.0], [60.0, 67.0, 74.0]]))
    hint = "Pool the rows by the mean of their variances: here 1 and 49, so 25."
    answer.expect("pooled", close(mixed, 1.96 * 50**0.5, rtol=2e-3), hint)
    runs = random(3, 6)
    [value] = answer.numbers(runs)
    answer.expect(
        "values", close(value, 1.96 * (2 * runs.var(1).mean()) ** 0.5, rtol=2e-3), "For six seeds it differs."
    )
