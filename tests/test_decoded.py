"""Images that are decoded once: the same items, bit for bit, without another look at the JPEGs."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from variants import TINY

from addgcn import arrays
from addgcn.batches import SeededItems, items, start_accelerator
from addgcn.data import base, load
from addgcn.data.transforms import eval_transform, squashed_size, train_transform
from addgcn.decoded import DecodedOnce
from addgcn.errors import InputError
from addgcn.train import train

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADDGCN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "decoded"


@pytest.mark.parametrize("augment", ["multiscale", "flip", "none"])
@pytest.mark.parametrize("size", [32, 75])
def test_every_item_is_the_one_that_decoding_gives(augment: str, size: int, scenes_small: Path) -> None:
    data = load("scenes", "id", scenes_small, train_transform(size, MEAN, STD, augment))
    once = DecodedOnce(data, squashed_size(size, augment))
    assert len(once) == len(data)
    for epoch in range(2):
        for i in range(0, len(data), 5):
            key = epoch * len(data) + i
            (x, y), (x_once, y_once) = SeededItems(data, 3)[key], SeededItems(once, 3)[key]
            assert torch.equal(x, x_once)
            assert torch.equal(y, y_once)


def test_the_files_are_not_read_again(scenes_small: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load("scenes", "id", scenes_small, eval_transform(48, MEAN, STD))
    first = DecodedOnce(data, 48)[7][0]
    assert len(list(cache.iterdir())) == 1

    def never(path: Path) -> None:
        raise AssertionError(f"{path} is read")

    monkeypatch.setattr(base, "open_image", never)
    assert torch.equal(DecodedOnce(data, 48)[7][0], first)
    with pytest.raises(AssertionError, match="is read"):
        DecodedOnce(data, 32)  # another size is another file
    with pytest.raises(AssertionError, match="is read"):
        DecodedOnce(data.subset([1, 2]), 48)
    assert len(list(cache.iterdir())) == 1  # what was begun leaves nothing


def test_a_worker_is_not_sent_the_pixels(scenes_small: Path) -> None:
    once = DecodedOnce(load("scenes", "id", scenes_small), 64)
    sent = pickle.dumps(once)
    assert len(sent) < once.pixels.nbytes / 10
    assert pickle.loads(sent)[3][0].tobytes() == once[3][0].tobytes()


def test_a_run_is_the_same_with_it(scenes_small: Path, tmp_path: Path, cache: Path) -> None:
    recipe = replace(TINY, augment="multiscale", epochs=2, test_size=40)
    plain = train(recipe, "scenes", tmp_path / "plain", scenes_small)
    once = train(replace(recipe, decode_once=True), "scenes", tmp_path / "once", scenes_small)
    assert once["scores_sha256"] == plain["scores_sha256"]
    assert len(list(cache.iterdir())) == 2
    with_workers = train(replace(recipe, decode_once=True, workers=2), "scenes", tmp_path / "workers", scenes_small)
    assert with_workers["scores_sha256"] == plain["scores_sha256"]


def test_it_says_what_is_wrong(scenes_small: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load("scenes", "id", scenes_small)
    with monkeypatch.context() as patch:
        patch.setattr(arrays.shutil, "disk_usage", lambda path: arrays.shutil._ntuple_diskusage(1, 1, 1000))
        with pytest.raises(InputError, match=r"the decoded images need .* leave decode_once away"):
            DecodedOnce(data, 48)
    once = DecodedOnce(data, 48)
    whole = once.path.read_bytes()
    for wrong in (b"", whole[:-1000], b"nothing of the kind"):
        once.path.write_bytes(wrong)
        with pytest.raises(InputError, match=r"are damaged.*remove the file"):
            DecodedOnce(data, 48)
    once.path.unlink()
    cache.rmdir()
    cache.write_text("")  # a file where the folder should be
    with pytest.raises(InputError, match="ADDGCN_CACHE"):
        DecodedOnce(data, 48)
    for settings in ({"lr_trunk": 0.0}, {"on_bad_image": "skip"}):
        with pytest.raises(InputError, match="decode_once is for"):
            replace(TINY, decode_once=True, **settings)


def test_items_are_decoded_at_the_sizes_of_the_recipe(scenes_small: Path) -> None:
    recipe = replace(TINY, augment="multiscale", size=56, test_size=48, decode_once=True)
    model, accelerator = recipe.build(18), start_accelerator()
    parts = items(recipe, model, load("scenes", "train", scenes_small), load("scenes", "id", scenes_small), accelerator)
    assert [part.pixels.shape[1] for part in parts] == [64, 48]
    assert [tuple(part[0][0].shape) for part in parts] == [(3, 56, 56), (3, 48, 48)]
