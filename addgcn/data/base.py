"""The data set that every loader returns, and what is common to reading them."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from addgcn.data.images import open_image
from addgcn.errors import InputError

Box = tuple[float, float, float, float]


class MultiLabelDataset(Dataset[tuple[Any, Tensor]]):
    """Images with the set of categories on each. Images are decoded when they are asked for, not before.

    `dataset[i]` is (image, target): a PIL image in RGB, upright (see `addgcn.data.images.open_image`), put
    through `transform` if there is one, and an int8 tensor (C,): 1 present, 0 absent, -1 ignore.

    The object is small (a tensor and some lists), so that DataLoader workers get it cheaply.

    Attributes:
        name, split: what was asked for, e.g. "voc2007", "test".
        classes: the C category names, in the order of the columns of `targets`.
        ids: the N image names, each the image's file name without its suffix.
        targets: int8 (N, C).
        unlabelled: how many images of the split were left out, for nothing is annotated on them.
        transform: applied to each image; may be replaced at any time.
    """

    def __init__(
        self,
        name: str,
        split: str,
        classes: Sequence[str],
        folder: Path,
        files: Sequence[str],
        targets: Tensor,
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        self.name = name
        self.split = split
        self.classes = tuple(classes)
        self.folder = folder
        self.files = list(files)
        self.ids = [str(PurePosixPath(file).with_suffix("")) for file in self.files]
        self.targets = targets.to(torch.int8)  # (N, C)
        self.transform = transform
        self.unlabelled = 0
        self.rows: Sequence[int] = range(len(self.files))  # which of the data set's images these are; see `subset`

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> tuple[Any, Tensor]:
        image = open_image(self.path(i))
        return (image if self.transform is None else self.transform(image)), self.targets[i]

    def subset(self, rows: Sequence[int], split: str | None = None) -> MultiLabelDataset:
        """The images `rows` alone, in that order, as a data set of its own; `split` renames it."""
        part = copy.copy(self)
        part.files, part.ids = [self.files[i] for i in rows], [self.ids[i] for i in rows]
        part.targets = self.targets[torch.as_tensor(rows, dtype=torch.long)]
        part.rows = [self.rows[i] for i in rows]
        part.split = split or self.split
        return part

    def path(self, i: int) -> Path:
        """The file of image `i`."""
        return self.folder / self.files[i]

    def boxes(self, i: int) -> list[tuple[int, Box]]:
        """The annotated objects of image `i`: (class index, (x0, y0, x1, y1)) for each.

        Pixels of the image as stored, from its upper left corner; x1 and y1 are just outside the object.
        """
        raise InputError(f"{self.name} {self.split} has no boxes")

    def digest(self) -> str:
        """SHA-256, in hex, over the classes, the ids, the targets and the sizes of the image files in bytes.

        Two runs with equal digests saw the same data. An image that is not there (labels read with
        `check_images=False`) counts with size -1.
        """
        sha = hashlib.sha256()
        for text in (self.classes, self.ids):
            sha.update("\n".join(text).encode() + b"\0")
        sha.update(self.targets.contiguous().numpy().tobytes())
        sha.update(",".join(str(_size(self.path(i))) for i in range(len(self))).encode())
        return sha.hexdigest()

    def __repr__(self) -> str:
        return f"{self.name} {self.split}: {len(self)} images, {len(self.classes)} classes, from {self.folder}"


def class_permutation(from_classes: Sequence[str], to_classes: Sequence[str]) -> list[int]:
    """The permutation p that brings columns from one order of the classes into another.

    `to_classes[k] == from_classes[p[k]]`, so `scores[:, p]` has its columns in the order of `to_classes` if
    those of `scores` are in the order of `from_classes`. The released ADD-GCN checkpoints order COCO's
    classes alphabetically; `load` keeps COCO's own order, by category id.

    Raises:
        InputError: the two do not name the same classes, or one names a class twice.
    """
    for classes in (from_classes, to_classes):
        twice = first_duplicate(classes)
        if twice is not None:
            raise InputError(f"the class {twice!r} stands twice in the same list of classes; rename one of them")
    missing = [name for name in to_classes if name not in set(from_classes)]
    extra = [name for name in from_classes if name not in set(to_classes)]
    if missing or extra:
        raise InputError(
            f"the two lists of classes differ: {len(from_classes)} and {len(to_classes)} names;"
            f" only the first has {_some(extra)}, only the second has {_some(missing)}."
            " Use data (or a checkpoint) with the same classes."
        )
    place = {name: k for k, name in enumerate(from_classes)}
    return [place[name] for name in to_classes]


def check_same_classes(a: MultiLabelDataset, b: MultiLabelDataset) -> None:
    """Make sure that two data sets used together name the same classes in the same order.

    Raises:
        InputError: they do not; the message says what differs.
    """
    if a.classes == b.classes:
        return
    names = f"{a.name} {a.split} ({a.folder}) and {b.name} {b.split} ({b.folder})"
    only_a, only_b = ([name for name in one.classes if name not in two.classes] for one, two in ((a, b), (b, a)))
    if only_a or only_b:
        raise InputError(
            f"{names} do not have the same classes: only the first has {_some(only_a)},"
            f" only the second has {_some(only_b)}. Give both splits the same list of categories."
        )
    k = next(k for k, (one, two) in enumerate(zip(a.classes, b.classes, strict=True)) if one != two)
    raise InputError(
        f"{names} have the same classes in different orders: number {k} is {a.classes[k]!r} in the first and"
        f" {b.classes[k]!r} in the second. Give both splits the same list of categories, in one order."
    )


def check_labelled(dataset: MultiLabelDataset) -> None:
    """Make sure that there is something to learn or to measure: a target that is not -1.

    Raises:
        InputError: there is none, as in VOC 2012's test split.
    """
    if bool((dataset.targets != -1).any()):
        return
    raise InputError(
        f"the labels of {dataset.name} {dataset.split} are not known: all targets are -1. It can be neither trained nor"
        " evaluated on; name another split. Scores on VOC 2012's test split come from its evaluation server: see"
        " addgcn submit."
    )


def read_text(path: Path, what: str) -> str:
    """The text of a file that should be there.

    Raises:
        InputError: it cannot be read, or is not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}, {what}, is missing. Unpack the data set again.") from None
    except IsADirectoryError:
        raise InputError(f"{path}, {what}, is a folder; a file should be there. Unpack the data set again.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}, {what}, is not a text file. Unpack the data set again.") from None
    except OSError as error:
        raise InputError(f"{path}, {what}, cannot be read: {error.strerror}. Check its permissions.") from None


def check_files(folder: Path, files: Sequence[str], what: str, remedy: str) -> None:
    """Make sure that every one of `files` is in `folder`, by one listing of it, not a look at each.

    Raises:
        InputError: some are missing; the message counts them and names the first.
    """
    present: dict[str, set[str]] = {}  # a data set of one's own may keep its images in sub-folders
    missing = []
    for file in files:
        parent, _, base = file.rpartition("/")
        if parent not in present:
            present[parent] = _listing(folder / parent)
        if base not in present[parent]:
            missing.append(file)
    if not missing:
        return
    if not folder.is_dir():
        raise InputError(f"{folder}, the folder of the {what}, is missing. {remedy}")
    raise InputError(
        f"{folder} is half-unpacked: {len(missing)} of {len(files)} {what} missing, first: {missing[0]}. {remedy}"
    )


def first_duplicate(items: Iterable[Any]) -> Any | None:
    """The first item that was there before, or None."""
    seen = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None


def _listing(folder: Path) -> set[str]:
    """The names of the files in a folder; none if there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except PermissionError:
        raise InputError(f"{folder} cannot be read: permission denied. Check its permissions.") from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _some(names: Sequence[str], at_most: int = 5) -> str:
    """Some names for a message: 'a', 'b' and 3 more."""
    shown = ", ".join(repr(name) for name in names[:at_most])
    return (shown or "none") + (f" and {len(names) - at_most} more" if len(names) > at_most else "")
