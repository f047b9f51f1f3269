"""Bad input around training, checkpoints and the command line: one clear message, exit code 2, nothing lost."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import variants
from safetensors.torch import load_file, save_file

from addgcn import ADDGCN, runs
from addgcn import train as train_module
from addgcn.baselines import GAP
from addgcn.cli import main
from addgcn.data import load
from addgcn.errors import InputError
from addgcn.losses import multilabel_loss
from addgcn.metrics import MultiLabelMetrics, average_precision
from addgcn.pretrained import load_model
from addgcn.runs import read_checkpoint

TINY = replace(variants.TINY, attend="sum", lr=0.01, over="mean")
FLAGS = ["--weights", "None", "--dim", "8", "--size", "32", "--epochs", "1", "--batch-size", "16", "--workers", "0"]
Say = Callable[[list[str]], str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture) -> Say:
    """Runs a command that must end with exit code 2 and one message, which is returned."""

    def run(argv: list[str]) -> str:
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in argv])
        said = capsys.readouterr()
        assert stop.value.code == 2, said.err
        assert "Traceback" not in said.err
        return " ".join(said.err.replace("│", " ").split())  # tyro's box breaks lines

    return run


@pytest.fixture(scope="session")
def done(scenes_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder; tests copy it before they damage it."""
    out = tmp_path_factory.mktemp("done") / "run"
    train_module.train(TINY, "scenes", out, scenes_small)
    return out


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done, tmp_path / "run"))


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["trian"], "unknown command 'trian'. Did you mean 'train'?"),
        (["train", "--out", "{new}", "--recipe", "papr"], "unknown recipe 'papr'. Did you mean 'paper'?"),
        (["train", "--out", "{new}", "--recipe=sceens"], "Did you mean 'scenes'?"),
        (["train", "--out", "{new}", *FLAGS, "--data", "scene"], "unknown dataset 'scene'. Did you mean 'scenes'?"),
        (["train", "--out", "{new}", *FLAGS, "--root", "{root}", "--eval-split", "odd"], "Did you mean 'ood'?"),
        (["train", "--out", "{new}", *FLAGS, "--root", "{root}", "--backbone", "resnet11"], "Did you mean 'resnet1"),
        (["train", "--out", "{new}", "--graph", "SD"], "unknown graph 'SD'. Did you mean 'S-D'?"),
        (["train", "--out", "{new}", "--wiring", "relased"], "Did you mean 'released'?"),
        (["train", "--out", "{new}", "--model", "add-gcn"], "Did you mean 'addgcn'?"),
        (["train", "--out", "{new}", "--readout", "bee"], "unknown readout 'bee'"),
        (["train", "--out", "{new}", "--optimizer", "sdg"], "invalid choice 'sdg'"),
        (["train", "--out", "{new}", "--lr", "-1"], "lr must be a number from 0 on, but is -1.0"),
        (["train", "--out", "{new}", "--lr", "nan"], "lr must be a number from 0 on"),
        (["train", "--out", "{new}", "--lr", "inf"], "lr must be a number from 0 on"),
        (["train", "--out", "{new}", "--epochs", "0"], "epochs must be at least 1"),
        (["train", "--out", "{new}", "--test-size", "0"], "test_size must be at least 1"),
        (["train", "--out", "{new}", "--seed", "99999999"], "seed must be below"),
        (["train", "--out", "{new}", "--lr-trunk", "0", "--augment", "multiscale"], "lr_trunk=0 freezes"),
        (["train", "--out", "{new}", "--holdout", "1"], "holdout"),
        (["train", "--out", "{new}", "--root", "{new}/none"], "does not exist"),
        (["train", "--out", "{new}", *FLAGS, "--root", "{root}", "--weights", "imagent"], "unknown weights 'imagent'"),
        (["train", "--out", "{new}", *FLAGS, "--root", "{root}", "--weights", "a/b.pth"], "may be a pickle"),
        (["train", "--out", "{new}", *FLAGS, "--root", "{root}", "--batch-size", "65"], "take a smaller batch_size"),
        (["train", "--out", "{new}", *FLAGS, "--root", "{root}", "--precision", "fp16"], "fp16"),
        (
            ["train", "--out", "{new}", *FLAGS, "--root", "{root}", "--holdout", "0.5", "--eval-split", "ood"],
            "holdout=0.5 evaluates on a part of the training split",
        ),
        (
            ["train", "--out", "{new}", *FLAGS, "--root", "{root}", "--batch-size", "1", "--wiring", "released"],
            "cannot train on a batch of one image",
        ),
        (["train", "--out", "{new}", "--lurning-rate", "3"], "Unrecognized options: --lurning-rate"),
        (["train", *FLAGS], "--out"),
        (["train", "--out", "{root}/manifest.json", *FLAGS, "--root", "{root}"], "cannot write in the run folder"),
        (["train", "--out", "/proc/none", *FLAGS, "--root", "{root}"], "cannot write in the run folder"),
        (["train", "--out", "{new}", "--resume", *FLAGS], "there is nothing to resume"),
        (["train", "--out", "{root}", "--resume", *FLAGS], "there is nothing to resume"),
        (["train", "--out", "{done}", *FLAGS, "--root", "{root}"], "holds a run or a model already"),
        (["train", "--out", "{done}", "--resume", "--lr", "3"], "other settings (lr: 0.01 -> 3.0)"),
        (["train", "--out", "{done}", "--resume", "--data", "coco2014"], "annotations"),
        (["train", "--out", "{done}", "--resume", "--eval-split", "ood"], "was begun with other data (eval:"),
        (["evaluate", "{new}"], "there is no folder"),
        (["evaluate", "{root}"], "holds no saved model"),
        (["evaluate", "{done}", "--split", "odd"], "Did you mean 'ood'?"),
        (["evaluate", "{done}", "--data", "voc"], "unknown dataset 'voc'. Did you mean 'voc20"),
        (["evaluate", "{done}", "--data", "coco2014"], "needs root="),
        (["evaluate", "{done}", "--batch-size", "0"], "batch_size must be at least 1"),
        (["evaluate", "{done}", "--size", "0"], "size must be at least 1"),
        (["evaluate", "{done}", "--mode", "12pt"], "invalid choice '12pt'"),
        (["predict", "{done}", "{new}.jpg"], "there is no such image file"),
        (["predict", "{done}"], "photographs must be at least 1"),
        (["predict", "{done}", "{photo}", "--top", "0"], "top must be at least 1"),
        (["predict", "{done}", "{photo}", "--out", "{root}/manifest.json"], "manifest.json"),
        (["convert", "{new}.pth", "{new}"], "does not exist"),
    ],
)
def test_command_line(argv: list[str], named: str, refused: Say, done: Path, scenes_small: Path, tmp_path: Path):
    photo = next((scenes_small / "id").rglob("*.*"))
    words = {"root": scenes_small, "new": tmp_path / "new", "done": done, "photo": photo}
    assert named in refused([a.format(**words) for a in argv])
    assert not (tmp_path / "new" / "checkpoint.pt").exists()


def test_a_refused_run_does_not_block_its_folder(refused: Say, scenes_small: Path, tmp_path: Path) -> None:
    refused(["train", "--out", tmp_path / "run", *FLAGS, "--root", tmp_path / "none"])
    train_module.train(TINY, "scenes", tmp_path / "run", scenes_small)


def test_a_name_the_hub_could_have(refused: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addgcn import pretrained

    def offline(*args, **kwargs):
        raise ConnectionError("no network")

    monkeypatch.setattr(pretrained, "hf_hub_download", offline)
    monkeypatch.chdir(tmp_path)
    said = refused(["evaluate", "runs/demo"])
    assert "there is no folder runs/demo" in said
    assert "ConnectionError" in said
    (tmp_path / "runs").mkdir()  # now it is clear that a folder is meant
    assert "hub" not in refused(["evaluate", "runs/demo"])


# --- checkpoints of runs


class Code:
    """A pickle of this runs code when it is opened: it makes a folder."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def save(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        checkpoint = torch.load(path, weights_only=True)
        change(checkpoint)
        torch.save(checkpoint, path)

    return damage


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-5000]), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.write_bytes(b"hello"), "damaged"),
        (lambda path: torch.save(torch.ones(3), path), "damaged"),
        (lambda path: torch.save({"version": 1}, path), "lacks recipe"),
        (lambda path: torch.save({"version": 1, "model": Code(path.parent / "trace")}, path), "more than tensors"),
        (lambda path: path.write_bytes(pickle.dumps(Code(path.parent / "trace"))), "more than tensors"),
        (save(lambda c: c.update(version=0)), "another version"),
        (save(lambda c: c["model"].popitem()), "does not fit its own recipe"),
        (save(lambda c: c["recipe"].update(colour="red")), "unknown setting 'colour'"),
        (save(lambda c: c["recipe"].update(lr="fast")), "wrong kind"),
        (save(lambda c: c["data"]["train"].update(digest="00")), "other data (train:"),
    ],
)
def test_damaged_checkpoint(damage: Callable[[Path], None], named: str, copy: Path, refused: Say) -> None:
    (copy / "record.json").unlink()
    damage(copy / "checkpoint.pt")
    before = (copy / "checkpoint.pt").read_bytes()
    said = refused(["train", "--out", copy, "--resume"])
    assert named in said
    assert "weights_only" not in said  # no advice to open it all the same
    assert not (copy / "trace").exists()
    assert (copy / "checkpoint.pt").read_bytes() == before


def test_the_trap_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Code(tmp_path / "trace")))
    assert (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("run.json", "{", "run.json is damaged"),
        ("run.json", '{"recipe": {}}', "run.json is damaged"),
        ("run.json", "[]", "run.json is damaged"),
        ("run.json", '{"recipe": {"lr": "x"}, "data": {}}', "run.json is damaged"),
        ("record.json", "{", "record.json is damaged"),
        ("config.json", "", "config.json is damaged"),
        ("config.json", "null", "config.json is damaged"),
        ("config.json", '{"num_classes": 18', "config.json is damaged"),
        ("config.json", '{"num_classes": 18}', "architecture"),
        ("config.json", '{"num_classes": "18", "architecture": "ADDGCN"}', "whole number"),
        ("config.json", '{"num_classes": 18, "architecture": "ADD-GCN"}', "Did you mean 'ADDGCN'?"),
        ("config.json", '{"num_classes": 18, "architecture": "ADDGCN", "dim": "8", "backbone": "scenes"}', "damaged"),
        ("config.json", '{"num_classes": 18, "architecture": "ADDGCN", "backbone": 7}', "unknown backbone 7"),
    ],
)
def test_damaged_run_folder(file: str, text: str, named: str, copy: Path, refused: Say) -> None:
    (copy / file).write_text(text)
    assert named in refused(["evaluate", copy])


def config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**values, **changes}))

    return change


def weights(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        change(state)
        save_file(state, folder / "model.safetensors")

    return damage


NAMES = [f"class {i}" for i in range(18)]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (config(num_classes=17), "distinct class names"),
        (config(num_classes=17, classes=NAMES[:17]), "another number of classes"),
        (config(classes=NAMES), "evaluate on the data it was trained for"),
        (config(wiring="released"), "another wiring, graph or readout?"),
        (config(dim=16), "differ in shape"),
        (config(graph="S"), "has unknown"),
        (config(graph="SD"), "Did you mean 'S-D'?"),
        (config(backbone=None), "backbone module of yours"),
        (weights(lambda s: s.pop("readout.bias")), "lacks 1 keys, first readout.bias"),
        (weights(lambda s: s.update({"head.bias": torch.ones(2)})), "has unknown 1 keys, first head.bias"),
        (weights(lambda s: s["readout.bias"].fill_(float("nan"))), "NaN"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}"), "not a whole safetensors file"),
        (lambda f: os.truncate(f / "model.safetensors", 9000), "not a whole safetensors file"),
        (lambda f: (f / "model.safetensors").unlink(), "does not exist"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "does not exist"),
    ],
)
def test_model_that_does_not_fit(damage: Callable[[Path], object], named: str, copy: Path, refused: Say) -> None:
    damage(copy)
    assert named in refused(["evaluate", copy])


def test_same_classes_in_another_order(copy: Path, refused: Say) -> None:
    classes = json.loads((copy / "config.json").read_text())["classes"]
    config(classes=classes[::-1])(copy)
    assert "another order" in refused(["evaluate", copy])


def test_weights_in_a_pickle_are_not_opened(tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "model.pth", "model.pt", "model.ckpt"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(Code(tmp_path / "trace")))
        with pytest.raises(InputError, match="may be a pickle"):
            ADDGCN(3, "scenes", dim=8, weights=str(path))
        with pytest.raises(InputError, match=r"config\.json is missing.*not opened"):
            load_model(tmp_path)
    hidden = tmp_path / "model.safetensors"  # a pickle under another name
    hidden.write_bytes(pickle.dumps(Code(tmp_path / "trace")))
    with pytest.raises(InputError, match="not a whole safetensors file"):
        ADDGCN(3, "scenes", dim=8, weights=str(hidden))
    assert not (tmp_path / "trace").exists()


def test_baseline_loaded_as_addgcn(tmp_path: Path) -> None:
    GAP(3, "scenes").save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"holds a GAP, not a ADDGCN"):
        ADDGCN.from_pretrained(tmp_path)


# --- what the loop meets


def test_the_loss_turns_nan(scenes_small: Path, tmp_path: Path, refused: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    out, calls = tmp_path / "run", []
    true_loss = train_module.multilabel_loss

    def loss(scores, targets, over):
        calls.append(1)
        return true_loss(scores, targets, over) * (float("nan") if len(calls) == 7 else 1)  # step 6, in epoch 2

    monkeypatch.setattr(train_module, "multilabel_loss", loss)
    said = refused(["train", "--root", scenes_small, "--out", out, *FLAGS, "--epochs", "3"])
    assert "the loss is nan at step 6" in said
    assert "the last epoch's checkpoint is kept" in said
    checkpoint = read_checkpoint(out / "checkpoint.pt")
    assert checkpoint["epoch"] == 1
    assert all(value.isfinite().all() for value in checkpoint["model"].values())
    monkeypatch.undo()
    assert "other settings (lr: 0.01 -> 0.001)" in refused(["train", "--out", out, "--resume", "--lr", "0.001"])
    main(["train", "--out", str(out), "--resume"])  # a bad spell of the machine: the same again goes through


def test_a_learning_rate_far_too_high(scenes_small: Path, tmp_path: Path, refused: Say) -> None:
    command = ["train", "--root", scenes_small, *FLAGS, "--epochs", "3", "--clip", "0", "--lr", "1e30"]
    said = refused([*command, "--out", tmp_path / "run"])
    assert "the training has diverged" in said
    assert "no epoch was complete" in said
    assert "learning rate ten times smaller" in said
    command[-1] = "0.01"
    main([str(a) for a in [*command, "--out", tmp_path / "run"]])  # nothing of worth was there: it begins anew


def test_weights_turn_nan_in_the_last_step_of_an_epoch(scenes_small: Path, tmp_path: Path) -> None:
    # the losses are all finite, the step after the last one breaks the weights: the checkpoint must not have them
    recipe = replace(TINY, epochs=2, evaluate_every=2, clip=0.0, batch_size=64, over="sum", lr=3e38)
    with pytest.raises(InputError, match="weights are no longer finite at step 0"):
        train_module.train(recipe, "scenes", tmp_path / "run", scenes_small)
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("split", ["train", "id"])
def test_a_broken_photograph(split: str, workers: int, scenes_small: Path, tmp_path: Path, refused: Say) -> None:
    root = Path(shutil.copytree(scenes_small, tmp_path / "scenes"))
    path = load("scenes", split, root).path(5)
    path.write_bytes(path.read_bytes()[:100])
    said = refused(["train", "--root", root, "--out", tmp_path / "run", *FLAGS, "--workers", str(workers)])
    assert said.split("addgcn: ")[-1].startswith(str(path))  # no worker's traceback before it
    assert "damaged or truncated" in said


def test_a_class_without_positives_is_named(scenes_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = Path(shutil.copytree(scenes_small, tmp_path / "scenes"))
    for path in (root / "annotations").glob("*_id.json"):
        content = json.loads(path.read_text())
        sheep = next(c["id"] for c in content["categories"] if c["name"] == "sheep")
        content["annotations"] = [a for a in content["annotations"] if a["category_id"] != sheep]
        path.write_text(json.dumps(content))
    main(["train", "--root", str(root), "--out", str(tmp_path / "run"), *FLAGS])
    assert "without a positive, left out of the means: sheep" in capsys.readouterr().out
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["metrics"]["absent"] == ["sheep"]
    assert record["metrics"]["AP"][load("scenes", "id", root).classes.index("sheep")] is None


def test_targets_and_scores_that_cannot_be() -> None:
    scores, targets = torch.zeros(4, 3), torch.zeros(4, 3, dtype=torch.int8)
    for bad in (targets[:, :2], targets[:2], targets.flatten(), targets + 2, torch.full((4, 3), 0.5)):
        with pytest.raises(InputError):
            multilabel_loss(scores, bad)
        with pytest.raises(InputError):
            average_precision(scores, bad)
        with pytest.raises(InputError):
            MultiLabelMetrics(3).update(scores, bad)
    scores[1, 2] = float("nan")
    with pytest.raises(InputError):
        average_precision(scores, targets)
    with pytest.raises(InputError):
        MultiLabelMetrics(3).update(scores, targets)


def test_batch_of_one_in_training() -> None:
    model = ADDGCN(3, "scenes", wiring="released", dim=8).train()
    with pytest.raises(InputError, match="batch of one"):
        model(torch.rand(1, 3, 32, 32))
    assert model.eval()(torch.rand(1, 3, 32, 32)).shape == (1, 3)
    assert ADDGCN(3, "scenes", wiring="paper", dim=8).train()(torch.rand(1, 3, 64, 64)).shape == (1, 3)


# --- predictions


def test_one_broken_photograph_among_good_ones(
    done: Path, scenes_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    photos = [load("scenes", "id", scenes_small).path(i) for i in range(2)]
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "empty.png").write_bytes(b"")
    same = Path(shutil.copy(photos[0], tmp_path / photos[0].name))  # the same name in another folder
    argv = ["predict", done, photos[0], tmp_path / "bad.jpg", photos[1], tmp_path / "empty.png", same]
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in [*argv, "--out", tmp_path / "figures"]])
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert "2 of 5 photographs could not be read" in said.err
    assert "bad.jpg" in said.err
    assert "empty.png is empty" in said.err
    assert said.out.count("figure:") == 3
    assert len(list((tmp_path / "figures").iterdir())) == 3


def test_predict_with_broken_weights(copy: Path, scenes_small: Path, refused: Say) -> None:
    weights(lambda s: s["readout.bias"].fill_(float("nan")))(copy)
    assert "not numbers" in refused(["predict", copy, load("scenes", "id", scenes_small).path(0)])


# --- the disk


def test_file_size_limit_while_saving(scenes_small: Path, tmp_path: Path, refused: Say) -> None:
    """A real failure of the system's write: no file may grow beyond 600 kB, and a checkpoint does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
        said = refused(["train", "--root", scenes_small, "--out", tmp_path / "run", *FLAGS])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)
    assert "cannot write" in said
    assert "checkpoint.pt" in said
    assert "--resume" in said
    assert not (tmp_path / "run" / ".checkpoint.pt.tmp").exists()
    main(["train", "--out", str(tmp_path / "run"), "--resume"])


@pytest.mark.parametrize("function", ["Log.write", "save_scores", "write_json"])
def test_full_disk_elsewhere(
    function: str, scenes_small: Path, tmp_path: Path, refused: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    from addgcn import records

    if function == "Log.write":
        monkeypatch.setattr(runs.SummaryWriter, "flush", full)
    elif function == "save_scores":
        monkeypatch.setattr(records.np, "savez_compressed", full)
    else:
        monkeypatch.setattr(Path, "write_text", full)
    said = refused(["train", "--root", scenes_small, "--out", tmp_path / "run", *FLAGS])
    assert "cannot write" in said
    assert "No space left on device" in said


def test_unwritable_model_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot save the model"):
        ADDGCN(3, "scenes", dim=8).save_pretrained(tmp_path / "file")
