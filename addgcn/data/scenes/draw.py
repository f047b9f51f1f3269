"""Flat shapes in unit coordinates: made, moved, painted.

A drawing is a list of shapes, so the same object can be painted into an image of any size or written as
SVG. A polygon holds its corners. An ellipse holds its centre and the ends of two conjugate radii: any
affine map of these three points is the same map of the ellipse, so rotation and mirroring need no case.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

from PIL import ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]


class Shape(NamedTuple):
    """One flat shape: kind "polygon" | "ellipse", points (x to the right, y down), colour (r, g, b) 0-255."""

    kind: str
    points: list[Point]
    colour: Colour


Drawing = list[Shape]


def shade(colour: Colour, amount: float) -> Colour:
    """The colour moved towards white (amount up to 1) or black (down to -1)."""
    to = 255 if amount > 0 else 0
    r, g, b = (round(c + (to - c) * abs(amount)) for c in colour)
    return r, g, b


def poly(colour: Colour, *xy: float) -> Shape:
    """The polygon with corners x0, y0, x1, y1, ..."""
    return Shape("polygon", list(zip(xy[::2], xy[1::2], strict=True)), colour)


def rect(colour: Colour, x0: float, y0: float, x1: float, y1: float) -> Shape:
    return poly(colour, x0, y0, x1, y0, x1, y1, x0, y1)


def round_rect(colour: Colour, x0: float, y0: float, x1: float, y1: float, r: float) -> Shape:
    """A rectangle whose corners are rounded with radius r."""
    corners = ((x1 - r, y0 + r, -90), (x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180))
    points = [
        (cx + r * math.cos(math.radians(start + a)), cy + r * math.sin(math.radians(start + a)))
        for cx, cy, start in corners
        for a in (0, 30, 60, 90)
    ]
    return Shape("polygon", points, colour)


def oval(colour: Colour, cx: float, cy: float, rx: float, ry: float | None = None, angle: float = 0) -> Shape:
    """An ellipse; `angle` in degrees turns it clockwise."""
    ry, c, s = rx if ry is None else ry, math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return Shape("ellipse", [(cx, cy), (cx + rx * c, cy + rx * s), (cx - ry * s, cy + ry * c)], colour)


def ring(colour: Colour, cx: float, cy: float, r: float, width: float, n: int = 24) -> Shape:
    """A circle's line of the given width, open inside: a polygon that runs out and back."""
    turn = [2 * math.pi * i / n for i in range(n + 1)]
    outer = [(cx + r * math.cos(t), cy + r * math.sin(t)) for t in turn]
    inner = [(cx + (r - width) * math.cos(t), cy + (r - width) * math.sin(t)) for t in reversed(turn)]
    return Shape("polygon", outer + inner, colour)


def line(colour: Colour, width: float, *xy: float) -> list[Shape]:
    """A stroke through points x0, y0, x1, y1, ... with round joints and ends."""
    points, h = list(zip(xy[::2], xy[1::2], strict=True)), width / 2
    shapes = [oval(colour, x, y, h) for x, y in points]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        dx, dy = (x1 - x0) / length * h, (y1 - y0) / length * h
        corners = (x0 + dy, y0 - dx, x1 + dy, y1 - dx, x1 - dy, y1 + dx, x0 - dy, y0 + dx)
        shapes.append(poly(colour, *corners))
    return shapes


def blob(colour: Colour, *xy: float, steps: int = 4) -> Shape:
    """A smooth closed outline through the given points (a Catmull-Rom spline)."""
    p, out = list(zip(xy[::2], xy[1::2], strict=True)), []
    for i in range(len(p)):
        a, b, c, d = p[i - 1], p[i], p[(i + 1) % len(p)], p[(i + 2) % len(p)]
        for k in range(steps):
            t = k / steps
            w = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            x, y = (sum(wi * q[axis] for wi, q in zip(w, (a, b, c, d), strict=True)) / 2 for axis in (0, 1))
            out.append((x, y))
    return Shape("polygon", out, colour)


def bounds(drawing: Drawing) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of everything drawn."""
    xs, ys = [], []
    for kind, points, _ in drawing:
        if kind == "ellipse":
            (cx, cy), (ax, ay), (bx, by) = points
            rx, ry = math.hypot(ax - cx, bx - cx), math.hypot(ay - cy, by - cy)
            xs += [cx - rx, cx + rx]
            ys += [cy - ry, cy + ry]
        else:
            xs += [x for x, _ in points]
            ys += [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def move(drawing: Drawing, x: float, y: float, scale: float, mirror: bool = False, turn: float = 0) -> Drawing:
    """Scale and turn (degrees, clockwise) about the origin, mirror left to right if asked, put it at x, y."""
    c, s = math.cos(math.radians(turn)) * scale, math.sin(math.radians(turn)) * scale
    m = -1 if mirror else 1
    a, d = c * m, s * m
    return [Shape(k, [(x + a * u - s * v, y + d * u + c * v) for u, v in points], colour)
            for k, points, colour in drawing]  # fmt: skip


_TURN = [(math.cos(2 * math.pi * i / 20), math.sin(2 * math.pi * i / 20)) for i in range(20)]
_FINE = [(math.cos(2 * math.pi * i / 72), math.sin(2 * math.pi * i / 72)) for i in range(72)]


def paint(canvas: ImageDraw.ImageDraw, drawing: Drawing, number: int = 0) -> None:
    """Paint shapes onto an RGBA canvas; unit coordinates span its width and height.

    The alpha channel is the id buffer: every painted pixel takes `number` there.
    """
    width, height = canvas.im.size
    turn = _TURN if width <= 256 else _FINE
    for kind, points, colour in drawing:
        if kind == "ellipse":
            (cx, cy), (ax, ay), (bx, by) = points
            ax, bx, ay, by = (ax - cx) * width, (bx - cx) * width, (ay - cy) * height, (by - cy) * height
            cx, cy = cx * width, cy * height
            if abs(ax) + abs(bx) < 1.2 and abs(ay) + abs(by) < 1.2:  # smaller than a pixel: one pixel
                canvas.point((cx, cy), (*colour, number))
                continue
            xy = [(cx + c * ax + s * bx, cy + c * ay + s * by) for c, s in turn]
        else:
            xy = [(x * width, y * height) for x, y in points]
        canvas.polygon(xy, (*colour, number))


def to_svg(drawing: Drawing) -> str:
    """The shapes as SVG elements, to stand inside an <svg> whose viewBox spans the same units."""
    out = []
    for kind, points, (r, g, b) in drawing:
        if kind == "ellipse":
            (cx, cy), (ax, ay), (bx, by) = points
            matrix = " ".join(f"{v:.4f}" for v in (ax - cx, ay - cy, bx - cx, by - cy, cx, cy))
            out.append(f'<circle r="1" transform="matrix({matrix})" fill="#{r:02x}{g:02x}{b:02x}"/>')
        else:
            corners = " ".join(f"{x:.4f},{y:.4f}" for x, y in points)
            out.append(f'<polygon points="{corners}" fill="#{r:02x}{g:02x}{b:02x}"/>')
    return "\n".join(out)
