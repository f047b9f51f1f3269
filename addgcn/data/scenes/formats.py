"""One scene, and one split of scenes, in the words of COCO and of VOC."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import numpy as np
from pycocotools import mask as coco_mask

from .compose import Scene
from .labels import CLASSES, SPLIT_NUMBER

SUPERCATEGORY = {
    **dict.fromkeys(("car", "truck", "bus", "bicycle"), "vehicle"), "traffic light": "outdoor",
    "person": "person", **dict.fromkeys(("dog", "cat", "sheep"), "animal"),
    **dict.fromkeys(("chair", "table", "tv", "sofa", "plant"), "furniture"),
    **dict.fromkeys(("bottle", "cup"), "kitchen"), **dict.fromkeys(("toilet", "sink"), "bathroom"),
}  # fmt: skip
DIFFICULT = 0.4  # VOC: an object less visible than this is marked difficult


def coco_image(split: str, index: int, scene: Scene) -> dict[str, Any]:
    """The image's entry, with its annotations inside; ids are unique within a split and start at 1."""
    annotations: list[dict[str, Any]] = []
    for f in scene.found:
        rle = coco_mask.encode(np.asfortranarray(f.mask, np.uint8))
        segmentation = {"size": rle["size"], "counts": rle["counts"].decode()}
        annotations.append({
            "category_id": f.category + 1, "bbox": list(f.box), "area": int(f.mask.sum()), "iscrowd": 0,
            "segmentation": segmentation, "visible": round(f.visible, 3),
        })  # fmt: skip
    height, width = scene.image.shape[:2]
    return {"id": index + 1, "file_name": f"{index + 1:012d}.jpg", "width": width, "height": height,
            "license": 1, "place": scene.place, "annotations": annotations}  # fmt: skip


def coco_json(split: str, rows: list[dict[str, Any]]) -> str:
    """The whole of instances_{split}.json."""
    annotations: list[dict[str, Any]] = []
    for row in rows:
        for annotation in row.pop("annotations"):
            annotations.append({"id": len(annotations) + 1, "image_id": row["id"], **annotation})
    return json.dumps({
        "info": {"description": f"Drawn scenes, split {split}", "version": "1.0", "contributor": "addgcn"},
        "licenses": [{"id": 1, "name": "MIT", "url": "https://opensource.org/license/mit"}],
        "categories": [
            {"id": i, "name": c, "supercategory": SUPERCATEGORY[c]} for i, c in enumerate(CLASSES, start=1)
        ],
        "images": rows,
        "annotations": annotations,
    })  # fmt: skip


def voc_xml(split: str, index: int, scene: Scene) -> tuple[dict[str, Any], str]:
    """The image's name and labels (1 present, 0 only as difficult, -1 absent), and its XML."""
    name = f"{SPLIT_NUMBER[split]}{index + 1:05d}"
    height, width, depth = scene.image.shape
    root = ElementTree.Element("annotation")
    _add(root, folder="scenes", filename=f"{name}.jpg")
    _add(_add(root, source=None), database="scenes", annotation="scenes", image="drawn")
    _add(_add(root, size=None), width=width, height=height, depth=depth)
    _add(root, segmented=0)
    labels = [-1] * len(CLASSES)
    for f in scene.found:
        difficult = f.visible < DIFFICULT
        labels[f.category] = max(labels[f.category], 0 if difficult else 1)
        node = _add(root, object=None)
        _add(node, name=CLASSES[f.category], pose="Unspecified", truncated=int(f.truncated))
        _add(node, difficult=int(difficult))
        x, y, w, h = f.box  # VOC counts pixels from 1 and includes the last
        _add(_add(node, bndbox=None), xmin=x + 1, ymin=y + 1, xmax=x + w, ymax=y + h)
    ElementTree.indent(root, "\t")
    return {"id": name, "labels": labels}, ElementTree.tostring(root, "unicode") + "\n"


def voc_files(split: str, rows: list[dict[str, Any]]) -> dict[str, str]:
    """The lists of ImageSets/Main; a space in a category's name becomes an underscore in the file's name."""
    files = {f"{split}.txt": "".join(f"{row['id']}\n" for row in rows)}
    for i, c in enumerate(CLASSES):
        lines = (f"{row['id']} {row['labels'][i]:2d}\n" for row in rows)
        files[f"{c.replace(' ', '_')}_{split}.txt"] = "".join(lines)
    return {f"ImageSets/Main/{name}": text for name, text in files.items()}


def _add(parent: ElementTree.Element, **children: object) -> ElementTree.Element:
    """Add children with their text; return the last one."""
    for tag, text in children.items():
        node = ElementTree.SubElement(parent, tag)
        node.text = None if text is None else str(text)
    return node
