"""Chapter 9, training: learning rates are numbers, weights and gradients tensors, places on an image in pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..check import Answer, close, exercise, random
from ..data.transforms import MultiScaleCrop
from ..recipes import Recipe
from ..train import lr_factor


@exercise("9.1", "rate(lr, step, steps, warmup)")
def rate(answer: Answer) -> None:
    """The learning rate at a step: a linear rise over `warmup` steps, then half a cosine, `steps` steps in all."""

    def value(*inputs: float) -> float:
        return answer.numbers(*inputs)[0]

    first = value(0.2, 0, 100, 9)
    answer.expect("first step", first > 0, "The first step has a rate of 0 and teaches nothing: count from 1.")
    hint = f"With lr 0.2 and 9 steps of warm-up, step 0 has a tenth of it, 0.02; yours is {first:.3g}. The rise has "
    answer.expect("first step", close(first, 0.02), hint + "warmup + 1 parts, so that the full rate comes after it.")
    hint = "Step number `warmup` is the first of the cosine, and has the full rate."
    answer.expect("end of the rise", close(value(0.2, 9, 100, 9), 0.2), hint)
    hint = "Half way between the end of the rise and the last step the cosine gives half the rate."
    answer.expect("half way", close(value(0.2, 60, 100, 20), 0.1), hint)
    hint = "Without warm-up the first step has the full rate."
    answer.expect("no warm-up", close(value(0.2, 0, 50, 0), 0.2), hint)
    recipe = Recipe(schedule="cosine", epochs=40, warmup=5)
    right = all(close(value(0.3, step, 40, 5), 0.3 * lr_factor(recipe, step, 1)) for step in range(40))
    answer.expect("values", right, "It differs from the library's at some step. How far has the cosine come by then?")


@exercise("9.2", "sgd_step(w, v, g, lr, momentum, weight_decay)")
def sgd_step(answer: Answer) -> None:
    """One step of SGD as PyTorch takes it: the new weights and the new velocity. Weights, velocity, gradient: (K,)."""
    w, v, g = random(5), random(5, seed=1), random(5, seed=2)

    def step(*inputs: Tensor | float) -> tuple[Tensor, Tensor]:
        returned = answer(*inputs)
        right = isinstance(returned, tuple | list) and len(returned) == 2
        right = right and all(isinstance(x, Tensor) and x.shape == w.shape for x in returned)
        answer.expect("two tensors", right, "Return the new weights and the new velocity, (K,) each.")
        return returned[0], returned[1]

    new_w, new_v = step(w, 0 * v, g, 0.1, 0.9, 0.0)
    hint = "From rest and without decay this is plain gradient descent: the gradient times the rate, downhill."
    answer.expect("from rest", close(new_w, w - 0.1 * g), hint)
    hint = "From rest the new velocity is the gradient itself; the learning rate enters only where the weights move."
    answer.expect("velocity", close(new_v, g), hint)
    new_w, new_v = step(w, v, 0 * g, 0.1, 0.9, 0.0)
    hint = "Without a gradient the old velocity, made smaller by the momentum, still carries the weights on."
    answer.expect("it rolls on", close(new_w, w - 0.1 * 0.9 * v), hint)
    new_w, _ = step(w, 0 * v, 0 * g, 0.1, 0.9, 0.5)
    hint = "Without gradient and velocity, weight decay alone pulls the weights towards 0, by lr * decay * w."
    answer.expect("decay", close(new_w, w - 0.1 * 0.5 * w), hint)
    weights, velocity = w, 0 * v
    theirs = nn.Parameter(w.clone())
    sgd = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, weight_decay=0.01)
    for k in range(3):
        theirs.grad = random(5, seed=10 + k)
        sgd.step()
        weights, velocity = step(weights, velocity, random(5, seed=10 + k), 0.1, 0.9, 0.01)
    hint = "After three steps it differs from PyTorch's SGD. Does the decay go through the velocity, too?"
    answer.expect("values", close(weights, theirs.detach()), hint)


@exercise("9.3", "offsets(width, height, w, h)")
def offsets(answer: Answer) -> None:
    """The 13 places (x, y) of a crop w x h in an image width x height, whole pixels; in any order."""

    def places(*sizes: int) -> set[tuple[int, int]]:
        returned = answer(*sizes)
        right = isinstance(returned, list | tuple | set)
        right = right and all(isinstance(p, list | tuple) and len(p) == 2 for p in returned)
        answer.expect("pairs", right, "Return a list of pairs (x, y).")
        hint = "Both numbers of a pair are whole pixels: use whole-number division."
        answer.expect("pairs", all(isinstance(n, int) for pair in returned for n in pair), hint)
        return {(x, y) for x, y in returned}

    found = places(512, 512, 448, 448)  # a room of 64 pixels, in quarters of 16
    answer.expect("inside", all(0 <= n <= 64 for p in found for n in p), "A crop sticks out of the image, or could.")
    hint = "The four corners are among the 13: from 0 to the whole room that is left, 512 - 448."
    answer.expect("corners", {(0, 0), (64, 0), (0, 64), (64, 64)} <= found, hint)
    sides = {(32, 32), (32, 0), (0, 32), (64, 32), (32, 64)}
    answer.expect("cross", sides <= found, "The centre and the middles of the four sides are among the 13.")
    hint = "The last four lie between centre and corners: one and three quarters of the room, both ways."
    answer.expect("quarters", {(16, 16), (48, 16), (16, 48), (48, 48)} <= found, hint)
    answer.expect("thirteen", len(found) == 13, f"There are {len(found)} different places; 9 and 4 are wanted.")
    wanted = set(MultiScaleCrop(32).offsets(90, 61, (40, 30)))
    hint = "In an image that is not square, with a room that 4 does not divide, it differs. A step is a quarter of the "
    answer.expect("values", places(90, 61, 40, 30) == wanted, hint + "room, rounded down; then comes its multiple.")


@exercise("9.4", "clipped(a, b, most)")
def clipped(answer: Answer) -> None:
    """The gradients a and b of two weight tensors, with the norm of all numbers together at most `most`."""
    a, b = random(3, 4), 5 * random(4, seed=1)

    def both(most: float) -> tuple[Tensor, Tensor]:
        returned = answer(a, b, most)
        right = isinstance(returned, tuple | list) and len(returned) == 2
        right = right and all(isinstance(x, Tensor) for x in returned)
        right = right and returned[0].shape == a.shape and returned[1].shape == b.shape
        answer.expect("two tensors", right, "Return both gradients, in the shapes in which they came.")
        return returned[0], returned[1]

    small = both(1000.0)
    hint = "Gradients whose norm is small enough stay as they are; clipping never makes one larger."
    answer.expect("small ones stay", close(small[0], a) and close(small[1], b), hint)
    new_a, new_b = both(2.0)
    norm = math.hypot(new_a.norm().item(), new_b.norm().item())
    hint = f"All numbers of both tensors together have a norm of {norm:.3g} then; at most 2 was asked for."
    answer.expect("norm", norm <= 2.001, hint)
    ratio = a.norm() / b.norm()
    hint = (
        "The direction has changed: one factor for both tensors keeps it, a bound for each, or each number, does not."
    )
    answer.expect(
        "direction", close(new_a.norm() / new_b.norm(), ratio) and close(new_a / new_a.norm(), a / a.norm()), hint
    )
    answer.expect("values", close(norm, 2.0, rtol=1e-3), "It is made smaller than it needs to be.")
