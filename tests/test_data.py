"""COCO and scenes: targets by hand, against pycocotools and other label files; what every data set has."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from folders import coco_content, write_coco, write_voc
from PIL import Image
from pycocotools.coco import COCO
from torch.utils.data import DataLoader

from addgcn.data import (
    COCO_CLASSES,
    DATASETS,
    cache_dir,
    check_same_classes,
    class_permutation,
    load,
)
from addgcn.data.transforms import eval_transform


def test_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ADDGCN_CACHE", str(tmp_path / "here"))
    assert cache_dir() == tmp_path / "here"
    monkeypatch.delenv("ADDGCN_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "addgcn"


# COCO


def test_coco_targets_by_hand(tmp_path: Path) -> None:
    """Classes by id; images in the file's order; a crowd counts; the unlabelled image goes, or stays."""
    root = write_coco(tmp_path)
    data = load("coco2017", "train", root)
    assert data.classes == ("dog", "cat", "zebra")
    assert data.ids == ["a", "c"]
    assert data.targets.dtype == torch.int8
    assert data.targets.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert data.path(1) == root / "train2017" / "c.jpg"
    assert data.boxes(0) == [(0, (1, 2, 4, 6)), (0, (0.5, 0, 2.5, 2))]
    assert data.boxes(-1) == data.boxes(1) == [(2, (0, 0, 4, 2)), (1, (5, 5, 6, 6))]
    with pytest.raises(IndexError):
        data.boxes(2)
    every = load("coco2017", "train", root, drop_unlabelled=False)
    assert every.ids == ["a", "b", "c"]
    assert every.targets.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 1]]
    assert [len(every.boxes(i)) for i in range(3)] == [2, 0, 2]


def test_coco_without_year_without_boxes_with_subfolders(tmp_path: Path) -> None:
    content = coco_content()
    for image in content["images"]:
        image["file_name"] = "sub/" + image["file_name"]
    del content["annotations"][1]["bbox"]
    data = load("coco2014", "val", write_coco(tmp_path, "val", content))
    assert data.ids == ["sub/a", "sub/c"]
    assert data[0][0].size == (8, 6)
    assert data.boxes(0) == [(0, (0.5, 0, 2.5, 2))]  # the object without a box is left out


def test_coco_against_pycocotools(tmp_path: Path) -> None:
    """A random annotation file, read here and asked image by image through pycocotools."""
    r = np.random.default_rng(0)
    ids = r.permutation(1000)[:40].tolist()
    categories = [{"id": int(k), "name": f"class {k}"} for k in r.permutation(90)[:12]]
    annotations = [
        {
            "id": n + 1,
            "image_id": ids[r.integers(30)],
            "category_id": categories[r.integers(12)]["id"],
            "bbox": r.integers(0, 50, 4).tolist(),
            "iscrowd": int(r.random() < 0.1),
        }
        for n in range(150)
    ]
    images = [{"id": i, "file_name": f"{i:012d}.jpg"} for i in ids]
    write_coco(tmp_path, "val2014", {"images": images, "annotations": annotations, "categories": categories})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "annotations" / "instances_val2014.json"))
    data = load("coco2014", "val", tmp_path, drop_unlabelled=False)
    assert list(data.classes) == [coco.cats[k]["name"] for k in sorted(coco.cats)]
    for i, name in enumerate(data.ids):
        found = coco.loadAnns(coco.getAnnIds(imgIds=[int(name)]))
        present = {coco.cats[item["category_id"]]["name"] for item in found}
        assert {c for c, t in zip(data.classes, data.targets[i], strict=True) if t == 1} == present
        boxes = {(coco.cats[a["category_id"]]["name"], *a["bbox"]) for a in found}
        assert {(data.classes[c], x0, y0, x1 - x0, y1 - y0) for c, (x0, y0, x1, y1) in data.boxes(i)} == boxes


def test_loading_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load("coco2017", "train", write_coco(tmp_path))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("split", "total", "unlabelled"), [("train", 294, 2), ("val", 188, 2)])
def test_coco_sample(shared: Callable[[str], Path], split: str, total: int, unlabelled: int) -> None:
    """Real COCO against the same labels in the released code's format (alphabetical order)."""
    root = shared("data/coco_sample")
    data = load("coco2017", split, root)
    assert len(data) == total - unlabelled
    assert len(load("coco2017", split, root, drop_unlabelled=False)) == total
    assert data.classes == COCO_CLASSES  # COCO's own order, by category id
    alphabetical = json.loads((root / "annotations" / "category.json").read_text())
    order = sorted(alphabetical, key=alphabetical.__getitem__)
    targets = data.targets[:, class_permutation(data.classes, order)]
    released = json.loads((root / "annotations" / f"{split}_anno.json").read_text())
    wanted = {row["file_name"]: set(row["labels"]) for row in released if row["labels"]}
    ours = {data.path(i).name: set(row.nonzero().flatten().tolist()) for i, row in enumerate(targets)}
    assert ours == wanted


def test_coco_sample_boxes_lie_on_the_image(shared: Callable[[str], Path]) -> None:
    data = load("coco2017", "val", shared("data/coco_sample"))
    for i in range(0, len(data), 20):
        width, height = data[i][0].size
        assert data.boxes(i)
        for c, (x0, y0, x1, y1) in data.boxes(i):
            assert data.targets[i, c] == 1
            assert 0 <= x0 < x1 <= width + 1
            assert 0 <= y0 < y1 <= height + 1


# Scenes


@pytest.mark.parametrize("split", DATASETS["scenes"])
def test_scenes(scenes_small: Path, split: str) -> None:
    from addgcn.data.scenes import CLASSES

    data = load("scenes", split, scenes_small)
    assert data.classes == tuple(CLASSES)
    assert len(data) == (64 if split == "train" else 32)
    assert data.targets.any(1).all()
    image, target = data[3]
    assert image.mode == "RGB"
    assert {c for c, _ in data.boxes(3)} == set(target.nonzero().flatten().tolist())


def test_scenes_keep_every_image(tmp_path: Path) -> None:
    assert load("scenes", "id", write_coco(tmp_path, "id")).ids == ["a", "b", "c"]


def test_scenes_made_on_first_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import addgcn.data.scenes as scenes

    calls = []

    def write(**settings: object) -> Path:
        calls.append(settings)
        return scenes_write(tmp_path / "scenes", sizes=dict.fromkeys(DATASETS["scenes"], 4), workers=1, progress=False)

    scenes_write = scenes.write_scenes
    monkeypatch.setattr(scenes, "write_scenes", write)
    assert len(load("scenes", "ood")) == 4
    assert calls == [{}]


def test_scenes_as_voc_equal_scenes_as_coco(tmp_path: Path) -> None:
    """The same scenes in both layouts: equal images, labels and boxes, but for what VOC calls difficult."""
    from addgcn.data.scenes import write_scenes

    sizes = {"train-flat": 24}
    both = []
    for layout in ("coco", "voc"):
        write_scenes(tmp_path / layout, sizes=sizes, splits=["train-flat"], layout=layout, workers=1, progress=False)
        both.append(load("scenes", "train-flat", tmp_path / layout))
    coco, voc = both
    check_same_classes(coco, voc)
    assert torch.equal(coco.targets, voc.targets.abs())
    for i in range(24):
        assert coco.boxes(i) == voc.boxes(i)
        assert coco.path(i).read_bytes() == voc.path(i).read_bytes()


# What every data set has


def test_pickles_small_and_works_in_workers(tmp_path: Path) -> None:
    data = load("coco2017", "train", write_coco(tmp_path), eval_transform(4, (0, 0, 0), (1, 1, 1)))
    copy = pickle.loads(pickle.dumps(data))
    assert len(pickle.dumps(data)) < 5000
    assert copy.boxes(1) == data.boxes(1)
    images, targets = next(iter(DataLoader(copy, batch_size=2, num_workers=1)))
    assert images.shape == (2, 3, 4, 4)
    assert torch.equal(targets, data.targets)


@pytest.mark.parametrize("layout", ["coco", "voc"])
def test_subset(tmp_path: Path, layout: str) -> None:
    """The images, targets and boxes of a subset, and of a subset of it, are those of the whole."""
    if layout == "coco":
        whole = load("coco2017", "train", write_coco(tmp_path), drop_unlabelled=False)
    else:
        write_voc(tmp_path, xml=True)
        whole = load("voc2007", "trainval", tmp_path)
    part = whole.subset([2, 0], split="holdout")
    for data, rows in ((part, [2, 0]), (part.subset([1]), [0]), (part.subset([0]), [2]), (part.subset([]), [])):
        assert len(data) == len(rows) == len(data.targets)
        for i, row in enumerate(rows):
            assert data.path(i) == whole.path(row)
            assert data.ids[i] == whole.ids[row]
            assert data.boxes(i) == whole.boxes(row)
            assert torch.equal(data[i][1], whole.targets[row])
        with pytest.raises(IndexError):
            data[len(rows)]
    assert (part.split, len(whole)) == ("holdout", 3 if layout == "coco" else 4)
    assert part.digest() != whole.digest()


def test_digest(tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    first = load("coco2017", "train", root).digest()
    assert first == load("coco2017", "train", root).digest()
    assert len(first) == 64
    assert load("coco2017", "train", root, drop_unlabelled=False).digest() != first
    data = load("coco2017", "train", root)
    data.targets[0, 0] = 0
    assert data.digest() != first
    Image.new("RGB", (30, 30)).save(root / "train2017" / "a.jpg")
    assert load("coco2017", "train", root).digest() != first


def test_class_permutation() -> None:
    ours, theirs = ("person", "car", "apple"), ("apple", "car", "person")
    p = class_permutation(ours, theirs)
    assert [ours[k] for k in p] == list(theirs)
    r = np.random.default_rng(1)
    names = [f"class {k}" for k in range(30)]
    a, b = (list(r.permutation(names)) for _ in range(2))
    scores = torch.randn(4, 30)
    there = scores[:, class_permutation(a, b)]
    assert torch.equal(there[:, class_permutation(b, a)], scores)
    assert there[0, b.index("class 3")] == scores[0, a.index("class 3")]
