"""The course, from the one source: notebooks for students, notebooks for teachers, slides, and an archive of each.

    python tools/course.py                 # everything into _build/course
    python tools/course.py --no-slides     # only the notebooks and their archives

A student's chapter has no solutions: where a function is asked for there is a stub and its check, hints stay, outputs
are gone. A teacher's chapter begins with `course/notes/NN.md` and has the solutions as cells that run. The numbers in
the text come from the executed chapters of `make book`; without them they are shown as ‹name›.
"""

from __future__ import annotations

import argparse
import ast
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from address import configured
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from notebooks import strip
from plain import Block, Plain, code_and_text, glued_in, split

import addgcn
import book
from addgcn.check import check

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "course"  # notes, slides, model solutions, hidden cases: what the site does not show
TARGET = ROOT / "_build/course"
ASKED = re.compile(r'check\("(\d+\.\d+)", (\w+)\)')
PAGES = {"student": ["teaching/project"], "instructor": ["teaching", "teaching/project"]}  # pages that go along
STUB = "stub"  # the tag of an assignment's cells that the students fill in
TODO = "...  # your code"
HOW_TO_RUN = """\
> **How to run this notebook.** *On Google Colab:* upload it with *File › Upload notebook* and run the first code cell,
> which installs the library. *On your machine*, with Python 3.11 or newer, once:
>
> ```bash
> pip install "{requirement}" jupyterlab
> jupyter lab
> ```
>
> Then run the cells from top to bottom (*Run › Run All Cells*). The first notebook that needs the drawn scenes makes
> them, which takes a minute; after that no network is needed."""


def sources() -> list[Path]:
    """The chapters and assignments: every notebook of the table of contents."""
    paths = [(ROOT / page).with_suffix(".ipynb") for page in book.pages()]
    return [path for path in paths if path.exists()]


def titles() -> dict[str, str]:
    """{page: its first heading}, for links between pages."""
    found = {}
    for page in book.pages():
        path = ROOT / page
        if path.with_suffix(".md").exists():
            text = path.with_suffix(".md").read_text(encoding="utf-8")
        else:
            text = nbformat.read(path.with_suffix(".ipynb"), as_version=4).cells[0].source
        heading = re.search(r"^# (.+)$", text, re.MULTILINE)
        found[path.name] = heading[1] if heading else path.name
    return found


def glued(path: Path) -> dict[str, Any]:
    """The numbers that a chapter's cells keep for its text, if the site was built from it; else none."""
    from jupyter_cache import get_cache

    try:
        cache = get_cache(book.CACHE)
        bundle = cache.get_cache_bundle(cache.match_cache_notebook(nbformat.read(path, as_version=4)).pk)
    except KeyError:
        return {}
    return dict(pair for cell in bundle.nb.cells for pair in glued_in(cell.get("outputs", [])))


# --- one notebook


def student(path: Path, numbers: Mapping[str, Any] | None = None) -> NotebookNode:
    """The copy for students: no solutions, stubs where a function is asked for, no outputs."""
    notebook = _copied(path)
    plain = Plain(glued(path) if numbers is None else numbers, titles())
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cells.append(cell)
            continue
        blocks = list(split(cell.source))
        for n, block in enumerate(blocks):
            name = cell.id if n == 0 else f"{cell.id}-{n}"
            if block.kind == "exercise":
                place = 1 + sum(_is_exercise(c) for c in cells)
                cells.append(_exercise(name, place, block, plain))
                cells += _room(name, block, _solution(notebook, block.name))
            elif block.kind == "prose":
                cells.append(new_markdown_cell(plain(block.text), id=name))
    return _finished(notebook, cells)


def instructor(path: Path, numbers: Mapping[str, Any] | None = None) -> NotebookNode:
    """The copy for teachers: notes first, every solution shown, its code in cells that run."""
    notebook = _copied(path)
    plain = Plain(glued(path) if numbers is None else numbers, titles())
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = _filled(path, cell)
            cells.append(cell)
            continue
        for n, block in enumerate(split(cell.source)):
            name = cell.id if n == 0 else f"{cell.id}-{n}"
            if block.kind == "exercise":
                place = 1 + sum(_is_exercise(c) for c in cells)
                cells.append(_exercise(name, place, block, plain))
            elif block.kind == "solution":
                cells.append(new_markdown_cell("**Solution**", id=name))
                for k, (kind, text) in enumerate(code_and_text(block.text)):
                    new = new_code_cell if kind == "code" else new_markdown_cell
                    cells.append(new(text if kind == "code" else plain(text), id=f"{name}-{k}"))
            else:
                cells.append(new_markdown_cell(plain(block.text), id=name))
    note = SOURCE / "notes" / f"{path.stem.partition('_')[0]}.md"
    if note.exists():
        cells.insert(1, new_markdown_cell(note.read_text(encoding="utf-8").strip(), id="teacher"))
    return _finished(notebook, cells)


def _copied(path: Path) -> NotebookNode:
    return strip(nbformat.read(path, as_version=4))


def _finished(notebook: NotebookNode, cells: list[NotebookNode]) -> NotebookNode:
    """The cells behind a first one that says how to run them."""
    notebook.cells = [cells[0], new_markdown_cell(how_to_run(), id="how-to-run"), *cells[1:]]
    nbformat.validate(notebook)
    return notebook


def how_to_run() -> str:
    return HOW_TO_RUN.format(requirement=f"addgcn[book] @ git+{configured(ROOT)}@v{addgcn.__version__}")


def _is_exercise(cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and cell.source.startswith("### Exercise ")


def _exercise(name: str, place: int, block: Block, plain: Plain) -> NotebookNode:
    return new_markdown_cell(f"### Exercise {place}. {block.title}\n\n{plain(block.text)}", id=name)


def _solution(notebook: NotebookNode, name: str) -> str:
    blocks = (block for cell in notebook.cells if cell.cell_type == "markdown" for block in split(cell.source))
    return next((block.text for block in blocks if block.kind == "solution" and block.name == name), "")


def _room(name: str, block: Block, solution: str) -> Iterator[NotebookNode]:
    """Where the answer goes: a stub with its check, a stub, or an empty cell, and a place for words."""
    code = "\n\n\n".join(text for kind, text in code_and_text(solution) if kind == "code")
    yield new_markdown_cell("**Your answer:**", id=f"{name}-answer")
    checked = dict(ASKED.findall(block.text))
    if checked:
        stubs = [f"def {check(number, lambda *_: None).signature}:\n    {TODO}" for number in checked]
        calls = [f'check("{number}", {function})' for number, function in checked.items()]
        source = "\n\n\n".join(["from addgcn.check import check", *stubs, "\n".join(calls)])
    elif block.title.startswith("Build") and code:
        source = stub(code)
    elif code:
        source = "# your code"
    else:
        return
    yield new_code_cell(source, id=f"{name}-code")


def stub(code: str) -> str:
    """The first class or function of a solution with nothing in it but its signature, and the imports before it."""
    tree = ast.parse(code)
    node = next(n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef))
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef):
            inner.body = [ast.Expr(ast.Constant(...))]
    imports = [ast.unparse(n) for n in tree.body[: tree.body.index(node)] if isinstance(n, ast.Import | ast.ImportFrom)]
    return "\n".join([*imports, "", "", ast.unparse(node).replace("    ...", f"    {TODO}")])


def _filled(path: Path, cell: NotebookNode) -> str:
    """An assignment's stub with the model solution in it; any other cell as it is."""
    if STUB not in cell.metadata.get("tags", []):
        return str(cell.source)
    text = (SOURCE / "solutions" / f"{path.stem}.py").read_text(encoding="utf-8")
    solved = {_name(node): ast.get_source_segment(text, node) for node in ast.parse(text).body}
    asked = [_name(node) for node in ast.parse(cell.source).body]
    return "\n\n\n".join(str(solved[name]) for name in asked if name)


def _name(node: ast.stmt) -> str | None:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


# --- all of them


def archive(folder: Path) -> Path:
    """The folder as a zip beside it; the same bytes for the same contents."""
    path = folder.with_name(f"addgcn-{folder.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo(str(Path(f"addgcn-{folder.name}") / file.relative_to(folder)))
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            zipped.writestr(info, file.read_bytes())
    return path


def build(target: Path = TARGET, slides: bool = True) -> list[Path]:
    """Write both folders and their archives; the paths of the archives."""
    from step import timed

    shutil.rmtree(target, ignore_errors=True)
    with timed("notebooks"):
        for make in (student, instructor):
            folder = target / make.__name__
            folder.mkdir(parents=True)
            for path in sources():
                nbformat.write(make(path), folder / path.name)
            for page in PAGES[make.__name__]:
                text = (ROOT / "book" / page).with_suffix(".md").read_text(encoding="utf-8")
                (folder / Path(page).name).with_suffix(".md").write_text(Plain({}, titles())(text), encoding="utf-8")
            shutil.copy(SOURCE / f"{make.__name__}.md", folder / "README.md")
            for licence in ("LICENSE", "LICENSE-book"):
                shutil.copy(ROOT / licence, folder)
    for part in ("grading", "solutions"):
        shutil.copytree(SOURCE / part, target / "instructor" / part, ignore=shutil.ignore_patterns("__pycache__"))
    for tool in ("grade.py", "grade_worker.py"):
        shutil.copy(ROOT / "tools" / tool, target / "instructor" / tool)
    if slides:
        from slides import build_decks

        with timed("slides"):
            build_decks(SOURCE / "slides", target / "instructor" / "slides")
    return [archive(target / name) for name in ("student", "instructor")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--no-slides", action="store_true", help="only the notebooks and their archives")
    options = parser.parse_args()
    missing = [path.stem for path in sources() if path.stem[:2].isdigit() and not _noted(path)]
    archives = build(slides=not options.no_slides)
    if missing:
        print("  no teacher's notes yet:", ", ".join(missing))
    for path in archives:
        print(f"  {path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _noted(path: Path) -> bool:
    return (SOURCE / "notes" / f"{path.stem.partition('_')[0]}.md").exists()


if __name__ == "__main__":
    sys.exit(main())
