"""Section 3.3, the Dynamic GCN: category representations V (B, C, D) exchange what they know over two graphs.

A graph layer is an adjacency (whom do I listen to?) and a convolution (what do I make of it?)::

    adjacency      StaticAdjacency A_s (C, C), learned | DynamicAdjacency A_d (B, C, C), from the image | Identity
    convolution    GraphConvolution, the paper's eq. 2 | ReleasedConvolution, the authors' code

`A[i, j]` is always the weight of node j in the update of node i. Table 4 combines the two layers: see `build_graph`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .errors import InputError, check_name

SLOPE = 0.2  # of every LeakyReLU (section 4.2)


class StaticAdjacency(nn.Module):
    """A_s (C, C): one matrix for all images, random at first and learned by gradient descent (section 3.3)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, num_classes))
        nn.init.uniform_(self.weight, -(num_classes**-0.5), num_classes**-0.5)

    def forward(self, H: Tensor) -> Tensor:
        return self.weight  # (C, C)


class DynamicAdjacency(nn.Module):
    """A_d = sigmoid(W_A H'), H' = [(h_1; h_g), ..., (h_C; h_g)]: one matrix per image (eq. 3 and 4).

    h_g is the mean over the nodes followed by one convolution (with a bias, of which the paper says nothing).
    A_d[i, j] = sigmoid(w_i . [h_j; h_g]): row i of W_A asks node j what it is worth to node i.
    """

    def __init__(self, num_classes: int, dim: int) -> None:
        super().__init__()
        self.global_conv = nn.Linear(dim, dim)
        self.weight = nn.Parameter(torch.empty(num_classes, 2 * dim))  # W_A
        nn.init.uniform_(self.weight, -((2 * dim) ** -0.5), (2 * dim) ** -0.5)

    def forward(self, H: Tensor) -> Tensor:
        h_g = self.global_conv(H.mean(1, keepdim=True))  # (B, 1, D)
        H_ = torch.cat([H, h_g.expand_as(H)], dim=2)  # (B, C, 2D)   eq. 4
        return torch.sigmoid(self.weight @ H_.transpose(1, 2))  # (C, 2D) @ (B, 2D, C) -> (B, C, C)


class ReleasedDynamicAdjacency(nn.Module):
    """A_d as the released code has it.

    Differences from eq. 3 and 4: BatchNorm and LeakyReLU on h_g, the order [h_g; h_c], a bias, and the matrix
    is applied transposed, so that A_d[i, j] = sigmoid(w_j . [h_g; h_i] + b_j): the receiving node i is read,
    not the sending node j.
    """

    def __init__(self, num_classes: int, dim: int) -> None:
        super().__init__()
        self.global_conv = nn.Linear(dim, dim)
        self.global_norm = nn.BatchNorm1d(dim)
        self.to_weights = nn.Linear(2 * dim, num_classes)

    def forward(self, H: Tensor) -> Tensor:
        if self.training and len(H) == 1:
            raise InputError(
                "the released wiring normalises h_g over the batch and cannot train on a batch of one image: "
                "use a batch size of at least 2, drop the last batch, or take wiring='paper'."
            )
        h_g = F.leaky_relu(self.global_norm(self.global_conv(H.mean(1))), SLOPE)  # (B, D)
        H_ = torch.cat([h_g.unsqueeze(1).expand_as(H), H], dim=2)  # (B, C, 2D)
        return torch.sigmoid(self.to_weights(H_))  # (B, C, C), row i from node i: already transposed


class Identity(nn.Module):
    """A control that the paper lacks: every node hears itself alone. Same weights otherwise, no graph."""

    def forward(self, H: Tensor) -> Tensor:
        return torch.eye(H.shape[1], device=H.device, dtype=H.dtype)  # (C, C)


class GraphConvolution(nn.Module):
    """Eq. 2: LReLU(A H W), without a bias."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.update = nn.Linear(dim, dim, bias=False)  # W

    def forward(self, A: Tensor, H: Tensor, V: Tensor) -> Tensor:
        return F.leaky_relu(self.update(A @ H), SLOPE)  # (B, C, D)


class ReleasedConvolution(nn.Module):
    """Eq. 2 as the released code has it: V + LReLU(W LReLU(A H) + b).

    Differences: a LeakyReLU between A and W, a bias, and a residual that always comes from SAM's V, in the
    dynamic layer too (not from H).
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.update = nn.Linear(dim, dim)

    def forward(self, A: Tensor, H: Tensor, V: Tensor) -> Tensor:
        mixed = F.leaky_relu(A @ H, SLOPE)  # (B, C, D)
        return V + F.leaky_relu(self.update(mixed), SLOPE)  # (B, C, D)


class GraphLayer(nn.Module):
    """One adjacency and one convolution: nodes (B, C, D) -> nodes (B, C, D) and the adjacency used."""

    def __init__(self, adjacency: nn.Module, convolution: nn.Module) -> None:
        super().__init__()
        self.adjacency = adjacency
        self.convolution = convolution

    def forward(self, H: Tensor, V: Tensor) -> tuple[Tensor, Tensor]:
        """`H`: the nodes to update. `V`: what SAM made, for the released code's residual."""
        A = self.adjacency(H)
        return self.convolution(A, H, V), A


class GraphOutput(NamedTuple):
    """What a D-GCN returns; A_s and A_d are None where there is no such graph."""

    H: Tensor  # (B, C, D) after the first stage
    Z: Tensor  # (B, C, D), or (B, C, 2D) for "P-cat"
    A_s: Tensor | None  # (C, C)
    A_d: Tensor | None  # (B, C, C)


# --- How the layers are combined (table 4). Each takes V (B, C, D).


class NoGraph(nn.Module):
    """SAM alone: Z = V (figure 3)."""

    def forward(self, V: Tensor) -> GraphOutput:
        return GraphOutput(V, V, None, None)


class StaticOnly(nn.Module):
    """S: Z = H, the static layer's output."""

    def __init__(self, static: GraphLayer) -> None:
        super().__init__()
        self.static = static

    def forward(self, V: Tensor) -> GraphOutput:
        H, A_s = self.static(V, V)
        return GraphOutput(H, H, A_s, None)


class DynamicOnly(nn.Module):
    """D: the dynamic layer takes V for H."""

    def __init__(self, dynamic: GraphLayer) -> None:
        super().__init__()
        self.dynamic = dynamic

    def forward(self, V: Tensor) -> GraphOutput:
        Z, A_d = self.dynamic(V, V)
        return GraphOutput(V, Z, None, A_d)


class StaticDynamic(nn.Module):
    """S -> D, the paper's choice: H from the static graph, A_d from H, Z from both (eq. 3)."""

    def __init__(self, static: GraphLayer, dynamic: GraphLayer) -> None:
        super().__init__()
        self.static, self.dynamic = static, dynamic

    def forward(self, V: Tensor) -> GraphOutput:
        H, A_s = self.static(V, V)
        Z, A_d = self.dynamic(H, V)
        return GraphOutput(H, Z, A_s, A_d.expand(len(V), -1, -1))


class DynamicStatic(StaticDynamic):
    """D -> S: the dynamic layer first; H is its output."""

    def forward(self, V: Tensor) -> GraphOutput:
        H, A_d = self.dynamic(V, V)
        Z, A_s = self.static(H, V)
        return GraphOutput(H, Z, A_s, A_d.expand(len(V), -1, -1))


class Parallel(StaticDynamic):
    """P: both layers read V, and their outputs are fused: added, multiplied or concatenated."""

    def __init__(self, static: GraphLayer, dynamic: GraphLayer, fuse: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(static, dynamic)
        self.fuse = fuse

    def forward(self, V: Tensor) -> GraphOutput:
        H, A_s = self.static(V, V)
        Z_d, A_d = self.dynamic(V, V)
        return GraphOutput(H, self.fuse(H, Z_d), A_s, A_d.expand(len(V), -1, -1))


def concatenate(H: Tensor, Z_d: Tensor) -> Tensor:
    return torch.cat([H, Z_d], dim=2)  # (B, C, 2D)


GRAPHS = ("none", "S", "D", "P-add", "P-mul", "P-cat", "D-S", "S-D", "I", "I-I")
WIRINGS = ("paper", "released")
CONVOLUTIONS = {"paper": GraphConvolution, "released": ReleasedConvolution}
DYNAMIC = {"paper": DynamicAdjacency, "released": ReleasedDynamicAdjacency}


def build_graph(num_classes: int, dim: int, graph: str = "S-D", wiring: str = "paper") -> nn.Module:
    """The D-GCN of table 4's row `graph`: a module from V (B, C, D) to `GraphOutput`.

    Args:
        graph: "none", "S", "D", "P-add", "P-mul", "P-cat", "D-S", "S-D"; the controls "I" and "I-I" are "S" and
            "S-D" with the identity in the place of A_s and A_d.
        wiring: "paper" (eq. 2 to 4 to the letter) or "released" (the authors' code).

    Raises:
        InputError: an unknown name; the nearest is named.
    """
    check_name("graph", graph, GRAPHS)
    convolution = CONVOLUTIONS[check_name("wiring", wiring, WIRINGS)]

    def static() -> GraphLayer:
        return GraphLayer(StaticAdjacency(num_classes), convolution(dim))

    def dynamic() -> GraphLayer:
        return GraphLayer(DYNAMIC[wiring](num_classes, dim), convolution(dim))

    def alone() -> GraphLayer:
        return GraphLayer(Identity(), convolution(dim))

    build: dict[str, Callable[[], nn.Module]] = {
        "none": NoGraph,
        "S": lambda: StaticOnly(static()),
        "D": lambda: DynamicOnly(dynamic()),
        "P-add": lambda: Parallel(static(), dynamic(), torch.add),
        "P-mul": lambda: Parallel(static(), dynamic(), torch.mul),
        "P-cat": lambda: Parallel(static(), dynamic(), concatenate),
        "D-S": lambda: DynamicStatic(static(), dynamic()),
        "S-D": lambda: StaticDynamic(static(), dynamic()),
        "I": lambda: StaticOnly(alone()),
        "I-I": lambda: StaticDynamic(alone(), alone()),
    }
    return build[graph]()
