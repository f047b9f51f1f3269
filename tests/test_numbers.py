"""No measured number is typed into the text: it comes from a cell (glue), or is marked as the paper's.

A sentence or table row of Markdown is looked at without its code, mathematics, roles and links, so a glued number is
gone before the search. What is left and looks like a metric (`BARE`) must stand with the word "paper", or in a
question (a guess for the reader to weigh states nothing), or in `GIVEN`: settings and small cases done by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = r"(?:mAP|AP|OP|OR|OF1|CP|CR|CF1|F1)"
BARE = re.compile(
    r"(?<![\w.])(?:"
    r"\d\d\.\d+"  # 85.2
    r"|\d+(?:\.\d+)? ?(?:%|percent|points?\b|mAP\b|(?:img|images|photographs)(?:/s| a second)| s\b|seconds?\b)"
    rf"|{NAMES} (?:(?:of|is|was|at|about|only|=|:) ?)*(?:\d+\.\d+|\d\d+)"
    r")"
)
LEFT_OUT = re.compile(
    r"(?:[Ss]ection|[Cc]hapter|[Ee]xercise|[Pp]ython|version|[Ff]igure|[Tt]able|eq\.) \d+\.\d+|\b95 %"  # of an interval
)
FENCE = re.compile(r"^\s*(`{3,}|:{3,})(.*)$")
NOT_PROSE = [
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL),  # mathematics
    re.compile(r"\{[\w:+-]+\}`[^`]*`|`[^`]*`", re.DOTALL),  # roles, glue among them, and code
    re.compile(r"\]\([^)]*\)"),  # a link's target
    re.compile(r"^:[\w-]+:.*$", re.MULTILINE),  # a directive's options
]
# What a reader can check in place: settings of a method, cases done by hand. Each must still be in the text.
GIVEN: dict[str, list[str]] = {
    "00_first_run.ipynb": ["uncertain by about 18 points"],  # 1.96 sqrt(0.5 * 0.5 / 30)
    "02_score.ipynb": ["The 11 points lie"],
    "06_gcn.ipynb": ["at least 40 % of the images"],  # ML-GCN's threshold
}


def without_code(markdown: str) -> str:
    """Without fenced code; what stands in a directive (an exercise, a note) is prose and stays."""
    kept: list[str] = []
    code = ""  # the fence of the code block that we are in
    for line in markdown.splitlines():
        fence = FENCE.match(line)
        if code:
            code = "" if fence and fence[1] == code and not fence[2].strip() else code
        elif fence and fence[2].strip() and not re.match(r"\s*\{(?!code)", fence[2]):
            code = fence[1]
        elif not fence:
            kept.append(line)
    return "\n".join(kept)


def sentences(markdown: str) -> list[str]:
    """The sentences and table rows of a Markdown text, with nothing in them but prose."""
    markdown = without_code(markdown)
    for pattern in NOT_PROSE:
        markdown = pattern.sub(" · ", markdown)
    markdown = LEFT_OUT.sub(" · ", markdown)
    parts: list[str] = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|>#]|\d+\.) ?)", markdown):
        text = " ".join(block.split())
        parts += [text] if text.startswith("|") else re.split(r"(?<=[.!?:;])[)\"*_]* (?=[A-Z*\"(])", text)
    return parts


def bare_numbers(markdown: str, given: list[str] | None = None) -> list[str]:
    """The sentences in which something that looks like a metric has neither source nor reason."""
    found = []
    for sentence in sentences(markdown):
        if re.search(r"\bpaper", sentence) or sentence.endswith("?"):
            continue
        for phrase in given or []:
            sentence = sentence.replace(phrase, "·")
        if BARE.search(sentence):
            found.append(sentence)
    return found


def texts() -> list[tuple[str, str]]:
    """Every Markdown cell and page as (file's name, text)."""
    found = [(path.name, path.read_text(encoding="utf-8")) for path in sorted((ROOT / "book").rglob("*.md"))]
    found.append(("README.md", (ROOT / "README.md").read_text(encoding="utf-8")))
    for path in sorted((ROOT / "book").rglob("[!.]*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        found.append((path.name, "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")))
    return found


@pytest.mark.parametrize(("name", "text"), [pytest.param(*item, id=item[0]) for item in texts()])
def test_no_measured_number_is_typed(name: str, text: str):
    assert bare_numbers(text, GIVEN.get(name)) == []


def test_what_is_given_is_still_there():
    known = dict(texts())
    gone = [
        (name, phrase)
        for name, phrases in GIVEN.items()
        for phrase in phrases
        if phrase not in " ".join(known[name].split())
    ]
    assert gone == []


@pytest.mark.parametrize(
    "text",
    [
        "ADD-GCN reaches 90.7 on the scenes.",
        "The gain is 3 points.",
        "It finds 82 % of the toilets.",
        "Its mAP is 87.",
        "We see an mAP of about 90 here.",
        "A run takes 75 seconds.",
        "The renderer makes 500 images a second.",
        "| S-D | 91.2 |",
        "The paper has 85.2. Ours is 84.1.",
        "````{solution} e\n```python\nx = 1\n```\nIt loses 12.5 there.\n````",
        "{glue:text}`gain` is less than 2.5 points.",
    ],
)
def test_a_bare_number_is_found(text: str):
    assert len(bare_numbers(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "ADD-GCN reaches {glue:text}`mAP` on the scenes.",
        "Table 4's best row has 85.2 (paper).",
        "| S-D (paper) | 85.2 |",
        "Is it 40 %, or 60 %?",
        "The learning rate is 0.05, the threshold 0.5.",
        "See section 4.2 and exercise 10.3, with Python 3.11.",
        "```python\nassert mAP == 90.7\n```",
        "````{solution} e\n```python\nassert mAP == 90.7\n```\n````",
        "$x = 85.2$ and `x = 85.2`",
    ],
)
def test_other_numbers_are_let_through(text: str):
    assert bare_numbers(text) == []
