"""A whole scene from a seed: objects placed before a background, painted, blurred and made noisy.

The layout is judged at one fixed size, so a scene is the same at every size it is rendered at. Every label
an image was given is kept: a layout that hides one of them is drawn again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .backgrounds import draw_background
from .draw import Box, Traced, paint, trace
from .labels import CLASSES, SCENES, draw_labels, stream
from .objects import draw_object
from .things import draw_clutter

SUPERSAMPLE = 2
JUDGED_AT = 128  # pixels of the canvas that decides what is visible: 64 x 64 supersampled
VISIBLE = 0.3  # an object less visible than this is not annotated

# The longer side of an object of ordinary size, as a fraction of the image.
SIZE = {
    "car": 0.40, "truck": 0.48, "bus": 0.48, "bicycle": 0.38, "traffic light": 0.40, "person": 0.44, "dog": 0.35,
    "cat": 0.34, "sheep": 0.33, "chair": 0.34, "table": 0.44, "tv": 0.34, "sofa": 0.46, "plant": 0.35,
    "bottle": 0.34, "cup": 0.27, "toilet": 0.38, "sink": 0.36,
}  # fmt: skip
SCALE = (0.75, 1.4)
CROWD = {"car": 0.3, "person": 0.35, "sheep": 0.5, "chair": 0.4, "bottle": 0.3, "cup": 0.3}  # chance of one more
CARRIERS = {"cup": ("table",), "bottle": ("table",), "tv": ("table",), "plant": ("table",),
            "cat": ("sofa", "chair", "table")}  # fmt: skip
TOP = {"table": 0.86, "sofa": 0.42, "chair": 0.40}  # height of the surface, as a fraction of the carrier's height
CARELESS = 0.3  # chance that an object stands anywhere, whatever it hides
BLUR_CHANCE, BLUR, NOISE = 0.15, (0.5, 1.0), (2.0, 12.0)  # BLUR: the radius in pixels of a 64 x 64 image


class Placed(NamedTuple):
    """An object in the scene, in unit coordinates; it may reach out of the image. Category -1: clutter."""

    depth: float  # painted in this order
    category: int
    traced: Traced
    box: Box

    @property
    def truncated(self) -> bool:
        """Reaches out of the image."""
        return min(self.box[:2]) < 0 or max(self.box[2:]) > 1


class Found(NamedTuple):
    """An annotated object: box x, y, w, h in pixels around the visible part, its mask (size, size) bool."""

    category: int
    box: tuple[int, int, int, int]
    visible: float  # fraction of the object that is neither covered nor outside
    truncated: bool  # reaches out of the image
    mask: np.ndarray


@dataclass
class Scene:
    """A rendered scene: image (size, size, 3) uint8, what is in it, and the place."""

    image: np.ndarray
    found: list[Found] = field(repr=False)
    place: str

    @property
    def labels(self) -> list[str]:
        return [c for i, c in enumerate(CLASSES) if any(f.category == i for f in self.found)]


def compose(
    split: str,
    index: int,
    labels: np.ndarray,
    place: int,
    size: int = 64,
    seed: int = 0,
    draw: int = 0,
    without: Collection[int] = (),
) -> Scene:
    """Render image `index` of a split; `labels` (18,) and `place` are its rows of `draw_labels`.

    In `bg` the objects, where they stand and the noise are those of the same image of `id`; only the
    background differs.

    Args:
        without: categories (-1: the clutter) taken away once everything has found its place. What they hid is
            seen then; the rest, light and noise are the same.
    """
    rng = stream(seed, "id" if split == "bg" else split, index, draw, "objects")
    background = trace(draw_background(place, stream(seed, split, index, draw, "place")))
    wanted = np.flatnonzero(labels).tolist()
    crowd = [c for c in wanted for _ in range(3) if rng.random() < CROWD.get(CLASSES[c], 0.04)]
    canvas, ids, placed, visible = _stage(background, wanted, crowd[:4], rng, size)
    if without:
        placed = [p for p in placed if p.category not in without]
        canvas, ids, visible = _paint(background, placed, size * SUPERSAMPLE)
    found = [
        _find(p, number, v, ids)
        for number, (p, v) in enumerate(zip(placed, visible, strict=True), start=1)
        if p.category >= 0 and v >= VISIBLE
    ]
    return Scene(_finish(canvas, rng), found, SCENES[place])


def compose_split(split: str, n: int, size: int = 64, seed: int = 0, draw: int = 0) -> list[Scene]:
    """The first n scenes of a split of n images, in this process: for a look, or for a small trial."""
    labels, places = draw_labels(split, n, seed, draw)
    return [compose(split, i, labels[i], int(places[i]), size, seed, draw) for i in range(n)]


def single_objects(n: int, size: int = 64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n images with one object each: images (n, size, size, 3) uint8, categories (n,) int64.

    Any size of object, any background, the same clutter, blur and noise as the scenes: what the small
    trunk is pre-trained on, in place of ImageNet.
    """
    images = np.empty((n, size, size, 3), np.uint8)
    categories = np.random.default_rng([seed, 100]).integers(len(CLASSES), size=n)
    for i in range(n):
        rng = np.random.default_rng([seed, 101, i])
        background = trace(draw_background(int(rng.integers(len(SCENES))), rng))
        canvas, *_ = _stage(background, [int(categories[i])], [], rng, size)
        images[i] = _finish(canvas, rng)
    return images, categories


def _stage(
    background: Traced, wanted: list[int], crowd: list[int], rng: np.random.Generator, size: int
) -> tuple[Image.Image, np.ndarray, list[Placed], list[float]]:
    """Draw the objects and move them about until each wanted category can be seen.

    The longer it takes, the smaller and fewer they get. Returns the canvas, its id buffer (0: nothing,
    k: the k-th placed), what was placed in the order of painting, and how much of each is visible.
    """
    cast = [(c, trace(draw_object(c, rng)).unit(), rng.uniform(*SCALE)) for c in [*wanted, *crowd]]
    # Carriers first, so that what stands on them finds them; the crowd last.
    cast[: len(wanted)] = sorted(cast[: len(wanted)], key=lambda member: CLASSES[member[0]] not in TOP)
    clutter = [(trace(draw_clutter(rng)).unit(), i < 3) for i in range(5) if rng.random() < 0.4]
    for attempt in itertools.count():
        members = cast if attempt < 8 else cast[: len(wanted)]
        placed: list[Placed] = []
        for category, traced, scale in members:
            placed.append(_place(category, traced, scale * 0.93 ** max(0, attempt - 6), placed, rng))
        for traced, behind in clutter if attempt < 12 else ():
            y = rng.uniform(0.5, 1.05)
            moved = traced.moved(rng.uniform(0, 1), y, rng.uniform(0.13, 0.27), turn=rng.normal(0, 12))
            placed.append(Placed(y if behind else 2.0, -1, moved, moved.bounds()))
        placed.sort(key=lambda p: p.depth)
        if not _likely(placed, set(wanted)):
            continue
        canvas, ids, visible = _paint(background, placed, JUDGED_AT)
        if {p.category for p, v in zip(placed, visible, strict=True) if v >= VISIBLE} >= set(wanted):
            break
    if size * SUPERSAMPLE != JUDGED_AT:
        canvas, ids, _ = _paint(background, placed, size * SUPERSAMPLE)
    return canvas, ids, placed, visible


def _place(category: int, traced: Traced, scale: float, others: list[Placed], rng: np.random.Generator) -> Placed:
    """Find a place for an object: on a carrier, or where it hides little of the others."""
    name = CLASSES[category]
    traced = traced.moved(0, 0, SIZE[name] * scale, mirror=rng.random() < 0.5, turn=rng.normal(0, 3))
    x0, y0, x1, y1 = traced.bounds()
    carriers = [o for o in others if CLASSES[o.category] in CARRIERS.get(name, ())]
    if carriers and rng.random() < 0.6:
        carrier = carriers[int(rng.integers(len(carriers)))]
        left, top, right, bottom = carrier.box
        x = left + rng.uniform(0.2, 0.8) * (right - left)
        y = bottom - TOP[CLASSES[carrier.category]] * (bottom - top)
        return Placed(carrier.depth + 1e-3, category, traced.moved(x, y), (x + x0, y + y0, x + x1, y + y1))
    spots = []
    near = (scale - SCALE[0]) / (SCALE[1] - SCALE[0])  # what is bigger tends to stand nearer
    for u, v in rng.random((1 if rng.random() < CARELESS else 3, 2)).tolist():
        x = u * (1 - 0.8 * (x1 - x0)) + 0.4 * (x1 - x0)
        y = max(0.56 + 0.46 * (0.4 * near + 0.6 * v), min(-y0, 1.02))
        box = (x + x0, y + y0, x + x1, y + y1)
        spots.append((sum(_overlap(box, o.box) for o in others), x, y, box))
    _, x, y, box = min(spots, key=lambda spot: spot[0])  # of equals, the first
    return Placed(y, category, traced.moved(x, y), box)


def _likely(placed: list[Placed], wanted: set[int]) -> bool:
    """Whether every wanted category will show, judged by boxes alone: cheap, and wrong now and then."""
    n = 24
    ids = np.zeros((n, n), np.int64)
    drawn = [0]
    for number, p in enumerate(placed, start=1):
        x0, y0, x1, y1 = p.box
        dx, dy = (x1 - x0) * 0.1, (y1 - y0) * 0.1  # an object fills about two thirds of its box
        rows = slice(max(round((y0 + dy) * n), 0), max(round((y1 - dy) * n), 0))
        columns = slice(max(round((x0 + dx) * n), 0), max(round((x1 - dx) * n), 0))
        ids[rows, columns] = number
        drawn.append(ids[rows, columns].size)
    left = np.bincount(ids.ravel(), minlength=len(drawn))
    shown = (left >= VISIBLE * np.array(drawn))[1:].tolist()
    return {p.category for p, yes in zip(placed, shown, strict=True) if yes} >= wanted


def _overlap(a: Box, b: Box) -> float:
    """Area that two boxes share, as a fraction of the smaller one."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def _paint(background: Traced, placed: list[Placed], pixels: int) -> tuple[Image.Image, np.ndarray, list[float]]:
    """Paint everything: the RGB canvas, the id buffer (pixels, pixels), and each object's visible fraction."""
    image = Image.new("RGBA", (pixels, pixels))
    canvas = ImageDraw.Draw(image)
    paint(canvas, background)
    drawn = []
    for number, p in enumerate(placed, start=1):
        paint(canvas, p.traced, number)
        if p.category < 0:
            drawn.append(0)  # of clutter nobody asks
        elif p.truncated:
            drawn.append(_whole_area(p, pixels))
        else:
            left, top, right, bottom = (round(v * pixels) for v in p.box)
            drawn.append(image.crop((left - 2, top - 2, right + 3, bottom + 3)).getchannel("A").histogram()[number])
    alpha = image.getchannel("A")
    remains = alpha.histogram()[1:]
    visible = [min(left / max(area, 1), 1.0) for left, area in zip(remains, drawn, strict=False)]
    return image.convert("RGB"), np.asarray(alpha), visible


def _whole_area(p: Placed, pixels: int) -> int:
    """Pixels that an object covers with nothing before it, those outside the image among them."""
    x0, y0, x1, y1 = p.box
    side = math.ceil(max(x1 - x0, y1 - y0) * pixels) + 2
    image, k = Image.new("RGBA", (side, side)), pixels / side
    paint(ImageDraw.Draw(image), p.traced.moved(-x0 * k, -y0 * k, k), 1)
    return image.getchannel("A").histogram()[1]


def _find(p: Placed, number: int, visible: float, ids: np.ndarray) -> Found:
    mask = ids[::SUPERSAMPLE, ::SUPERSAMPLE] == number
    if not mask.any():  # thinner than a pixel: any of the finer pixels counts
        n = len(ids) // SUPERSAMPLE
        mask = (ids == number).reshape(n, SUPERSAMPLE, n, SUPERSAMPLE).any((1, 3))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    box = (x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)
    return Found(p.category, box, visible, p.truncated, mask)


def _finish(canvas: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """Average the fine pixels, perhaps blur, change the light, add noise: (size, size, 3) uint8."""
    image = canvas.reduce(SUPERSAMPLE)
    blurred, radius = rng.random() < BLUR_CHANCE, rng.uniform(*BLUR)
    contrast, light, sigma = rng.uniform(0.75, 1.1), rng.uniform(-18, 18), rng.uniform(*NOISE)
    if blurred:
        image = image.filter(ImageFilter.GaussianBlur(radius * image.width / 64))
    pixels = np.asarray(image, np.float32)
    pixels = (pixels - 128) * np.float32(contrast) + np.float32(128 + light)
    pixels += np.float32(sigma) * rng.standard_normal(pixels.shape, np.float32)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
