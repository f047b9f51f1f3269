"""The six kinds of place."""

from __future__ import annotations

import numpy as np

from .draw import Drawing, rect


def draw_background(scene: int, rng: np.random.Generator) -> Drawing:
    """The empty place, filling the unit square; its ground begins between y = 0.45 and 0.65."""
    g = 120 + 15 * scene
    return [rect((g, g, 200), 0, 0, 1, 0.55), rect((200, g, 120), 0, 0.55, 1, 1)]
