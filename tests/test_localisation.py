"""Figure 4 as a statistic: maps against boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from addgcn import ADDGCN
from addgcn.baselines import GAP
from addgcn.data import load
from addgcn.localisation import JUDGED, cells_inside, judge_maps, localisation
from addgcn.model import Explanation


def test_cells_by_hand():
    # a 4 x 2 image (height x width) on 4 x 2 cells of one pixel: the box covers the pixels (0, 1) and (0, 2)
    inside = cells_inside([(0, 1, 1, 3)], (4, 2), (4, 2))
    assert inside.tolist() == [[False, False], [True, False], [True, False], [False, False]]
    # half a cell of slack: a box of one pixel between two coarse cells reaches into both
    assert cells_inside([(7, 0, 9, 2)], (16, 16), (2, 2)).tolist() == [[True, True], [False, False]]
    assert not cells_inside([], (16, 16), (2, 2)).any()


def test_two_boxes_are_joined():
    inside = cells_inside([(0, 0, 2, 2), (6, 6, 8, 8)], (8, 8), (4, 4))
    assert inside.nonzero().tolist() == [[0, 0], [3, 3]]


def test_a_map_by_hand():
    inside = torch.tensor([[True, False], [False, False]])
    good, bad = torch.tensor([[0.6, 0.2], [0.1, 0.1]]), torch.tensor([[0.1, 0.2], [0.6, 0.1]])
    found = judge_maps(torch.stack([good, bad]), torch.stack([inside, inside]))
    expected = {"pointing": [1.0, 0.0], "energy": [0.6, 0.1], "area": [0.25, 0.25], "brighter": [1.0, 0.0]}
    assert {name: value.tolist() for name, value in found.items()} == pytest.approx(
        {name: pytest.approx(value) for name, value in expected.items()}
    )


class Oracle:
    """A model whose maps are the boxes themselves, or the opposite."""

    def __init__(self, dataset: Any, inverted: bool) -> None:
        self.maps = torch.zeros(len(dataset), len(dataset.classes), 8, 8)
        for n in range(len(dataset)):
            for c in range(len(dataset.classes)):
                self.maps[n, c] = cells_inside([box for k, box in dataset.boxes(n) if k == c], (64, 64), (8, 8)).float()
        if inverted:
            self.maps = 1 - self.maps

    def eval(self) -> None:
        pass

    def explain_features(self, X: Tensor) -> Explanation:
        maps = self.maps[X[:, 0, 0, 0].long()]
        return Explanation(maps.amax((2, 3)), None, maps.mean((2, 3)), maps, *[None] * 5)


@pytest.mark.parametrize(("inverted", "expected"), [(False, 1.0), (True, 0.0)])
def test_perfect_and_inverted_maps(scenes_small: Path, inverted: bool, expected: float):
    dataset = load("scenes", "id", scenes_small)
    X = torch.arange(len(dataset)).float().view(-1, 1, 1, 1)  # features that only say which image it is
    batches = list(zip(X.split(10), dataset.targets.split(10), strict=True))
    found = localisation(Oracle(dataset, inverted), batches, dataset)
    assert [found[name] for name in ("pointing", "energy", "brighter")] == [expected] * 3
    assert 0.02 < found["area"] < 0.6
    assert found["maps"] <= int((dataset.targets == 1).sum())
    seen = (dataset.targets == 1).any(0)
    for name in JUDGED:
        assert [value is not None for value in found["by_category"][name]] == seen.tolist()


def test_the_baselines_class_activation_maps_are_judged_too(scenes_small: Path):
    dataset = load("scenes", "id", scenes_small)
    batches = [(torch.zeros(len(dataset), 96, 8, 8), dataset.targets)]
    assert set(localisation(GAP(18, "scenes"), batches, dataset)) == {*JUDGED, "maps", "by_category"}


def test_a_model_without_maps(scenes_small: Path):
    dataset = load("scenes", "id", scenes_small)
    batches = [(torch.zeros(len(dataset), 96, 8, 8), dataset.targets)]
    conv = ADDGCN(18, "scenes", representation="conv", dim=4)
    assert localisation(conv, batches, dataset) == {}
