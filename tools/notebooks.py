"""The committed form of a notebook, and its execution.

    python tools/notebooks.py strip book/*.ipynb       # the committed form, in place; exit 1 if a file changed
    python tools/notebooks.py run [--jobs 2] FILES     # execute in place, then the committed form

A notebook is committed executed: ids, execution counts and text outputs stay (nbval compares the tagged ones);
images, HTML and widgets go, since the site makes them anew and they would drown every diff.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

KEPT = ("text/plain", "text/markdown", "text/latex")
CELL_METADATA = ("tags", "mystnb", "jupyter", "slideshow", "editable")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
CELL_TIMEOUT = 300  # seconds


def strip(notebook: NotebookNode) -> NotebookNode:
    """The committed form of a notebook; a second pass changes nothing."""
    notebook = copy.deepcopy(notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    # The Python version is left out: any of 3.11 to 3.13 may have run the notebook.
    metadata = {key: value for key, value in notebook.metadata.items() if key == "mystnb"}
    notebook.metadata = NotebookNode(metadata, kernelspec=KERNEL, language_info={"name": "python"})
    seen: set[str] = set()
    for index, cell in enumerate(notebook.cells):
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in CELL_METADATA and v})
        if not cell.get("id") or cell.id in seen:
            cell.id = hashlib.sha256(f"{index} {cell.source}".encode()).hexdigest()[:8]
        seen.add(cell.id)
        if cell.cell_type == "code":
            cell.outputs = _joined(_text_outputs(cell.outputs))
    return notebook


def _text_outputs(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            continue  # progress bars and warnings: never the same twice
        if any("widget-view" in key for key in output.get("data", {})):
            continue  # a progress bar: there or not, as the caches have it
        if "data" in output:
            output.data = NotebookNode({key: output.data[key] for key in KEPT if key in output.data})
            output.metadata = NotebookNode()
            if not output.data:
                continue
        yield output


def _joined(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """What was printed in one go as one output: how the kernel cut it is chance."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].output_type == "stream":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


class Outcome(NamedTuple):
    """One executed notebook: `error` is the traceback, or None."""

    path: Path
    notebook: NotebookNode
    seconds: float
    error: str | None


def execute(path: Path, notebook: NotebookNode | None = None) -> Outcome:
    """Run a notebook from top to bottom in a fresh kernel, in its own folder."""
    notebook = notebook or nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,  # times in the cells' metadata would make every run another notebook
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # else each kernel warns that its port is not encrypted
    )
    start, error = time.perf_counter(), None
    try:
        client.execute()
    except Exception as problem:  # an error in a cell, a cell over its time, a kernel that died
        error = f"{path}: {type(problem).__name__}\n{problem}"
    return Outcome(path, notebook, time.perf_counter() - start, error)


def execute_all(paths: list[Path], jobs: int = 2) -> Iterator[Outcome]:
    """Run several notebooks, `jobs` at a time, each in one thread: two of one thread beat one of two.

    One thread also keeps sums in the same order, so that printed numbers agree between machines.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    with ThreadPoolExecutor(jobs) as pool:
        futures: list[Future[Outcome]] = [pool.submit(execute, path) for path in paths]
        for future in as_completed(futures):
            yield future.result()


def write(path: Path, notebook: NotebookNode) -> bool:
    """Write a notebook if its text differs from the file's; say whether it did."""
    text = nbformat.writes(notebook) + "\n"
    if path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("action", choices=["strip", "run"])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("files", type=Path, nargs="*")
    options = parser.parse_intermixed_args()  # files may follow --jobs

    failed = False
    if options.action == "strip":
        for path in options.files:
            if write(path, strip(nbformat.read(path, as_version=4))):
                print(f"{path}: brought into the committed form")
                failed = True  # as a hook does: the commit stops, the mended file waits to be added
        return int(failed)

    from step import duration, line

    for outcome in execute_all(options.files, options.jobs):
        if outcome.error:
            print(line(str(outcome.path), "FAILED"), outcome.error, sep="\n", flush=True)
            failed = True
            continue
        write(outcome.path, strip(outcome.notebook))
        print(line(str(outcome.path), duration(outcome.seconds)), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
