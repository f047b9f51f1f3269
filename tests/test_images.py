"""Opening images: the odd ones come out as the right picture, the bad ones as one message with file and remedy."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import check_message, write_coco, write_image
from PIL import Image, PngImagePlugin

from addgcn.data import load, open_image
from addgcn.errors import InputError

# Images that can be read: (mode of the file, format) -> the colours that must come out.

WHITE, BLACK, RED, GREY = (255, 255, 255), (0, 0, 0), (255, 0, 0), (128, 128, 128)


def corner_picture(mode: str) -> Image.Image:
    """2 x 1 pixels in a mode: see `LOOKS` for what they should look like."""
    if mode == "16-bit":
        return Image.fromarray(np.array([[65535, 32896]], dtype=np.uint16))
    if mode == "32-bit, 16 used":
        return Image.fromarray(np.array([[65535, 32896]], dtype=np.int32))
    if mode == "palette+alpha":
        image = Image.new("P", (2, 1))
        image.putpalette([255, 0, 0, 0, 0, 0])
        image.putdata([0, 1])
        image.info["transparency"] = bytes([255, 0])
        return image
    if mode == "palette":
        image = Image.new("P", (2, 1))
        image.putpalette([255, 0, 0, 0, 0, 0])
        image.putdata([0, 1])
        return image
    two: dict[str, list[Any]] = {
        "1": [255, 0],
        "L": [255, 128],
        "LA": [(0, 255), (0, 0)],
        "RGBA": [(255, 0, 0, 255), (0, 0, 0, 0)],
        "CMYK": [(0, 255, 255, 0), (0, 0, 0, 255)],
        "half": [(255, 0, 0, 128), (0, 0, 0, 255)],
        "RGB": [RED, BLACK],
    }
    image = Image.new({"half": "RGBA"}.get(mode, mode), (2, 1))
    image.putdata(two[mode])
    return image


LOOKS = [
    ("RGB", "png", RED, BLACK),
    ("1", "png", WHITE, BLACK),
    ("L", "png", WHITE, GREY),
    ("16-bit", "png", WHITE, GREY),
    ("16-bit", "tiff", WHITE, GREY),
    ("32-bit, 16 used", "tiff", WHITE, GREY),
    ("LA", "png", BLACK, WHITE),
    ("RGBA", "png", RED, WHITE),
    ("half", "png", (255, 127, 127), BLACK),
    ("palette", "png", RED, BLACK),
    ("palette", "gif", RED, BLACK),
    ("palette+alpha", "png", RED, WHITE),
    ("CMYK", "tiff", RED, BLACK),
]


@pytest.mark.parametrize(("mode", "kind", "left", "right"), LOOKS)
def test_odd_images_look_right(tmp_path: Path, mode: str, kind: str, left: tuple, right: tuple) -> None:
    path = tmp_path / f"x.{kind}"
    corner_picture(mode).save(path)
    image = open_image(path)
    assert (image.mode, image.size) == ("RGB", (2, 1))
    assert (image.getpixel((0, 0)), image.getpixel((1, 0))) == (left, right)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    """The usual CMYK file: a JPEG as Adobe writes it, with inverted inks."""
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=95)
    colour = open_image(tmp_path / "x.jpg").getpixel((8, 8))
    assert np.abs(np.array(colour) - RED).max() < 8


def test_rgb_with_a_transparent_colour(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2), BLACK).save(tmp_path / "x.png", transparency=BLACK)
    assert open_image(tmp_path / "x.png").getpixel((0, 0)) == WHITE


def test_16_bit_is_not_clipped(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    Image.fromarray(values).save(tmp_path / "x.png")
    grey = np.asarray(open_image(tmp_path / "x.png"))[:, :, 0].ravel()
    assert grey.tolist() == list(range(256))


@pytest.mark.parametrize(
    ("orientation", "red_at"),
    [(1, (0, 0)), (2, (2, 0)), (3, (2, 1)), (4, (0, 1)), (5, (0, 0)), (6, (1, 0)), (7, (1, 2)), (8, (0, 2))],
)
def test_exif_orientation(tmp_path: Path, orientation: int, red_at: tuple[int, int]) -> None:
    """The stored upper left pixel is where the tag's definition puts it."""
    image = Image.new("RGB", (3, 2), "white")
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "x.png", exif=exif)
    upright = open_image(tmp_path / "x.png")
    assert upright.size == ((3, 2) if orientation < 5 else (2, 3))
    assert upright.getpixel(red_at) == RED
    assert np.asarray(upright).sum(axis=2).min() == 255  # one red pixel, the others white
    assert (np.asarray(upright)[:, :, 1] == 0).sum() == 1


def test_damaged_exif_does_not_matter(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), RED).save(tmp_path / "x.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12")
    assert open_image(tmp_path / "x.png").getpixel((0, 0)) == RED


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
def test_one_pixel_wide(tmp_path: Path, size: tuple[int, int]) -> None:
    from addgcn.data.transforms import eval_transform, train_transform

    write_image(tmp_path / "x.png", size)
    image = open_image(tmp_path / "x.png")
    assert image.size == size
    for transform in (eval_transform(8, (0, 0, 0), (1, 1, 1)), train_transform(8, (0, 0, 0), (1, 1, 1))):
        assert transform(image).shape == (3, 8, 8)


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLACK)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert open_image(tmp_path / "x.gif").getpixel((0, 0)) == RED


# Images that cannot be read


def noise(path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def truncated(path: Path) -> None:
    data = noise(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def header_only(path: Path) -> None:
    path.write_bytes(noise(path).read_bytes()[:20])


def bomb(path: Path, side: int) -> None:
    """A PNG of a few bytes that says it is side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b""))


def text_bomb(path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("k", "a" * (PngImagePlugin.MAX_TEXT_CHUNK + 10), zip=True)
    Image.new("RGB", (2, 2)).save(path, pnginfo=info)


BAD_IMAGES: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "missing": ("x.jpg", lambda path: None, "no such image file. Check the path"),
    "empty": ("x.jpg", lambda path: path.write_bytes(b""), "is empty .* again, or remove"),
    "text": ("x.jpg", lambda path: path.write_text("hello"), "not an image .* Replace or remove"),
    "html": ("x.png", lambda path: path.write_text("<html>404</html>"), "not an image"),
    "truncated jpeg": ("x.jpg", truncated, "damaged or truncated.* again"),
    "truncated png": ("x.png", truncated, "damaged or truncated.* again"),
    "truncated gif": ("x.gif", truncated, "damaged or truncated|not an image"),
    "truncated webp": ("x.webp", truncated, "damaged or truncated|not an image"),
    "truncated tiff": ("x.tiff", truncated, "damaged or truncated|not an image"),
    "truncated bmp": ("x.bmp", truncated, "damaged or truncated"),
    "header of a jpeg": ("x.jpg", header_only, "damaged or truncated|not an image"),
    "header of a png": ("x.png", header_only, "damaged or truncated|not an image"),
    "large bomb": ("x.png", lambda path: bomb(path, 30000), "decompression bomb.*MAX_IMAGE_PIXELS"),
    "small bomb": ("x.png", lambda path: bomb(path, 10000), "decompression bomb.*MAX_IMAGE_PIXELS"),
    "text bomb": ("x.png", text_bomb, "damaged or truncated|not an image"),
    "folder": ("x.jpg", lambda path: path.mkdir(), "is a folder; an image file should be there"),
    "float": ("x.tiff", lambda path: Image.new("F", (2, 2)).save(path), "floating-point values. Save it with 8"),
    "32-bit": ("x.tiff", lambda path: Image.new("I", (2, 2), 70000).save(path), "not fit into 16 bits. Save it"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images(tmp_path: Path, case: str) -> None:
    name, make, message = BAD_IMAGES[case]
    make(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        open_image(tmp_path / name)
    check_message(caught.value, tmp_path / name)


def test_bad_image_in_a_data_set(tmp_path: Path) -> None:
    data = load("coco2017", "train", write_coco(tmp_path))
    data.path(0).write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.jpg is empty"):
        data[0]
