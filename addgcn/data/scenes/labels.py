"""Which categories an image holds: the statistics of the drawn world.

Every kind of scene has its own chance per category, and a few categories call for another one (a truck
for a car, a table for a chair). Splits `train`, `id` and `bg` follow these statistics. Splits `train-flat`
and `ood` take the same rows and permute every category's column by itself: each category stays exactly as
frequent as it was, and what it says about the others and about the place is gone.
"""

from __future__ import annotations

import numpy as np

CLASSES = (
    "car", "truck", "bus", "bicycle", "traffic light", "person", "dog", "cat", "sheep",
    "chair", "table", "tv", "sofa", "plant", "bottle", "cup", "toilet", "sink",
)  # fmt: skip
SCENES = ("street", "farm", "kitchen", "living room", "bathroom", "dining room")
SPLITS = {"train": 5000, "train-flat": 5000, "id": 1500, "ood": 1500, "bg": 1500}  # name -> images
SPLIT_NUMBER = {"train": 0, "id": 1, "ood": 2, "bg": 3, "train-flat": 4}

# How often a scene is drawn, and the chance of each category in it, in percent.
FREQUENCY = {"street": 25, "farm": 14, "kitchen": 16, "living room": 18, "bathroom": 13, "dining room": 14}
CHANCE = {
    "street": {"car": 80, "truck": 30, "bus": 32, "bicycle": 34, "traffic light": 44, "person": 46, "dog": 12,
               "plant": 5},
    "farm": {"sheep": 66, "dog": 38, "truck": 22, "car": 10, "person": 34, "cat": 12, "bicycle": 9, "plant": 12},
    "kitchen": {"sink": 56, "bottle": 46, "cup": 40, "table": 36, "chair": 26, "person": 24, "plant": 14,
                "cat": 10, "tv": 6},
    "living room": {"sofa": 70, "tv": 58, "plant": 36, "cat": 26, "dog": 14, "person": 24, "table": 22,
                    "chair": 14, "cup": 14, "bottle": 8},
    "bathroom": {"toilet": 74, "sink": 66, "bottle": 28, "plant": 22, "cup": 22, "person": 14, "cat": 8},
    "dining room": {"table": 70, "chair": 58, "cup": 40, "bottle": 40, "person": 30, "plant": 24, "tv": 8,
                    "cat": 6, "dog": 6},
}  # fmt: skip
# (a, b): chance in percent that a brings along b, if b is not there yet.
COMPANY = {
    ("truck", "car"): 75, ("bus", "traffic light"): 35, ("bicycle", "person"): 40, ("table", "chair"): 60,
    ("chair", "table"): 45, ("bottle", "cup"): 35, ("toilet", "sink"): 40, ("tv", "sofa"): 60,
    ("sheep", "dog"): 15,
}  # fmt: skip


PURPOSE = ("labels", "objects", "place", "permutation")


def stream(seed: int, split: str, index: int, draw: int, purpose: str) -> np.random.Generator:
    """The random numbers of one image for one purpose. `draw` only changes the two training splits."""
    draw = draw if split.startswith("train") else 0
    return np.random.default_rng([seed, SPLIT_NUMBER[split], index, draw, PURPOSE.index(purpose)])


def draw_labels(split: str, n: int, seed: int = 0, draw: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n, 18) int8 of 0 and 1, and the number of each image's scene (n,) in `SCENES`.

    Row i of `train` and `id` does not depend on n. `bg` has the labels of `id` and another scene;
    `ood` permutes the columns of `id`, and `train-flat` those of `train`. No row is empty.
    """
    source = {"bg": "id", "ood": "id", "train-flat": "train"}.get(split, split)
    rows = [_row(stream(seed, source, i, draw, "labels")) for i in range(n)]
    labels = np.array([row for row, _ in rows], np.int8).reshape(n, len(CLASSES))  # (n, C)
    scenes = np.array([scene for _, scene in rows], np.int64)  # (n,)
    if split == source:
        return labels, scenes
    rng = stream(seed, split, 0, draw, "permutation")
    if split == "bg":
        return labels, (scenes + rng.integers(1, len(SCENES), n)) % len(SCENES)
    for column in range(len(CLASSES)):
        labels[:, column] = rng.permutation(labels[:, column])
    for empty in np.flatnonzero(labels.sum(1) == 0):  # takes one label from a full row: the column keeps its sum
        full = rng.choice(np.flatnonzero(labels.sum(1) >= min(4, labels.sum(1).max())))
        column = rng.choice(np.flatnonzero(labels[full]))
        labels[full, column], labels[empty, column] = 0, 1
    return labels, rng.permutation(scenes)


_SCENE_WEIGHTS = np.array([FREQUENCY[s] for s in SCENES]) / sum(FREQUENCY.values())
_CHANCES = np.array([[CHANCE[s].get(c, 0) / 100 for c in CLASSES] for s in SCENES])  # (6, C)
_COMPANY = [(CLASSES.index(a), CLASSES.index(b), p / 100) for (a, b), p in COMPANY.items()]


def _row(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """One row of labels (C,) with its scene; drawn again until it holds at least one."""
    scene = int(rng.choice(len(SCENES), p=_SCENE_WEIGHTS))
    while True:
        row = rng.random(len(CLASSES)) < _CHANCES[scene]
        for (a, b, chance), r in zip(_COMPANY, rng.random(len(_COMPANY)), strict=True):
            if row[a] and r < chance:
                row[b] = True
        if row.any():
            return row, scene
