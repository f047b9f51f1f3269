"""The committed runs of the paper's tables: whole, chosen as they say, and two done again from their records."""

from __future__ import annotations

import copy
import gzip
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from addgcn import records
from addgcn.experiments import Records, run
from addgcn.reproduce import TABLES, Plan
from addgcn.tables import interval, measured

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import again
import measured as measured_tables

pytestmark = pytest.mark.skipif(not (records.FOLDER / "reproduce.jsonl.gz").is_file(), reason="no runs are recorded")
PLANS = [  # those whose runs are committed: each with a seed and a draw of its own, and five seeds on the first draw
    *measured_tables.PLANS,
    Plan("table4-main", regime="full", wiring="paper", seeds=3, draws=3),
    *(Plan(name) for name in ("table1", "table4", "table5", "table6", "figure3", "figure4", "figure5", "attend")),
]
FIVE = Plan("table4")


@pytest.fixture(scope="module")
def done() -> Records:
    return Records(records.FOLDER)


def name_of(plan: Plan) -> str:
    return f"{plan.name}-{plan.regime}-{plan.wiring}-{plan.seeds}-{plan.draws}"


@pytest.mark.parametrize("plan", PLANS, ids=name_of)
def test_every_run_of_the_table_is_there(done: Records, plan: Plan):
    frame = measured(plan, done)  # refuses if one is missing
    assert set(frame["row"]) == {row.name for row in TABLES[plan.name]}
    assert (frame["runs"] + frame["diverged"] == plan.seeds).all()
    images = {}
    for job in plan.finals(done):
        record = done.get(job)
        assert record is not None
        assert (record["recipe"]["seed"], record["draw"]) == (job.recipe.seed, job.draw)
        assert record["recipe"]["holdout"] == 0
        assert (record["recipe"]["lr_trunk"] > 0) == (plan.regime == "full")
        assert {"code", "machine", "libraries", "data", "duration_s", "scores_sha256"} <= set(record)
        images[job.draw] = record["data"]["train"]["digest"]
    assert len(set(images.values())) == plan.draws


def test_the_committed_tables_are_those_of_the_records(tmp_path: Path):
    made = {path.name: path.read_text(encoding="utf-8") for path in measured_tables.make(tmp_path)}
    there = {path.name: path.read_text(encoding="utf-8") for path in (records.FOLDER / "tables").iterdir()}
    assert made == there, "python tools/measured.py"
    page = (measured_tables.ROOT / "book" / "measured.md").read_text(encoding="utf-8")
    assert [name for name in made if f"records/tables/{name}" not in page] == []


@pytest.mark.parametrize("plan", PLANS, ids=name_of)
def test_rates_were_chosen_on_held_out_images_alone(done: Records, plan: Plan):
    for job in plan.trials(done):
        trial = done.get(job)
        assert trial is not None
        assert trial["failed"] or list(trial["metrics"]) == ["holdout"]


@pytest.mark.parametrize("settings", [{"model": "gap"}, {"graph": "S-D"}])
def test_a_run_done_again_from_its_record_falls_where_it_fell(done: Records, settings: dict[str, str]):
    row, recipe = next((row, recipe) for row, recipe in FIVE.rows() if row.settings == settings)
    jobs = FIVE.runs_of(row, recipe, done)
    recorded = [done.get(job) for job in jobs]
    first = recorded[0]
    assert first is not None
    assert again.job_of(first) == jobs[0]
    done_again = run(again.job_of(first))
    words, as_recorded = again.compare(first, done_again)
    assert as_recorded, words
    for split in ("id", "ood", "bg"):
        mean, half = interval([r["metrics"][split]["mAP"] for r in recorded if r is not None])
        assert mean - 3 * half - 0.5 < done_again["metrics"][split]["mAP"] < mean + 3 * half + 0.5


def test_a_run_that_came_out_otherwise_is_called_so(done: Records):
    record = next(r for r in done.runs.values() if not r["failed"] and not r["recipe"]["holdout"])
    assert again.compare(record, record) == ("the same scores to the last bit", True)
    for split, by, fine in [("id", 0.4, True), ("ood", 0.6, False), ("bg", -0.6, False)]:
        other = copy.deepcopy(record)
        other["metrics"][split]["mAP"] += by
        other["scores_sha256"][split] = "0"
        assert again.compare(record, other)[1] == fine
    other["data"]["train"]["digest"] = "0"
    assert again.compare(record, other) == ("OTHER TRAINING IMAGES than recorded", False)


def test_new_runs_are_added_and_recorded_ones_stay(done: Records, tmp_path: Path):
    first, second, third = list(done.runs.values())[:3]
    old, new = Records(tmp_path / "old"), Records(tmp_path / "new")
    old.add(first)
    old.add(second)
    new.add(second | {"duration_s": -1.0})  # as recorded before, and measured once more
    new.add(third)
    old.path.rename(tmp_path / "old.jsonl")
    (tmp_path / "old" / f"{old.path.name}.gz").write_bytes(gzip.compress((tmp_path / "old.jsonl").read_bytes()))
    assert measured_tables.add(tmp_path / "new", tmp_path / "old") == 3
    both = Records(tmp_path / "old").runs
    assert [both[done.key(r)] for r in (first, second, third)] == [first, second, third]


def test_another_seed_is_another_run(done: Records):
    job = FIVE.finals(done)[0]
    assert done.get(replace(job, recipe=replace(job.recipe, seed=99))) is None
