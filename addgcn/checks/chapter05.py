"""Chapter 5, SAM: category representations V from maps M (B, C, H, W) and features X' (B, D', H, W)."""

from __future__ import annotations

import torch

from ..check import Answer, close, exercise, random
from ..sam import MeanAttention, SumAttention

M, X_ = random(2, 3, 4, 5).sigmoid(), random(2, 6, 4, 5, seed=1)
SHAPE = (2, 3, 6)
AXES = "One vector of width D' for each image and category, nodes first: (B, C, D')."


def equivariance(answer: Answer) -> None:
    """What holds of every weighing of positions, sum or mean."""
    V, order, places = answer.tensor(SHAPE, M, X_), [2, 0, 1], torch.randperm(20, generator=torch.Generator())
    hint = "Exchanging two categories' maps must exchange their vectors, and change nothing else."
    answer.expect("categories", close(answer.tensor(SHAPE, M[:, order], X_), V[:, order]), hint)
    moved = [T.flatten(2)[:, :, places].view(T.shape) for T in (M, X_)]
    hint = "Maps and features shuffled over the positions in the same way give other vectors."
    answer.expect("positions", close(answer.tensor(SHAPE, *moved), V), hint)


@exercise("5.1", "representations(M, X_)")
def representations(answer: Answer) -> None:
    """Equation 1: v_c is the sum over positions of m_c(i, j) x'(i, j)."""
    V = answer.tensor(SHAPE, M, X_, hint=AXES)
    wanted = SumAttention()(M, X_)
    hint = "It is 1/20 of eq. 1, on 4 x 5 positions: does the equation divide?"
    answer.expect("a sum", not close(V, wanted / 20), hint)
    hint = "It differs from eq. 1. Each category weighs the features by its own map, position by position, and adds "
    answer.expect("values", close(V, wanted), hint + "up. Do the flattened positions of M and X' stay in step?")
    equivariance(answer)
    twice = answer.tensor(SHAPE, M.repeat(1, 1, 2, 1), X_.repeat(1, 1, 2, 1))
    answer.expect("scale", close(twice, 2 * V), "Twice the image, one above the other: eq. 1 then gives twice the V.")
    answer.gradients(SumAttention(), M, X_, hint="The gradient must reach both the maps and the features.")


@exercise("5.2", "mean_representations(M, X_)")
def mean_representations(answer: Answer) -> None:
    """Equation 1 divided by the number of positions."""
    V = answer.tensor(SHAPE, M, X_, hint=AXES)
    hint = "Twice the image, one above the other, gives twice the V. What should V not depend on?"
    twice = answer.tensor(SHAPE, M.repeat(1, 1, 2, 1), X_.repeat(1, 1, 2, 1))
    answer.expect("scale", not close(twice, 2 * V), hint)
    hint = "Half as strong a map gives the same vector: you divide by what the map adds up to, so that a category that "
    hint += "is nowhere looks as loud as one that is there."
    answer.expect("strength", close(answer.tensor(SHAPE, M / 2, X_), V / 2), hint)
    hint = "It differs from the library's. How many positions are there, of a map with two axes?"
    answer.expect("values", close(V, MeanAttention()(M, X_)), hint)
    equivariance(answer)
    answer.gradients(MeanAttention(), M, X_)
