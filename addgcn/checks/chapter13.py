"""Chapter 13, readouts and maps: nodes Z (B, C, D'), weights (C, D'); features X (D, H, W), maps m (H, W)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..check import Answer, close, exercise, random


def _max_readout(Z: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return Z.amax(1) @ weight.T + bias  # (B, D') @ (D', C) -> (B, C)


@exercise("13.1", "max_readout(Z, weight, bias)")
def max_readout(answer: Answer) -> None:
    """Scores (B, C) from each channel's maximum over the nodes; Z (B, C, D'), weight (C, D'), bias (C)."""
    Z, weight, bias = random(2, 5, 3), random(5, 3, seed=1), random(5, seed=2)
    s = answer.tensor((2, 5), Z, weight, bias, hint="One score for each image and category.")
    shuffled = answer.tensor((2, 5), Z[:, [3, 0, 4, 1, 2]], weight, bias)
    answer.expect("any order of nodes", close(shuffled, s), "A maximum over the nodes does not know their order.")
    more = answer.tensor((2, 5), torch.where(Z.amax(1, keepdim=True) > Z, Z - 1, Z), weight, bias)
    answer.expect("winners only", close(more, s), "Only the largest value of each channel may count.")
    moved = answer.tensor((2, 5), Z, weight, bias + 1)
    answer.expect("bias", close(moved, s + 1), "A bias that is larger by 1 makes the score larger by 1.")
    hint = "The maximum is over the nodes, in each channel of each image by itself; then comes the linear layer."
    answer.expect("values", close(s, _max_readout(Z, weight, bias)), hint)
    answer.gradients(_max_readout, Z, weight, bias, hint="In each channel the winning node learns, and no other.")


@exercise("13.2", "evidence(X, w)")
def evidence(answer: Answer) -> None:
    """What each position adds to the score of GMP -> cls: a map (H, W), from features X (D, H, W), weights w (D)."""
    X = torch.tensor([[[4.0, 0.0, 1.0], [0.0, 1.0, 0.0]], [[0.0, 1.0, 0.0], [3.0, 1.0, 2.0]]])  # (2, 2, 3)
    w = torch.tensor([1.0, -1.0])
    e = answer.tensor((2, 3), X, w, hint="One number for each position.")
    answer.expect("the whole score", close(e.sum(), 1.0), "The shares add up to 4 - 3, the score of GMP -> cls.")
    answer.expect("places", close(e != 0, [[1, 0, 0], [1, 0, 0]]), "A share is only where some channel peaks.")
    answer.expect("shares", close(e, [[4, 0, 0], [-3, 0, 0]]), "A share is weight times maximum, with its sign.")
    e = answer.tensor((2, 3), X[[0, 0]], torch.tensor([1.0, 0.5]))
    hint = "Two channels with their maximum at the same position: their shares add up there, 4 + 2."
    answer.expect("shared places", close(e[0, 0], 6.0), hint)
    X, w = random(40, 3, 4), random(40, seed=1)
    right = torch.zeros(12).index_add(0, X.flatten(1).argmax(1), w * X.amax((1, 2))).view(3, 4)
    answer.expect("values", close(answer.tensor((3, 4), X, w), right), "For 40 channels it differs.")


@exercise("13.3", "concentration(m, inside)")
def concentration(answer: Answer) -> None:
    """Part of the map's energy inside, over the part of the cells inside; m (H, W) from 0 up, inside (H, W) bool."""
    inside = torch.zeros(4, 5, dtype=torch.bool)
    inside[1:3, 1:3] = True  # 4 of 20 cells
    flat = torch.full((4, 5), 0.3)
    answer.expect("flat", close(answer.numbers(flat, inside), [1.0]), "A flat map has just its share: 1.")
    [all_inside] = answer.numbers(inside.float(), inside)
    hint = "All energy on a fifth of the cells: five times its share."
    answer.expect("all inside", close(all_inside, 5.0), hint)
    answer.expect("none inside", close(answer.numbers(1.0 - inside.float(), inside), [0.0]), "Nothing inside: 0.")
    m = random(4, 5).abs()
    hint = "A map that is twice as bright everywhere is as concentrated as before."
    answer.expect("brightness", close(answer.numbers(2 * m, inside), answer.numbers(m, inside)), hint)
    right = 5 * m[inside].sum() / m.sum()
    answer.expect("values", close(answer.numbers(m, inside), right[None]), "Energy is the sum of the map's values.")
