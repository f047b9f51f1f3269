"""The playground's pictures: the drawn objects and places as PNG files, and scenes composed of them as on the page.

A scene is a place and a list of objects `{"name", "x", "y", "scale", "flip"}`, painted in that order; x and y are where
the middle of an object's foot stands, as shares of the image. It is composed at 512 x 512 and then averaged in blocks
of 8 x 8 to the 64 x 64 pixels that the model sees. The training scenes are composed at 128 and averaged in blocks of
2 x 2, so the pixels differ by what hard edges make of a part of a pixel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from addgcn.data.scenes import CLASSES, SCENES
from addgcn.data.scenes.backgrounds import draw_background
from addgcn.data.scenes.compose import SIZE
from addgcn.data.scenes.draw import Traced, paint, trace
from addgcn.data.scenes.objects import draw_object

CANVAS, INPUT = 512, 64  # pixels of the composed scene, and of what the model sees
LONGEST = 320  # pixels of an object's longer side
FINER = 4  # the renderer has hard edges; they are averaged over so many pixels
SEED = 0  # of how the objects and the places look

Scene = dict[str, Any]


def thing(name: str, x: float, y: float, scale: float = 1.1, flip: bool = False) -> dict[str, Any]:
    return {"name": name, "x": x, "y": y, "scale": scale, "flip": flip}


# The scenes that the page begins with: the company of the paper's figure 1, in one street.
CASES: dict[str, Scene] = {
    "car-and-truck": {
        "title": "Car with truck",
        "place": "street",
        "objects": [thing("truck", 0.34, 0.8), thing("car", 0.68, 0.94)],
    },
    "car-and-toilet": {
        "title": "Car with toilet",
        "place": "street",
        "objects": [thing("toilet", 0.28, 0.82), thing("car", 0.68, 0.94)],
    },
    "truck-alone": {"title": "Truck alone", "place": "street", "objects": [thing("truck", 0.48, 0.88)]},
}


def render(traced: Traced, width: int, height: int) -> np.ndarray:
    """Painted over nothing: (height, width, 4) uint8, the colour not darkened towards the edges."""
    side = FINER * max(width, height)
    canvas = Image.new("RGBA", (side, side))
    paint(ImageDraw.Draw(canvas), traced, 255)
    fine = np.asarray(canvas, np.float64)[: FINER * height, : FINER * width]
    alpha = fine[..., 3:] / 255
    blocks = (height, FINER, width, FINER, -1)
    cover = alpha.reshape(blocks).mean((1, 3))  # (height, width, 1)
    colour = (fine[..., :3] * alpha).reshape(blocks).mean((1, 3)) / np.maximum(cover, 1e-9)
    return np.rint(np.concatenate([colour, 255 * cover], 2)).astype(np.uint8)


def sprite(name: str, seed: int = SEED) -> np.ndarray:
    """An object as the renderer draws it, its longer side `LONGEST` pixels: (h, w, 4) uint8."""
    category = CLASSES.index(name)
    traced = trace(draw_object(category, np.random.default_rng([seed, category]))).unit()
    x0, y0, x1, y1 = traced.bounds()
    width, height = (max(1, round(LONGEST * length)) for length in (x1 - x0, y1 - y0))  # the longer one is 1
    return render(traced.moved(-x0, -y0), width, height)


def background(place: str, seed: int = SEED) -> np.ndarray:
    """A place as the renderer draws it: (512, 512, 3) uint8."""
    number = SCENES.index(place)
    return render(trace(draw_background(number, np.random.default_rng([seed, 100 + number]))), CANVAS, CANVAS)[..., :3]


def write_pictures(folder: Path) -> dict[str, Any]:
    """All of them as PNG files, and what the page must know: each one's file and its size at scale 1."""
    folder.mkdir(parents=True, exist_ok=True)
    objects, places = {}, {}
    for name in CLASSES:
        pixels, file = sprite(name), f"{name.replace(' ', '-')}.png"
        Image.fromarray(pixels).save(folder / file, optimize=True)
        height, width = pixels.shape[:2]
        k = SIZE[name] / max(height, width)
        objects[name] = {"file": f"{folder.name}/{file}", "width": round(width * k, 4), "height": round(height * k, 4)}
    for place in SCENES:
        file = f"place-{place.replace(' ', '-')}.png"
        Image.fromarray(background(place)).quantize(255, dither=Image.Dither.NONE).save(folder / file, optimize=True)
        places[place] = {"file": f"{folder.name}/{file}"}
    return {"objects": objects, "places": places}


def compose(scene: Scene, about: dict[str, Any], folder: Path) -> np.ndarray:
    """The scene from the PNG files: (512, 512, 3) uint8. The page does the same with the browser's own scaling."""
    with Image.open(folder / about["places"][scene["place"]]["file"]) as file:
        image = file.convert("RGBA")
    for placed in scene["objects"]:
        shape = about["objects"][placed["name"]]
        with Image.open(folder / shape["file"]) as file:
            picture = file.convert("RGBA")
        width, height = (max(1, round(CANVAS * placed["scale"] * shape[side])) for side in ("width", "height"))
        if placed["flip"]:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        left, top = round(CANVAS * placed["x"] - width / 2), round(CANVAS * placed["y"] - height)
        layer = Image.new("RGBA", image.size)
        layer.paste(picture.resize((width, height), Image.Resampling.BOX), (left, top))
        image = Image.alpha_composite(image, layer)
    return np.asarray(image.convert("RGB"))


def reduce(scene: np.ndarray) -> np.ndarray:
    """Averaged to what the model sees, (64, 64, 3) uint8; halves are rounded up."""
    k = CANVAS // INPUT
    return np.floor(scene.reshape(INPUT, k, INPUT, k, 3).mean((1, 3)) + 0.5).astype(np.uint8)
