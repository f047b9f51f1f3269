"""Bottle, cup, toilet and sink, on a grid of 100 by 100, ground at y = 100; and shapes that are nothing."""

from __future__ import annotations

import numpy as np

from .draw import Colour, Drawing, blob, line, oval, poly, rect, ring, round_rect, shade
from .palette import (
    BLUE,
    BROWN,
    CERAMICS,
    CREAM,
    DARK,
    FABRICS,
    GREY,
    ORANGE,
    PAINTS,
    RED,
    SILVER,
    TEAL,
    WHITE,
    WOODS,
    YELLOW,
    maybe,
    tone,
)

WATER: Colour = (120, 190, 220)
COFFEE: Colour = (96, 60, 40)


def draw_bottle(rng: np.random.Generator) -> Drawing:
    """A wine bottle, a water bottle, or one for ketchup or milk."""
    kind = int(rng.integers(3))
    if kind == 0:
        c = tone(rng, ((44, 96, 62), (98, 58, 36), (70, 110, 66), (54, 66, 110)))
        out = [rect(c, 43.5, 12, 56.5, 42), blob(c, 43.5, 30, 56.5, 30, 58, 40, 66, 50, 66, 58, 34, 58, 34, 50, 42, 40)]
        out += [round_rect(c, 34, 48, 66, 99, 4), round_rect(tone(rng, (RED, YELLOW, DARK)), 43, 2, 57, 16, 2)]
        return [
            *out,
            rect(tone(rng, (CREAM, WHITE)), 34, 60, 66, 84),
            rect(tone(rng, PAINTS), 39, 67, 61, 72),
            rect(shade(c, 0.5), 38, 48, 41, 58),
        ]
    if kind == 1:
        c, cap = tone(rng, ((150, 206, 232), (176, 222, 216), (196, 214, 236))), tone(rng, (BLUE, RED, WHITE, TEAL))
        out = [round_rect(c, 32, 30, 68, 99, 9), poly(c, 34, 36, 43, 16, 57, 16, 66, 36), rect(c, 43, 10, 57, 20)]
        out += [round_rect(cap, 42, 2, 58, 14, 2), rect(cap, 32, 50, 68, 70), rect(WHITE, 36, 57, 64, 62)]
        return [*out, rect(shade(c, 0.6), 37, 34, 41, 48), *(rect(shade(c, -0.18), 32, y, 68, y + 2) for y in (78, 86))]
    c = tone(rng, (RED, YELLOW, WHITE, ORANGE, (120, 170, 80)))
    out = [poly(c, 36, 26, 64, 26, 69, 44, 69, 94, 66, 99, 34, 99, 31, 94, 31, 44), round_rect(c, 40, 16, 60, 30, 3)]
    top = tone(rng, (WHITE, GREEN_CAP, DARK) if c[0] < 235 or c[1] < 220 else (BLUE, RED))
    out += [poly(top, 46, 2, 54, 2, 59, 18, 41, 18), oval(shade(c, 0.7), 50, 64, 14, 17)]
    return [*out, oval(shade(c, -0.35), 50, 64, 8, 9), rect(shade(c, -0.2), 63, 40, 66, 92)]


def draw_cup(rng: np.random.Generator) -> Drawing:
    """A mug, a tea cup on its saucer, or a paper cup."""
    c, kind = tone(rng, PAINTS), int(rng.integers(3))
    dark, drink = shade(c, -0.2), tone(rng, (COFFEE, (150, 90, 46), (232, 222, 204)), 5)
    if kind == 0:
        out = [
            ring(dark, 76, 62, 19, 7),
            round_rect(c, 14, 28, 74, 98, 9),
            oval(shade(c, 0.35), 44, 30, 30, 8),
            oval(drink, 44, 31, 25, 5.5),
        ]
        if maybe(rng, 0.4):
            return [*out, rect(shade(c, 0.5), 14, 56, 74, 64), rect(shade(c, 0.5), 14, 70, 74, 74)]
        mark = shade(c, 0.6) if sum(c) < 620 else RED
        return [*out, oval(mark, 38, 60, 8), oval(mark, 51, 60, 8), poly(mark, 31, 64, 58, 64, 44.5, 79)]
    if kind == 1:
        out = [oval(dark, 48, 93, 47, 6.5), oval(shade(c, 0.25), 48, 91, 47, 6), ring(dark, 82, 58, 14, 5.5)]
        out += [
            blob(c, 14, 42, 48, 46, 82, 42, 80, 62, 68, 84, 48, 90, 28, 84, 16, 62),
            oval(shade(c, 0.4), 48, 43, 34.5, 8),
            oval(drink, 48, 44, 29, 5.5),
        ]
        return (
            [*out, *(oval(shade(c, 0.6), x, y, 3.6) for x, y in ((32, 64), (48, 68), (64, 64)))] if maybe(rng) else out
        )
    lid, sleeve = tone(rng, (WHITE, DARK, BROWN)), tone(rng, (BROWN, *PAINTS))
    out = [
        poly(tone(rng, (WHITE, CREAM, WHITE), 5), 22, 16, 78, 16, 68, 99, 32, 99),
        poly(sleeve, 25, 40, 75, 40, 70.5, 78, 29.5, 78),
    ]
    out += [
        round_rect(lid, 18, 10, 82, 20, 3),
        round_rect(lid, 26, 3, 74, 12, 3),
        oval(shade(sleeve, 0.55), 50, 59, 10),
    ]
    return [*out, *line(tone(rng, (RED, TEAL)), 4, 60, 6, 66, -14)] if maybe(rng, 0.3) else out


def draw_toilet(rng: np.random.Generator) -> Drawing:
    """A toilet from the side or from the front, with its cistern and its lid."""
    c = tone(rng, CERAMICS, 6)
    dark, line_, lid = shade(c, -0.14), shade(c, -0.32), tone(rng, (WHITE, WHITE, *WOODS, DARK), 6)
    if maybe(rng):
        out = [round_rect(dark, 6, 14, 34, 58, 4), round_rect(c, 8, 16, 32, 58, 4), round_rect(dark, 4, 10, 36, 18, 3)]
        out += [
            round_rect(GREY, 15, 6, 25, 11, 2),
            *line(lid, 6.5, 36, 52, 43, 16),
            *line(line_, 1.4, 39.5, 52, 46, 18),
        ]
        out += [blob(c, 22, 57, 60, 56, 95, 57, 92, 70, 78, 80, 67, 87, 70, 99, 50, 100, 30, 99, 33, 86, 26, 72)]
        out += [
            blob(dark, 40, 78, 60, 80, 74, 78, 66, 86, 68, 99, 46, 99, 48, 86),
            round_rect(lid, 30, 53, 97, 59.5, 3),
        ]
        return [*out, rect(line_, 30, 59.5, 95, 61.2), rect(line_, 31, 97, 69, 100)]
    out = [
        round_rect(dark, 24, 4, 76, 40, 4),
        round_rect(c, 26, 9, 74, 42, 4),
        round_rect(dark, 22, 2, 78, 10, 3),
        oval(GREY, 50, 6, 4, 1.8),
    ]
    out += [oval(shade(lid, -0.15), 50, 36, 24, 21), oval(lid, 50, 37, 21.5, 19)]
    out += [
        blob(c, 24, 60, 50, 52, 76, 60, 73, 76, 64, 84, 66, 99, 50, 100, 34, 99, 36, 84, 27, 76),
        blob(dark, 40, 84, 60, 84, 62, 98, 38, 98),
    ]
    return [
        *out,
        oval(line_, 50, 63, 28, 14.5),
        oval(lid, 50, 62, 28, 14),
        oval(line_, 50, 62, 20, 9.5),
        oval(WATER, 50, 64, 17, 7),
    ]


def draw_sink(rng: np.random.Generator) -> Drawing:
    """A wash basin on a column or a wall, or a kitchen sink in its cupboard; always with a tap."""
    c, metal = tone(rng, CERAMICS, 6), tone(rng, (GREY, SILVER, (186, 150, 80)), 6)
    dark, edge, kind = shade(c, -0.14), shade(c, -0.3), int(rng.integers(2))
    tap = [
        *line(metal, 5.5, 42, 36, 42, 14, 50, 8, 59, 13, 60, 22),
        *line(metal, 4.5, 30, 36, 30, 29),
        *line(metal, 4.5, 54, 36, 54, 29),
    ]
    tap += [oval(RED, 30, 27, 4), oval(BLUE, 54, 27, 4)]
    drop = [blob(WATER, 60, 26, 63, 32, 60, 35, 57, 32)] if maybe(rng, 0.5) else []
    if kind == 0:
        out = [poly(dark, 40, 62, 60, 62, 65, 99, 35, 99), rect(edge, 34, 97, 66, 100), *tap]
        out += [blob(c, 5, 42, 30, 40, 70, 40, 95, 42, 90, 56, 76, 67, 50, 70, 24, 67, 10, 56)]
        return [
            *out,
            round_rect(edge, 1, 36, 99, 45, 4),
            round_rect(c, 1, 34, 99, 42, 4),
            oval(edge, 50, 38, 34, 2.6),
            *drop,
        ]
    cupboard = tone(rng, (*WOODS, *FABRICS, WHITE))
    out = [
        rect(cupboard, 4, 46, 96, 97),
        rect(shade(cupboard, -0.3), 8, 95, 92, 100),
        *tap,
        round_rect(metal, 0, 36, 100, 46, 2),
    ]
    out += [round_rect(c, 20, 40, 80, 66, 5), rect(edge, 22, 40, 78, 43), round_rect(dark, 25, 48, 75, 61, 3)]
    out += [rect(shade(cupboard, -0.22), x, 70, x + 40, 92) for x in (8, 52)] + [
        rect(cupboard, x, 72, x + 36, 90) for x in (10, 54)
    ]
    return [*out, oval(metal, 43, 78, 2.2), oval(metal, 57, 78, 2.2), *drop]


GREEN_CAP: Colour = (84, 150, 84)


def draw_clutter(rng: np.random.Generator) -> Drawing:
    """A shape that is nothing: a box, a ball, a post, a patch or a tent."""
    c, kind = tone(rng, (*PAINTS, *WOODS, *FABRICS), 22), int(rng.integers(5))
    second = shade(c, rng.uniform(-0.35, 0.35))
    if kind == 0:
        return [rect(c, 10, 40, 90, 100), rect(second, 10, 40, 90, 56), rect(second, 44, 40, 56, 100)]
    if kind == 1:
        return [oval(c, 50, 65, 35), oval(second, 40, 54, 12, 9)]
    if kind == 2:
        return [rect(c, 45, 0, 55, 100), *(rect(second, 45, y, 55, y + 12) for y in (8, 34, 60))]
    if kind == 3:
        radii = rng.uniform(25, 50, (7, 2))
        points = [(50 + rx * np.cos(i * 0.9), 60 + ry * np.sin(i * 0.9)) for i, (rx, ry) in enumerate(radii)]
        return [blob(c, *(float(v) for p in points for v in p)), oval(second, 55, 60, 14, 9, rng.uniform(0, 90))]
    return [poly(c, 5, 100, 95, 100, rng.uniform(20, 80), 20), poly(second, 25, 100, 75, 100, 50, 70)]
