"""The finished site, as a reader's browser sees it: nothing from elsewhere, nothing broken, every picture described.

Needs the pages (`make book`); the last tests also need Debian's chromium. Without, they are skipped and say why.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import book  # noqa: E402

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src")}
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "laptop": (1366, 768)}
# Of the pages of source code, all made alike, one that is long and their index.
OTHERS = ("genindex", "py-modindex", "search", "_modules/index", "_modules/addgcn/graph")
NAMES = [f"{page}.html" for page in (*book.pages(), *OTHERS)]


# Whether the page turns to the theme that the system asks for; it takes a moment.
FOLLOWS = """async (scheme) => {
  const follows = () => document.documentElement.dataset.theme === scheme;
  for (let k = 0; k < 40 && !follows(); k++) await new Promise((done) => setTimeout(done, 25));
  return follows();
}"""


class Page(HTMLParser):
    """What one page refers to: ids, what it loads, what it links to, and its images."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids |= {value for key, value in attrs if key in ("id", "name") and value}
        if tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))
        if tag == "link" and values.get("rel") in ("canonical", "next", "prev", "index", "search"):
            self.links.append(str(values["href"]))
        else:
            self.loads += [str(values[key]) for t, key in LOADED if t == tag and values.get(key)]
        if tag == "img":
            self.images.append(values)


@cache
def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def broken(path: Path, reference: str) -> str | None:
    """Why a reference within the site leads nowhere, or None."""
    parts = urlsplit(reference)
    if parts.scheme or parts.netloc:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return f"{path.name}: {reference} does not exist"
    if parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in read(target).ids:
        return f"{path.name}: {reference} has no such anchor"
    return None


def poorly_described(image: dict[str, str | None]) -> bool:
    """No alt text, or a file's name in its place. An empty alt is right for an ornament hidden from screen readers."""
    alt = image.get("alt")
    if image.get("aria-hidden") == "true" or image.get("role") == "presentation":
        return False
    return not alt or bool(re.search(r"\.(png|svg|jpe?g|gif)$|^[\w./-]*/[\w./-]*$", alt.strip()))


@pytest.fixture(scope="module")
def site() -> Path:
    if not (book.HTML / "index.html").exists():
        pytest.skip("needs the site: make book")
    _, everything = book.sources()
    if book.stamped("site.sha256") != book.digest(everything):
        pytest.skip("the site is older than its sources: make book")
    return book.HTML


@pytest.fixture(scope="module")
def pages(site: Path) -> list[Path]:
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)


def test_every_page_of_the_contents_is_there(site: Path):
    assert book.look() == []


def test_nothing_is_loaded_from_elsewhere(pages: list[Path]):
    foreign = {url for path in pages for url in read(path).loads if urlsplit(url).netloc}
    assert not foreign


def test_no_broken_link_or_anchor(pages: list[Path]):
    problems = {broken(path, ref) for path in pages for ref in read(path).links + read(path).loads}
    assert problems == {None}


def test_every_image_is_described(pages: list[Path]):
    poor = {(path.name, str(i.get("src"))) for path in pages for i in read(path).images if poorly_described(i)}
    assert not poor


def test_the_checks_find_what_is_wrong(tmp_path: Path):
    path = tmp_path / "a.html"
    path.write_text(
        '<p id="here"><a href="#here"></a><a href="#gone"></a><a href="b.html"></a><a href="https://example.org"></a>'
        '<script src="https://example.org/x.js"></script><img src="x.png" alt="x.png"><img src="y.png">'
        '<img src="z.png" alt="../_images/z"><img src="w.png" alt="A car and/or a truck.">'
    )
    page = read(path)
    assert [broken(path, link) is None for link in page.links] == [True, False, False, True]
    assert [url for url in page.loads if urlsplit(url).netloc] == ["https://example.org/x.js"]
    assert [poorly_described(image) for image in page.images] == [True, True, True, False]


# --- in a browser -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(site: Path) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs a browser: {CHROMIUM} (apt install chromium), or name another in $CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


def settled(page: Any, url: str) -> None:
    """Open a page, and wait for its formulas and for what it searches."""
    page.goto(url, wait_until="load")
    page.evaluate("window.MathJax && MathJax.startup && MathJax.startup.promise")
    if "?q=" in url:
        page.wait_for_selector("#search-results li a", timeout=15000)


def visit(browser: Any, urls: list[str], size: tuple[int, int]) -> list[str]:
    """Open pages one after another, in light, and make them dark; everything that went wrong, as text."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page, problems = context.new_page(), []
    url = ""

    def note(what: str) -> None:
        problems.append(f"{url.rsplit('/', 1)[-1]}: {what}")

    page.on("request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or note(f"asks for {r.url}"))
    page.on("requestfailed", lambda r: note(f"could not load {r.url}"))
    page.on("console", lambda m: m.type in ("error", "warning") and note(f"console: {m.text}"))
    page.on("pageerror", lambda error: note(f"error: {error}"))
    for url in urls:
        page.emulate_media(color_scheme="light")
        settled(page, url)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
                note(f"is wider than the screen of {size[0]} pixels")
            if not page.evaluate(FOLLOWS, scheme):
                note(f"is not {scheme}")
        if page.locator("mjx-merror").count():
            note("has a formula that MathJax cannot read")
        if page.locator(".math").count() and not page.locator("mjx-container").count():
            note("has formulas that were not drawn")
        for image in page.locator("img").evaluate_all("all => all.filter(i => !i.naturalWidth).map(i => i.src)"):
            note(f"has an image that shows nothing: {image}")
    context.close()
    return problems


@pytest.mark.parametrize("size", SIZES)
def test_pages_in_a_browser(browser: Any, site: Path, size: str):
    assert visit(browser, [f"{site.as_uri()}/{name}" for name in NAMES], SIZES[size]) == []


def test_the_browser_check_finds_what_is_wrong(browser: Any, tmp_path: Path):
    path = tmp_path / "bad.html"
    path.write_text(
        "<div style='width: 900px'>wide</div><img src='gone.png'><script>console.error('oh'); nothing()</script>"
        "<script src='http://127.0.0.1:9/x.js'></script>"
    )
    text = "\n".join(visit(browser, [path.as_uri()], SIZES["phone"]))
    for sign in (
        "wider than",
        "shows nothing",
        "console: oh",
        "nothing is not defined",
        "asks for http://127.0.0.1:9",
        "not dark",
    ):
        assert sign in text


def test_the_first_page_leads_to_the_book(browser: Any, site: Path):
    page = browser.new_page()
    page.goto(f"{site.as_uri()}/index.html")
    page.wait_for_url(f"**/{book.pages()[0]}.html")
    page.close()


def test_search_finds_a_page(browser: Any, site: Path):
    page = browser.new_page()
    page.goto(f"{site.as_uri()}/search.html?q=InputError")
    page.wait_for_selector("#search-results li a", timeout=15000)
    assert "api" in " ".join(page.locator("#search-results li a").evaluate_all("all => all.map(a => a.href)"))
    page.close()
