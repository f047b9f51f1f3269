"""The six kinds of place, in the unit square; their ground begins between y = 0.5 and 0.62."""

from __future__ import annotations

import numpy as np

from .draw import Drawing, line, oval, poly, rect, round_rect, shade
from .labels import SCENES
from .palette import (
    BLUE,
    BROWN,
    CLAY,
    CREAM,
    FABRICS,
    GLASS,
    GREY,
    LEAF,
    PAINTS,
    PINK,
    RED,
    SILVER,
    TEAL,
    WHITE,
    WOODS,
    YELLOW,
    maybe,
    tone,
)


def draw_background(scene: int, rng: np.random.Generator) -> Drawing:
    """The empty place, filling the unit square."""
    drawer = {"street": _street, "farm": _farm, "kitchen": _kitchen, "living room": _living_room,
              "bathroom": _bathroom, "dining room": _dining_room}[SCENES[scene]]  # fmt: skip
    return drawer(rng, float(rng.uniform(0.5, 0.62)))


def _sky(rng: np.random.Generator, ground: float) -> Drawing:
    blue = tone(rng, ((150, 206, 240), (182, 220, 240), (206, 214, 224), (246, 212, 180)), 8)
    out = [rect(blue, 0, 0, 1, ground + 0.02)]
    if maybe(rng):
        out += [oval((255, 232, 140), rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.2), 0.07)]
    for _ in range(int(rng.integers(3))):
        x, y = rng.uniform(0, 1), rng.uniform(0.06, 0.25)
        out += [
            oval(WHITE, x + dx, y + dy, r, r * 0.7)
            for dx, dy, r in ((0, 0, 0.07), (0.07, 0.01, 0.05), (-0.07, 0.01, 0.05))
        ]
    return out


def _street(rng: np.random.Generator, ground: float) -> Drawing:
    out, x = _sky(rng, ground), -rng.uniform(0, 0.1)
    while x < 1:  # houses
        wide, top = rng.uniform(0.16, 0.3), rng.uniform(0.06, 0.34)
        wall = tone(rng, (CLAY, CREAM, (200, 150, 130), (170, 176, 190), (220, 190, 150), (160, 130, 120)))
        out += [rect(wall, x, top, x + wide, ground)]
        if maybe(rng, 0.4):
            out += [poly(shade(wall, -0.35), x - 0.01, top, x + wide / 2, top - 0.09, x + wide + 0.01, top)]
        pane = tone(rng, ((120, 150, 175), (250, 226, 150), (90, 104, 124)))
        out += [rect(pane, x + wide * a, y, x + wide * (a + 0.22), y + 0.06)
                for y in np.arange(top + 0.05, ground - 0.08, 0.12).tolist() for a in (0.16, 0.6)]  # fmt: skip
        x += wide + (0.04 if maybe(rng, 0.2) else 0)
    pavement, road = tone(rng, ((186, 186, 184), (200, 192, 180))), tone(rng, ((98, 100, 106), (116, 114, 112)))
    out += [rect(pavement, 0, ground, 1, ground + 0.1), rect(shade(pavement, -0.2), 0, ground + 0.085, 1, ground + 0.1)]
    out += [rect(road, 0, ground + 0.1, 1, 1)]
    y, shift = (ground + 1.1) / 2, rng.uniform(0, 0.25)
    return out + [
        rect((236, 232, 214), i * 0.25 - shift, y - 0.012, i * 0.25 - shift + 0.14, y + 0.012) for i in range(6)
    ]


def _farm(rng: np.random.Generator, ground: float) -> Drawing:
    out, grass = _sky(rng, ground), tone(rng, ((132, 186, 92), (156, 190, 96), (116, 170, 92), (190, 180, 96)))
    out += [
        oval(shade(grass, -0.15), rng.uniform(0, 0.4), ground + 0.12, 0.5, 0.26),
        oval(shade(grass, -0.22), rng.uniform(0.6, 1), ground + 0.12, 0.45, 0.22),
    ]
    if maybe(rng, 0.65):
        x, wall = rng.uniform(0.1, 0.7), tone(rng, (RED, (176, 74, 58), BROWN))
        out += [
            rect(wall, x, ground - 0.17, x + 0.22, ground),
            poly(
                shade(wall, -0.35),
                x - 0.02,
                ground - 0.17,
                x + 0.05,
                ground - 0.27,
                x + 0.17,
                ground - 0.27,
                x + 0.24,
                ground - 0.17,
            ),
        ]
        out += [
            rect(WHITE, x + 0.075, ground - 0.1, x + 0.145, ground),
            rect(shade(wall, -0.2), x + 0.085, ground - 0.09, x + 0.135, ground),
        ]
    for _ in range(int(rng.integers(3))):
        x = rng.uniform(0, 1)
        out += [
            rect(BROWN, x - 0.012, ground - 0.12, x + 0.012, ground + 0.01),
            oval(shade(LEAF, rng.uniform(-0.2, 0.1)), x, ground - 0.16, 0.08, 0.1),
        ]
    out += [rect(grass, 0, ground, 1, 1)]
    if maybe(rng, 0.6):
        fence = tone(rng, (WHITE, *WOODS))
        out += [
            rect(fence, x - 0.01, ground - 0.05, x + 0.01, ground + 0.06) for x in np.arange(0.04, 1, 0.13).tolist()
        ]
        out += [rect(fence, 0, ground + d, 1, ground + d + 0.016) for d in (-0.03, 0.02)]
    return out + [
        poly(shade(grass, -0.18), x, y, x + 0.012, y - 0.035, x + 0.024, y)
        for x, y in rng.uniform((0, ground + 0.1), (1, 1), (8, 2)).tolist()
    ]


def _tiles(colour: tuple[int, int, int], y0: float, y1: float, step: float) -> Drawing:
    """A wall of square tiles: the joints are lines."""
    joint = shade(colour, -0.14)
    out = [rect(colour, 0, y0, 1, y1)]
    out += [rect(joint, x, y0, x + 0.008, y1) for x in np.arange(step / 2, 1, step).tolist()]
    return out + [rect(joint, 0, y, 1, y + 0.008) for y in np.arange(y0 + step, y1 - 0.02, step).tolist()]


def _planks(rng: np.random.Generator, ground: float) -> Drawing:
    floor = tone(rng, WOODS, 10)
    joint = shade(floor, -0.18)
    return [
        rect(floor, 0, ground, 1, 1),
        *(rect(joint, 0, y, 1, y + 0.008) for y in (ground + 0.08, ground + 0.18, ground + 0.31)),
    ]


def _chequer(a: tuple[int, int, int], b: tuple[int, int, int], ground: float) -> Drawing:
    """A floor of two kinds of tiles, in rows that grow towards the viewer."""
    out, y, n, row = [rect(a, 0, ground, 1, 1)], ground, 10, 0
    while y < 1:
        high, wide = 0.05 + 0.03 * row, 1 / n
        out += [rect(b, i * wide, y, (i + 1) * wide, y + high) for i in range(row % 2, n, 2)]
        y, n, row = y + high, max(n - 1, 5), row + 1
    return out


def _kitchen(rng: np.random.Generator, ground: float) -> Drawing:
    wall, wood = (
        tone(rng, (CREAM, (214, 232, 220), (250, 226, 170), (220, 226, 236)), 8),
        tone(rng, (*WOODS, TEAL, WHITE, (150, 176, 160))),
    )
    out = [*_tiles(wall, 0, ground, 0.11), rect(wood, 0, 0, 1, 0.17)]
    for x in (0.02, 0.27, 0.52, 0.77):
        out += [rect(shade(wood, -0.16), x, 0.02, x + 0.21, 0.15), oval(SILVER, x + 0.18, 0.12, 0.012)]
    counter = ground - 0.1
    out += [rect(wood, 0, counter, 1, ground + 0.02), rect(shade(wood, -0.4), 0, counter - 0.03, 1, counter)]
    out += [rect(shade(wood, -0.2), x, counter, x + 0.012, ground + 0.02) for x in (0.2, 0.45, 0.7, 0.95)]
    if maybe(rng):  # a cooker's hood
        x = rng.uniform(0.1, 0.7)
        out += [
            poly(SILVER, x + 0.06, 0.17, x + 0.14, 0.17, x + 0.2, 0.25, x, 0.25),
            rect(GREY, x, 0.25, x + 0.2, 0.27),
        ]
    light = tone(rng, (WHITE, CREAM), 6)
    return out + _chequer(light, tone(rng, ((90, 96, 108), RED, TEAL, (170, 176, 180))), ground + 0.02)


def _window(rng: np.random.Generator, x: float, y: float, w: float, h: float) -> Drawing:
    cloth = tone(rng, FABRICS)
    out = [rect(WHITE, x, y, x + w, y + h), rect(GLASS, x + 0.02, y + 0.02, x + w - 0.02, y + h - 0.02)]
    out += [
        rect(WHITE, x + w / 2 - 0.008, y, x + w / 2 + 0.008, y + h),
        rect(WHITE, x, y + h / 2 - 0.008, x + w, y + h / 2 + 0.008),
    ]
    out += [poly(cloth, x - 0.04, y - 0.03, x + 0.09, y - 0.03, x + 0.02, y + h + 0.05, x - 0.04, y + h + 0.05)]
    return [
        *out,
        poly(
            cloth,
            x + w + 0.04,
            y - 0.03,
            x + w - 0.09,
            y - 0.03,
            x + w - 0.02,
            y + h + 0.05,
            x + w + 0.04,
            y + h + 0.05,
        ),
    ]


def _frame(rng: np.random.Generator, x: float, y: float) -> Drawing:
    w, h = rng.uniform(0.12, 0.2), rng.uniform(0.1, 0.16)
    return [rect(tone(rng, WOODS), x, y, x + w, y + h), rect(CREAM, x + 0.015, y + 0.015, x + w - 0.015, y + h - 0.015),
            oval(tone(rng, PAINTS), x + w / 2, y + h / 2, w * 0.25, h * 0.22)]  # fmt: skip


def _living_room(rng: np.random.Generator, ground: float) -> Drawing:
    wall = tone(rng, ((236, 214, 180), (190, 214, 206), (222, 200, 210), (206, 214, 234), (226, 222, 190)))
    out = [rect(wall, 0, 0, 1, ground)]
    if maybe(rng, 0.4):
        out += [rect(shade(wall, -0.07), x, 0, x + 0.04, ground) for x in np.arange(0.02, 1, 0.1).tolist()]
    if maybe(rng, 0.7):
        out += _window(rng, rng.uniform(0.06, 0.6), 0.08, 0.3, 0.28)
    out += [
        s
        for x in (0.05, 0.4, 0.75)
        if maybe(rng, 0.35)
        for s in _frame(rng, x + rng.uniform(0, 0.05), rng.uniform(0.08, 0.2))
    ]
    out += [rect(shade(wall, 0.6), 0, ground - 0.03, 1, ground), *_planks(rng, ground)]
    rug = tone(rng, FABRICS)
    return (
        [*out, oval(rug, rng.uniform(0.35, 0.65), 0.86, 0.36, 0.1), oval(shade(rug, 0.3), 0.5, 0.86, 0.22, 0.05)]
        if maybe(rng, 0.7)
        else out
    )


def _bathroom(rng: np.random.Generator, ground: float) -> Drawing:
    tile = tone(rng, ((176, 216, 228), (196, 228, 214), (232, 214, 224), (214, 226, 236), (170, 200, 220)), 8)
    out = _tiles(tile, 0, ground, 0.09)
    out += [rect(shade(tile, -0.3), 0, ground * 0.5, 1, ground * 0.5 + 0.03)]
    if maybe(rng, 0.6):
        x = rng.uniform(0.1, 0.6)
        out += [
            round_rect(SILVER, x, 0.07, x + 0.22, 0.3, 0.03),
            round_rect((222, 238, 244), x + 0.015, 0.085, x + 0.205, 0.285, 0.02),
            poly(WHITE, x + 0.04, 0.27, x + 0.13, 0.1, x + 0.16, 0.1, x + 0.07, 0.27),
        ]
    if maybe(rng, 0.5):  # a shower curtain
        cloth, x = tone(rng, (WHITE, PINK, TEAL, YELLOW, BLUE)), float(rng.choice([0.0, 0.72]))
        out += [
            rect(cloth, x, 0.03, x + 0.28, ground + 0.05),
            *(rect(shade(cloth, -0.16), x + d, 0.03, x + d + 0.025, ground + 0.05) for d in (0.04, 0.13, 0.22)),
            *line(GREY, 0.014, x, 0.03, x + 0.28, 0.03),
        ]
    elif maybe(rng):
        x, cloth = rng.uniform(0.05, 0.8), tone(rng, FABRICS)
        out += [
            *line(GREY, 0.012, x - 0.02, 0.3, x + 0.16, 0.3),
            rect(cloth, x, 0.3, x + 0.14, 0.46),
            rect(shade(cloth, 0.4), x, 0.41, x + 0.14, 0.435),
        ]
    light = tone(rng, (WHITE, (226, 232, 236)), 6)
    return out + _chequer(
        light, tone(rng, ((150, 180, 196), (120, 130, 140), (190, 206, 200), (120, 170, 170))), ground
    )


def _dining_room(rng: np.random.Generator, ground: float) -> Drawing:
    wall = tone(rng, ((196, 100, 84), (120, 150, 130), (226, 190, 130), (150, 130, 160), (110, 130, 160)))
    panel, rail = shade(wall, 0.62), ground - 0.2
    out = [
        rect(wall, 0, 0, 1, rail),
        rect(panel, 0, rail, 1, ground),
        rect(shade(panel, -0.15), 0, rail, 1, rail + 0.02),
    ]
    out += [
        rect(shade(panel, -0.1), x, rail + 0.05, x + 0.15, ground - 0.04) for x in np.arange(0.025, 1, 0.2).tolist()
    ]
    x, lamp = rng.uniform(0.25, 0.75), tone(rng, (YELLOW, CREAM, WHITE, RED))
    out += [
        rect((60, 54, 52), x - 0.005, 0, x + 0.005, 0.12),
        poly(lamp, x - 0.05, 0.1, x + 0.05, 0.1, x + 0.11, 0.19, x - 0.11, 0.19),
        oval((255, 244, 190), x, 0.195, 0.05, 0.02),
    ]
    for side in (0.04, 0.78):
        if maybe(rng, 0.45):
            out += _frame(rng, side, rng.uniform(0.06, 0.14))
    return out + _planks(rng, ground)
