"""What the training loop is fed: splits, seeded orders, seeded augmentation, cached features."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import Tensor, nn
from torch.utils.data import Dataset, Sampler

from .data import MultiLabelDataset, check_labelled, check_same_classes, load
from .data.transforms import eval_transform, normalise, squashed_size, train_transform
from .decoded import DecodedOnce
from .errors import InputError
from .features import cached_features
from .recipes import Model, Recipe

# The splits the literature trains on and reports. COCO's and VOC 2012's test labels are not public.
TRAIN_SPLIT = {"scenes": "train", "coco2014": "train", "coco2017": "train", "voc2007": "trainval", "voc2012": "train"}
EVAL_SPLIT = {"scenes": "id", "coco2014": "val", "coco2017": "val", "voc2007": "test", "voc2012": "val"}


def start_accelerator(precision: str = "no", accumulate: int = 1) -> Accelerator:
    """What knows the device, the precision and the other processes; several come from `torchrun`.

    Raises:
        InputError: the device cannot do this precision.
    """
    # accelerate keeps one state per Python process, but a notebook may train several times in one: with another
    # precision, or after a run that was stopped in the middle of a loader
    AcceleratorState._reset_state()
    GradientState._reset_state()
    # without a GPU, processes find each other only if accelerate is told that the processor is meant
    cpu = int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.accelerator.is_available()
    try:
        accelerator = Accelerator(cpu=cpu, mixed_precision=precision, gradient_accumulation_steps=accumulate)
    except ValueError as error:
        raise InputError(f"precision={precision!r} does not work here: {error}") from error
    if precision == "fp16" and accelerator.scaler is None:  # it would go on in float32, and say nothing
        raise InputError(f"precision='fp16' needs a GPU; on {accelerator.device.type}, take 'bf16' or 'no'.")
    return accelerator


def open_data(
    recipe: Recipe, data: str, root: str | Path | None, train_split: str | None, eval_split: str | None
) -> tuple[MultiLabelDataset, MultiLabelDataset]:
    """The two splits; with `recipe.holdout` the second is a part of the first, drawn by the seed.

    `recipe.limit` leaves that many images to train on, or all, if there are fewer.

    Raises:
        InputError: no such data or split, one without labels, other classes in the second, or a holdout beside a
            split of its own.
    """
    if recipe.holdout > 0 and eval_split is not None:
        raise InputError(f"holdout={recipe.holdout} evaluates on a part of the training split, not on {eval_split!r}.")
    train_set = load(data, train_split or TRAIN_SPLIT.get(data, "train"), root)
    check_labelled(train_set)
    if recipe.holdout > 0:
        order = np.random.default_rng([recipe.seed, 1]).permutation(len(train_set))
        cut = min(max(1, round(recipe.holdout * len(train_set))), len(train_set) - 1)
        rest, held_out = sorted(order[cut:].tolist()), sorted(order[:cut].tolist())
        return limited(train_set.subset(rest), recipe), train_set.subset(held_out, split="holdout")
    eval_set = load(data, eval_split or EVAL_SPLIT.get(data, "val"), root)
    check_labelled(eval_set)
    check_same_classes(train_set, eval_set)
    return limited(train_set, recipe), eval_set


def limited(dataset: MultiLabelDataset, recipe: Recipe) -> MultiLabelDataset:
    """So many of its images as `recipe.limit` says, drawn by the seed."""
    if not 0 < recipe.limit < len(dataset):
        return dataset
    order = np.random.default_rng([recipe.seed, 3]).permutation(len(dataset))
    return dataset.subset(sorted(order[: recipe.limit].tolist()))


def items(
    recipe: Recipe,
    model: Model,
    train_set: MultiLabelDataset,
    eval_set: MultiLabelDataset,
    accelerator: Accelerator,
) -> tuple[Any, Any]:
    """Images through their transforms, decoded once if the recipe says so; of a frozen backbone, cached features."""
    backbone, test_size = model.backbone, recipe.test_size or recipe.size
    if recipe.frozen:
        with accelerator.main_process_first():
            mirror = recipe.augment == "flip"
            where = accelerator.device
            return (
                cached_features(backbone, train_set, recipe.size, mirror, device=where),
                cached_features(backbone, eval_set, test_size, device=where),
            )
    train_set.transform = train_transform(recipe.size, augment=recipe.augment)  # uint8, see FromPixels
    eval_set.transform = eval_transform(test_size)
    if not recipe.decode_once:
        return train_set, eval_set
    with accelerator.main_process_first():
        return (
            DecodedOnce(train_set, squashed_size(recipe.size, recipe.augment), recipe.workers),
            DecodedOnce(eval_set, test_size, recipe.workers),
        )


class EpochSampler(Sampler[int]):
    """A new order in every epoch, from the seed. Yields epoch * N + i, so that a worker knows the epoch too."""

    def __init__(self, length: int, seed: int) -> None:
        self.length, self.seed, self.epoch = length, seed, 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self.seed, 2, self.epoch]).permutation(self.length)
        return iter((self.epoch * self.length + order).tolist())


class SeededItems(Dataset):
    """Items whose augmentation depends on (seed, epoch, image) alone, whichever process makes them."""

    def __init__(self, items: Dataset, seed: int) -> None:
        self.items, self.seed = items, seed

    def __len__(self) -> int:
        return len(self.items)  # type: ignore[arg-type]

    def __getitem__(self, key: int) -> Any:
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would seed every device, too, which takes a millisecond: longer than the item
            torch.default_generator.manual_seed((self.seed << 40) + key)
            return self.items[key % len(self)]


def batches(loader: Iterable[Any]) -> Iterator[Any]:
    """The batches of a loader. Bad input that one of its workers met comes without the worker's traceback."""
    try:
        yield from loader
    except InputError as error:
        raise InputError(str(error).rsplit("InputError: ", 1)[-1].strip()) from None


class FromPixels(nn.Module):
    """The model from images as they come from the disk: uint8 (B, 3, H, W) -> scores (B, C).

    They are normalised here, on the model's device: a quarter of the bytes goes there, and the processes that read
    images have less to do.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(normalise(images, self.model.backbone.mean, self.model.backbone.std))  # type: ignore


class FromFeatures(nn.Module):
    """The model without its backbone: feature maps X (B, D, H', W') -> scores (B, C)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, X: Tensor) -> Tensor:
        return self.model.from_features(X)  # type: ignore[operator]


def from_batches(recipe: Recipe, model: Model) -> nn.Module:
    """The model as a module from what `items` gives to scores (B, C)."""
    return FromFeatures(model) if recipe.frozen else FromPixels(model)


def synchronised(model: nn.Module, accelerator: Accelerator) -> nn.Module:
    """The head's batch normalisation over the batches of all processes, where there are several with a GPU each.

    So N processes do to the released wiring what one with an N times larger batch does. The backbone's hundred layers
    keep to their own process's images: each would be a wait for all the others. On CPUs torch has no such layer.
    """
    if accelerator.num_processes > 1 and accelerator.device.type == "cuda":
        for name, part in model.named_children():
            if name != "backbone":
                setattr(model, name, nn.SyncBatchNorm.convert_sync_batchnorm(part))
    return model
