"""What the decks draw with: a few scenes, COCO's counts, and one small model, trained once for all decks."""

from __future__ import annotations

import tempfile
from contextlib import redirect_stderr
from dataclasses import replace
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from addgcn import load_model, style, viz
from addgcn.data import load
from addgcn.data.scenes.compose import compose_split
from addgcn.data.transforms import eval_transform
from addgcn.recipes import RECIPES
from addgcn.records import cooccurrence

style.use_style()


def sheet(*splits: str, each: int = 5) -> style.Picture:
    """A row of drawn scenes for each split."""
    found = [(split, scene) for split in splits for scene in compose_split(split, each)]
    titles = [f"{split}: {', '.join(scene.labels[:3])}" for split, scene in found]
    return viz.contact_sheet([scene.image for _, scene in found], titles, columns=each)


def plain(width: float = 7.0, height: float = 2.6, columns: int = 1) -> tuple[Figure, Any]:
    """An empty figure of one row that pyplot does not keep; (figure, its axes)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns)


def table(ax: Axes, values: Any, title: str = "", colours: str = "Blues") -> None:
    """Numbers in a grid, shaded."""
    values = np.asarray(values, dtype=float)
    ax.imshow(values, cmap=colours, vmin=min(0, values.min()), vmax=1.6 * max(values.max(), 1e-9))
    for (i, j), value in np.ndenumerate(values):
        ax.text(j, i, f"{value:g}", ha="center", va="center", fontsize=12)
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(False)


def chance(first: str, second: str) -> float:
    """P(second | first) among COCO's training images."""
    classes, images, pairs = cooccurrence("coco")
    i, j = classes.index(first), classes.index(second)
    return float(pairs[i, j] / images[i])


@cache
def trained() -> Any:
    """An ADD-GCN with heads trained for three epochs on the frozen trunk."""
    from addgcn.train import train

    folder = Path(tempfile.mkdtemp())
    with redirect_stderr(StringIO()):
        train(replace(RECIPES["scenes-heads"], epochs=3), "scenes", folder / "run")
    return load_model(folder / "run")


@cache
def looked_at(split: str, *wanted: str) -> Any:
    """The first scene of a split with all the wanted categories and few others: (picture, targets, explanation)."""
    model = trained()
    data = load("scenes", split)
    columns = [data.classes.index(name) for name in wanted]
    i = next(i for i, y in enumerate(data.targets) if (y[columns] == 1).all() and y.sum() <= len(wanted) + 1)
    picture = data[i][0]
    transform = eval_transform(64, model.backbone.mean, model.backbone.std)
    with torch.no_grad():
        return picture, data.targets[i], model.explain(transform(picture)[None])
