"""The pages of the finished site as one HTML document for the printer.

Each page's article is taken as it stands in `_build/html`, so that the printed book has what the site has: the same
outputs, figures and numbers. What changes is what paper needs. Ids get their page's name before them, and links between
pages lead within the document; links to what is not printed lead to the site. Solutions come at the end of their
chapter, what is folded is unfolded, and what moves says where it can be moved.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, SoupStrainer, Tag

SHORT = 18  # lines of code that stay on one page
# For the screen only: buttons, marks to click on, the state of widgets, the style of what becomes a picture.
SCREEN = (
    "a.headerlink",
    "a:has(> .viewcode-link)",
    "button",
    "link",
    "noscript",
    "script[type]",
    ".pg ~ script",
    "details.hide > summary",
    ".toctree-wrapper",
    ".pg-status",
    ".pg-app",
)
# Of no colour and no use in print; each would be an element of its own among the PDF's tags.
BARE = ".highlight .n, .highlight .nn, .highlight .p, .highlight .w, span.pre, dt.sig span:not([class])"
MOVES = ".addgcn-live"  # a figure with a script of its own; in print it becomes a picture


@dataclass(frozen=True)
class Site:
    """Where the built pages are, where readers find them, and in which order they come."""

    folder: Path  # _build/html
    address: str  # https://.../
    parts: Sequence[tuple[str, Sequence[str]]]  # (caption, names of pages without suffix)

    @property
    def pages(self) -> list[str]:
        return [page for _, pages in self.parts for page in pages]


def read(site: Site, page: str) -> Tag:
    """The article of a page."""
    text = (site.folder / f"{page}.html").read_text(encoding="utf-8")
    article = BeautifulSoup(text, "html.parser", parse_only=SoupStrainer("article")).select_one("article")
    if article is None:
        raise SystemExit(f"{page}.html has no article: make book")
    return article


def slug(page: str) -> str:
    """The page's name as an id, and as a name of CSS."""
    return "page-" + re.sub(r"\W+", "-", page)


def title(article: Tag) -> str:
    """The page's heading, with its number, as text."""
    heading = article.select_one("h1")
    return heading_text(heading) if heading else ""


def heading_text(heading: Tag) -> str:
    """Without the mark to click on."""
    return words(heading.get_text().removesuffix("#"))


def words(text: Any) -> str:
    return " ".join(str(text or "").split())


# --- one page


def for_print(site: Site, page: str, article: Tag) -> Tag:
    """The article changed in place for the printed book."""
    for tag in article.select(", ".join(SCREEN)):
        tag.decompose()
    for folded in article.select("details, summary"):
        folded["class"] = " ".join([*map(str, folded.get_attribute_list("class")), folded.name])
        folded.name = "div"
    for bare in article.select("a.image-reference, " + BARE):
        bare.unwrap()
    for pre in article.select("pre"):
        if len(pre.get_text().splitlines()) <= SHORT:
            pre["class"] = "short"
    where = f'<a href="{site.address}{page}.html">{site.address}{page}.html</a>'
    for moving in article.select(MOVES):
        moving["data-alt"] = words(moving.get_text())
        moving.insert_after(_piece(f'<p class="try">This figure can be played with on the site: {where}</p>'))
    for pictures in article.select(".pg-pictures"):
        pictures.insert(0, _piece(f'<p class="try">The playground runs in a browser: {where}</p>'))
    _move_solutions(article)
    _point(site, page, article)
    _lower(article)
    article.smooth()
    return article


def _piece(text: str) -> Tag:
    tag = BeautifulSoup(text, "html.parser").find()
    assert isinstance(tag, Tag)
    return tag


def _move_solutions(article: Tag) -> None:
    """Solutions to the end of the page, lest they be read with the question."""
    solutions = [tag.extract() for tag in article.select("div.solution")]
    if solutions:
        section = _piece('<section id="solutions"><h2>Solutions</h2></section>')
        section.extend(solutions)
        (article.select_one("section") or article).append(section)


def _point(site: Site, page: str, article: Tag) -> None:
    """Ids made unique in the book; links and images that lead to the right place from there."""
    for tag in article.select("[id]"):
        if not tag.get("class") or MOVES[1:] not in tag["class"]:  # those find their own id
            tag["id"] = f"{slug(page)}.{tag['id']}"
    for image in article.select("img[src]"):
        path = site.folder / posixpath.dirname(page) / str(image["src"])
        image["src"] = path.resolve().as_uri()
    for link in article.select("a[href]"):
        link["href"] = lead(site, page, str(link["href"]))


def lead(site: Site, page: str, reference: str) -> str:
    """Where a link on a page leads in the book: within it, or to the site."""
    url = urlsplit(reference)
    if url.scheme or url.netloc:
        return reference
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), url.path)) if url.path else f"{page}.html"
    mark = f".{url.fragment}" if url.fragment else ""
    if target.removesuffix(".html") in site.pages:
        return f"#{slug(target.removesuffix('.html'))}{mark}"
    return site.address + target + mark.replace(".", "#", 1)


def _lower(article: Tag) -> None:
    """Headings one level lower, for the parts of the book are the first."""
    for level in range(5, 0, -1):
        for heading in article.select(f"h{level}"):
            heading.name = f"h{level + 1}"


# --- the whole


def document(site: Site, articles: Mapping[str, Tag], front: str, head: str) -> str:
    """The book: `front` (the title page), the contents, and the pages' articles, each part under its name.

    The articles are changed. The contents have a dash where a number will stand, for only the printer knows it.
    """
    sections, entries, running = [], [], []
    for caption, pages in site.parts:
        entries.append(f"<p>{html.escape(caption)}</p>" if caption else "")
        for place, page in enumerate(pages):
            article = articles[page]
            heading = title(article)
            entries.append(
                f'<a href="#{slug(page)}"><span>{html.escape(heading)}</span><span class="number">–</span></a>'
            )
            running.append(f"@page {slug(page)} {{ @top-left {{ content: {quoted(heading)} }} }}")
            part = f'<h1 class="part">{html.escape(caption)}</h1>' if caption and place == 0 else ""
            inner = for_print(site, page, article).decode_contents()
            sections.append(
                f'<section class="page" id="{slug(page)}" style="page: {slug(page)}">{part}{inner}</section>'
            )
    contents = '<nav class="contents"><h1>Contents</h1>\n' + "\n".join(entries) + "</nav>"
    style = "<style>\n" + "\n".join(running) + "\n</style>"
    return (
        '<!doctype html>\n<html lang="en" data-theme="light">'
        f'<head><meta charset="utf-8">{head}{style}</head>\n<body>\n'
        + "\n".join([front, contents, *sections])
        + "</body></html>"
    )


def quoted(text: str) -> str:
    """A string of CSS."""
    return '"' + re.sub(r'[\\"]', r"\\\g<0>", text) + '"'


# --- what must be in print


@dataclass(frozen=True)
class Inventory:
    """What pages show beside text: their headings, descriptions of figures, TeX of formulas, number of tables."""

    titles: Mapping[str, str]  # {page: its first heading}
    headings: Sequence[str]
    figures: Sequence[str]
    formulas: Sequence[str]
    tables: int


def inventory(articles: Mapping[str, Tag]) -> Inventory:
    """Of articles as the site has them, before `document` changes them."""
    headings, figures, formulas, tables = [], [], [], 0
    for article in articles.values():
        headings += [heading_text(heading) for heading in article.select("h1, h2, h3, h4, h5")]
        figures += [words(image.get("alt")) for image in article.select("img")]
        figures += [words(moving.get_text()) for moving in article.select(MOVES)]
        formulas += [tex(math.get_text()) for math in article.select(".math")]
        tables += len(article.select("table"))
    titles = {page: title(article) for page, article in articles.items()}
    return Inventory(titles, headings, figures, formulas, tables)


def tex(text: str) -> str:
    r"""The formula without the marks around it, `\(...\)` or `\[...\]`."""
    return words(re.sub(r"^\s*\\[(\[]|\\[)\]]\s*$", "", text))
