"""The command line, from the scenes to a figure."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from PIL import Image

import addgcn
from addgcn.cli import COMMANDS, main, value_of
from addgcn.data import load
from addgcn.recipes import Recipe
from addgcn.records import read_json
from addgcn.runs import read_log

FLAGS = ["--weights", "None", "--dim", "8", "--size", "32", "--epochs", "2", "--batch-size", "16", "--workers", "0"]


@pytest.fixture(scope="module")
def run(scenes_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "demo"
    main(["train", "--data", "scenes", "--recipe", "scenes", "--root", str(scenes_small), "--out", str(out), *FLAGS])
    return out


def test_train(run: Path, capsys: pytest.CaptureFixture) -> None:
    recipe = Recipe.from_dict(read_json(run / "record.json")["recipe"])
    assert (recipe.dim, recipe.size, recipe.epochs, recipe.weights) == (8, 32, 2, None)  # the flags
    assert (recipe.attend, recipe.lr, recipe.over) == ("sum", 0.01, "sum")  # the rest of the recipe
    assert len(read_log(run)) == 2


def test_evaluate_prints_the_numbers_of_the_record(run: Path, capsys: pytest.CaptureFixture) -> None:
    record = read_json(run / "record.json")
    main(["evaluate", str(run), "--workers", "0", "--batch-size", "16"])
    said = capsys.readouterr().out
    names = ["mAP", "CP", "CR", "CF1", "OP", "OR", "OF1"]
    assert "scenes id: 32 images" in said
    assert re.findall(r"[A-Z]\w*[A-Z1]\b|mAP", said.splitlines()[1])[:7] == names
    numbers = [float(word) for word in said.splitlines()[2].split()]
    metrics = record["metrics"]
    expected = [metrics[name] for name in names] + [metrics["top3"][name] for name in names[1:]]
    assert numbers == [round(value, 2) for value in expected]


def test_evaluate_json_and_per_class(run: Path, capsys: pytest.CaptureFixture) -> None:
    main(["evaluate", str(run), "--split", "ood", "--workers", "0", "--json"])
    record = json.loads(capsys.readouterr().out)  # nothing but JSON
    assert record == read_json(run / "evaluate_ood.json")
    assert record["data"]["eval"]["split"] == "ood"
    assert record["run"] == read_json(run / "record.json")["id"]
    assert (run / "scores_ood.npz").exists()
    main(["evaluate", str(run), "--split", "ood", "--workers", "0", "--per-class"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].split() == ["AP", "images", "P", "R", "F1"]
    printed = {line[2:18].strip(): line[18:].split() for line in lines[4:-1]}
    assert list(printed) == record["classes"]
    table = record["per_class"]
    for c, (name, value) in enumerate(zip(record["classes"], record["metrics"]["AP"], strict=True)):
        numbers = [f"{n:.2f}" for n in (value, *(table[k][c] for k in ("precision", "recall", "F1"))) if n is not None]
        expected = [numbers[0], str(table["positives"][c]), *numbers[1:]] if numbers else ["no", "positive"]
        assert printed[name] == expected


def test_evaluate_takes_the_split_of_the_run(scenes_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out, where = tmp_path / "run", ["--root", str(scenes_small), "--eval-split", "bg"]
    main(["train", "--out", str(out), *where, *FLAGS, "--epochs", "1", "--lr-trunk", "0", "--test-size", "40"])
    trained = capsys.readouterr().out.splitlines()
    main(["evaluate", str(out), "--workers", "0"])
    evaluated = capsys.readouterr().out.splitlines()
    assert evaluated[0] == "scenes bg: 32 images"
    assert evaluated[2] == trained[2]


def test_evaluate_is_the_same_for_every_batch_size(run: Path, capsys: pytest.CaptureFixture) -> None:
    metrics = []
    for size in ("1", "7", "64"):
        main(["evaluate", str(run), "--split", "bg", "--workers", "0", "--json", "--batch-size", size])
        metrics.append(json.loads(capsys.readouterr().out)["metrics"])
    assert metrics[0] == metrics[1] == metrics[2]


def test_predict(run: Path, scenes_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data = load("scenes", "id", scenes_small)
    photo = tmp_path / "a photo.jpeg"
    Image.effect_noise((90, 50), 40).save(photo)  # greyscale, not square
    main(["predict", str(run), str(data.path(0)), str(photo), "--top", "3"])
    said = capsys.readouterr().out
    rows = re.findall(r"^  (\d\.\d{3})  (.+?)(?:   \(below 0\.5.*)?$", said, re.MULTILINE)
    assert len(rows) == 6
    assert all(name in data.classes for _, name in rows)
    scores = [float(score) for score, _ in rows]
    assert scores[:3] == sorted(scores[:3], reverse=True)
    for stem in (data.path(0).stem, "a photo"):
        with Image.open(run / "predictions" / f"{stem}_maps.png") as figure:
            assert min(figure.size) > 100


def test_predict_with_a_baseline_from_a_plain_folder(
    scenes_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    from addgcn.baselines import GAP

    data = load("scenes", "id", scenes_small)
    GAP(18, "scenes", classes=data.classes).save_pretrained(tmp_path / "gap")
    figures = tmp_path / "figures"
    main(["predict", str(tmp_path / "gap"), str(data.path(1)), "--size", "64", "--out", str(figures)])
    assert capsys.readouterr().out.count("  0.") == 5
    assert len(list(figures.iterdir())) == 1
    where = ["--data", "scenes", "--root", str(scenes_small), "--split", "id"]
    main(["evaluate", str(tmp_path / "gap"), *where, "--size", "64", "--workers", "0"])
    assert "scenes id: 32 images" in capsys.readouterr().out


def test_resume_takes_settings_and_data_from_the_folder(run: Path, capsys: pytest.CaptureFixture) -> None:
    before = read_json(run / "record.json")
    main(["train", "--out", str(run), "--resume"])
    assert f"{before['metrics']['mAP']:.2f}" in capsys.readouterr().out
    assert read_json(run / "record.json") == before


def test_scenes(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    from addgcn.data.scenes import write

    calls = []
    monkeypatch.setattr(write, "write_scenes", lambda root, **options: calls.append((root, options)) or root)
    main(["scenes", str(tmp_path / "s"), "--size", "48", "--layout", "voc", "--seed", "3", "--workers", "1"])
    assert calls == [(tmp_path / "s", {"size": 48, "seed": 3, "layout": "voc", "workers": 1})]
    assert str(tmp_path / "s") in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_has_a_text(name: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    flat = " ".join(said.replace("│", " ").split())
    names = [field.name for field in fields(COMMANDS[name]) if field.name != "settings"]
    if name == "train":
        names += [field.name for field in fields(Recipe)]
    positional = {"name", "run_folder", "photos", "checkpoint", "dataset", "root" if name == "scenes" else "", "out"}
    for flag in ("from" if flag == "given" else flag for flag in names):
        shown = flag.upper() if f"--{flag.replace('_', '-')}" not in flat else f"--{flag.replace('_', '-')}"
        assert shown.startswith("--") or flag in positional
    # in tyro's help, a flag without a text has nothing before its default
    blocks = re.split(r"(?=--[a-z])", flat)
    for block in blocks[1:]:
        if match := re.match(r"(--[\w-]+(?:, --no-[\w-]+)?)\s+(\S+)\s*(\(default|\(required)", block):
            pytest.fail(f"{match.group(1)} has no text")


def test_help_of_all_commands(capsys: pytest.CaptureFixture) -> None:
    for argv in ([], ["--help"], ["-h"]):
        with pytest.raises(SystemExit) as stop:
            main(argv)
        assert stop.value.code == 0
        said = capsys.readouterr().out
        assert all(name in said for name in COMMANDS)


def test_value_of() -> None:
    assert value_of("--out", ["train", "--out", "x"]) == "x"
    assert value_of("--out", ["train", "--out=x=y"]) == "x=y"
    assert value_of("--out", ["train", "--outer", "x"]) is None
    assert value_of("--out", ["train", "--out"]) == ""


def test_as_a_program(run: Path, tmp_path: Path) -> None:
    """As a shell starts it: one message on stderr, nothing on stdout, exit code 2."""
    program = shutil.which("addgcn", path=Path(sys.executable).parent)
    command = [program] if program else [sys.executable, "-m", "addgcn.cli"]
    done = subprocess.run([*command, "evaluate", str(tmp_path / "none")], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"addgcn: there is no folder {tmp_path / 'none'} with a saved model.\n"


def test_it_says_its_version(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"addgcn {addgcn.__version__}\n"
