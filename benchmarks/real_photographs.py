"""ADD-GCN against a linear probe on a few hundred real photographs, frozen and fine-tuned.

    python benchmarks/real_photographs.py --root FOLDER [--processes 2] [--record real_photographs]

FOLDER is a small COCO 2017 folder (annotations/, train2017/, val2017/). The backbone is EfficientNet-Lite0 with its
ImageNet weights. Each method gets its learning rate from the training photographs alone: every candidate is trained
on three quarters of them and judged on the fourth, for several draws of that fourth; every method has as many
candidates. Then five seeds are trained on all of them with the chosen rate and judged on the validation
photographs, once. Fine-tuning chooses the backbone's rate in the same way, with the head's rate or a tenth of it.

A few hundred photographs are not COCO: half of the categories have six positives or fewer. What comes out compares
the methods with each other, and nothing else.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # many small processes

import statistics
import tempfile
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import tyro

from addgcn.errors import InputError
from addgcn.recipes import Recipe
from addgcn.records import append_record, load_records
from addgcn.train import train

FROZEN = Recipe(
    backbone="efficientnet-lite0",
    weights="imagenet",
    attend="mean",
    dim=256,
    size=256,
    augment="flip",
    epochs=20,
    batch_size=32,
    lr_trunk=0.0,
    schedule="cosine",
    warmup=1.0,
    over="sum",
    workers=0,
    evaluate_every=20,
)
METHODS = {
    "linear probe (GAP)": replace(FROZEN, model="gap"),
    "ADD-GCN, released wiring, mean": replace(FROZEN, wiring="released"),
    "ADD-GCN, paper wiring, sum": replace(FROZEN, attend="sum"),
}
TUNED = ("linear probe (GAP)", "ADD-GCN, released wiring, mean")
RATES = {"gap": (0.03, 0.1, 0.3, 1.0), "addgcn": (0.003, 0.01, 0.03, 0.1)}
TRUNK_RATES = (0.0003, 0.001, 0.003, 0.01)
SEEDS = range(5)


@dataclass
class Arguments:
    root: Path
    processes: int = 2
    record: str | None = None
    """Append the final runs to addgcn/records/NAME.jsonl."""
    draws: int = 3
    """Draws of the held-out quarter that a frozen candidate is judged on."""
    tuned_draws: int = 1
    """The same for a fine-tuned one, which takes much longer."""
    tuned_epochs: int = 3
    """Epochs of the fine-tuned runs."""


def run(job: tuple[Recipe, Path]) -> dict[str, Any] | None:
    """One training, a fine-tuned one after the frozen one that it starts from; None where it diverged."""
    recipe, root = job
    with tempfile.TemporaryDirectory() as folder:
        first, last = Path(folder) / "frozen", Path(folder) / "run"
        try:
            if recipe.frozen:
                return train(recipe, "coco2017", last, root)
            epochs = FROZEN.epochs
            frozen = replace(recipe, lr=10 * recipe.lr, lr_trunk=0.0, epochs=epochs, evaluate_every=epochs)
            start = train(frozen, "coco2017", first, root)
            record = train(replace(recipe, weights=str(first / "model.safetensors")), "coco2017", last, root)
        except InputError as error:  # a candidate that diverges is no candidate
            print(f"{recipe.model} lr {recipe.lr} trunk {recipe.lr_trunk}: {error}", flush=True)
            return None
    record["recipe"]["weights"] = "those that the run started_from ended with"
    record["started_from"] = {key: start[key] for key in ("recipe", "scores_sha256", "metrics", "duration_s")}
    return record


def mean_mAP(records: list[dict[str, Any] | None]) -> float:
    return statistics.mean(r["metrics"]["mAP"] if r else 0.0 for r in records)


def choose(
    pool: Executor, name: str, grid: list[Recipe], root: Path, draws: int
) -> tuple[Recipe, list[dict[str, Any]]]:
    """The candidate with the best mean mAP on held-out training photographs, and how all of them did."""
    jobs = [(replace(recipe, holdout=0.25, seed=s), root) for recipe in grid for s in range(draws)]
    results = list(pool.map(run, jobs))
    tried = []
    for k, recipe in enumerate(grid):
        mAP = mean_mAP(results[k * draws : (k + 1) * draws])
        tried.append({"lr": recipe.lr, "lr_trunk": recipe.lr_trunk, "held_out_mAP": mAP, "draws": draws})
        print(f"{name}: lr {recipe.lr:g}, backbone {recipe.lr_trunk:g}: held-out mAP {mAP:.2f}", flush=True)
    return grid[max(range(len(grid)), key=lambda k: tried[k]["held_out_mAP"])], tried


def judge(pool: Executor, name: str, recipe: Recipe, tried: list[dict[str, Any]], arguments: Arguments) -> None:
    """Five seeds on all training photographs, judged on the validation photographs."""
    finals = list(filter(None, pool.map(run, [(replace(recipe, seed=s), arguments.root) for s in SEEDS])))
    values = [record["metrics"]["mAP"] for record in finals]
    print(
        f"{name}: chosen lr {recipe.lr:g}, backbone {recipe.lr_trunk:g}: validation mAP {statistics.mean(values):.2f}, "
        f"standard deviation {statistics.stdev(values):.2f}, seeds " + " ".join(f"{v:.2f}" for v in values),
        flush=True,
    )
    if arguments.record:
        for record in finals:
            append_record(arguments.record, {**record, "name": name, "candidates": tried})


def measured(name: str, arguments: Arguments) -> Recipe | None:
    """The recipe of a method whose five seeds the record holds already: a stopped measurement goes on from there."""
    try:
        done = [r for r in load_records(arguments.record or "") if r["name"] == name]
    except InputError:
        return None
    return replace(Recipe.from_dict(done[0]["recipe"]), seed=0) if len(done) == len(SEEDS) else None


def main(arguments: Arguments) -> None:
    run((replace(FROZEN, model="gap", epochs=1, evaluate_every=1), arguments.root))  # makes the features' cache
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        chosen = {}
        for method, base in METHODS.items():
            name = f"{method}, frozen"
            recipe = measured(name, arguments)
            if recipe is None:
                grid = [replace(base, lr=lr) for lr in RATES[base.model]]
                recipe, tried = choose(pool, name, grid, arguments.root, arguments.draws)
                judge(pool, name, recipe, tried, arguments)
            chosen[method] = recipe
        for method in TUNED:
            name = f"{method}, fine-tuned"
            if measured(name, arguments) is None:
                epochs = arguments.tuned_epochs
                tuned = replace(chosen[method], epochs=epochs, evaluate_every=epochs)
                grid = [replace(tuned, lr=tuned.lr / 10, lr_trunk=lr) for lr in TRUNK_RATES]
                recipe, tried = choose(pool, name, grid, arguments.root, arguments.tuned_draws)
                judge(pool, name, recipe, tried, arguments)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
