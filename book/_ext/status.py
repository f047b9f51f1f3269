"""The directive `build-status`: which chapters ran when this site was built, for how long, and with what.

    ```{build-status}
    ```

becomes two tables: one row per executed chapter (what is in it, run time, date), and the versions of what executed
them. Every executed page says at its end when it ran and for how long, and leads there.
"""

from __future__ import annotations

import platform
import posixpath
import re
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import nbformat
from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

LIBRARIES = ("addgcn", "torch", "torchvision", "numpy", "pillow", "matplotlib", "jupyter-book", "myst-nb")
KEY = "has_build_status"


class StatusNode(nodes.General, nodes.Element):
    """Stands in the page until every chapter has been read."""


class BuildStatus(SphinxDirective):
    """Place the tables here."""

    def run(self) -> list[nodes.Node]:
        NbMetadataCollector.set_doc_data(self.env, self.env.docname, KEY, True)
        return [StatusNode()]


class FillStatus(SphinxPostTransform):
    """Put the tables and lines in place, once all chapters are known; before references are resolved."""

    default_priority = 8

    def run(self, **_: Any) -> None:
        data = NbMetadataCollector.get_doc_data(self.env)
        run = data[self.env.docname].get("exec_data")
        pages = [name for name in self.env.found_docs if data[name].get(KEY)]
        if run and pages and (sections := list(self.document.findall(nodes.section))):
            sections[0] += _line(self.env, run, min(pages))
        for node in list(self.document.findall(StatusNode)):
            node.replace_self([_chapters(self.env), _versions()])


def _line(env: Any, run: dict[str, Any], status: str) -> nodes.Node:
    """When a page was executed."""
    text = f"Executed {_date(run['mtime'])} (UTC) in {run['runtime'] or 0.0:.1f} seconds. "
    line = nodes.emphasis("", text)
    line += _link(env, status)
    return nodes.paragraph("", "", line, classes=["executed"])


def _chapters(env: Any) -> nodes.Node:
    data = NbMetadataCollector.get_doc_data(env)
    order = [name for name in _in_order(env, env.config.root_doc) if data[name].get("exec_data")]
    if not order:
        return nodes.paragraph(text="No page of this site holds executed code.")
    rows, total, totals = [], 0.0, [0, 0, 0, 0]
    for name in order:
        run = data[name]["exec_data"]
        seconds = run["runtime"] or 0.0
        total += seconds
        counts = _counts(str(env.doc2path(name)))
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
        rows.append([_link(env, name), *map(_grouped, counts), f"{seconds:.1f} s", _date(run["mtime"])])
    rows.append(["All chapters", *map(_grouped, totals), f"{total:.1f} s", ""])
    head = ["Chapter", "Words", "Code cells", "Definitions proven", "Exercises", "Run time", "Executed (UTC)"]
    return _table(head, rows)


def _counts(path: str) -> list[int]:
    """Of a notebook: words outside code, code cells, definitions of the library that it shows, exercises."""
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    prose = re.sub(r"^(`{3,})\w.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    shown = [tag for cell in code for tag in cell.metadata.get("tags", []) if tag.startswith("lib:")]
    words = re.findall(r"[A-Za-z][\w'-]*", prose)
    return [len(words), len(code), len(shown), len(re.findall(r"\{exercise(?:-start)?\}", text))]


def _grouped(number: int) -> str:
    return f"{number:,}"


def _in_order(env: Any, name: str) -> list[str]:
    """The pages as the table of contents has them."""
    return [name, *(page for child in env.toctree_includes.get(name, []) for page in _in_order(env, child))]


def _versions() -> nodes.Node:
    rows: list[list[str | nodes.Node]] = [["Python", platform.python_version()]]
    rows += [[name, version(name)] for name in LIBRARIES]
    rows += [["Machine", f"{platform.system()} {platform.machine()}"]]
    rows += [["Site built (UTC)", _date(datetime.now(UTC).timestamp())]]
    return _table(["What", "Version"], rows)


def _date(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")


def _link(env: Any, name: str) -> nodes.Node:
    target = posixpath.relpath(name, posixpath.dirname(env.docname))
    link = addnodes.pending_xref(
        refdoc=env.docname, reftarget=target, reftype="doc", refdomain="std", refexplicit=True, refwarn=True
    )
    link += nodes.inline(text=env.titles[name].astext())
    return link


def _table(head: list[str], rows: list[list[Any]]) -> nodes.table:
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=100 // len(head)) for _ in head]
    for part, lines in ((nodes.thead(), [head]), (nodes.tbody(), rows)):
        for cells in lines:
            row = nodes.row()
            for cell in cells:
                text = nodes.Text(cell) if isinstance(cell, str) else cell
                row += nodes.entry("", nodes.paragraph("", "", text))
            part += row
        group += part
    return nodes.table("", group, classes=["colwidths-auto"])


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(StatusNode)
    app.add_directive("build-status", BuildStatus)
    app.add_post_transform(FillStatus)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
