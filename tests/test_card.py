"""The model card: what it says is what the record says, and the hub's own reader understands it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, constants
from variants import TINY

from addgcn import load_model
from addgcn.card import make_card, write_card
from addgcn.data import COCO_CLASSES, VOC_CLASSES
from addgcn.errors import InputError
from addgcn.records import read_json
from addgcn.train import train


@pytest.fixture(scope="module")
def run(scenes_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("card") / "run"
    train(replace(TINY, holdout=0.25), "scenes", out, scenes_small)
    return out


def test_the_hub_reads_it(run: Path) -> None:
    card, record = ModelCard.load(run / "README.md"), read_json(run / "record.json")
    assert card.data.library_name == "addgcn"
    assert card.data.datasets == ["scenes"]
    assert card.data.metrics == ["mAP", "CF1", "OF1"]
    assert "multi-label" in card.data.tags
    assert card.data.license is None
    found = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert found == {kind: round(record["metrics"][kind], 2) for kind in ("mAP", "CF1", "OF1")}
    assert {result.dataset_split for result in card.data.eval_results} == {"holdout"}


def test_it_says_what_the_record_says(run: Path) -> None:
    text, record = (run / "README.md").read_text(), read_json(run / "record.json")
    for said in (
        f"`{record['id']}`",
        record["scores_sha256"],
        "scenes train (48 images)",
        "holdout (held out of the training images)\n(16 images) at 32 x 32",
        "traffic light",
        "## Limits",
        "No licence is stated",
    ):
        assert said in text
    for key, value in record["recipe"].items():
        assert f"| {key} | {', '.join(map(str, value)) if isinstance(value, list) else value} |" in text
    assert str(run) not in text


def test_a_card_of_ones_own_stays(run: Path, tmp_path: Path) -> None:
    record, model = read_json(run / "record.json"), load_model(run)
    write_card(tmp_path, record, model.classes)
    assert (tmp_path / "README.md").read_text() == (run / "README.md").read_text()
    write_card(tmp_path, {**record, "id": "another"}, model.classes)  # ours: made anew
    assert "`another`" in (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text("mine")
    write_card(tmp_path, record, model.classes)
    model.save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_absent_classes_and_where_it_started(run: Path) -> None:
    record = read_json(run / "record.json")
    record["metrics"] |= {"absent": ["sheep", "cat"], "mAP": None}
    text = str(make_card({**record, "init": {"from": "owner/coco"}}, ("a", "b")))
    assert "in no mean: sheep, cat." in text
    assert "It started from the weights of owner/coco." in text


# --- by name, from the hub's cache, without a network


@pytest.fixture
def cache(run: Path, tmp_path: Path) -> Path:
    """A cache of the hub's as huggingface_hub lays it out, with the run's model as owner/name."""
    snapshot = tmp_path / "hub" / "models--owner--name" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for file in ("config.json", "model.safetensors"):
        shutil.copy(run / file, snapshot)
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    return tmp_path / "hub"


def test_by_name_offline_from_the_cache(
    run: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    model, images = load_model("owner/name", cache_dir=cache), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model(images), load_model(run)(images))
    with pytest.raises(InputError, match=r"nor could config\.json be had .* \(LocalEntryNotFoundError\)"):
        load_model("owner/other", cache_dir=cache)
    os.unlink(cache / "models--owner--name" / "snapshots" / ("0" * 40) / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors"):
        load_model("owner/name", cache_dir=cache)


def test_by_name_as_a_user_would(cache: Path, scenes_small: Path, tmp_path: Path) -> None:
    """`addgcn evaluate owner/name` in a process of its own, with the hub's own variables."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    where = [
        "--data",
        "scenes",
        "--root",
        str(scenes_small),
        "--split",
        "id",
        "--size",
        "32",
        "--workers",
        "0",
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "addgcn.cli", "evaluate", "owner/name", *where],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["num_samples"] == 32


def test_data_of_ones_own_is_not_called_coco(run: Path) -> None:
    """A folder in COCO's layout has COCO's name on the command line; with other categories it is not COCO."""
    record = read_json(run / "record.json")
    record["data"]["name"] = "coco2017"
    card = make_card(record, ("dog", "table, laid"))
    assert card.data.datasets is None
    assert {(result.dataset_name, result.dataset_type) for result in card.data.eval_results} == {("own", "own")}
    assert card.data.model_name.endswith("-own")
    text = " ".join(str(card).split())
    assert "Trained on data of its makers, laid out as coco2017, train (48 images)" in text
    assert "order of the scores: dog; table, laid." in text
    assert make_card(record, COCO_CLASSES).data.datasets == ["coco2017"]
    record["data"]["name"] = "voc2007"
    assert make_card(record, VOC_CLASSES).data.datasets == ["voc2007"]
    assert make_card(record, COCO_CLASSES).data.datasets is None
