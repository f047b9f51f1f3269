"""Small mercies for the API page.

Signatures: what a class's `__init__` takes is shown also where a base class hides it. Sphinx prefers `__new__`, which
the mixin for saving and loading overrides; and a module of PyTorch that takes nothing would be shown with PyTorch's
own `*args, **kwargs`.

Docstrings are written for people: `|A[i, j]|` is an absolute value and "C." a number of categories, where
reStructuredText would see a substitution and the third item of a list; `--resume` would lose a dash. And where a
first sentence has a colon, as in "The folder: a new one", napoleon takes what precedes it for a type; it is put back,
for types stand in the signatures.

A named tuple's fields have no words of their own ("Alias for field number 0"): its signature names them already.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import signature, stringify_signature

HIDDEN = "(*args"
BARS = re.compile(r"(?<![`\\|])\|(\S(?:[^|`]*\S)?)\|(?![`|])")
FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
ITEM = re.compile(r"^(\s*(?::param [^:]+:\s+)?[A-Za-z])\.(?=\s|$)")


def show_init(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, shown: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    if what not in ("class", "exception") or not (shown or "").startswith(HIDDEN):
        return None
    text = stringify_signature(signature(obj.__init__, bound_method=True), unqualified_typehints=True)
    text = text.removesuffix(" -> None")
    return ("()" if text.startswith(HIDDEN) else text), None


def rejoin(lines: list[str]) -> None:
    """Put what napoleon took for a type back before its colon."""
    for mark, start in ((":type: ", ""), (":rtype: ", ":returns: ")):
        for k in [k for k, line in enumerate(lines) if line.startswith(mark)]:
            first = next(i for i in range(k if start else 1) if lines[i].startswith(start))
            lines[first] = f"{start}{lines[k].removeprefix(mark)}: {lines[first].removeprefix(start)}"
            lines[k] = ""


def without_alias(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None


def plain_prose(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    rejoin(lines)
    lines[:] = [line if "`" in line or line.startswith("    ") else FLAG.sub(r"`\g<0>`", line) for line in lines]
    lines[:] = [ITEM.sub(r"\1\\.", BARS.sub(r"\\|\1\\|", line)) for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-signature", show_init)
    app.connect("autodoc-skip-member", without_alias)
    app.connect("autodoc-process-docstring", plain_prose, priority=900)  # after napoleon has made its fields
    return {"parallel_read_safe": True, "parallel_write_safe": True}
