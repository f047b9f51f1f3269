"""Person, dog, cat and sheep, on a grid of 100 by 100, facing right, ground at y = 100."""

from __future__ import annotations

import numpy as np

from .draw import Colour, Drawing, blob, line, oval, poly, rect, round_rect, shade
from .palette import (
    BROWN,
    CREAM,
    DARK,
    GREY,
    HAIRS,
    NAVY,
    ORANGE,
    PAINTS,
    PINK,
    RED,
    SKINS,
    WHITE,
    maybe,
    tone,
)

INK: Colour = (36, 34, 38)


def draw_person(rng: np.random.Generator) -> Drawing:
    """Someone standing, walking or waving, in trousers or a skirt."""
    skin, hair, shirt = tone(rng, SKINS, 8), tone(rng, HAIRS, 8), tone(rng, PAINTS)
    trousers, shoes = tone(rng, (NAVY, DARK, BROWN, (84, 110, 160), (110, 104, 96))), tone(rng, (DARK, BROWN, RED))
    skirt, walking, waving, long = maybe(rng, 0.35), maybe(rng), maybe(rng, 0.3), maybe(rng, 0.45)
    spread = 11 if walking else 4
    out: Drawing = []
    if long:
        out += [round_rect(hair, 38, 6, 62, 31, 7)]
    for side in (-1, 1):  # legs and shoes
        x, foot = 50 + 5.5 * side, 50 + (5.5 + spread * 0.6) * side
        out += line(skin if skirt else trousers, 8.5 if not skirt else 6.5, x, 58, foot, 94)
        out += [round_rect(shoes, foot - 4, 93, foot + 8, 99.5, 3)]
    left = (38, 31, 31, 46, 31 - spread * 0.4, 60)  # shoulder, elbow, hand
    right = (62, 31, 74, 32, 78, 15) if waving else (66, 32, 70, 47, 69 + spread * 0.4, 60)
    for x0, y0, x1, y1, x2, y2 in (left, right):
        out += [*line(skin, 6, x1, y1, x2, y2), *line(shade(shirt, -0.18), 7.5, x0, y0, x1, y1)]
    if skirt:
        out += [round_rect(shirt, 37.5, 26, 62.5, 54, 6), poly(shade(shirt, -0.1), 39, 50, 61, 50, 71, 76, 29, 76)]
    else:
        out += [round_rect(shirt, 37, 26, 63, 60, 6), rect(shade(trousers, -0.2), 38, 58, 62, 62)]
    if maybe(rng, 0.35):
        stripe = shade(shirt, 0.45)
        out += [rect(stripe, 37.5, y, 62.5, y + 3.5) for y in (33, 41, 49)]
    out += [rect(shade(skin, -0.12), 46, 22, 54, 28), oval(skin, 50, 14.5, 9.5, 10.5)]
    out += [blob(hair, 39.5, 14, 41, 5, 50, 1.5, 59, 5, 60.5, 14, 57, 10, 50, 8.5, 43, 10)]
    if maybe(rng, 0.2):
        cap = tone(rng, PAINTS)
        out += [blob(cap, 40, 9, 42, 2, 50, -1, 58, 2, 60, 9, 50, 8), round_rect(cap, 50, 6.5, 66, 10, 1.5)]
    out += [
        oval(INK, 46.5, 15, 1.4, 1.7),
        oval(INK, 54, 15, 1.4, 1.7),
        *line((170, 70, 66), 1.3, 47, 20, 50, 21, 53.5, 20),
    ]
    return out


def draw_dog(rng: np.random.Generator) -> Drawing:
    """A dog on its four legs: floppy or upright ears, spots or a pale chest, long or short legs."""
    c = tone(rng, (BROWN, (204, 152, 96), (96, 66, 48), (226, 200, 160), GREY, (66, 60, 58), (176, 112, 62)))
    far, patch, foot = shade(c, -0.22), shade(c, -0.42), rng.uniform(92, 99)
    out = [*line(c, 6.5, 21, 56, 12, 46, 8, 32)] if maybe(rng) else [*line(c, 6.5, 20, 56, 6, 52, 2, 42)]
    out += [*line(far, 7.5, 34, 66, 35, foot - 2), *line(far, 7.5, 58, 66, 60, foot - 2)]
    out += [blob(c, 20, 52, 44, 50, 66, 48, 77, 54, 74, 68, 60, 74, 40, 72, 24, 76, 15, 66)]
    out += [*line(c, 8.5, 25, 70, 23, 84, 26, foot), *line(c, 8.5, 66, 66, 67, foot)]
    out += [oval(c, 28, foot, 5, 3.4), oval(c, 70, foot, 5, 3.4)]
    if maybe(rng, 0.45):
        out += [oval(patch, 38, 57, 10, 6, 10), oval(patch, 24, 62, 5, 6)]
    elif maybe(rng):
        out += [blob(shade(c, 0.5), 66, 56, 76, 54, 74, 68, 64, 72)]
    out += [poly(c, 60, 56, 68, 30, 86, 40, 77, 62)]
    upright = maybe(rng, 0.35)
    if upright:
        out += [poly(patch, 66, 32, 66, 12, 76, 25), poly(c, 72, 30, 75, 12, 83, 27)]
    out += [oval(c, 76, 34, 12, 11.5), round_rect(shade(c, 0.22), 80, 33, 99, 46, 5.5), oval(INK, 97, 35.5, 3.4, 2.9)]
    out += [oval(INK, 80.5, 29.5, 1.9, 2.2), *line(shade(c, -0.45), 1.3, 86, 42.5, 95, 42)]
    if not upright:
        out += [blob(patch, 66, 24, 73, 25, 75, 36, 72, 48, 65, 50, 61, 40)]
    if maybe(rng, 0.35):
        out += [round_rect((232, 110, 124), 86, 43, 92, 53, 2.8)]
    return [*out, *line(tone(rng, (RED, PAINTS[5], PAINTS[3])), 4, 63, 49, 78, 55)]


def draw_cat(rng: np.random.Generator) -> Drawing:
    """A cat that sits and looks at you, or one that walks by with its tail up."""
    c = tone(rng, (ORANGE, (224, 160, 92), GREY, (70, 68, 74), CREAM, (128, 104, 86), WHITE))
    far, pale, eyes = shade(c, -0.28), shade(c, 0.5), tone(rng, ((120, 190, 90), (240, 200, 70), (110, 180, 220)), 6)
    if maybe(rng, 0.55):
        out = [*line(far, 8, 70, 94, 88, 90, 92, 76, 85, 64)]
        out += [blob(c, 50, 42, 66, 58, 76, 84, 70, 99, 50, 100, 30, 99, 24, 84, 34, 58), oval(pale, 50, 68, 11, 17)]
        out += [*line(c, 9, 42, 72, 42, 96), *line(c, 9, 58, 72, 58, 96), rect(far, 49.4, 76, 50.6, 99)]
        out += [oval(pale, 41, 97, 6, 3.4), oval(pale, 59, 97, 6, 3.4)]
        if maybe(rng):
            out += [s for y in (62, 72, 82) for x, m in ((29, 1), (71, -1))
                    for s in line(far, 3, x - (y - 62) * 0.15 * m, y, x + 8 * m, y + 2)]  # fmt: skip
        return [*out, *_cat_face(50, 29, 1.0, c, far, pale, eyes)]
    out = [*line(c, 6.5, 18, 60, 8, 48, 12, 32, 4, 20)]
    out += [*line(far, 6, 30, 70, 32, 96), *line(far, 6, 62, 70, 60, 96)]
    out += [blob(c, 14, 62, 22, 54, 46, 56, 66, 54, 76, 60, 70, 72, 46, 73, 26, 76, 15, 72)]
    out += [*line(c, 6.5, 22, 72, 20, 97), *line(c, 6.5, 69, 66, 72, 97)]
    if maybe(rng):
        out += [s for x in (30, 40, 50) for s in line(far, 3.2, x, 55.5, x - 2, 65)]
    return [*out, *_cat_face(78, 46, 0.85, c, far, pale, eyes)]


def _cat_face(x: float, y: float, k: float, c: Colour, far: Colour, pale: Colour, eyes: Colour) -> Drawing:
    """A round head with two pointed ears and whiskers, centred on x, y, k times its full size."""
    out: Drawing = []
    for m in (-1, 1):
        out += [poly(c, x + 19 * k * m, y - 2 * k, x + 18 * k * m, y - 28 * k, x + 2 * k * m, y - 13 * k)]
        out += [poly((236, 160, 160), x + 16 * k * m, y - 9 * k, x + 16 * k * m, y - 22 * k, x + 7 * k * m, y - 14 * k)]
    out += [oval(c, x, y, 20.5 * k, 17 * k), oval(pale, x, y + 8 * k, 9 * k, 6.5 * k)]
    out += [s for dx in (-5, 0, 5) for s in line(far, 2 * k, x + dx * k, y - 15 * k, x + dx * 0.8 * k, y - 10 * k)]
    for m in (-1, 1):
        out += [
            oval(eyes, x + 8.5 * k * m, y - 1 * k, 4.2 * k, 4.6 * k),
            oval(INK, x + 8.5 * k * m, y - 1 * k, 1.6 * k, 4 * k),
        ]
        out += [s for dy in (5, 10) for s in line(far, 0.9, x + 8 * k * m, y + 6.5 * k, x + 25 * k * m, y + dy * k)]
    return [*out, poly((226, 110, 120), x - 3 * k, y + 4 * k, x + 3 * k, y + 4 * k, x, y + 7.5 * k)]


def draw_sheep(rng: np.random.Generator) -> Drawing:
    """A cloud of wool on four thin legs."""
    wool = tone(rng, (WHITE, CREAM, (226, 220, 210), (196, 188, 180), (112, 100, 94)), 8)
    face = tone(rng, (INK, (70, 60, 56), (214, 180, 150)), 6)
    under, foot = shade(wool, -0.13), 98
    out = [s for x in (32, 60) for s in line(shade(face, -0.2), 5.5, x, 76, x, foot - 2)]
    out += [s for x in (24, 68) for s in line(face, 6, x, 76, x, foot)]
    rim = [(14, 58), (22, 46), (36, 40), (52, 39), (66, 44), (75, 54), (74, 68), (62, 77), (46, 80), (30, 78), (17, 71)]
    out += [oval(under if y > 62 else wool, x, y, 11) for x, y in rim]
    out += [oval(wool, 45, 59, 31, 20), oval(wool, 9, 60, 6)]
    if maybe(rng):
        out += [oval(under, x, y, 4.5, 2.2) for x, y in ((30, 54), (46, 50), (42, 64), (58, 60), (26, 66))]
    grazing = maybe(rng, 0.25)
    y = 68 if grazing else 46
    out += [oval(face, 88, y + 4, 9, 13, -24), oval(face, 75, y - 1, 7.5, 3.6, 24), oval(PINK, 75, y - 1, 4, 1.6, 24)]
    out += [oval(wool, 81, y - 7, 8.5, 6.5), oval(WHITE, 86, y + 1, 2.6), oval(INK, 86.6, y + 1.3, 1.4)]
    return [*out, oval(shade(face, 0.35), 93, y + 13, 2.2, 1.3)]
