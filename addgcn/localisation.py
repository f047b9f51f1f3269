"""The paper's figure 4 as a statistic: do the activation maps lie on the objects? No training here sees a box.

Each map of a present category is judged by the boxes of that category: its highest position lies in one (the pointing
game of Zhang et al., 2016), what part of its energy does, and whether it is brighter inside than outside at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .data import MultiLabelDataset
from .data.base import Box

JUDGED = ("pointing", "energy", "area", "brighter")


def cells_inside(boxes: Iterable[Box], size: tuple[int, int], grid: Sequence[int]) -> Tensor:
    """Which cells of a map reach into a box, that is: have their centre in it or less than half a cell away.

    Args:
        boxes: (x0, y0, x1, y1) in pixels.
        size, grid: (height, width) of the image in pixels, and of the map in cells.

    Returns:
        bool (H', W').
    """
    y, x = ((torch.arange(n) + 0.5) * s / n for n, s in zip(grid, size, strict=True))
    dy, dx = (s / n / 2 for n, s in zip(grid, size, strict=True))
    inside = torch.zeros(tuple(grid), dtype=torch.bool)
    for x0, y0, x1, y1 in boxes:
        rows, columns = (y > y0 - dy) & (y < y1 + dy), (x > x0 - dx) & (x < x1 + dx)
        inside |= rows[:, None] & columns[None, :]
    return inside


def judge_map(m: Tensor, inside: Tensor) -> dict[str, float]:
    """One map (H', W') and the cells of its category's objects, which must not be all cells or none."""
    return {
        "pointing": float(inside.flatten()[m.argmax()]),  # the highest cell is inside
        "energy": float(m[inside].sum() / m.sum().clamp(min=1e-12)),  # what part of the map is
        "area": float(inside.float().mean()),  # chance, for both
        "brighter": float(m[inside].mean() > m[~inside].mean()),  # 0: the map is inverted
    }


@torch.no_grad()
def localisation(model: Any, batches: Iterable[tuple[Tensor, Tensor]], dataset: MultiLabelDataset) -> dict[str, Any]:
    """Means over every map of a present category, and the same for each category.

    Args:
        batches: features X (B, D, H', W') and targets (B, C) of the data set's images, in its order.

    Returns:
        For each of `JUDGED` the mean over maps; "maps", how many; "by_category": for each of the four a list (C,),
        None where a category has no map that could be judged. Nothing for a model without maps.

    Raises:
        InputError: the data set has no boxes.
    """
    model.eval()
    found: list[list[dict[str, float]]] = [[] for _ in dataset.classes]
    n = 0
    for X, targets in batches:
        M = model.explain_features(X).maps  # (B, C, H', W')
        if M is None:
            return {}
        for maps, y in zip(M, targets, strict=True):
            with Image.open(dataset.path(n)) as image:
                size = image.height, image.width
            objects = dataset.boxes(n)
            for c in (y == 1).nonzero().flatten().tolist():
                inside = cells_inside([box for k, box in objects if k == c], size, maps.shape[1:])
                if inside.any() and not inside.all():
                    found[c].append(judge_map(maps[c], inside))
            n += 1
    together = [row for rows in found for row in rows]
    if not together:
        return {}

    def mean(rows: list[dict[str, float]], name: str) -> float | None:
        return sum(row[name] for row in rows) / len(rows) if rows else None

    by_category = {name: [mean(rows, name) for rows in found] for name in JUDGED}
    return {**{name: mean(together, name) for name in JUDGED}, "maps": len(together), "by_category": by_category}
