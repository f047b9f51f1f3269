"""Chapter 13: it agrees with the library and its records, and notices a wrong library and wrong numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor

from addgcn import heads, records, reproduce, tables
from addgcn.experiments import Records
from addgcn.records import FOLDER

CELLS, _ = read_chapter("13_readouts_maps.ipynb")


def run(*cells: str, folder: Path = FOLDER, **given: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "chapter"}
    execute(CELLS, names, "imports")
    names |= {"keep": lambda **_: None, "FOLDER": folder, **given}
    return execute(CELLS, names, *cells)


def test_the_chapter_agrees_with_the_library():
    run("by-hand", "equal")


def test_the_text_says_what_the_records_say():
    run("printed", "load", "rates", "table5", "table5-numbers", "table6", "verdicts", "as-told", "real")


def test_control_g_says_what_the_records_say():
    run("load", "attend", "sizes")


RIGHT = dict(heads.READOUTS)


class OwnNode(heads.BinaryHeads):
    def forward(self, Z: Tensor) -> Tensor:
        return (Z @ self.weight.T).mean(1) + self.bias  # the colleague's


class NoBias(heads.BinaryHeads):
    def forward(self, Z: Tensor) -> Tensor:
        return (Z * self.weight).sum(2) + 0 * self.bias


class Halved(heads.SumHead):
    def pool(self, Z: Tensor) -> Tensor:
        return Z.sum(1) / 2


class Least(heads.SumHead):
    def pool(self, Z: Tensor) -> Tensor:
        return Z.amin(1)


class Detached(heads.SumHead):
    def pool(self, Z: Tensor) -> Tensor:
        return Z.detach().amax(1)


class OfMeans(heads.SumHead):
    def pool(self, Z: Tensor) -> Tensor:
        return Z.median(1).values


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("bi", OwnNode),
        ("bi", NoBias),
        ("sum", Halved),
        ("sum", RIGHT["avg"]),
        ("avg", RIGHT["sum"]),
        ("avg", OfMeans),
        ("max", Least),
        ("max", Detached),
        ("max", RIGHT["avg"]),
    ],
)
def test_the_chapter_notices_a_wrong_readout(monkeypatch: pytest.MonkeyPatch, name: str, wrong: type):
    monkeypatch.setitem(heads.READOUTS, name, wrong)
    with pytest.raises((AssertionError, RuntimeError)):
        run("equal")
    if wrong not in (NoBias, Detached):
        with pytest.raises(AssertionError):
            run("by-hand")


@pytest.mark.parametrize(
    ("method", "changed"),
    [
        ("Bi", {"coco.mAP": 84.4}),
        ("Max", {"voc2007.mAP": 96.1}),
        ("GAP→cls", {"coco.mAP": 85.3}),
        ("GMP→cls", {"voc2007.mAP": 94.9}),
        ("Avg", {"coco.mAP": 85.0}),
        ("Sum", {"voc2007.CF1": 88.6}),
    ],
)
def test_the_chapter_notices_other_printed_numbers(
    monkeypatch: pytest.MonkeyPatch, method: str, changed: dict[str, float]
):
    printed = {table: records.paper(table) for table in ("table5", "table6")}
    changed_rows = {
        table: [row | changed if row["method"] == method else row for row in rows] for table, rows in printed.items()
    }
    monkeypatch.setattr(records, "paper", lambda table: changed_rows[table])
    with pytest.raises(AssertionError):
        run("printed")


@cache
def every_run() -> str:
    return json.dumps(list(Records(FOLDER).runs.values()))


def is_row(recipe: dict[str, Any], **settings: str) -> bool:
    own = {"model": "addgcn", "graph": "S-D", "representation": "sam", "readout": "bi", "maps": "cls-gmp"} | settings
    return all(recipe[key] == value for key, value in own.items()) and not recipe["holdout"]


def better_by(points: float, split: str) -> Callable[[dict[str, Any]], None]:
    def change(made: dict[str, Any]) -> None:
        made["metrics"][split]["mAP"] += points

    return change


@pytest.mark.parametrize(
    ("settings", "change"),
    [
        ({"readout": "avg", "wiring": "paper"}, better_by(-2, "ood")),
        ({"readout": "sum", "wiring": "released"}, better_by(5, "id")),
        ({"readout": "sum", "wiring": "paper"}, better_by(-1, "bg")),
        ({"maps": "gmp-cls", "wiring": "paper"}, better_by(2, "id")),
        ({"maps": "gap-cls", "wiring": "released"}, better_by(1, "id")),
        ({"readout": "max", "wiring": "paper"}, lambda made: made.update(failed="the loss is nan")),
        ({"readout": "max", "wiring": "paper"}, lambda made: made["recipe"].update(epochs=30)),
        ({"maps": "gap-cls", "wiring": "paper"}, lambda made: made["splits"].reverse()),
        (
            {"maps": "gmp-cls", "wiring": "paper"},
            lambda made: [m.update(pointing=0.4) for m in made["maps"].values()],
        ),
        (
            {"readout": "avg", "wiring": "paper"},
            lambda made: made["controls"]["id"].update({"A_d = another": 20.0}),
        ),
    ],
)
def test_the_chapter_notices_other_records(tmp_path: Path, settings: dict[str, str], change: Callable[..., Any]):
    runs = json.loads(every_run())
    for made in runs:
        if is_row(made["recipe"], **settings) and made["recipe"]["seed"] == made["draw"] + 1:
            change(made)
    (tmp_path / "reproduce.jsonl").write_text("\n".join(map(json.dumps, runs)))
    with pytest.raises((AssertionError, KeyError)):
        run("printed", "load", "table5", "table5-numbers", "table6", "verdicts", "as-told", folder=tmp_path)


def test_the_chapter_notices_a_wrong_choice_of_rates(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reproduce.Plan, "best", lambda self, row, recipe, rates, done: rates[0])
    with pytest.raises(AssertionError):
        run("load", "rates")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda values: (-sum(values) / len(values), 0.1),
        lambda values: (sum(values) / len(values), 50.0),
        lambda values: (max(values), 0.1),
    ],
)
def test_the_chapter_notices_a_wrong_interval(monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., Any]):
    monkeypatch.setattr(tables, "interval", wrong)
    with pytest.raises(AssertionError):
        run("printed", "load", "table5", "table5-numbers", "table6", "verdicts", "as-told")


def test_the_whole_score_of_gmp_cls_stands_somewhere():
    X, w = torch.randn(9, 3, 4), torch.randn(9)
    values, places = X.flatten(1).max(1)
    shares = torch.zeros(12).index_add(0, places, w * values)
    assert torch.isclose(shares.sum(), w @ X.amax((1, 2)), atol=1e-5)
