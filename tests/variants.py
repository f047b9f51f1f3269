"""Small models of every variant, for tests: each row of tables 4, 5, 6 and of figure 3, in both wirings."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from addgcn import ADDGCN, GAP, GMP
from addgcn.recipes import Recipe

train = importlib.import_module("addgcn.train")  # the module, not the function of that name
WIRINGS = ("paper", "released")
C, D, DIM = 5, 12, 8

#: A run of a second or less; tests change what they are about with `dataclasses.replace`.
TINY = Recipe(
    backbone="scenes",
    weights=None,
    attend="mean",
    dim=8,
    size=32,
    augment="none",
    epochs=1,
    batch_size=16,
    lr=0.05,
    lr_trunk=0.01,
    over="sum",
    workers=0,
)


class Stop(BaseException):
    """Like a kill: nothing catches it."""


@contextmanager
def stopped_after_an_epoch() -> Iterator[None]:
    """A training in it is stopped as soon as the checkpoint of its first whole epoch is written."""
    save = train.save_checkpoint

    def save_and_stop(out: Path, recipe: Recipe, data: Any, epoch: int, *args: Any) -> None:
        save(out, recipe, data, epoch, *args)
        if epoch:
            raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "save_checkpoint", save_and_stop)
        with pytest.raises(Stop):
            yield


class Trunk(nn.Module):
    """A very small backbone of stride 8."""

    def __init__(self, out_channels: int = D) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv = nn.Conv2d(3, out_channels, 8, 8)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images).relu()


def addgcn(**settings) -> ADDGCN:
    torch.manual_seed(0)
    return ADDGCN(C, backbone=Trunk(), dim=DIM, **settings)


def pictures(B: int = 4, height: int = 32, width: int = 24, seed: int = 1) -> Tensor:
    return torch.randn(B, 3, height, width, generator=torch.Generator().manual_seed(seed))


# --- Every row of tables 4, 5, 6 and figure 3. What a row has no part for is None and named beside it.

ROWS = {
    "table 4: S": ({"graph": "S"}, {"A_d"}),
    "table 4: D": ({"graph": "D"}, {"A_s"}),
    "table 4: P (add)": ({"graph": "P-add"}, set()),
    "table 4: P (mul)": ({"graph": "P-mul"}, set()),
    "table 4: P (cat)": ({"graph": "P-cat"}, set()),
    "table 4: D -> S": ({"graph": "D-S"}, set()),
    "table 4: S -> D": ({"graph": "S-D"}, set()),
    "table 5: Sum": ({"readout": "sum"}, set()),
    "table 5: Avg": ({"readout": "avg"}, set()),
    "table 5: Max": ({"readout": "max"}, set()),
    "table 5: Bi": ({"readout": "bi"}, set()),
    "table 6: GAP -> cls": ({"maps": "gap-cls"}, set()),
    "table 6: GMP -> cls": ({"maps": "gmp-cls"}, set()),
    "table 6: cls -> GMP": ({"maps": "cls-gmp"}, set()),
    "figure 3: SAM alone": ({"graph": "none"}, {"A_s", "A_d"}),
    "figure 3: D-GCN alone": ({"representation": "conv"}, {"s_m", "maps"}),
    "figure 3: both": ({}, set()),
    "control: I": ({"graph": "I"}, {"A_d"}),
    "control: I-I": ({"graph": "I-I"}, set()),
    "mean attention": ({"attend": "mean"}, set()),
}
VARIANTS = [
    pytest.param(lambda s=settings, w=wiring: addgcn(wiring=w, **s), absent, id=f"{row}, {wiring}")
    for (row, (settings, absent)), wiring in itertools.product(ROWS.items(), WIRINGS)
]
BASELINES = [  # the first row of table 4, and the same with max pooling
    pytest.param(
        lambda cls=cls: (torch.manual_seed(0), cls(C, backbone=Trunk()))[1],
        {"s_r", "V", "H", "Z", "A_s", "A_d"},
        id=f"baseline {cls.__name__}",
    )
    for cls in (GAP, GMP)
]
