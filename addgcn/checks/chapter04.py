"""Chapter 4, activation maps: from the feature map X (B, D, H, W) and the classifier's weight (C, D)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..check import Answer, close, exercise, random
from ..sam import ClsGMP, GAPCls

X, WEIGHT = random(2, 5, 3, 4), random(6, 5, seed=1)
AXES = "One score per image and category: (B, C)."


def pooled(pool: nn.Module, X: Tensor, weight: Tensor) -> Tensor:
    """The library's scores."""

    def classifier(T: Tensor) -> Tensor:
        return nn.functional.conv2d(T, weight[:, :, None, None])

    return pool(X, classifier(X), classifier)


@exercise("4.1", "cls_gmp(X, weight)")
def cls_gmp(answer: Answer) -> None:
    """cls -> GMP: scores (B, C) from the strongest position of each map's logits."""
    s = answer.tensor((2, 6), X, WEIGHT, hint=AXES)
    wanted = pooled(ClsGMP(), X, WEIGHT)
    hint = "All scores lie in (0, 1): these were squashed. s_m pools the raw map logits."
    answer.expect("logits", not ((s > 0) & (s < 1)).all(), hint)
    first = (WEIGHT @ X.amax((2, 3)).T).T
    hint = "Here the channels' maxima were classified. They may come from different positions; which comes first?"
    answer.expect("classify, then pool", not close(s, first), hint)
    answer.expect("values", close(s, wanted), "It differs from the library's. Which axes does the maximum run over?")
    hint = "The picture upside down gives other scores, though its strongest position is only elsewhere."
    answer.expect("places", close(answer.tensor((2, 6), X.flip(2), WEIGHT), wanted), hint)
    answer.gradients(lambda X, weight: pooled(ClsGMP(), X, weight), X, WEIGHT)


@exercise("4.2", "gap_cls(X, weight)")
def gap_cls(answer: Answer) -> None:
    """GAP -> cls, standard CAM: scores (B, C) of the mean feature vector."""
    s = answer.tensor((2, 6), X, WEIGHT, hint=AXES)
    wide = X.repeat(1, 1, 2, 1)
    hint = "The picture twice, one above the other, doubles the scores. What is a mean divided by?"
    answer.expect("size", not close(answer.tensor((2, 6), wide, WEIGHT), 2 * s), hint)
    hint = "Twice the features do not give twice the scores. Every step is linear here: what bends it?"
    answer.expect("linear", close(answer.tensor((2, 6), 2 * X, WEIGHT), 2 * s), hint)
    hint = "It differs from the library's. Over which axes is the mean taken, and which axis does the weight meet?"
    answer.expect("values", close(s, pooled(GAPCls(), X, WEIGHT)), hint)
    answer.gradients(lambda X, weight: pooled(GAPCls(), X, weight), X, WEIGHT)


@exercise("4.3", "pointing_hit(m, boxes, size)")
def pointing_hit(answer: Answer) -> None:
    """The pointing game: is the peak of the map m (H', W') inside one of the boxes (x0, y0, x1, y1)?

    Boxes are in pixels of the image, whose size is (width, height); the peak lies at its cell's centre.
    """

    def hit(cell: tuple[int, int], boxes: list[tuple[int, int, int, int]], size: tuple[int, int] = (300, 100)) -> bool:
        m = torch.full((2, 3), 0.1)  # cells of size / (3, 2) pixels
        m[cell] = 0.9
        found = answer(m, boxes, size)
        yes = isinstance(found, bool) or str(getattr(found, "dtype", "")) in ("bool", "torch.bool")
        answer.expect("type", yes and getattr(found, "ndim", 0) == 0, "True or False is wanted.")
        return bool(found)

    right = (200, 0, 300, 50)
    hint = "The map (2, 3) peaks in row 0, column 2, the image is 300 wide and 100 high: the peak is at x 250, y 25, "
    answer.expect("a hit", hit((0, 2), [right]), hint + "inside (200, 0, 300, 50). Which index goes with which side?")
    hint = "The peak at x 50, y 75 is outside (200, 0, 300, 50), and yet it counts as a hit."
    answer.expect("a miss", not hit((1, 0), [right]), hint)
    hint = "The box reaches 40 pixels into the peak's cell, whose centre lies at 50: where in its cell is the peak?"
    answer.expect("centre", not hit((0, 0), [(0, 0, 40, 40)]), hint)
    hint = "The box covers the centre of the peak's cell, not its corner: where in its cell is the peak?"
    answer.expect("centre", hit((1, 1), [(120, 60, 180, 90)]), hint)
    hint = "The peak, at x 50, y 75, is in the second of two boxes. How many of the objects must it hit?"
    answer.expect("any box", hit((1, 0), [right, (0, 60, 90, 100)]), hint)
    hint = "In an image of another size it goes wrong: where do cells become pixels?"
    answer.expect("size", hit((1, 2), [(450, 250, 600, 400)], (600, 400)), hint)
