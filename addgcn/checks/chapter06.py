"""Chapter 6, graph convolutions: nodes H (C, D), an adjacency A (C, C) in which A[i, j] weighs j in the update of i."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call

from ..check import Answer, close, exercise, random
from ..graph import GraphConvolution

A = random(4, 4).abs()
H, W = random(4, 3, seed=1), random(3, 5, seed=2)
LINKS = torch.tensor([[1.0, 1, 0, 0], [1, 1, 2, 0], [0, 2, 1, 0.5], [0, 0, 0.5, 1]])  # symmetric, with its loops


def library_layer(A: Tensor, H: Tensor, W: Tensor) -> Tensor:
    return functional_call(GraphConvolution(3), {"update.weight": W.T}, (A, H, H))


@exercise("6.1", "normalised(A)")
def normalised(answer: Answer) -> None:
    """D^-1/2 A D^-1/2 for a symmetric A (C, C) that has its loops already; D holds the rows' sums."""
    N = answer.tensor((4, 4), LINKS)
    hint = "All rows add up to 1: this is D^-1 A, a mean over the neighbours. Where does the other half of D go?"
    answer.expect("both sides", not close(N.sum(1), torch.ones(4)), hint)
    answer.expect("symmetric", close(N, N.T), "A is symmetric, the result is not: rows and columns are treated alike.")
    d = LINKS.sum(1) ** -0.5
    hint = "Entry (0, 1) is 1 / sqrt(2 * 4) = 0.354, for the degrees of nodes 0 and 1 are 2 and 4; yours is "
    hint += f"{N[0, 1]:.3f}. Which power of D stands on each side?"
    answer.expect("values", close(N, d[:, None] * LINKS * d), hint)
    lonely = torch.zeros(3, 3)
    lonely[:2, :2] = 1
    hint = "A node without any link has degree 0; its row and column should be 0, not NaN or infinite."
    alone = answer(lonely)
    answer.expect("a lonely node", isinstance(alone, Tensor) and close(alone, lonely / 2), hint)


@exercise("6.2", "gcn_layer(A, H, W)")
def gcn_layer(answer: Answer) -> None:
    """Equation 2, one layer: LReLU(A H W) with slope 0.2, for H (4, 3) and W (3, 5)."""
    Z = answer.tensor((4, 5), A, H, W, hint="Every node keeps its row, and gets the new width.")
    hint = "With no links but the loops (A the identity) each node should only be multiplied by W: "
    alone = answer.tensor((4, 5), torch.eye(4), H, W)
    answer.expect("negative side", not (alone >= 0).all(), hint + "no value is negative. What does a LeakyReLU let by?")
    wanted = torch.nn.functional.leaky_relu(H @ W, 0.2)
    hint += "positive values as they are, negative ones times 0.2."
    answer.expect("no links", close(alone, wanted), hint)
    answer.expect("it listens", not close(Z, wanted), "The result does not depend on A.")
    one = torch.zeros(4, 4)
    one[0, 3] = 1  # node 0 hears node 3
    heard = answer.tensor((4, 5), one, H, W).abs().sum(1) > 0
    hint = "A[0, 3] = 1 alone: node 0 hears node 3, and only row 0 may differ from 0. Which way does A point?"
    answer.expect("direction", heard.tolist() == [True, False, False, False], hint)
    answer.expect("values", close(Z, library_layer(A, H, W)), "It differs from eq. 2. In which order do A, H, W meet?")
    order = [2, 0, 3, 1]
    hint = "The nodes in another order (rows of H; rows and columns of A) must give the same rows, in that order."
    answer.expect("order", close(answer.tensor((4, 5), A[order][:, order], H[order], W), Z[order]), hint)
    answer.gradients(library_layer, A, H, W)


@exercise("6.3", "conditional_probability(counts)")
def conditional_probability(answer: Answer) -> None:
    """P[i, j] = P(j | i) from counts (C, C): images with both, and on the diagonal with i at all."""
    from ..viz_graphs import conditional_probability as library

    counts = torch.tensor([[100.0, 60, 2], [60, 80, 0], [2, 0, 10]])
    P = answer.tensor((3, 3), counts)
    hint = "P(i | i) is 1. What does the number of images with i stand for in the fraction?"
    answer.expect("diagonal", close(P.diagonal(), torch.ones(3)), hint)
    hint = "P[0, 1], how often 1 is there where 0 is, is 60 of 100; yours is "
    hint += f"{P[0, 1]:.2f}. Does each row divide by its own category's count?"
    answer.expect("given the row", close(P[0, 1], 0.6), hint)
    answer.expect("values", close(P, torch.from_numpy(library(counts))), "It differs from the library's.")
    whole = answer(counts.long())
    hint = "Counts as whole numbers give another result: was a division rounded?"
    answer.expect("whole numbers", isinstance(whole, Tensor) and close(whole, P), hint)


@exercise("6.4", "limit(A, H)")
def limit(answer: Answer) -> None:
    """Where N^k H ends for large k: A (C, C) symmetric, connected, with loops; N = D^-1/2 A D^-1/2; H (C, D)."""
    d = LINKS.sum(1)
    N = d[:, None] ** -0.5 * LINKS * d**-0.5
    end = answer.tensor((4, 3), LINKS, H, hint="Every node keeps its row.")
    hint = "One more layer still changes it, so it is no end. Which vector does N leave as it is? It is not the "
    answer.expect("stays", close(N @ end, end), hint + "constant one: the degrees of the nodes come in.")
    u = (d / d.sum()).sqrt()
    hint = "It stays, but it is not where H goes: of H, only the part along N's first eigenvector survives. Has that "
    answer.expect("values", close(end, torch.outer(u, u @ H)), hint + "vector length 1, and is each column projected?")
    other = answer.tensor((3, 3), torch.ones(3, 3), H[:3])
    hint = "With all links alike, loops included, every node should end at the mean of the nodes."
    answer.expect("all alike", close(other, H[:3].mean(0).expand(3, 3)), hint)
