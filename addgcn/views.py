"""Test-time averaging: one image seen several times, at several sizes and mirrored, and its scores averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .data.transforms import eval_transform
from .errors import InputError


class Views:
    """PIL image -> one uint8 tensor (3, size, size) for each of `sizes`: `eval_transform` at each, from one decoding.

    A `DataLoader` makes a list of batches of it, (B, 3, size, size) for each size, as `AveragedViews` takes them.

    Raises:
        InputError: no size, or one that stands twice.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        if not sizes or len(set(sizes)) != len(sizes):
            said = "none" if not sizes else " ".join(map(str, sizes))
            raise InputError(f"give each size to average over once; these are {said}.")
        self.transforms: list[Callable[[Any], Tensor]] = [eval_transform(size) for size in sizes]

    def __call__(self, image: Any) -> list[Tensor]:
        return [transform(image) for transform in self.transforms]


class AveragedViews(nn.Module):
    """A model whose scores are the mean over views; one forward pass for each.

    The mean is one of logits s, not of probabilities sigma(s). So the averaged scores stay logits: the threshold,
    the average precision and the calibration mean what they do without averaging, and nothing is lost to rounding
    where sigma(s) is near 0 or 1. One view that is very sure weighs more this way than in a mean of probabilities.

    Args:
        model: any of the library's, or one of them in `addgcn.batches.FromPixels`; in eval mode.
        flip: also each view's mirror image, so twice as many views.
    """

    def __init__(self, model: nn.Module, flip: bool = False) -> None:
        super().__init__()
        self.model, self.flip = model, flip

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """A list of (B, 3, H, W), as the model takes them, H and W its own in each -> scores (B, C)."""
        scores = []
        for images in views:
            scores.append(self.model(images).float())  # (B, C)
            if self.flip:
                scores.append(self.model(images.flip(3)).float())
        return torch.stack(scores).mean(0)  # (views, B, C) -> (B, C)
