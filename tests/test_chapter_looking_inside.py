"""Chapter 14: it agrees with the library, and notices wrong maps, wrong partners, wrong records and wrong scenes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from chapters import execute, read_chapter
from PIL import Image
from scipy.stats import mannwhitneyu, rankdata
from torch import Tensor

from addgcn import controls, localisation, style
from addgcn.backbone import ScenesTrunk
from addgcn.data import load
from addgcn.data.scenes import compose_split, draw_labels
from addgcn.data.scenes.compose import compose
from addgcn.data.transforms import eval_transform
from addgcn.experiments import Job, Records
from addgcn.recipes import RECIPES, Recipe
from addgcn.records import FOLDER
from addgcn.reproduce import Plan
from addgcn.tables import interval

CELLS, _ = read_chapter("14_looking_inside.ipynb")
WIRINGS = ("paper", "released")


@pytest.fixture(scope="module")
def small(scenes_small: Path) -> dict[str, Any]:
    """What the chapter's training leaves behind, with few images and untrained heads."""
    test = load("scenes", "id", root=scenes_small)
    names: dict[str, Any] = {"test": test, "classes": test.classes, "C": len(test.classes), "WIRINGS": WIRINGS}
    names |= {"here": test.targets == 1, "heads": {}, "seen": {}}
    for wiring in WIRINGS:
        torch.manual_seed(1)
        head = (
            replace(RECIPES["scenes-heads"], wiring=wiring).build(names["C"], test.classes).eval().requires_grad_(False)
        )
        prepare = eval_transform(64, head.backbone.mean, head.backbone.std)
        images = torch.stack([prepare(test[n][0]) for n in range(len(test))])
        names["X"] = head.backbone(images)
        names["heads"][wiring], names["seen"][wiring] = head, head.explain_features(names["X"])
    return names


def run(cells: tuple[str, ...], **names: Any) -> dict[str, Any]:
    names |= {"torch": torch, "np": np, "plt": plt, "Tensor": Tensor, "Image": Image, "style": style, "Path": Path}
    names |= {"localisation": localisation, "controls": controls, "Records": Records, "FOLDER": FOLDER, "Plan": Plan}
    names |= {"Job": Job, "Recipe": Recipe, "replace": replace}
    names |= {"RECIPES": RECIPES, "ScenesTrunk": ScenesTrunk, "interval": interval, "keep": lambda **_: None}
    return execute(CELLS, names, *cells)


MAPS, GRAPHS = ("judge", "judge-hand", "equal"), ("statistic",)
RECORDS = ("first-weights", "seed-zero", "inverted", "figure5")


def test_the_chapter_agrees_with_the_library(small: dict[str, Any]):
    run((*MAPS, *GRAPHS), **small)
    names = run(RECORDS, **small)
    run(("real",), done=names["done"])


RIGHT_JUDGE, RIGHT_CELLS, RIGHT_PARTNERS = localisation.judge_maps, localisation.cells_inside, controls.partners


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("judge_maps", lambda M, inside: RIGHT_JUDGE(-M, inside)),
        ("judge_maps", lambda M, inside: RIGHT_JUDGE(M, ~inside)),
        ("judge_maps", lambda M, inside: RIGHT_JUDGE(M, inside.mT)),
        ("judge_maps", lambda M, inside: RIGHT_JUDGE(M - M.amin((1, 2), keepdim=True), inside)),
        ("judge_maps", lambda M, inside: RIGHT_JUDGE(M, inside) | {"area": 1 - inside.float().mean((1, 2))}),
        ("judge_maps", lambda M, inside: RIGHT_JUDGE(M, inside) | {"brighter": RIGHT_JUDGE(M, inside)["pointing"]}),
        ("cells_inside", lambda boxes, size, grid: RIGHT_CELLS([(b, a, d, c) for a, b, c, d in boxes], size, grid)),
        ("cells_inside", lambda boxes, size, grid: RIGHT_CELLS(list(boxes)[:1], size, grid)),
        ("cells_inside", lambda boxes, size, grid: RIGHT_CELLS([(a + 9, b, c, d) for a, b, c, d in boxes], size, grid)),
    ],
)
def test_the_chapter_notices_wrong_maps(
    monkeypatch: pytest.MonkeyPatch, small: dict[str, Any], name: str, wrong: Callable[..., Any]
):
    monkeypatch.setattr(localisation, "_cells", {})
    monkeypatch.setattr(localisation, name, wrong)
    with pytest.raises(AssertionError):
        run(MAPS, **small)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda A, y, columns=False: RIGHT_PARTNERS(A, y, not columns),
        lambda A, y, columns=False: RIGHT_PARTNERS(-A, y, columns),
        lambda A, y, columns=False: RIGHT_PARTNERS(A.round(), y, columns),
        lambda A, y, columns=False: RIGHT_PARTNERS(A.roll(1, 0), y, columns),
        lambda A, y, columns=False: RIGHT_PARTNERS(A, y, columns)[1:],
    ],
)
def test_the_chapter_notices_wrong_partners(
    monkeypatch: pytest.MonkeyPatch, small: dict[str, Any], wrong: Callable[..., Tensor]
):
    monkeypatch.setattr(controls, "partners", wrong)
    with pytest.raises(AssertionError):
        run(GRAPHS, **small)


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run["recipe"].update(seed=7),
        lambda run: run["maps"]["id"].clear(),
        lambda run: run["maps"]["id"]["by_category"].update(brighter=[1.0] * 18),  # no map inverted any more
        lambda run: run["controls"]["id"].update({"column of another": 0.0}),
    ],
)
def test_the_chapter_notices_other_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small, change):
    runs = json.loads(json.dumps(list(Records(FOLDER).runs.values())))
    plan, done = Plan("figure4", seeds=10, draws=10), Records(FOLDER)
    wanted = {Records.key(job) for row, r in plan.rows() if row.name == "S→D" for job in plan.runs_of(row, r, done)}
    for victim in [made for made in runs if Records.key(made) in wanted]:
        change(victim)
    (tmp_path / "reproduce.jsonl").write_text("\n".join(map(json.dumps, runs)))
    monkeypatch.setitem(globals(), "FOLDER", tmp_path)
    with pytest.raises((AssertionError, KeyError, TypeError, AttributeError)):
        run(RECORDS, **small)


def test_ranks_and_p_values_against_other_hands(small: dict[str, Any]):
    names = run(GRAPHS, **small)
    A = torch.rand(3, 18, 18).round(decimals=1)  # with ties
    R = names["ranks"](A)
    for i in range(18):
        rest = [j for j in range(18) if j != i]
        assert np.allclose(R[1, i, rest], rankdata(A[1, i, rest].numpy()))
    b = torch.zeros(3, 18)
    b[:, [2, 5, 9, 11]] = 1
    t = names["t_of"](R, b)
    absent = [k for k in range(18) if b[0, k] == 0]
    U = mannwhitneyu(A[0, 5, [2, 9, 11]].numpy(), A[0, 5, absent].numpy()).statistic
    assert t[0, 5].item() == pytest.approx(U / (3 * len(absent)))
    assert t[0, 0].isnan()


def test_exchanged_labels_keep_what_they_should(small: dict[str, Any]):
    source = CELLS["null"].split("T, null, naive")[0]
    names: dict[str, Any] = {"torch": torch, "np": np, "Tensor": Tensor}
    exec(compile(source, "null", "exec"), names)
    b = (torch.rand(60, 18, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    g = torch.Generator().manual_seed(1)
    other, anything = names["exchange"](b, g), names["anything"](b, g)
    assert torch.equal(other.sum(1), b.sum(1))  # as many in each image
    assert torch.equal(other.sum(0), b.sum(0))  # each as frequent
    assert sorted(map(tuple, other.tolist())) == sorted(map(tuple, b.tolist()))
    assert not torch.equal(other, b)
    assert torch.equal(anything.sum(1), b.sum(1))
    assert not torch.equal(anything.sum(0), b.sum(0))
    assert names["p_value"](9.0, np.arange(9.0)) == pytest.approx(0.2)
    assert names["p_value"](4.5, np.arange(9.0)) == 1.0


# --- what the chapter needs of the scenes


def test_a_category_left_out_leaves_the_rest_where_it_was():
    labels, places = draw_labels("id", 12)
    for i in range(12):
        whole = compose("id", i, labels[i], int(places[i]))
        for c in np.flatnonzero(labels[i]).tolist():
            less = compose("id", i, labels[i], int(places[i]), without=(c,))
            assert {f.category for f in less.found} == {f.category for f in whole.found} - {c}
            reach = np.zeros(whole.image.shape[:2], bool)  # where the two pictures may differ: blur spreads a little
            for f in whole.found:
                if f.category == c:
                    x, y, w, h = f.box
                    reach[max(0, y - 4) : y + h + 4, max(0, x - 4) : x + w + 4] = True
            differs = (less.image != whole.image).any(2)
            assert differs.any()
            if all(f.visible == 1 for f in whole.found):
                assert not (differs & ~reach).any()


def test_nothing_left_out_is_the_scene_itself_and_clutter_is_no_category():
    labels, places = draw_labels("id", 6)
    for i, scene in enumerate(compose_split("id", 6)):
        again = compose("id", i, labels[i], int(places[i]), without=())
        assert np.array_equal(again.image, scene.image)
        tidy = compose("id", i, labels[i], int(places[i]), without=(-1,))
        assert {f.category for f in tidy.found} == {f.category for f in scene.found}
