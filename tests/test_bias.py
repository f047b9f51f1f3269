"""The three failures of the paper's introduction as rates."""

from __future__ import annotations

import math

import pytest
import torch

from addgcn.bias import RATES, bias, company, failures, with_and_without

#                   car  truck  toilet
Y = torch.tensor(
    [
        [1, 1, 0],
        [1, 1, 0],
        [1, 0, 0],
        [1, 0, 1],
        [0, 1, 0],
        [0, 0, 1],
        [0, 0, 1],
        [-1, 1, 0],
    ]
)
S = torch.tensor([3.0, -1, -2, 4, 5, 6, -1, 7])[:, None].expand(8, 3)  # says yes to 0, 3, 4, 5, 7


def test_by_hand():
    # the car with a truck: images 0 (found) and 1 (missed); without: 2 (missed), 3 (found)
    # no car, but a truck: image 4, invented; neither: 5 invented, 6 not. Image 7 ignores the car.
    assert failures(S, Y, 0, 1) == {
        "missed with": 50.0, "missed without": 50.0, "invented with": 100.0, "invented without": 50.0
    }  # fmt: skip


def test_average_precision_with_and_without():
    # by score: 7 ignored, 6 and 5 no car, 4 car alone, 3 and -1 car with truck, -1 no car, -2 car alone
    found = with_and_without(S, Y, 0, 1)
    # with trucks: ranks 1 2 no, 3 yes, then a group of two (one yes, one no): 1/3 and 2/5
    assert found["AP with"] == pytest.approx(100 * (1 / 3 + 2 / 5) / 2)
    assert found["AP without"] == pytest.approx(100 * (1 / 3 + 2 / 5) / 2)  # 4 at rank 3, and -2 last of five


def test_what_does_not_exist_is_nan():
    rates = failures(S[:2], Y[:2], 0, 1)  # only cars with trucks
    assert rates["missed with"] == 50.0
    assert all(math.isnan(rates[name]) for name in RATES[1:])


def test_an_ignored_other_is_left_out():
    y = Y.clone()
    y[1, 1] = -1
    assert failures(S, y, 0, 1)["missed with"] == 0.0


def test_company_by_hand():
    # P(car | truck) = 2/4, P(car | toilet) = 1/3; P(truck | car) = 2/4, P(truck | toilet) = 0;
    # P(toilet | car) = 1/4, P(toilet | truck) = 0
    assert company(Y) == ([1, 0, 0], [2, 2, 1])


def test_a_model_that_copies_the_companion():
    g = torch.Generator().manual_seed(0)
    train = (torch.rand(400, 3, generator=g) < 0.5).int()
    train[:, 1] = torch.where(
        torch.rand(400, generator=g) < 0.9, train[:, 0], train[:, 1]
    )  # truck where there is a car
    test = (torch.rand(400, 3, generator=g) < 0.5).int()  # no habits
    copied = torch.stack([test[:, 1], test[:, 0], test[:, 2]], 1).float() - 0.5
    found = bias(copied, test, train, ("car", "truck", "toilet"))
    assert found["car, truck"] == {
        "missed with": 0.0, "missed without": 100.0, "invented with": 100.0, "invented without": 0.0
    }  # fmt: skip
    assert found["companion"]["missed without"] > found["companion"]["missed with"] + 50
    perfect = bias(test.float() - 0.5, test, train, ("car", "truck", "toilet"))
    assert [perfect["companion"][name] for name in RATES] == [perfect["stranger"][name] for name in RATES] == [0.0] * 4
    assert perfect["companion"]["AP with"] == perfect["companion"]["AP without"] == 100.0
    assert found["companion"]["AP with"] > found["companion"]["AP without"] + 5


def test_pairs_that_are_no_classes_are_left_out():
    found = bias(S, Y, Y, ("cat", "truck", "toilet"))
    assert set(found) == {"companion", "stranger"}


def test_no_category_with_all_four_rates():
    assert bias(S[:2], Y[:2], Y, ("car", "truck", "toilet"))["companion"] is None


def test_means_are_over_categories():
    found = bias(S, Y, Y, ("a", "b", "c"))
    rows = [failures(S, Y, c, k) | with_and_without(S, Y, c, k) for c, k in enumerate(company(Y)[0])]
    whole = [row for row in rows if all(map(math.isfinite, row.values()))]
    assert found["companion"]["invented with"] == pytest.approx(sum(r["invented with"] for r in whole) / len(whole))
