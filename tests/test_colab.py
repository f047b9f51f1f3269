"""The install cell: it fits what Colab has, replaces nothing that is loaded there, and does nothing elsewhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import types
from collections.abc import Callable
from importlib.metadata import requires
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import addgcn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import address  # noqa: E402
import colab  # noqa: E402
import notebooks  # noqa: E402

LISTS = ("colab/pip-freeze.txt", "colab/pip-freeze.gpu.txt")
KEPT = ("torch", "torchvision", "numpy", "ipywidgets", "pillow", "matplotlib")
PYTHON = "3.13"
THERE = {**default_environment(), "python_version": PYTHON, "python_full_version": "3.13.0", "extra": ""}
NOTEBOOKS = sorted((ROOT / "book").rglob("[!.]*.ipynb"))


@pytest.fixture(params=LISTS, ids=["cpu", "gpu"])
def freeze(request: pytest.FixtureRequest, shared: Callable[[str], Path]) -> dict[str, Version]:
    """Colab's packages: canonical name -> version, without what follows a plus sign (the CUDA build)."""
    lines = shared(request.param).read_text().splitlines()
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    found = {canonicalize_name(name): Version(version.partition("+")[0]) for name, version in pairs}
    assert len(found) > 500
    return found


def unmet(lines: list[str], there: dict[str, Version]) -> list[str]:
    """The requirements that these packages do not meet."""
    wanted = [Requirement(line) for line in lines]
    wanted = [r for r in wanted if r.marker is None or r.marker.evaluate(THERE)]
    return [
        str(r)
        for r in wanted
        if canonicalize_name(r.name) not in there or there[canonicalize_name(r.name)] not in r.specifier
    ]


def test_colab_has_all_that_the_cell_does_not_install(freeze: dict[str, Version]):
    about = colab.project()
    wanted = [*about["dependencies"], *about["optional-dependencies"]["lite0"], "scikit-image>=0.25"]
    assert sorted(unmet(wanted, freeze)) == sorted(colab.requirements())


def test_what_the_cell_installs_finds_its_own_requirements(freeze: dict[str, Version]):
    for line in colab.requirements():
        assert unmet(requires(Requirement(line).name) or [], freeze) == [], line


def test_colab_keeps_what_is_loaded_there(freeze: dict[str, Version]):
    about = colab.project()
    for name in KEPT:
        (line,) = [line for line in about["dependencies"] if Requirement(line).name == name]
        assert freeze[canonicalize_name(name)] in Requirement(line).specifier
        assert name not in [canonicalize_name(Requirement(line).name) for line in colab.requirements()]
    assert "--no-deps" in colab.source()


def test_colabs_python_and_widgets_are_supported(freeze: dict[str, Version]):
    assert PYTHON in SpecifierSet(colab.project()["requires-python"])
    assert freeze["ipywidgets"].major == 7


def test_unmet_requirements_are_found():
    there = {"numpy": Version("2.0"), "huggingface-hub": Version("1.20")}
    lines = ["numpy>=2.1", "huggingface_hub>=1.20", "tyro", "x; python_version < '3.13'"]
    assert unmet(lines, there) == ["numpy>=2.1", "tyro"]


def test_the_cell_has_this_version_and_the_configured_address():
    assert f"git+{address.configured()}@v{addgcn.__version__}" in colab.source()
    assert f'addgcn.__version__ == "{addgcn.__version__}"' in colab.source()
    assert len(colab.source().splitlines()) <= 40
    ast.parse(colab.source())
    old, new = address.parts(address.configured()), ("someone", "else")
    assert "git+https://github.com/someone/else@v" in address.rewrite(colab.source(), old, new)


def test_elsewhere_the_cell_does_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it installs"))
    names: dict[str, object] = {}
    exec(colab.source(), names)
    assert set(names) - {"__builtins__"} == {"sys"}
    assert capsys.readouterr().out == ""


def test_in_colab_the_cell_installs_asserts_and_tells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    calls = []
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append((command, check)))
    exec(colab.source(), {})
    ((command, check),) = calls
    assert check
    assert command[:6] == [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    assert [re.split("[>=]", package)[0] for package in command[7:]] == list(colab.MISSING)
    assert re.fullmatch(rf"addgcn {re.escape(addgcn.__version__)} on .+\n", capsys.readouterr().out)
    monkeypatch.setattr(addgcn, "__version__", "0.0.1")
    with pytest.raises(AssertionError, match="Restart session"):
        exec(colab.source(), {})


def test_the_cell_is_put_under_the_title_renewed_and_left_alone():
    notebook = new_notebook(cells=[new_markdown_cell("# A chapter"), new_code_cell("x = 1")])
    assert colab.put(notebook)
    assert not colab.put(notebook)
    title, cell, code = notebook.cells
    assert (title.source, code.source) == ("# A chapter", "x = 1")
    assert cell.id == "colab"
    assert cell.source == colab.source()
    assert {"colab", "remove-cell"} <= set(cell.metadata.tags)
    nbformat.validate(notebook)
    assert not colab.put(notebooks.strip(notebook))  # the committed form keeps the tags
    cell.source = "old"
    notebook.cells = [title, code, cell]
    assert colab.put(notebook)
    assert [cell.source for cell in notebook.cells] == ["# A chapter", colab.source(), "x = 1"]
    notebook.cells.append(notebook.cells.pop(1))  # right, but too late
    assert colab.put(notebook)
    assert [cell.source for cell in notebook.cells] == ["# A chapter", colab.source(), "x = 1"]


def test_the_cell_takes_the_place_kept_for_it_and_comes_first_where_there_is_no_title():
    notebook = new_notebook(cells=[new_markdown_cell(text) for text in ("# A chapter", colab.PLACE, "Text.")])
    assert colab.put(notebook)
    assert [cell.source for cell in notebook.cells] == ["# A chapter", colab.source(), "Text."]
    bare = new_notebook(cells=[new_code_cell("x = 1")])
    assert colab.put(bare)
    assert [cell.source for cell in bare.cells] == [colab.source(), "x = 1"]


def test_the_tool_writes_files_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("x = 1")]), path)
    assert colab.main([str(path)]) == 1
    assert "renewed" in capsys.readouterr().out
    assert colab.main([str(path)]) == 0
    assert colab.main(["--print"]) == 0
    assert capsys.readouterr().out == colab.source() + "\n"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_has_the_cell(path: Path):
    assert not colab.put(nbformat.read(path, as_version=4)), f"python tools/colab.py {path.relative_to(ROOT)}"
