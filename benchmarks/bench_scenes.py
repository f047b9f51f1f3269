"""The drawn scenes: images rendered and written per second, and the seconds of a training run on them.

    python benchmarks/bench_scenes.py [--images 1000] [--no-run]

The rendering is timed at 64 x 64 pixels by one process and by two, in turn; the aim is 500 images/s with two. The
run is `addgcn train --data scenes --recipe scenes`, aimed at 120 s on two cores; the scenes are made beforehand.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from bench_model import machine

from addgcn.data.scenes.write import write_scenes
from addgcn.recipes import RECIPES
from addgcn.train import train


def images_per_second(images: int = 1000, repeats: int = 3) -> dict[str, float]:
    """The median of each way to count, the writing of the JPEG files and the annotations included."""
    rates: dict[str, list[float]] = {"one process": [], "one process, processor time": [], "two processes": []}
    for seed in range(repeats):
        wall, processor = write_seconds(images, seed, workers=1)
        rates["one process"].append(images / wall)
        rates["one process, processor time"].append(images / processor)  # leaves out what other programs took
        rates["two processes"].append(images / write_seconds(images, seed, workers=2)[0])
    return {name: median(values) for name, values in rates.items()}


def write_seconds(images: int, seed: int, workers: int) -> tuple[float, float]:
    """Seconds on the wall clock, and of the processor in this process, for a new set of `images` scenes."""
    with tempfile.TemporaryDirectory() as folder:
        wall, processor = time.perf_counter(), time.process_time()
        write_scenes(
            Path(folder) / "scenes", seed=seed, sizes={"train": images}, splits=["train"], workers=workers,
            progress=False,
        )  # fmt: skip
        return time.perf_counter() - wall, time.process_time() - processor


def run_seconds(recipe: str = "scenes") -> tuple[float, float]:
    """The wall time of one training run with its evaluation, and its mAP on `id`."""
    write_scenes(progress=False)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        record = train(RECIPES[recipe], "scenes", Path(folder) / "run")
        return time.perf_counter() - start, record["metrics"]["mAP"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Rendering of the scenes, and a training run on them.")
    parser.add_argument("--images", type=int, default=1000, help="per measurement")
    parser.add_argument("--run", action=argparse.BooleanOptionalAction, default=True, help="the training runs too")
    options = parser.parse_args()
    print(machine())
    for name, rate in images_per_second(options.images).items():
        print(f"drawing, {name:28}{rate:8.0f} images/s" + ("   aim: 500" if name == "two processes" else ""))
    if options.run:
        for recipe in ("scenes", "scenes-heads"):
            seconds, mAP = run_seconds(recipe)
            aim = "   aim: 120 s, mAP 86" if recipe == "scenes" else ""
            print(f"run, recipe {recipe:12}{seconds:8.0f} s, mAP {mAP:.1f} on id{aim}")
