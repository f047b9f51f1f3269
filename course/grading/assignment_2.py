"""Assignment 2, hidden cases: the static and the dynamic layer, and what a permutation does to them."""

from __future__ import annotations

import random

import torch
from grade import Criterion, Submission, close, expect
from torch import Tensor
from torch.nn import functional as F

from addgcn.graph import DynamicAdjacency

KINDS = {
    "static": "neither",
    "dynamic": "set",
    "static, then dynamic": "neither",
    "dynamic, questions too": "equivariant",
}


def numbers(rng: random.Random, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(rng.randrange(10**6)))


def sizes(rng: random.Random) -> tuple[int, int, int]:
    """B, C, D, all different."""
    B, C, D = rng.sample(range(2, 7), 3)
    return B, C, D


def static(work: Submission, rng: random.Random) -> None:
    for _ in range(3):
        B, C, D = sizes(rng)
        A, V, W = numbers(rng, C, C), numbers(rng, B, C, D), numbers(rng, D, D + 1)
        found = work.call("static_layer", A, V, W)
        expect(
            close(found, F.leaky_relu(A @ V @ W, 0.2)),
            "values differ where A is not symmetric; what does row i of A say?",
        )


def static_alone(work: Submission, rng: random.Random) -> None:
    B, C, D = sizes(rng)
    V = -numbers(rng, B, C, D).abs()
    found = work.call("static_layer", torch.eye(C), V, torch.eye(D))
    expect(
        close(found, 0.2 * V), "where every node hears itself alone, a negative number should become a fifth of itself"
    )


def adjacency(H: Tensor, W_A: Tensor, W_g: Tensor, b_g: Tensor, heard: Tensor) -> Tensor:
    """By the library where all are heard; nodes that are not heard are taken out, and come back as empty columns."""
    B, C, D = H.shape
    layer = DynamicAdjacency(C, D).requires_grad_(False)
    layer.weight.copy_(W_A)
    layer.global_conv.weight.copy_(W_g.reshape(layer.global_conv.weight.shape))
    layer.global_conv.bias.copy_(b_g)
    A = torch.zeros(B, C, C)
    A[:, :, heard] = layer(H[:, heard])
    return A


def drawn(rng: random.Random, all_heard: bool) -> tuple[Tensor, ...]:
    B, C, D = sizes(rng)
    heard = torch.ones(C, dtype=torch.bool)
    if not all_heard:
        heard[rng.randrange(C)] = False
    return numbers(rng, B, C, D), numbers(rng, C, 2 * D), numbers(rng, D, D), numbers(rng, D), heard


def dynamic(work: Submission, rng: random.Random) -> None:
    for _ in range(3):
        case = drawn(rng, all_heard=True)
        found = work.call("dynamic_adjacency", *case)
        expect(
            close(found, adjacency(*case)),
            "values differ from equations 3 and 4: who is read in column j, and what is h_g?",
        )


def silent(work: Submission, rng: random.Random) -> None:
    for _ in range(2):
        case = drawn(rng, all_heard=False)
        found = torch.tensor(work.call("dynamic_adjacency", *case))
        expect(found.shape == adjacency(*case).shape, "A_d is (B, C, C), also where a node is not heard")
        expect((found[:, :, ~case[4]] == 0).all(), "nobody may hear a node that is not heard: its column is zero")
        expect((found[:, :, case[4]] > 0).all(), "the other columns come out of a sigmoid")


def left_out(work: Submission, rng: random.Random) -> None:
    for _ in range(2):
        case = drawn(rng, all_heard=False)
        found = work.call("dynamic_adjacency", *case)
        expect(close(found, adjacency(*case)), "h_g is the mean of the nodes that are heard")


def layer(work: Submission, rng: random.Random) -> None:
    for _ in range(2):
        B, C, D = sizes(rng)
        A, H, W = torch.sigmoid(numbers(rng, B, C, C)), numbers(rng, B, C, D), numbers(rng, D, D)
        expect(close(work.call("dynamic_layer", A, H, W), F.leaky_relu(A @ H @ W, 0.2)), "values differ")


def kind(wanted: str) -> Criterion:
    def test(work: Submission, rng: random.Random) -> None:
        for _ in range(3):
            B, C, D = sizes(rng)
            C += 2
            order = rng.sample(range(C), C)
            while order == sorted(order):
                order = rng.sample(range(C), C)
            Z = numbers(rng, B, C, D)
            new = {"set": Z, "equivariant": Z[:, order], "neither": numbers(rng, B, C, D)}[wanted]
            found = work.call("permutation_kind", Z, new + 1e-6, order)
            expect(found == wanted, f"it says {found!r} where {wanted!r} is right (numbers agree but for rounding)")

    return Criterion(f"permutation test: recognises {wanted!r}", 1, test)


def answered(name: str, wanted: str) -> Criterion:
    def test(work: Submission, rng: random.Random) -> None:
        answers = work.value("ANSWERS")
        expect(isinstance(answers, dict) and answers.get(name), f"ANSWERS[{name!r}] is empty")
        expect(answers[name] == wanted, f"{answers[name]!r} is not right; run your own test on your own layer")

    return Criterion(f"answer: {name}", 1, test)


CRITERIA = [
    Criterion("static layer: equation 2, for a batch, in the right direction", 3, static),
    Criterion("static layer: LeakyReLU of slope 0.2", 1, static_alone),
    Criterion("dynamic adjacency: equations 3 and 4", 4, dynamic),
    Criterion("dynamic adjacency: silent nodes are heard by nobody", 2, silent),
    Criterion("dynamic adjacency: silent nodes are not in h_g", 1, left_out),
    Criterion("dynamic layer", 2, layer),
    *(kind(wanted) for wanted in ("set", "equivariant", "neither")),
    *(answered(name, wanted) for name, wanted in KINDS.items()),
]
