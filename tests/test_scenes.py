"""The drawn scenes: the same from the same seed, with the statistics they promise, in genuine folders."""

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
from PIL import Image, ImageDraw

from addgcn.data.scenes import (
    CLASSES,
    SCENES,
    SPLITS,
    compose_split,
    default_root,
    draw_labels,
    single_objects,
    write,
    write_scenes,
)
from addgcn.data.scenes import compose as composing
from addgcn.data.scenes.compose import JUDGED_AT, VISIBLE, compose
from addgcn.data.scenes.draw import blob, line, oval, paint, poly, rect, ring, to_svg, trace
from addgcn.data.scenes.objects import draw_object
from addgcn.errors import InputError

SMALL = {"train": 12, "train-flat": 6, "id": 8, "ood": 8, "bg": 8}


def write_small(root: Path | None, **kwargs) -> Path:
    return write_scenes(root, **{"sizes": SMALL, "workers": 1, "progress": False, **kwargs})


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


# --- labels


def conditional(labels: np.ndarray, a: str, b: str) -> float:
    """P(a | b)."""
    return float(labels[labels[:, CLASSES.index(b)] == 1, CLASSES.index(a)].mean())


@pytest.mark.parametrize("split", ["train", "id"])
def test_everyday_statistics(split):
    labels, places = draw_labels(split, 2500)
    assert labels.shape == (2500, 18)
    assert labels.dtype == np.int8
    assert 2.75 < labels.sum(1).mean() < 3.05
    assert labels.sum(1).min() >= 1
    assert 0.85 < conditional(labels, "car", "truck") < 0.92
    assert conditional(labels, "toilet", "car") == 0
    assert set(places) == set(range(len(SCENES)))


@pytest.mark.parametrize(("flat", "source"), [("ood", "id"), ("train-flat", "train")])
def test_flat_splits_keep_marginals_and_break_company(flat, source):
    labels, places = draw_labels(flat, 2500)
    everyday, _ = draw_labels(source, 2500)
    assert labels.sum(0).tolist() == everyday.sum(0).tolist()
    assert labels.sum(1).min() >= 1
    assert conditional(labels, "car", "truck") == pytest.approx(labels[:, CLASSES.index("car")].mean(), abs=0.09)
    assert conditional(labels, "toilet", "car") > 0.05
    correlation = np.corrcoef(labels.T)
    assert np.abs(correlation[~np.eye(18, dtype=bool)]).max() < 0.1
    street = places == SCENES.index("street")
    assert np.abs(labels[street].mean(0) - labels.mean(0)).max() < 0.08  # the place tells nothing


def test_bg_has_the_labels_of_id_elsewhere():
    labels, places = draw_labels("bg", 500)
    id_labels, id_places = draw_labels("id", 500)
    assert np.array_equal(labels, id_labels)
    assert not (places == id_places).any()


def test_seed_and_draw():
    first, again = draw_labels("train", 50), draw_labels("train", 80)
    assert np.array_equal(first[0], again[0][:50])  # prefixes agree
    assert not np.array_equal(first[0], draw_labels("train", 50, seed=1)[0])
    assert not np.array_equal(first[0], draw_labels("train", 50, draw=1)[0])
    assert np.array_equal(draw_labels("id", 50)[0], draw_labels("id", 50, draw=1)[0])


# --- scenes


@pytest.mark.parametrize("split", SPLITS)
def test_every_label_is_there_and_nothing_else(split):
    labels, _ = draw_labels(split, 25)
    for row, scene in zip(labels, compose_split(split, 25), strict=True):
        assert scene.labels == [c for c, there in zip(CLASSES, row, strict=True) if there]
        assert scene.image.shape == (64, 64, 3)
        assert scene.image.dtype == np.uint8


@pytest.mark.parametrize("size", [32, 64, 100])
def test_objects_are_visible_and_inside(size):
    for scene in compose_split("ood", 15, size):
        taken = np.zeros((size, size), int)
        for f in scene.found:
            x, y, w, h = f.box
            assert 0 <= x < x + w <= size
            assert 0 <= y < y + h <= size
            assert VISIBLE <= f.visible <= 1
            assert f.mask[y : y + h, x : x + w].sum() == f.mask.sum() > 0
            taken += f.mask
        assert size < 64 or taken.max() <= 1  # a pixel belongs to one object


def test_a_scene_is_the_same_at_every_size():
    labels, places = draw_labels("id", 6)
    for i in range(6):
        small, large = (compose("id", i, labels[i], int(places[i]), size) for size in (64, 192))
        assert [f.category for f in small.found] == [f.category for f in large.found]
        assert [f.visible for f in small.found] == [f.visible for f in large.found]
        for f, g in zip(small.found, large.found, strict=True):
            shrunk = g.mask.reshape(64, 3, 64, 3).mean((1, 3)) > 0.5
            assert (shrunk & f.mask).sum() > 0.75 * (shrunk | f.mask).sum()


def test_bg_shows_the_very_objects_of_id():
    same = []
    for one, other in zip(compose_split("id", 8), compose_split("bg", 8), strict=True):
        assert one.place != other.place
        for f, g in zip(one.found, other.found, strict=True):
            assert f.category == g.category
            assert np.array_equal(f.mask, g.mask)
            same.append((one.image[f.mask] == other.image[g.mask]).mean())
    assert np.median(same) > 0.6  # but for their edges, and for blurred images


def test_visible_fraction_against_counting_by_hand():
    """Each object painted alone and in the scene: the ratio of the two counts is what the scene says."""
    background = trace([rect((0, 0, 0), 0, 0, 1, 1)])
    rng = np.random.default_rng(5)
    for _ in range(20):
        _, ids, placed, visible = composing._stage(background, [0, 5, 9, 12], [0], rng, 64)
        for number, (p, v) in enumerate(zip(placed, visible, strict=True), start=1):
            wide = Image.new("RGBA", (3 * JUDGED_AT, 3 * JUDGED_AT))  # room for what reaches out of the image
            paint(ImageDraw.Draw(wide), p.traced.moved(1 / 3, 1 / 3, 1 / 3), 1)
            whole = np.asarray(wide)[..., 3].sum()
            assert v == pytest.approx((ids == number).sum() / whole, abs=0.08)


def test_single_objects():
    images, categories = single_objects(40)
    again, _ = single_objects(10)
    assert images.shape == (40, 64, 64, 3)
    assert set(categories) <= set(range(18))
    assert np.array_equal(again, images[:10])
    assert single_objects(2, size=96)[0].shape == (2, 96, 96, 3)


# --- drawing


def painted(drawing, pixels: int = 600) -> np.ndarray:
    image = Image.new("RGBA", (pixels, pixels))
    paint(ImageDraw.Draw(image), trace(drawing), 1)
    return np.asarray(image)[..., 3] == 1


def test_areas_of_shapes():
    c = (1, 2, 3)
    circle = [v for t in np.arange(8) * np.pi / 4 for v in (0.5 + 0.3 * np.cos(t), 0.5 + 0.3 * np.sin(t))]
    for drawing, area in (
        ([rect(c, 0.1, 0.2, 0.5, 0.9)], 0.28),
        ([poly(c, 0.1, 0.1, 0.9, 0.1, 0.1, 0.9)], 0.32),
        ([oval(c, 0.5, 0.5, 0.4, 0.2, 30)], np.pi * 0.08),
        ([ring(c, 0.5, 0.5, 0.4, 0.1)], np.pi * (0.16 - 0.09)),
        (line(c, 0.1, 0.2, 0.2, 0.8, 0.8), 0.0848 + np.pi * 0.0025),
        ([blob(c, *circle)], np.pi * 0.09),
    ):
        assert painted(drawing).mean() == pytest.approx(area, rel=0.05)


def test_an_ellipse_moves_as_its_three_points_do():
    drawing = [oval((0, 0, 0), 2, 1, 3, 1, 20)]
    moved = trace(drawing).moved(5, -2, 1.5, mirror=True, turn=40)
    by_points = trace(drawing)._replace(points=np.array(drawing[0].xy).reshape(3, 2).T).moved(5, -2, 1.5, True, 40)
    assert np.allclose(moved.points.mean(1), by_points.points[:, 0])


@pytest.mark.parametrize("category", range(18))
def test_objects_as_svg(category):
    drawing = draw_object(category, np.random.default_rng(category))
    root = ElementTree.fromstring(f"<svg>{to_svg(drawing)}</svg>")
    assert len(root) == len(drawing) > 4
    x0, y0, x1, y1 = trace(drawing).unit().bounds()
    assert max(x1 - x0, y1 - y0) == pytest.approx(1)
    assert y1 == pytest.approx(0)


# --- folders


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
