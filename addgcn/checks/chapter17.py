"""Chapter 17, VOC in full: one category's scores and targets (N,), state dicts by name, the lines of a submission."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..check import Answer, close, exercise, random
from ..metrics import average_precision


@exercise("17.1", "eleven_points(scores, targets)")
def eleven_points(answer: Answer) -> None:
    """AP as VOC 2007 had it, of one category: scores and targets (N,), 1, 0 or -1, no ties."""
    order = torch.arange(6, 0, -1).float()
    [best] = answer.numbers(order, torch.tensor([1, 1, 0, 0, 0, 0]))
    answer.expect("perfect ranking", close(best, 1.0), "All positives first: the precision is 1 at every recall.")
    [value] = answer.numbers(order, torch.tensor([0, 1, 1, 0, 1, 0]))
    hint = "The positives have ranks 2, 3 and 5: seven recalls get 2/3, the four from 0.7 on get 3/5."
    answer.expect("by hand", close(value, (7 * 2 / 3 + 4 * 3 / 5) / 11), hint)
    mixed = torch.tensor([3, 0, 5, 1, 4, 2])
    again = answer.numbers(order[mixed], torch.tensor([0, 1, 1, 0, 1, 0])[mixed])[0]
    answer.expect("order of the images", close(again, value), "The images come in any order: rank by score.")
    [ignored] = answer.numbers(order, torch.tensor([-1, 1, -1, 1, 0, -1]))
    answer.expect("ignored", close(ignored, 1.0), "An image with a target of -1 leaves the ranking altogether.")
    ten = torch.tensor([1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1])
    wanted = average_precision(-torch.arange(18.0)[:, None], ten[:, None], "11pt").item()
    hint = "With ten positives, the third reaches a recall of 0.3 exactly. Is your 0.3 a little more than three tenths?"
    answer.expect("recall reached", close(answer.numbers(-torch.arange(18.0), ten)[0], wanted), hint)
    s, y = random(60), (random(60, seed=1) > 0.8).long()
    wanted = average_precision(s[:, None], y[:, None], "11pt").item()
    answer.expect("values", close(answer.numbers(s, y)[0], wanted), "For sixty random scores it differs.")


@exercise("17.2", "taken_over(source, own)")
def taken_over(answer: Answer) -> None:
    """A new state dict with the names of `own`: of `source` what has the same name and shape, of `own` the rest."""
    source = {"trunk.weight": random(4, 3), "trunk.mean": random(4, seed=1), "trunk.seen": torch.tensor(7)}
    source |= {"head.weight": random(80, 4, seed=2), "square": random(3, 4, seed=3), "old": random(2, seed=4)}
    own = {"trunk.weight": torch.zeros(4, 3), "trunk.mean": torch.zeros(4), "trunk.seen": torch.tensor(0)}
    own |= {"head.weight": torch.ones(20, 4), "square": torch.ones(4, 3), "fresh": torch.ones(5)}
    before = {name: tensor.clone() for name, tensor in own.items()}
    made: Any = answer(source, own)
    answer.expect("type", isinstance(made, dict), "A dictionary is wanted: name -> tensor.")
    hint = "The names are those of `own`: what only `source` has stays behind, what only `own` has is there."
    answer.expect("names", set(made) == set(own), hint)
    same = all(torch.equal(own[name], tensor) for name, tensor in before.items())
    answer.expect("makes a new one", same and made is not own, "It changes `own`; make a new dictionary.")
    hint = "Where a shape differs, the tensor is that of `own`, as it was made. Equally many numbers are not enough."
    new = ("head.weight", "square", "fresh")
    answer.expect("new", all(_same(made[name], own[name]) for name in new), hint)
    kept = ("trunk.weight", "trunk.mean")
    hint = "Same name, same shape: the tensor is that of `source`."
    answer.expect("kept", all(_same(made[name], source[name]) for name in kept), hint)
    hint = "A counter is a tensor, too, of whole numbers and without axes; it comes along like the rest."
    answer.expect("counters", _same(made["trunk.seen"], source["trunk.seen"]), hint)


@exercise("17.3", "class_file(ids, scores)")
def class_file(answer: Answer) -> None:
    """The text of one category's file: "NAME SCORE", a line for each image in the order given; scores (N,) float32."""
    ids = ["2008_000004", "2008_000001", "2011_007999"]
    text = answer(ids, torch.tensor([0.5, -1.25, 3.0]))
    answer.expect("type", isinstance(text, str), "A text is wanted.")
    rows = [line.split(" ") for line in text.splitlines()]
    hint = "One line for each image: its name, one space, its score, and nothing else."
    answer.expect("lines", len(rows) == 3 and all(len(row) == 2 for row in rows), hint)
    answer.expect("order", [row[0] for row in rows] == ids, "The images stand in the order in which they came.")
    numbers = [_number(row[1]) for row in rows]
    answer.expect("scores", numbers == [0.5, -1.25, 3.0], "The scores as they are: no sigmoid, no rank, no sign lost.")
    fine = torch.cat([random(50) * 10, torch.tensor([0.1, 1 / 3, -2.0000002, 16777217.0])])
    rows = [line.split(" ") for line in answer([f"a{n}" for n in range(54)], fine).splitlines()]
    back = np.array([_number(row[-1]) for row in rows], np.float32)
    hint = "Read back as float32, some score is another number: write more digits."
    answer.expect("digits", len(back) == 54 and np.array_equal(back, fine.numpy()), hint)
    tiny = answer(["x", "y"], torch.tensor([1e-12, -3e20])).splitlines()
    told = [line.split(" ")[-1] for line in tiny]
    right = [np.float32(_number(number)) for number in told] == [np.float32(1e-12), np.float32(-3e20)]
    hint = "Very small and very large scores are written out, too, without an exponent."
    answer.expect("exponent", right and not any("e" in number.lower() for number in told), hint)


def _same(a: Any, b: torch.Tensor) -> bool:
    return isinstance(a, torch.Tensor) and a.shape == b.shape and torch.equal(a, b)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
