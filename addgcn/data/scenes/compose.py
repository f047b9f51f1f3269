"""A whole scene from a seed: objects placed before a background, painted, blurred and made noisy.

The layout is judged at one fixed size, so a scene is the same at every size it is rendered at. Every label
an image was given is kept: a layout that hides one of them is drawn again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .backgrounds import draw_background
from .draw import Drawing, bounds, move, paint
from .labels import CLASSES, SCENES, draw_labels, stream
from .objects import draw_object
from .things import draw_clutter

SUPERSAMPLE = 2
JUDGED_AT = 128  # pixels of the canvas that decides what is visible: 64 x 64 supersampled
VISIBLE = 0.3  # an object less visible than this is not annotated

# The longer side of an object of ordinary size, as a fraction of the image.
SIZE = {
    "car": 0.40, "truck": 0.46, "bus": 0.48, "bicycle": 0.36, "traffic light": 0.40, "person": 0.44, "dog": 0.30,
    "cat": 0.28, "sheep": 0.32, "chair": 0.34, "table": 0.44, "tv": 0.32, "sofa": 0.46, "plant": 0.30,
    "bottle": 0.26, "cup": 0.20, "toilet": 0.34, "sink": 0.36,
}  # fmt: skip
SCALE = (0.75, 1.4)
CROWD = {"car": 0.3, "person": 0.35, "sheep": 0.5, "chair": 0.4, "bottle": 0.3, "cup": 0.3}  # chance of one more
CARRIERS = {"cup": ("table",), "bottle": ("table",), "tv": ("table",), "plant": ("table",),
            "cat": ("sofa", "chair", "table")}  # fmt: skip
TOP = {"table": 0.96, "sofa": 0.52, "chair": 0.50}  # height of the surface, as a fraction of the carrier's height
BLUR_CHANCE, NOISE = 0.15, (2.0, 12.0)


class Placed(NamedTuple):
    """An object in the scene. `category` is -1 for clutter. Drawn in the order of `depth`."""

    depth: float
    category: int
    drawing: Drawing
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 in unit coordinates, may reach out of the image


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
    split: str, index: int, labels: np.ndarray, place: int, size: int = 64, seed: int = 0, draw: int = 0
) -> Scene:
    """Render image `index` of a split; `labels` (18,) and `place` are its rows of `draw_labels`.

    In `bg` the objects, where they stand and the noise are those of the same image of `id`; only the
    background differs.
    """
    rng = stream(seed, "id" if split == "bg" else split, index, draw, "objects")
    background = draw_background(place, stream(seed, split, index, draw, "place"))
    wanted = set(np.flatnonzero(labels).tolist())
    for attempt in itertools.count():
        placed = _lay_out(wanted, rng, attempt)
        _, _, visible = _paint(background, placed, JUDGED_AT)
        if {p.category for p, v in zip(placed, visible, strict=True) if v >= VISIBLE} - {-1} == wanted:
            break
    canvas, ids, _ = _paint(background, placed, size * SUPERSAMPLE)
    found = []
    for number, (p, v) in enumerate(zip(placed, visible, strict=True), start=1):
        if p.category >= 0 and v >= VISIBLE:
            found.append(_find(p, number, v, ids))
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
        background = draw_background(int(rng.integers(len(SCENES))), rng)
        for attempt in itertools.count():
            placed = _lay_out({int(categories[i])}, rng, attempt, crowd=False)
            canvas, _, visible = _paint(background, placed, size * SUPERSAMPLE)
            if all(v >= VISIBLE for p, v in zip(placed, visible, strict=True) if p.category >= 0):
                break
        images[i] = _finish(canvas, rng)
    return images, categories


def _lay_out(wanted: set[int], rng: np.random.Generator, attempt: int, crowd: bool = True) -> list[Placed]:
    """Place every wanted category at least once; later attempts are emptier and smaller."""
    shrink = 0.9 ** max(0, attempt - 3)
    categories = sorted(wanted)
    if crowd and attempt < 4:
        for c in sorted(wanted):
            while rng.random() < CROWD.get(CLASSES[c], 0.06) and len(categories) < 9:
                categories.append(c)
    # Carriers first, so that what stands on them finds them.
    categories.sort(key=lambda c: CLASSES[c] not in TOP)
    placed: list[Placed] = []
    for c in categories:
        placed.append(_place(c, placed, rng, shrink))
    if attempt < 6:
        for front in (False,) * int(rng.integers(4)) + (True,) * int(rng.integers(3)):
            drawing = draw_clutter(rng, front)
            depth = 2.0 if front else rng.uniform(0, 1)
            placed.append(Placed(depth, -1, drawing, bounds(drawing)))
    return sorted(placed, key=lambda p: p.depth)


def _place(category: int, others: list[Placed], rng: np.random.Generator, shrink: float) -> Placed:
    name = CLASSES[category]
    drawing = draw_object(category, rng)
    scale = SIZE[name] * rng.uniform(*SCALE) * shrink
    drawing = move(drawing, 0, 0, scale, mirror=rng.random() < 0.5, turn=rng.normal(0, 3))
    x0, y0, x1, y1 = bounds(drawing)
    carriers = [o for o in others if CLASSES[o.category] in CARRIERS.get(name, ())]
    if carriers and rng.random() < 0.6:
        carrier = carriers[int(rng.integers(len(carriers)))]
        left, top, right, bottom = carrier.box
        x = rng.uniform(left + 0.2 * (right - left), right - 0.2 * (right - left))
        y = bottom - TOP[CLASSES[carrier.category]] * (bottom - top) + 0.02
        return Placed(carrier.depth + 1e-3, category, move(drawing, x, y, 1), (x + x0, y + y0, x + x1, y + y1))
    best, least = (0.5, 0.9), np.inf
    careless = rng.random() < 0.3
    for _ in range(3):
        x = rng.uniform(0, 1) * (1 - 0.8 * (x1 - x0)) + 0.4 * (x1 - x0)
        y = max(rng.uniform(0.56, 1.0), min(-y0, 1.02))
        overlap = sum(_overlap((x + x0, y + y0, x + x1, y + y1), o.box) for o in others)
        if overlap < least:
            best, least = (x, y), overlap
        if careless:
            break
    x, y = best
    return Placed(y, category, move(drawing, x, y, 1), (x + x0, y + y0, x + x1, y + y1))


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Area that two boxes share, as a fraction of the smaller one."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(w, 0) * max(h, 0) / max(min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])), 1e-9)


def _paint(background: Drawing, placed: list[Placed], pixels: int) -> tuple[Image.Image, np.ndarray, list[float]]:
    """Paint everything: the RGB canvas, the id buffer (pixels, pixels), and each object's visible fraction."""
    image = Image.new("RGBA", (pixels, pixels))
    canvas = ImageDraw.Draw(image)
    paint(canvas, background)
    drawn = []
    for number, p in enumerate(placed, start=1):
        paint(canvas, p.drawing, number)
        drawn.append(image.getchannel("A").histogram()[number])
    alpha = image.getchannel("A")
    left = alpha.histogram()
    visible = []
    for number, (p, area) in enumerate(zip(placed, drawn, strict=True), start=1):
        x0, y0, x1, y1 = p.box
        inside = (min(x1, 1) - max(x0, 0)) * (min(y1, 1) - max(y0, 0)) / max((x1 - x0) * (y1 - y0), 1e-9)
        visible.append(left[number] / max(area, 1) * max(inside, 0))
    return image.convert("RGB"), np.asarray(alpha), visible


def _find(p: Placed, number: int, visible: float, ids: np.ndarray) -> Found:
    mask = ids[::SUPERSAMPLE, ::SUPERSAMPLE] == number
    if not mask.any():  # thinner than a pixel: any of the finer pixels counts
        n = len(ids) // SUPERSAMPLE
        mask = (ids == number).reshape(n, SUPERSAMPLE, n, SUPERSAMPLE).any((1, 3))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    box = (x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)
    truncated = min(p.box[:2]) < 0 or max(p.box[2:]) > 1
    return Found(p.category, box, float(visible), truncated, mask)


def _finish(canvas: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """Average the fine pixels, perhaps blur, change the light, add noise: (size, size, 3) uint8."""
    image = canvas.reduce(SUPERSAMPLE)
    blurred, radius = rng.random() < BLUR_CHANCE, rng.uniform(0.6, 1.2)
    contrast, light, sigma = rng.uniform(0.75, 1.1), rng.uniform(-18, 18), rng.uniform(*NOISE)
    if blurred:
        image = image.filter(ImageFilter.GaussianBlur(radius * image.width / 64))
    pixels = np.asarray(image, np.float32)
    pixels = (pixels - 128) * np.float32(contrast) + np.float32(128 + light)
    pixels += np.float32(sigma) * rng.standard_normal(pixels.shape, np.float32)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
