"""`addgcn reproduce`: what is run, that nothing is run twice, and the tables made of it."""

from __future__ import annotations

import gzip
import json
import math
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from addgcn import experiments, reproduce
from addgcn.cli import main
from addgcn.errors import InputError
from addgcn.experiments import Job, Records, missing
from addgcn.recipes import RECIPES, Recipe
from addgcn.records import paper
from addgcn.reproduce import TABLES, Plan, estimate
from addgcn.tables import by_draw, interval, markdown, measured, multiply_adds, show, write_tables

RATES = (0.003, 0.01, 0.03)


def fake(job: Job, mAP: float, failed: str | None = None) -> dict[str, Any]:
    """What a run would leave, with a made-up mAP."""
    splits = ["holdout"] if job.recipe.holdout else ["id", "ood", "bg"]
    metrics = {split: {"mAP": mAP, "OF1": mAP / 2, "CF1": mAP / 4, "AP": [mAP] * 3} for split in splits}
    maps = {split: {"pointing": 0.5, "energy": 0.25, "area": 0.2, "brighter": mAP / 100} for split in splits}
    controls = {split: {"s": mAP, **({"row": 0.6} if job.recipe.graph == "D" else {})} for split in splits}
    run = {"recipe": job.recipe.as_dict(), "data": {"name": job.data}, "draw": job.draw, "failed": failed}
    return {
        **run,
        "duration_s": 9.0,
        "head_parameters": 1234,
        **({} if failed else {"metrics": metrics, "maps": maps, "controls": controls}),
    }


def value(job: Job) -> float:
    """Best at lr 0.01 on the held-out images; on the test splits it grows with the seed, and S→D has 2 less."""
    if job.recipe.holdout:
        return 60.0 - 10 * abs(math.log10(job.recipe.lr / 0.01))
    return 80.0 + job.recipe.seed - 2.0 * (job.recipe.graph == "S-D")


def filled(plan: Plan, folder: Path) -> Records:
    done = Records(folder)
    while jobs := missing(plan.trials(done), done) or missing(plan.finals(done), done):
        for job in jobs:
            done.add(fake(job, value(job)))
    return done


def test_every_row_of_the_papers_tables_is_declared():
    for table in ("table4", "table5", "table6"):
        printed = [row["method"] for row in paper(table)]
        assert [row.paper for row in TABLES[table] if row.paper] == printed
    for table in ("table1", "table2", "table3"):
        printed = {row["method"] for row in paper(table)}
        assert {row.paper for row in TABLES[table] if row.paper} - printed <= {"ML-GCN", "ResNet-101"}  # not in table 3
    assert {row.name for row in TABLES["table4"]} >= {"identity, one layer", "identity, two layers", "SAM, no graph"}


def test_every_row_builds_with_its_settings():
    for name in TABLES:
        for row, recipe in Plan(name).rows():
            model = recipe.build(3)
            assert {k: getattr(recipe, k) for k in row.settings} == row.settings
            assert sum(p.numel() for p in model.parameters()) > 0


def test_every_row_begins_with_as_many_rates_and_none_sees_a_test_split(tmp_path: Path):
    plan = Plan("table4", seeds=2)
    trials = plan.trials(Records(tmp_path))
    assert len(trials) == len(list(plan.rows())) * len(RATES) * len(reproduce.RATE_SEEDS["heads"])
    assert all(job.recipe.holdout == reproduce.HELD_OUT for job in trials)


def test_end_to_end_no_run_has_the_seed_that_the_trunk_was_trained_with(tmp_path: Path):
    plan = Plan("table4", regime="full", seeds=2)
    jobs = [*plan.trials(Records(tmp_path)), *plan.finals(filled(plan, tmp_path))]
    assert 0 not in {job.recipe.seed for job in jobs}


@pytest.mark.parametrize(("best", "tried"), [(0.01, 3), (0.1, 5), (0.0003, 6), (100.0, 9)])
def test_rates_beyond_the_edge_are_tried_while_it_is_the_best(tmp_path: Path, best: float, tried: int):
    plan, done = Plan("table5", wiring="paper", seeds=1, only=("Sum",)), Records(tmp_path)
    while waiting := missing(plan.trials(done), done):
        for job in waiting:
            done.add(fake(job, 60.0 - abs(math.log10(job.recipe.lr / best))))
    assert len(done.runs) == tried * len(reproduce.RATE_SEEDS["heads"])
    assert {job.recipe.lr for job in plan.finals(done)} == {min(best, reproduce.LADDER[-1])}


def test_the_best_rate_on_held_out_images_is_taken(tmp_path: Path):
    plan = Plan("table5", wiring="paper", seeds=2)
    done = filled(plan, tmp_path)
    finals = plan.finals(done)
    assert {job.recipe.lr for job in finals} == {0.01}
    assert {job.recipe.seed for job in finals} == {1, 2}
    assert all(job.recipe.holdout == 0 for job in finals)


def test_a_rate_that_diverged_is_not_taken(tmp_path: Path):
    plan, done = Plan("table5", wiring="paper", seeds=1), Records(tmp_path)
    while jobs := missing(plan.trials(done), done):
        for job in jobs:
            good = job.recipe.lr == 0.003
            done.add(fake(job, 1.0) if good else fake(job, 0.0, "the loss is nan"))
    assert {job.recipe.lr for job in plan.finals(done)} == {0.003}


def test_nothing_is_done_twice(tmp_path: Path):
    plan = Plan("table4", seeds=1)
    done = filled(plan, tmp_path)
    again = Records(tmp_path)  # as read from the file
    assert missing(plan.trials(again), again) == missing(plan.finals(again), again) == []
    assert len(again.runs) == len(done.runs)
    more = Plan("table4", seeds=3)
    assert len(missing(more.finals(again), again)) == 2 * len(list(plan.rows()))
    # the last row of tables 4, 5 and 6 is one and the same model
    ours = {again.key(job) for job in plan.finals(again)}
    for other in ("table5", "table6"):
        assert ours & {again.key(job) for job in Plan(other, seeds=1).finals(again)}


def test_records_made_before_a_setting_existed_are_still_known(tmp_path: Path):
    plan = Plan("table5", wiring="paper", seeds=1)
    done = filled(plan, tmp_path)
    lines = [json.loads(line) for line in done.path.read_text().splitlines()]
    for line in lines:
        del line["recipe"]["test_size"]  # as if it had come later
    done.path.write_text("\n".join(map(json.dumps, lines)))
    assert missing(plan.finals(Records(tmp_path)), Records(tmp_path)) == []


def test_packed_records_are_read_and_added_to(tmp_path: Path):
    plan = Plan("table5", wiring="paper", seeds=1)
    done = filled(plan, tmp_path)
    packed = done.path.with_name("reproduce.jsonl.gz")
    packed.write_bytes(gzip.compress(done.path.read_bytes()))
    done.path.unlink()
    again = Records(tmp_path)
    assert again.runs == done.runs
    more = plan.finals(again)[0]
    more = replace(more, recipe=replace(more.recipe, seed=7))
    again.add(fake(more, 50.0))
    assert len(Records(tmp_path).runs) == len(done.runs) + 1
    packed.write_bytes(packed.read_bytes()[:-40])
    with pytest.raises(InputError, match="is damaged"):
        Records(tmp_path)


def test_estimate(tmp_path: Path):
    plan = Plan("table5", wiring="paper", seeds=2)
    assert "known after the first" in estimate(plan, Records(tmp_path), 2)
    done = filled(plan, tmp_path)
    assert "all are done" in estimate(plan, done, 2)
    assert "4 that count; about 0.0 hours on 2" in estimate(replace(plan, seeds=3), done, 2)


def test_intervals_are_students():
    values = [1.0, 2.0, 4.0, 3.0, 7.0]
    mean, half = interval(values)
    assert mean == statistics.mean(values)
    assert half == pytest.approx(2.776445 * statistics.stdev(values) / math.sqrt(5), rel=1e-6)  # a printed t table
    assert math.isnan(interval([1.0])[1])
    assert math.isnan(interval([])[0])


def test_an_interval_goes_over_draws_where_there_are_several(tmp_path: Path):
    one_draw = {(1, 0): 3.0, (2, 0): 5.0, (3, 0): 4.0}
    assert by_draw(one_draw) == [3.0, 5.0, 4.0]  # its runs
    assert by_draw(one_draw | {(1, 2): 10.0, (2, 2): 11.0, (3, 1): -1.0}) == [4.0, 10.5, -1.0]  # 12 / 3, 21 / 2, -1
    plan = Plan("table4", seeds=6, draws=3)  # S has 81 ... 86 by its seeds 1 ... 6, on the draws 0 1 2 0 1 2
    line = measured(plan, filled(plan, tmp_path)).query("row == 'S' and split == 'id' and metric == 'mAP'").iloc[0]
    assert (line["mean"], line["runs"]) == (83.5, 6)
    # the draws have 82.5, 83.5, 84.5; 4.302653 is from a printed t table, two degrees of freedom
    assert line["half"] == pytest.approx(4.302653 * 1 / math.sqrt(3), rel=1e-6)


def test_every_run_has_a_seed_of_its_own_and_the_draws_take_turns(tmp_path: Path):
    for draws, dealt in ((1, [0, 0, 0, 0]), (2, [0, 1, 0, 1]), (4, [0, 1, 2, 3])):
        finals = Plan("table6", seeds=4, draws=draws, wiring="paper", only=("cls→GMP",)).finals(Records(tmp_path))
        assert [(job.recipe.seed, job.draw) for job in finals] == list(zip((1, 2, 3, 4), dealt, strict=True))


def test_the_table(tmp_path: Path):
    plan = Plan("table4", seeds=4)
    frame = measured(plan, filled(plan, tmp_path))
    one = frame[(frame["row"] == "S") & (frame["wiring"] == "released") & (frame["split"] == "ood")]
    line = one[one["metric"] == "mAP"].iloc[0]
    assert line["mean"] == 82.5
    assert line["half"] == pytest.approx(interval([81.0, 82, 83, 84])[1])
    assert line["difference"] == 2.0
    assert line["difference_half"] == 0.0
    assert (line["COCO (paper)"], line["VOC 2007 (paper)"]) == (82.9, 94.5)
    assert one[one["metric"] == "OF1"].iloc[0]["COCO (paper)"] == 78.3
    shown = show(frame)
    assert len(shown) == 2 * len(TABLES["table4"]) - 2  # the two baselines have no wiring
    text = markdown(shown)
    assert "| S | released | 82.9 | 94.5 | 82.50 ± 2.05 | +2.00 ± 0.00 |" in text


def test_tables_1_to_3_are_the_same_runs_beside_other_numbers(tmp_path: Path):
    done = filled(Plan("table1", seeds=2), tmp_path)
    for table, column, number in (("table1", "COCO", 83.8), ("table2", "VOC 2007", 95.0), ("table3", "VOC 2012", 94.8)):
        frame = measured(Plan(table, seeds=2), done)
        line = frame.query("row == 'SSGRL' and split == 'id' and metric == 'mAP'").iloc[0]
        assert line[f"{column} (paper)"] == number
        assert line["mean"] == 79.5


def test_figures_take_their_numbers_from_maps_and_controls(tmp_path: Path):
    frame = measured(Plan("figure4", seeds=2), filled(Plan("figure4", seeds=2), tmp_path))
    assert list(dict.fromkeys(frame["metric"])) == ["pointing", "energy", "area", "brighter"]
    assert set(frame[frame["metric"] == "energy"]["mean"]) == {0.25}
    frame = measured(Plan("figure5", seeds=2), filled(Plan("figure5", seeds=2), tmp_path / "5"))
    rows = frame[frame["metric"] == "row"]
    assert rows[rows["row"] == "D"]["mean"].tolist() == [0.6] * 6
    assert rows[rows["row"] == "S→D"]["mean"].isna().all()  # what a run does not have is left open


def test_diverged_runs_are_counted_and_missing_ones_refused(tmp_path: Path):
    plan, done = Plan("table5", wiring="paper", seeds=3), Records(tmp_path)
    for job in plan.trials(done):
        done.add(fake(job, value(job)))
    finals = plan.finals(done)
    for job in finals[:-1]:
        done.add(fake(job, value(job)))
    with pytest.raises(InputError, match=r"1 of 3 runs of 'Bi' are not in .*reproduce.jsonl yet"):
        measured(plan, done)
    done.add(fake(finals[-1], 0.0, "the loss is nan"))
    line = measured(plan, done).query("row == 'Bi' and split == 'id' and metric == 'mAP'").iloc[0]
    assert (line["runs"], line["diverged"]) == (2, 1)
    assert "2 (1 diverged)" in markdown(show(measured(plan, done)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "table44"}, "Did you mean 'table4'"),
        ({"name": "table4", "regime": "head"}, "Did you mean 'heads'"),
        ({"name": "table4", "data": "coco2041"}, "Did you mean 'coco20"),
        ({"name": "table4", "only": ("S->D",)}, "Did you mean 'S→D'"),
        ({"name": "train-flat", "data": "coco2014"}, "needs the scenes"),
        ({"name": "table4", "seeds": 0}, "at least 1"),
        ({"name": "table4", "draws": 2, "data": "voc2007"}, "only the scenes"),
        ({"name": "table4", "seeds": 2, "draws": 3}, "3 draws need as many seeds, not 2"),
    ],
)
def test_wrong_plans(settings: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        Plan(**settings)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """The plan's base in small, and runs in this process."""
    small = replace(RECIPES["scenes-heads"], weights=None, dim=8, size=32, epochs=1, batch_size=16)
    monkeypatch.setitem(RECIPES, "scenes-heads", small)
    monkeypatch.setitem(TABLES, "table6", TABLES["table6"][1:])
    monkeypatch.setitem(reproduce.RATE_SEEDS, "heads", (1,))
    monkeypatch.setattr(reproduce, "LADDER", RATES)

    def here(jobs: list[Job], done: Records, processes: int) -> None:
        for job in jobs:
            done.add(experiments.run(job))

    monkeypatch.setattr(reproduce, "run_all", here)
    return small


def test_runs_and_their_records(
    quick: Recipe, scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setenv("ADDGCN_CACHE", str(tmp_path / "cache"))
    arguments = ["--root", str(scenes_small), "--wiring", "paper", "--seeds", "2", "--out", str(tmp_path / "out")]
    main(["reproduce", "table6", "--dry-run", *arguments])
    assert "6 runs to choose learning rates, 4 that count" in capsys.readouterr().out
    main(["reproduce", "table6", *arguments])
    assert "| cls→GMP | paper | 85.2 | 96.0 |" in capsys.readouterr().out
    plan = Plan("table6", root=scenes_small, wiring="paper", seeds=2)
    done = Records(tmp_path / "out")
    assert len(done.runs) == 6 + 4
    run = done.get(plan.finals(done)[0])
    assert run is not None
    assert list(run["metrics"]) == list(run["scores_sha256"]) == ["id", "ood", "bg"]
    assert [split["split"] for split in run["splits"]] == list(run["controls"]) == ["id", "ood", "bg"]
    assert run["controls"]["ood"]["s"] == pytest.approx(run["metrics"]["ood"]["mAP"], abs=1e-3)
    assert all(0 < metrics["mAP"] <= 100 for metrics in run["metrics"].values())
    monkeypatch.setattr(reproduce, "run_all", lambda *_: pytest.fail("ran again"))
    main(["reproduce", "table6", *arguments])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "reproduce.jsonl", "table6.csv", "table6.md", "table6.html"
    }  # fmt: skip


def test_another_training_split_is_another_run(quick: Recipe, scenes_small: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ADDGCN_CACHE", str(tmp_path / "cache"))
    done = Records(tmp_path)
    jobs = [Job(replace(quick, limit=16), "scenes", str(scenes_small), 0, split) for split in (None, "train-flat")]
    for job in jobs:
        assert done.get(job) is None
        done.add(experiments.run(job))
    found = [Records(tmp_path).get(job) for job in jobs]
    assert [run["data"]["train"]["split"] for run in found if run] == ["train", "train-flat"]
    assert [run["data"]["train"]["images"] for run in found if run] == [16, 16]
    assert all(set(run["sizes"]) == {"48", "96"} for run in found if run)
    assert found[0] != found[1]


def test_multiply_adds_by_hand():
    recipe = replace(RECIPES["scenes-heads"], model="gap")
    assert multiply_adds(recipe, 18) == 96 * 18  # a linear layer on the pooled features
    sam = replace(recipe, model="addgcn", graph="none", dim=4)  # on 8 x 8 positions
    X_to_M, X_to_V, V = 64 * 96 * 18, 64 * 96 * 4, 18 * 64 * 4  # the readout multiplies entry by entry: not counted
    assert multiply_adds(sam, 18) == X_to_M + X_to_V + V


def test_the_other_splits_are_judged_as_evaluate_does(
    quick: Recipe, scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from addgcn.evaluate import evaluate_run
    from addgcn.train import train

    monkeypatch.setenv("ADDGCN_CACHE", str(tmp_path / "cache"))
    run = experiments.run(Job(quick, "scenes", str(scenes_small), 0))
    train(quick, "scenes", tmp_path / "run", scenes_small)
    for split in ("id", "ood", "bg"):
        record = evaluate_run(tmp_path / "run", split, root=scenes_small, workers=0)
        assert np.isclose(record["metrics"]["mAP"], run["metrics"][split]["mAP"], atol=1e-3)


def test_a_run_that_diverges_is_recorded(quick: Recipe, scenes_small: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ADDGCN_CACHE", str(tmp_path / "cache"))
    run = experiments.run(Job(replace(quick, lr=1e20, clip=0.0, epochs=3), "scenes", str(scenes_small), 0))
    assert "diverged" in run["failed"]
    assert "metrics" not in run


def test_only_tables_needs_the_runs(tmp_path: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as stop:
        main(["reproduce", "table5", "--only-tables", "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "runs of 'Sum' are not in" in capsys.readouterr().err


def test_tables_are_written(tmp_path: Path):
    plan = Plan("figure3", wiring="released", seeds=2)
    paths = write_tables(plan, filled(plan, tmp_path), tmp_path)
    assert [path.suffix for path in paths] == [".csv", ".md", ".html"]
    assert paths[0].read_text().count("\n") == 1 + len(TABLES["figure3"]) * 9
    assert "<table" in paths[2].read_text()
