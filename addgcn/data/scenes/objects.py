"""The eighteen categories as drawings: `draw_object(category, rng)`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .animals import draw_cat, draw_dog, draw_person, draw_sheep
from .draw import Drawing
from .furniture import draw_chair, draw_plant, draw_sofa, draw_table, draw_tv
from .labels import CLASSES
from .things import draw_bottle, draw_cup, draw_sink, draw_toilet
from .vehicles import draw_bicycle, draw_bus, draw_car, draw_traffic_light, draw_truck

DRAWERS: dict[str, Callable[[np.random.Generator], Drawing]] = {
    "car": draw_car, "truck": draw_truck, "bus": draw_bus, "bicycle": draw_bicycle,
    "traffic light": draw_traffic_light, "person": draw_person, "dog": draw_dog, "cat": draw_cat,
    "sheep": draw_sheep, "chair": draw_chair, "table": draw_table, "tv": draw_tv, "sofa": draw_sofa,
    "plant": draw_plant, "bottle": draw_bottle, "cup": draw_cup, "toilet": draw_toilet, "sink": draw_sink,
}  # fmt: skip


def draw_object(category: int, rng: np.random.Generator) -> Drawing:
    """A category drawn with random colours and style, on a grid of 100 by 100, its foot at y = 100."""
    return DRAWERS[CLASSES[category]](rng)
