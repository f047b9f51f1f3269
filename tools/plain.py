"""The book's Markdown as plain Jupyter and Colab show it: roles and directives become ordinary Markdown.

`Plain` does it for one chapter; `split` takes a cell apart into prose, exercises and solutions first. What it meets
and does not know it reports (`InputError`), so that nothing half-translated reaches a reader.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from addgcn.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
BIBLIOGRAPHY = ROOT / "book/references.bib"
BLOCK = re.compile(
    r"^(?P<fence>`{4,})\{(?P<kind>exercise|solution)\}[ \t]*(?P<title>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$",
    re.M | re.S,
)
OPTION = re.compile(r"^:(\w+): *(.*)\n", re.M)
HINT = re.compile(r"^```\{admonition\} *([^\n]*)\n(.*?)^```[ \t]*$", re.M | re.S)
CODE = re.compile(r"^```python\n(.*?)^```[ \t]*$", re.M | re.S)
ROLE = re.compile(r"\{([\w:+-]+)\}`([^`]*)`")
TARGET = re.compile(r"^(.*?)\s*<([^<>]+)>$", re.S)
DIRECTIVE = re.compile(r"^\s*(?:`{3,}|:{3,})\{([\w:-]+)\}", re.M)


class Block(NamedTuple):
    """A piece of a cell: "prose", "exercise" or "solution" (`name` is the label of the exercise)."""

    kind: str
    text: str
    title: str = ""
    name: str = ""


def split(markdown: str) -> Iterator[Block]:
    """A cell's pieces in order; a cell without exercises is one piece of prose."""
    end = 0
    for found in BLOCK.finditer(markdown):
        if between := markdown[end : found.start()].strip("\n"):
            yield Block("prose", between)
        options = dict(OPTION.findall(found["body"]))
        body = OPTION.sub("", found["body"]).strip("\n")
        if found["kind"] == "exercise":
            yield Block("exercise", body, found["title"].strip(), options["label"].strip())
        else:
            yield Block("solution", body, name=found["title"].strip())
        end = found.end()
    if rest := markdown[end:].strip("\n"):
        yield Block("prose", rest)


def code_and_text(solution: str) -> Iterator[tuple[str, str]]:
    """A solution's parts in order, as ("markdown" or "code", text)."""
    for n, part in enumerate(CODE.split(solution)):
        if part.strip():
            yield ("code" if n % 2 else "markdown"), part.strip("\n")


class Plain:
    """Translates a chapter's Markdown.

    Args:
        glued: the numbers that the chapter's cells keep for the text, by name; one that is missing is shown as ‹name›.
        titles: {page, as `doc` names it: its title}; a notebook becomes a link, another page its title.
    """

    def __init__(self, glued: Mapping[str, Any], titles: Mapping[str, str]) -> None:
        self.glued, self.titles = glued, titles

    def __call__(self, markdown: str) -> str:
        text = HINT.sub(lambda found: folded(found[1].strip() or "Hint", found[2].strip()), markdown)
        text = ROLE.sub(lambda found: self.role(found[1], found[2]), text)
        if unknown := DIRECTIVE.search(text):
            raise InputError(f"the directive {unknown[1]!r} has no plain form yet; teach it to tools/plain.py.")
        return text

    def role(self, name: str, content: str) -> str:
        if name == "glue:text":
            return self.number(*content.partition(":")[::2])
        if name.startswith("cite"):
            return "(" + "; ".join(reference(key.strip()) for key in content.split(",")) + ")"
        if name == "doc":
            found = TARGET.match(content)
            page = (found[2] if found else content).rpartition("/")[2]
            title = found[1] if found else self.titles.get(page, page)
            return f"[{title}]({page}.ipynb)" if re.match(r"\d\d_|assignment_", page) else title
        if name in ("term", "ref", "download"):
            found = TARGET.match(content)
            return found[1] if found else content
        raise InputError(f"the role {name!r} has no plain form yet; teach it to tools/plain.py.")

    def number(self, name: str, form: str) -> str:
        if name not in self.glued:
            return f"‹{name}›"
        return format(self.glued[name], form)


def folded(title: str, text: str) -> str:
    """Text that unfolds, on the page, in Jupyter and in Colab."""
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def glued_in(outputs: Iterator[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The kept numbers among a cell's outputs, as myst_nb stores them."""
    for output in outputs:
        mark = output.get("metadata", {}).get("scrapbook", {})
        for kind, value in output.get("data", {}).items():
            if mark and kind.endswith("text/plain"):
                value = re.sub(r"^np\.\w+\((.*)\)$", r"\1", value)  # np.float64(1.5)
                nameless = value.lstrip("-") in ("nan", "inf")  # numbers that Python has no literal for
                yield mark["name"], float(value) if nameless else ast.literal_eval(value)


@cache
def references() -> dict[str, str]:
    """{key: "Author et al., year"} of the bibliography."""
    from pybtex.database import parse_file

    found = {}
    for key, entry in parse_file(str(BIBLIOGRAPHY)).entries.items():
        names = ["".join(person.last_names) for person in entry.persons.get("author", [])] or [key]
        who = names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."
        found[key] = f"{who}, {entry.fields['year']}"
    return found


def reference(key: str) -> str:
    if key not in references():
        raise InputError(f"{key!r} is cited and not in {BIBLIOGRAPHY.name}.")
    return references()[key]
