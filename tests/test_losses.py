"""Equation 5 against its plain formula, torch's own loss and the released code's number."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from addgcn.errors import InputError
from addgcn.losses import multilabel_loss


def batch(ignored: bool) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(6, 5, generator=random)
    targets = torch.randint(-1 if ignored else 0, 2, (6, 5), generator=random, dtype=torch.int8)
    return scores.requires_grad_(), targets


def test_by_hand():
    scores = torch.tensor([[math.log(3), 0.0], [0.0, -math.log(3)]])  # sigma = 3/4, 1/2; 1/2, 1/4
    targets = torch.tensor([[1, 0], [-1, 1]])
    total = math.log(4 / 3) + math.log(2) + math.log(4)
    assert multilabel_loss(scores, targets, over="mean").item() == pytest.approx(total / 3)
    assert multilabel_loss(scores, targets, over="sum").item() == pytest.approx(total / 2)


def test_mean_is_torch_soft_margin_loss_and_sum_is_c_times_that():
    scores, targets = batch(ignored=False)
    expected = torch.nn.MultiLabelSoftMarginLoss()(scores, targets.float())
    torch.testing.assert_close(multilabel_loss(scores, targets), expected)
    torch.testing.assert_close(multilabel_loss(scores, targets, over="sum"), 5 * expected)


@pytest.mark.parametrize("over", ["mean", "sum"])
def test_ignored_targets_count_nothing(over: str):
    scores, targets = batch(ignored=True)
    gradient = torch.autograd.grad(multilabel_loss(scores, targets, over), scores)[0]
    assert (gradient[targets == -1] == 0).all()
    assert (gradient[targets != -1] != 0).all()
    moved = torch.where(targets == -1, scores + 7, scores)
    assert multilabel_loss(moved, targets, over) == multilabel_loss(scores, targets, over)


@pytest.mark.parametrize("over", ["mean", "sum"])
def test_gradient_is_sigma_minus_y(over: str):
    scores, targets = batch(ignored=False)
    gradient = torch.autograd.grad(multilabel_loss(scores, targets, over), scores)[0]
    torch.testing.assert_close(gradient, (scores.sigmoid() - targets) / (30 if over == "mean" else 6))


@pytest.mark.parametrize("over", ["mean", "sum"])
def test_nothing_to_count_is_zero_with_a_gradient(over: str):
    scores = torch.randn(2, 3, requires_grad=True)
    loss = multilabel_loss(scores, torch.full((2, 3), -1), over)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(scores.grad, torch.zeros(2, 3))


def test_far_logits_stay_finite():
    scores = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = multilabel_loss(scores, torch.tensor([[0, 1]]))
    loss.backward()
    assert loss.item() == 200
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.float32, torch.bool])
def test_any_type_of_target(dtype: torch.dtype):
    scores, targets = batch(ignored=False)
    assert multilabel_loss(scores, targets.to(dtype)) == multilabel_loss(scores, targets)


def test_released_training_loss(shared):
    golden = np.load(shared("golden/public_head_c5.npz"))
    scores = torch.from_numpy(golden["train_scores"])
    present = np.random.default_rng([7, 2]).random(scores.shape) < 0.3  # the targets' rule, seed 7
    loss = multilabel_loss(scores, torch.from_numpy(present))
    assert loss.item() == pytest.approx(golden["train_loss"].item(), rel=1e-6)


@pytest.mark.parametrize(
    ("scores", "targets", "over", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), "mean", r"\(2, 3\) and targets of \(2, 4\)"),
        (torch.zeros(3), torch.zeros(3), "mean", r"give \(B, C\)"),
        (torch.zeros(0, 3), torch.zeros(0, 3), "mean", r"\(0, 3\)"),
        (torch.zeros(2, 3), torch.full((2, 3), 2), "mean", "other than 1"),
        (torch.zeros(2, 3), torch.full((2, 3), 0.5), "sum", "other than 1"),
        (torch.zeros(2, 3), torch.full((2, 3), math.nan), "sum", "other than 1"),
        (torch.zeros(2, 3), torch.full((2, 3), 255, dtype=torch.uint8), "mean", "other than 1"),
        (torch.zeros(2, 3), torch.zeros(2, 3), "men", "Did you mean 'mean'"),
    ],
)
def test_bad_input(scores: torch.Tensor, targets: torch.Tensor, over: str, message: str):
    with pytest.raises(InputError, match=message):
        multilabel_loss(scores, targets, over)
