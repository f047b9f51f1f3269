"""Section 3.4, the readout: from the nodes Z (B, C, D) to the scores s_r (B, C) (table 5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .errors import check_name


class BinaryHeads(nn.Module):
    """bi, the paper's choice: one binary classifier per category, s_r[c] = w_c . z_c + b_c."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, dim))
        self.bias = nn.Parameter(torch.empty(num_classes))
        nn.init.uniform_(self.weight, -(dim**-0.5), dim**-0.5)
        nn.init.uniform_(self.bias, -(dim**-0.5), dim**-0.5)

    def forward(self, Z: Tensor) -> Tensor:
        return (Z * self.weight).sum(2) + self.bias  # (B, C, D) * (C, D) -> (B, C)


class SumHead(nn.Module):
    """sum: the nodes are added to one vector per image, then one linear layer. Categories lose their places."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, num_classes)

    def pool(self, Z: Tensor) -> Tensor:
        return Z.sum(1)  # (B, D)

    def forward(self, Z: Tensor) -> Tensor:
        return self.linear(self.pool(Z))  # (B, C)


class AvgHead(SumHead):
    """avg: the nodes' mean."""

    def pool(self, Z: Tensor) -> Tensor:
        return Z.mean(1)  # (B, D)


class MaxHead(SumHead):
    """max: each channel's maximum over the nodes."""

    def pool(self, Z: Tensor) -> Tensor:
        return Z.amax(1)  # (B, D)


READOUTS = {"bi": BinaryHeads, "sum": SumHead, "avg": AvgHead, "max": MaxHead}


def build_readout(readout: str, dim: int, num_classes: int) -> nn.Module:
    """A readout of table 5: "bi", "sum", "avg" or "max"; `dim` is the width of Z.

    Raises:
        InputError: an unknown name.
    """
    return READOUTS[check_name("readout", readout, READOUTS)](dim, num_classes)


class AverageScores(nn.Module):
    """s = (s_m + s_r) / 2, averaged as logits (section 3.4)."""

    def forward(self, s_m: Tensor, s_r: Tensor) -> Tensor:
        return (s_m + s_r) / 2  # (B, C)


class ReadoutScores(nn.Module):
    """s = s_r, where there are no maps and so no s_m."""

    def forward(self, s_m: None, s_r: Tensor) -> Tensor:
        return s_r  # (B, C)
