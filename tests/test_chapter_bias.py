"""Chapter 15: it notices a wrong library and wrong records, and its records are whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from chapters import execute, read_chapter
from torch import Tensor

from addgcn import bias, records
from addgcn.experiments import Records
from addgcn.metrics import average_precision
from addgcn.records import FOLDER, read_json_lines
from addgcn.reproduce import Plan

CELLS, _ = read_chapter("15_bias.ipynb")
CONTEXT = FOLDER / "contextual_bias.jsonl.gz"


@cache
def begun() -> dict[str, Any]:
    """What the chapter has when its probes are trained, by the right library."""
    return execute(CELLS, {}, "imports", "failures", "failures-hand", "load", "probe", "probes")


def run(*cells: str) -> dict[str, Any]:
    return execute(CELLS, dict(begun()), *cells)


RIGHT = {name: getattr(bias, name) for name in ("failures", "at_recall", "leaning", "company", "biased_pairs")}
RIGHT |= {name: getattr(bias, name) for name in ("with_and_without", "contextual_bias")}
HAND = ("failures", "failures-hand")
COUNTED = ("at-recall", "recall")
LEANT = ("leaning", "leaning-hand", "lean-probes")
JUDGED = ("three", "context", "pairs", "pairs-hand", "real")
RECORDED = ("lean-probes", "three", "context", "readers", "level", "strength", "slopes")


def swapped(scores: Tensor, targets: Tensor, c: int, k: int) -> dict[str, float]:
    found = RIGHT["failures"](scores, targets, c, k)
    return dict(zip(found, (found[k] for k in reversed(found)), strict=True))


@pytest.mark.parametrize(
    ("name", "cells", "wrong"),
    [
        ("failures", HAND, lambda s, y, c, k: RIGHT["failures"](s, y, k, c)),
        ("failures", HAND, lambda s, y, c, k: RIGHT["failures"](-s, y, c, k)),
        ("failures", HAND, lambda s, y, c, k: RIGHT["failures"](s - 1.5, y, c, k)),
        ("failures", HAND, swapped),
        ("at_recall", COUNTED, lambda s, y, recall=0.7: RIGHT["at_recall"](s, y, 0.5)),
        ("at_recall", COUNTED, lambda s, y, recall=0.7: s.double()),
        ("at_recall", COUNTED, lambda s, y, recall=0.7: s.double() - s.double().quantile(recall, 0)),
        ("leaning", LEANT, lambda s, y, c, k: RIGHT["leaning"](s, y, k, c)),
        ("leaning", LEANT, lambda s, y, c, k: RIGHT["leaning"](-s, y, c, k)),
        ("leaning", LEANT, lambda s, y, c, k: dict.fromkeys(("present", "absent"), 0.5)),
        ("leaning", LEANT, lambda s, y, c, k: RIGHT["leaning"](s, 1 - y, c, k)),
        (
            "company",
            ("probes", "leaning", *RECORDED),
            lambda y: RIGHT["company"](y)[::-1],
        ),
        ("with_and_without", ("sets",), lambda s, y, c, k: {"AP with": 25.0, "AP without": 25.0}),
        (
            "with_and_without",
            ("sets",),
            lambda s, y, c, k: {
                "AP with": (v := RIGHT["with_and_without"](s, y, c, k))["AP without"],
                "AP without": v["AP with"],
            },
        ),
        (
            "with_and_without",  # those with the companion are negatives of the exclusive set
            ("sets",),
            lambda s, y, c, k: {
                f"AP {name}": 100 * average_precision(s[:, [c]], ((y[:, [c]] == 1) & (y[:, [k]] == v)).int()).item()
                for name, v in (("with", 1), ("without", 0))
            },
        ),
    ],
)
def test_the_chapter_notices_a_wrong_measure(
    monkeypatch: pytest.MonkeyPatch, name: str, cells: tuple[str, ...], wrong: Callable[..., Any]
):
    monkeypatch.setattr(bias, name, wrong)
    with pytest.raises((AssertionError, KeyError)):
        run(*cells)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("biased_pairs", lambda s, y, pairs=20, share=0.2: RIGHT["biased_pairs"](s, y, pairs, 0.5)),
        ("biased_pairs", lambda s, y, pairs=20, share=0.2: RIGHT["biased_pairs"](s, y, pairs, share)[::-1]),
        (
            "biased_pairs",
            lambda s, y, pairs=20, share=0.2: [replace(q, bias=1 / q.bias) for q in RIGHT["biased_pairs"](s, y, pairs)],
        ),
        ("contextual_bias", lambda s, y, pairs: RIGHT["contextual_bias"](-s, y, pairs)),
        (
            "contextual_bias",
            lambda s, y, pairs: RIGHT["contextual_bias"](s, y, [replace(q, companion=q.category - 1) for q in pairs]),
        ),
        ("saved_bias", lambda scores, train, pairs=20, share=0.2: {"pairs": []}),
    ],
)
def test_the_chapter_notices_a_wrong_benchmark(monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any]):
    monkeypatch.setattr(bias, name, wrong)
    with pytest.raises((AssertionError, IndexError)):
        run(*JUDGED)


@pytest.mark.parametrize(
    "change",
    [
        # other scores than the tables'
        lambda runs: next(run for run in runs if run["seed"] == 1)["scores_sha256"].update(id="0" * 64),
        lambda runs: [run.update(train_split=None) for run in runs],  # habits and none in one heap
        lambda runs: runs[:] and runs.__delitem__(slice(2, None)),  # hardly any runs
        lambda runs: [run["leaning"]["ood"].update(absent=run["leaning"]["ood"]["present"][::-1]) for run in runs],
        lambda runs: [run["equal recall"]["ood"]["companion"].update({"invented with": run["seed"]}) for run in runs],
    ],
)
def test_the_chapter_notices_wrong_records(monkeypatch: pytest.MonkeyPatch, change: Callable[[list[Any]], object]):
    lines = json.loads(json.dumps(read_json_lines(CONTEXT)))
    runs = [line for line in lines if line["kind"] == "run"]
    change(runs)
    changed = [line for line in lines if line["kind"] == "pairs"] + runs
    monkeypatch.setattr(records, "read_json_lines", lambda path: changed)
    with pytest.raises((AssertionError, KeyError, ValueError, ZeroDivisionError, TypeError)):
        run("leaning", *RECORDED)


def test_the_chapter_agrees_with_the_library_and_the_records():
    drawn = (
        "figure-one",
        "at-recall",
        "recall",
        *LEANT,
        *RECORDED[1:],
        "pair-gaps",
        "sets",
        "pairs",
        "pairs-hand",
        "benchmark",
    )
    flat = ("flat", "flat-table", "flat-layers")
    run(*drawn, *flat, "fault", "questions", "verdicts", "as-told", "as-told-figures", "real")


def test_the_records_are_of_the_tables_own_runs():
    done = Records(FOLDER)
    known = {
        json.dumps(made["scores_sha256"], sort_keys=True) for made in done.runs.values() if "scores_sha256" in made
    }
    both = {str({k: v for k, v in json.loads(text).items() if k in ("id", "ood")}) for text in known}
    lines = read_json_lines(CONTEXT)
    assert lines[0]["kind"] == "pairs"
    assert len(lines[0]["pairs"]) == 9
    for line in lines[1:]:
        if line["train_split"] is None:
            assert str(dict(sorted(line["scores_sha256"].items()))) in both
        assert len(line["leaning"]["ood"]["absent"]) == 18
    assert len({json.dumps([line[k] for k in ("row", "wiring", "seed", "train_split")]) for line in lines[1:]}) == len(
        lines[1:]
    )


def test_equal_recall_is_no_new_run():
    """The rates of the tables and those at equal recall are of the same rows."""
    rows = {(line["row"], line["wiring"]) for line in read_json_lines(CONTEXT)[1:]}
    of_tables = {(row.name, recipe.wiring) for name in ("table4", "table1") for row, recipe in Plan(name).rows()}
    assert rows <= of_tables
