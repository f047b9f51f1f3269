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


def judge_maps(M: Tensor, inside: Tensor) -> dict[str, Tensor]:
    """Maps (K, H', W'), each of one category, and the cells of its objects, which must not be all cells or none.

    Returns:
        For each of `JUDGED` a tensor (K,).
    """
    M, inside = M.flatten(1), inside.flatten(1)  # (K, P)
    within, without = torch.where(inside, M, 0.0).sum(1), torch.where(inside, 0.0, M).sum(1)
    cells = inside.sum(1)
    return {
        "pointing": inside.gather(1, M.argmax(1, keepdim=True))[:, 0].float(),  # the highest cell is inside
        "energy": within / M.sum(1).clamp(min=1e-12),  # what part of the map is
        "area": inside.float().mean(1),  # chance, for both
        "brighter": (within / cells > without / (M.shape[1] - cells)).float(),  # 0: the map is inverted
    }


def cells_of_objects(dataset: MultiLabelDataset, grid: tuple[int, int]) -> Tensor:
    """`cells_inside` for every present category of every image, in this order: (K, H', W')."""
    key = dataset.digest(), grid
    if key not in _cells:
        found = []
        for n, y in enumerate(dataset.targets):
            with Image.open(dataset.path(n)) as image:
                size = image.height, image.width
            objects = dataset.boxes(n)
            for c in (y == 1).nonzero().flatten().tolist():
                found.append(cells_inside([box for k, box in objects if k == c], size, grid))
        _cells[key] = torch.stack(found) if found else torch.zeros(0, *grid, dtype=torch.bool)
    return _cells[key]


_cells: dict[tuple[str, tuple[int, int]], Tensor] = {}  # the same for every model, and slow to read


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
    maps, categories = [], []
    for X, targets in batches:
        M = model.explain_features(X).maps  # (B, C, H', W')
        if M is None:
            return {}
        n, c = (targets == 1).nonzero(as_tuple=True)
        maps.append(M[n, c])  # (number present, H', W')
        categories.append(c)
    M, c = torch.cat(maps), torch.cat(categories)
    inside = cells_of_objects(dataset, (M.shape[1], M.shape[2]))
    cells = inside.flatten(1).sum(1)
    judged = (cells > 0) & (cells < inside[0].numel()) if len(inside) else cells > 0
    if not judged.any():
        return {}
    values, c = judge_maps(M[judged], inside[judged]), c[judged]

    def by_category(value: Tensor) -> list[float | None]:
        return [value[c == k].mean().item() if (c == k).any() else None for k in range(len(dataset.classes))]

    means: dict[str, Any] = {name: value.mean().item() for name, value in values.items()}
    return means | {"maps": len(c), "by_category": {name: by_category(value) for name, value in values.items()}}
