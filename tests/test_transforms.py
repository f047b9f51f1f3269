"""The transforms: shapes, values, the thirteen places of a crop, and where the randomness comes from."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from PIL import Image

from addgcn.data.transforms import AUGMENTATIONS, MultiScaleCrop, eval_transform, normalise, train_transform
from addgcn.errors import InputError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def picture(width: int = 90, height: int = 50) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_eval_transform_values() -> None:
    """An image of the right size passes through unchanged but for (x / 255 - mean) / std."""
    image = picture(32, 32)
    x = eval_transform(32, MEAN, STD)(image)
    assert x.dtype == torch.float32
    assert type(x) is torch.Tensor
    wanted = (np.asarray(image) / 255 - np.array(MEAN)) / np.array(STD)  # (32, 32, 3)
    np.testing.assert_allclose(x.permute(1, 2, 0).numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_without_a_mean_the_pixels_are_left_to_be_normalised_later(augment: str) -> None:
    """To the bit, whether one image or a batch is normalised; images that are floats already stay as they are."""
    images = [picture(37, 50), picture(64, 32)]
    for bare, whole in (
        (eval_transform(32), eval_transform(32, MEAN, STD)),
        (train_transform(32, augment=augment), train_transform(32, MEAN, STD, augment)),
    ):
        torch.manual_seed(0)
        pixels = torch.stack([bare(image) for image in images])  # (2, 3, 32, 32)
        torch.manual_seed(0)
        wanted = torch.stack([whole(image) for image in images])
        assert pixels.dtype == torch.uint8
        assert type(pixels) is torch.Tensor
        assert torch.equal(normalise(pixels, MEAN, STD), wanted)
        assert normalise(wanted, MEAN, STD) is wanted


def test_eval_transform_squashes() -> None:
    """The whole photograph is in, whatever its shape: left half black, right half white stays so."""
    image = Image.new("RGB", (400, 20), "black")
    image.paste("white", (200, 0, 400, 20))
    x = eval_transform(16, (0, 0, 0), (1, 1, 1))(image)
    assert x.shape == (3, 16, 16)
    assert x[:, :, :7].max() == 0
    assert x[:, :, 9:].min() == 1


@pytest.mark.parametrize("augment", AUGMENTATIONS)
@pytest.mark.parametrize("size", [1, 64, 65])
def test_train_transform(augment: str, size: int) -> None:
    transform = train_transform(size, MEAN, STD, augment)
    x = transform(picture())
    assert x.shape == (3, size, size)
    assert x.dtype == torch.float32


@pytest.mark.parametrize("augment", ["multiscale", "flip"])
def test_randomness_is_torchs(augment: str) -> None:
    transform = train_transform(32, MEAN, STD, augment)
    image = picture()
    draws: list[int] = []

    def draw(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        random.seed(len(draws))  # the other generators do not matter
        np.random.seed(len(draws))  # noqa: NPY002
        draws.append(seed)
        return [transform(image) for _ in range(6)]

    first, again, other = draw(0), draw(0), draw(3)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert any(not torch.equal(first[0], a) for a in first)


def test_flip_is_a_mirror() -> None:
    image = picture(16, 16)
    plain = train_transform(16, MEAN, STD, "none")(image)
    seen = [train_transform(16, MEAN, STD, "flip")(image) for _ in range(40)]
    mirrored = sum(torch.equal(x, plain.flip(-1)) for x in seen)
    assert mirrored + sum(torch.equal(x, plain) for x in seen) == 40
    assert 5 < mirrored < 35


@pytest.mark.parametrize(("size", "squashed"), [(448, 512), (224, 256), (64, 73), (576, 658)])
def test_margin(size: int, squashed: int) -> None:
    assert train_transform(size, MEAN, STD).transforms[0].size == [squashed, squashed]


def test_crop_sizes() -> None:
    crop = MultiScaleCrop(448)
    sizes = crop.crop_sizes(512, 512)
    sides = [512, 448, 384, 337, 256]  # 512 times 1, .875, .75, .66, .5, rounded down
    wanted = {(512, 512), (512, 448), (512, 384), (448, 337), (448, 512), (384, 256), (337, 256), (256, 256)}
    assert wanted <= set(sizes)
    assert len(sizes) == len(set(sizes)) == 19  # 5 + 2 * 4 + 2 * 3
    assert {side for pair in sizes for side in pair} == set(sides)
    assert (512, 337) not in sizes
    assert (256, 448) not in sizes
    assert len(MultiScaleCrop(448, max_distort=0).crop_sizes(512, 512)) == 5
    assert max(MultiScaleCrop(8).crop_sizes(100, 40)) == (40, 40)  # of the shorter side


def test_offsets() -> None:
    crop = MultiScaleCrop(448)
    places = crop.offsets(512, 512, (256, 448))  # 256 and 64 pixels of room: quarters of 64 and 16
    corners = {(0, 0), (256, 0), (0, 64), (256, 64)}
    sides = {(128, 0), (128, 64), (0, 32), (256, 32)}
    quarters = {(64, 16), (192, 16), (64, 48), (192, 48)}
    assert len(places) == 13
    assert set(places) == corners | sides | quarters | {(128, 32)}
    assert set(crop.offsets(512, 512, (512, 512))) == {(0, 0)}


def test_crop_takes_one_of_its_places() -> None:
    """Every crop of a coordinate image starts at one of the places and has one of the sizes."""
    y, x = np.mgrid[0:40, 0:40]
    image = Image.fromarray(np.stack([x, y, 0 * x], axis=-1).astype(np.uint8))
    crop = MultiScaleCrop(200)  # enlarged, so that the corners keep their colour
    allowed = {
        (px, py, px + w - 1, py + h - 1) for w, h in crop.crop_sizes(40, 40) for px, py in crop.offsets(40, 40, (w, h))
    }
    torch.manual_seed(0)
    seen = set()
    for _ in range(300):
        out = np.asarray(crop(image))
        seen.add((*out[0, 0, :2].tolist(), *out[-1, -1, :2].tolist()))
    assert seen <= allowed
    assert len(seen) > 80


def test_tiny_image() -> None:
    assert MultiScaleCrop(4)(Image.new("RGB", (1, 1))).size == (4, 4)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="'multiscale'"):
        train_transform(64, MEAN, STD, "multi-scale")
    with pytest.raises(InputError, match="0 pixels"):
        eval_transform(0, MEAN, STD)
    with pytest.raises(InputError, match="RGB"):
        eval_transform(8, MEAN, STD)(Image.new("L", (8, 8)))
