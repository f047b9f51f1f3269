"""The colours of the picture book."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from .draw import Colour

RED, ORANGE, YELLOW = (212, 66, 62), (236, 138, 54), (245, 200, 72)
GREEN, TEAL, BLUE = (92, 158, 88), (62, 158, 158), (70, 124, 200)
NAVY, PURPLE, PINK = (46, 64, 110), (136, 96, 172), (234, 138, 164)
BROWN, WOOD, DARK_WOOD = (142, 94, 62), (188, 136, 86), (124, 80, 50)
CREAM, WHITE, SILVER = (243, 230, 204), (246, 246, 242), (200, 206, 212)
GREY, DARK, GLASS = (146, 152, 160), (50, 54, 62), (176, 218, 238)
LEAF, MOSS, CLAY = (72, 150, 76), (48, 112, 66), (206, 112, 76)

PAINTS = (RED, ORANGE, YELLOW, GREEN, TEAL, BLUE, NAVY, PURPLE, PINK, WHITE, GREY)
FABRICS = (RED, TEAL, BLUE, NAVY, PURPLE, GREEN, ORANGE, BROWN, GREY, (190, 160, 130))
WOODS = (WOOD, DARK_WOOD, BROWN, (212, 166, 112), (226, 214, 192))
SKINS = ((250, 216, 186), (234, 188, 148), (198, 142, 100), (142, 94, 64), (100, 66, 46))
HAIRS = ((44, 34, 30), (92, 60, 38), (164, 108, 56), (226, 184, 100), (176, 76, 42), (150, 148, 146))
CERAMICS = (WHITE, WHITE, (236, 240, 244), (248, 240, 226), (206, 226, 234), (244, 216, 216), (204, 222, 200))

T = TypeVar("T")


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, each as likely."""
    return options[int(rng.random() * len(options))]


def tone(rng: np.random.Generator, options: Sequence[Colour], spread: float = 14) -> Colour:
    """One of the colours, a little lighter or darker and a little off."""
    light, *off = (spread * rng.standard_normal(4)).tolist()
    r, g, b = (int(min(max(c + light + d / 3, 0), 255)) for c, d in zip(pick(rng, options), off, strict=True))
    return r, g, b


def maybe(rng: np.random.Generator, chance: float = 0.5) -> bool:
    return rng.random() < chance
