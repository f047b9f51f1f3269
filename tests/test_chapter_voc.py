"""Chapter 17: it notices a wrong library, its commands are commands, and its records are what they say."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from chapters import execute, read_chapter

from addgcn import cli, metrics, submission
from addgcn.data import fetch as fetching
from addgcn.data import load, voc
from addgcn.data.scenes import CLASSES, write_scenes
from addgcn.errors import InputError
from addgcn.recipes import RECIPES
from addgcn.records import load_records
from addgcn.transfer import start_model

CELLS, _ = read_chapter("17_voc.ipynb")
RED = (AssertionError, InputError, KeyError, ValueError, RuntimeError)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voc") / "drawn"
    sizes = {"train": 60, "id": 60}
    return write_scenes(folder, layout="voc", sizes=sizes, splits=sizes, workers=1, progress=False)


def start(drawn: Path, tmp_path: Path) -> dict[str, Any]:
    """What the cells before would have left: small folders, and random scores in the place of a run."""
    names: dict[str, Any] = {"__name__": "chapter"}
    execute(CELLS, names, "setup")
    train_set, test_set = load("scenes", "train", drawn), load("scenes", "id", drawn)
    y = test_set.targets
    s = torch.randn(y.shape, generator=torch.Generator().manual_seed(0)) + 2 * (y == 1) - 1
    saved = type("Saved", (), {"scores": s, "targets": y, "ids": tuple(test_set.ids)})
    names |= {"keep": lambda **_: None, "here": lambda _: None, "REAL": False, "runs": tmp_path, "C": 18}
    names |= {"train_set": train_set, "test_set": test_set, "classes": CLASSES, "base": drawn, "TEST": "id"}
    names |= {"s": s, "y": y, "saved": saved, "SIX": CLASSES[:6], "VOC_CLASSES": voc.VOC_CLASSES}
    names["mAP"] = lambda scores, targets, mode="raw": (
        100 * metrics.average_precision(scores, targets, mode).nanmean().item()
    )
    return names


def transferred(drawn: Path, tmp_path: Path, **names: Any) -> None:
    """The cell that makes the transfer anew, with a model of 18 that has seen a batch."""
    torch.manual_seed(3)
    model = replace(RECIPES["scenes"], wiring="released").build(18, CLASSES)
    model.train()(torch.randn(8, 3, 64, 64))  # moves the running means
    model.save_pretrained(tmp_path / "big")
    little = load("scenes", "train", drawn)
    little.targets = little.targets[:, :6]
    execute(CELLS, start(drawn, tmp_path) | {"little": little} | names, "scratch")


def test_the_chapter_agrees_with_the_library(drawn: Path, tmp_path: Path):
    execute(CELLS, start(drawn, tmp_path), "sources", "from-archive", "disk", "labels", "counts", "perfect")
    execute(CELLS, start(drawn, tmp_path), "counts", "three", "sizes", "submission", "spoiled", "recorded")
    transferred(drawn, tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [{"1": 1, "0": 0, "-1": 0}, {"1": 1, "0": 1, "-1": 0}, {"1": 1, "0": 0, "-1": -1}, {"1": 0, "0": -1, "-1": 1}],
)
def test_the_chapter_notices_wrong_labels(drawn: Path, tmp_path: Path, monkeypatch: Any, wrong: dict[str, int]):
    monkeypatch.setattr(voc, "_TARGET", wrong)
    names = start(drawn, tmp_path)
    with pytest.raises(AssertionError):
        execute(CELLS, names, "labels")


def all_new(recipe: Any, classes: Any, folder: Any) -> Any:
    _, said = start_model(recipe, classes, folder)
    return replace(recipe, weights=None).build(len(classes), classes), said


def weights_alone(recipe: Any, classes: Any, folder: Any) -> Any:
    model, said = start_model(recipe, classes, folder)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
    return model, said


def says_too_much(recipe: Any, classes: Any, folder: Any) -> Any:
    model, said = start_model(recipe, classes, folder)
    return model, said | {"kept": sorted([*said["kept"], *said["new"]])}  # type: ignore[index]


def one_tensor_less(recipe: Any, classes: Any, folder: Any) -> Any:
    model, said = start_model(recipe, classes, folder)
    with torch.no_grad():
        next(p for p in model.parameters() if p.dim() == 1).add_(0.01)
    return model, said


@pytest.mark.parametrize("wrong", [all_new, weights_alone, says_too_much, one_tensor_less])
def test_the_chapter_notices_a_wrong_transfer(drawn: Path, tmp_path: Path, monkeypatch: Any, wrong: Callable[..., Any]):
    monkeypatch.setattr("addgcn.transfer.start_model", wrong)
    with pytest.raises(AssertionError):
        transferred(drawn, tmp_path)


RIGHT = metrics.average_precision


def judged(drawn: Path, tmp_path: Path) -> None:
    for cell in ("perfect", "three"):
        execute(CELLS, start(drawn, tmp_path), "counts", cell)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda s, t, mode="raw": RIGHT(s, t.clamp(min=0), mode),
        lambda s, t, mode="raw": RIGHT(s, t.abs(), mode),
        lambda s, t, mode="raw": RIGHT(s, t, "11pt" if mode == "raw" else "raw"),
        lambda s, t, mode="raw": RIGHT(s, t, "raw"),
    ],
)
def test_the_chapter_notices_a_wrong_average_precision(drawn: Path, tmp_path: Path, monkeypatch: Any, wrong: Any):
    monkeypatch.setattr(metrics, "average_precision", wrong)
    with pytest.raises(RED):
        judged(drawn, tmp_path)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("_digits", lambda score: f"{score:.3f}"),
        ("_digits", lambda score: f"{-score!r}"),
        ("_read_column", lambda where, text, ids: [float(line.split()[1]) for line in text.splitlines()]),
        ("_read_column", lambda where, text, ids: [0.0] * len(ids)),
    ],
)
def test_the_chapter_notices_a_wrong_submission(drawn: Path, tmp_path: Path, monkeypatch: Any, name: str, wrong: Any):
    monkeypatch.setattr(submission, name, wrong)
    with pytest.raises(RED):
        execute(CELLS, start(drawn, tmp_path), "submission")


def test_the_chapter_notices_that_no_hash_is_looked_at(drawn: Path, tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr(fetching, "is_right", lambda *_: True)
    with pytest.raises((*RED, NameError)):
        execute(CELLS, start(drawn, tmp_path), "from-archive")


COMMANDS = re.findall(r"^\s*!?(addgcn .+)$", "\n".join(CELLS.values()), re.MULTILINE)


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_of_the_chapter_is_understood(command: str):
    assert cli.parse(shlex.split(command)[1:])


def test_there_are_commands():
    assert len(set(COMMANDS)) > 12


# --- the records


@pytest.mark.parametrize("name", ["voc2007_labels", "transfer"])
def test_the_records_are_whole(name: str):
    for record in load_records(name):
        rest = {key: value for key, value in record.items() if key != "id"}
        assert record["id"] == hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:16]


def test_the_counts_are_those_of_the_real_labels(shared: Callable[[str], Path]):
    for record in load_records("voc2007_labels"):
        real = load("voc2007", record["data"]["split"], shared("data/voc2007_labels"), check_images=False)
        assert list(real.classes) == record["classes"]
        assert (real.targets == 1).sum(0).tolist() == record["present"]
        assert (real.targets == -1).sum(0).tolist() == record["difficult"]
        assert len(real) == record["data"]["images"]


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.pop(),
        lambda rows: [r.update(mAP=70.0) for r in rows if r["start"] == "init"],
        lambda rows: [r.update(mAP=96.0) for r in rows if r["images"] == 400 and r["start"] == "init"],
    ],
)
def test_the_chapter_notices_another_measurement(drawn: Path, tmp_path: Path, change: Callable[[list], Any]):
    names = start(drawn, tmp_path)
    changed = json.loads(json.dumps(load_records("transfer")))
    change(changed[0]["rows"])
    names["load_records"] = lambda name: changed
    with pytest.raises(AssertionError):
        execute(CELLS, names, "recorded")
