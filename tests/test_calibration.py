"""Temperature and thresholds against scikit-learn, torchmetrics and a plain search; and where they may be fitted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from folders import write_voc
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from torch import Tensor
from torchmetrics.classification import BinaryCalibrationError
from variants import TINY

from addgcn.calibration import best_threshold, calibrate, calibration_error, decisions, fit_temperature, tune
from addgcn.cli import main
from addgcn.errors import InputError
from addgcn.evaluate import evaluate_run, open_parts
from addgcn.losses import multilabel_loss
from addgcn.records import read_json
from addgcn.scores import compute_metrics
from addgcn.train import train


def drawn(N: int = 400, C: int = 5, T: float = 2.5, seed: int = 0, ignored: float = 0.05) -> tuple[Tensor, Tensor]:
    """Scores T times as large as honest ones, some targets ignored."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(-1, 2, (N, C))
    targets = (rng.random((N, C)) < 1 / (1 + np.exp(-honest))).astype(np.int8)
    targets[rng.random((N, C)) < ignored] = -1
    return torch.from_numpy(T * honest).float(), torch.from_numpy(targets)


# --- temperature


@pytest.mark.parametrize("T", [0.3, 1.0, 2.5, 40.0])
def test_temperature_is_the_slope_of_a_logistic_regression(T: float) -> None:
    scores, targets = drawn(T=T)
    counted = targets != -1
    x, y = scores[counted].double().numpy()[:, None], targets[counted].numpy()
    theirs = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000).fit(x, y).coef_.item()
    mine = fit_temperature(scores, targets)
    assert mine == pytest.approx(1 / theirs, rel=1e-3)
    assert mine == pytest.approx(T, rel=0.1)  # what the scores were drawn with
    loss = {f: multilabel_loss(scores.double() / (mine * f), targets).item() for f in (0.98, 1, 1.02)}
    assert loss[1] < min(loss[0.98], loss[1.02])


def test_temperature_that_does_not_exist() -> None:
    scores, targets = drawn()
    with pytest.raises(InputError, match="no better than their opposite"):
        fit_temperature(-scores, targets)
    with pytest.raises(InputError, match="no decision is wrong"):
        fit_temperature(torch.where(targets == 1, 1.0, -1.0), targets)
    with pytest.raises(InputError, match="at least one target"):
        fit_temperature(scores, torch.full_like(targets, -1))


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_is_that_of_torchmetrics(bins: int) -> None:
    scores, targets = drawn()
    counted = targets != -1
    theirs = BinaryCalibrationError(n_bins=bins, norm="l1")(scores.sigmoid()[counted], targets[counted])
    assert calibration_error(scores.sigmoid(), targets, bins) == pytest.approx(100 * theirs.item(), abs=1e-3)


def test_calibration_error_by_hand() -> None:
    p = torch.tensor([[0.1, 0.2, 0.9, 1.0, 0.5]])
    y = torch.tensor([[0, 1, 1, 1, -1]])
    # two bins: |(.1 - 0) + (.2 - 1)| = .7 and |(.9 - 1) + (1 - 1)| = .1, of four
    assert calibration_error(p, y, bins=2) == pytest.approx(100 * 0.8 / 4)


def test_a_temperature_makes_it_smaller_and_changes_no_ranking() -> None:
    held_out, reported = drawn(seed=1), drawn(seed=2)
    found = calibrate(held_out, reported, tuple("abcde"))
    assert found["ECE_after"] < 0.5 * found["ECE_before"]
    before, after = (compute_metrics(s, reported[1], tuple("abcde")) for s in (reported[0], reported[0] / 2))
    assert before == after


# --- thresholds


@pytest.mark.parametrize("seed", range(8))
def test_threshold_is_the_best_of_all_places(seed: int) -> None:
    rng = np.random.default_rng(seed)
    s = rng.normal(size=60).astype(np.float32)
    if seed % 2:
        s = np.round(s, 1)  # many ties
    present = rng.random(60) < 0.2 + 0.3 / (1 + np.exp(-s))
    t, F1 = best_threshold(torch.from_numpy(s), torch.from_numpy(present))
    assert f1_score(present, s > np.float32(t)) == pytest.approx(F1)
    grid = [f1_score(present, s > u, zero_division=0) for u in np.concatenate([[s.min() - 1], np.unique(s)])]
    assert max(grid) == pytest.approx(F1)


def test_threshold_by_hand() -> None:
    s, present = torch.tensor([3.0, 2.0, 1.0, -4.0]), torch.tensor([True, False, True, False])
    assert best_threshold(s, present) == (-1.5, 0.8)  # two of two found, three predicted
    assert best_threshold(s, torch.tensor([True, False, False, False])) == (2.5, 1.0)
    assert best_threshold(s, torch.ones(4, dtype=torch.bool))[1] == 1.0
    assert best_threshold(s, torch.zeros(4, dtype=torch.bool))[0] == 0.0
    near = torch.tensor([1.0, np.nextafter(np.float32(1), np.float32(2)).item()])  # neighbours in float32
    t, _ = best_threshold(near, torch.tensor([False, True]))
    assert (near > torch.tensor(t, dtype=torch.float32)).tolist() == [False, True]


def test_tuned_decisions_are_those_of_a_search() -> None:
    (scores, targets), classes = drawn(N=30, T=1.0), tuple("abcde")
    one, each = tune(scores, targets)
    present = (targets == 1).numpy()
    grid = np.unique(scores.numpy())  # s > t between one score and the next, but for "all of them"
    OF1 = max(f1_score(present, scores.numpy() > t, average="micro") for t in grid)
    assert decisions(scores, targets, classes, one)["OF1"] == pytest.approx(100 * OF1)
    F1 = f1_score(present, scores.numpy() > np.array(each, dtype=np.float32), average=None)
    for c in range(5):
        best = max(f1_score(present[:, c], scores[:, c].numpy() > t, zero_division=0) for t in grid)
        assert F1[c] == pytest.approx(best)
    plain = compute_metrics(scores, targets, classes).as_dict()
    assert decisions(scores, targets, classes, 0.0) == {k: plain[k] for k in ("CP", "CR", "CF1", "OP", "OR", "OF1")}


def test_few_positives_are_named() -> None:
    scores, targets = drawn()
    targets[:, 1] = 0
    targets[:9, 1] = 1
    found = calibrate((scores, targets), drawn(seed=3), tuple("abcde"))
    assert found["few"] == ["b"]
    targets[:, 1] = 0
    assert calibrate((scores, targets), drawn(seed=3), tuple("abcde"))["thresholds"]["per_class"][1] == 0.5


# --- where it may be fitted


@pytest.fixture(scope="module")
def run(scenes_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("calibration") / "run"
    train(replace(TINY, epochs=4, holdout=0.5, lr=0.02), "scenes", out, scenes_small)
    return out


def test_calibrated_on_the_holdout(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    record = evaluate_run(copy, calibrate_on="holdout", workers=0)
    found = record["calibration"]
    assert record["data"]["eval"]["split"] == "id"  # what results are reported on, not the run's own holdout
    assert found["on"] == read_json(copy / "record.json")["data"]["eval"]
    assert found["decisions"]["untuned"] == {k: record["metrics"][k] for k in found["decisions"]["untuned"]}
    assert record["metrics"] == evaluate_run(copy, "id", workers=0)["metrics"]
    # the same from the saved scores, by the functions above
    from addgcn.scores import read_scores

    evaluate_run(copy, workers=0)
    parts = [read_scores(copy / f"scores_{name}.npz") for name in ("holdout", "id")]
    by_hand = calibrate(*[(p.scores, p.targets) for p in parts], parts[0].classes)
    assert {"on": found["on"], **by_hand} == found

    main(["evaluate", str(copy), "--calibrate-on", "holdout", "--split", "ood", "--workers", "0"])
    said = capsys.readouterr().out
    assert "fitted on holdout, 32 images; what it does on ood:" in said
    assert len(json.loads((copy / "evaluate_ood.json").read_text())["calibration"]["thresholds"]["per_class"]) == 18


def test_never_on_what_is_reported_or_was_trained_on(run: Path, scenes_small: Path, tmp_path: Path) -> None:
    for on, split in (("id", "ood"), ("id", None), ("ood", "ood"), ("holdout", "holdout")):
        with pytest.raises(InputError, match=r"flatters itself|unknown split"):
            evaluate_run(run, split, calibrate_on=on, workers=0)
    with pytest.raises(InputError, match="among those that the model is trained on"):
        evaluate_run(run, calibrate_on="train", workers=0)
    evaluate_run(shutil.copytree(run, tmp_path / "copy"), "bg", calibrate_on="ood", workers=0)  # neither
    with pytest.raises(InputError, match=r"Did you mean 'ood'"):
        evaluate_run(run, calibrate_on="odd", workers=0)
    with pytest.raises(InputError, match="calibrate on the data that the run was trained on: scenes"):
        evaluate_run(run, data="coco2014", calibrate_on="holdout", workers=0)
    train(TINY, "scenes", tmp_path / "plain", scenes_small)
    with pytest.raises(InputError, match="held nothing out"):
        evaluate_run(tmp_path / "plain", calibrate_on="holdout", workers=0)
    (tmp_path / "plain" / "run.json").unlink()
    with pytest.raises(InputError, match="does not say what the model was trained on"):
        evaluate_run(tmp_path / "plain", calibrate_on="holdout", data="scenes", workers=0)


def test_voc_val_is_part_of_trainval(tmp_path: Path) -> None:
    write_voc(tmp_path / "voc")
    for split in ("trainval", "train"):
        train(replace(TINY, batch_size=2), "voc2007", tmp_path / split, tmp_path / "voc", train_split=split)
    with pytest.raises(InputError, match="2 of the 2 images of 'val' are among those that the model is trained on"):
        open_parts(tmp_path / "trainval", None, "val", None, None)
    reported, part = open_parts(tmp_path / "train", None, "val", None, None)
    assert (reported.split, part.split) == ("test", "val")
