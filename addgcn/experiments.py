"""Runs by the dozen: in parallel processes, each leaving a record as it ends, none done twice.

A run is known by its whole recipe, its data and its draw. What a folder's records hold is not run again, so a stopped
measurement goes on where it was.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from .batches import TRAIN_SPLIT, from_batches, start_accelerator
from .bias import bias
from .controls import controls
from .data import MultiLabelDataset, cache_dir, load
from .data.scenes.write import VERSION, write_scenes
from .data.transforms import eval_transform
from .errors import Diverged, InputError
from .features import cached_features
from .localisation import localisation
from .pretrained import load_model
from .recipes import Recipe
from .records import make_record, read_json_lines, sha256_of
from .runs import describe
from .train import collect_scores, compute_metrics, train

RECORDS = "reproduce.jsonl"
TEST_SPLITS = {"scenes": ("id", "ood", "bg")}  # of other data: the one split that the literature reports
OTHER_SIZES = {"scenes": (48, 96)}  # pixels: the first test split is judged at these, too


@dataclass(frozen=True)
class Job:
    """One training to be done."""

    recipe: Recipe  # holdout > 0: to choose a learning rate
    data: str
    root: str | None
    draw: int  # of the training scenes
    train_split: str | None = None  # where it is not the one that the literature trains on


class Records:
    """The runs that were done, in a file that grows by a line as each ends.

    Raises:
        InputError: the file is damaged, or cannot be written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / RECORDS
        packed = self.path.with_name(f"{RECORDS}.gz")  # the committed ones are
        lines = [run for path in (packed, self.path) if path.is_file() for run in read_json_lines(path)]
        self.runs = {self.key(run): run for run in lines}

    @staticmethod
    def key(run: dict[str, Any] | Job) -> str:
        """What makes two runs the same: recipe, data, draw, split. Settings that came later have their default."""
        if isinstance(run, Job):
            parts = [asdict(run.recipe), run.data, run.draw, run.train_split]
        else:
            recipe = Recipe.from_dict(run["recipe"])
            parts = [asdict(recipe), run["data"]["name"], run["draw"], run.get("train_split")]
        return json.dumps(parts, sort_keys=True)

    def get(self, job: Job) -> dict[str, Any] | None:
        return self.runs.get(self.key(job))

    def add(self, run: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(run) + "\n")
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}. Free some space.") from error
        self.runs[self.key(run)] = run

    def seconds(self, job: Job) -> float | None:
        """What a run like this took here: the same model, data and epochs; None where there was none."""
        alike = [
            run["duration_s"]
            for run in self.runs.values()
            if [run["data"]["name"], *(run["recipe"][k] for k in ("model", "epochs", "lr_trunk"))]
            == [job.data, job.recipe.model, job.recipe.epochs, job.recipe.lr_trunk]
        ]
        return statistics.median(alike) if alike else None


def root_of(job: Job) -> str | None:
    """The folder of the data; that of another draw of the training scenes is made here."""
    if job.draw == 0:
        return job.root
    splits = ("train", *TEST_SPLITS["scenes"])
    return str(
        write_scenes(cache_dir() / f"scenes-v{VERSION}-draw{job.draw}", splits=splits, draw=job.draw, progress=False)
    )


def missing(jobs: Iterable[Job], done: Records) -> list[Job]:
    """Those that are not done, each once."""
    return list({done.key(job): job for job in jobs if done.get(job) is None}.values())


def run_all(jobs: list[Job], done: Records, processes: int) -> None:
    """In parallel processes of one thread each; every record is written as its run ends."""
    os.environ["OMP_NUM_THREADS"] = "1"  # what the processes start with
    os.environ["TQDM_DISABLE"] = "1"
    try:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            runs = [pool.submit(run, job) for job in jobs]
            try:
                for finished in tqdm(as_completed(runs), "runs", len(jobs), unit="run", smoothing=0, disable=False):
                    done.add(finished.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        del os.environ["TQDM_DISABLE"]


def run(job: Job) -> dict[str, Any]:
    """One training and its metrics on every test split (or on the held-out images). One that diverges is recorded."""
    which: dict[str, Any] = {"draw": job.draw, "train_split": job.train_split}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        try:
            trained = train(job.recipe, job.data, out, root_of(job), job.train_split)
        except Diverged as error:
            which |= {"recipe": job.recipe.as_dict(), "data": {"name": job.data}}
            return make_record("reproduce", **which, failed=str(error), duration_s=0.0)
        record = {key: trained[key] for key in ("recipe", "data", "duration_s")} | which | {"failed": None}
        split, model = trained["data"]["eval"]["split"], load_model(out)
        record |= {"metrics": {split: trained["metrics"]}, "scores_sha256": {split: trained["scores_sha256"]}}
        if not job.recipe.holdout:
            record |= judge(job, model, TEST_SPLITS.get(job.data, (split,)))
        head_parameters = parameters(model) - parameters(model.backbone)
        return make_record("reproduce", **rounded(record), head_parameters=head_parameters)


def rounded(value: Any) -> Any:
    """Numbers of metrics with four decimals (of a percent): there are many, and the digits after are noise."""
    if isinstance(value, dict):
        return {k: v if k == "recipe" else rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None  # JSON has no NaN
    return value


def parameters(module: Any) -> int:
    return sum(p.numel() for p in module.parameters())


def judge(job: Job, model: Any, splits: Iterable[str]) -> dict[str, Any]:
    """A trained model on its test splits: metrics, digests of the scores, controls, bias and maps, each by split.

    On the first split also its mAP at other sizes than it was trained at.
    """
    frozen, accelerator = job.recipe.frozen, start_accelerator()
    net = from_batches(job.recipe, model)
    found: dict[str, Any] = {"splits": [], "metrics": {}, "scores_sha256": {}, "controls": {}, "maps": {}, "bias": {}}
    train_targets = load(job.data, TRAIN_SPLIT[job.data], root_of(job)).targets

    def loader(dataset: MultiLabelDataset, size: int) -> DataLoader:
        dataset.transform = eval_transform(size, model.backbone.mean, model.backbone.std)
        items: Any = cached_features(model.backbone, dataset, size) if frozen else dataset
        return DataLoader(items, 64)

    for split in splits:
        dataset = load(job.data, split, root_of(job))
        loaded = loader(dataset, job.recipe.test_size or job.recipe.size)
        scores, targets = collect_scores(net, loaded, accelerator)
        found["splits"].append(describe(dataset))
        found["metrics"][split] = compute_metrics(scores, targets, dataset.classes).as_dict()
        found["scores_sha256"][split] = sha256_of(scores)
        found["controls"][split] = controls(model, partial(features, model, loaded, frozen))
        found["bias"][split] = bias(scores, targets, train_targets, dataset.classes)
        found["maps"][split] = localisation(model, features(model, loaded, frozen), dataset)
        if "sizes" not in found:
            found["sizes"] = {}
            for size in OTHER_SIZES.get(job.data, ()):
                scores, targets = collect_scores(net, loader(dataset, size), accelerator)
                found["sizes"][str(size)] = compute_metrics(scores, targets, dataset.classes).mAP
    return found


def features(model: Any, loader: DataLoader, frozen: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Feature maps and targets, batch by batch; a frozen backbone's come from the cache."""
    for images, targets in loader:
        yield images if frozen else model.backbone(images), targets
