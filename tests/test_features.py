"""Cached features are the live ones, and the cache knows when they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from addgcn import arrays, features
from addgcn.backbone import build_backbone
from addgcn.data import load
from addgcn.data.transforms import eval_transform
from addgcn.errors import InputError
from addgcn.features import cached_features


@pytest.fixture
def backbone() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_backbone("scenes").train()


def live(backbone: torch.nn.Module, root: Path, rows: list[int], mirror: bool = False) -> torch.Tensor:
    dataset = load("scenes", "ood", root, eval_transform(32, backbone.mean, backbone.std))
    images = torch.stack([dataset[i][0] for i in rows])
    with torch.no_grad():
        return backbone.eval()(images.flip(-1) if mirror else images)


def test_cached_equal_live(backbone: torch.nn.Module, scenes_small: Path, tmp_path: Path) -> None:
    dataset = load("scenes", "ood", scenes_small)
    cached = cached_features(backbone, dataset, 32, mirror=True, folder=tmp_path, batch_size=5)
    assert backbone.training  # as it was
    assert dataset.transform is None
    assert len(cached) == 32
    assert torch.equal(cached.targets, dataset.targets)
    rows = [0, 7, 31]
    for k, mirror in ((0, False), (1, True)):
        stored = torch.from_numpy(np.array(cached.features[k, rows]))
        torch.testing.assert_close(stored, live(backbone, scenes_small, rows, mirror), rtol=1e-5, atol=1e-5)
    # an item is one or the other, by torch's random numbers
    seen = set()
    for seed in range(8):
        torch.manual_seed(seed)
        X, y = cached[7]
        seen.add(int(np.array_equal(X.numpy(), cached.features[1, 7])))
        assert torch.equal(y, dataset.targets[7])
        assert np.array_equal(X.numpy(), cached.features[0, 7]) or np.array_equal(X.numpy(), cached.features[1, 7])
    assert seen == {0, 1}


def test_without_mirror_items_do_not_vary(backbone: torch.nn.Module, scenes_small: Path, tmp_path: Path) -> None:
    cached = cached_features(backbone, load("scenes", "ood", scenes_small), 32, folder=tmp_path)
    assert len(cached.features) == 1
    assert all(torch.equal(cached[3][0], cached[3][0]) for _ in range(4))


def test_the_cache_is_keyed_by_what_features_depend_on(
    backbone: torch.nn.Module, scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load("scenes", "ood", scenes_small)

    def files(**changes) -> int:
        cached_features(**{"backbone": backbone, "dataset": dataset, "size": 32, "folder": tmp_path, **changes})
        return len(list(tmp_path.iterdir()))

    assert files() == 1
    assert files() == 1
    assert files(size=40) == 2
    assert files(mirror=True) == 3
    assert files(dataset=load("scenes", "id", scenes_small)) == 4
    assert files(dataset=dataset.subset([3, 2, 1])) == 5
    assert files(dataset=dataset.subset([1, 2, 3])) == 6
    with torch.no_grad():
        backbone.stem[0].weight[0, 0, 0, 0] += 1e-6  # one weight, a little
    assert files() == 7
    backbone.mean = (0.4, 0.5, 0.5)
    assert files() == 8

    monkeypatch.setattr(features, "_compute", lambda *args: pytest.fail("it is there already"))
    files()


def test_a_damaged_cache_or_none_at_all(
    backbone: torch.nn.Module, scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load("scenes", "ood", scenes_small)
    cached_features(backbone, dataset, 32, folder=tmp_path / "a")
    (path,) = (tmp_path / "a").iterdir()
    for content in (path.read_bytes()[:5000], b"", b"hello"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"damaged .* remove the file"):
            cached_features(backbone, dataset, 32, folder=tmp_path / "a")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="ADDGCN_CACHE"):
        cached_features(backbone, dataset, 32, folder=tmp_path / "file" / "b")
    monkeypatch.setattr(arrays.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(InputError, match=r"need .* GiB"):
        cached_features(backbone, dataset, 32, folder=tmp_path / "c")
    assert list((tmp_path / "c").iterdir()) == []


def test_a_stop_in_the_middle_leaves_no_cache(
    backbone: torch.nn.Module, scenes_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, calls = load("scenes", "ood", scenes_small), []

    def stop(module, args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    hook = backbone.register_forward_pre_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        cached_features(backbone, dataset, 32, folder=tmp_path, batch_size=5)
    hook.remove()
    assert list(tmp_path.iterdir()) == []
    assert dataset.transform is None
    assert backbone.training
