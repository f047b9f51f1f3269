"""The committed runs of the paper's tables: whole, chosen as they say, and two done again from their records."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from addgcn import records
from addgcn.experiments import Job, Records, run
from addgcn.recipes import Recipe
from addgcn.reproduce import TABLES, Plan
from addgcn.tables import interval, measured

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import measured as measured_tables

pytestmark = pytest.mark.skipif(not (records.FOLDER / "reproduce.jsonl.gz").is_file(), reason="no runs are recorded")
RECORDED = ["figure3", "table1", "table4", "table5", "table6", "attend", "train-flat"]  # those whose runs are committed
SEEDS = 5


@pytest.fixture(scope="module")
def done() -> Records:
    return Records(records.FOLDER)


@pytest.mark.parametrize("table", RECORDED)
def test_every_run_of_the_table_is_there(done: Records, table: str):
    plan = Plan(table, seeds=SEEDS)
    frame = measured(plan, done)  # refuses if one is missing
    assert set(frame["row"]) == {row.name for row in TABLES[table]}
    assert (frame["runs"] + frame["diverged"] == SEEDS).all()
    for job in plan.finals(done):
        record = done.get(job)
        assert record is not None
        assert record["recipe"]["seed"] == job.recipe.seed
        assert record["recipe"]["holdout"] == 0
        assert {"code", "machine", "libraries", "data", "duration_s", "scores_sha256"} <= set(record)


def test_the_main_rows_of_table_4_are_there_end_to_end(done: Records):
    plan = next(plan for plan in measured_tables.PLANS if plan.regime == "full")
    assert (measured(plan, done)["runs"] == 3).all()  # refuses if one is missing, or diverged
    for job in plan.finals(done):
        record = done.get(job)
        assert record is not None
        assert record["recipe"]["lr_trunk"] > 0
        assert record["recipe"]["seed"] in (1, 2, 3)
    for job in plan.trials(done):
        trial = done.get(job)
        assert trial is not None
        assert trial["failed"] or list(trial["metrics"]) == ["holdout"]


def test_the_committed_tables_are_those_of_the_records(tmp_path: Path):
    made = {path.name: path.read_text(encoding="utf-8") for path in measured_tables.make(tmp_path)}
    there = {path.name: path.read_text(encoding="utf-8") for path in (records.FOLDER / "tables").iterdir()}
    assert made == there, "python tools/measured.py"
    page = (measured_tables.ROOT / "book" / "measured.md").read_text(encoding="utf-8")
    assert [name for name in made if f"records/tables/{name}" not in page] == []


@pytest.mark.parametrize("table", RECORDED)
def test_rates_were_chosen_on_held_out_images_alone(done: Records, table: str):
    for job in Plan(table, seeds=SEEDS).trials(done):
        trial = done.get(job)
        assert trial is not None
        assert trial["failed"] or list(trial["metrics"]) == ["holdout"]


@pytest.mark.parametrize("settings", [{"model": "gap"}, {"graph": "S-D"}])
def test_a_run_done_again_from_its_record_falls_where_it_fell(done: Records, settings: dict[str, str]):
    plan = Plan("table4", seeds=SEEDS)
    row, recipe = next((row, recipe) for row, recipe in plan.rows() if row.settings == settings)
    jobs = plan.runs_of(row, recipe, done)
    recorded = [done.get(job) for job in jobs]
    first = recorded[0]
    assert first is not None
    again = run(Job(Recipe.from_dict(first["recipe"]), first["data"]["name"], None, first["draw"]))
    assert again["data"]["train"]["digest"] == first["data"]["train"]["digest"], "other scenes than those recorded"
    for split in ("id", "ood", "bg"):
        values = [r["metrics"][split]["mAP"] for r in recorded if r is not None]
        mean, half = interval(values)
        assert abs(again["metrics"][split]["mAP"] - first["metrics"][split]["mAP"]) < 0.5
        assert mean - 3 * half - 0.5 < again["metrics"][split]["mAP"] < mean + 3 * half + 0.5


def test_another_seed_is_another_run(done: Records):
    job = Plan("table4", seeds=SEEDS).finals(done)[0]
    assert done.get(replace(job, recipe=replace(job.recipe, seed=99))) is None
