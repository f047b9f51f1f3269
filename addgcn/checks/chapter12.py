"""Chapter 12, the modules measured: scores of runs a, b (n,), p values (n,), a row of A_d (C,) and targets (C,)."""

from __future__ import annotations

import math

import torch

from ..check import Answer, close, exercise, random


@exercise("12.1", "paired_interval(a, b)")
def paired_interval(answer: Answer) -> None:
    """Mean of a - b over five seeds, and half of its 95 % interval; a and b (5,), the same seed at the same place."""
    b = torch.tensor([80.0, 84.0, 88.0, 82.0, 86.0])
    d = torch.tensor([1.0, 2.0, 0.0, 1.0, 1.0])
    mean, half = answer.numbers(b + d, b, count=2)
    answer.expect("mean", close(mean, 1.0), "The differences are 1, 2, 0, 1, 1, so the mean is 1.")
    hint = "Where every seed gains exactly 3, nothing is uncertain: half is 0. Subtract first, seed by seed."
    answer.expect("paired", close(answer.numbers(b + 3, b, count=2)[1], 0.0, atol=1e-4), hint)
    turned = answer.numbers(b + d, b.flip(0), count=2)[1]
    hint = "With the seeds of b in another order the differences are others; sorting would hide that."
    answer.expect("seed by seed", not close(turned, half, rtol=1e-2), hint)
    order = torch.tensor([3, 0, 4, 1, 2])
    same = close(answer.numbers((b + d)[order], b[order], count=2), [mean, half])
    answer.expect("order of the seeds", same, "Both reordered in the same way: nothing may change.")
    hint = "Divide by n - 1 in the variance, and by the root of n after it; Student's factor for five values is 2.776."
    answer.expect("Student", close(half, 2.776 * math.sqrt(0.5 / 5), rtol=2e-3), hint)


@exercise("12.2", "holm(p)")
def holm(answer: Answer) -> None:
    """p values (n,), adjusted by Holm's rule: compare them with 0.05 as they are."""
    got = answer.tensor((1,), torch.tensor([0.03]), hint="As many as came in.")
    answer.expect("one alone", close(got, [0.03]), "A single comparison needs no adjustment.")
    got = answer.tensor((3,), torch.tensor([0.03, 0.2, 0.01]))
    answer.expect("places", got.argmin().item() == 2, "The smallest p was the third; its place must stay.")
    answer.expect("smallest", close(got[2], 0.03), "The smallest of three counts three times: 0.01 becomes 0.03.")
    hint = "The next smallest counts one time less: of three, the second twice. All three times n is Bonferroni's rule."
    answer.expect("steps", close(got, [0.06, 0.2, 0.03]), hint)
    got = answer.tensor((3,), torch.tensor([0.01, 0.04, 0.03]))
    hint = "0.04 once would be less than 0.03 twice. A larger p must not end below a smaller one: take 0.06 for both."
    answer.expect("never falls", close(got, [0.03, 0.06, 0.06]), hint)
    got = answer.tensor((3,), torch.tensor([0.5, 0.9, 0.6]))
    answer.expect("at most 1", bool((got <= 1).all()), "A p value is at most 1.")
    p = random(8).abs() / 50
    places = p.argsort()
    wanted = torch.empty(8)
    wanted[places] = (p[places] * torch.arange(8, 0, -1)).cummax(0).values.clamp(max=1)
    answer.expect("values", close(answer.tensor((8,), p), wanted), "For eight p values it differs.")


@exercise("12.3", "stands_out(weights, y, i)")
def stands_out(answer: Answer) -> None:
    """The chance that another present category has a larger weight in row i than an absent one; ties count half."""
    y = torch.tensor([1, 1, 0, 1, 0])
    [clear] = answer.numbers(torch.tensor([0.9, 0.8, 0.2, 0.7, 0.3]), y, 0)
    answer.expect("clear", close(clear, 1.0), "Both other present ones outweigh both absent ones: the chance is 1.")
    [again] = answer.numbers(torch.tensor([0.9, 0.1, 0.2, 0.05, 0.3]), y, 0)
    answer.expect("itself", close(again, 0.0), "How large i's weight for itself is does not matter.")
    [ties] = answer.numbers(torch.full((5,), 0.4), y, 1)
    answer.expect("ties", close(ties, 0.5), "All weights are the same: that is chance, 0.5.")
    [pairs] = answer.numbers(torch.tensor([0.3, 0.9, 0.5, 0.2, 0.2]), y, 0)
    hint = "The second category wins twice; the fourth loses once and ties once: (1 + 1 + 0 + 1/2) / 4."
    answer.expect("pairs", close(pairs, 0.625), hint)
    ignored = torch.tensor([1, 1, -1, 1, 0])
    [left] = answer.numbers(torch.tensor([0.3, 0.9, 0.5, 0.2, 0.2]), ignored, 0)
    hint = "Targets of -1 are neither present nor absent; leave them out: (1 + 1/2) / 2."
    answer.expect("ignored", close(left, 0.75), hint)
