"""Pascal VOC folders, genuine or of one's own: which categories are on each image, and where."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from addgcn.data.base import Box, MultiLabelDataset, check_files, first_duplicate, read_text
from addgcn.errors import InputError

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

#: VOC's labels -> ours. In VOC 0 means "only objects marked difficult" and -1 means "absent".
_TARGET = {"1": 1, "0": -1, "-1": 0}
_SPLITS = ("train", "val", "trainval", "test")


class VocDataset(MultiLabelDataset):
    """A `MultiLabelDataset` that reads the boxes from `Annotations/*.xml` when they are asked for."""

    def boxes(self, i: int) -> list[tuple[int, Box]]:
        """The annotated objects of image `i`, difficult ones too: (class index, (x0, y0, x1, y1)) for each.

        Pixels from the upper left corner, which is (0, 0) here; x1 and y1 are just outside the object. VOC
        itself counts from 1 and includes the last pixel.

        Raises:
            InputError: the XML file is missing or damaged.
        """
        path = self.folder.parent / "Annotations" / f"{self.ids[i]}.xml"
        found = []
        for element, name, _ in _objects(path):
            try:
                x0, y0, x1, y1 = (
                    float(element.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")
                )
            except ValueError:
                raise InputError(f"{path}: the box of the object {name!r} is not four numbers") from None
            found.append((_column(self.classes, name, path), (x0 - 1, y0 - 1, x1, y1)))
        return found


def is_voc(root: Path, split: str) -> bool:
    """Whether a folder holds this split in the VOC layout and not in the COCO one."""
    return not (root / "annotations" / f"instances_{split}.json").exists() and _devkit(root, "") is not None


def read_voc(
    name: str,
    split: str,
    root: Path,
    transform: Callable[[Any], Any] | None = None,
    *,
    check_images: bool = True,
    classes: Sequence[str] | None = None,
) -> VocDataset:
    """Read one split of a VOC folder: VOCdevkit, its parent, or the folder of the year itself.

    Labels come from the class files ImageSets/Main/{class}_{split}.txt: 1 present -> 1, 0 only objects
    marked difficult -> -1 (ignore), -1 absent -> 0. Where there are none, they come from the list
    ImageSets/Main/{split}.txt and `Annotations/*.xml`: present if any object is not difficult, ignore if all
    are. Where "trainval" has no list of its own it is the union of "train" and "val", ordered by image name
    as the genuine lists are. The labels of VOC 2012's test split were never published: its targets are all
    -1, with a warning; scores on it come from the VOC evaluation server.

    The released trainer, like ML-GCN's, counts what is only difficult as present in its loss, and leaves it out of
    the average precision. Here it counts in neither.

    The classes are VOC's twenty, in their usual order, which is alphabetical; in a folder of one's own,
    those found, in alphabetical order, or `classes` if given.

    Raises:
        InputError: see `addgcn.data.load`.
    """
    year = name[3:] if name.startswith("voc") else ""
    base = _devkit(root, year)
    if base is None:
        raise InputError(
            f"{root} holds no ImageSets/Main, nor do VOC{year} or VOCdevkit/VOC{year} in it."
            f" Give the folder that {name} was unpacked in."
        )
    main = base / "ImageSets" / "Main"
    parts = _parts(main, split)
    found = _class_names(main, parts[0])
    if found:
        _check_classes(main, parts[0], found)
        names = _order(found, classes, main)
        read = [_read_class_files(main, part, names) for part in parts]
    elif name == "voc2012" and split == "test":
        warnings.warn("the labels of VOC 2012's test split are not public: all targets are -1 (ignore)", stacklevel=3)
        names = VOC_CLASSES
        ids = _read_ids(main / "test.txt")
        read = [(ids, np.full((len(ids), len(names)), -1, dtype=np.int8))]
    else:
        lists = [_read_ids(main / f"{part}.txt") for part in parts]
        names, read = _read_xml(base, lists, classes)

    ids = [image for part, _ in read for image in part]
    targets = np.concatenate([part for _, part in read])  # (N, C)
    if len(parts) > 1:
        order = sorted(range(len(ids)), key=ids.__getitem__)
        ids, targets = [ids[n] for n in order], targets[order]
    twice = first_duplicate(ids)
    if twice is not None:
        raise InputError(f"{main}: the image {twice} stands in more than one of the lists of {split}")
    files = [f"{image}.jpg" for image in ids]
    if check_images:
        check_files(base / "JPEGImages", files, "images", f"Unpack the archive again, or check {root}.")
    return VocDataset(name, split, names, base / "JPEGImages", files, torch.from_numpy(targets), transform)


def _devkit(root: Path, year: str) -> Path | None:
    """The folder that holds ImageSets/Main, or None."""
    if root.name in ("VOC2007", "VOC2012") and year and root.name != f"VOC{year}":
        raise InputError(f"{root} is not VOC {year}, by its name. Ask for voc{root.name[3:]}, or give another root.")
    for base in (root, root / f"VOC{year}", root / "VOCdevkit" / f"VOC{year}"):
        if (base / "ImageSets" / "Main").is_dir():
            return base
    return None


def _parts(main: Path, split: str) -> list[str]:
    """The lists to read for a split: itself, or train and val for a trainval without lists of its own."""
    if split != "trainval" or (main / "trainval.txt").exists() or _class_names(main, "trainval"):
        return [split]
    return ["train", "val"]


def _class_names(main: Path, split: str) -> list[str]:
    """The classes that have a file for this split, alphabetically."""
    suffix = f"_{split}.txt"
    return sorted(path.name.removesuffix(suffix) for path in main.glob(f"*{suffix}"))


def _check_classes(main: Path, split: str, found: list[str]) -> None:
    """Every split of a folder should have the same classes; a class file that got lost shows here."""
    for other in _SPLITS:
        names = _class_names(main, other)
        differ = sorted(set(names) ^ set(found))
        if names and differ:
            has, lacks = (split, other) if differ[0] in found else (other, split)
            raise InputError(
                f"{main}: the classes of {split} and {other} differ: {differ[0]}_{has}.txt is there,"
                f" {differ[0]}_{lacks}.txt is not. Unpack the data set again, or add the file."
            )


def _order(found: Sequence[str], wanted: Sequence[str] | None, where: Path) -> Sequence[str]:
    """The classes in the order wanted; those found, where nothing is wanted."""
    if wanted is None:
        return found
    differ = sorted(set(found) ^ {_file_name(name) for name in wanted})
    if differ:
        raise InputError(f"{where}: its classes are not those expected; they differ in {', '.join(differ)}.")
    return tuple(wanted)


def _read_class_files(main: Path, split: str, classes: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The image names and the targets (N, C) from one file for each class."""
    columns = []
    first: list[str] = []
    for name in classes:
        path = main / f"{_file_name(name)}_{split}.txt"
        ids, column = _read_class_file(path)
        columns.append(column)
        if not first:
            first = ids
            twice = first_duplicate(ids)
            if twice is not None:
                raise InputError(f"{path}: the image {twice} stands twice. Unpack the data set again.")
        if ids != first:
            n = next((n for n, (a, b) in enumerate(zip(ids, first, strict=False)) if a != b), min(len(ids), len(first)))
            raise InputError(
                f"{path} and {classes[0]}_{split}.txt do not list the same images: {len(ids)} and {len(first)}"
                f" of them, and they part at line {n + 1}. Unpack the data set again."
            )
    return first, np.array(columns, dtype=np.int8).T  # (C, N) -> (N, C)


def _read_class_file(path: Path) -> tuple[list[str], list[int]]:
    ids, column = [], []
    for n, line in enumerate(read_text(path, "a class file").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or words[1] not in _TARGET:
            raise InputError(f"{path}, line {n}: {line.strip()!r} is not an image name and 1, 0 or -1.")
        ids.append(words[0])
        column.append(_TARGET[words[1]])
    if not ids:
        raise InputError(f"{path}, a class file, is empty. Unpack the data set again.")
    return ids, column


def _read_ids(path: Path) -> list[str]:
    ids = []
    for n, line in enumerate(read_text(path, "the list of images").splitlines(), 1):
        words = line.split()
        if len(words) > 1:
            raise InputError(f"{path}, line {n}: {line.strip()!r} is not one image name.")
        ids += words
    if not ids:
        raise InputError(f"{path}, the list of images, is empty. Unpack the data set again.")
    twice = first_duplicate(ids)
    if twice is not None:
        raise InputError(f"{path}: the image {twice} stands twice. Unpack the data set again.")
    return ids


def _read_xml(
    base: Path, lists: list[list[str]], wanted: Sequence[str] | None
) -> tuple[Sequence[str], list[tuple[list[str], np.ndarray]]]:
    """The classes, and for each list its image names and the targets (N, C), from Annotations/*.xml."""
    folder = base / "Annotations"
    for ids in lists:
        check_files(folder, [f"{image}.xml" for image in ids], "annotation files", "Unpack the archive again.")
    seen = [[_objects(folder / f"{image}.xml") for image in ids] for ids in lists]
    if wanted is None:
        names = {name for part in seen for objects in part for _, name, _ in objects}
        if not names <= set(VOC_CLASSES):  # one's own classes: those of every split, so that splits agree
            names |= {name for path in folder.glob("*.xml") for _, name, _ in _objects(path)}
            wanted = sorted(names)
        else:
            wanted = VOC_CLASSES
    read = []
    for ids, part in zip(lists, seen, strict=True):
        targets = np.zeros((len(ids), len(wanted)), dtype=np.int8)  # (N, C)
        for n, objects in enumerate(part):
            for _, name, difficult in sorted(objects, key=lambda found: not found[2]):  # difficult ones first
                targets[n, _column(wanted, name, folder / f"{ids[n]}.xml")] = -1 if difficult else 1
        read.append((ids, targets))
    return wanted, read


def _objects(path: Path) -> list[tuple[ET.Element, str, bool]]:
    """The objects of one annotation file: the element, its class and whether it is marked difficult."""
    text = read_text(path, "an annotation file")
    try:
        elements = ET.fromstring(text).findall("object")
    except ET.ParseError as error:
        raise InputError(f"{path} is truncated or not XML ({error}). Unpack the data set again.") from None
    found = []
    for element in elements:
        name = (element.findtext("name") or "").strip()
        if not name:
            raise InputError(f"{path}: an <object> lacks its <name>. Unpack the data set again.")
        difficult = (element.findtext("difficult") or "0").strip()
        if difficult not in ("0", "1"):
            raise InputError(f"{path}: the object {name!r} has <difficult>{difficult}</difficult>, not 0 or 1.")
        found.append((element, name, difficult == "1"))
    return found


def _column(classes: Sequence[str], name: str, path: Path) -> int:
    known = [_file_name(one) for one in classes]
    if _file_name(name) not in known:
        raise InputError(f"{path}: the object {name!r} is of none of the classes: {', '.join(classes)}.")
    return known.index(_file_name(name))


def _file_name(name: str) -> str:
    """How a class is called in the names of files: without spaces."""
    return name.replace(" ", "_")
