"""What ADD-GCN is compared with, behind the same interface: `scores = model(images)`, `explain`, `save_pretrained`.

- GAP: backbone, global average pooling, one linear layer;
- GMP: backbone, global max pooling, one linear layer.

And the fixed graph of ML-GCN (Chen et al., CVPR 2019): `label_graph`. The model itself, and SSGRL, are in peers.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .backbone import build_backbone
from .errors import InputError
from .model import Explanation
from .pretrained import Pretrained


class GAP(nn.Module, Pretrained):
    """The paper's baseline (row "ResNet-101"): global average pooling and a linear classifier.

    Args and errors as in `ADDGCN`. It has activation maps of its own: the classifier applied at every position,
    which is what CAM (Zhou et al., CVPR 2016) shows. Here their mean over the image, before the sigmoid, is s.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str | nn.Module = "resnet101",
        weights: str | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        trunk_weights, model_weights = self._split_weights(weights)
        self.num_classes, self.classes = num_classes, self._check_classes(num_classes, classes)
        self.backbone = build_backbone(backbone, trunk_weights)
        self.backbone_is_given = isinstance(backbone, nn.Module)
        self.classifier = nn.Linear(self.backbone.out_channels, num_classes)
        if model_weights is not None:
            self.load_weights(model_weights)

    def pool(self, X: Tensor) -> Tensor:
        return X.mean((2, 3))  # (B, D)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> scores (B, C), logits."""
        return self.from_features(self.backbone(images))

    def from_features(self, X: Tensor) -> Tensor:
        return self.classifier(self.pool(X))  # (B, D, H', W') -> (B, C)

    def explain(self, images: Tensor) -> Explanation:
        """Scores and activation maps; a baseline has no nodes and no graph."""
        return self.explain_features(self.backbone(images))

    def explain_features(self, X: Tensor) -> Explanation:
        s = self.from_features(X)  # (B, C)
        L = self.classifier(X.movedim(1, 3)).movedim(3, 1)  # (B, H', W', D) -> (B, C, H', W')
        return Explanation(s, s, None, L.sigmoid(), None, None, None, None, None)


class GMP(GAP):
    """Global max pooling instead: each channel's strongest response over the image."""

    def pool(self, X: Tensor) -> Tensor:
        return X.amax((2, 3))  # (B, D)


def label_graph(
    pairs: np.ndarray | Tensor, images: np.ndarray | Tensor, threshold: float = 0.4, p: float = 0.25
) -> Tensor:
    """The adjacency A' (C, C) of ML-GCN, counted from training labels and never trained.

    j listens to i if P(j | i) >= threshold; what a category hears of others has the weight `p` in all, next to 1 for
    itself; then the symmetric normalisation, which transposes: A'[i, j] is the weight of node j in the update of node
    i, as everywhere in this library. Differs from ML-GCN's paper as its code does: there the weights are 1 - p and
    p = 0.2, here 1 and 0.25, in the same ratio.

    Args:
        pairs: (C, C), the number of images with both categories; the diagonal is not looked at.
        images: (C,), the number of images with each. A category without any hears itself alone.

    Raises:
        InputError: shapes that do not fit, or a pair in more images than one of its categories.
    """
    both, alone = (torch.as_tensor(counts, dtype=torch.double) for counts in (pairs, images))
    itself = torch.eye(len(alone), dtype=torch.double)  # (C, C)
    if both.shape != itself.shape or (both * (1 - itself) > alone).any():
        raise InputError(
            f"pairs (C, C) and images (C,) do not fit: {tuple(both.shape)} and {tuple(alone.shape)}, or a pair stands "
            "in more images than one of its categories. `addgcn.records.cooccurrence` gives both."
        )
    P = both / alone[:, None]  # P[i, j] = P(j | i); NaN where no image has i
    links = P.ge(threshold) * (1 - itself)
    A = itself + p * links / (links.sum(0) + 1e-6)  # (C, C), column by column
    d = A.sum(1) ** -0.5  # (C,), the diagonal of D
    return ((A * d).T * d).float()  # (A D)^T D
