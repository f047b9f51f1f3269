"""The commands of the command line, but for `train`: one dataclass each, whose fields are its arguments."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from .errors import InputError


@dataclass
class Evaluate:
    """Score a trained model on a split: mAP, precision, recall and F1 as a table or as JSON."""

    run_folder: Positional[Path | None] = None
    """The run folder, or a folder written by save_pretrained."""
    split: str | None = None
    """The split, for instance id, ood or bg of the scenes; by default the one the run was evaluated on."""
    data: str | None = None
    """By default the data the run was trained on."""
    root: Path | None = None
    """The data set's folder; by default the one the run was trained on."""
    size: int | None = None
    """Pixels of the square image; by default the recipe's test_size."""
    sizes: tuple[int, ...] = ()
    """Several sizes, whose scores are averaged."""
    flip: bool = False
    """Also score each image's mirror image, and average."""
    scores: Path | None = None
    """A saved scores_SPLIT.npz: its metrics, without model and images. With a run folder, its classes are compared."""
    calibrate_on: str | None = None
    """Also fit a temperature and thresholds on this part of the data: holdout, or a split not reported on."""
    batch_size: int = 64
    """Images at a time; the result is the same for all."""
    workers: int = 2
    """Processes that decode images."""
    mode: Literal["raw", "area", "11pt"] = "raw"
    """How average precision is computed: raw as the field does, area as VOC from 2010 on, 11pt as VOC 2007."""
    per_class: bool = False
    """Also print every category: average precision, positives, precision, recall and F1."""
    json: bool = False
    """Print JSON instead of the table."""

    def run(self) -> None:
        from .evaluate import evaluate_run, evaluate_scores

        if self.scores is not None:
            needs_the_model = ("split", "data", "root", "size", "sizes", "flip", "calibrate_on")
            if given := [name for name in needs_the_model if getattr(self, name)]:
                raise InputError(
                    f"--scores takes scores as they were saved: leave --{given[0].replace('_', '-')} away."
                )
            record, title = evaluate_scores(self.scores, self.mode, self.run_folder), str(self.scores)
        elif self.run_folder is None:
            raise InputError("name a run folder, or a file of saved scores with --scores.")
        else:
            where = (self.run_folder, self.split, self.data, self.root, self.size)
            how = (self.batch_size, self.workers, self.mode)
            record = evaluate_run(*where, *how, sizes=self.sizes, flip=self.flip, calibrate_on=self.calibrate_on)
            title = f"{record['data']['name']} {record['data']['eval']['split']}"
        if not is_first_process():
            return
        if self.json:
            print(json.dumps(record, indent=1))
            return
        show_metrics(record["metrics"], title)
        if "calibration" in record:
            show_calibration(record["calibration"], record["data"]["eval"]["split"])
        if self.per_class:
            show_classes(record)
        if self.run_folder is not None and self.scores is None and "scores" in record:
            print(f"scores: {self.run_folder / record['scores']}")


@dataclass
class Bias:
    """Measure contextual bias from saved scores: does a category need its usual companion? (Singh et al., CVPR 2020)

    Pairs are found on images that were held out of training, and judged on the scores of a test split.
    """

    scores: Path
    """A saved scores_SPLIT.npz of the test split."""
    train_scores: Path | None = None
    """Those of images held out of training: scores_holdout.npz of a run with --holdout. Without: COCO's 14 pairs."""
    pairs: int = 20
    """How many pairs to keep, the most biased."""
    share: float = 0.2
    """Of a category's images, the part that its companion must be on."""
    json: bool = False
    """Print JSON instead of the table."""

    def run(self) -> None:
        from .bias import saved_bias

        found = saved_bias(self.scores, self.train_scores, self.pairs, self.share)
        print(json.dumps(found, indent=1)) if self.json else show_bias(found)


@dataclass
class Predict:
    """Name what is on photographs: ranked categories with scores, and a figure of the maps behind them."""

    run_folder: Positional[Path]
    """The run folder, or a folder written by save_pretrained."""
    photos: Positional[list[Path]]
    """Image files."""
    top: int = 5
    """How many categories to print and draw."""
    size: int | None = None
    """Pixels of the square image; by default the recipe's test_size."""
    out: Path | None = None
    """Where the figures go, as NAME_maps.png; by default predictions/ in the run folder."""

    def run(self) -> None:
        from .evaluate import predict_photos

        out = self.out or self.run_folder / "predictions"
        for photo, ranked, figure in predict_photos(self.run_folder, self.photos, out, self.top, self.size):
            print(f"{photo}")
            for name, score in ranked:
                print(f"  {score:5.3f}  {name}{'' if score > 0.5 else '   (below 0.5: not predicted)'}")
            print(f"  figure: {figure}")


@dataclass
class Reproduce:
    """Measure a table or figure of the paper: every row with seeds, beside the paper's numbers.

    First every row's learning rate is chosen on held-out training images, then the runs that count are done. What is
    in the records already is not done again, so the same command goes on after a stop.
    """

    name: Positional[str]
    """table1 to table6, figure3 to figure5; table4-main, controls, train-flat, few-images, few-steps, random-trunk,
    longer or attend."""
    only: tuple[str, ...] = ()
    """Rows by name, for instance 'S→D'; by default all."""
    data: str = "scenes"
    """scenes, coco2014, coco2017, voc2007 or voc2012."""
    root: Path | None = None
    """The data set's folder; the scenes are made where it is left out."""
    regime: Literal["heads", "full"] = "heads"
    """heads: on a frozen backbone, whose features are computed once; full: end to end."""
    wiring: Literal["paper", "released", "both"] = "both"
    """The equations' wiring, the released code's, or both."""
    backbone: str | None = None
    """By default the recipe's: the scenes' small one, or resnet101."""
    seeds: int = 5
    """Runs of each row."""
    draws: int = 1
    """Draws of the training scenes. The runs are dealt out to them in turn; with as many as seeds each has its own."""
    processes: int = 2
    """Runs at a time, each on one thread."""
    out: Path = Path("runs/reproduce")
    """The folder with the records, and the tables made from them."""
    dry_run: bool = False
    """Only say what would be run, and for how long."""
    only_tables: bool = False
    """Only make the tables, from the records in --out."""

    def run(self) -> None:
        from .experiments import Records
        from .reproduce import Plan, estimate, reproduce
        from .tables import markdown, measured, show, write_tables

        asked = (self.name, self.data, self.root, self.regime, self.wiring, self.seeds, self.draws, self.backbone)
        plan = Plan(*asked, self.only)
        if self.dry_run or not self.only_tables:
            print(estimate(plan, Records(self.out), self.processes), flush=True)
        if self.dry_run:
            return
        done = Records(self.out) if self.only_tables else reproduce(plan, self.out, self.processes)
        print(markdown(show(measured(plan, done))))
        print("written: " + ", ".join(str(path) for path in write_tables(plan, done, self.out)))


@dataclass
class Scenes:
    """Write the drawn scenes as a genuine COCO or VOC folder."""

    root: Positional[Path]
    """The folder to write."""
    size: int = 64
    """Pixels of the square images."""
    layout: Literal["coco", "voc"] = "coco"
    """How the folder is laid out."""
    seed: int = 0
    """Another seed draws other scenes."""
    workers: int = 2
    """Processes that draw."""

    def run(self) -> None:
        from .data.scenes.write import write_scenes

        print(write_scenes(self.root, size=self.size, seed=self.seed, layout=self.layout, workers=self.workers))


def is_first_process() -> bool:
    """Of several processes started by torchrun, the first one speaks."""
    return os.environ.get("RANK", "0") == "0"


def show_metrics(metrics: dict[str, Any], title: str) -> None:
    """A table of one row, as the field prints them; all values in percent."""
    names = ["mAP", "CP", "CR", "CF1", "OP", "OR", "OF1"]
    print(f"{title}: {metrics['num_samples']} images")
    print("  " + "".join(f"{name:>7}" for name in names) + "   top 3:" + "".join(f"{n:>7}" for n in names[1:]))
    values = "".join(f"{metrics[name]:7.2f}" for name in names)
    print("  " + values + " " * 9 + "".join(f"{metrics['top3'][name]:7.2f}" for name in names[1:]))
    if metrics["absent"]:
        print(f"  without a positive, left out of the means: {', '.join(map(str, metrics['absent']))}")


def show_classes(record: dict[str, Any]) -> None:
    """A line for each category: average precision, how many images have it, precision, recall and F1."""
    table = record["per_class"]
    print(f"  {'':<16}{'AP':>7}{'images':>8}{'P':>8}{'R':>7}{'F1':>7}")
    columns = (record["classes"], record["metrics"]["AP"], table["positives"], table["precision"], table["recall"])
    for name, AP, positives, P, R, F1 in zip(*columns, table["F1"], strict=True):
        numbers = "    no positive" if AP is None else f"{AP:7.2f}{positives:8d}{P:8.2f}{R:7.2f}{F1:7.2f}"
        print(f"  {name:<16}{numbers}")


def show_bias(found: dict[str, Any]) -> None:
    """A line for each pair: AP without and with the companion, and how often it is invented; means over the pairs."""
    columns = ("exclusive", "co-occurring", "invented with", "invented without")
    print(f"  {'category - companion':<30}{'bias':>6}" + "".join(f"{name:>18}" for name in columns))
    for row in (*found["pairs"], found):
        name = f"{row['category']} - {row['companion']}" if "category" in row else "mean"
        ratio = f"{row['bias']:6.2f}" if row.get("bias") is not None else " " * 6
        print(f"  {name:<30}{ratio}" + "".join(f"{'-' if row[c] is None else f'{row[c]:.1f}':>18}" for c in columns))
    print("  exclusive, co-occurring: AP of the category without and with its companion, in percent;")
    print("  invented: where it is not, with and without its companion, in percent")


def show_calibration(found: dict[str, Any], split: str) -> None:
    """The temperature with the calibration error before and after, and the decisions at each kind of threshold."""
    print(f"  fitted on {found['on']['split']}, {found['on']['images']} images; what it does on {split}:")
    error = f"calibration error {found['ECE_before']:.2f} % before, {found['ECE_after']:.2f} % after"
    print(f"    temperature {found['temperature']:.3f}: {error}")
    one = found["thresholds"]["one"]
    titles = {"untuned": "threshold 0.5", "one": f"one threshold, {one:.3f}", "per_class": "one for each category"}
    print(f"    {'':<24}" + "".join(f"{name:>7}" for name in found["decisions"]["untuned"]))
    for name, title in titles.items():
        print(f"    {title:<24}" + "".join(f"{value:7.2f}" for value in found["decisions"][name].values()))
    if found["few"]:
        print(f"    fewer than 10 images there, so their own threshold means little: {', '.join(found['few'])}")
