"""Small mendings of what Sphinx and its extensions write, so that every page is valid HTML and well told aloud.

Each is a pattern in the finished body of a page and what takes its place; tests/test_valid.py checks the outcome with
the Nu HTML Checker and with axe-core.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FIRST_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>ADD-GCN</title><meta http-equiv="refresh" content="0; url={page}"></head>
<body><p><a href="{page}">The book</a></p></body>
</html>
"""

# A summary holds no paragraphs (myst-nb's "Show code cell source").
SUMMARY = re.compile(r'<p (class="(?:collapsed|expanded) admonition-title")>(.*?)</p>')
# All exercises of a page have contents of one id (sphinx-exercise).
CONTENTS = re.compile(r'<section id="(?:exercise|solution)-content">')
# The parameters of a long signature are lines, not a list of descriptions without terms (Sphinx).
PARAMETERS = re.compile(r'<dl>\n((?:<dd>.*</dd>\n)+)</dl>\n\n(?=<span class="sig-paren">)')
# An empty corner of a table is the heading of nothing.
CORNER = re.compile(r"<th( [^>]*)?>(?:<p></p>)?</th>")
# A list within a list belongs to an item of it (Sphinx's index of the modules).
SUBLIST, SUBLIST_END = re.compile(r"</li>\n<ul>"), re.compile(r"</ul>(?=<li>|</ul>)")


def lines(match: re.Match[str]) -> str:
    inner = match[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
    return f'<span class="sig-lines">\n{inner}</span>'


def mend(pagename: str, body: str) -> str:
    """The body of a page, valid."""
    body = SUMMARY.sub(r"<span \1>\2</span>", body)
    body = CONTENTS.sub("<section>", body)
    body = PARAMETERS.sub(lines, body)
    body = CORNER.sub(r"<td\1></td>", body)
    # The older role is deprecated in favour of the plain one (pybtex's bibliography, by docutils).
    body = body.replace(' role="doc-biblioentry"', ' role="listitem"')
    if pagename == "_modules/index":
        body = SUBLIST_END.sub("</ul></li>\n", SUBLIST.sub("\n<ul>", body))
    elif pagename.startswith("_modules/"):  # preformatted text holds no blocks (viewcode)
        head, mark, code = body.partition("<pre>")
        code, end, rest = code.partition("</pre>")
        code = code.replace('<div class="viewcode-block"', '<span class="viewcode-block"').replace("</div>", "</span>")
        body = head + mark + code + end + rest
    return body


def mend_page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    if "body" in context:
        context["body"] = mend(pagename, context["body"])


def first_page(app: Sphinx, error: Exception | None) -> None:
    """The site's address leads to the book, by a whole page; sphinx-external-toc writes half a one where none is."""
    if error is None and app.builder.name == "html" and posixpath.dirname(app.config.root_doc):
        target = Path(app.outdir) / "index.html"
        target.write_text(FIRST_PAGE.format(page=f"{app.config.root_doc}.html"), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", mend_page)
    app.connect("build-finished", first_page, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
