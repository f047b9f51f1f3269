"""Car, truck, bus, bicycle and traffic light, on a grid of 100 by 100, facing right, ground at y = 100."""

from __future__ import annotations

import numpy as np

from .draw import Colour, Drawing, line, oval, poly, rect, ring, round_rect, shade
from .palette import (
    CREAM,
    DARK,
    GLASS,
    GREEN,
    GREY,
    NAVY,
    ORANGE,
    PAINTS,
    RED,
    SILVER,
    TEAL,
    WHITE,
    YELLOW,
    maybe,
    tone,
)

LAMP: Colour = (255, 236, 150)
BASKET: Colour = (198, 148, 92)


def _wheel(x: float, y: float, r: float) -> Drawing:
    return [oval(DARK, x, y, r), oval(SILVER, x, y, r * 0.52), oval(GREY, x, y, r * 0.2)]


def draw_car(rng: np.random.Generator) -> Drawing:
    """A saloon, a hatchback, or a small van."""
    c = tone(rng, PAINTS)
    dark, glass = shade(c, -0.25), tone(rng, (GLASS, (150, 190, 210), (90, 110, 130)), 6)
    kind = int(rng.integers(3))
    if kind == 0:
        cabin = poly(c, 18, 75, 33, 55, 64, 55, 82, 75)
        panes = [poly(glass, 26, 73, 36, 59, 48, 59, 48, 73), poly(glass, 52, 73, 52, 59, 62, 59, 75, 73)]
    elif kind == 1:
        cabin = poly(c, 6, 75, 13, 53, 58, 53, 78, 75)
        panes = [poly(glass, 12, 73, 17, 57, 36, 57, 36, 73), poly(glass, 40, 73, 40, 57, 56, 57, 70, 73)]
    else:
        cabin = poly(c, 4, 75, 8, 47, 70, 47, 86, 75)
        panes = [rect(glass, 13, 52, 30, 70), rect(glass, 34, 52, 51, 70), poly(glass, 55, 70, 55, 52, 68, 52, 79, 70)]
    body = [round_rect(c, 2, 71, 98, 92, 6), rect(dark, 4, 85, 96, 90)]
    door = [rect(dark, 49.3, 74, 50.7, 90), rect(dark, 53, 76, 58, 78)]
    lights = [oval(LAMP, 95, 78, 3, 3.6), round_rect((230, 50, 46), 2, 74, 6, 82, 1.5)]
    roof = line(DARK, 2.4, 24, 51, 54, 51) if kind == 1 and maybe(rng, 0.4) else []
    wheels = [oval(dark, 24, 90, 11.5), oval(dark, 77, 90, 11.5), *_wheel(24, 91, 9.5), *_wheel(77, 91, 9.5)]
    return [*roof, cabin, *panes, *body, *door, *lights, *wheels]


def draw_truck(rng: np.random.Generator) -> Drawing:
    """A cab with a box, a tipper or a tank behind it."""
    cab, load = tone(rng, PAINTS), tone(rng, (*PAINTS, CREAM, WHITE, SILVER))
    dark, glass, kind = shade(load, -0.22), tone(rng, (GLASS, (150, 190, 210)), 6), int(rng.integers(3))
    if kind == 0:
        top = rng.uniform(26, 36)
        back = [rect(load, 2, top, 65, 83), rect(dark, 2, top, 65, top + 3), rect(dark, 2, 79, 65, 83)]
        if maybe(rng):
            back += [rect(dark, x, top, x + 1.6, 83) for x in (14, 26, 38, 50)]
        else:
            back += [rect(tone(rng, PAINTS), 2, 50, 65, 62)]
    elif kind == 1:
        heap = tone(rng, ((150, 110, 70), (170, 160, 150), (200, 170, 110)))
        back = [oval(heap, 24, 53, 17, 13), oval(heap, 43, 53, 16, 11)]
        back += [poly(load, 1, 50, 65, 50, 61, 82, 9, 82), rect(dark, 1, 50, 65, 54)]
        back += [poly(dark, x, 54, x + 3, 54, x + 3, 82, x, 82) for x in (18, 32, 46)]
    else:
        back = [round_rect(load, 1, 46, 66, 81, 16), round_rect(shade(load, 0.35), 8, 51, 59, 57, 2.5)]
        back += [rect(dark, x, 46, x + 2, 81) for x in (20, 45)] + [rect(dark, 28, 42, 38, 46)]
    front = [poly(cab, 68, 46, 86, 46, 95, 64, 98, 68, 98, 88, 68, 88)]
    front += [poly(glass, 74, 50, 84, 50, 91, 65, 74, 65), rect(shade(cab, -0.25), 68, 82, 98, 88)]
    front += [oval(LAMP, 95.5, 76, 2.5, 3.5), rect(shade(cab, -0.25), 71, 70, 76, 72)]
    axles = (15, 31, 83) if maybe(rng) else (17, 83)
    return [rect(DARK, 2, 82, 96, 89), *back, *front, *(s for x in axles for s in _wheel(x, 91, 9))]


def draw_bus(rng: np.random.Generator) -> Drawing:
    """A city bus, a school bus, or one with two decks."""
    kind = int(rng.integers(3))
    c = tone(rng, ((YELLOW, ORANGE) if kind == 1 else PAINTS))
    glass, dark = tone(rng, (GLASS, (120, 150, 175)), 6), shade(c, -0.25)
    top = 20 if kind == 2 else 40
    out = [round_rect(c, 2, top, 98, 91, 6), rect(dark, 3, 84, 97, 89)]
    stripe = DARK if kind == 1 else tone(rng, (WHITE, CREAM, NAVY, dark))
    out += [rect(stripe, 2, 68, 98, 72)]
    n = int(rng.integers(4, 6))
    step = 70 / n
    for y in (46,) if kind < 2 else (26, 48):
        out += [round_rect(glass, 6 + i * step, y, 4 + (i + 1) * step, y + 16, 2) for i in range(n)]
        out += [round_rect(glass, 88, y, 97, y + 18, 2)] if y > 40 else [rect(glass, 77, y, 96, y + 14)]
    out += [rect(dark, 76.5, 45, 86.5, 89), rect(glass, 78, 47, 81, 84), rect(glass, 82, 47, 85, 84)]
    if kind == 0 and maybe(rng):
        out += [rect(DARK, 70, 41, 94, 44.5), rect(ORANGE, 78, 42, 90, 43.5)]
    out += [oval(LAMP, 95, 79, 2.5, 3), round_rect(RED, 2, 75, 5, 82, 1)]
    return [*out, *_wheel(22, 91, 9), *_wheel(66, 91, 9)]


def draw_bicycle(rng: np.random.Generator) -> Drawing:
    """A bicycle with a straight or a step-through frame, with or without a basket."""
    c, w, r = tone(rng, (RED, ORANGE, TEAL, NAVY, DARK, GREEN, WHITE)), rng.uniform(3.6, 4.6), 20
    wheels = [ring(DARK, 22, 79, r, 3.6), ring(DARK, 78, 79, r, 3.6)]
    spokes = [s for x in (22, 78) for a, b in ((16, 0), (0, 16), (11, 11), (11, -11))
              for s in line(SILVER, 0.9, x - a, 79 - b, x + a, 79 + b)]  # fmt: skip
    frame = [*line(c, w, 22, 79, 45, 79, 36, 48), *line(c, w, 22, 79, 38, 55)]
    if maybe(rng, 0.7):
        frame += [*line(c, w, 38, 55, 67, 53), *line(c, w, 45, 79, 67, 53)]
    else:
        frame += [*line(c, w, 45, 79, 58, 68, 67, 53), *line(c, w, 41, 66, 55, 64, 66, 50)]
    bars = (65, 42, 73, 38) if maybe(rng) else (65, 42, 76, 42, 78, 49)
    frame += [*line(c, w, 78, 79, 66, 45), *line(DARK, 3.4, 66, 46, *bars)]
    seat = [*line(DARK, 3, 37, 52, 35, 45), *line(DARK, 5.5, 28, 44, 40, 44)]
    pedals = [oval(GREY, 45, 79, 5.5), *line(DARK, 2.4, 45, 79, 50, 89, 54, 89)]
    basket = [poly(BASKET, 72, 42, 92, 42, 88, 57, 76, 57), rect(shade(BASKET, -0.3), 72, 42, 92, 44.5)]
    return [*spokes, *wheels, *frame, *seat, *pedals, *(basket if maybe(rng, 0.25) else [])]


def draw_traffic_light(rng: np.random.Generator) -> Drawing:
    """Three lamps on a post; one of them shines."""
    case = tone(rng, (DARK, (40, 66, 54), (60, 60, 66), (226, 180, 56)))
    post = tone(rng, (GREY, DARK, (110, 116, 122)))
    out = [rect(post, 46.5, 55, 53.5, 99), round_rect(post, 40, 95, 60, 100, 2)]
    out += [round_rect(case, 33, 2, 67, 64, 7), round_rect(shade(case, -0.3), 36, 5, 64, 61, 5)]
    shining = int(rng.integers(3))
    for i, colour in enumerate(((240, 62, 54), (252, 196, 60), (70, 206, 104))):
        y = 14.5 + 18.5 * i
        out += [oval(colour if i == shining else shade(colour, -0.45), 50, y, 8)]
        if i == shining:
            out += [oval(shade(colour, 0.55), 47.5, y - 2.5, 2.6)]
    if maybe(rng, 0.4):
        out += [poly(case, 33, 9 + 18 * i, 26, 12 + 18 * i, 33, 17 + 18 * i) for i in range(3)]
        out += [poly(case, 67, 9 + 18 * i, 74, 12 + 18 * i, 67, 17 + 18 * i) for i in range(3)]
    return out
