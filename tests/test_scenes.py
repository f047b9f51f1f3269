"""The drawn scenes: the same from the same seed, with the statistics they promise, in genuine folders."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageDraw

from addgcn.data.scenes import (
    CLASSES,
    SCENES,
    SPLITS,
    compose_split,
    draw_labels,
    single_objects,
)
from addgcn.data.scenes import compose as composing
from addgcn.data.scenes.compose import JUDGED_AT, VISIBLE, compose
from addgcn.data.scenes.draw import blob, line, oval, paint, poly, rect, ring, to_svg, trace
from addgcn.data.scenes.objects import draw_object

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
            assert p.category < 0 or v == pytest.approx((ids == number).sum() / whole, abs=0.08)


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
