"""Train recorded runs again, drawn at random, from nothing but their records, and compare what comes out.

python tools/again.py                   # ten runs on the frozen trunk, a quarter of a minute each
python tools/again.py 3 --regime full   # three end to end, a minute and a half each
python tools/again.py --seed 1          # ten others

On the kind of machine that the records name, with its libraries, the scores are the same to the last bit, which their
digests show. Elsewhere they differ in the last digits and training makes more of that; then the mAP has to be close.
"""

from __future__ import annotations

import argparse
import random
import sys
from typing import Any

import torch

from addgcn.experiments import Job, Records, run
from addgcn.recipes import Recipe
from addgcn.records import FOLDER

CLOSE = 0.5  # points of mAP; seeds differ by about as much


def job_of(record: dict[str, Any]) -> Job:
    """The training that a record of the scenes tells of."""
    recipe = Recipe.from_dict(record["recipe"])
    return Job(recipe, record["data"]["name"], None, record["draw"], record.get("train_split"))


def compare(record: dict[str, Any], again: dict[str, Any]) -> tuple[str, bool]:
    """What to print of a run done again, and whether it came out as recorded."""
    old, new = ({split: r["metrics"][split]["mAP"] for split in record["metrics"]} for r in (record, again))
    far = max(abs(new[split] - old[split]) for split in old)
    if again["data"]["train"]["digest"] != record["data"]["train"]["digest"]:
        return "OTHER TRAINING IMAGES than recorded", False
    if again["scores_sha256"] == record["scores_sha256"]:
        return "the same scores to the last bit", True
    return f"other digits, mAP within {far:.3f}{'' if far < CLOSE else ': TOO FAR'}", far < CLOSE


def main(count: int, seed: int, regime: str) -> int:
    torch.set_num_threads(1)  # as they were run
    frozen = regime == "heads"
    # what was done is known by its recipe; runs that diverged and runs that chose rates have no test scores
    runs = [r for r in Records(FOLDER).runs.values() if not r["failed"] and not r["recipe"]["holdout"]]
    runs = [r for r in runs if (r["recipe"]["lr_trunk"] == 0) == frozen]
    good = 0
    for record in random.Random(seed).sample(runs, min(count, len(runs))):
        recipe = record["recipe"]
        words, fine = compare(record, run(job_of(record)))
        good += fine
        which = (recipe[k] for k in ("model", "wiring", "representation", "maps", "graph", "readout"))
        print(f"{record['id']}  {' '.join(which):42} seed {recipe['seed']} draw {record['draw']}: {words}", flush=True)
    print(f"{good} of {min(count, len(runs))} as recorded")
    return 0 if good == min(count, len(runs)) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("count", type=int, nargs="?", default=10)
    parser.add_argument("--seed", type=int, default=0, help="draws other runs")
    parser.add_argument("--regime", choices=("heads", "full"), default="heads", help="on a frozen trunk, or end to end")
    options = parser.parse_args()
    sys.exit(main(options.count, options.seed, options.regime))
