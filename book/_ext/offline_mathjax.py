"""MathJax from the page's own folder: copies the few files needed out of the installed sphinx-mathjax-offline."""

from __future__ import annotations

import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

PARTS = ("tex-chtml.js", "output/chtml/fonts/woff-v2")  # 1.5 MB of the 30 that the package holds


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Copy what `mathjax_path` names into the finished site."""
    if error is not None or app.builder.format != "html":
        return
    source = Path(str(distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax")))
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copy2(source / part, target / part)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
