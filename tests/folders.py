"""Small COCO and VOC folders for the tests of the loaders, and what a message about one must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from addgcn.errors import InputError

CATEGORIES = [{"id": 7, "name": "zebra"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "cat"}]  # by id: dog cat zebra


def write_image(path: Path, size: tuple[int, int] = (8, 6), colour: tuple[int, int, int] = (200, 30, 90)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def coco_content() -> dict[str, Any]:
    """Image 11: dog twice. Image 12: nothing. Image 5: zebra, and cats as a crowd."""
    return {
        "images": [
            {"id": 11, "file_name": "a.jpg", "width": 8, "height": 6},
            {"id": 12, "file_name": "b.jpg", "width": 8, "height": 6},
            {"id": 5, "file_name": "c.jpg", "width": 8, "height": 6},
        ],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 7, "bbox": [0, 0, 4, 2], "iscrowd": 0},
            {"id": 2, "image_id": 11, "category_id": 2, "bbox": [1, 2, 3, 4], "iscrowd": 0},
            {"id": 3, "image_id": 5, "category_id": 3, "bbox": [5, 5, 1, 1], "iscrowd": 1},
            {"id": 4, "image_id": 11, "category_id": 2, "bbox": [0.5, 0, 2, 2], "iscrowd": 0},
        ],
        "categories": [dict(category) for category in CATEGORIES],
    }


def write_coco(root: Path, stem: str = "train2017", content: dict[str, Any] | None = None) -> Path:
    content = coco_content() if content is None else content
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / "annotations" / f"instances_{stem}.json").write_text(json.dumps(content))
    for image in content["images"]:
        write_image(root / stem / image["file_name"])
    return root


#: VOC's labels by split and image, in the order of the three classes.
VOC_NAMES = ("cat", "dog", "person")
VOC_LABELS = {
    "train": {"000002": (1, -1, 0), "000005": (-1, 1, 1)},
    "val": {"000001": (-1, -1, 1), "000004": (0, 1, -1)},
    "test": {"000003": (1, 1, -1)},
}


def write_voc(root: Path, xml: bool = False, class_files: bool = True) -> Path:
    """VOC2007 under `root`/VOCdevkit: class files, or lists and XML files, or both."""
    base = root / "VOCdevkit" / "VOC2007"
    main = base / "ImageSets" / "Main"
    main.mkdir(parents=True)
    for split, images in VOC_LABELS.items():
        (main / f"{split}.txt").write_text("".join(f"{image}\n" for image in images))
        if class_files:
            for k, name in enumerate(VOC_NAMES):
                lines = (f"{image} {labels[k]:2d}\n" for image, labels in images.items())
                (main / f"{name}_{split}.txt").write_text("".join(lines))
        for image, labels in images.items():
            write_image(base / "JPEGImages" / f"{image}.jpg")
            if xml:
                (base / "Annotations").mkdir(exist_ok=True)
                (base / "Annotations" / f"{image}.xml").write_text(voc_xml(labels))
    return base


def voc_xml(labels: tuple[int, ...]) -> str:
    """Present: a difficult object, then one that is not. Only difficult: one difficult object."""
    objects = ""
    for name, label in zip(VOC_NAMES, labels, strict=True):
        for difficult in {1: (1, 0), 0: (1,), -1: ()}[label]:
            objects += (
                f"<object><name>{name}</name><difficult>{difficult}</difficult>"
                "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>8</xmax><ymax>6</ymax></bndbox>"
                "<part><name>head</name></part></object>"
            )
    return f"<annotation><size><width>8</width><height>6</height></size>{objects}</annotation>"


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def check_message(error: InputError, path: Path | str) -> None:
    """One line, naming the file, and nothing chained beneath it for a reader to wade through."""
    assert str(path) in str(error)
    assert "\n" not in str(error)
    assert error.__suppress_context__ or error.__context__ is None
