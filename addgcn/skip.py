"""Training images that cannot be read: named and counted, and passed over where that is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from .data import MultiLabelDataset
from .errors import InputError

BAD_IMAGES = "bad_images.txt"


class SkipBad(Dataset):
    """A training split in which an image that cannot be read is one that says nothing.

    It stays in its batch, lest the batches be others: a picture of the backbone's mean colour, whose targets are all
    ignored (-1), so that it adds no loss and no gradient of its own. Only batch normalisation sees it. What was wrong
    is written to `bad_images.txt` in the run folder, a line for each time it was met, from whichever process.

    Args:
        items: the split, with its transform.
        size: side of the square image.
        mean: the backbone's, per channel, for values in 0..1.
        out: the run folder.
    """

    def __init__(self, items: MultiLabelDataset, size: int, mean: Sequence[float], out: Path) -> None:
        self.items, self.path = items, out / BAD_IMAGES
        self.nothing = (torch.tensor(mean) * 255).round().to(torch.uint8).view(3, 1, 1).repeat(1, size, size)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> tuple[Any, Tensor]:
        try:
            return self.items[i]
        except InputError as error:
            line = f"{self.items.ids[i]}\t{error}\n".encode()
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(file, line)  # in one piece, so lines of several processes do not mix
            finally:
                os.close(file)
            return self.nothing, torch.full_like(self.items.targets[i], -1)


def bad_images(out: Path) -> list[str]:
    """The ids of the images that a run has skipped until now, in the order of their names."""
    path = out / BAD_IMAGES
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return sorted({line.split("\t")[0] for line in lines})
