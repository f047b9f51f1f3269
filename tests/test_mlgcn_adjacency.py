"""ML-GCN's label graph: against its released code's matrices, by hand, and in its direction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from addgcn.baselines import label_graph
from addgcn.errors import InputError
from addgcn.records import cooccurrence


@pytest.mark.parametrize("name", ["coco", "voc"])
def test_golden(name: str, shared: Callable[[str], Path]):
    _, images, pairs = cooccurrence(name)
    with np.load(shared("golden/mlgcn_adjacency.npz"), allow_pickle=False) as golden:
        wanted = torch.from_numpy(golden[name])
    A = label_graph(pairs, images)
    assert A.dtype == wanted.dtype == torch.float32
    torch.testing.assert_close(A, wanted, rtol=0, atol=1e-6)


def test_three_categories_by_hand():
    # 0 in 10 images, 1 in 4, 2 in 5; P(0|1) = 3/4, P(0|2) = 2/5 (just a link), P(1|0) = 0.3, P(2|0) = 0.2: no links
    pairs = np.array([[0, 3, 2], [3, 0, 0], [2, 0, 0]])
    A = label_graph(pairs, np.array([10, 4, 5]))
    # before the normalisation: loops 1, and 0.25 / 2 from each of 1 and 2 to 0; row sums 1, 1.125, 1.125
    heard = 0.125 / 1.125**0.5
    wanted = torch.tensor([[1, heard, heard], [0, 1 / 1.125, 0], [0, 0, 1 / 1.125]])
    torch.testing.assert_close(A, wanted, rtol=0, atol=1e-6)


def test_direction():
    """A truck implies a car, so the car's node listens to the truck's, and not the other way round."""
    classes, images, pairs = cooccurrence("coco")
    A, (car, truck) = label_graph(pairs, images), (classes.index(name) for name in ("car", "truck"))
    assert pairs[truck, car] / images[truck] > 0.4 > pairs[truck, car] / images[car]
    assert A[car, truck] > 0.03
    assert A[truck, car] == 0


def test_threshold_and_weight():
    _, images, pairs = cooccurrence("voc")
    assert torch.equal(label_graph(pairs, images, threshold=1.1), torch.eye(20))
    torch.testing.assert_close(label_graph(pairs, images, p=0.0), torch.eye(20))
    links = [int((label_graph(pairs, images, t) > 0).sum()) for t in (0.0, 0.1, 0.4, 0.8)]
    assert links == sorted(links, reverse=True)
    assert links[0] == 400


def test_tensors_and_a_filled_diagonal_change_nothing():
    _, images, pairs = cooccurrence("voc")
    filled = torch.from_numpy(pairs) + torch.diag(torch.from_numpy(images))
    assert torch.equal(label_graph(filled, torch.from_numpy(images)), label_graph(pairs, images))


def test_a_category_without_images_hears_itself_alone():
    pairs = np.array([[0, 0, 0], [0, 0, 5], [0, 5, 0]])
    A = label_graph(pairs, np.array([0, 6, 5]))
    assert A.isfinite().all()
    assert A[0].tolist() == [1, 0, 0]
    assert A[:, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("pairs", "images"),
    [
        (np.zeros((3, 2)), np.ones(3)),
        (np.zeros((3, 3)), np.ones(4)),
        (np.array([[0, 9], [9, 0]]), np.array([10, 5])),
        (np.array([[0, 9], [9, 0]]), np.array([5, 10])),
    ],
)
def test_counts_that_do_not_fit(pairs: np.ndarray, images: np.ndarray):
    with pytest.raises(InputError, match="do not fit"):
        label_graph(pairs, images)
