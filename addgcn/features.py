"""A frozen backbone's features are computed once and kept on disk, for every image and its mirror image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from .arrays import read_array, write_array
from .data import MultiLabelDataset, cache_dir
from .data.transforms import eval_transform, normalise


class FeatureDataset(Dataset):
    """Feature maps X (D, H', W') in the place of images, with the same targets.

    Args:
        features: (K, N, D, H', W'), memory-mapped; K = 2 where the mirrored images are in it, else 1.
        targets: (N, C).
        flip: whether an item is the mirror image every other time, by torch's random numbers.
    """

    def __init__(self, features: np.ndarray, targets: Tensor, flip: bool) -> None:
        self.features, self.targets = features, targets
        self.flip = flip and len(features) == 2

    def __len__(self) -> int:
        return self.features.shape[1]

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        k = int(torch.rand(()) < 0.5) if self.flip else 0
        return torch.from_numpy(self.features[k, i].copy()), self.targets[i]


def cached_features(
    backbone: Any,  # an nn.Module with out_channels, mean and std
    dataset: MultiLabelDataset,
    size: int,
    mirror: bool = False,
    device: torch.device | str = "cpu",
    batch_size: int = 32,
    folder: Path | None = None,
) -> FeatureDataset:
    """The backbone's feature maps of a whole split at `size` pixels, from the cache or computed now.

    Args:
        mirror: also of the mirrored images; the result then flips at random.
        folder: where the cache is; by default `features/` in `addgcn.data.cache_dir()`.

    Raises:
        InputError: the features would not fit on the disk, or the folder cannot be written.
    """
    folder = folder or cache_dir() / "features"
    path = folder / f"{_key(backbone, dataset, size, mirror)}.npy"
    if not path.exists():
        _compute(path, backbone, dataset, size, mirror, torch.device(device), batch_size)
    return FeatureDataset(read_array(path, "the frozen backbone's features"), dataset.targets, mirror)


@torch.no_grad()
def _compute(
    path: Path,
    backbone: Any,
    dataset: MultiLabelDataset,
    size: int,
    mirror: bool,
    device: torch.device,
    batch_size: int,
) -> None:
    was, dataset.transform = dataset.transform, eval_transform(size)
    mode = backbone.training
    backbone = backbone.to(device, memory_format=torch.channels_last).eval()
    one = backbone(torch.zeros(1, 3, size, size, device=device))  # (1, D, H', W')

    def parts() -> Iterator[tuple[Any, np.ndarray]]:
        start = 0
        loader = DataLoader(dataset, batch_size, num_workers=0)
        for pixels, _ in tqdm(loader, desc=f"features of {dataset.name} {dataset.split}", unit="batch", leave=False):
            images = normalise(pixels.to(device), backbone.mean, backbone.std)  # (B, 3, H, W)
            images = images.to(memory_format=torch.channels_last)
            for k in range(1 + mirror):
                X = backbone(images.flip(3) if k else images)  # (B, D, H', W')
                yield (k, slice(start, start + len(X))), X.float().cpu().numpy()
            start += len(images)

    shape = (1 + mirror, len(dataset), *one.shape[1:])
    advice = "set ADDGCN_CACHE to another disk, use fewer images, or train the backbone too (lr_trunk > 0)."
    try:
        write_array(path, "the frozen backbone's features", shape, np.float32, parts(), advice)
    finally:
        dataset.transform = was
        backbone.train(mode)


def _key(backbone: Any, dataset: MultiLabelDataset, size: int, mirror: bool) -> str:
    """A digest of everything that the features depend on."""
    digest = hashlib.sha256(f"{type(backbone).__name__} {backbone} {size} {mirror} {dataset.digest()}".encode())
    digest.update(f"{backbone.mean} {backbone.std}".encode())
    for name, tensor in backbone.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return digest.hexdigest()[:32]
