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
HEAD = ("graph", "learning rate", "mAP on id (%)", "mAP on ood (%)", "trained in", "on (UTC)")
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


class PlaygroundNode(nodes.General, nodes.Element):
    """Stands in the page until it is known where the page lies."""


class Playground(SphinxDirective):
    """Place the playground here; `playground-models`: a table of what its models are."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(site() / "playground.json"))
        return [PlaygroundNode(table=self.name == "playground-models")]


def visit(translator: Any, node: PlaygroundNode) -> None:
    about, builder = read(), translator.builder
    if node["table"]:
        translator.body.append(models(about))
    else:
        single = builder.name == "singlehtml"
        folder = posixpath.relpath(STATIC, "" if single else posixpath.dirname(builder.current_docname))
        if single and about is not None:  # for print
            about["missing"] = "in print"
        translator.body.append(page(about, folder))
    raise nodes.SkipNode


def skip(translator: Any, node: PlaygroundNode) -> None:
    raise nodes.SkipNode


def models(about: dict[str, Any] | None) -> str:
    """One row per model: its record, in short."""
    if about is None:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(graph)}</th><td>{run["recipe"]["lr"]:g}</td><td>{run["mAP"]["id"]:.1f}</td>'
        f"<td>{run['mAP']['ood']:.1f}</td><td>{run['duration_s']:.0f} s</td><td>{run['date'][:10]}</td></tr>"
        for graph, run in about["records"].items()
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in HEAD)
    caption = "<caption>The models of this page</caption>"
    table = f'<table class="table">{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="pst-scrollable-table-container">{table}</div>'


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
    about = read()
    if error is not None or app.builder.name not in ("html", "singlehtml") or about is None:
        return
    out, data = Path(app.outdir), Path(app.outdir) / STATIC / "data"
    shutil.rmtree(data, ignore_errors=True)
    if app.builder.name == "singlehtml":
        data.mkdir(parents=True)
        for case in about["cases"].values():
            shutil.copy(site() / case["picture"], data)
        return
    shutil.copytree(site(), data)
    for docname in app.env.found_docs:
        if posixpath.basename(docname) == "playground":
            shutil.copy(out / STATIC / WORKER, out / posixpath.dirname(docname))


def setup(app: Sphinx) -> dict[str, Any]:
    for name in ("playground", "playground-models"):
        app.add_directive(name, Playground)
    app.add_node(PlaygroundNode, html=(visit, None), latex=(skip, None), text=(skip, None))
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
