"""Saving and loading: what lies in the folder, writes that leave no half a file, and what is refused."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import addgcn.pretrained
from addgcn import ADDGCN, GAP, GMP, InputError, load_model
from addgcn.pretrained import read_config, read_safetensors

CLASSES = ("car", "Blumentopf", "犬")


class Trunk(nn.Conv2d):
    """A backbone of one layer; nn.Conv2d has `out_channels`."""

    def __init__(self) -> None:
        super().__init__(3, 6, 8, 8)


def images() -> Tensor:
    return torch.randn(2, 3, 32, 24, generator=torch.Generator().manual_seed(0))


def small(**settings) -> ADDGCN:
    return ADDGCN(3, backbone="scenes", dim=8, classes=CLASSES, **settings).eval()


# --- The folder.


def test_the_configuration_holds_every_argument(tmp_path):
    small(wiring="released", graph="P-cat", readout="max", maps="gmp-cls", attend="mean").save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "architecture": "ADDGCN", "num_classes": 3, "backbone": "scenes", "weights": None, "wiring": "released",
        "representation": "sam", "maps": "gmp-cls", "graph": "P-cat", "readout": "max", "attend": "mean", "dim": 8,
        "classes": list(CLASSES),
    }  # fmt: skip
    assert sorted(os.listdir(tmp_path)) == ["README.md", "config.json", "model.safetensors"]


def test_the_model_card_says_what_it_is_and_is_not_written_over(tmp_path):
    small().save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "# ADDGCN\n" in card
    assert ", ".join(CLASSES) in card
    assert "pushed to the Hub" not in card
    (tmp_path / "README.md").write_text("mine")
    small().save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda **kw: ADDGCN(3, dim=8, wiring="released", **kw), id="ADDGCN"),
        pytest.param(lambda **kw: GAP(3, **kw), id="GAP"),
        pytest.param(lambda **kw: GMP(3, **kw), id="GMP"),
    ],
)
def test_load_model_knows_which_class(make, tmp_path):
    model = make(backbone="scenes", classes=CLASSES)
    model(images())  # in training mode: BatchNorm's statistics move, and must come along
    model.eval().save_pretrained(tmp_path / "a" / "b")
    loaded = load_model(tmp_path / "a" / "b")
    assert type(loaded) is type(model)
    assert loaded.classes == CLASSES
    assert not loaded.training
    assert torch.equal(loaded(images()), model(images()))
    loaded.save_pretrained(tmp_path / "again")
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "a" / "b" / name).read_bytes()


def test_channels_last_weights_are_saved_like_any_others(tmp_path):
    model = small()
    before = model(images())
    model.to(memory_format=torch.channels_last).save_pretrained(tmp_path)
    assert torch.equal(load_model(tmp_path)(images()), before)


def test_a_backbone_of_your_own_is_asked_for(tmp_path):
    model = ADDGCN(3, backbone=Trunk(), dim=8).eval()
    model.save_pretrained(tmp_path)
    assert read_config(tmp_path)["backbone"] is None
    for load in (load_model, ADDGCN.from_pretrained):
        with pytest.raises(InputError, match="pass it as backbone="):
            load(tmp_path)
        assert torch.equal(load(tmp_path, backbone=Trunk())(images()), model(images()))


def test_an_argument_replaces_a_saved_one(tmp_path):
    """Weights trained with the sum of eq. 1 can be run with the mean: no shape changes."""
    model = small(attend="sum")
    model.save_pretrained(tmp_path)
    changed = ADDGCN.from_pretrained(tmp_path, attend="mean")
    torch.testing.assert_close(changed.explain(images()).V * 12, model.explain(images()).V)  # 4 x 3 positions


def test_weights_from_a_file(tmp_path):
    model = small()
    model.save_pretrained(tmp_path)
    filled = small(weights=str(tmp_path / "model.safetensors"))
    assert torch.equal(filled(images()), model(images()))


# --- A write that fails leaves what was there.


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(1)
    model = small()
    model.save_pretrained(tmp_path)
    return tmp_path, model(images())


@pytest.mark.parametrize("broken", ["model.safetensors", "config.json"])
def test_a_stop_in_the_middle_leaves_the_former_model(saved, monkeypatch, broken):
    folder, scores = saved
    real = os.replace

    def stop(source, target):
        if str(target).endswith(broken):
            raise KeyboardInterrupt  # the process is stopped when the new file is complete but not in place
        real(source, target)

    monkeypatch.setattr(addgcn.pretrained.os, "replace", stop)
    other = small()
    with pytest.raises(KeyboardInterrupt):
        other.save_pretrained(folder)
    monkeypatch.undo()
    assert sorted(os.listdir(folder)) == ["README.md", "config.json", "model.safetensors"]
    kept = load_model(folder)(images())  # the former weights, or the new ones whole
    assert torch.equal(kept, scores if broken == "model.safetensors" else other(images()))


def test_a_full_disk_has_a_message(saved, monkeypatch):
    folder, scores = saved

    def full(state, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(addgcn.pretrained, "save_file", full)
    with pytest.raises(InputError, match=r"cannot save the model to .*: No space left on device"):
        small().save_pretrained(folder)
    assert sorted(os.listdir(folder)) == ["README.md", "config.json", "model.safetensors"]
    assert torch.equal(load_model(folder)(images()), scores)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot save the model to"):
        small().save_pretrained(tmp_path / "file" / "model")


# --- What is refused, and how it is said.


def test_no_folder_no_configuration_no_weights(saved, tmp_path):
    folder, _ = saved
    with pytest.raises(InputError, match="there is no folder"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"config\.json is missing"):
        load_model(shutil.copytree(folder, tmp_path / "a", ignore=shutil.ignore_patterns("config.json")))
    with pytest.raises(InputError, match=r"model\.safetensors does not exist"):
        load_model(shutil.copytree(folder, tmp_path / "b", ignore=shutil.ignore_patterns("model.safetensors")))


def test_a_folder_with_a_pickle_alone(tmp_path):
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin, which may be a pickle and is not opened"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is damaged"),
        ('{"num_classes": 3', "is damaged"),
        ("[]", "is damaged"),
        ('{"num_classes": 3}', "is damaged .*architecture"),
        ('{"num_classes": "3", "architecture": "GAP"}', "num_classes must be a whole number"),
        ('{"num_classes": 3, "architecture": "GAB"}', "'GAP'"),
    ],
)
def test_a_damaged_configuration(saved, text, message):
    folder, _ = saved
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError, match=message):
        load_model(folder)


def test_a_truncated_file(saved):
    folder, _ = saved
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_model(folder)


def test_another_class_than_the_saved_one(saved):
    with pytest.raises(InputError, match=r"holds a ADDGCN, not a GAP: load it with ADDGCN\.from_pretrained"):
        GAP.from_pretrained(saved[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"wiring": "released"}, r"lacks \d+ keys.*has unknown 1 keys.*another wiring"),
        ({"graph": "none"}, "has unknown 6 keys"),
        ({"dim": 4}, r"tensors differ in shape.*\(8,\) in the file, \(4,\) in the model"),
        ({"num_classes": 2, "classes": None}, r"tensors differ in shape.*another number of classes"),
    ],
)
def test_weights_of_another_model(saved, settings, message):
    folder, _ = saved
    with pytest.raises(InputError, match=message):
        ADDGCN.from_pretrained(folder, **settings)


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    model, other = small(), small(readout="sum")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"other\.safetensors does not fit this ADDGCN"):
        model.load_weights(tmp_path / "other.safetensors")
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["model.pth", "model.bin", "model.pt", "model.pkl"])
def test_a_pickle_is_not_opened(tmp_path, name):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save(Trap(), tmp_path / name)
    with pytest.raises(InputError, match="may be a pickle"):
        read_safetensors(tmp_path / name)
    shutil.copy(tmp_path / name, tmp_path / "renamed.safetensors")
    with pytest.raises(InputError, match="not a whole safetensors file"):
        read_safetensors(tmp_path / "renamed.safetensors")
    assert not (tmp_path / "sprung").exists()
