"""The VOC loader: targets against the published counts, the files' own lines, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from folders import VOC_LABELS, VOC_NAMES, write_voc

from addgcn.data import (
    VOC_CLASSES,
    load,
)
from addgcn.errors import InputError

OURS = {1: 1, 0: -1, -1: 0}  # VOC's labels -> ours

#: Images with at least one object that is not difficult, VOC 2007 test, as published with the challenge.
VOC2007_TEST = {
    "aeroplane": 204, "bicycle": 239, "bird": 282, "boat": 172, "bottle": 212, "bus": 174, "car": 721,
    "cat": 322, "chair": 417, "cow": 127, "diningtable": 190, "dog": 418, "horse": 274, "motorbike": 222,
    "person": 2007, "pottedplant": 224, "sheep": 97, "sofa": 223, "train": 259, "tvmonitor": 229,
}  # fmt: skip


def test_voc2007_counts(shared: Callable[[str], Path]) -> None:
    root = shared("data/voc2007_labels")
    test = load("voc2007", "test", root, check_images=False)
    assert test.classes == VOC_CLASSES == tuple(VOC2007_TEST)
    assert dict(zip(test.classes, (test.targets == 1).sum(0).tolist(), strict=True)) == VOC2007_TEST
    parts = {split: load("voc2007", split, root, check_images=False) for split in ("train", "val", "trainval")}
    assert {split: len(data) for split, data in parts.items()} == {"train": 2501, "val": 2510, "trainval": 5011}
    column = VOC_CLASSES.index("person")
    assert int((parts["trainval"].targets[:, column] == 1).sum()) == 2008
    with pytest.raises(InputError, match="JPEGImages, the folder of the images, is missing"):
        load("voc2007", "test", root)


def test_voc2007_against_its_lines(shared: Callable[[str], Path]) -> None:
    root = shared("data/voc2007_labels")
    data = load("voc2007", "val", root, check_images=False)
    for c, name in enumerate(data.classes):
        text = (root / "ImageSets" / "Main" / f"{name}_val.txt").read_text()
        lines = [line.split() for line in text.splitlines()]
        assert data.ids == [image for image, _ in lines]
        assert data.targets[:, c].tolist() == [OURS[int(label)] for _, label in lines]
    assert (data.targets == -1).any()


def test_voc_trainval_is_the_union(shared: Callable[[str], Path], tmp_path: Path) -> None:
    """Without lists of its own, trainval equals the genuine one, order included."""
    root = shared("data/voc2007_labels")
    main = tmp_path / "VOC2007" / "ImageSets" / "Main"
    main.mkdir(parents=True)
    for path in (root / "ImageSets" / "Main").glob("*.txt"):
        if "_trainval" not in path.name and path.name != "trainval.txt":
            (main / path.name).write_bytes(path.read_bytes())
    union = load("voc2007", "trainval", tmp_path / "VOC2007", check_images=False)
    genuine = load("voc2007", "trainval", root, check_images=False)
    assert union.ids == genuine.ids
    assert torch.equal(union.targets, genuine.targets)


@pytest.mark.parametrize("xml", [False, True])
def test_voc_targets_by_hand(tmp_path: Path, xml: bool) -> None:
    """The same labels from class files and from XML, whichever of three folders is given."""
    base = write_voc(tmp_path, xml=xml, class_files=not xml)
    for root in (tmp_path, tmp_path / "VOCdevkit", base):
        for split, labels in VOC_LABELS.items():
            data = load("voc2007", split, root)
            columns = [data.classes.index(name) for name in VOC_NAMES]
            assert data.ids == list(labels)
            assert data.targets[:, columns].tolist() == [[OURS[k] for k in row] for row in labels.values()]
            assert data.targets.sum() == data.targets[:, columns].sum()
            assert data[0][0].size == (8, 6)
        assert load("voc2007", "trainval", root).ids == ["000001", "000002", "000004", "000005"]
    # From XML the classes are VOC's twenty, as all names are among them; class files say it themselves.
    assert data.classes == (VOC_CLASSES if xml else VOC_NAMES)


def test_voc_boxes(tmp_path: Path) -> None:
    base = write_voc(tmp_path, xml=True)
    lines = base / "ImageSets" / "Main" / "cat_val.txt"
    lines.write_bytes(b"\xef\xbb\xbf" + lines.read_bytes().replace(b"\n", b"\r\n"))  # as some editors save it
    data = load("voc2007", "val", base)
    person, box = VOC_NAMES.index("person"), (0.0, 1.0, 8.0, 6.0)  # VOC counts from 1 and includes the last
    assert data.boxes(0) == [(person, box), (person, box)]


def test_voc_own_classes_from_xml(tmp_path: Path) -> None:
    """Classes that are not VOC's: those of all splits, alphabetically, so that splits agree."""
    base = write_voc(tmp_path, xml=True, class_files=False)
    for path in (base / "Annotations").glob("*.xml"):
        path.write_text(path.read_text().replace("<name>cat<", "<name>tea cup<"))
    only_in_test = base / "Annotations" / "000003.xml"
    only_in_test.write_text(only_in_test.read_text().replace("<name>dog<", "<name>ox<"))
    train, val = load("voc2007", "train", base), load("voc2007", "val", base)
    assert train.classes == val.classes == ("dog", "ox", "person", "tea cup")
    assert train.targets.tolist() == [[0, 0, -1, 1], [1, 0, 1, 0]]


def test_voc2012_test_has_no_labels(tmp_path: Path) -> None:
    base = write_voc(tmp_path).rename(tmp_path / "VOCdevkit" / "VOC2012")
    for path in (base / "ImageSets" / "Main").glob("*_test.txt"):
        path.unlink()
    with pytest.warns(UserWarning, match="not public"):
        data = load("voc2012", "test", tmp_path)
    assert data.classes == VOC_CLASSES
    assert data.targets.tolist() == [[-1] * 20]
