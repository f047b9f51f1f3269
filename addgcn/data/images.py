"""Opening an image: whatever the file holds, an upright RGB picture comes out, or one clear message."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from addgcn.errors import InputError


def open_image(path: str | Path) -> Image.Image:
    """Decode an image file to RGB, 8 bits, upright.

    - EXIF orientation is applied here, once, and nowhere else: a photograph taken with the camera held
      sideways comes out upright. The released code, like torchvision's COCO loader, opens an image without
      looking at the tag; the two differ on photographs that carry one.
    - Greyscale becomes three equal channels; 16-bit greyscale is scaled to 8 bits, not clipped.
    - CMYK is converted without a colour profile.
    - What is transparent lies over white.
    - Of an animation, the first frame counts.

    Raises:
        InputError: the file is missing, empty, truncated, not an image, a decompression bomb (more pixels
            than `PIL.Image.MAX_IMAGE_PIXELS`), or holds floating-point values.
    """
    path = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a damaged EXIF block and the like do not harm the picture
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                return _to_rgb(ImageOps.exif_transpose(image), path)
        except (InputError, MemoryError):
            raise
        except Exception as error:  # a damaged file makes the decoders raise a dozen kinds of error
            raise InputError(_message(path, error)) from None


def _to_rgb(image: Image.Image, path: Path) -> Image.Image:
    eight = "Save it with 8 or 16 bits per channel."
    if image.mode.startswith("I"):  # 16-bit greyscale: "I;16", or "I" with values that fit into 16 bits
        values = np.asarray(image).astype(np.int64)  # (H, W)
        if values.min() < 0 or values.max() > 65535:
            raise InputError(f"{path} holds values that do not fit into 16 bits. {eight}")
        return Image.fromarray(np.rint(values / 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise InputError(f"{path} holds floating-point values. {eight}")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _message(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path}: there is no such image file. Check the path."
    if path.is_dir():
        return f"{path} is a folder; an image file should be there"
    if isinstance(error, PermissionError):
        return f"{path} cannot be read: permission denied. Check its permissions."
    if isinstance(error, (Image.DecompressionBombWarning, Image.DecompressionBombError)):
        return (
            f"{path} has more than {Image.MAX_IMAGE_PIXELS:,} pixels and is taken for a decompression bomb."
            " Make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it."
        )
    if path.stat().st_size == 0:
        return f"{path} is empty (0 bytes). Copy or download it again, or remove it."
    if isinstance(error, UnidentifiedImageError):
        return f"{path} is not an image that can be read. Replace or remove it."
    return (
        f"{path} is damaged or truncated, or of a kind that cannot be decoded ({error})."
        " Copy or download it again, or remove it."
    )
