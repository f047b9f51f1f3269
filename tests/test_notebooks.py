"""The form of every notebook in `book/`, and the tool that brings notebooks into it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import notebooks  # noqa: E402

import book  # noqa: E402

NOTEBOOKS = sorted((ROOT / "book").rglob("[!.]*.ipynb"))
MAX_LINES = 40
CHECKED = "nbval-check-output"
DRAWS = re.compile(r"^\s*plt\.show\(\)", re.MULTILINE)
DREW = re.compile(r"^<Figure size ", re.MULTILINE)  # the library's own figures store their description instead
PATH = re.compile(r"\.(png|svg|jpe?g|gif)$|[/\\]\w+[/\\]", re.IGNORECASE)
PRIVATE = re.compile(r"/(home|root|Users|tmp|usr|work)/[\w.-]+|\bat 0x[0-9a-f]{6,}")


def alt_text(cell: NotebookNode) -> str:
    return str(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")).strip()


def faults(notebook: NotebookNode) -> list[str]:
    """Everything that is wrong with the form of a notebook, each naming its cell."""
    found = []
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("kernel is not python3")
    if not any(re.search(r"^\s*assert\b", cell.source, re.MULTILINE) for cell in code):
        found.append("no cell asserts anything")
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("not executed once from top to bottom (make notebooks)")
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) < len(ids):
        found.append("cells without an id, or with the same one")
    for cell in notebook.cells:
        name = f"cell {cell.get('id')}"
        if len(cell.source.splitlines()) > MAX_LINES and cell.cell_type == "code":
            found.append(f"{name}: over {MAX_LINES} lines")
    for cell in code:
        name = f"cell {cell.get('id')}"
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"{name}: stored error")
        if any(key.startswith("image/") for output in cell.outputs for key in output.get("data", {})):
            found.append(f"{name}: stored image")
        drew = any(DREW.match(output.get("data", {}).get("text/plain", "")) for output in cell.outputs)
        if (drew or DRAWS.search(cell.source)) and (len(alt_text(cell)) < 15 or PATH.search(alt_text(cell))):
            found.append(f"{name}: draws, but has no alt text in metadata.mystnb.image.alt")
        if CHECKED in cell.metadata.get("tags", []) and not cell.outputs:
            found.append(f"{name}: tagged {CHECKED}, but nothing is stored to compare with")
        if CHECKED in cell.metadata.get("tags", []) and re.search(r"^\s*keep\(", cell.source, re.MULTILINE):
            found.append(f"{name}: tagged {CHECKED}, but what it glues is not stored")
        if private := PRIVATE.search(str(cell.outputs)):
            found.append(f"{name}: output holds {private[0]!r}")
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_the_committed_form(path: Path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert faults(notebook) == []
    assert notebooks.strip(notebook) == notebook, "not in the committed form: tools/notebooks.py strip"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_in_the_contents(path: Path):
    assert path.relative_to(ROOT).with_suffix("") in book.pages()


# --- the checks themselves, on notebooks made wrong on purpose ----------------------------------------------------


def good() -> NotebookNode:
    """A small notebook without fault."""
    alt = {"mystnb": {"image": {"alt": "A line that rises as the square of x."}}}
    figure = {"text/plain": "<Figure size 640x480 with 1 Axes>"}
    shown = new_output("display_data", data=figure)
    text = new_output("stream", name="stdout", text="0.500\n")
    return new_notebook(
        metadata={"kernelspec": notebooks.KERNEL, "language_info": {"name": "python"}},
        cells=[
            new_markdown_cell("# A chapter", id="a"),
            new_code_cell("import matplotlib.pyplot as plt", id="b", execution_count=1),
            new_code_cell("plt.plot([0, 1])\nplt.show()", id="c", execution_count=2, metadata=alt, outputs=[shown]),
            new_code_cell(
                "print('0.500')\nassert True", id="d", execution_count=3, metadata={"tags": [CHECKED]}, outputs=[text]
            ),
        ],
    )


def spoil(change: Callable[[NotebookNode], object]) -> list[str]:
    notebook = good()
    change(notebook)
    return faults(notebook)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n.metadata.kernelspec.update(name="conda-env"), "kernel is not python3"),
        (lambda n: n.cells[3].update(source="print('assert')"), "no cell asserts"),
        (lambda n: n.cells[2].update(execution_count=7), "not executed once"),
        (lambda n: n.cells[1].update(execution_count=None), "not executed once"),
        (lambda n: n.cells[0].pop("id"), "without an id"),
        (lambda n: n.cells[0].update(id="b"), "the same one"),
        (lambda n: n.cells[1].update(source="\n".join(["x = 1"] * 41)), "over 40 lines"),
        (lambda n: n.cells[1].outputs.append(new_output("error", ename="E", evalue="")), "stored error"),
        (lambda n: n.cells[2].outputs[0].data.update({"image/png": "iVBORw0KGgo="}), "stored image"),
        (lambda n: n.cells[2].update(metadata=NotebookNode()), "no alt text"),
        (lambda n: n.cells[2].update(source="fig", metadata=NotebookNode()), "no alt text"),
        (lambda n: n.cells[2].metadata.mystnb.image.update(alt="../_images/figure-one.png"), "no alt text"),
        (lambda n: n.cells[3].update(outputs=[]), "nothing is stored"),
        (lambda n: n.cells[3].update(source="keep(a=1)\nassert True"), "what it glues"),
        (lambda n: n.cells[3].outputs[0].update(text="<Line2D at 0x7f0000aa>"), "output holds"),
        (lambda n: n.cells[3].outputs[0].update(text="/home/someone/x"), "output holds"),
    ],
)
def test_each_fault_is_found(change: Callable[[NotebookNode], object], message: str):
    assert any(message in fault for fault in spoil(change))


def test_a_good_notebook_has_no_fault_and_is_left_alone():
    assert faults(good()) == []
    assert notebooks.strip(good()) == good()


def test_strip_keeps_text_and_drops_the_rest():
    notebook = good()
    notebook.metadata["widgets"] = {"state": {}}
    notebook.metadata.kernelspec.update(name="my-env", display_name="My env")
    cell = notebook.cells[2]
    cell.metadata.update(execution={"iopub.execute_input": "2026-01-01"}, scrolled=True, tags=[])
    cell.outputs[0].data.update({"image/png": "iVBORw0KGgo=", "text/html": "<b>x</b>"})
    cell.outputs += [
        new_output("display_data", data={"image/svg+xml": "<svg/>"}),
        new_output("display_data", data={"text/plain": "0%|", "application/vnd.jupyter.widget-view+json": {}}),
        new_output("stream", name="stderr", text="12 %"),
    ]
    printed = notebook.cells[3]
    printed.outputs = [new_output("stream", name="stdout", text=text) for text in ("0.5", "00\n")]  # cut by chance
    assert notebooks.strip(notebook) == good()


def test_strip_gives_ids_that_stay():
    notebook = good()
    for cell in notebook.cells:
        cell.pop("id")
    once = notebooks.strip(notebook)
    assert len({cell.id for cell in once.cells}) == len(once.cells)
    assert notebooks.strip(once) == once
    assert [c.id for c in notebooks.strip(notebook).cells] == [c.id for c in once.cells]
    nbformat.validate(once)


def test_run_executes_in_place_and_fails_with_the_error_of_a_cell(tmp_path: Path):
    right, wrong = tmp_path / "right.ipynb", tmp_path / "wrong.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("x = 2\nprint(x)"), new_code_cell("assert x == 2")]), right)
    nbformat.write(new_notebook(cells=[new_code_cell("assert 2 == 3, 'two is not three'")]), wrong)
    before = wrong.read_text()
    command = [sys.executable, str(ROOT / "tools/notebooks.py"), "run", "--jobs", "2", str(right), str(wrong)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert "two is not three" in result.stdout
    assert wrong.read_text() == before
    executed = nbformat.read(right, as_version=nbformat.NO_CONVERT)
    assert faults(executed) == []
    assert executed.cells[0].outputs[0].text == "2\n"
