"""The Python example of the README runs as it stands, on a small trained model."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from addgcn.recipes import RECIPES
from addgcn.train import train

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def test_the_python_example_runs(tmp_path: Path, scenes_small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = replace(RECIPES["scenes"], epochs=1, batch_size=32, workers=0)
    train(recipe, "scenes", "runs/demo", root=scenes_small)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    small = code.replace('load("scenes", "id", ', f'load("scenes", "id", root={str(scenes_small)!r}, ')
    assert small != code, "the example no longer loads the scenes as this test expects"
    exec(compile(small, "README.md", "exec"), {})
    assert Path("maps.png").stat().st_size > 10_000


def test_files_and_recipes_that_it_names_exist() -> None:
    root = Path(__file__).resolve().parents[1]
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (root / link).exists(), link
    for recipe in re.findall(r"--recipe (\S+)", README):
        assert recipe in RECIPES
