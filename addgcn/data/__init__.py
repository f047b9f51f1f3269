"""The data: `load("scenes" | "coco2014" | "coco2017" | "voc2007" | "voc2012", split)` and what it returns.

Targets everywhere: 1 present, 0 absent, -1 ignore.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from addgcn.data.base import MultiLabelDataset, check_labelled, check_same_classes, class_permutation
from addgcn.data.coco import COCO_CLASSES, read_coco
from addgcn.data.images import open_image
from addgcn.data.voc import VOC_CLASSES, is_voc, read_voc
from addgcn.errors import InputError, check_name

__all__ = [
    "COCO_CLASSES",
    "DATASETS",
    "VOC_CLASSES",
    "MultiLabelDataset",
    "cache_dir",
    "check_labelled",
    "check_same_classes",
    "class_permutation",
    "load",
    "open_image",
]

#: Every data set that `load` knows, with its splits.
DATASETS: dict[str, tuple[str, ...]] = {
    "scenes": ("train", "train-flat", "id", "ood", "bg"),
    "coco2014": ("train", "val"),
    "coco2017": ("train", "val"),
    "voc2007": ("train", "val", "trainval", "test"),
    "voc2012": ("train", "val", "trainval", "test"),
}


def cache_dir() -> Path:
    """The folder for what is made once and used again: $ADDGCN_CACHE, or ~/.cache/addgcn."""
    return Path(os.environ.get("ADDGCN_CACHE") or Path.home() / ".cache" / "addgcn").expanduser()


def load(
    name: str,
    split: str,
    root: str | Path | None = None,
    transform: Callable[[Any], Any] | None = None,
    *,
    drop_unlabelled: bool = True,
    check_images: bool = True,
) -> MultiLabelDataset:
    """One split of a data set, as pairs of an image and its targets, an int8 tensor (C,) of 1, 0 and -1.

    `name` also says how the folder `root` is laid out, so your own photographs and categories load too:
    lay them out as COCO or as VOC.

    - "scenes": the drawn scenes. Without `root` they are made on first use, under `cache_dir()`. A given
      root may hold the COCO layout or the VOC one.
    - "coco2014", "coco2017": `root` holds annotations/instances_train2014.json and train2014/ (or the
      same names without the year). See `addgcn.data.coco.read_coco`.
    - "voc2007", "voc2012": `root` is VOCdevkit, its parent, or VOC2007 itself. See
      `addgcn.data.voc.read_voc`.

    Args:
        name: one of `DATASETS`.
        split: one of `DATASETS[name]`.
        root: the folder; may be left out for "scenes" alone.
        transform: applied to each RGB image, e.g. `addgcn.data.transforms.eval_transform(448)`.
        drop_unlabelled: COCO only: leave out the images without any annotated object. That is how the
            literature comes to 82,081 training and 40,137 validation images of COCO 2014; the folders
            hold 82,783 and 40,504. The scenes keep every image: each is asked for by its index.
        check_images: make sure, by one listing of the image folder, that every image of the split is
            there. False reads the labels alone, from a folder without photographs.

    Raises:
        InputError: a wrong name (the nearest right one is named), or a folder that is missing,
            half-unpacked or damaged (the file and the remedy are named).
    """
    check_name("dataset", name, DATASETS)
    check_name(f"split of {name}", split, DATASETS[name])
    if root is None:
        if name != "scenes":
            raise InputError(f"{name} needs root=, the folder it was unpacked in: {_expected(name)}.")
        from addgcn.data.scenes import write_scenes

        root = write_scenes()  # does nothing where they are finished, and says if others lie there
    root = Path(root).expanduser()
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise InputError(f"{root} {what}. {name} is read from a folder: {_expected(name)}.")
    if name == "scenes":
        from addgcn.data.scenes import CLASSES

        if is_voc(root, split):
            return read_voc(name, split, root, transform, check_images=check_images, classes=CLASSES)
        return read_coco(name, split, root, transform, drop_unlabelled=False, check_images=check_images)
    if name.startswith("coco"):
        return read_coco(name, split, root, transform, drop_unlabelled=drop_unlabelled, check_images=check_images)
    return read_voc(name, split, root, transform, check_images=check_images)


def _expected(name: str) -> str:
    """What the root of a data set should look like, for messages."""
    if name == "scenes":
        return "annotations/instances_train.json and train/, ... (leave root out and the scenes are made)"
    year = name[-4:]
    if name.startswith("coco"):
        return f"it should hold annotations/instances_train{year}.json, train{year}/, val{year}/"
    return f"it should hold VOCdevkit/VOC{year}/ImageSets/Main and VOCdevkit/VOC{year}/JPEGImages"
