"""The paper's tables and figures as lists of runs, declared here once: `addgcn reproduce NAME`.

    TABLES -> rows -> a learning rate for each, from held-out training images -> runs by seed -> records -> tables

Rows that two tables share are run once.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .batches import EVAL_SPLIT
from .errors import InputError, check_name
from .experiments import Job, Records, missing, root_of, run_all
from .recipes import RECIPES, Recipe

HELD_OUT = 0.2  # of the training split, to choose the learning rate on
FIRST_SEED = 1  # of the runs that count. With 0 the scenes' trunk was trained: a SAM of seed 0 would start from the
# weights of the layer that the trunk was trained under, and its maps would not be its own (chapter 14)
RATE_SEEDS = {  # of the runs for each candidate rate. End to end, seed 0 bears rates that others do not (chapter 12)
    "heads": (0, 1),
    "full": (1,),
}


@dataclass(frozen=True)
class Row:
    """A row of a table: what it changes in the recipe, and its name in the paper's table, if it is there."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    paper: str | None = None
    train_split: str | None = None  # where it is not the one that the literature trains on
    times: int = 1  # as many epochs as the recipe


GAP = Row("ResNet, GAP", {"model": "gap"}, "ResNet-101")
GMP = Row("ResNet, GMP", {"model": "gmp"})
SAM = Row("SAM, no graph", {"graph": "none"})
ONE_LAYER = Row("identity, one layer", {"graph": "I"})
IDENTITY = Row("identity, two layers", {"graph": "I-I"})
S = Row("S", {"graph": "S"}, "S")
D = Row("D", {"graph": "D"}, "D")
S_D = Row("S→D", {"graph": "S-D"}, "S→D")
PRINCIPAL = [GAP, SAM, IDENTITY, S, D, S_D]
FEW = [replace(row, settings={**row.settings, "limit": 500}) for row in PRINCIPAL]  # training images
PEERS = [
    GAP,
    GMP,
    Row("ML-GCN", {"model": "mlgcn"}, "ML-GCN"),
    Row("SSGRL", {"model": "ssgrl"}, "SSGRL"),
    Row("ADD-GCN", {}, "Ours"),
]
DYNAMIC = [
    D,
    Row("P (add)", {"graph": "P-add"}),
    Row("P (mul)", {"graph": "P-mul"}),
    Row("P (cat)", {"graph": "P-cat"}),
    Row("D→S", {"graph": "D-S"}),
    S_D,
]
TABLES: dict[str, list[Row]] = {
    "table1": PEERS,
    "table2": PEERS,
    "table3": PEERS,
    "table4": [
        GAP,
        GMP,
        SAM,
        ONE_LAYER,
        IDENTITY,
        S,
        D,
        Row("P (add)", {"graph": "P-add"}, "P (add)"),
        Row("P (mul)", {"graph": "P-mul"}, "P (mul)"),
        Row("P (cat)", {"graph": "P-cat"}, "P (cat)"),
        Row("D→S", {"graph": "D-S"}, "D→S"),
        S_D,
    ],
    "table4-main": [GAP, GMP, SAM, ONE_LAYER, IDENTITY, S, D, S_D],  # those that have more seeds end to end
    "table5": [
        Row("Sum", {"readout": "sum"}, "Sum"),
        Row("Avg", {"readout": "avg"}, "Avg"),
        Row("Max", {"readout": "max"}, "Max"),
        Row("Bi", {"readout": "bi"}, "Bi"),
    ],
    "table6": [
        Row("GAP→cls", {"maps": "gap-cls"}, "GAP→cls"),
        Row("GMP→cls", {"maps": "gmp-cls"}, "GMP→cls"),
        Row("cls→GMP", {"maps": "cls-gmp"}, "cls→GMP"),
    ],
    "figure3": [
        Row("Conv, no graph", {"representation": "conv", "graph": "none"}),
        Row("Conv, identity", {"representation": "conv", "graph": "I-I"}),
        Row("Conv, S→D", {"representation": "conv"}),
        SAM,
        Row("SAM, S→D"),
    ],
    "figure4": [GAP, GMP, SAM, Row("GAP→cls", {"maps": "gap-cls"}), Row("GMP→cls", {"maps": "gmp-cls"}), S_D],
    "figure5": DYNAMIC,
    "controls": [SAM, *DYNAMIC],  # of the paper's claims: A_d exchanged in trained models, one score alone
    "train-flat": [replace(row, train_split="train-flat") for row in PRINCIPAL],  # no context can be learnt
    "few-images": [replace(row, times=11) for row in FEW],  # so about as many steps as with 5,000
    "few-steps": FEW,  # as many epochs, so a tenth of the steps
    "random-trunk": [replace(row, settings={**row.settings, "weights": None}) for row in PRINCIPAL],
    "longer": [replace(row, times=2) for row in (SAM, IDENTITY, S_D)],
    "attend": [Row("mean", {"attend": "mean"}), Row("sum", {"attend": "sum"})],  # eq. 1's sum over the positions
}
WIRINGS = ("paper", "released")

# The learning rates that every row begins with. Where the best is at the edge, the next on the ladder is tried too.
RATES = {
    "scenes": {
        "gap": (0.1, 0.3, 1.0),
        "gmp": (0.03, 0.1, 0.3),
        "mlgcn": (0.01, 0.03, 0.1),
        "ssgrl": (0.03, 0.1, 0.3),
        "addgcn": (0.003, 0.01, 0.03),
    },
    "photographs": dict.fromkeys(("gap", "gmp", "mlgcn", "ssgrl", "addgcn"), (0.01, 0.03, 0.1)),
}
LADDER = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class Plan:
    """What `addgcn reproduce` was asked for."""

    name: str
    data: str = "scenes"
    root: Path | None = None
    regime: str = "heads"
    wiring: str = "both"
    seeds: int = 5  # runs of each row
    draws: int = 1  # of the training scenes: the runs are dealt out to them in turn
    backbone: str | None = None
    only: tuple[str, ...] = ()  # rows by name; empty: all

    def __post_init__(self) -> None:
        check_name("table or figure", self.name, TABLES)
        check_name("regime", self.regime, ("heads", "full"))
        check_name("wiring", self.wiring, (*WIRINGS, "both"))
        check_name("data set", self.data, EVAL_SPLIT)
        for row in self.only:
            check_name(f"row of {self.name}", row, [row.name for row in TABLES[self.name]])
        if self.data != "scenes" and any(row.train_split for row in TABLES[self.name]):
            raise InputError(f"{self.name} needs the scenes: no other data has such a training split.")
        if self.seeds < 1 or self.draws < 1:
            raise InputError(f"seeds ({self.seeds}) and draws ({self.draws}) must be at least 1.")
        if self.draws > self.seeds:
            raise InputError(f"{self.draws} draws need as many seeds, not {self.seeds}: no two runs share a seed.")
        if self.draws > 1 and (self.data != "scenes" or self.root is not None):
            raise InputError("draws: only the scenes, in their own folder, can be drawn again. Leave draws at 1.")

    @property
    def base(self) -> Recipe:
        """The recipe that the rows change."""
        if self.data == "scenes":
            recipe = RECIPES["scenes-heads" if self.regime == "heads" else "scenes"]
        else:
            recipe = RECIPES["released"]
            if self.regime == "heads":
                recipe = replace(recipe, lr_trunk=0.0, augment="flip")
        recipe = replace(recipe, evaluate_every=recipe.epochs)
        return recipe if self.backbone is None else replace(recipe, backbone=self.backbone)

    def rows(self) -> Iterator[tuple[Row, Recipe]]:
        """Every row in every wiring asked for, and its recipe but for the learning rate. Baselines have no wiring."""
        wirings = WIRINGS if self.wiring == "both" else (self.wiring,)
        for row in TABLES[self.name]:
            if self.only and row.name not in self.only:
                continue
            baseline = "model" in row.settings
            for wiring in WIRINGS[:1] if baseline else wirings:
                yield row, stretched(replace(self.base, wiring=wiring, **row.settings), row.times)

    def trials(self, done: Records) -> list[Job]:
        """The runs that the learning rates are chosen by, as far as they can be told from those that were done."""
        return [
            job
            for row, recipe in self.rows()
            for lr in self.rates(row, recipe, done)
            for job in self.held_out(row, recipe, lr)
        ]

    def finals(self, done: Records) -> list[Job]:
        """The runs that count, at the rates that were chosen."""
        return [job for row, recipe in self.rows() for job in self.runs_of(row, recipe, done)]

    def runs_of(self, row: Row, recipe: Recipe, done: Records) -> list[Job]:
        """The runs of one row, each with a seed of its own: what a seed does to a run it does on every draw."""
        recipe = self.chosen(row, recipe, done)
        return [self.job(row, replace(recipe, seed=FIRST_SEED + k), k % self.draws) for k in range(self.seeds)]

    def held_out(self, row: Row, recipe: Recipe, lr: float) -> list[Job]:
        """The runs that one learning rate is judged by, on a part of the training split."""
        recipes = [replace(recipe, lr=lr, holdout=HELD_OUT, seed=seed) for seed in RATE_SEEDS[self.regime]]
        return [self.job(row, one, 0) for one in recipes]

    def rates(self, row: Row, recipe: Recipe, done: Records) -> list[float]:
        """The learning rates to be tried: those to begin with; and outwards of the best, while it is at the edge."""
        found = list(RATES["scenes" if self.data == "scenes" else "photographs"][recipe.model])
        while all(done.get(job) for lr in found for job in self.held_out(row, recipe, lr)):
            best = self.best(row, recipe, found, done)
            further = [r for r in LADDER if r > best][:1] if best == found[-1] else []
            further = [r for r in LADDER if r < best][-1:] if best == found[0] else further
            if not further:
                break
            found = sorted(found + further)
        return found

    def best(self, row: Row, recipe: Recipe, rates: list[float], done: Records) -> float:
        """The rate with the best mean mAP on the held-out images; of equals the first."""
        return max(rates, key=lambda lr: statistics.mean(held_out(done.get(j)) for j in self.held_out(row, recipe, lr)))

    def chosen(self, row: Row, recipe: Recipe, done: Records) -> Recipe:
        """The recipe at the best of its rates."""
        return replace(recipe, lr=self.best(row, recipe, self.rates(row, recipe, done), done))

    def job(self, row: Row, recipe: Recipe, draw: int) -> Job:
        return Job(recipe, self.data, None if self.root is None else str(self.root), draw, row.train_split)


def stretched(recipe: Recipe, times: int) -> Recipe:
    """With so many times the epochs, and the same schedule over them."""
    return replace(
        recipe,
        epochs=recipe.epochs * times,
        warmup=recipe.warmup * times,
        milestones=tuple(milestone * times for milestone in recipe.milestones),
        evaluate_every=recipe.evaluate_every * times,
    )


def held_out(run: dict[str, Any] | None) -> float:
    """A run's mAP on its held-out images; 0 where it diverged."""
    return 0.0 if run is None or run["failed"] else run["metrics"]["holdout"]["mAP"]


def estimate(plan: Plan, done: Records, processes: int) -> str:
    """What there is to do, and how long it may take by the runs that were done."""
    trials = missing(plan.trials(done), done)
    finals = missing(plan.finals(done), done)
    times = [done.seconds(job) for job in (*trials, *finals)]
    known = [seconds for seconds in times if seconds is not None]
    text = f"{plan.name} on {plan.data}: {len(trials)} runs to choose learning rates, {len(finals)} that count"
    if not times:
        return f"{text}: all are done."
    if not known:
        return f"{text}; how long a run takes is known after the first."
    hours = sum(known) / len(known) * len(times) / processes / 3600
    return f"{text}; about {hours:.1f} hours on {processes} processes."


def reproduce(plan: Plan, out: str | Path, processes: int = 2) -> Records:
    """Do the runs of a plan that are not in `out` yet, first those that choose the learning rates.

    Raises:
        InputError: the data cannot be read, or the records cannot be written. What was measured is kept.
    """
    done = Records(out)
    while waiting := missing(plan.trials(done), done) or missing(plan.finals(done), done):
        for job in {job.draw: job for job in waiting}.values():
            root_of(job)  # draws the scenes, before several processes ask for them
        run_all(waiting, done, processes)
    return done
