"""The metrics against hand-computed cases, the released code's numbers, scikit-learn, torchmetrics, properties."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
import torchmetrics.classification as tm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, precision_recall_curve

from addgcn.errors import InputError
from addgcn.metrics import MODES, Metrics, MultiLabelMetrics, average_precision

# Six images, four categories: a tie with a negative, a ranking that the envelope lifts, two ignored, no positive.
SCORES = np.array([[3, 2, 2, 1, 0, -1], [6, 5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1], [-1, -1, -1, -1, -1, 3]], "f4").T
TARGETS = np.array([[1, 0, 1, 1, 0, 0], [0, 1, 1, 0, 0, 1], [1, -1, 0, 1, -1, 0], [0, 0, 0, 0, -1, 0]], "i1").T
AP_BY_HAND = {
    "raw": [(1 + 2 / 3 + 3 / 4) / 3, (1 / 2 + 2 / 3 + 1 / 2) / 3, (1 + 2 / 3) / 2, math.nan],
    "area": [(1 + 3 / 4 + 3 / 4) / 3, (2 / 3 + 2 / 3 + 1 / 2) / 3, (1 + 2 / 3) / 2, math.nan],
    # recall reaches a third at r = .3, two thirds at .6, a half at .5
    "11pt": [(4 + 7 * 3 / 4) / 11, (7 * 2 / 3 + 4 / 2) / 11, (6 + 5 * 2 / 3) / 11, math.nan],
}


def measure(scores, targets, **settings) -> Metrics:
    metrics = MultiLabelMetrics(np.shape(scores)[1], **settings)
    metrics.update(scores, targets)
    return metrics.compute()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor])
def test_average_precision_by_hand(mode, convert):
    AP = average_precision(convert(SCORES), convert(TARGETS), mode)
    assert AP.dtype == torch.float64
    np.testing.assert_allclose(AP, AP_BY_HAND[mode], rtol=1e-14)


def test_decisions_by_hand():
    threshold = 1 / (1 + math.exp(-2.5))  # s > 2.5: 1, 4, 4, 1 images are called, 1, 2, 2, 0 of them rightly
    m = measure(SCORES, TARGETS, threshold=threshold, top_k=1)
    expected = {"OP": 5 / 10, "OR": 5 / 8, "CP": (1 + 1 / 2 + 1 / 2) / 3, "CR": (1 / 3 + 2 / 3 + 1) / 3}
    # Categories 1 and 2 tie for the first place in every image, and both have it, but in the last one 3 does.
    top = {"OP": 4 / 9, "OR": 4 / 8, "CP": (0 + 1 / 2 + 1 / 2) / 3, "CR": (0 + 2 / 3 + 1) / 3}
    for got, want in ((m, expected), (m.top3, top)):
        want["OF1"] = 2 * want["OP"] * want["OR"] / (want["OP"] + want["OR"])
        want["CF1"] = 2 * want["CP"] * want["CR"] / (want["CP"] + want["CR"])
        assert {name: getattr(got, name) / 100 for name in want} == pytest.approx(want)
    assert m.mAP == pytest.approx(100 * np.mean(AP_BY_HAND["raw"][:3]))
    assert m.num_samples == 6
    assert m.absent == (3,)


def test_a_score_of_zero_is_a_no_and_the_next_one_a_yes():
    assert measure([[0.0]], [[1]]).OR == 0
    assert measure([[1e-9]], [[1]]).OR == 100  # sigma(1e-9) rounds to 0.5 in float32


def test_undefined_values():
    m = measure([[1.0, -1.0], [-1.0, -1.0]], [[0, 0], [0, -1]], classes=("cat", "dog"))
    assert m.absent == ("cat", "dog")
    assert all(math.isnan(x) for x in (m.mAP, *m.AP, m.OR, m.CP, m.CR, m.CF1))
    assert m.OP == 0
    silent = measure([[-1.0, -1.0]], [[1, 1]])  # nothing predicted: precision 0, not NaN
    assert (silent.OP, silent.OR, silent.OF1, silent.CP, silent.CF1) == (0, 0, 0, 0, 0)


def test_as_dict_is_plain_json():
    m = measure(SCORES, TARGETS, classes=("car", "bus", "dog", "sofa"))
    read = json.loads(json.dumps(m.as_dict(), allow_nan=False))
    assert read["AP"][3] is None
    assert read["AP"][:3] == list(m.AP[:3])
    assert read["absent"] == ["sofa"]
    assert read["top3"]["CF1"] == m.top3.CF1
    assert (read["mode"], read["threshold"], read["top_k"], read["num_samples"]) == ("raw", 0.5, 3, 6)


def test_released_numbers(shared):
    """The released code: "difficult" leaves the AP ranking and is negative in P, R, F1; top-3 and over 0."""
    golden = np.load(shared("golden/public_metrics.npz"))
    r = np.random.default_rng([11, 3])
    released = np.where(r.random((200, 7)) < 0.15, 1, -1)
    released = np.where(r.random((200, 7)) < 0.03, 0, released)  # 1 present, -1 absent, 0 difficult
    scores = r.standard_normal((200, 7)).astype("f4") * 1.5 - 1.5 + 1.8 * (released == 1)
    released[0] = 1
    targets = np.select([released == 1, released == -1], [1, 0], -1)
    m = measure(scores.astype("f4"), targets)
    np.testing.assert_allclose(np.array(m.AP) / 100, golden["ap"], atol=1e-6)
    assert m.mAP / 100 == pytest.approx(golden["mAP"].item(), abs=1e-6)
    for got, want in ((m, golden["overall"]), (m.top3, golden["top3"])):
        values = [got.OP, got.OR, got.OF1, got.CP, got.CR, got.CF1]
        np.testing.assert_allclose(np.array(values) / 100, want, atol=1e-12)


def test_torchmetrics_agrees():
    random = torch.Generator().manual_seed(0)
    targets = torch.randint(-1, 2, (300, 6), generator=random)
    scores = torch.randn(300, 6, generator=random) + targets
    m = measure(scores, targets)
    theirs = tm.MultilabelAveragePrecision(6, average="none", ignore_index=-1)(scores, targets)
    np.testing.assert_allclose(np.array(m.AP) / 100, theirs, atol=1e-5)
    for name, metric, average in [
        ("OP", tm.MultilabelPrecision, "micro"),
        ("OR", tm.MultilabelRecall, "micro"),
        ("OF1", tm.MultilabelF1Score, "micro"),
        ("CP", tm.MultilabelPrecision, "macro"),
        ("CR", tm.MultilabelRecall, "macro"),
    ]:
        theirs = metric(6, average=average)(scores, targets.clamp(min=0))  # an ignored one is a negative
        assert getattr(m, name) == pytest.approx(100 * theirs.item(), abs=1e-4), name


@st.composite
def rankings(draw) -> tuple[np.ndarray, np.ndarray]:
    """Scores in halves, so that many tie, and any targets: (N, C) each."""
    shape = draw(st.tuples(st.integers(1, 25), st.integers(1, 4)))
    halves = draw(hnp.arrays(np.int64, shape, elements=st.integers(-6, 6)))
    return halves.astype("f4") / 2, draw(hnp.arrays(np.int8, shape, elements=st.sampled_from([-1, 0, 1])))


def curve_average_precision(scores: np.ndarray, targets: np.ndarray, mode: str) -> float:
    """One category by scikit-learn: its own value, or the definitions on its precision-recall curve."""
    scores, targets = scores[targets != -1], targets[targets != -1]
    if not (targets == 1).any():
        return math.nan
    if mode == "raw":
        return average_precision_score(targets, scores)
    precision, recall, _ = precision_recall_curve(targets, scores)
    precision, recall = precision[:-1], recall[:-1]  # the last point, recall 0, is no threshold

    def best(level: float) -> float:
        return precision[recall >= level - 1e-9].max()

    if mode == "11pt":
        return float(np.mean([best(r / 10) for r in range(11)]))
    levels = np.unique(recall)
    return float(sum(best(level) * step for level, step in zip(levels, np.diff(levels, prepend=0), strict=True)))


@pytest.mark.parametrize("mode", MODES)
@given(ranking=rankings())
@settings(max_examples=100, deadline=None)
def test_scikit_learn_agrees_with_ties(mode, ranking):
    scores, targets = ranking
    expected = [curve_average_precision(s, t, mode) for s, t in zip(scores.T, targets.T, strict=True)]
    np.testing.assert_allclose(average_precision(scores, targets, mode), expected, rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@given(ranking=rankings(), data=st.data())
@settings(max_examples=50, deadline=None)
def test_order_and_batches_do_not_matter(mode, ranking, data):
    scores, targets = ranking
    order = data.draw(st.permutations(range(len(scores))))
    cut = data.draw(st.integers(0, len(scores)))
    parts = MultiLabelMetrics(scores.shape[1], mode=mode)
    for part in (order[:cut], order[cut:]):
        if part:
            parts.update(scores[part], targets[part])
    assert parts.compute().as_dict() == measure(scores, targets, mode=mode).as_dict()


@pytest.mark.parametrize("mode", MODES)
@given(ranking=rankings())
@settings(max_examples=50, deadline=None)
def test_only_the_ranking_counts(mode, ranking):
    scores, targets = ranking
    before, after = (average_precision(s, targets, mode) for s in (scores, scores**3 + 5 * scores - 40))
    np.testing.assert_array_equal(before, after)


@given(ranking=rankings())
@settings(max_examples=50, deadline=None)
def test_bounds(ranking):
    scores, targets = ranking
    raw, area = (average_precision(scores, targets, mode) for mode in ("raw", "area"))
    assert torch.equal(raw.isnan(), torch.from_numpy((targets != 1).all(0)))
    seen = ~raw.isnan()
    assert ((raw > 0) & (raw <= area + 1e-12) & (area <= 1 + 1e-12))[seen].all()
    for mode in MODES:
        np.testing.assert_allclose(average_precision(targets, targets, mode)[seen], 1)  # a perfect ranking
    m = measure(scores, targets)
    assert m.top3.OR <= m.OR or math.isnan(m.OR)  # top-3 can only take decisions back
    # CF1, a harmonic mean, lies between CP and CR
    assert math.isnan(m.CF1) or min(m.CP, m.CR) - 1e-9 <= m.CF1 <= max(m.CP, m.CR) + 1e-9


@given(ranking=rankings(), data=st.data())
@settings(max_examples=50, deadline=None)
def test_order_of_categories_does_not_matter(ranking, data):
    scores, targets = ranking
    order = data.draw(st.permutations(range(scores.shape[1])))
    a, b = measure(scores, targets, top_k=2), measure(scores[:, order], targets[:, order], top_k=2)
    np.testing.assert_array_equal(np.array(a.AP)[order], b.AP)
    for ours, theirs in ((a, b), (a.top3, b.top3)):
        for name in ("OP", "OR", "OF1", "CP", "CR", "CF1"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), nan_ok=True)


def test_update_keeps_a_copy_and_reset_forgets():
    scores, targets = torch.tensor(SCORES, requires_grad=True), torch.tensor(TARGETS)
    metrics = MultiLabelMetrics(4)
    metrics.update(scores, targets)
    first = metrics.compute().as_dict()
    with torch.no_grad():
        scores.neg_()
        targets.fill_(1)
    assert metrics.compute().as_dict() == first
    metrics.reset()
    with pytest.raises(InputError, match="no samples"):
        metrics.compute()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_warns(dtype):
    with pytest.warns(UserWarning, match="give float32"):
        AP = average_precision(torch.tensor(SCORES, dtype=dtype), torch.tensor(TARGETS))
    np.testing.assert_allclose(AP, AP_BY_HAND["raw"])


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        (np.zeros((4, 3)), np.zeros((4, 2)), r"\(4, 3\) and targets \(4, 2\)"),
        (np.zeros(4), np.zeros(4), r"give \(N, C\)"),
        (np.zeros((0, 3)), np.zeros((0, 3)), r"\(0, 3\)"),
        ([[0.0], [math.nan], [math.inf]], [[1], [0], [0]], "in 2 of 3 rows, first in row 1"),
        (np.array([[0.0], [1e300]]), [[1], [0]], "in 1 of 2 rows, first in row 1"),  # float32 cannot hold it
        ([[0.0, 0.0]], [[1, 2]], "1 targets are not .* the first is 2, in row 0, column 1"),
        ([[0.0, 0.0]], [[0.5, 1.0]], "the first is 0.5, in row 0, column 0"),
        ([[0.0, 0.0]], [[math.nan, 1.0]], "the first is nan"),
        ([[0.0]], np.array([[255]], np.uint8), "the first is 255"),
    ],
)
def test_bad_input(scores, targets, message):
    with pytest.raises(InputError, match=message):
        average_precision(scores, targets)
    with pytest.raises(InputError, match=message):
        MultiLabelMetrics(3).update(scores, targets)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "are"}, "Did you mean 'area'"),
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"threshold": math.nan}, "threshold is nan"),
        ({"top_k": 0}, "top_k 0"),
        ({"classes": ("cat", "dog")}, "2 class names for num_classes=3"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(InputError, match=message):
        MultiLabelMetrics(3, **settings)
    with pytest.raises(InputError, match="num_classes is 0"):
        MultiLabelMetrics(0)


def test_another_number_of_classes():
    with pytest.raises(InputError, match="4 columns, but num_classes is 3"):
        MultiLabelMetrics(3).update(SCORES, TARGETS)
    with pytest.raises(InputError, match="unknown mode"):
        average_precision(SCORES, TARGETS, "12pt")
