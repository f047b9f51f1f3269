"""From a PIL image to the tensor that a network takes, for training and for evaluation (torchvision's v2).

Given a mean and a standard deviation the transforms end with normalised float32. Without them they end with uint8,
which are a quarter of the bytes, and `normalise` does the rest where the model is: so it is in training, where the
processes that read images are the first to have too much to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode, v2

from addgcn.errors import InputError, check_name

#: The augmentations of `train_transform`.
AUGMENTATIONS = ("multiscale", "flip", "none")


def train_transform(
    size: int,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    augment: str = "multiscale",
) -> v2.Compose:
    """PIL image in RGB -> float32 (3, size, size), or uint8 without a mean, for training.

    - "multiscale": what the paper's results were trained with (section 4.2 and the released code): squash to
      (size + margin)^2, crop by `MultiScaleCrop`, resize to size^2, flip left to right half of the time.
      The margin is 64 pixels at size 448, as in the released code, and a seventh of the size at any other;
      the released code adds 64 at every size, which would double a scene of 64 pixels.
    - "flip": squash to size^2 and flip half of the time.
    - "none": squash to size^2, as `eval_transform` does.

    To squash is to resize to a square whatever the shape of the photograph. All randomness comes from
    torch's default generator, so `torch.manual_seed` fixes it.

    Args:
        size: side of the square in pixels.
        mean, std: per channel, for values in 0..1; those of the backbone, `backbone.mean` and `.std`. None for uint8.
        augment: one of the three names.

    Raises:
        InputError: unknown `augment`, or a size below 1.
    """
    check_name("augmentation", augment, AUGMENTATIONS)
    flip = v2.RandomHorizontalFlip(0.5)
    steps: dict[str, list[nn.Module]] = {
        "multiscale": [MultiScaleCrop(size), flip],
        "flip": [flip],
        "none": [],
    }
    return v2.Compose([squash(squashed_size(size, augment)), *steps[augment], *_to_tensor(mean, std)])


def squashed_size(size: int, augment: str) -> int:
    """The side of the square in pixels that the images are squashed to before they are augmented."""
    return size + round(size * 64 / 448) if augment == "multiscale" else size


def eval_transform(size: int, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> v2.Compose:
    """PIL image in RGB -> float32 (3, size, size), or uint8 without a mean, for evaluation: squash, normalise.

    Args and errors as in `train_transform`.
    """
    return v2.Compose([squash(size), *_to_tensor(mean, std)])


class MultiScaleCrop(nn.Module):
    """Cut out one of a fixed set of rectangles and resize it to size^2 (the released code's augmentation).

    The sides of the rectangle are `scales` times the image's shorter side, width and height drawn together
    from `crop_sizes`: pairs whose places in `scales` are at most `max_distort` apart, so that the crop is not
    too far from a square. Its place is one of the 13 of `offsets`. Every pair is equally likely, and so is
    every place.

    Args:
        size: side of the square that comes out, in pixels.
        scales: of the image's shorter side, in descending order.
        max_distort: how far apart the scales of width and height may be, counted in places.
    """

    def __init__(
        self,
        size: int,
        scales: Sequence[float] = (1, 0.875, 0.75, 0.66, 0.5),
        max_distort: int = 2,
    ) -> None:
        super().__init__()
        self.size = size
        self.scales = tuple(scales)
        self.max_distort = max_distort

    def crop_sizes(self, width: int, height: int) -> list[tuple[int, int]]:
        """The (width, height) pairs that may be cut from an image of this size, in pixels: 19 by default."""
        sides = [max(1, int(min(width, height) * scale)) for scale in self.scales]  # rounded down, as released
        return [(w, h) for i, w in enumerate(sides) for j, h in enumerate(sides) if abs(i - j) <= self.max_distort]

    def offsets(self, width: int, height: int, crop: tuple[int, int]) -> list[tuple[int, int]]:
        """The 13 upper left corners (x, y) that a crop (w, h) may have in an image of this size, in pixels.

        In quarters of the room that is left: the nine places of a 3 x 3 grid (corners, middles of the sides,
        centre), then the four quarter points between them.
        """
        step_x, step_y = (width - crop[0]) // 4, (height - crop[1]) // 4
        grid = [(x, y) for y in (0, 2, 4) for x in (0, 2, 4)]
        quarters = [(x, y) for y in (1, 3) for x in (1, 3)]
        return [(x * step_x, y * step_y) for x, y in grid + quarters]

    def forward(self, image: Image.Image) -> Image.Image:
        sizes = self.crop_sizes(*image.size)
        w, h = sizes[int(torch.randint(len(sizes), ()))]
        places = self.offsets(*image.size, (w, h))
        x, y = places[int(torch.randint(len(places), ()))]
        crop = image.crop((x, y, x + w, y + h))
        return crop.resize((self.size, self.size), Image.Resampling.BILINEAR)


def squash(size: int) -> nn.Module:
    """Resize to size^2, whatever the shape of the image. One that has this size stays as it is.

    Raises:
        InputError: a size below 1.
    """
    if size < 1:
        raise InputError(f"an image size of {size} pixels is not possible; give 1 or more")
    return v2.Resize((size, size), InterpolationMode.BILINEAR)


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 images (..., 3, H, W) -> float32, scaled to 0..1 and normalised, on the device they are on.

    Images of another type have been normalised before, and stay as they are.
    """
    if images.dtype != torch.uint8:
        return images
    return v2.functional.normalize(v2.functional.to_dtype(images, torch.float32, scale=True), list(mean), list(std))


def _to_tensor(mean: Sequence[float] | None, std: Sequence[float] | None) -> list[nn.Module]:
    if mean is None or std is None:
        return [_Bytes()]  # uint8 (3, size, size)
    return [_Bytes(), v2.Lambda(partial(normalise, mean=mean, std=std))]


class _Bytes(v2.PILToTensor):
    """PIL image -> uint8 (3, H, W); any other input is an error here rather than passing through."""

    def forward(self, image: Image.Image) -> Tensor:
        if not isinstance(image, Image.Image) or image.mode != "RGB":
            raise InputError(f"a PIL image in RGB is needed, not {type(image).__name__}; open_image gives one")
        return super().forward(image)
