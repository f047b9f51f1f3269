"""Build the site: scenes, chapters, pages, and a look at what came out.

    python tools/book.py              # build unless nothing has changed since the last build
    python tools/book.py --state      # print "current" or "stale"
    python tools/book.py --scenes     # only the scenes

Everything lands in `_build`. What the library or its dependencies could change is executed again; when only text
changed, the executed chapters come from the cache.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
HTML = BUILD / "html"
CACHE = BUILD / ".jupyter_cache"
LOGS = BUILD / "logs"
SPLITS = ("train", "train-flat", "id", "ood", "bg")
TEXT = (".ipynb", ".md", ".bib", ".css", ".js", ".svg", ".html")  # what, within book/, execution does not depend on
NO_OUTPUT = ("Traceback (most recent call last)", "CellExecutionError", "system-message")


def digest(paths: Iterable[Path]) -> str:
    """One number for the names and contents of files."""
    total = hashlib.sha256(sys.version.encode())
    for path in sorted(paths):
        total.update(f"{path.relative_to(ROOT)}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def sources() -> tuple[list[Path], list[Path]]:
    """The files that a chapter's output depends on, and all files that the site depends on."""
    files = [p for folder in ("addgcn", "book") for p in (ROOT / folder).rglob("*") if p.is_file()]
    files = [p for p in files if not any(part.startswith((".", "__pycache__")) for part in p.relative_to(ROOT).parts)]
    page = {p for p in files if ROOT / "book" in p.parents and (p.suffix in TEXT or "_ext" in p.parts)}
    library = [p for p in files if p not in page]
    library.append(ROOT / "pyproject.toml")
    site = [ROOT / "_config.yml", ROOT / "_toc.yml", ROOT / "CHANGELOG.md", *(ROOT / "tools").glob("*.py")]
    return library, [*library, *files, *site]


def stamped(name: str) -> str:
    path = BUILD / name
    return path.read_text() if path.exists() else ""


def pages() -> list[Path]:
    """The source of every page named in the table of contents, without suffix."""
    import yaml

    found: list[Path] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            found.extend(Path(node[key]) for key in ("root", "file") if key in node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
    return found


def run_chapters() -> None:
    """Execute the chapters whose code is not in the cache, two at a time; the site then takes them from there."""
    import nbformat
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn
    from notebooks import execute_all
    from step import duration, line

    cache = get_cache(CACHE)
    waiting = []
    for path in (ROOT / page.with_suffix(".ipynb") for page in pages()):
        if path.exists():
            try:
                cache.match_cache_notebook(nbformat.read(path, as_version=4))
            except KeyError:
                waiting.append(path)
    errors = []
    for outcome in execute_all(waiting):
        label = str(outcome.path.relative_to(ROOT))
        print(line(label, duration(outcome.seconds) + ("  FAILED" if outcome.error else "")), flush=True)
        if outcome.error:
            errors.append(outcome.error)
        else:
            bundle = CacheBundleIn(outcome.notebook, str(outcome.path), data={"execution_seconds": outcome.seconds})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    if errors:
        raise SystemExit("\n\n".join(errors))


def look() -> list[str]:
    """What is wrong with the finished pages: one that is missing, or one that shows an error."""
    problems = []
    if not (HTML / "index.html").exists():
        problems.append("_build/html/index.html is missing")
    for page in pages():
        path = HTML / page.with_suffix(".html")
        if not path.exists():
            problems.append(f"{path.relative_to(ROOT)} is missing")
            continue
        text = path.read_text(encoding="utf-8")
        problems += [f"{path.relative_to(ROOT)} holds {word!r}" for word in NO_OUTPUT if word in text]
    return problems


def make_scenes() -> int:
    """The data set that the chapters look at and train on; made once, found by `$ADDGCN_CACHE`."""
    from step import run

    return run("scenes", [sys.executable, "-c", f"from addgcn.data import load; [load('scenes', s) for s in {SPLITS}]"])


def build() -> int:
    from step import run, show, timed

    library, everything = (digest(paths) for paths in sources())
    if stamped("site.sha256") == everything and not look():
        print(f"  nothing has changed since the last build\n\n  {HTML / 'index.html'}")
        return 0
    if stamped("library.sha256") != library:
        shutil.rmtree(CACHE, ignore_errors=True)
    for path in BUILD.glob("*"):
        if path not in (CACHE, LOGS):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    BUILD.mkdir(exist_ok=True)
    (BUILD / "library.sha256").write_text(library)

    if make_scenes():
        return 1
    with timed("chapters"):
        run_chapters()
    if show("playground", [sys.executable, "tools/playground.py"]):
        return 1
    program = str(Path(sys.executable).with_name("jupyter-book"))
    if run("pages", [program, "build", "-W", "--keep-going", "-n", "-q", str(ROOT)]):
        return 1
    problems = look()
    if problems:
        print(*problems, sep="\n")
        return 1
    (BUILD / "site.sha256").write_text(everything)
    print(f"\n  {HTML / 'index.html'}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--state", action="store_true", help="say whether the site on disk is current")
    parser.add_argument("--scenes", action="store_true", help="make the scenes and stop")
    options = parser.parse_args()
    os.chdir(ROOT)
    if options.scenes:
        return make_scenes()
    if options.state:
        _, everything = sources()
        print("current" if stamped("site.sha256") == digest(everything) else "stale")
        return 0
    return build()


if __name__ == "__main__":
    sys.exit(main())
