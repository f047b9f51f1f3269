"""The drawn scenes on disk: genuine COCO and VOC folders, whole or not there at all."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from addgcn.data.scenes import CLASSES, default_root, draw_labels, write, write_scenes
from addgcn.errors import InputError

SMALL = {"train": 12, "train-flat": 6, "id": 8, "ood": 8, "bg": 8}


def write_small(root: Path | None, **kwargs) -> Path:
    return write_scenes(root, **{"sizes": SMALL, "workers": 1, "progress": False, **kwargs})


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp("scenes") / "coco")


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp("scenes") / "voc", layout="voc")


def test_default_root(monkeypatch, tmp_path):
    monkeypatch.setenv("ADDGCN_CACHE", str(tmp_path))
    root = write_small(None, sizes={"id": 2}, splits="id")
    assert root == default_root()
    assert root.parent == tmp_path
    assert len(list((root / "id").iterdir())) == 2


@pytest.mark.parametrize("layout", ["coco", "voc"])
def test_same_bytes_for_any_number_of_workers(layout, tmp_path, request):
    sizes = {**SMALL, "train": 60}  # two parts, so that two workers have work
    one = write_scenes(tmp_path / "one", sizes=sizes, splits=["train", "ood"], workers=1, progress=False, layout=layout)
    two = write_scenes(tmp_path / "two", sizes=sizes, splits=["train", "ood"], workers=2, progress=False, layout=layout)
    assert files(one) == files(two)
    assert len(files(one)) > 60


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # within pycocotools
def test_coco_folder(coco):
    from pycocotools.coco import COCO

    for split, n in SMALL.items():
        api = COCO(coco / "annotations" / f"instances_{split}.json")
        assert [c["name"] for c in api.loadCats(api.getCatIds())] == list(CLASSES)
        assert len(api.imgs) == n
        labels, _ = draw_labels(split, n)
        for i, image in enumerate(api.loadImgs(sorted(api.imgs))):
            with Image.open(coco / split / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"]) == (64, 64)
                assert picture.mode == "RGB"
            annotations = api.loadAnns(api.getAnnIds(image["id"]))
            assert {a["category_id"] - 1 for a in annotations} == set(np.flatnonzero(labels[i]).tolist())
            for a in annotations:
                mask = api.annToMask(a)
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
                assert a["bbox"] == box
                assert a["area"] == mask.sum()


def test_jpegs_keep_colours_apart(coco):
    with Image.open(next((coco / "train").iterdir())) as image:
        assert [component[1:3] for component in image.layer] == [(1, 1)] * 3  # 4:4:4


def test_voc_folder(voc):
    for split, n in SMALL.items():
        lists = voc / "ImageSets" / "Main"
        ids = (lists / f"{split}.txt").read_text().split()
        assert len(ids) == n
        table = {c: dict(row.split() for row in (lists / f"{c.replace(' ', '_')}_{split}.txt").read_text().splitlines())
                 for c in CLASSES}  # fmt: skip
        labels, _ = draw_labels(split, n)
        for i, name in enumerate(ids):
            root = ElementTree.parse(voc / "Annotations" / f"{name}.xml").getroot()
            assert root.findtext("filename") == f"{name}.jpg"
            assert (voc / "JPEGImages" / f"{name}.jpg").stat().st_size > 500
            flags: dict[str, list[int]] = {}
            for node in root.iter("object"):
                flags.setdefault(str(node.findtext("name")), []).append(int(str(node.findtext("difficult"))))
                box = [int(str(node.findtext(f"bndbox/{k}"))) for k in ("xmin", "ymin", "xmax", "ymax")]
                assert 1 <= box[0] <= box[2] <= 64
                assert 1 <= box[1] <= box[3] <= 64
            assert set(flags) == {c for c, there in zip(CLASSES, labels[i], strict=True) if there}
            for c in CLASSES:
                assert int(table[c][name]) == (-1 if c not in flags else 0 if all(flags[c]) else 1)


def test_a_finished_folder_is_used_again(coco):
    before = (coco / "manifest.json").stat().st_mtime_ns
    assert write_small(coco) == coco
    assert write_small(coco, splits=["id", "ood"]) == coco  # it holds more than is asked for
    assert (coco / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("other", [{"seed": 1}, {"size": 96}, {"layout": "voc"}, {"sizes": {**SMALL, "id": 9}}])
def test_a_folder_of_other_scenes_is_refused(coco, other):
    with pytest.raises(InputError, match=r"holds other scenes: .*Delete it, or give another root"):
        write_small(coco, **other)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("dear to someone")
    with pytest.raises(InputError, match="is not a finished folder of scenes"):
        write_small(tmp_path)
    (tmp_path / "manifest.json").write_text('{"dataset": "scenes"')  # cut off
    with pytest.raises(InputError, match="is not a finished folder of scenes"):
        write_small(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": "cocoa"}, "unknown layout 'cocoa'. Did you mean 'coco'"),
        ({"splits": ["trian"]}, "unknown split 'trian'. Did you mean 'train'"),
        ({"sizes": {"test": 5}}, "unknown split 'test'"),
        ({"sizes": {"id": 0}}, "from 1 to 99,999 images"),
        ({"splits": []}, "from 1 to 99,999 images"),
        ({"size": 8}, "from 32 to 4096 pixels"),
        ({"seed": -1}, "seed and draw are 0 or more"),
    ],
)
def test_wrong_arguments(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        write_small(tmp_path / "scenes", **wrong)
    assert not list(tmp_path.iterdir())


def test_unwritable_folder(tmp_path, monkeypatch):
    if os.geteuid() == 0:  # root may write anywhere: let the first folder fail as it would for others

        def refuse(*_args, **_kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "mkdir", refuse)
    else:
        tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(InputError, match=r"cannot write the scenes to .*scenes: Permission denied"):
        write_small(tmp_path / "scenes")


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    write, written = Path.write_bytes, []

    def fill(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) > 10:
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(InputError, match="No space left on device"):
        write_small(tmp_path / "scenes")
    assert not list(tmp_path.iterdir())


def test_killed_while_writing(tmp_path):
    """After kill -9 the folder's name is still free, and the next call makes it whole."""
    call = f"write_scenes({str(tmp_path / 'scenes')!r}, workers=1, progress=False)"
    process = subprocess.Popen([sys.executable, "-c", f"from addgcn.data.scenes import write_scenes; {call}"])
    until = time.monotonic() + 60
    while sum(1 for _ in tmp_path.glob(".scenes-*/train/*.jpg")) < 20 and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "scenes").exists()
    assert not list(tmp_path.glob("**/manifest.json"))
    assert json.loads((write_small(tmp_path / "scenes") / "manifest.json").read_text())["counts"] == SMALL


def test_two_makers_of_one_folder(tmp_path, monkeypatch):
    """Another process finishes the same folder while this one still draws: both are content with it."""
    fill = write._fill

    def rival_is_faster(*args):
        monkeypatch.setattr(write, "_fill", fill)
        write_small(tmp_path / "scenes")
        rival.update(files(tmp_path / "scenes"))
        return fill(*args)

    rival: dict[str, bytes] = {}
    monkeypatch.setattr(write, "_fill", rival_is_faster)
    assert files(write_small(tmp_path / "scenes")) == rival
    assert [p.name for p in tmp_path.iterdir()] == ["scenes"]
