"""Chapter 15, the bias measured: decisions, targets and scores of one category (N,), and another's targets (N,)."""

from __future__ import annotations

import torch

from ..bias import failures
from ..check import Answer, close, exercise, random


@exercise("15.1", "invented(said, y, other)")
def invented(answer: Answer) -> None:
    """How often an absent category is said to be there: percent with the other category, and percent without it."""
    y, other = torch.tensor([0, 0, 0, 0, 0, 1]), torch.tensor([1, 1, 0, 0, 0, 1])
    said = torch.tensor([True, False, True, False, False, True])
    with_, without = answer.numbers(said, y, other, count=2)
    hint = "Of the two images with the other alone one is wrong: 50 %. A share of these images, not of all."
    answer.expect("with", close(with_, 50.0, atol=1e-3), hint)
    hint = "Of the three images with neither one is wrong: 33 %. Is the image that has the category left out?"
    answer.expect("without", close(without, 100 / 3, atol=1e-3), hint)
    got = answer.numbers(said, torch.tensor([0, -1, 0, 0, 0, 1]), other, count=2)
    hint = "A target of -1 is neither present nor absent: leave it out."
    answer.expect("ignored", close(got[0], 100.0, atol=1e-3), hint)
    got = answer.numbers(said, y, torch.tensor([1, 1, -1, 0, 0, 1]), count=2)
    hint = "An image that ignores the other category is neither with it nor without it."
    answer.expect("ignored", close(got, [50.0, 0.0], atol=1e-3), hint)
    s, t = random(200, 2), random(200, 2, seed=1) > 0.3
    wanted = failures(s, t.int(), 0, 1)
    got = answer.numbers(s[:, 0] > 0, t[:, 0].int(), t[:, 1].int(), count=2)
    same = close(got, [wanted["invented with"], wanted["invented without"]], atol=1e-3)
    answer.expect("values", same, "For 200 images it differs.")


@exercise("15.2", "leans(there, not_there)")
def leans(answer: Answer) -> None:
    """The chance that a score from `there` (n,) is higher than one from `not_there` (m,); ties count half."""
    [clear] = answer.numbers(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 0.0, -1.0]))
    answer.expect("clear", close(clear, 1.0), "Every score of the first is higher than every one of the second: 1.")
    [turned] = answer.numbers(torch.tensor([1.0, 0.0, -1.0]), torch.tensor([2.0, 3.0]))
    answer.expect("direction", close(turned, 0.0), "Every score of the first is lower: the chance is 0.")
    [ties] = answer.numbers(torch.ones(3), torch.ones(2))
    answer.expect("ties", close(ties, 0.5), "All are the same, so nobody leans: 0.5.")
    [some] = answer.numbers(torch.tensor([2.0, 0.0]), torch.tensor([0.0, -1.0]))
    answer.expect("pairs", close(some, 0.875), "2 wins twice, 0 ties once and wins once: 3.5 of 4 pairs.")
    a, b = random(30), random(20, seed=1)
    [value], [scaled] = answer.numbers(a, b), answer.numbers(9 * a - 4, 9 * b - 4)
    hint = "Scores of another scale, in the same order: nothing may change. Compare, do not subtract."
    answer.expect("no scale", close(value, scaled), hint)
    wanted = (a[:, None] > b[None]).float().mean()
    answer.expect("values", close(value, wanted), "For thirty and twenty scores it differs.")


@exercise("15.3", "bias_ratio(s, y, other)")
def bias_ratio(answer: Answer) -> None:
    """bias(b, z) of Singh et al. from b's logits, b's targets and z's targets, (N,) each."""
    y, other = torch.tensor([1, 1, 1, 0, 0]), torch.tensor([1, 1, 0, 1, 0])
    s = torch.tensor([0.9, 0.7, 0.4, 0.5, 0.1]).logit()
    [ratio] = answer.numbers(s, y, other)
    hint = "Of probabilities: (0.9 + 0.7) / 2 where both are, over 0.4 where b is alone, which is 2."
    answer.expect("by hand", close(ratio, 2.0, atol=1e-4), hint)
    [moved] = answer.numbers(torch.cat([s[:3], torch.tensor([5.0, 5.0])]), y, other)
    answer.expect("where b is", close(moved, 2.0, atol=1e-4), "Images without b do not count, whatever their scores.")
    [alike] = answer.numbers(torch.zeros(5), y, other)
    answer.expect("no bias", close(alike, 1.0), "Where every image has the same score, the ratio is 1.")
    [left] = answer.numbers(s, torch.tensor([1, -1, 1, 0, 0]), other)
    answer.expect("ignored", close(left, 0.9 / 0.4, atol=1e-4), "A target of -1 is not present: leave the image out.")
    [left] = answer.numbers(s, y, torch.tensor([1, -1, 0, 1, 0]))
    hint = "An image that ignores z is neither with z nor without."
    answer.expect("ignored", close(left, 0.9 / 0.4, atol=1e-4), hint)
