"""Every difference between the equations and the released code as a switch: what does each of them do?

    python benchmarks/wirings.py [--record wirings]

From the equations ("paper" wiring) one thing at a time is turned into what the released code has, and from the released
code ("released" wiring) one thing at a time is turned back. Each wiring is trained on the frozen scenes trunk's cached
features; its learning rate is chosen among three by the mAP on a held-out fifth of the training split, and then five
seeds are trained on all of it and judged on `id`, `ood` and `bg`, once. Runs with the same seed start from the same
weights (but for what only one of them has) and see the same batches, so differences are taken seed by seed.

A measurement that was stopped goes on where it was: what is in addgcn/records/NAME.jsonl is not run again.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np
import torch
import tyro
from torch import Tensor, nn
from torch.nn import functional as F

from addgcn import ADDGCN
from addgcn.backbone import build_backbone
from addgcn.data import load
from addgcn.errors import InputError
from addgcn.features import cached_features
from addgcn.graph import SLOPE, GraphLayer
from addgcn.losses import multilabel_loss
from addgcn.recipes import RECIPES, Recipe
from addgcn.records import append_record, load_records, make_record, sha256, sha256_of
from addgcn.runs import describe
from addgcn.train import build_optimizer, compute_metrics, lr_factor

RATES = (0.003, 0.01, 0.03)
SEEDS = range(5)
SPLITS = ("id", "ood", "bg")
HELD_OUT_SEED = 100
BASE = replace(RECIPES["scenes-heads"], epochs=5, warmup=0.5)


@dataclass(frozen=True)
class Wiring:
    """False is what the equations say; True, of the first eight, what the released code does."""

    around_static: bool = False  # V is added behind the static layer
    around_dynamic: bool = False  # V is added behind the dynamic layer
    inner: bool = False  # a LeakyReLU between A and W, in both layers
    update_bias: bool = False  # a bias beside W, in both layers
    norm: bool = False  # BatchNorm and LeakyReLU on h_g
    receiver: bool = False  # A_d is applied transposed: the receiving node is read, not the sending one
    adjacency_bias: bool = False  # a bias beside W_A
    linear_x: bool = False  # X' without LeakyReLU
    # the paper leaves these open; in the library they are as False has it, for both wirings
    static_bias: bool = False  # a bias beside A_s, one number per category
    map_bias: bool = False  # a bias of the map convolution
    no_readout_bias: bool = False
    pooled_sigmoid: bool = False  # s_m pools M after its sigmoid


SWITCHES = [field.name for field in fields(Wiring)][:8]
OPEN = [field.name for field in fields(Wiring)][8:]
PAPER, RELEASED = Wiring(), Wiring(**dict.fromkeys(SWITCHES, True))


class Adjacency(nn.Module):
    """A_d with three switches. A bias belongs to the category whose row of W_A asks."""

    def __init__(self, num_classes: int, dim: int, wiring: Wiring) -> None:
        super().__init__()
        self.global_conv = nn.Linear(dim, dim)
        self.norm = nn.Sequential(nn.BatchNorm1d(dim), nn.LeakyReLU(SLOPE)) if wiring.norm else nn.Identity()
        self.to_weights = linear(2 * dim, num_classes, wiring.adjacency_bias)
        self.receiver = wiring.receiver

    def forward(self, H: Tensor) -> Tensor:
        h_g = self.norm(self.global_conv(H.mean(1)))  # (B, D)
        H_ = torch.cat([H, h_g.unsqueeze(1).expand_as(H)], dim=2)  # (B, C, 2D)
        A = torch.sigmoid(self.to_weights(H_))  # (B, C, C): row n is what node n answers
        return A if self.receiver else A.mT


class Convolution(nn.Module):
    """Eq. 2 with what may stand before W, beside it and around the layer."""

    def __init__(self, num_classes: int, dim: int, wiring: Wiring, around: bool, mixed_bias: bool = False) -> None:
        super().__init__()
        self.update = linear(dim, dim, wiring.update_bias)
        self.bias = nn.Parameter(torch.zeros(num_classes, 1)) if mixed_bias else 0.0
        self.inner, self.around = wiring.inner, around

    def forward(self, A: Tensor, H: Tensor, V: Tensor) -> Tensor:
        mixed = A @ H + self.bias  # (B, C, D)
        Z = F.leaky_relu(self.update(F.leaky_relu(mixed, SLOPE) if self.inner else mixed), SLOPE)
        return V + Z if self.around else Z  # (B, C, D)


class PooledSigmoid(nn.Module):
    def forward(self, X: Tensor, L: Tensor, classifier: nn.Module) -> Tensor:
        return L.sigmoid().amax((2, 3))  # (B, C)


def linear(inputs: int, outputs: int, bias: bool) -> nn.Linear:
    """Random numbers are drawn for the bias in any case, so that all wirings of a seed begin alike."""
    layer = nn.Linear(inputs, outputs)
    if not bias:
        layer.register_parameter("bias", None)
    return layer


def build(recipe: Recipe, wiring: Wiring, classes: tuple[str, ...]) -> ADDGCN:
    """The library's model with the parts in question replaced."""
    C = len(classes)
    model: Any = recipe.build(C, classes)
    sam, graph = model.representation, model.graph
    static = Convolution(C, recipe.dim, wiring, wiring.around_static, wiring.static_bias)
    dynamic = Convolution(C, recipe.dim, wiring, wiring.around_dynamic)
    graph.static.convolution = static
    graph.dynamic = GraphLayer(Adjacency(C, recipe.dim, wiring), dynamic)
    sam.activation = nn.Identity() if wiring.linear_x else nn.LeakyReLU(SLOPE)
    if wiring.map_bias:
        sam.classifier.bias = nn.Parameter(torch.zeros(C))
    if wiring.pooled_sigmoid:
        sam.pool = PooledSigmoid()
    if wiring.no_readout_bias:
        model.readout.bias.requires_grad_(False).zero_()
    return model


@dataclass(frozen=True)
class Arm:
    """One thing to measure: a wiring and a recipe, compared with the arm of the name `against`."""

    name: str
    wiring: Wiring
    against: str | None = None
    recipe: Recipe = BASE
    rates: tuple[float, ...] = RATES  # one: nothing is chosen


def arms() -> Iterator[Arm]:
    yield Arm("paper", PAPER)
    yield Arm("released", RELEASED)
    for base, name in ((PAPER, "paper"), (RELEASED, "released")):
        for switch in SWITCHES:
            yield Arm(f"{name}: {switch}", replace(base, **{switch: not getattr(base, switch)}), name)
        both = not base.around_static
        yield Arm(f"{name}: around_both", replace(base, around_static=both, around_dynamic=both), name)
    # as printed and as released, rates and all: nothing is chosen
    printed, code = replace(BASE, lr=0.5, clip=0.0), replace(BASE, lr=0.05, over="mean", clip=10.0)
    for wiring, name in ((PAPER, "paper"), (RELEASED, "released")):
        yield Arm(f"{name}: rate of the paper", wiring, name, printed, (0.5,))
        yield Arm(f"{name}: rate of the code", wiring, name, code, (0.05,))
    # the mean over the categories with the rate that belongs to the one chosen for the sum
    C = len(load("scenes", "id").classes)
    yield Arm("paper: loss_mean", PAPER, "paper", replace(BASE, over="mean"), (C * 0.01,))
    for switch in OPEN:
        yield Arm(f"paper: {switch}", replace(PAPER, **{switch: True}), "paper")


@cache
def data(split: str) -> tuple[np.ndarray, Tensor, dict[str, Any], tuple[str, ...]]:
    """Features (K, N, D, H, W), targets (N, C), what a record says of them, and the classes of a split."""
    dataset = load("scenes", split)
    trunk = build_backbone(BASE.backbone, BASE.weights).eval()
    items = cached_features(trunk, dataset, BASE.size, mirror=split == "train")
    channels_last = np.ascontiguousarray(items.features.transpose(0, 1, 3, 4, 2))  # the faster layout
    return channels_last.transpose(0, 1, 4, 2, 3), items.targets, describe(dataset), dataset.classes


def fit(recipe: Recipe, wiring: Wiring, take: np.ndarray) -> tuple[ADDGCN, bool]:
    """The head trained on the training scenes `take`, and whether its loss stayed finite."""
    features, targets, _, classes = data("train")
    torch.manual_seed(recipe.seed)
    model = build(recipe, wiring, classes).to(memory_format=torch.channels_last)
    optimizer = build_optimizer(recipe, model)
    head = [p for group in optimizer.param_groups for p in group["params"]]
    steps = len(take) // recipe.batch_size  # the last, smaller batch is dropped
    model.train()
    for epoch in range(recipe.epochs):
        rng = np.random.default_rng([recipe.seed, 2, epoch])
        order = rng.permutation(take)
        flip = (rng.random(len(order)) < 0.5).astype(int)
        for step in range(steps):
            part = slice(step * recipe.batch_size, (step + 1) * recipe.batch_size)
            X = torch.from_numpy(features[flip[part], order[part]])  # (B, D, H, W)
            loss = multilabel_loss(model.from_features(X), targets[order[part]], recipe.over)
            if not loss.isfinite():
                return model.eval(), False
            optimizer.zero_grad()
            loss.backward()
            if recipe.clip > 0:
                nn.utils.clip_grad_norm_(head, recipe.clip)
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * lr_factor(recipe, epoch * steps + step, steps)
            optimizer.step()
    return model.eval(), all(bool(p.isfinite().all()) for p in head)


@torch.no_grad()
def scores_of(model: ADDGCN, X: np.ndarray) -> Tensor:
    return torch.cat([model.from_features(torch.from_numpy(part)) for part in np.array_split(X, len(X) // 250 + 1)])


def choose(arm: Arm) -> tuple[float, list[dict[str, Any]]]:
    """The rate with the best mAP on a held-out fifth of the training split, and how all of them did."""
    if len(arm.rates) == 1:
        return arm.rates[0], []
    features, targets, _, classes = data("train")
    order = np.random.default_rng([HELD_OUT_SEED, 1]).permutation(len(targets))
    held_out, rest = np.sort(order[: len(order) // 5]), np.sort(order[len(order) // 5 :])
    tried: list[dict[str, Any]] = []
    for lr in arm.rates:
        model, finite = fit(replace(arm.recipe, lr=lr, seed=HELD_OUT_SEED), arm.wiring, rest)
        mAP = None
        if finite:
            mAP = compute_metrics(scores_of(model, features[0, held_out]), targets[held_out], classes).mAP
        tried.append({"lr": lr, "held_out_mAP": mAP})
    return float(max(tried, key=lambda t: t["held_out_mAP"] or 0.0)["lr"]), tried


def judge(arm: Arm, recipe: Recipe, tried: list[dict[str, Any]]) -> dict[str, Any]:
    """One seed on the whole training split, judged on the three test splits; its record."""
    began = time.time()
    _, targets, described, classes = data("train")
    model, finite = fit(recipe, arm.wiring, np.arange(len(targets)))
    metrics, digests = {}, {}
    seen: dict[str, Any] = {"name": "scenes", "train": described}
    for split in SPLITS:
        X, y, seen[split], _ = data(split)
        if finite:
            scores = scores_of(model, X[0])
            measured = compute_metrics(scores, y, classes)
            metrics[split] = {"mAP": measured.mAP, "CF1": measured.CF1, "OF1": measured.OF1}
            digests[split] = sha256_of(scores)
    return make_record(
        "wiring",
        name=arm.name,
        against=arm.against,
        wiring=asdict(arm.wiring),
        recipe=recipe.as_dict(),
        seed=recipe.seed,
        script=sha256(__file__),
        candidates=tried,
        data=seen,
        duration_s=round(time.time() - began, 2),
        diverged=not finite,
        scores_sha256=digests,
        metrics=metrics,
    )


@dataclass
class Arguments:
    record: str = "wirings"
    """Runs are appended to addgcn/records/NAME.jsonl."""


def main(arguments: Arguments) -> None:
    torch.set_num_threads(1)
    for arm in arms():
        try:
            done = [r for r in load_records(arguments.record) if r["name"] == arm.name]
        except InputError:
            done = []
        missing = sorted(set(SEEDS) - {r["seed"] for r in done})
        if not missing:
            continue
        lr, tried = (done[0]["recipe"]["lr"], done[0]["candidates"]) if done else choose(arm)
        for seed in missing:
            record = judge(arm, replace(arm.recipe, lr=lr, seed=seed), tried)
            append_record(arguments.record, record)
            found = " ".join(f"{s} {m['mAP']:.2f}" for s, m in record["metrics"].items()) or "diverged"
            print(f"{arm.name}: lr {lr:g}, seed {seed}: {found} ({record['duration_s']} s)", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
