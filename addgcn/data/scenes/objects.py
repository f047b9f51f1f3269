"""The eighteen categories as drawings."""

from __future__ import annotations

import numpy as np

from .draw import Drawing, oval
from .labels import CLASSES


def draw_object(category: int, rng: np.random.Generator) -> Drawing:
    """A drawing of the category in a unit box: standing on y = 0, centred on x = 0, up is negative y."""
    hue = (int(60 + 180 * (category % 3) / 2), int(60 + 180 * (category // 3 % 3) / 2), int(60 + 90 * (category // 9)))
    return [oval(hue, 0, -0.5, 0.5, 0.3 + 0.2 * (category / len(CLASSES)))]


def draw_clutter(rng: np.random.Generator, front: bool) -> Drawing:
    """A shape that is nothing, where it stands in the image: behind or among the objects, or before them."""
    g = int(rng.integers(255))
    return [oval((g, g, 128), rng.uniform(0, 1), rng.uniform(0.4, 1), 0.08, 0.06)]
