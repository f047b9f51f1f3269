"""A chapter as its tests need it: the source of each cell by id, and the code in its solutions."""

from __future__ import annotations

import re
from pathlib import Path

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
