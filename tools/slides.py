"""Slides from Markdown: one HTML file for each deck, with everything in it, so that it opens anywhere, offline too.

    python tools/slides.py course/slides/session_1.md OUT.html

`---` on a line of its own begins a slide. A paragraph that begins with "Note:" is for the speaker. A formula becomes a
drawing with its TeX as description, so no font and no script is needed. A code block marked `figure` is run, and the
figure that it leaves in `figure` stands in its place (with `alt`, if the figure does not describe itself);
`{{ value | .2f }}` is a value computed by the blocks before it. The blocks of a deck share their names, and can import
`figures.py` beside it.
"""

from __future__ import annotations

import base64
import html
import io
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from mdit_py_plugins.dollarmath import dollarmath_plugin

from addgcn.errors import InputError

TEMPLATE = Path(__file__).with_name("slides.html")
VALUE = re.compile(r"\{\{ *(.+?) *\| *([^|{}]+?) *\}\}")
SIZE = 100  # units of a formula's drawing per em
LARGER = 1.15  # its letters are small beside those of the text
DPI = 160


def deck(source: Path, figures: bool = True) -> str:
    """The HTML of one deck; `figures=False` leaves the code blocks asleep and shows their place (for tests)."""
    text = source.read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    if title is None:
        raise InputError(f"{source}: no title; a deck begins with a line '# Title'.")
    names: dict[str, Any] = {}
    sys.path.insert(0, str(source.parent))
    try:
        slides = "\n".join(slide(part, names, source, figures) for part in re.split(r"^---$", text, flags=re.MULTILINE))
    finally:
        sys.path.remove(str(source.parent))
    page = TEMPLATE.read_text(encoding="utf-8")
    return page.replace("@TITLE@", html.escape(title[1])).replace("@SLIDES@", slides)


def slide(text: str, names: dict[str, Any], source: Path, figures: bool) -> str:
    """One `<section>`: figures drawn, values put in, formulas drawn, the speaker's notes apart."""
    shown: list[str] = []

    def draw(code: str) -> str:
        if not figures:
            return '<figure><img alt="(figure)" src="data:,"></figure>'
        names.update(figure=None, alt="")
        exec(compile(code, str(source), "exec"), names)
        return picture(names["figure"], names["alt"], source) if names["figure"] is not None else ""

    def keep(found: re.Match[str]) -> str:
        shown.append(draw(found[1]))
        return f"\n\n@FIGURE{len(shown) - 1}@\n\n"

    text = re.sub(r"^```figure\n(.*?)^```$", keep, text, flags=re.MULTILINE | re.DOTALL)
    if figures:
        text = VALUE.sub(lambda found: format(eval(found[1], names), found[2]), text)
    body, _, note = text.partition("\nNote:")
    page = reader().render(body)
    for n, drawn in enumerate(shown):
        page = page.replace(f"<p>@FIGURE{n}@</p>", drawn)
    aside = f'\n<aside class="note">{reader().render(note.strip())}</aside>' if note.strip() else ""
    kind = ' class="title"' if "<h1>" in page else ""
    return f"<section{kind}>\n{page}{aside}\n</section>"


@cache
def reader() -> MarkdownIt:
    """Markdown with tables and formulas."""
    markdown = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, double_inline=True)
    markdown.add_render_rule("math_inline", lambda self, tokens, i, *_: formula(tokens[i].content))
    for name in ("math_block", "math_inline_double"):
        markdown.add_render_rule(name, lambda self, tokens, i, *_: f'<p class="math">{formula(tokens[i].content)}</p>')
    return markdown


def picture(figure: Figure, alt: str, source: Path) -> str:
    """A figure as an image in the page, with what it shows in words."""
    alt = alt or getattr(figure, "alt_text", "")
    if not alt:
        raise InputError(f"{source}: a figure without a description; set `alt` in its block.")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, facecolor="white")
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<figure><img alt="{html.escape(alt)}" src="data:image/png;base64,{data}"></figure>'


@cache
def formula(tex: str) -> str:
    """A formula as an inline drawing on the line, in the colour of the text."""
    tex = " ".join(tex.split())
    outline = TextPath((0, 0), f"${tex}$", size=SIZE, prop=FontProperties(math_fontfamily="cm"))
    box = outline.get_extents()
    x0, y0, width, height = box.x0, box.y0, box.width, box.height
    d = " ".join(_strokes(outline))
    style = f"height: {LARGER * height / SIZE:.3f}em; vertical-align: {LARGER * y0 / SIZE:.3f}em"
    view = f"{x0:.1f} {-y0 - height:.1f} {width:.1f} {height:.1f}"
    label = html.escape(tex)
    drawn = f'<path fill="currentColor" d="{d}"/>'
    return f'<svg role="img" aria-label="{label}" style="{style}" viewBox="{view}">{drawn}</svg>'


def _strokes(outline: Outline) -> Iterator[str]:
    letters = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C"}
    for points, code in outline.iter_segments(simplify=False, curves=True):
        if code == Outline.CLOSEPOLY:
            yield "Z"
        else:
            pairs = points.reshape(-1, 2)
            yield letters[code] + " ".join(f"{x:.1f},{-y:.1f}" for x, y in pairs)


def build_decks(folder: Path, target: Path, figures: bool = True) -> list[Path]:
    """Every `*.md` of a folder as a deck."""
    target.mkdir(parents=True, exist_ok=True)
    made = []
    for source in sorted(folder.glob("*.md")):
        path = target / f"{source.stem}.html"
        path.write_text(deck(source, figures), encoding="utf-8")
        made.append(path)
    return made


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(deck(Path(sys.argv[1])), encoding="utf-8")
