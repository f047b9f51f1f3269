"""Make the measured tables anew from the committed records, as the book's page of all tables shows them.

python tools/measured.py            # writes addgcn/records/tables/NAME.csv and .md
"""

from __future__ import annotations

from pathlib import Path

from addgcn.experiments import Records
from addgcn.records import FOLDER
from addgcn.reproduce import Plan
from addgcn.tables import write_tables

ROOT = Path(__file__).resolve().parents[1]
WHOLE = ("ResNet, GAP", "ResNet, GMP", "SAM, no graph", "identity, one layer", "identity, two layers", "S", "D", "S→D")
PLANS = [  # every table whose runs are committed, whole
    Plan("table1"),
    Plan("table4"),
    Plan("table4", regime="full", seeds=3, only=WHOLE),
    Plan("table5"),
    Plan("table6"),
    Plan("figure3"),
    Plan("figure4"),
    Plan("figure5"),
    Plan("controls"),
    Plan("attend"),
    Plan("train-flat"),
]


def make(folder: Path) -> list[Path]:
    """Write them all; the paths written."""
    done = Records(FOLDER)
    return [path for plan in PLANS for path in write_tables(plan, done, folder, ("csv", "md"))]


if __name__ == "__main__":
    for path in make(FOLDER / "tables"):
        print(path.relative_to(ROOT))
