"""The whole book as one PDF, printed from the finished site: tagged, with bookmarks and a table of contents.

    python tools/pdf.py               # _build/pdf/addgcn-book.pdf, from _build/html

Chromium prints it; there is no LaTeX. What came out is then counted against the site: every figure by its
description, every formula by its TeX, every page by its title. A book that lacks one is no book: the command fails
and names what is missing.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pdf_pages
import pikepdf
import yaml
from pdf_pages import Inventory, Site, slug, words
from step import timed

import addgcn
import book

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "_build/pdf/addgcn-book.pdf"
CSS = Path(__file__).with_name("pdf.css")
JS = Path(__file__).with_name("pdf.js")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH = 680  # pixels of the CSS between the margins, as in pdf.css: 180 mm
FORMULA = "formula: "  # how the description of a formula's drawing begins


def configured(root: Path = ROOT) -> tuple[Site, dict[str, Any]]:
    """The site that `_config.yml` and `_toc.yml` describe, and the configuration."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = [("", [toc["root"]])]
    parts += [(part["caption"], [chapter["file"] for chapter in part["chapters"]]) for part in toc["parts"]]
    return Site(book.HTML, config["sphinx"]["config"]["ogp_site_url"], parts), config


def browser() -> str:
    """The program that prints."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found and Path(found).exists():
        return found
    raise SystemExit(
        (
            f"$CHROMIUM names {found}, which does not exist.\n"
            if found
            else "The PDF is printed by Chromium, which is not here.\n"
        )
        + "On Debian and Ubuntu: apt install chromium. Elsewhere: install Chromium or Chrome and name it,\n"
        "CHROMIUM=/path/to/chrome make pdf"
    )


def front(site: Site, config: dict[str, Any]) -> str:
    """The title page."""
    name, _, subtitle = config["title"].partition(": ")
    built = datetime.fromtimestamp((site.folder / "index.html").stat().st_mtime, UTC)
    address = f'<a href="{site.address}">{site.address}</a>'
    return f"""<section class="front"><img alt="" src="{(ROOT / config["logo"]).as_uri()}">
<h1>{escape(name)}</h1><p class="subtitle">{escape(subtitle[:1].upper() + subtitle[1:])}</p>
<p>{escape(config["author"])}<br>Version {addgcn.__version__}, {built:%Y-%m-%d}</p>
<p>Printed from the site {address}, where every chapter is a notebook to run and some figures can be played with.
Solutions stand at the end of each chapter.</p>
<p>Text and figures: CC BY 4.0. Code: MIT licence.</p></section>"""


def head(site: Site, config: dict[str, Any]) -> str:
    """Styles, and the program that draws formulas: MathJax, here with drawings instead of letters."""
    mathjax = distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax/tex-svg.js")
    return (
        f"<title>{escape(config['title'])}</title>"
        f'<link rel="stylesheet" href="{(site.folder / "_static/pygments.css").as_uri()}">'
        f"<style>{CSS.read_text(encoding='utf-8')}</style>"
        '<script>window.MathJax = {startup: {typeset: false}, svg: {fontCache: "none"}};</script>'
        f'<script src="{Path(str(mathjax)).as_uri()}"></script>'
    )


def print_pdf(source: Path, target: Path) -> list[str]:
    """Print an HTML document; what was wrong with it on the way, as text."""
    from playwright.sync_api import sync_playwright

    problems: list[str] = []
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": WIDTH, "height": 960}, color_scheme="light", device_scale_factor=2)
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: problems.append(f"a script failed: {error}"))
        page.emulate_media(media="print")
        page.goto(source.as_uri())
        page.add_script_tag(path=JS)
        problems += page.evaluate("mark => drawFormulas(mark)", FORMULA)
        for moving in page.query_selector_all(pdf_pages.MOVES):
            picture = moving.screenshot(type="png")
            page.evaluate("([e, bytes]) => freeze(e, bytes)", [moving, as_data(picture)])
        problems += page.evaluate("lookAround()")
        settings: dict[str, Any] = {
            "prefer_css_page_size": True,
            "print_background": True,
            "tagged": True,
            "outline": True,
        }
        page.pdf(path=target, **settings)
        first = beginnings(target)
        page.evaluate("numbers => fillIn(numbers)", first)
        page.pdf(path=target, **settings)
        if beginnings(target) != first:
            problems.append("the numbers in the contents moved what they count")
        chromium.close()
    return problems


def as_data(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


# --- what came out


def numbers(path: Path) -> dict[str, int]:
    """{target of a link: its page, from 1}."""
    with pikepdf.open(path) as pdf:
        at = page_numbers(pdf)
        return {name.lstrip("/"): at[where[0].objgen] for name, where in pdf.Root.Dests.items()}


def beginnings(path: Path) -> dict[str, int]:
    """The same of the site's pages alone, whose names (`slug`) have no dot."""
    return {name: number for name, number in numbers(path).items() if "." not in name}


def page_numbers(pdf: pikepdf.Pdf) -> dict[Any, int]:
    """{name of a page among the PDF's objects: its number, from 1}."""
    return {page.objgen: number for number, page in enumerate(pdf.pages, start=1)}


def elements(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    """(tag, description) of every element in a PDF's tree of tags."""
    waiting: list[Any] = [pdf.Root.StructTreeRoot]
    while waiting:
        node = waiting.pop()
        if isinstance(node, pikepdf.Array):
            waiting.extend(node)
        elif isinstance(node, pikepdf.Dictionary):
            if "/S" in node:
                yield str(node.S), str(node.get("/Alt", ""))
            waiting.append(node.get("/K"))


def bookmarks(items: Iterable[pikepdf.OutlineItem]) -> Iterator[pikepdf.OutlineItem]:
    """All of them, those within others too."""
    for item in items:
        yield item
        yield from bookmarks(item.children)


def finish(raw: Path, path: Path, author: str, headings: Iterable[str]) -> None:
    """What Chromium leaves to do: an author, bookmarks that read like the headings, and tags in a third of the room.

    In its bookmarks a space is lost where a heading breaks, and a formula is a description.
    """
    names = {letters(heading): plain(heading) for heading in headings}
    with pikepdf.open(raw) as pdf:
        pdf.docinfo["/Author"], pdf.docinfo["/Creator"] = author, "make pdf"
        with pdf.open_outline() as outline:
            for item in bookmarks(outline.root):
                item.title = names.get(letters(item.title), item.title)
        pdf.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def plain(heading: str) -> str:
    r"""Without TeX: "a step of \(\mathbf A_d\)" becomes "a step of A_d"."""
    return words(re.sub(r"\\[()]|\\[a-z]+ ?|[{}]", "", heading))


def letters(title: str) -> str:
    """What a heading and its bookmark have in common."""
    return re.sub(r"\s", "", plain(title.replace(FORMULA, "")))


def missing(wanted: Inventory, path: Path) -> list[str]:
    """What the site shows and the PDF does not."""
    with pikepdf.open(path) as pdf:
        tags = list(elements(pdf))
        at = page_numbers(pdf)
        with pdf.open_outline() as outline:
            marks: list[Any] = list(bookmarks(outline.root))
            marked = {(mark.title, at[mark.destination[0].objgen]) for mark in marks}
    shown = [words(text) for tag, text in tags if tag == "/Figure"]
    tables = sum(tag == "/Table" for tag, _ in tags)
    problems = lacking("figure", wanted.figures, [text for text in shown if not text.startswith(FORMULA)])
    problems += lacking("formula", wanted.formulas, [text.removeprefix(FORMULA) for text in shown])
    if tables < wanted.tables:
        problems.append(f"{wanted.tables - tables} of {wanted.tables} tables missing")
    start = numbers(path)
    for page, title in wanted.titles.items():
        if (title, start.get(slug(page))) not in marked:
            problems.append(f"{title!r} does not begin where the contents say")
    return problems


def lacking(kind: str, wanted: Sequence[str], there: Sequence[str]) -> list[str]:
    """What is wanted more often than it is there."""
    rest = Counter(wanted) - Counter(there)
    return [f"{kind} missing{f' {n} times' if n > 1 else ''}: {text}" for text, n in rest.items()]


def make(site: Site, config: dict[str, Any], target: Path) -> tuple[list[str], Inventory]:
    """Print the site's pages into `target`; what is wrong with it, and what it should hold."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source, raw = target.with_suffix(".html"), target.with_suffix(".raw.pdf")
    with timed("one document"):
        articles = {page: pdf_pages.read(site, page) for page in site.pages}
        wanted = pdf_pages.inventory(articles)
        source.write_text(pdf_pages.document(site, articles, front(site, config), head(site, config)), encoding="utf-8")
    with timed("printing"):
        problems = print_pdf(source, raw)
    with timed("counting"):
        finish(raw, target, config["author"], wanted.headings)
        problems += missing(wanted, target)
    source.unlink()
    raw.unlink()
    return problems, wanted


def main() -> int:
    if not (book.HTML / "index.html").exists():
        raise SystemExit("The PDF is printed from the site, which is not built yet: make book")
    browser()
    site, config = configured()
    problems, wanted = make(site, config, TARGET)
    if problems:
        TARGET.unlink()
        print("The PDF lacks something, and was removed:", *problems, sep="\n")
        return 1
    print(f"  {len(wanted.figures)} figures, {len(wanted.formulas)} formulas, {wanted.tables} tables: all there")
    with pikepdf.open(TARGET) as pdf:
        print(f"\n  {TARGET}: {len(pdf.pages)} pages, {TARGET.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
