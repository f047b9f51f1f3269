"""What wrong names, wrong folders and damaged COCO files get: one clear message with file and remedy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from folders import CATEGORIES, as_folder, check_message, coco_content, write_coco, write_voc

from addgcn.data import check_same_classes, class_permutation, load
from addgcn.errors import InputError

# COCO folders


def without(*keys: str) -> Callable[[dict[str, Any]], None]:
    """Remove one key, e.g. without("images", 0, "id")."""

    def edit(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return edit


def setting(*keys_and_value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(content: Any) -> None:
        *keys, last, value = keys_and_value
        for key in keys:
            content = content[key]
        content[last] = value

    return edit


BAD_COCO: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "no images": (without("images"), "no list 'images'"),
    "no annotations": (without("annotations"), "no list 'annotations'"),
    "no categories": (without("categories"), "no list 'categories'"),
    "images not a list": (setting("images", "all of them"), "no list 'images'|not laid out"),
    "image list empty": (setting("images", []), "'images' is empty"),
    "category list empty": (setting("categories", []), "'categories' is empty"),
    "nothing labelled": (setting("annotations", []), "no labelled image"),
    "image without id": (without("images", 0, "id"), "lacks the key 'id'"),
    "image without file_name": (without("images", 0, "file_name"), "lacks the key 'file_name'"),
    "annotation without image_id": (without("annotations", 0, "image_id"), "lacks the key 'image_id'"),
    "annotation without category_id": (without("annotations", 1, "category_id"), "lacks the key 'category_id'"),
    "category without name": (without("categories", 0, "name"), "lacks the key 'name'"),
    "category without id": (without("categories", 0, "id"), "lacks the key 'id'"),
    "absent image": (setting("annotations", 2, "image_id", 99), "1 of 4 annotations .* absent image.* 99 .*id 3"),
    "absent category": (setting("annotations", 1, "category_id", 4), "1 of 4 .* absent category.* 4 .*id 2"),
    "image id twice": (setting("images", 1, "id", 11), "image id 11 stands twice"),
    "file twice": (setting("images", 1, "file_name", "a.jpg"), "file_name 'a.jpg' stands twice"),
    "category id twice": (setting("categories", 1, "id", 3), "category id 3 stands twice"),
    "category name twice": (setting("categories", 1, "name", "cat"), "category name 'cat' stands twice"),
    "annotations are numbers": (setting("annotations", [1, 2]), "not laid out as COCO"),
    "images are names": (setting("images", ["a.jpg"]), "not laid out as COCO"),
    "list as image_id": (setting("annotations", 0, "image_id", [1]), "not laid out as COCO"),
    "box of three": (setting("annotations", 0, "bbox", [1, 2, 3]), "not laid out as COCO"),
    "box of words": (setting("annotations", 0, "bbox", ["a", "b", "c", "d"]), "not laid out as COCO"),
    "name is a number": (setting("categories", 0, "name", 5), "category name 5 is not a name"),
    "file_name is null": (setting("images", 0, "file_name", None), "file_name None is not a name"),
    "ids of two kinds": (setting("categories", 0, "id", "seven"), "not laid out as COCO"),
}


@pytest.mark.parametrize("case", BAD_COCO)
def test_bad_coco(tmp_path: Path, case: str) -> None:
    edit, message = BAD_COCO[case]
    write_coco(tmp_path)
    content = coco_content()
    edit(content)
    path = tmp_path / "annotations" / "instances_train2017.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        load("coco2017", "train", tmp_path)
    check_message(caught.value, path)


def cut(path: Path) -> None:
    path.write_text(path.read_text()[:200])


BAD_JSON: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (cut, "truncated or not JSON .*Unpack"),
    "empty": (lambda path: path.write_text(""), "truncated or not JSON .*Unpack"),
    "not JSON": (lambda path: path.write_text("<html>"), "truncated or not JSON"),
    "bytes": (lambda path: path.write_bytes(b"\xff\xfe\x00\x80" * 9), "truncated or not JSON"),
    "a list": (lambda path: path.write_text("[]"), "not laid out as COCO"),
    "missing": (lambda path: path.unlink(), "is missing.*Check that"),
    "folder": (as_folder, "is a folder; the annotation file"),
    "deep": (lambda path: path.write_text("[" * 100_000), "truncated or not JSON"),
}


@pytest.mark.parametrize("case", BAD_JSON)
def test_bad_json(tmp_path: Path, case: str) -> None:
    edit, message = BAD_JSON[case]
    path = write_coco(tmp_path) / "annotations" / "instances_train2017.json"
    edit(path)
    with pytest.raises(InputError, match=message) as caught:
        load("coco2017", "train", tmp_path)
    check_message(caught.value, path)


# Names and folders


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("coco14", "train", "unknown dataset 'coco14'. Did you mean 'coco2014'"),
        ("VOC2007", "train", "Did you mean 'voc2007'"),
        ("voc2007", "tests", "unknown split of voc2007 'tests'. Did you mean 'test'"),
        ("scenes", "val", "unknown split of scenes 'val'.*Known: train, train-flat, id, ood, bg"),
        ("coco2014", "test", "unknown split of coco2014 'test'"),
    ],
)
def test_wrong_names(name: str, split: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(name, split, root=".")


@pytest.mark.parametrize("name", ["coco2014", "coco2017", "voc2007", "voc2012"])
def test_no_root(name: str) -> None:
    inside = "annotations/instances_train2014.json" if name == "coco2014" else name[-4:]
    with pytest.raises(InputError, match=f"{name} needs root=.*{inside}"):
        load(name, "train")


@pytest.mark.parametrize("name", ["scenes", "coco2017", "voc2012"])
def test_wrong_folders(tmp_path: Path, name: str) -> None:
    for root, message in (
        (tmp_path / "none", "does not exist"),
        (tmp_path / "file", "is not a folder"),
        (tmp_path, "missing|holds no ImageSets/Main"),
    ):
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match=message) as caught:
            load(name, "train", root)
        check_message(caught.value, root)


def test_the_other_year(tmp_path: Path) -> None:
    base = write_voc(tmp_path)
    with pytest.raises(InputError, match=r"is not VOC 2012, by its name\. Ask for voc2007"):
        load("voc2012", "train", base)


def test_half_unpacked_coco(tmp_path: Path) -> None:
    content = coco_content()
    content["images"] = [{"id": n, "file_name": f"{n}.jpg"} for n in range(20)]
    content["annotations"] = [{"id": n, "image_id": n, "category_id": 2} for n in range(20)]
    write_coco(tmp_path, content=content)
    for n in range(5, 20):
        (tmp_path / "train2017" / f"{n}.jpg").unlink()
    with pytest.raises(InputError, match=r"half-unpacked: 15 of 20 images missing, first: 5\.jpg\. Unpack"):
        load("coco2017", "train", tmp_path)
    data = load("coco2017", "train", tmp_path, check_images=False)
    assert len(data) == 20
    with pytest.raises(InputError, match="no such image file"):
        data[19]
    assert len(data.digest()) == 64
    for n in range(5):
        (tmp_path / "train2017" / f"{n}.jpg").unlink()
    (tmp_path / "train2017").rmdir()
    with pytest.raises(InputError, match="train2017, the folder of the images, is missing"):
        load("coco2017", "train", tmp_path)


def test_broken_link_counts_as_missing(tmp_path: Path) -> None:
    path = write_coco(tmp_path) / "train2017" / "a.jpg"
    path.unlink()
    path.symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(InputError, match=r"1 of 2 images missing, first: a\.jpg"):
        load("coco2017", "train", tmp_path)


def test_class_lists_that_differ(tmp_path: Path) -> None:
    write_coco(tmp_path, "train2017")
    content = coco_content()
    content["categories"] = [*CATEGORIES, {"id": 9, "name": "horse"}]
    write_coco(tmp_path, "val2017", content)
    train, val = load("coco2017", "train", tmp_path), load("coco2017", "val", tmp_path)
    with pytest.raises(InputError, match="only the first has none, only the second has 'horse'") as caught:
        check_same_classes(train, val)
    check_message(caught.value, tmp_path / "val2017")
    content["categories"] = [{"id": 7, "name": "dog"}, {"id": 2, "name": "zebra"}, {"id": 3, "name": "cat"}]
    write_coco(tmp_path, "val2017", content)
    with pytest.raises(InputError, match="different orders: number 0 is 'dog' in the first and 'zebra'"):
        check_same_classes(train, load("coco2017", "val", tmp_path))
    check_same_classes(train, train)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (["x", "y"], ["x", "z"], "only the first has 'y', only the second has 'z'"),
        (["x", "y"], ["x"], "2 and 1 names; only the first has 'y', only the second has none"),
        (["x", "x"], ["x", "y"], "'x' stands twice"),
        ([str(n) for n in range(9)], ["0"], "'5' and 3 more"),
    ],
)
def test_class_permutation_of_different_sets(a: list[str], b: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        class_permutation(a, b)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco")
    data = load("coco2017", "train", root)
    data.path(0).chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        data[0]
    (root / "train2017").chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        load("coco2017", "train", root)
    (root / "train2017").chmod(0o755)
    (root / "annotations" / "instances_train2017.json").chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        load("coco2017", "train", root)
    base = write_voc(tmp_path / "voc")
    (base / "ImageSets" / "Main" / "cat_train.txt").chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        load("voc2007", "train", base)
