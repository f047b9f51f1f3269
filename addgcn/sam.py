"""Section 3.2, the Semantic Attention Module (SAM): where is each category, and what is seen there?

X (B, D, H, W) -> activation maps M (B, C, H, W), scores s_m (B, C), category representations V (B, C, D')
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# --- How the maps are pooled to the scores s_m (table 6). X is the feature map, L = classifier(X) the map logits.


class ClsGMP(nn.Module):
    """cls -> GMP, the paper's choice: classify every position, then take the strongest one."""

    def forward(self, X: Tensor, L: Tensor, classifier: nn.Module) -> Tensor:
        return L.amax((2, 3))  # (B, C)


class GAPCls(nn.Module):
    """GAP -> cls, standard CAM. The classifier is linear, so the mean may be taken after it, of the logits.

    Of the logits only: the paper's "GAP -> cls equals cls -> GAP" (section 4.4) fails for maps after their sigmoid.
    """

    def forward(self, X: Tensor, L: Tensor, classifier: nn.Module) -> Tensor:
        return L.mean((2, 3))  # (B, C)


class GMPCls(nn.Module):
    """GMP -> cls: each channel's maximum over the image, then the classifier. Here the order matters."""

    def forward(self, X: Tensor, L: Tensor, classifier: nn.Module) -> Tensor:
        return classifier(X.amax((2, 3), keepdim=True)).flatten(1)  # (B, C)


MAPS = {"cls-gmp": ClsGMP, "gap-cls": GAPCls, "gmp-cls": GMPCls}


# --- How the maps weigh the positions (eq. 1).


class SumAttention(nn.Module):
    """Eq. 1: v_c = sum over positions of m_c(i, j) x'(i, j). Grows with the number of positions."""

    def forward(self, M: Tensor, X_: Tensor) -> Tensor:
        return torch.einsum("bchw,bdhw->bcd", M, X_)  # (B, C, D')


class MeanAttention(SumAttention):
    """Eq. 1 divided by the number of positions, so that V has one scale at 64, 448 and 576 pixels."""

    def forward(self, M: Tensor, X_: Tensor) -> Tensor:
        return super().forward(M, X_) / (M.shape[2] * M.shape[3])  # (B, C, D')


ATTEND = {"sum": SumAttention, "mean": MeanAttention}


class SAM(nn.Module):
    """Semantic Attention Module: M = sigmoid(conv(X)), X' = f(conv(X)), V = M^T X' (eq. 1).

    What s_m pools, the paper leaves open: "M" may be meant before its sigmoid or after. Here s_m pools the raw map
    logits, as the released code does: pooled sigmoids would lie in (0, 1), so half of the final score could
    neither fall below zero nor keep learning. The map convolution has no bias, as in the released code. There
    X' is the convolution alone (`activation=nn.Identity()`); the paper's section 4.2 puts a LeakyReLU with
    slope 0.2 into SAM.

    Args:
        in_channels: D, the backbone's channels.
        num_classes: C.
        dim: D', the width of X' and V; 1024 in the paper.
        maps: how s_m is pooled: "cls-gmp", "gap-cls" or "gmp-cls" (table 6).
        attend: "sum" (eq. 1) or "mean".
        activation: what follows the convolution that makes X'.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        dim: int = 1024,
        maps: str = "cls-gmp",
        attend: str = "sum",
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.classifier = nn.Conv2d(in_channels, num_classes, 1, bias=False)
        self.transform = nn.Conv2d(in_channels, dim, 1)
        self.activation = nn.LeakyReLU(0.2) if activation is None else activation
        self.pool = MAPS[maps]()
        self.attend = ATTEND[attend]()

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """X (B, D, H, W) -> V (B, C, D'), s_m (B, C), M (B, C, H, W)."""
        L = self.classifier(X)  # (B, C, H, W) map logits
        M = L.sigmoid()  # (B, C, H, W)
        s_m = self.pool(X, L, self.classifier)  # (B, C)
        X_ = self.activation(self.transform(X))  # (B, D', H, W)
        V = self.attend(M, X_)  # (B, C, D')
        return V, s_m, M


class ConvRepresentation(nn.Module):
    """What stands in SAM's place for the "D-GCN alone" arm of figure 3: a Conv-LReLU block.

    The paper does not say how the block's (D', H, W) becomes C nodes. Here a learned linear map from the
    positions of a fixed pooled grid to the nodes, shared by all channels: it can place a category on the image,
    but not by what the image shows. There are no maps and no s_m, so the final score is s_r alone.
    """

    def __init__(self, in_channels: int, num_classes: int, dim: int = 1024, grid: int = 7) -> None:
        super().__init__()
        self.transform = nn.Conv2d(in_channels, dim, 1)
        self.activation = nn.LeakyReLU(0.2)
        self.pool = nn.AdaptiveAvgPool2d(grid)
        self.to_nodes = nn.Linear(grid * grid, num_classes)

    def forward(self, X: Tensor) -> tuple[Tensor, None, None]:
        """X (B, D, H, W) -> V (B, C, D'), None, None."""
        X_ = self.pool(self.activation(self.transform(X)))  # (B, D', grid, grid)
        V = self.to_nodes(X_.flatten(2)).transpose(1, 2)  # (B, D', grid^2) -> (B, D', C) -> (B, C, D')
        return V, None, None
