"""Chapter 16, COCO in full: numbers of images and processes, scores (N, C) with names, images (B, 3, H, W)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..check import Answer, close, exercise, random


@exercise("16.1", "steps(images, batch, processes, accumulate)")
def steps(answer: Answer) -> None:
    """How often the weights move in one epoch; batch is per process, incomplete batches are dropped."""

    def count(*inputs: int) -> float:
        return answer.numbers(*inputs)[0]

    plain = count(100, 10, 1, 1)
    answer.expect("one process", plain == 10, f"100 images in batches of 10 are 10 steps; yours are {plain:g}.")
    hint = "Of 109 images in batches of 10, nine are left over; the incomplete batch is dropped."
    answer.expect("whole batches", count(109, 10, 1, 1) == 10, hint)
    hint = "Two processes take ten batches of ten each: of 200 images, ten steps. The batch is per process."
    answer.expect("processes", count(200, 10, 2, 1) == 10, hint)
    hint = "Eleven batches for two processes: each gets five, and the eleventh is dropped."
    answer.expect("shared out", count(110, 10, 2, 1) == 5, hint)
    hint = "Ten batches in groups of four are three groups: four, four, and two, which make a step, too."
    answer.expect("accumulate", count(100, 10, 1, 4) == 3, hint)
    wanted = [
        math.ceil(n // b // p / a) for n in (82_081, 5_011) for b in (16, 18) for p in (1, 2, 8) for a in (1, 2, 3)
    ]
    found = [count(n, b, p, a) for n in (82_081, 5_011) for b in (16, 18) for p in (1, 2, 8) for a in (1, 2, 3)]
    answer.expect("values", found == wanted, "With COCO's numbers it differs. Which is rounded down, which up?")


@exercise("16.2", "reordered(scores, names, wanted)")
def reordered(answer: Answer) -> None:
    """The columns of scores (N, C), which stand in the order `names`, in the order `wanted`."""
    scores = random(3, 4)
    names = ["a", "b", "c", "d"]
    same = answer.tensor((3, 4), scores, names, names)
    answer.expect("same order", close(same, scores), "If both orders are the same, nothing moves.")
    swapped = answer.tensor((3, 4), scores, names, ["b", "a", "c", "d"])
    answer.expect("swap", close(swapped, scores[:, [1, 0, 2, 3]]), "Two names change places, and so do their columns.")
    cycle = answer.tensor((3, 4), scores, names, ["c", "a", "b", "d"])
    hint = "The first column should be that of 'c'. This is the way back: the inverse permutation."
    answer.expect("not the inverse", close(cycle, scores[:, [2, 0, 1, 3]]), hint)
    back = answer.tensor((3, 4), cycle, ["c", "a", "b", "d"], names)
    answer.expect("there and back", close(back, scores), "There and back again should change nothing.")
    tuples = answer.tensor((3, 4), scores, ("d", "c", "b", "a"), ("b", "d", "a", "c"))
    answer.expect("values", close(tuples, scores[:, [2, 0, 3, 1]]), "For other names it differs: go by `names`.")


@exercise("16.3", "gathered(parts, images)")
def gathered(answer: Answer) -> None:
    """parts (R, K, C): each of R processes scored every R-th image, with repeats; return (images, C), in order."""

    def shared(scores: Tensor, ranks: int) -> Tensor:
        length = math.ceil(len(scores) / ranks)
        rows = [[(rank + ranks * k) % len(scores) for k in range(length)] for rank in range(ranks)]
        return scores[torch.tensor(rows)]  # (R, K, C)

    scores = random(6, 2)
    got = answer.tensor((6, 2), shared(scores, 1), 6)
    answer.expect("one process", close(got, scores), "A single process has all of them in order already.")
    got = answer.tensor((6, 2), shared(scores, 2), 6)
    hint = "The first process has images 0, 2, 4, the second 1, 3, 5: take from each in turn."
    answer.expect("in turn", close(got, scores), hint)
    five = random(5, 2, seed=1)
    got = answer.tensor((5, 2), shared(five, 2), 5, hint="Five images: the sixth is a repeat and goes.")
    hint = "Of five images on two processes the repeat is the last one of the second process."
    answer.expect("repeats", close(got, five), hint)
    for images, ranks in ((5, 4), (17, 8), (3, 8)):
        many = random(images, 3, seed=images)
        got = answer.tensor((images, 3), shared(many, ranks), images)
        hint = f"For {images} images on {ranks} processes it differs: several processes have a repeat then."
        answer.expect("values", close(got, many), hint)


@exercise("16.4", "mirrored(model, images)")
def mirrored(answer: Answer) -> None:
    """The mean of the scores (B, C) of images (B, 3, H, W) and of their mirror images, left for right."""
    images = random(2, 3, 4, 5)

    def scored(model: Callable[[Tensor], Tensor]) -> Tensor:
        returned = answer(model, images)
        right = isinstance(returned, Tensor) and returned.shape == (2, 3)
        answer.expect("shape", right, "Return scores for each of the images, (B, C), as the model gives them.")
        return returned

    def blind(x: Tensor) -> Tensor:
        return x.mean((2, 3))

    def left(x: Tensor) -> Tensor:
        return x[:, :, :, 0].mean(2)

    def top(x: Tensor) -> Tensor:
        return x[:, :, 0].mean(2)

    got = scored(blind)
    answer.expect("a blind model", close(got, blind(images)), "A model that ignores places: a mirror changes nothing.")
    got = scored(top)
    answer.expect("left for right", close(got, top(images)), "The picture is upside down: mirror the last axis.")
    both = (images[:, :, :, 0] + images[:, :, :, -1]).mean(2) / 2
    got = scored(left)
    answer.expect("both views", close(got, both), "The image and its mirror image count one half each.")

    def sure(x: Tensor) -> Tensor:
        return 9 * x[:, :, 0, 0] - 10 * x[:, :, 0, -1]

    wanted = -(images[:, :, 0, 0] + images[:, :, 0, -1]) / 2
    hint = "Average the scores themselves, not probabilities: averaged scores should still be scores."
    answer.expect("scores", close(scored(sure), wanted), hint)
