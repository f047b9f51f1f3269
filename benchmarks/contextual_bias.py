"""Who leans on whom: the runs of the tables once more, for what needs their scores.

    python benchmarks/contextual_bias.py --runs FOLDER [--plan table4] [--only ROW ...] [--flat]
    python benchmarks/contextual_bias.py --plan table4-main --regime full --seeds 8 --draws 8

With --flat the same recipes are trained on `train-flat`, where no context can be learnt: nothing but the training
images differs, the learning rate neither.

FOLDER holds the records of `addgcn reproduce` (by default the committed ones). Each run is trained again from its
recipe, and its scores must have the digest that was recorded. Kept are, for every run, the failures at equal recall,
`addgcn.bias.leaning` for every pair of categories, and the benchmark of Singh et al. on `id` and `ood`. The biased
pairs are found once, by a ResNet with GAP that was trained on four fifths of the training scenes, on the last fifth.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import math
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro
from torch import Tensor
from torch.utils.data import DataLoader

from addgcn.batches import from_batches, start_accelerator
from addgcn.bias import Pair, at_recall, bias, biased_pairs, contextual_bias, leaning
from addgcn.data import load
from addgcn.data.transforms import eval_transform
from addgcn.errors import InputError
from addgcn.experiments import Job, Records, root_of
from addgcn.features import cached_features
from addgcn.pretrained import load_model
from addgcn.records import FOLDER, append_record, read_json_lines, sha256_of
from addgcn.reproduce import HELD_OUT, Plan
from addgcn.scores import compute_metrics, read_scores
from addgcn.train import collect_scores, train

SPLITS = ("id", "ood")
PAIRS = 9  # half of the categories
RECALL = 0.7


@dataclass
class Measure:
    """Train recorded runs again, and measure how they lean on company."""

    runs: Path = FOLDER
    """The folder with the records of `addgcn reproduce`."""
    plan: str = "table4"
    """The table whose rows are asked."""
    only: tuple[str, ...] = ()
    """Rows by name; by default all."""
    seeds: int = 5
    """So many runs of each row."""
    draws: int = 1
    """Draws of the training scenes, dealt out to the runs as `addgcn reproduce` does."""
    regime: Literal["heads", "full"] = "heads"
    """Heads on the frozen trunk, or all layers trained."""
    flat: bool = False
    """Train on train-flat in the place of train."""
    record: str = "contextual_bias"
    """The records to add to; what they hold is not done again."""


def trained(job: Job, where: str) -> Any:
    """The model of a job, trained."""
    train(job.recipe, job.data, where, root_of(job), job.train_split)
    return load_model(where)


def scored(model: Any, job: Job, split: str) -> tuple[Tensor, Tensor]:
    """Scores and targets (N, C) of a split."""
    dataset, size = load(job.data, split, root_of(job)), job.recipe.test_size or job.recipe.size
    dataset.transform = eval_transform(size)
    items: Any = cached_features(model.backbone, dataset, size) if job.recipe.frozen else dataset
    return collect_scores(from_batches(job.recipe, model), DataLoader(items, 64), start_accelerator())


def short(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None


def found_pairs(done: Records) -> dict[str, Any]:
    """The biased pairs, by a plain classifier on held-out training scenes."""
    plan = Plan("table4", only=("ResNet, GAP",))
    row, recipe = next(plan.rows())
    [job] = plan.runs_of(row, recipe, done)[:1]
    job = replace(job, recipe=replace(job.recipe, holdout=HELD_OUT))
    with tempfile.TemporaryDirectory() as folder:
        train(job.recipe, job.data, folder, root_of(job))
        held_out = read_scores(Path(folder) / "scores_holdout.npz")
    pairs = biased_pairs(held_out.scores, held_out.targets, PAIRS)
    return {"kind": "pairs", "recipe": job.recipe.as_dict(), "pairs": [asdict(pair) for pair in pairs]}


def measure(name: str, row: str, job: Job, pairs: list[Pair], digests: dict[str, str] | None) -> dict[str, Any]:
    """One run again, or one on train-flat: scores with a recorded digest must be the recorded ones."""
    kept: dict[str, Any] = {"kind": "run", "plan": name, "row": row, "wiring": job.recipe.wiring}
    kept |= {"seed": job.recipe.seed, "draw": job.draw, "train_split": job.train_split, "lr": job.recipe.lr}
    kept |= {"regime": "heads" if job.recipe.frozen else "full"}
    kept |= {"scores_sha256": {}, "mAP": {}, "equal recall": {}, "benchmark": {}, "leaning": {}}
    train_targets = load(job.data, "train", root_of(job)).targets
    with tempfile.TemporaryDirectory() as folder:
        model = trained(job, f"{folder}/run")
        for split in SPLITS:
            scores, targets = scored(model, job, split)
            kept["scores_sha256"][split] = digest = sha256_of(scores)
            if digests is not None and digest != digests[split]:
                raise InputError(f"{row}, seed {job.recipe.seed}, {split}: other scores than those recorded.")
            classes = load(job.data, split, root_of(job)).classes
            kept["mAP"][split] = short(compute_metrics(scores, targets, classes).mAP)
            level = bias(at_recall(scores, targets, RECALL), targets, train_targets, classes)
            kept["equal recall"][split] = {
                what: {k: short(v) for k, v in part.items() if not k.startswith("AP")} for what, part in level.items()
            }
            judged = contextual_bias(scores, targets, pairs)
            rows = judged.pop("pairs")
            kept["benchmark"][split] = {k: short(v) for k, v in judged.items()}
            for which in ("exclusive", "co-occurring"):
                kept["benchmark"][split][f"{which} by pair"] = [r[which] and short(r[which]) for r in rows]
            C = len(classes)
            both = [[leaning(scores, targets, c, k) for k in range(C)] for c in range(C)]
            kept["leaning"][split] = {
                which: [[None if c == k else short(both[c][k][which]) for k in range(C)] for c in range(C)]
                for which in ("present", "absent")
            }
    return kept


def main(options: Measure) -> None:
    done = Records(options.runs)
    plan = Plan(options.plan, regime=options.regime, only=options.only, seeds=options.seeds, draws=options.draws)
    files = (FOLDER / f"{options.record}.jsonl.gz", FOLDER / f"{options.record}.jsonl")  # the committed ones are packed
    known = [line for path in files if path.is_file() for line in read_json_lines(path)]
    first = next((line for line in known if line["kind"] == "pairs"), None)
    if first is None:
        append_record(options.record, first := found_pairs(done))
    pairs = [Pair(**pair) for pair in first["pairs"]]
    have = {identity(line) for line in known if line["kind"] == "run"}
    jobs = [(row.name, job) for row, recipe in plan.rows() for job in plan.runs_of(row, recipe, done)]
    for name, job in sorted(jobs, key=lambda both: both[1].recipe.seed):
        recorded = done.get(job)
        if recorded is None or recorded["failed"]:
            print(f"{name}, seed {job.recipe.seed}: not recorded")
            continue
        digests = {split: recorded["scores_sha256"][split] for split in SPLITS}
        if options.flat:
            job = replace(job, train_split="train-flat")
        made = {"regime": options.regime, "row": name, "wiring": job.recipe.wiring, "train_split": job.train_split}
        made |= {"seed": job.recipe.seed, "draw": job.draw}
        if identity(made) not in have:
            append_record(options.record, measure(options.plan, name, job, pairs, None if options.flat else digests))
            print(f"{' '.join(map(str, made.values()))}: done", flush=True)


def identity(run: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two runs the same. The first records are all of the frozen trunk and do not say so."""
    return run.get("regime", "heads"), *(run[key] for key in ("row", "wiring", "seed", "draw", "train_split"))


if __name__ == "__main__":
    main(tyro.cli(Measure))
