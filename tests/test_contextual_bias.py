"""The benchmark of Singh et al. and its neighbours, against cases by hand, a naive loop, and scikit-learn."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

from addgcn.bias import (
    COCO_PAIRS,
    Pair,
    at_recall,
    biased_pairs,
    contextual_bias,
    failures,
    leaning,
    named_pairs,
    with_and_without,
)
from addgcn.cli import main
from addgcn.data import load
from addgcn.errors import InputError
from addgcn.records import save_scores


def logit(*probabilities: float) -> Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).logit()


#                  skis person snow
Y = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 1], [1, 1, -1], [0, 1, 0], [0, 1, 1], [0, 0, 0]])
P = logit(0.9, 0.7, 0.4, 0.8, 0.6, 0.2, 0.1)[:, None].expand(7, 3)


def drawn(seed: int = 0, N: int = 300, C: int = 6) -> tuple[Tensor, Tensor]:
    """Scores with ties that follow their targets a little, and targets with some ignored."""
    g = torch.Generator().manual_seed(seed)
    y = (torch.rand(N, C, generator=g) < 0.4).int()
    y[torch.rand(N, C, generator=g) < 0.05] = -1
    s = torch.randn(N, C, generator=g) + 1.2 * (y == 1) + 0.6 * (y.roll(1, 1) == 1) - 0.8
    return (8 * s).round() / 8, y


def test_pairs_by_hand():
    # skis beside a person: 0.9, 0.7, 0.8; without: 0.4, so 2. With snow: 0.9, 0.4; without: 0.7 (the fourth ignores it)
    # a person beside skis: 0.9, 0.7, 0.8; without: 0.6, 0.2, so 2; beside snow 0.9, 0.2; without 0.7, 0.6
    # snow beside skis: 0.9, 0.4; without 0.2, so 3.25; beside a person 0.9, 0.2; without 0.4: 1.375
    found = biased_pairs(P, Y, pairs=2)
    assert [(q.category, q.companion, q.together, q.alone) for q in found] == [(2, 0, 2, 1), (0, 1, 3, 1)]
    assert [q.bias for q in found] == pytest.approx([3.25, 2.0])
    assert [(q.category, q.companion) for q in biased_pairs(P, Y)] == [(2, 0), (0, 1), (1, 0)]  # of equals the first


def test_a_companion_must_be_there_often_enough():
    y = torch.tensor([[1, 1, 0]] + [[1, 0, 0]] * 2 + [[1, 0, 1]] * 2)
    s = logit(0.9, 0.3, 0.3, 0.4, 0.4)[:, None].expand(5, 3)
    assert biased_pairs(s, y, share=0.2)[0].companion == 1  # on one of five: just enough
    assert biased_pairs(s, y, share=0.21)[0].companion == 2
    with pytest.raises(InputError, match="no pairs"):
        biased_pairs(s, y, share=0.5)


def test_one_that_is_always_there_is_no_companion():
    y = torch.tensor([[1, 1], [1, 1], [0, 1]])
    found = biased_pairs(torch.zeros(3, 2), y, share=0.0)
    assert [(q.category, q.companion) for q in found] == [(1, 0)]


@pytest.mark.parametrize("seed", range(3))
def test_pairs_of_a_naive_loop(seed: int):
    s, y = drawn(seed)
    rows = []
    for b in range(6):
        ratios = {}
        for z in range(6):
            both = [1 / (1 + math.exp(-s[n, b])) for n in range(len(y)) if y[n, b] == 1 and y[n, z] == 1]
            alone = [1 / (1 + math.exp(-s[n, b])) for n in range(len(y)) if y[n, b] == 1 and y[n, z] == 0]
            if z != b and len(both) / (len(both) + len(alone)) >= 0.4:
                ratios[z] = (sum(both) / len(both)) / (sum(alone) / len(alone))
        if ratios:
            c = max(ratios, key=lambda z: ratios[z])
            rows.append((ratios[c], b, c))
    found = biased_pairs(s, y, pairs=4, share=0.4)
    assert len(found) == min(4, len(rows)) > 1
    assert [(q.bias, q.category, q.companion) for q in found] == [
        (pytest.approx(r), b, c) for r, b, c in sorted(rows, reverse=True)[:4]
    ]


def test_the_benchmark_is_scikit_learn_s_average_precision_on_the_two_sets():
    s, y = drawn()
    pairs = [Pair(0, 1), Pair(4, 3), Pair(2, 1)]
    found = contextual_bias(s, y, pairs)
    for pair, row in zip(pairs, found["pairs"], strict=True):
        b, c = pair.category, pair.companion
        other = y[:, b] == 0
        for name, positives in (
            ("exclusive", (y[:, b] == 1) & (y[:, c] == 0)),
            ("co-occurring", (y[:, b] == 1) & (y[:, c] == 1)),
        ):
            asked = positives | other
            wanted = average_precision_score(positives[asked].numpy(), s[asked, b].numpy())
            assert row[name] == pytest.approx(100 * wanted)
            assert row[f"images {name}"] == positives.sum()
    for name in ("exclusive", "co-occurring", "invented with", "invented without"):
        assert found[name] == pytest.approx(np.mean([row[name] for row in found["pairs"]]))


def test_errors_are_those_of_the_failures():
    s, y = drawn()
    [row] = contextual_bias(s, y, [Pair(1, 0)])["pairs"]
    assert row["invented with"] == pytest.approx(failures(s, y, 1, 0)["invented with"])
    assert row["exclusive"] == pytest.approx(with_and_without(s, y, 1, 0)["AP without"])
    assert row["invented with"] > row["invented without"]  # drawn so


def test_a_pair_without_images_is_none_and_leaves_the_means():
    y = torch.tensor([[1, 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 1]])
    s = torch.tensor([3.0, 2, 1, 0])[:, None].expand(4, 3)
    found = contextual_bias(s, y, [Pair(0, 1), Pair(0, 2)])
    assert found["pairs"][0]["exclusive"] is None  # never without it
    assert found["exclusive"] == found["pairs"][1]["exclusive"] == 100.0
    assert contextual_bias(s, y, [Pair(0, 1)])["exclusive"] is None


def test_a_model_without_bias_and_one_that_copies():
    g = torch.Generator().manual_seed(1)
    y = (torch.rand(2000, 2, generator=g) < 0.5).int()
    fair = y + 0.8 * torch.randn(2000, 2, generator=g)
    copied = fair + 2 * y.flip(1)
    lean = {name: biased_pairs(s, y, 1)[0].bias for name, s in (("fair", fair), ("copied", copied))}
    assert lean["fair"] < 1.05 < 1.2 < lean["copied"]
    judged = {name: contextual_bias(s, y, [Pair(0, 1)]) for name, s in (("fair", fair), ("copied", copied))}
    assert abs(judged["fair"]["exclusive"] - judged["fair"]["co-occurring"]) < 3
    assert judged["copied"]["exclusive"] < judged["copied"]["co-occurring"] - 20
    assert leaning(fair, y, 0, 1)["absent"] == pytest.approx(0.5, abs=0.03)
    assert leaning(copied, y, 0, 1)["absent"] > 0.9


# --- thresholds, and none


def test_leaning_by_hand_and_by_scikit_learn():
    s = torch.tensor([3.0, 1, 1, 0])[:, None].expand(4, 2)
    y = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 0]])
    # 3 beats both; 1 ties with 1 and beats 0: (2 + 1.5) / 4
    assert leaning(s, y, 0, 1)["present"] == 3.5 / 4
    assert math.isnan(leaning(s, y, 0, 1)["absent"])
    s, y = drawn(5)
    for name, value in (("present", 1), ("absent", 0)):
        of = (y[:, 2] == value) & (y[:, 1] != -1)
        wanted = roc_auc_score((y[of, 1] == 1).numpy(), s[of, 2].numpy())
        assert leaning(s, y, 2, 1)[name] == pytest.approx(wanted)


def test_leaning_knows_no_scale():
    s, y = drawn()
    assert leaning(7 * s - 3, y, 0, 1) == leaning(s, y, 0, 1)


@pytest.mark.parametrize("recall", [0.01, 0.5, 0.7, 1.0])
def test_recall_is_what_was_asked_for(recall: float):
    s, y = drawn(7)
    s = s + torch.arange(len(s))[:, None] * 1e-5  # no ties
    found = ((at_recall(s, y, recall) > 0) & (y == 1)).sum(0)
    positives = (y == 1).sum(0)
    assert found.tolist() == [math.ceil(recall * n - 1e-9) for n in positives.tolist()]


def test_recall_keeps_the_ranking_and_the_callers_scores():
    s, y = drawn(2)
    before = s.clone()
    y[:, 3] = 0
    shifted = at_recall(s, y, 0.7)
    assert torch.equal(s, before)
    assert torch.equal(shifted[:, 3], s[:, 3].double())  # no positive
    assert torch.equal(shifted.argsort(stable=True, dim=0), s.argsort(stable=True, dim=0))
    missed = failures(shifted, y, 0, 1)
    assert 0 <= missed["missed with"] < missed["missed without"] < 60
    tied = at_recall(torch.ones(4, 1), torch.tensor([[1], [1], [0], [0]]), 0.5)
    assert (tied > 0).all()  # a tie is found as a whole


# --- bad input, names, files


@pytest.mark.parametrize(
    "wrong",
    [
        lambda s, y: biased_pairs(s, y[:-1]),
        lambda s, y: biased_pairs(s, y, pairs=0),
        lambda s, y: biased_pairs(s, y, share=20),
        lambda s, y: contextual_bias(s, y, []),
        lambda s, y: contextual_bias(s, y[:, :-1], [Pair(0, 1)]),
        lambda s, y: contextual_bias(s, y, [Pair(0, 6)]),
        lambda s, y: named_pairs([("car", "truk")], ["car", "truck"]),
    ],
)
def test_bad_input(wrong: Callable[[Tensor, Tensor], object]):
    with pytest.raises(InputError):
        wrong(*drawn())


def test_names():
    [pair] = named_pairs([("b", "a")], ["a", "b"])
    assert (pair.category, pair.companion) == (1, 0)
    assert len(COCO_PAIRS) == len({b for b, _ in COCO_PAIRS}) == 14  # one companion each


def write_scores(path: Path, s: Tensor, y: Tensor, classes: Sequence[str]) -> Path:
    ids = [f"{path.stem} {n:04d}" for n in range(len(y))]
    save_scores(path, s.float(), y.to(torch.int8), SimpleNamespace(ids=ids, classes=classes))
    return path


def bias_of(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    main(["bias", "--scores", *argv, "--json"])
    return json.loads(capsys.readouterr().out)


def test_the_command_finds_pairs_on_one_file_and_judges_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    classes = ("a", "b", "c", "d", "e", "f")
    (s, y), (t, z) = drawn(0), drawn(1)
    train = write_scores(tmp_path / "train.npz", s, y, classes)
    test = write_scores(tmp_path / "test.npz", t, z, classes)
    found = bias_of(capsys, str(test), "--train-scores", str(train), "--pairs", "3")
    pairs = biased_pairs(s.float(), y, 3)
    wanted = contextual_bias(t.float(), z, pairs)
    assert [(row["category"], row["companion"]) for row in found["pairs"]] == [
        (classes[q.category], classes[q.companion]) for q in pairs
    ]
    assert found["exclusive"] == pytest.approx(wanted["exclusive"])
    main(["bias", "--scores", str(test), "--train-scores", str(train), "--pairs", "3"])
    told = capsys.readouterr().out
    assert f"{wanted['exclusive']:.1f}" in told
    assert classes[pairs[0].category] in told


@pytest.mark.parametrize("case", ["other classes", "no COCO", "the same file", "none"])
def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str):
    s, y = drawn()
    test = write_scores(tmp_path / "test.npz", s, y, ("a", "b", "c", "d", "e", "f"))
    train = write_scores(tmp_path / "train.npz", s, y, ("a", "b", "c", "d", "e", "g"))
    argv = {
        "other classes": [str(test), "--train-scores", str(train)],
        "no COCO": [str(test)],
        "the same file": [str(test), "--train-scores", str(test)],
        "none": [str(tmp_path / "nothing.npz")],
    }[case]
    with pytest.raises(SystemExit) as stopped:
        main(["bias", "--scores", *argv])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("addgcn: ")
    assert message.count("\n") == 1


def test_on_the_scenes(scenes_small: Path):
    part = load("scenes", "train", scenes_small)
    y = part.targets
    s = torch.randn(y.shape, generator=torch.Generator().manual_seed(0)) + 2.0 * y
    pairs = biased_pairs(s, y, 5)
    assert len(pairs) == 5
    assert contextual_bias(s, y, pairs)["pairs"][0]["bias"] == pairs[0].bias


def test_on_coco_s_own_labels(shared: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = shared("data/coco_sample")
    files = []
    for split in ("train", "val"):
        part = load("coco2017", split, root)
        s = torch.randn(part.targets.shape, generator=torch.Generator().manual_seed(0)) + 2.0 * part.targets
        files.append(write_scores(tmp_path / f"{split}.npz", s, part.targets, part.classes))
    assert {name for pair in COCO_PAIRS for name in pair} <= set(part.classes)
    named = bias_of(capsys, str(files[1]))
    assert [(row["category"], row["companion"]) for row in named["pairs"]] == list(COCO_PAIRS)
    found = bias_of(capsys, str(files[1]), "--train-scores", str(files[0]))
    assert len(found["pairs"]) == 20
    assert len({row["category"] for row in found["pairs"]}) == 20
