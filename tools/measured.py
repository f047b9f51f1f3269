"""Make the measured tables anew from the committed records, as the book's page of all tables shows them.

python tools/measured.py                # writes addgcn/records/tables/NAME.csv and .md
python tools/measured.py --add FOLDER   # first takes over the runs that `addgcn reproduce --out FOLDER` has done
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

from addgcn.experiments import RECORDS, Records
from addgcn.records import FOLDER
from addgcn.reproduce import Plan
from addgcn.tables import write_tables

ROOT = Path(__file__).resolve().parents[1]
FROZEN = ("table1", "table4", "table5", "table6", "figure3", "figure4", "figure5", "controls", "attend")
PLANS = [  # every table whose runs are committed, whole
    *(Plan(name, seeds=10, draws=10) for name in FROZEN),  # every run has a seed and a draw of its own
    Plan("table4-main", regime="full", wiring="released", seeds=8, draws=8),
    Plan("train-flat"),
    Plan("random-trunk"),
]


def add(folder: Path, records: Path = FOLDER) -> int:
    """Pack the runs of a folder into the committed ones, which stay as they are; how many there are now."""
    runs = Records(folder).runs | Records(records).runs
    text = "".join(json.dumps(run) + "\n" for run in runs.values())
    new = records / f"{RECORDS}.gz.new"
    with open(new, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:  # the same bytes whenever it is made
        file.write(text.encode())
    new.replace(records / f"{RECORDS}.gz")
    return len(runs)


def make(folder: Path) -> list[Path]:
    """Write them all; the paths written."""
    done = Records(FOLDER)
    return [path for plan in PLANS for path in write_tables(plan, done, folder, ("csv", "md"))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--add", type=Path, metavar="FOLDER", help="take over the runs of this folder first")
    options = parser.parse_args()
    if options.add:
        print(f"{add(options.add)} runs")
    for path in make(FOLDER / "tables"):
        print(path.relative_to(ROOT))
