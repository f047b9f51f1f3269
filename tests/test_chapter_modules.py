"""Chapter 12: its solutions run, it notices a wrong library and a wrong number, and its records are whole."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from chapters import execute, read_chapter
from scipy import stats
from torch import Tensor

from addgcn import controls, records, reproduce, style, tables
from addgcn.experiments import Records
from addgcn.recipes import Recipe
from addgcn.records import FOLDER
from addgcn.reproduce import RATES, Plan

CELLS, _ = read_chapter("12_modules.ipynb")


def run(*cells: str) -> dict[str, Any]:
    names: dict[str, Any] = {"torch": torch, "np": np, "plt": plt, "math": math, "stats": stats, "Tensor": Tensor}
    names |= {"statistics": statistics, "Callable": Callable, "replace": replace, "Path": Path, "Any": Any}
    names |= {"controls": controls, "records": records, "style": style, "tables": tables, "Records": Records}
    names |= {"Recipe": Recipe, "FOLDER": FOLDER, "RATES": RATES, "LADDER": reproduce.LADDER, "Plan": Plan}
    names |= {"held_out": reproduce.held_out, "Row": reproduce.Row, "keep": lambda **_: None}
    names |= {"WIRINGS": ("paper", "released"), "SPLITS": ("id", "ood", "bg")}
    return execute(CELLS, names, *cells)


def measurement() -> None:
    run("load", "ladder", "best", "rates", "interval", "equal")


def judged() -> None:
    run("load", "swaps", "swaps-hand", "interval", "swapped", "partners", "partners-hand")


JUDGED = ("scores", "bias", "figure3", "cost", "one-run", "fault", "holm", "verdicts", "as-told", "real")


def test_the_chapter_agrees_with_the_library():
    run("printed")
    measurement()
    judged()
    drawn = ("table", "paired", "steps", "one-draw", "swaps", "swapped", "swap-numbers", "partners", "partners-hand")
    run("load", "interval", "equal", *drawn, *JUDGED)


RIGHT_VALUES, RIGHT_PARTNERS = tables.values_of, controls.partners
T10 = 2.2621572  # Student's t: 95 %, ten values


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        (tables, "interval", lambda values: (statistics.mean(values), 1.96 * statistics.stdev(values) / 10**0.5)),
        (tables, "interval", lambda values: (statistics.mean(values), T10 * statistics.stdev(values))),
        (tables, "interval", lambda values: (statistics.mean(values), T10 * statistics.pstdev(values) / 10**0.5)),
        (tables, "interval", lambda values: (statistics.median(values), T10 * statistics.stdev(values) / 10**0.5)),
        (tables, "interval", lambda values: (max(values), T10 * statistics.stdev(values) / 10**0.5)),
        (tables, "values_of", lambda runs, split, metric: RIGHT_VALUES(runs, "id", metric)),
        (tables, "values_of", lambda runs, split, metric: RIGHT_VALUES(runs, split, "mAP")),
        (
            tables,  # ranks in the place of seeds
            "values_of",
            lambda runs, split, metric: dict(
                zip(sorted(v := RIGHT_VALUES(runs, split, metric)), sorted(v.values()), strict=True)
            ),
        ),
        (Plan, "best", lambda self, row, recipe, rates, done: rates[-1]),
        (Plan, "best", lambda self, row, recipe, rates, done: rates[1]),
        (Plan, "rates", lambda self, row, recipe, done: [0.003, 0.01]),
        (Plan, "rates", lambda self, row, recipe, done: list(RATES["scenes"][recipe.model])),
    ],
)
def test_the_chapter_notices_a_wrong_measurement(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, wrong: Any):
    monkeypatch.setattr(owner, name, wrong)
    with pytest.raises((AssertionError, AttributeError, ValueError, TypeError)):
        measurement()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("mean", lambda A, mean: A),
        ("mean", lambda A, mean: mean.T.expand_as(A)),
        ("another", lambda A, mean: A),
        ("another", lambda A, mean: A.roll(1, 1)),
        ("ones", lambda A, mean: torch.zeros_like(A)),
        ("identity", lambda A, mean: torch.ones_like(A)),
        ("zeros", lambda A, mean: torch.eye(A.shape[1]).expand_as(A)),
    ],
)
def test_the_chapter_notices_a_wrong_exchange(monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Tensor]):
    monkeypatch.setitem(controls.SWAPS, name, wrong)
    with pytest.raises(AssertionError):
        judged()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda A, y, columns=False: RIGHT_PARTNERS(A, y, not columns),
        lambda A, y, columns=False: RIGHT_PARTNERS(-A, y, columns),
        lambda A, y, columns=False: RIGHT_PARTNERS(A.round(), y, columns),
        lambda A, y, columns=False: RIGHT_PARTNERS(A, y, columns).mean()[None],
    ],
)
def test_the_chapter_notices_wrong_partners(monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., Tensor]):
    monkeypatch.setattr(controls, "partners", wrong)
    with pytest.raises(AssertionError):
        judged()


@pytest.mark.parametrize(
    ("method", "changed"),
    [
        ("S→D", {"coco.mAP": 84.4}),
        ("S→D", {"voc2007.mAP": 94.9}),
        ("D", {"coco.mAP": 82.8}),
        ("P (add)", {"coco.mAP": 84.6}),
    ],
)
def test_the_chapter_notices_other_printed_numbers(
    monkeypatch: pytest.MonkeyPatch, method: str, changed: dict[str, float]
):
    as_printed = records.paper
    rows = [row | changed if row["method"] == method else row for row in as_printed("table4")]
    monkeypatch.setattr(records, "paper", lambda table: rows)
    with pytest.raises(AssertionError):
        run("printed")


@cache
def every_run() -> list[dict[str, Any]]:
    return list(Records(FOLDER).runs.values())


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run["recipe"].update(seed=7),
        lambda run: run.update(failed="the loss is nan"),
        lambda run: run["splits"].reverse(),
        lambda run: run["recipe"].update(epochs=30),
    ],
)
def test_the_chapter_notices_a_run_that_is_not_like_the_others(tmp_path: Path, monkeypatch, change):
    plan, done = Plan("table4", seeds=10, draws=10), Records(FOLDER)
    victim = plan.finals(done)[17]
    runs = json.loads(json.dumps(every_run()))
    change(next(run for run in runs if Records.key(run) == Records.key(victim)))
    (tmp_path / "reproduce.jsonl").write_text("\n".join(map(json.dumps, runs)))
    monkeypatch.setitem(globals(), "FOLDER", tmp_path)
    with pytest.raises((AssertionError, KeyError)):
        run("load")


def test_the_records_are_whole_and_on_the_same_images():
    plan, done = Plan("table4", seeds=10, draws=10), Records(FOLDER)
    for made in every_run():
        rest = {key: value for key, value in made.items() if key != "id"}
        assert made["id"] == hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:16]
    finals = [done.get(job) for job in plan.finals(done)]
    assert len(finals) == 220
    assert len({json.dumps([made["draw"], made["data"], made["splits"]]) for made in finals if made}) == 10
    for final in finals:
        assert final is not None
        for split, found in final["controls"].items():
            if found:
                assert found["s"] == pytest.approx(final["metrics"][split]["mAP"], abs=1e-3)


def test_the_chapter_s_holm_is_as_strict_as_bonferroni_at_the_smallest():
    holm = run("load", "interval", "equal", "table", "paired", "holm")["holm"]
    p = np.random.default_rng(0).random((50, 12)) ** 4
    for row in p:
        adjusted = holm(row)
        assert adjusted.min() == pytest.approx(min(1, 12 * row.min()))
        assert (adjusted <= np.minimum(1, 12 * row) + 1e-12).all()
        assert (np.diff(adjusted[np.argsort(row)]) >= 0).all()
