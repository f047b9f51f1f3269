"""Chair, table, tv, sofa and plant, on a grid of 100 by 100, ground at y = 100."""

from __future__ import annotations

import math

import numpy as np

from .draw import Colour, Drawing, blob, line, oval, poly, rect, round_rect, shade
from .palette import (
    BLUE,
    CLAY,
    CREAM,
    DARK,
    FABRICS,
    GREEN,
    GREY,
    LEAF,
    MOSS,
    ORANGE,
    PINK,
    PURPLE,
    RED,
    SILVER,
    TEAL,
    WHITE,
    WOODS,
    YELLOW,
    maybe,
    tone,
)

STEM: Colour = (110, 80, 54)
EYE: Colour = (110, 66, 40)


def draw_chair(rng: np.random.Generator) -> Drawing:
    """A wooden chair with rails or slats, one with a cushion, or a swivel chair."""
    c = tone(rng, (*WOODS, *WOODS, WHITE, RED, TEAL, DARK))
    dark, fabric, kind = shade(c, -0.25), tone(rng, FABRICS), int(rng.integers(4))
    if kind == 3:
        c = fabric
        base = [*line(DARK, 5, 50, 84, 24, 93), *line(DARK, 5, 50, 84, 76, 93), *line(DARK, 5, 50, 84, 50, 93)]
        base += [oval(DARK, x, 96, 4) for x in (24, 50, 76)] + [rect(GREY, 46.5, 66, 53.5, 86)]
        back = [
            rect(DARK, 46, 40, 54, 62),
            round_rect(c, 28, 6, 72, 50, 9),
            round_rect(shade(c, 0.15), 33, 11, 67, 44, 7),
        ]
        arms = [s for x in (20, 80) for s in line(DARK, 4.5, x, 48, x, 62)]
        return [*base, *back, *arms, round_rect(shade(c, -0.2), 22, 59, 78, 71, 6), round_rect(c, 22, 57, 78, 66, 4)]
    out = [*line(dark, 5.5, 31, 66, 31, 92), *line(dark, 5.5, 69, 66, 69, 92)]
    if kind == 0:
        out += [s for y in (20, 32, 44) for s in line(c, 5, 29, y, 71, y)]
    elif kind == 1:
        out += [s for x in (40, 50, 60) for s in line(c, 4.5, x, 10, x, 56)] + line(c, 5, 29, 48, 71, 48)
    else:
        out += [round_rect(fabric, 30, 9, 70, 48, 5), round_rect(shade(fabric, 0.2), 35, 14, 65, 43, 4)]
    out += [*line(c, 6, 28, 6, 29, 62), *line(c, 6, 72, 6, 71, 62), *line(c, 7, 28, 7, 72, 7)]
    seat = fabric if maybe(rng, 0.4) or kind == 2 else shade(c, 0.22)
    out += [poly(seat, 27, 56, 73, 56, 81, 68, 19, 68), rect(dark, 19, 68, 81, 73)]
    out += [*line(c, 6.5, 23, 72, 21, 97), *line(c, 6.5, 77, 72, 79, 97)]
    return out + (line(dark, 3.5, 23, 84, 77, 84) if maybe(rng) else [])


def draw_table(rng: np.random.Generator) -> Drawing:
    """A table with four legs, a round one on a column, or one under a cloth."""
    c, kind = tone(rng, (*WOODS, *WOODS, WHITE, TEAL)), int(rng.integers(3))
    dark, light = shade(c, -0.28), shade(c, 0.2)
    if kind == 1:
        foot = (
            [*line(dark, 6, 50, 90, 26, 97), *line(dark, 6, 50, 90, 74, 97)]
            if maybe(rng)
            else [oval(dark, 50, 96, 24, 4)]
        )
        return [*foot, rect(dark, 45, 58, 55, 95), oval(dark, 50, 58, 49, 10), oval(light, 50, 54, 49, 10)]
    legs = [*line(dark, 5, 20, 62, 20, 88), *line(dark, 5, 80, 62, 80, 88)]
    legs += [*line(c, 6.5, 7, 62, 7, 97), *line(c, 6.5, 93, 62, 93, 97)]
    if kind == 0:
        apron = [rect(dark, 5, 62, 95, 71)] if maybe(rng) else []
        return [*legs, *apron, poly(light, 15, 47, 85, 47, 99, 59, 1, 59), round_rect(c, 1, 58, 99, 65, 2)]
    cloth = tone(rng, (RED, BLUE, GREEN, CREAM, WHITE, PINK, YELLOW))
    fold, check = shade(cloth, -0.18), maybe(rng)
    out = [*legs, poly(shade(cloth, 0.15), 15, 47, 85, 47, 99, 59, 1, 59), rect(cloth, 1, 58, 99, 74)]
    out += [poly(cloth, x, 73, x + 14, 73, x + 7, 81) for x in range(1, 99, 14)]
    if check:
        out += [rect(fold, x, 58, x + 5, 74) for x in range(8, 96, 14)]
    return [*out, rect(fold, 1, 64, 99, 67)] if check else [*out, rect(shade(cloth, 0.5), 1, 70, 99, 72.5)]


def draw_tv(rng: np.random.Generator) -> Drawing:
    """A flat screen on a foot, or an old set with an aerial; on or off."""
    picture = _picture(rng)
    case = tone(rng, (DARK, (36, 36, 42), (84, 88, 94)), 6)
    if maybe(rng, 0.62):
        foot = [poly(case, 44, 78, 56, 78, 59, 92, 41, 92), round_rect(case, 26, 91, 74, 97, 2.5)]
        if maybe(rng):
            foot = [*line(case, 5, 24, 78, 17, 96), *line(case, 5, 76, 78, 83, 96)]
        return [*foot, round_rect(case, 1, 22, 99, 82, 3), *_fit(picture, 5, 26, 95, 76), oval(RED, 92, 79, 1.2)]
    wood = tone(rng, (*WOODS, RED, TEAL, CREAM))
    out = [
        *line(GREY, 2.2, 50, 34, 32, 10),
        *line(GREY, 2.2, 50, 34, 68, 10),
        oval(GREY, 32, 10, 2.6),
        oval(GREY, 68, 10, 2.6),
    ]
    out += [*line(DARK, 5, 22, 88, 18, 98), *line(DARK, 5, 78, 88, 82, 98), round_rect(wood, 4, 32, 96, 92, 7)]
    out += [round_rect(DARK, 9, 38, 74, 86, 8), *_fit(picture, 13, 42, 70, 82)]
    out += [oval(DARK, 85, 46, 5), oval(SILVER, 85, 46, 2.4), oval(DARK, 85, 60, 5), oval(SILVER, 85, 60, 2.4)]
    return [*out, *(rect(DARK, 79, y, 91, y + 2) for y in (71, 76, 81))]


def _picture(rng: np.random.Generator) -> Drawing:
    """What the screen shows, in the unit square."""
    kind = int(rng.integers(4))
    if kind == 0:
        off: Colour = tone(rng, ((70, 84, 104), (58, 66, 80)), 5)
        return [rect(off, 0, 0, 1, 1), poly(shade(off, 0.25), 0.12, 0, 0.4, 0, 0.16, 1, 0, 1, 0, 0.6)]
    if kind == 1:
        return [
            rect((120, 196, 240), 0, 0, 1, 1),
            oval(YELLOW, 0.75, 0.28, 0.1, 0.17),
            poly(LEAF, 0, 1, 0, 0.72, 0.3, 0.45, 0.6, 0.75, 0.8, 0.6, 1, 0.8, 1, 1),
        ]
    if kind == 2:
        return [
            rect((80, 176, 96), 0, 0, 1, 1),
            rect(WHITE, 0.49, 0, 0.51, 1),
            oval(WHITE, 0.5, 0.5, 0.14, 0.22),
            oval((80, 176, 96), 0.5, 0.5, 0.11, 0.18),
        ]
    bars = (WHITE, YELLOW, TEAL, GREEN, PURPLE, RED, BLUE)
    return [rect(c, i / 7, 0, (i + 1) / 7, 1) for i, c in enumerate(bars)]


def _fit(picture: Drawing, x0: float, y0: float, x1: float, y1: float) -> Drawing:
    """The unit square stretched to a rectangle."""
    w, h = x1 - x0, y1 - y0
    return [s._replace(xy=tuple(y0 + v * h if i % 2 else x0 + v * w for i, v in enumerate(s.xy))) for s in picture]


def draw_sofa(rng: np.random.Generator) -> Drawing:
    """A sofa with two or three seats, plain or with small cushions."""
    c, n = tone(rng, FABRICS), int(rng.integers(2, 4))
    dark, light, legs = shade(c, -0.22), shade(c, 0.14), tone(rng, (*WOODS, DARK))
    step, top = 72 / n, rng.uniform(40, 46)
    out = [*line(legs, 5, 12, 92, 11, 98), *line(legs, 5, 88, 92, 89, 98), round_rect(dark, 8, top, 92, 84, 9)]
    out += [round_rect(c, 14.6 + i * step, top + 3, 13.4 + (i + 1) * step, 74, 5) for i in range(n)]
    out += [rect(dark, 12, 80, 88, 94)]
    out += [round_rect(light, 14.4 + i * step, 70, 13.6 + (i + 1) * step, 84, 4) for i in range(n)]
    for x in (18, 82):
        if maybe(rng, 0.35):
            out += [
                poly(
                    tone(rng, (YELLOW, ORANGE, PINK, CREAM, TEAL)),
                    x + (7 if x < 50 else -7),
                    51,
                    *((34, 58) if x < 50 else (66, 58)),
                    *((27, 72) if x < 50 else (73, 72)),
                    *((17, 66) if x < 50 else (83, 66)),
                )
            ]
    return [
        *out,
        *(round_rect(c, x, 57, x + 15, 94, 6.5) for x in (1, 84)),
        *(round_rect(light, x, 57, x + 15, 66, 4.5) for x in (1, 84)),
    ]


def draw_plant(rng: np.random.Generator) -> Drawing:
    """Long leaves, a bush, a cactus or flowers, in a pot."""
    pot, leaf = tone(rng, (CLAY, CLAY, WHITE, TEAL, YELLOW, GREY)), tone(rng, (LEAF, MOSS, (120, 176, 84)))
    dark, kind = shade(leaf, -0.22), int(rng.integers(4))
    out: Drawing = []
    if kind == 0:
        for i, angle in enumerate((-68, 66, -42, 40, -18, 20, 0)):
            t, long = math.radians(angle + rng.normal(0, 5)), rng.uniform(52, 66)
            dx, dy = math.sin(t), -math.cos(t)
            x, y = 50 + dx * long / 2, 70 + dy * long / 2  # the middle of the leaf
            tip = (50 + dx * long, 70 + dy * long)
            out += [blob(leaf if i % 2 else dark, 50, 72, x + dy * 7, y - dx * 7, *tip, x - dy * 7, y + dx * 7)]
    elif kind == 1:
        out += line(STEM, 5, 50, 74, 50, 50)
        places = ((32, 48), (68, 48), (28, 32), (72, 32), (50, 52), (39, 18), (61, 18), (50, 32))
        out += [oval((dark, leaf, shade(leaf, 0.18))[i % 3], x, y, 13) for i, (x, y) in enumerate(places)]
    elif kind == 2:
        out += [
            *line(leaf, 11, 50, 38, 30, 38, 30, 24),
            *line(leaf, 11, 50, 52, 71, 52, 71, 34),
            *line(leaf, 20, 50, 72, 50, 14),
        ]
        out += [rect(dark, x, 8, x + 1.6, 70) for x in (44, 50, 55)] + ([oval(PINK, 50, 4, 6, 5)] if maybe(rng) else [])
    else:
        bloom = tone(rng, (RED, PINK, PURPLE, YELLOW, ORANGE))
        for x, y in ((30, 22), (50, 12), (70, 24)):
            out += [
                *line(dark, 3.4, 50, 72, x, y),
                *(oval(bloom, x + 7.5 * np.cos(a), y + 7.5 * np.sin(a), 6) for a in np.arange(5) * 1.257),
            ]
            out += [oval(YELLOW if bloom[1] < 180 else EYE, x, y, 5)]
        out += [oval(leaf, 38, 58, 14, 6, 35), oval(leaf, 62, 58, 14, 6, -35)]
    return [*out, poly(pot, 31, 72, 69, 72, 63, 99, 37, 99), round_rect(shade(pot, -0.15), 28, 67, 72, 76, 2)]
