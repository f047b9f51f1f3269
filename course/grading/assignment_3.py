"""Assignment 3, hidden cases: the interval, the verdict, the control, and a record that agrees with itself.

Half of the points are a person's to give: for the thought, which no program sees.
"""

from __future__ import annotations

import random
import statistics
from typing import Any

import torch
from grade import Criterion, Submission, close, expect
from scipy.stats import t as student

TEXTS = ("control", "keeps", "prediction", "split")
KEYS = (*TEXTS, "seeds", "own", "changed", "difference", "half", "claim")


def interval(a: list[float], b: list[float]) -> tuple[float, float]:
    d = [x - y for x, y in zip(a, b, strict=True)]
    return statistics.mean(d), float(student.ppf(0.975, len(d) - 1)) * statistics.stdev(d) / len(d) ** 0.5


def verdict_of(mean: float, half: float) -> str:
    return "higher" if mean - half > 0 else "lower" if mean + half < 0 else "open"


def same_interval(work: Submission, rng: random.Random, n: int) -> None:
    shared = [rng.gauss(85, 3) for _ in range(n)]
    a, b = ([x + rng.gauss(0, 0.5) for x in shared] for _ in range(2))
    found, wanted = work.call("paired", a, b), interval(a, b)
    expect(isinstance(found, list) and len(found) == 2, "two numbers are wanted: the mean and half of the interval")
    expect(
        close(found[0], wanted[0], 1e-3), f"the mean difference of {n} pairs is {found[0]}; right is {wanted[0]:.4f}"
    )
    expect(
        close(found[1], wanted[1], 1e-3), f"half of the interval of {n} pairs is {found[1]}; right is {wanted[1]:.4f}"
    )


def five(work: Submission, rng: random.Random) -> None:
    for _ in range(3):
        same_interval(work, rng, 5)


def other(work: Submission, rng: random.Random) -> None:
    for n in (3, 8):
        same_interval(work, rng, n)


def verdict(work: Submission, rng: random.Random) -> None:
    for mean, half in ((1.2, 0.5), (-1.2, 0.5), (0.4, 0.5), (-0.4, 0.5), (3.0, 2.9), (-0.1, 0.05)):
        found = work.call("verdict", mean, half)
        expect(found == verdict_of(mean, half), f"{mean} ± {half}: it says {found!r}")


def graph(rng: random.Random) -> torch.Tensor:
    return torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(rng.randrange(10**6)))


def of_a_form(work: Submission, rng: random.Random) -> None:
    found = torch.tensor(work.call("control", graph(rng)))
    expect(found.shape == (3, 6, 6), f"for graphs (3, 6, 6) it returns {tuple(found.shape)}")
    expect(found.isfinite().all() and found.min() >= 0 and found.max() <= 1, "weights of A_d lie between 0 and 1")


def changes(work: Submission, rng: random.Random) -> None:
    A = graph(rng)
    found = torch.tensor(work.call("control", A))
    expect(found.shape == A.shape, "it returns another shape")
    expect((found - A).abs().amax((1, 2)).min() > 0.05, "it leaves the graph of an image as it was")


def record(work: Submission) -> dict[str, Any]:
    found = work.value("RECORD")
    expect(isinstance(found, dict), "RECORD is a dictionary, written out")
    empty = [key for key in KEYS if not found.get(key) and found.get(key) != 0]
    expect(not empty, f"RECORD lacks {', '.join(empty)}")
    return dict(found)


def complete(work: Submission, rng: random.Random) -> None:
    found = record(work)
    expect(all(isinstance(found[key], str) for key in TEXTS), f"{', '.join(TEXTS)} are texts")
    expect(all(len(found[key]) >= 20 for key in TEXTS[:3]), "control, keeps and prediction are a sentence each")
    seeds, own, changed = (found[key] for key in ("seeds", "own", "changed"))
    expect(len(set(seeds)) == len(seeds) >= 5, "at least five different seeds")
    expect(len(own) == len(changed) == len(seeds), "a score of each kind for each seed")
    expect(all(0 <= score <= 100 for score in own + changed), "mAP lies between 0 and 100")


def follows(work: Submission, rng: random.Random) -> None:
    found = record(work)
    mean, half = interval(found["changed"], found["own"])
    expect(close(found["difference"], mean, 0.02), f"its scores give a difference of {mean:.2f}")
    expect(abs(found["half"] - half) < 0.02, f"its scores give an interval of ± {half:.2f}")


def claims(work: Submission, rng: random.Random) -> None:
    found = record(work)
    wanted = verdict_of(*interval(found["changed"], found["own"]))
    expect(found["claim"] == wanted, f"the scores of the record say {wanted!r}")


CRITERIA = [
    Criterion("paired interval: five seeds", 2, five),
    Criterion("paired interval: three seeds, eight seeds", 1, other),
    Criterion("verdict: higher, lower, open", 2, verdict),
    Criterion("control: a graph for each image, weights between 0 and 1", 1, of_a_form),
    Criterion("control: it changes every image's graph", 1, changes),
    Criterion("record: complete, five seeds or more", 1, complete),
    Criterion("record: difference and interval follow from its scores", 1, follows),
    Criterion("record: the claim follows from its interval", 1, claims),
    Criterion("by hand: a prediction with a reason, written before the run", 2),
    Criterion("by hand: what the control keeps, what it takes away, and why that answers the question", 3),
    Criterion(
        "by hand: the claim says no more than was measured (this trunk, these scenes, reliance and not worth)", 2
    ),
    Criterion("by hand: what the interval leaves out, and which result would have changed your mind", 2),
    Criterion("by hand: a figure or table that can be read alone", 1),
]
