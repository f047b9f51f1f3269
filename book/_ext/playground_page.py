"""The directive `playground`: models that run in the reader's browser, and pictures where they cannot.

What it shows is made before by tools/playground.py, in `playground/site` of the cache; its scripts are in
book/_static/playground. All of it is loaded on this page alone. Without the models, and without JavaScript, the page
shows the three scenes of the paper's figure 1 with the scores that they got when the site was built.
"""

from __future__ import annotations

import json
import posixpath
import shutil
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from addgcn.data import cache_dir

STATIC = "_static/playground"  # in the finished site
WORKER = "playground-worker.js"  # beside the page, for a service worker controls only what lies below it
WORTH = 0.2  # a score from which on a category is listed

SCRIPT = """<script>
(() => {
  const box = document.getElementById("playground"), status = box.querySelector(".pg-status");
  const fail = ({ message }) => {
    status.textContent = `The playground could not be started (${message}). Below are its pictures.`;
  };
  if (location.protocol === "file:") fail({ message: "browsers run no models for files; try make serve" });
  else import(new URL(box.dataset.script, document.baseURI)).then((part) => part.start(box), fail);
})();
</script>"""


def site() -> Path:
    return cache_dir() / "playground" / "site"


def read() -> dict[str, Any] | None:
    path = site() / "playground.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


class Playground(SphinxDirective):
    """Place it here."""

    def run(self) -> list[nodes.Node]:
        about = read()
        self.env.note_dependency(str(site() / "playground.json"))
        folder = posixpath.relpath(STATIC, posixpath.dirname(self.env.docname))
        return [nodes.raw("", page(about, folder), format="html")]


def page(about: dict[str, Any] | None, folder: str) -> str:
    """The HTML; `folder` leads from the page to `STATIC`."""
    if about is None:
        return '<p class="pg-status">This copy of the book was built without the playground.</p>'
    runs = about["missing"] is None
    status = "The playground needs JavaScript. Without it, here are three scenes as pictures."
    if not runs:
        status = (
            f"This copy of the book was built without what the playground needs ({about['missing']}): three pictures."
        )
    figures = "\n".join(figure(about, name, folder) for name in about["cases"])
    return f"""<link rel="stylesheet" href="{folder}/playground.css"><link rel="stylesheet" href="{folder}/panels.css">
<div class="pg" id="playground" data-base="{folder}/data/" data-script="{folder}/main.js" data-worker="{WORKER}">
<p class="pg-status" role="status">{escape(status)}</p>
<div class="pg-app" hidden></div>
<div class="pg-pictures">
{figures}
</div>
</div>
{SCRIPT if runs else ""}"""


def figure(about: dict[str, Any], name: str, folder: str) -> str:
    """One scene and the scores of its categories, and of others that were not far from being named."""
    case = about["cases"][name]
    there = [thing["name"] for thing in case["objects"]]
    columns = list(zip(*case["scores"], strict=True))  # (C, 4)
    listed = [c for c, row in enumerate(columns) if about["classes"][c] in there or max(row) > WORTH]
    listed.sort(key=lambda c: -max(columns[c]))
    rows = "".join(
        f'<tr><th scope="row">{escape(about["classes"][c])}</th>'
        + "".join(f"<td>{p:.2f}</td>" for p in columns[c])
        + "</tr>"
        for c in listed
    )
    head = "".join(f'<th scope="col">{escape(graph)}</th>' for graph in about["graphs"])
    alt = f"A drawn {case['place']} with a {' and a '.join(there)}."
    return f"""<div><img src="{folder}/data/{case["picture"]}" alt="{escape(alt)}" width="512" height="512">
<table class="table"><caption>{escape(case["title"])}: scores with each graph</caption>
<thead><tr><th scope="col">category</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"""


def copy(app: Sphinx, error: Exception | None) -> None:
    """Put models and pictures into the finished site, and the service worker beside its page."""
    if error is not None or app.builder.name != "html" or read() is None:
        return
    out = Path(app.outdir)
    shutil.rmtree(out / STATIC / "data", ignore_errors=True)
    shutil.copytree(site(), out / STATIC / "data")
    for docname in app.env.found_docs:
        if posixpath.basename(docname) == "playground":
            shutil.copy(out / STATIC / WORKER, out / posixpath.dirname(docname))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("playground", Playground)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
