"""Chapter 10, paper and code: printed numbers in percent, W_A (C, 2D), graphs A (B, C, C), nodes H (B, C, D)."""

from __future__ import annotations

import torch

from ..check import Answer, close, exercise, random


def says(answer: Answer, *inputs: object) -> bool:
    """The function's yes or no."""
    returned = answer(*inputs)
    truth = isinstance(returned, bool) or getattr(returned, "dtype", None) in (torch.bool, bool)
    answer.expect("yes or no", truth, f"Return True or False; this is {returned!r}.")
    return bool(returned)


@exercise("10.1", "could_be(P, R, F1)")
def could_be(answer: Answer) -> None:
    """Whether a printed F1 can be the harmonic mean of the printed P and R, all rounded to one decimal."""
    answer.expect("exact", says(answer, 60.0, 30.0, 40.0), "The harmonic mean of 60 and 30 is exactly 40.")
    hint = "75 is the plain mean of 90 and 60; the harmonic mean is 72."
    answer.expect("harmonic", not says(answer, 90.0, 60.0, 75.0), hint)
    hint = "50.04 and 50.04 are printed as 50.0 and 50.0, and their F1 could be printed as 50.0 only; 50.2 is too far."
    answer.expect("too far", not says(answer, 50.0, 50.0, 50.2), hint)
    hint = "88.04 and 66.04 are printed as 88.0 and 66.0, and their F1, 75.47, as 75.5. P and R are rounded, too."
    answer.expect("rounded inputs", says(answer, 88.0, 66.0, 75.5), hint)
    hint = "Printed P and R of 88.0 and 66.0 allow 75.4 and 75.5, but neither 75.3 nor 75.6."
    answer.expect("both sides", not says(answer, 88.0, 66.0, 75.3) and not says(answer, 88.0, 66.0, 75.6), hint)
    right = [says(answer, 83.1, 71.6, f1 / 10) for f1 in range(766, 773)] == [False] * 3 + [True] * 2 + [False] * 2
    answer.expect("values", right, "For 83.1 and 71.6 just two printed values are possible: 76.9 and 77.0.")


@exercise("10.2", "swap_halves(W_A)")
def swap_halves(answer: Answer) -> None:
    """Weights for [h_g; h_c] from weights for [h_c; h_g], (C, 2D): the same logits from the other order."""
    C, D = 3, 4
    W_A, H, h_g = random(C, 2 * D), random(5, D, seed=1), random(D, seed=2).expand(5, D)
    W = answer.tensor((C, 2 * D), W_A, hint="As many rows and columns as before: only their places change.")
    hint = "The weights are the same numbers as before, each once; only their places change."
    answer.expect("same numbers", close(W.flatten().sort().values, W_A.flatten().sort().values), hint)
    hint = "Each category keeps its own row: the columns are what changes places."
    answer.expect("rows stay", close(W.sum(1), W_A.sum(1)), hint)
    hint = "The first D columns meet what stands first. Which stood first before? Within a half, the order must stay."
    same = close(torch.cat([h_g, H], 1) @ W.T, torch.cat([H, h_g], 1) @ W_A.T)
    answer.expect("same logits", same, hint)
    twice = answer.tensor((C, 2 * D), W)
    answer.expect("there and back", close(twice, W_A), "Done twice, everything stands where it stood.")


@exercise("10.3", "receive(A, H)")
def receive(answer: Answer) -> None:
    """What the released code does with the graph A (B, C, C) it made: node j receives the sum over i of A[i, j] h_i."""
    A, H = random(2, 4, 4).sigmoid(), random(2, 4, 3, seed=1)
    mixed = answer.tensor((2, 4, 3), A, H, hint="A node for each node: (B, C, D).")
    one = torch.zeros(2, 4, 4)
    one[:, 0, 2] = 1  # A[0, 2]: node 2 receives from node 0
    lone = answer.tensor((2, 4, 3), one, H)
    hint = "With A[0, 2] = 1 and zeros elsewhere, node 2 receives node 0's vector. Yours gives it to another node."
    answer.expect("direction", close(lone[:, 2], H[:, 0]) and close(lone[:, 0], 0 * H[:, 0]), hint)
    hint = "Nothing is divided: weights that add up to more than 1 make a longer vector."
    answer.expect("no average", close(answer.tensor((2, 4, 3), 3 * A, H), 3 * mixed), hint)
    answer.expect("values", close(mixed, torch.einsum("bij,bid->bjd", A, H)), "It differs. Which axis is summed over?")
    answer.gradients(lambda A, H: torch.einsum("bij,bid->bjd", A, H), A, H)


@exercise("10.4", "without_bias(W_A, b_g, b)")
def without_bias(answer: Answer) -> None:
    """A bias of h_g that makes the bias b (C,) beside W_A (C, 2D) superfluous, in the paper's order [h_c; h_g]."""
    C, D = 3, 5
    W_A, b_g, b = random(C, 2 * D), random(D, seed=1), random(C, seed=2)
    new = answer.tensor((D,), W_A, b_g, b, hint="It is a bias of h_g: one number per channel, (D,).")
    hint = "Where b is zero nothing has to change."
    answer.expect("nothing to do", close(answer.tensor((D,), W_A, b_g, 0 * b), b_g, atol=1e-4), hint)
    hint = "b_g meets the second half of W_A alone; what it adds to the logits of each row must grow by b."
    answer.expect("rows", close(W_A[:, D:] @ new, W_A[:, D:] @ b_g + b, atol=1e-4), hint)
