"""Fixtures: where the shared real data lies (if it does), one thread, a small set of scenes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard() -> None:
    """A shell starts what it runs in the background with Ctrl-C ignored, and children would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _leave_nothing_behind() -> Iterator[None]:
    """The chapters' cells run in the tests' process: what they set in the environment goes with them."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared("golden/x.npz")` is a file of the shared data beside the project; the test is skipped without it."""

    def find(path: str) -> Path:
        if not (SHARED / path).exists():
            pytest.skip(f"needs ../shared/{path}, which is not part of the project")
        return SHARED / path

    return find


@pytest.fixture(scope="session")
def scenes_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set of scenes as a COCO folder: 64 training images, 32 in every other split."""
    from addgcn.data.scenes.write import write_scenes

    root = tmp_path_factory.mktemp("scenes")
    sizes = {"train": 64, "train-flat": 32, "id": 32, "ood": 32, "bg": 32}
    write_scenes(root, sizes=sizes, workers=1, progress=False)
    os.environ.setdefault("ADDGCN_CACHE", str(tmp_path_factory.mktemp("cache")))
    return root


@pytest.fixture(scope="session")
def scenes_run(scenes_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of two short epochs on them. For reading: a test that changes it makes a copy first."""
    from variants import TINY

    from addgcn.train import train

    out = tmp_path_factory.mktemp("run") / "scenes"
    train(replace(TINY, epochs=2), "scenes", out, scenes_small)
    return out
