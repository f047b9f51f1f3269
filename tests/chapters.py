"""A chapter as its tests need it: the source of each cell by id, the code in its solutions, and a way to run cells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat

BOOK = Path(__file__).resolve().parents[1] / "book"


def read_chapter(file: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """{cell id: source}, and {id of a solution: its Python blocks}."""
    cells = {cell.id: cell.source for cell in nbformat.read(BOOK / file, as_version=4).cells}
    solutions = {
        name: re.findall(r"^```python\n(.*?)^```", source, re.MULTILINE | re.DOTALL)
        for name, source in cells.items()
        if name.startswith("solution-")
    }
    return cells, solutions


def execute(cells: dict[str, str], names: dict[str, Any], *wanted: str) -> dict[str, Any]:
    """Run cells one after another among `names`, which they add to. Figures are drawn, and closed after each cell."""
    plt.switch_backend("agg")
    with plt.rc_context():
        for cell in wanted:
            try:
                exec(compile(cells[cell], cell, "exec"), names)
            finally:  # also when it fails, as it should for a wrong library
                plt.close("all")
    return names
