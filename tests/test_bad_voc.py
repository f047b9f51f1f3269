"""What a damaged VOC folder gets: one clear message with the file and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from folders import as_folder, check_message, write_voc

from addgcn.data import load
from addgcn.errors import InputError


def rewrite(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(base: Path) -> None:
        text = (base / name).read_text()
        assert old in text
        (base / name).write_text(text.replace(old, new, 1))

    return edit


CAT = "ImageSets/Main/cat_train.txt"
DOG = "ImageSets/Main/dog_train.txt"

BAD_CLASS_FILES: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "label 2": (rewrite(CAT, "000002  1", "000002  2"), CAT, "line 1: '000002  2' is not an image name and 1, 0 or -1"),
    "label x": (rewrite(CAT, "000005 -1", "000005 x"), CAT, "line 2"),
    "label 1.0": (rewrite(CAT, "000005 -1", "000005 1.0"), CAT, "line 2"),
    "no label": (rewrite(CAT, "000005 -1", "000005"), CAT, "line 2"),
    "three words": (rewrite(CAT, "000005 -1", "000005 -1 1"), CAT, "line 2"),
    "another image": (rewrite(DOG, "000005", "000006"), DOG, "same images: 2 and 2 .* line 2"),
    "an image less": (rewrite(DOG, "000005  1\n", ""), DOG, "same images: 1 and 2"),
    "an image twice": (rewrite(CAT, "000005", "000002"), CAT, "000002 stands twice"),
    "empty": (lambda base: (base / CAT).write_text(""), CAT, "is empty.*Unpack"),
    "folder": (lambda base: as_folder(base / CAT), CAT, "is a folder"),
    "not text": (lambda base: (base / CAT).write_bytes(b"\xff\xfe\x80"), CAT, "is not a text file"),
    "class lost": (lambda base: (base / CAT).unlink(), "ImageSets/Main", "classes of train and val differ.*cat_val"),
    "class added": (
        lambda base: (base / "ImageSets/Main/cow_val.txt").write_text("000001 1\n"),
        "ImageSets/Main",
        "classes of train and val differ.*cow_val",
    ),
    "images gone": (
        lambda base: (base / "JPEGImages/000005.jpg").unlink(),
        "JPEGImages",
        r"half-unpacked: 1 of 2 images missing, first: 000005\.jpg\. Unpack",
    ),
    "image is a folder": (lambda base: as_folder(base / "JPEGImages/000002.jpg"), "JPEGImages", "1 of 2 images"),
}


@pytest.mark.parametrize("case", BAD_CLASS_FILES)
def test_bad_class_files(tmp_path: Path, case: str) -> None:
    edit, name, message = BAD_CLASS_FILES[case]
    base = write_voc(tmp_path)
    edit(base)
    with pytest.raises(InputError, match=message) as caught:
        load("voc2007", "train", tmp_path)
    check_message(caught.value, base / name)


XML = "Annotations/000005.xml"
LIST = "ImageSets/Main/train.txt"

BAD_XML: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "truncated": (lambda base: cut_to(base / XML, 90), XML, "truncated or not XML.*Unpack"),
    "empty": (lambda base: (base / XML).write_text(""), XML, "truncated or not XML"),
    "no name": (rewrite(XML, "<name>dog</name>", ""), XML, "<object> lacks its <name>"),
    "empty name": (rewrite(XML, "<name>dog</name>", "<name> </name>"), XML, "<object> lacks its <name>"),
    "difficult 2": (rewrite(XML, "<difficult>1<", "<difficult>2<"), XML, "not 0 or 1"),
    "missing": (lambda base: (base / XML).unlink(), "Annotations", "1 of 2 annotation files missing, first: 000005"),
    "folder missing": (
        lambda base: (base / "Annotations").rename(base / "Else"),
        "Annotations",
        "folder of the annotation files, is missing",
    ),
    "list missing": (lambda base: (base / LIST).unlink(), LIST, "list of images, is missing"),
    "list empty": (lambda base: (base / LIST).write_text("\n"), LIST, "is empty"),
    "list of pairs": (lambda base: (base / LIST).write_text("000002 1\n"), LIST, "line 1: .* is not one image name"),
    "list with one twice": (lambda base: (base / LIST).write_text("000002\n000002\n"), LIST, "000002 stands twice"),
}


def cut_to(path: Path, length: int) -> None:
    path.write_text(path.read_text()[:length])


@pytest.mark.parametrize("case", BAD_XML)
def test_bad_xml(tmp_path: Path, case: str) -> None:
    edit, name, message = BAD_XML[case]
    base = write_voc(tmp_path, xml=True, class_files=False)
    edit(base)
    with pytest.raises(InputError, match=message) as caught:
        load("voc2007", "train", tmp_path)
    check_message(caught.value, base / name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<xmin>1</xmin>", "", "box of the object 'dog' is not four numbers"),
        ("<xmin>1</xmin>", "<xmin>left</xmin>", "box of the object 'dog' is not four numbers"),
        ("<name>dog</name>", "<name>ox</name>", "'ox' is of none of the classes: cat, dog, person"),
    ],
)
def test_bad_boxes(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Class files give the labels, so XML is read only when the boxes are asked for."""
    base = write_voc(tmp_path, xml=True)
    rewrite(XML, old, new)(base)
    data = load("voc2007", "train", tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        data.boxes(1)
    check_message(caught.value, base / XML)


def test_image_in_train_and_val(tmp_path: Path) -> None:
    base = write_voc(tmp_path)
    for name in ("cat", "dog", "person"):
        path = base / "ImageSets" / "Main" / f"{name}_val.txt"
        path.write_text(path.read_text() + "000002 -1\n")
    with pytest.raises(InputError, match="000002 stands in more than one of the lists of trainval"):
        load("voc2007", "trainval", tmp_path)
