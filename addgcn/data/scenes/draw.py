"""Flat shapes: made, traced to polygons, moved, painted.

A drawing is a list of shapes in units of its own, so the same object can be painted into an image of any
size or written as SVG. To paint many, `trace` turns a drawing into one array of corners, which is moved
and scaled in one go.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from PIL import ImageDraw

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]  # x0, y0, x1, y1


class Shape(NamedTuple):
    """A flat shape; x to the right, y down; colour (r, g, b) in 0-255.

    kind "polygon": xy holds its corners, x0, y0, x1, y1, ...
    kind "ellipse": xy holds its centre and the ends of two conjugate radii: three points that any affine
    map takes to those of the mapped ellipse.
    """

    kind: str
    xy: tuple[float, ...]
    colour: Colour


Drawing = list[Shape]


def shade(colour: Colour, amount: float) -> Colour:
    """The colour moved towards white (amount up to 1) or black (down to -1)."""
    to, k = (255, amount) if amount > 0 else (0, -amount)
    r, g, b = colour
    return round(r + (to - r) * k), round(g + (to - g) * k), round(b + (to - b) * k)


def poly(colour: Colour, *xy: float) -> Shape:
    """The polygon with corners x0, y0, x1, y1, ..."""
    return Shape("polygon", xy, colour)


def rect(colour: Colour, x0: float, y0: float, x1: float, y1: float) -> Shape:
    return Shape("polygon", (x0, y0, x1, y0, x1, y1, x0, y1), colour)


# The quarter of a unit circle at each corner of a rounded rectangle, clockwise from the upper right.
_CORNERS = [
    (sx, sy, math.cos(math.radians(start + a)), math.sin(math.radians(start + a)))
    for sx, sy, start in ((1, 0, -90), (1, 1, 0), (0, 1, 90), (0, 0, 180))
    for a in (0, 30, 60, 90)
]


def round_rect(colour: Colour, x0: float, y0: float, x1: float, y1: float, r: float) -> Shape:
    """A rectangle whose corners are rounded with radius r."""
    xs, ys = (x0 + r, x1 - r), (y0 + r, y1 - r)
    return Shape("polygon", tuple(v for i, j, c, s in _CORNERS for v in (xs[i] + r * c, ys[j] + r * s)), colour)


def oval(colour: Colour, cx: float, cy: float, rx: float, ry: float | None = None, angle: float = 0) -> Shape:
    """An ellipse, a circle without ry; `angle` in degrees turns it clockwise."""
    ry, c, s = rx if ry is None else ry, math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return Shape("ellipse", (cx, cy, cx + rx * c, cy + rx * s, cx - ry * s, cy + ry * c), colour)


_TURN = [(math.cos(2 * math.pi * i / 24), math.sin(2 * math.pi * i / 24)) for i in range(25)]
_TURNS = np.array(_TURN[:24])  # (24, 2): cos, sin


def ring(colour: Colour, cx: float, cy: float, r: float, width: float) -> Shape:
    """A circle's line of the given width, open inside: a polygon that runs out and back."""
    outer = [v for c, s in _TURN for v in (cx + r * c, cy + r * s)]
    r -= width
    return Shape("polygon", (*outer, *(v for c, s in reversed(_TURN) for v in (cx + r * c, cy + r * s))), colour)


def line(colour: Colour, width: float, *xy: float) -> list[Shape]:
    """A stroke through points x0, y0, x1, y1, ... with round joints and ends."""
    points, h = list(zip(xy[::2], xy[1::2], strict=True)), width / 2
    shapes = [oval(colour, x, y, h) for x, y in points]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        dx, dy = (x1 - x0) / length * h, (y1 - y0) / length * h
        shapes.append(poly(colour, x0 + dy, y0 - dx, x1 + dy, y1 - dx, x1 - dy, y1 + dx, x0 - dy, y0 + dx))
    return shapes


# Catmull-Rom weights of four neighbouring points, at four steps from the second to the third.
_SPLINE = np.array([(-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
                    for t in (0, 0.25, 0.5, 0.75)]) / 2  # fmt: skip


def blob(colour: Colour, *xy: float) -> Shape:
    """A smooth closed outline through the given points."""
    p = np.array(xy).reshape(-1, 2)
    around = p[(np.arange(len(p))[:, None] + (-1, 0, 1, 2)) % len(p)]  # (n, 4, 2)
    return Shape("polygon", tuple((_SPLINE @ around).ravel().tolist()), colour)


class Traced(NamedTuple):
    """A drawing as polygons: all corners (2, n), where each polygon ends, and each one's colour."""

    points: np.ndarray
    ends: list[int]
    colours: list[Colour]

    def bounds(self) -> Box:
        (x0, y0), (x1, y1) = self.points.min(1).tolist(), self.points.max(1).tolist()
        return x0, y0, x1, y1

    def moved(self, x: float, y: float, scale: float = 1, mirror: bool = False, turn: float = 0) -> Traced:
        """Mirrored left to right if asked, scaled and turned (degrees, clockwise) about the origin, put at x, y."""
        c, s = math.cos(math.radians(turn)) * scale, math.sin(math.radians(turn)) * scale
        m = -1 if mirror else 1
        return self._replace(points=np.array([[m * c, -s], [m * s, c]]) @ self.points + [[x], [y]])

    def unit(self) -> Traced:
        """Scaled so that the longer side is 1, its foot in the middle at the origin."""
        x0, y0, x1, y1 = self.bounds()
        return self._replace(points=(self.points - [[(x0 + x1) / 2], [y1]]) / max(x1 - x0, y1 - y0))


def trace(drawing: Drawing) -> Traced:
    """The drawing as polygons; an ellipse gets 24 corners."""
    ellipses = np.array([s.xy for s in drawing if s.kind == "ellipse"]).reshape(-1, 3, 2)
    round_ = iter(ellipses[:, :1] + _TURNS @ (ellipses[:, 1:] - ellipses[:, :1]))  # (24, 2) each
    parts = [next(round_).ravel() if s.kind == "ellipse" else s.xy for s in drawing]
    ends = list(itertools.accumulate(len(part) // 2 for part in parts))
    points = np.ascontiguousarray(np.concatenate(parts).reshape(-1, 2).T)  # (2, n)
    return Traced(points, ends, [s.colour for s in drawing])


def paint(canvas: ImageDraw.ImageDraw, traced: Traced, number: int = 0) -> None:
    """Paint onto an RGBA canvas whose width and height are one unit.

    The alpha channel is the id buffer: every painted pixel takes `number` there.
    """
    corners = (traced.points.T * canvas.im.size).ravel().tolist()
    start = 0
    for end, colour in zip(traced.ends, traced.colours, strict=True):
        canvas.polygon(corners[start : 2 * end], (*colour, number))
        start = 2 * end


def to_svg(drawing: Drawing) -> str:
    """The shapes as SVG elements, in the drawing's own units."""
    out = []
    for kind, xy, (r, g, b) in drawing:
        numbers = [f"{v:.5g}" for v in xy]
        if kind == "ellipse":
            cx, cy, ax, ay, bx, by = xy
            matrix = " ".join(f"{v:.5g}" for v in (ax - cx, ay - cy, bx - cx, by - cy, cx, cy))
            out.append(f'<circle r="1" transform="matrix({matrix})" fill="#{r:02x}{g:02x}{b:02x}"/>')
        else:
            out.append(f'<polygon points="{" ".join(numbers)}" fill="#{r:02x}{g:02x}{b:02x}"/>')
    return "\n".join(out)
