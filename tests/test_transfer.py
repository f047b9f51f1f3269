"""Starting from a trained model of other classes: which tensors come along, which are new, and what is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from folders import VOC_NAMES, write_voc
from safetensors.torch import load_file
from variants import TINY, stopped_after_an_epoch

from addgcn.cli import main
from addgcn.data import COCO_CLASSES, VOC_CLASSES
from addgcn.data.scenes import CLASSES
from addgcn.errors import InputError
from addgcn.records import read_json, sha256
from addgcn.runs import read_checkpoint
from addgcn.train import train
from addgcn.transfer import start_model

VOC = replace(TINY, batch_size=2, augment="flip")  # the folder has four images to train on


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    write_voc(tmp_path / "voc")
    return tmp_path / "voc"


def folder_of(recipe, tmp_path: Path) -> Path:
    torch.manual_seed(5)
    recipe.build(18, CLASSES).save_pretrained(tmp_path / "source")
    return tmp_path / "source"


VARIANTS = {
    "paper": TINY,
    "released": replace(TINY, wiring="released"),
    "P-cat, sum": replace(TINY, graph="P-cat", readout="sum", wiring="released"),
    "conv": replace(TINY, representation="conv"),
    "gap": replace(TINY, model="gap"),
    "mlgcn": replace(TINY, model="mlgcn"),
    "ssgrl": replace(TINY, model="ssgrl"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_what_has_a_row_for_each_class_is_new_and_the_rest_is_kept(name: str, tmp_path: Path) -> None:
    recipe = VARIANTS[name]
    source = load_file(folder_of(recipe, tmp_path) / "model.safetensors")
    torch.manual_seed(0)
    model, init = start_model(recipe, VOC_NAMES, tmp_path / "source")
    torch.manual_seed(0)
    fresh = recipe.build(3, VOC_NAMES).state_dict()
    assert init is not None
    assert sorted(init["kept"] + init["new"]) == sorted(fresh)
    for key, value in model.state_dict().items():
        by_shape = value.shape != source[key].shape  # 18 classes there, 3 here
        assert (key in init["new"]) == by_shape, key
        assert torch.equal(value, (fresh if by_shape else source)[key]) or value.isnan().any(), key
    assert init["new"]
    assert any(key.startswith("backbone.") for key in init["kept"])
    assert init["sha256"] == sha256(tmp_path / "source" / "model.safetensors")


def test_by_name_for_the_full_model(tmp_path: Path) -> None:
    recipe = TINY
    _, init = start_model(recipe, VOC_NAMES, folder_of(recipe, tmp_path))
    assert init is not None
    print(init["new"])
    for part in ("representation", "graph", "readout"):
        assert any(key.startswith(part) for key in init["new"]), part
    assert not any(key.startswith("backbone") for key in init["new"])


def test_as_many_other_classes_are_new_rows_all_the_same(tmp_path: Path) -> None:
    names = [*CLASSES[:-1], "unicorn"]
    source = load_file(folder_of(TINY, tmp_path) / "model.safetensors")
    model, init = start_model(TINY, names, tmp_path / "source")
    _, of_three = start_model(TINY, VOC_NAMES, tmp_path / "source")
    assert init is not None
    assert of_three is not None
    assert init["new"] == of_three["new"]  # seventeen classes have the same name: their rows are new, too
    weight = next(key for key in init["new"] if key.endswith("weight"))
    assert not torch.isclose(model.state_dict()[weight], source[weight]).any()

    again, init = start_model(TINY, CLASSES, tmp_path / "source")  # the very same classes
    assert init is not None
    assert init["new"] == []
    assert all(torch.equal(value, source[key]) for key, value in again.state_dict().items())
    _, init = start_model(TINY, CLASSES[::-1], tmp_path / "source")
    assert init is not None
    assert init["new"] == of_three["new"]


def test_what_the_docstring_says_of_coco_and_voc() -> None:
    assert len(set(VOC_CLASSES) & set(COCO_CLASSES)) == 14
    assert set(VOC_CLASSES) - set(COCO_CLASSES) == {
        "aeroplane", "diningtable", "motorbike", "pottedplant", "sofa", "tvmonitor",
    }  # fmt: skip


def test_a_run_from_a_run(scenes_run: Path, voc: Path, tmp_path: Path) -> None:
    """After an epoch at learning rate zero, the weights are those it started from; nothing else came along."""
    still = replace(VOC, lr=0.0, lr_trunk=1e-12, weight_decay=0.0, ema=0.0, augment="none")
    record = train(still, "voc2007", tmp_path / "run", voc, init_from=scenes_run)
    source, own = (load_file(folder / "model.safetensors") for folder in (scenes_run, tmp_path / "run"))
    torch.manual_seed(still.seed)
    fresh = still.build(3, VOC_NAMES).state_dict()
    for key, value in own.items():
        if "running" not in key and "num_batches" not in key:
            torch.testing.assert_close(value, fresh[key] if key in record["init"]["new"] else source[key])
    assert record["init"]["record"] == read_json(scenes_run / "record.json")["id"]
    assert record["init"]["from"] == str(scenes_run)
    checkpoint = read_checkpoint(tmp_path / "run" / "checkpoint.pt")
    assert checkpoint["epoch"] == 1  # of its own; the run it came from had two
    assert "init" not in read_json(scenes_run / "record.json")


@pytest.mark.parametrize("frozen", [False, True])
def test_resumed(frozen: bool, scenes_run: Path, voc: Path, tmp_path: Path) -> None:
    recipe = replace(VOC, epochs=2, lr_trunk=0.0 if frozen else 0.01)
    source = Path(shutil.copytree(scenes_run, tmp_path / "source"))
    whole = train(recipe, "voc2007", tmp_path / "whole", voc, init_from=source)
    with stopped_after_an_epoch():
        train(recipe, "voc2007", tmp_path / "broken", voc, init_from=source)
    main(["train", "--out", str(tmp_path / "broken"), "--resume"])  # what it started from stands in run.json
    resumed = read_json(tmp_path / "broken" / "record.json")
    assert resumed["scores_sha256"] == whole["scores_sha256"]
    assert resumed["init"] == whole["init"]


def test_refused(scenes_run: Path, voc: Path, tmp_path: Path) -> None:
    for changed, named in (
        ({"graph": "S"}, "graph is 'S-D' there and 'S' here"),
        ({"dim": 16, "attend": "sum"}, "attend is 'mean' there and 'sum' here, dim is 8 there and 16 here"),
        ({"backbone": "resnet18"}, "backbone is 'scenes' there and 'resnet18' here"),
        ({"model": "gap"}, "architecture is 'ADDGCN' there and 'GAP' here."),
    ):
        with pytest.raises(InputError, match="is another one") as caught:
            train(replace(VOC, **changed), "voc2007", tmp_path / "run", voc, init_from=scenes_run)
        assert named in str(caught.value)
    with pytest.raises(InputError, match="there is no folder"):
        start_model(TINY, VOC_NAMES, tmp_path / "none")
    copy = Path(shutil.copytree(scenes_run, tmp_path / "copy"))
    (copy / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a whole safetensors file"):
        start_model(TINY, VOC_NAMES, copy)
