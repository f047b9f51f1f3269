"""COCO -> VOC in small: pretrain on all 18 categories of the scenes, go on with six of them and few other images.

    python benchmarks/transfer.py runs/transfer      # adds a record to addgcn/records/transfer.jsonl

Every run twice with the same seed: from the trunk alone, and from the model of 18 (`--init-from`); with the trunk
trained, too, and with it frozen. What is there already is not run again.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

from addgcn.data.scenes import write_scenes
from addgcn.recipes import RECIPES, Recipe
from addgcn.records import append_record, make_record, read_json
from addgcn.train import train

SIX = ("bicycle", "bus", "cat", "chair", "person", "tv")
BIG = replace(RECIPES["scenes"], wiring="released", workers=0, evaluate_every=4)
FEW = {100: 30, 400: 12}  # images -> epochs


def write_six(folder: Path) -> None:
    """A VOC folder with six categories; its training scenes are others than those of the usual split."""
    settings = {"train": 1200, "id": 1000}
    drawn = write_scenes(folder / "drawn", layout="voc", sizes=settings, splits=settings, draw=1, progress=False)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    shutil.move(drawn / "JPEGImages", folder)
    for split, source in (("trainval", "train"), ("test", "id")):
        for name in SIX:
            lists = "ImageSets/Main"
            shutil.copy(drawn / lists / f"{name}_{source}.txt", folder / lists / f"{name}_{split}.txt")


def once(recipe: Recipe, data: str, out: Path, root: Path | None = None, start: Path | None = None) -> dict:
    """The record of a run, made now or before."""
    if (out / "record.json").exists():
        return read_json(out / "record.json")
    return train(recipe, data, out, root, init_from=start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    if not (args.out / "six").exists():
        write_six(args.out / "six")
    big = once(BIG, "scenes", args.out / "big")
    rows = []
    for seed in range(args.seeds):
        for images, epochs in FEW.items():
            full = replace(
                BIG, limit=images, epochs=epochs, batch_size=16, evaluate_every=epochs, warmup=2.0, seed=seed
            )
            for how, recipe in (("full", full), ("frozen", replace(full, lr_trunk=0.0))):
                for name, start in (("trunk", None), ("init", args.out / "big")):
                    out = args.out / f"{how}-{name}-{images}-{seed}"
                    run = once(recipe, "voc2007", out, args.out / "six", start)
                    rows.append({"how": how, "start": name, "images": images, "epochs": epochs, "seed": seed,
                                 "mAP": run["metrics"]["mAP"], "record": run["id"]})  # fmt: skip
    from_18 = {"recipe": big["recipe"], "data": big["data"], "mAP": big["metrics"]["mAP"], "record": big["id"]}
    append_record("transfer", make_record("transfer", big=from_18, classes=list(SIX), rows=rows))


if __name__ == "__main__":
    main()
