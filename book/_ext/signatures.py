"""The API page shows what a class's `__init__` takes, also where a base class hides it behind `*args, **kwargs`.

Sphinx prefers `__new__`, which the mixin for saving and loading overrides; and a module of PyTorch that takes
nothing would be shown with PyTorch's own `*args, **kwargs`.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import signature, stringify_signature

HIDDEN = "(*args"


def show_init(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, shown: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    if what not in ("class", "exception") or not (shown or "").startswith(HIDDEN):
        return None
    text = stringify_signature(signature(obj.__init__, bound_method=True), unqualified_typehints=True)
    text = text.removesuffix(" -> None")
    return ("()" if text.startswith(HIDDEN) else text), None


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-signature", show_init)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
