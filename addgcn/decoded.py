"""Images that are decoded once and kept on disk as pixels: a JPEG takes longer to decode than a crop to cut."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from .arrays import read_array, write_array
from .data import MultiLabelDataset, cache_dir
from .data.transforms import squash
from .errors import InputError


class DecodedOnce(Dataset):
    """A split whose images come from a file of pixels, decoded and squashed the first time, and not again.

    The transforms of `addgcn.data.transforms` begin with a squash to a square. If it is of `size`, it leaves the kept
    images as they are, so that every item is bit for bit the one that decoding gives.

    Args:
        dataset: the split. Its transform is taken over.
        size: the side of the square in pixels, see `addgcn.data.transforms.squashed_size`. An image takes 3 size^2
            bytes.
        workers: processes that decode.
        folder: where the file is kept; by default `decoded/` in `addgcn.data.cache_dir()`.

    Raises:
        InputError: an image cannot be read; the file would not fit on the disk, or cannot be written; or it is damaged.
    """

    def __init__(self, dataset: MultiLabelDataset, size: int, workers: int = 0, folder: Path | None = None) -> None:
        folder = folder or cache_dir() / "decoded"
        self.path = folder / f"{hashlib.sha256(f'{size} {dataset.digest()}'.encode()).hexdigest()[:32]}.npy"
        self.transform: Callable[[Any], Any] | None = dataset.transform
        self.targets = dataset.targets
        if not self.path.exists():
            _decode(self.path, dataset, size, workers)
        self.pixels = self.open()
        if self.pixels.shape != (len(dataset), size, size, 3):
            raise InputError(f"the decoded images {self.path} are damaged: remove the file.")

    def open(self) -> np.ndarray:
        """The pixels (N, size, size, 3), uint8, memory-mapped."""
        return read_array(self.path, "the decoded images")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "pixels": None}  # a worker that is not forked maps the file anew, and is not sent it

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.pixels = self.open()

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> tuple[Any, Tensor]:
        image = Image.fromarray(self.pixels[i])
        return (image if self.transform is None else self.transform(image)), self.targets[i]


def _decode(path: Path, dataset: MultiLabelDataset, size: int, workers: int) -> None:
    to_square = squash(size)
    was, dataset.transform = dataset.transform, lambda image: torch.from_numpy(np.array(to_square(image)))  # (S, S, 3)

    def parts() -> Iterator[tuple[slice, np.ndarray]]:
        loader = DataLoader(dataset, 16, num_workers=min(workers, os.cpu_count() or 1))
        for n, (images, _) in enumerate(tqdm(loader, f"decoding {dataset.name} {dataset.split}", leave=False)):
            yield slice(16 * n, 16 * n + len(images)), images.numpy()

    advice = "set ADDGCN_CACHE to another disk, or leave decode_once away."
    try:
        write_array(path, "the decoded images", (len(dataset), size, size, 3), np.uint8, parts(), advice)
    finally:
        dataset.transform = was
