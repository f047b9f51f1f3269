"""Chapter 7, the dynamic graph: nodes H (B, C, D), W_A (C, 2D), and the convolution of h_g, W_g (D, D) and b_g (D,)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call

from ..check import Answer, close, exercise, random
from ..graph import DynamicAdjacency

B, C, D = 2, 4, 3
H = random(B, C, D)
W_A, W_g, b_g = random(C, 2 * D, seed=1), random(D, D, seed=2), random(D, seed=3)


def library_adjacency(H: Tensor, W_A: Tensor, W_g: Tensor, b_g: Tensor) -> Tensor:
    weights = {"weight": W_A, "global_conv.weight": W_g, "global_conv.bias": b_g}
    return functional_call(DynamicAdjacency(W_A.shape[0], H.shape[2]), weights, (H,))


@exercise("7.1", "dynamic_adjacency(H, W_A, W_g, b_g)")
def dynamic_adjacency(answer: Answer) -> None:
    """Equations 3 and 4: A_d (B, C, C) from H, with h_g = W_g mean_c(h_c) + b_g."""
    inputs = (H, W_A, W_g, b_g)
    A_d = answer.tensor((B, C, C), *inputs, hint="One graph for each image: (B, C, C).")
    hint = "The rows (or columns) add up to 1: that makes the senders compete. Eq. 4 judges each of them by itself."
    answer.expect("no softmax", not any(close(A_d.sum(k), torch.ones(B, C)) for k in (1, 2)), hint)
    answer.expect("range", ((A_d > 0) & (A_d < 1)).all(), "Weights lie between 0 and 1: what closes eq. 4?")
    other = H.clone()
    other[1] += 1
    hint = "A change in the second image changes the first one's graph. Over which axis is h_g the mean?"
    answer.expect("images apart", close(answer.tensor((B, C, C), other, *inputs[1:])[0], A_d[0]), hint)
    wanted = library_adjacency(*inputs)
    hint = "It is the transpose of A_d. A_d[i, j] weighs node j in the update of i: which of the two does it look at?"
    answer.expect("direction", not close(A_d, wanted.transpose(1, 2)), hint)
    hint = "It differs from eq. 4. Which half of [h_c; h_g] comes first? Does h_g go through its convolution, bias "
    answer.expect("values", close(A_d, wanted), hint + "included?")
    answer.gradients(library_adjacency, *inputs)


@exercise("7.2", "permuted(A_d, order)")
def permuted(answer: Answer) -> None:
    """What becomes of A_d (B, C, C), same W_A, when the nodes come as H[:, order]? Given A_d and the list alone."""
    order = [2, 0, 3, 1]
    A_d = library_adjacency(H, W_A, W_g, b_g)
    A_new = answer.tensor((B, C, C), A_d, order)
    hint = "Something does change: A_d[i, j] looks at node j, and another node stands there now."
    answer.expect("it changes", not close(A_new, A_d), hint)
    hint = "Rows and columns were both moved, as for an equivariant layer. Row i belongs to w_i, the i-th row of W_A: "
    answer.expect("rows stay", not close(A_new, A_d[:, order][:, :, order]), hint + "has that row moved?")
    hint = "The rows were moved. What does each axis of A_d come from: W_A, or the nodes?"
    answer.expect("which axis", not close(A_new, A_d[:, order]), hint)
    hint = "Compute A_d for H and for H[:, order] with the library and compare; mind `order` against its inverse."
    answer.expect("values", close(A_new, library_adjacency(H[:, order], W_A, W_g, b_g)), hint)


@exercise("7.3", "dynamic_layer(A_d, H, W_d)")
def dynamic_layer(answer: Answer) -> None:
    """Z = LReLU(A_d H W_d) with slope 0.2, a graph for each image: A_d (B, C, C), H (B, C, D), W_d (D, D)."""
    A_d = library_adjacency(H, W_A, W_g, b_g)

    def reference(A: Tensor, H: Tensor, W: Tensor) -> Tensor:
        return torch.nn.functional.leaky_relu(A @ H @ W, 0.2)

    Z = answer.tensor((B, C, D), A_d, H, W_g, hint="Every node of every image keeps its place.")
    swapped = answer.tensor((B, C, D), A_d.flip(0), H, W_g)
    hint = "Exchanging the two images' graphs changes nothing (or both alike): each image has its own."
    answer.expect("images apart", not close(swapped, Z), hint)
    answer.expect("direction", not close(Z, reference(A_d.mT, H, W_g)), "This is A_d transposed: who hears whom?")
    hint = "It differs from the equation. Is the LeakyReLU the last step, with slope 0.2, and W_d on the right?"
    answer.expect("values", close(Z, reference(A_d, H, W_g)), hint)
    answer.gradients(reference, A_d, H, W_g, hint="The gradient must reach A_d too: it is how W_A learns.")
