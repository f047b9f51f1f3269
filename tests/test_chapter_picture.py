"""Chapter 1: the code in its solutions runs by itself, and the chapter notices when the library is wrong."""

from __future__ import annotations

import json
import shutil
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor

from addgcn import data, viz_graphs
from addgcn.data import voc
from addgcn.data.base import MultiLabelDataset
from addgcn.data.scenes import CLASSES, SCENES, labels, write_scenes
from addgcn.records import cooccurrence

CELLS, _ = read_chapter("01_in_the_picture.ipynb")


@cache
def drawn_once(layout: str, sizes: str, splits: str) -> Path:
    root = Path(tempfile.mkdtemp()) / layout
    return write_scenes(
        root, layout=layout, sizes=json.loads(sizes), splits=json.loads(splits), workers=1, progress=False
    )


def written(root: Path, layout: str, sizes: dict[str, int], splits: list[str], **_: Any) -> Path:
    """`write_scenes`, from a copy: the chapter renames files in it."""
    return Path(shutil.copytree(drawn_once(layout, json.dumps(sizes), json.dumps(splits)), root))


def rebuild(*cells: str) -> None:
    """The chapter's own tables beside the library's: its cells, with the names of its first one."""
    names: dict[str, Any] = {"json": json, "tempfile": tempfile, "ET": ET, "Path": Path, "np": np, "torch": torch}
    names |= {
        "library": data,
        "load": data.load,
        "viz_graphs": viz_graphs,
        "write_scenes": write_scenes,
        "Tensor": Tensor,
    }
    names |= {"CLASSES": CLASSES, "SCENES": SCENES, "labels": labels, "_row": labels._row, "stream": labels.stream}
    names |= {"COUNTS": {name: cooccurrence(name) for name in ("coco", "voc")}, "keep": lambda **_: None}
    execute(CELLS, names, *cells)


LOADERS, TABLE, DRAWN = ("toy", "write", "scratch", "equal"), ("equal_P",), ("lib_labels", "equal_draw")


def test_the_chapter_agrees_with_the_library():
    rebuild(*LOADERS, *TABLE, *DRAWN)


def changed(change: str) -> Callable[..., MultiLabelDataset]:
    """`read_coco`, wrong in one point."""
    read = data.read_coco

    def wrong(*given: Any, **settings: Any) -> MultiLabelDataset:
        if change == "keeps all":
            settings["drop_unlabelled"] = False
        if change == "drops always":
            settings["drop_unlabelled"] = True
        part = read(*given, **settings)
        if change == "by name":
            order = data.class_permutation(part.classes, sorted(part.classes))
            part.classes, part.targets = tuple(sorted(part.classes)), part.targets[:, order]
        elif change == "names alone sorted":
            part.classes = tuple(sorted(part.classes))
        elif change == "images sorted":
            part.ids = sorted(part.ids, reverse=True)
        elif change == "next column":
            part.targets = part.targets.roll(1, 1)
        elif change == "absent is -1":
            part.targets = 2 * part.targets - 1
        elif change == "type":
            part.targets = part.targets.long()
        return part

    return wrong


@pytest.mark.parametrize(
    "change",
    [
        "keeps all",
        "drops always",
        "by name",
        "names alone sorted",
        "images sorted",
        "next column",
        "absent is -1",
        "type",
    ],
)
def test_the_chapter_notices_a_wrong_coco(monkeypatch: pytest.MonkeyPatch, change: str):
    monkeypatch.setattr(data, "read_coco", changed(change))
    with pytest.raises(AssertionError):
        rebuild(*LOADERS)


@pytest.mark.parametrize(
    "target",
    [
        {"1": 1, "0": 0, "-1": -1},  # VOC's numbers as they are
        {"1": 1, "0": 0, "-1": 0},  # difficult as absent
        {"1": 1, "0": 1, "-1": 0},  # difficult as present
        {"1": -1, "0": 1, "-1": 0},
    ],
)
def test_the_chapter_notices_wrong_class_files(monkeypatch: pytest.MonkeyPatch, target: dict[str, int]):
    monkeypatch.setattr(voc, "_TARGET", target)
    with pytest.raises(AssertionError):
        rebuild(*LOADERS)


def test_the_chapter_notices_wrong_xml(monkeypatch: pytest.MonkeyPatch):
    objects = voc._objects
    monkeypatch.setattr(voc, "_objects", lambda path: [(item, name, False) for item, name, _ in objects(path)])
    with pytest.raises(AssertionError):
        rebuild(*LOADERS)


def of_targets(has_of: Callable, judged_of: Callable, transposed: bool = False) -> Callable[[Any], np.ndarray]:
    """`conditional_probability`, with another numerator or denominator for targets."""
    right = viz_graphs.conditional_probability

    def wrong(given: Any) -> np.ndarray:
        y = np.asarray(given, dtype=float)
        if not np.isin(y, (1, 0, -1)).all():
            return right(given).T if transposed else right(given)
        has, judged = has_of(y), judged_of(y)
        both, judged = has.T @ has, (y == 1).astype(float).T @ judged
        P = np.divide(both, judged, out=np.full(both.shape, np.nan), where=judged > 0)
        return P.T if transposed else P

    return wrong


def present(y: np.ndarray) -> np.ndarray:
    return (y == 1).astype(float)


def test_a_right_table_passes(monkeypatch: pytest.MonkeyPatch):
    """The wrong ones below differ from this one in one point each."""
    monkeypatch.setattr(viz_graphs, "conditional_probability", of_targets(present, lambda y: y != -1))
    rebuild(*LOADERS, *TABLE)


@pytest.mark.parametrize(
    "wrong",
    [
        of_targets(present, lambda y: y != -1, transposed=True),
        of_targets(present, np.ones_like),  # ignored as absent
        of_targets(lambda y: y, lambda y: y != -1),  # products of -1
        of_targets(lambda y: y != 0, lambda y: y != -1),  # ignored as present
        lambda given, right=viz_graphs.conditional_probability: np.nan_to_num(right(given)),
    ],
    ids=["transposed", "ignored as absent", "products", "ignored as present", "no NaN"],
)
def test_the_chapter_notices_a_wrong_table(monkeypatch: pytest.MonkeyPatch, wrong: Callable):
    monkeypatch.setattr(viz_graphs, "conditional_probability", wrong)
    with pytest.raises(AssertionError):
        rebuild(*LOADERS, *TABLE)


@pytest.mark.parametrize("change", ["not shuffled", "rows shuffled", "other seed", "place kept"])
def test_the_chapter_notices_other_splits(monkeypatch: pytest.MonkeyPatch, change: str):
    draw = labels.draw_labels

    def wrong(split: str, n: int, *given: Any) -> tuple[np.ndarray, np.ndarray]:
        rows, places = draw(split, n, *given)
        if split == "ood" and change == "not shuffled":
            return draw("id", n)[0], places
        if split == "ood" and change == "rows shuffled":
            return np.random.default_rng(0).permutation(rows), places
        if change == "other seed":
            return draw(split, n, seed=1)
        if split == "bg" and change == "place kept":
            return rows, draw("id", n)[1]
        return rows, places

    monkeypatch.setattr(labels, "draw_labels", wrong)
    with pytest.raises(AssertionError):
        rebuild(*DRAWN)
