"""Assignment 2: a model solution."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

ANSWERS = {
    "static": "neither",  # column j of A_s belongs to category j, whoever stands there
    "dynamic": "set",  # the columns of A_d move along with the nodes, and a sum has no order
    "static, then dynamic": "neither",  # what the dynamic layer gets is already something new
    "dynamic, questions too": "equivariant",
}


def static_layer(A: Tensor, V: Tensor, W: Tensor) -> Tensor:
    return F.leaky_relu(A @ V @ W, 0.2)  # (C, C) @ (B, C, D) @ (D, D_u)


def dynamic_adjacency(H: Tensor, W_A: Tensor, W_g: Tensor, b_g: Tensor, heard: Tensor) -> Tensor:
    h_g = H[:, heard].mean(1, keepdim=True) @ W_g.T + b_g  # (B, 1, D)
    H_ = torch.cat([H, h_g.expand_as(H)], dim=2)  # (B, C, 2D)
    return torch.sigmoid(W_A @ H_.mT) * heard  # (B, C, C); the last axis is the sender's


def dynamic_layer(A_d: Tensor, H: Tensor, W_d: Tensor) -> Tensor:
    return F.leaky_relu(A_d @ H @ W_d, 0.2)


def permutation_kind(Z: Tensor, Z_new: Tensor, order: list[int]) -> str:
    if torch.allclose(Z_new, Z, atol=1e-4):
        return "set"
    return "equivariant" if torch.allclose(Z_new, Z[:, order], atol=1e-4) else "neither"
