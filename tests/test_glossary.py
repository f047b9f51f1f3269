"""The glossary: in alphabetical order, and every term is explained in a chapter that uses it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

BOOK = Path(__file__).resolve().parents[1] / "book"
ENTRY = re.compile(r"^(?!`)(\S.*)\n  (.+)$", re.MULTILINE)
TERMS = ENTRY.findall((BOOK / "glossary.md").read_text(encoding="utf-8").split("```{glossary}")[1])


def plain(text: str) -> str:
    """For comparing: lower case, and nothing but letters."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def test_terms_are_in_order_and_named_once():
    names = [plain(name) for name, _ in TERMS]
    assert len(names) > 40
    assert len(set(names)) == len(names), "a term stands twice"
    early = next((name for before, name in pairwise(names) if name < before), None)
    assert early is None, f"{early!r} stands too late: the terms are in alphabetical order, spaces aside"


@pytest.mark.parametrize(("name", "text"), [pytest.param(*term, id=term[0]) for term in TERMS])
def test_a_term_is_used_by_the_chapter_it_names(name: str, text: str):
    (number, chapter) = re.search(r"\{doc\}`Chapter (\d+) <(\w+)>`\.$", text).groups()
    assert chapter.startswith(f"{int(number):02d}_")
    cells = nbformat.read(BOOK / f"{chapter}.ipynb", as_version=4).cells
    source = plain(" ".join(cell.source for cell in cells))
    first = [plain(part) for part in name.split(", ")]
    assert any(part in source for part in first), f"{chapter} does not use {name!r}"
