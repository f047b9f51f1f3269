"""COCO folders, genuine or of one's own: which categories are on each image, and where."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from addgcn.data.base import Box, MultiLabelDataset, check_files, first_duplicate
from addgcn.errors import InputError

#: COCO's 80 categories, in the order of their ids: the order of `load("coco2014", ...).classes`.
COCO_CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis",
    "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich",
    "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed",
    "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven",
    "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier",
    "toothbrush",
)  # fmt: skip


class CocoDataset(MultiLabelDataset):
    """A `MultiLabelDataset` that keeps the boxes of the annotation file."""

    # Of the whole split, also in a `subset`, whose `rows` lead here.
    _starts: np.ndarray  # (N + 1,): the objects of image i are those from _starts[i] to _starts[i + 1]
    _labels: np.ndarray  # (M,): class index of each object
    _corners: np.ndarray  # (M, 4): x0, y0, x1, y1

    def boxes(self, i: int) -> list[tuple[int, Box]]:
        """The annotated objects of image `i`, crowds among them: (class index, (x0, y0, x1, y1)) for each.

        Pixels from the upper left corner, as the annotation file counts them; x1 and y1 are just outside.
        Boxes refer to the image's `width` and `height` in that file. Objects without a box are left out.
        """
        i = self.rows[i]
        objects = slice(self._starts[i], self._starts[i + 1])
        pairs = zip(self._labels[objects].tolist(), self._corners[objects].tolist(), strict=True)
        return [(label, tuple(box)) for label, box in pairs if box[0] == box[0]]  # NaN: no box


def read_coco(
    name: str,
    split: str,
    root: Path,
    transform: Callable[[Any], Any] | None = None,
    *,
    drop_unlabelled: bool = True,
    check_images: bool = True,
) -> CocoDataset:
    """Read one split of a COCO folder: annotations/instances_{split}{year}.json and {split}{year}/.

    The year is that of `name` ("coco2014" -> 2014); the names without a year serve as well. The categories
    are those of the file, in the order of their ids: COCO's own order, not the alphabetical one of the
    released ADD-GCN and ML-GCN code (`addgcn.data.class_permutation` leads from one to the other). Images
    come in the order of the file.

    A category is present (1) if any annotation names it, `iscrowd` ones included, else absent (0): the
    82,081 and 40,137 images of COCO 2014 count the same way. COCO has no -1.

    Raises:
        InputError: see `addgcn.data.load`.
    """
    year = name[4:] if name.startswith("coco") else ""
    stem, path = split + year, root / "annotations" / f"instances_{split + year}.json"
    if not path.exists() and path.with_name(f"instances_{split}.json").exists():
        stem, path = split, path.with_name(f"instances_{split}.json")
    data = _read_json(path)
    with _named(path):
        categories = sorted(data["categories"], key=lambda category: category["id"])
        classes = [category["name"] for category in categories]
        column = {category["id"]: c for c, category in enumerate(categories)}
        row = {image["id"]: n for n, image in enumerate(data["images"])}
        files = [image["file_name"] for image in data["images"]]
        _check_unique(path, data, classes, files)
        rows = np.array([row.get(item["image_id"], -1) for item in data["annotations"]], dtype=np.int64)  # (M,)
        labels = np.array([column.get(item["category_id"], -1) for item in data["annotations"]], dtype=np.int64)
        nowhere = (float("nan"),) * 4
        boxes = [item.get("bbox", nowhere) for item in data["annotations"]]
        corners = np.array(boxes, dtype=np.float32).reshape(len(boxes), 4)  # (M, 4): x, y, width, height
    _check_links(path, data, rows, labels)
    corners[:, 2:] += corners[:, :2]  # (M, 4): x0, y0, x1, y1

    present = np.zeros((len(files), len(classes)), dtype=np.int8)  # (N, C)
    present[rows, labels] = 1
    keep = present.sum(axis=1) >= (1 if drop_unlabelled else 0)  # (N,)
    if not keep.any():
        raise InputError(f"{path} has no labelled image. Check that its annotations are there.")
    files = [file for file, kept in zip(files, keep, strict=True) if kept]
    if check_images:
        check_files(root / stem, files, "images", f"Unpack {stem}.zip again into {root}.")

    # Every annotated object lies on an image that is kept, so only the numbers of the images change.
    rows = (np.cumsum(keep) - 1)[rows]
    order = np.argsort(rows, kind="stable")
    dataset = CocoDataset(name, split, classes, root / stem, files, torch.from_numpy(present[keep]), transform)
    dataset.unlabelled = int((~keep).sum())
    dataset._starts = np.searchsorted(rows[order], np.arange(len(files) + 1))
    dataset._labels = labels[order].astype(np.int16)
    dataset._corners = corners[order]
    return dataset


def _read_json(path: Path) -> dict[str, Any]:
    """The annotation file, read and indexed by pycocotools, with every way to fail named."""
    from pycocotools.coco import COCO

    again = "Unpack the annotations again."
    if not path.exists():
        raise InputError(
            f"{path}, the annotation file, is missing. Check that {path.parent.parent} is the folder that holds"
            " annotations/, or unpack the annotations again."
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder; the annotation file should be there. {again}")
    try:
        with contextlib.redirect_stdout(io.StringIO()), _named(path):  # pycocotools prints as it reads
            data = COCO(str(path)).dataset
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is truncated or not JSON ({error}). {again}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. Check its permissions.") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(data.get(key), list):
            raise InputError(f"{path} has no list {key!r}, as COCO's instances files have. {again}")
        if not data[key] and key != "annotations":
            raise InputError(f"{path}: the list {key!r} is empty. {again}")
    return data


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what reading an ill-formed file raises into one message that names it."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{path}: an entry lacks the key {error}. Unpack or write the annotations again.") from None
    except (json.JSONDecodeError, UnicodeDecodeError, InputError):
        raise
    except (AssertionError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not laid out as COCO's instances files are ({error}).") from None


def _check_unique(path: Path, data: dict[str, Any], classes: list[str], files: list[str]) -> None:
    ids = {key: [item["id"] for item in data[key]] for key in ("images", "categories")}
    for what, items in (
        ("image id", ids["images"]),
        ("category id", ids["categories"]),
        ("file_name", files),
        ("category name", classes),
    ):
        twice = first_duplicate(items)
        if twice is not None:
            raise InputError(f"{path}: the {what} {twice!r} stands twice. Remove one of the two entries.")
    for what, names in (("file_name", files), ("category name", classes)):
        for name in names:
            if not isinstance(name, str) or not name:
                raise InputError(f"{path}: the {what} {name!r} is not a name. Write the annotations again.")


def _check_links(path: Path, data: dict[str, Any], rows: np.ndarray, labels: np.ndarray) -> None:
    for key, what, found in (("image_id", "image", rows), ("category_id", "category", labels)):
        lost = np.flatnonzero(found < 0)
        if len(lost):
            item = data["annotations"][lost[0]]
            raise InputError(
                f"{path}: {len(lost)} of {len(found)} annotations point to an absent {what}; the first has"
                f" {key} {item[key]!r} (annotation id {item.get('id')!r}). Add the {what} or remove them."
            )
