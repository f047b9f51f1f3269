"""Exercises are counted from 1 in every chapter, as the text counts them; sphinx-exercise counts through the book."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def restart(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Number the exercises of every page by their place on it."""
    for figures in env.toc_fignumbers.values():
        exercises = figures.get("exercise", {})
        for place, name in enumerate(sorted(exercises, key=lambda name: exercises[name]), start=1):
            exercises[name] = (place,)
    return []  # no further page has to be written for this


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-get-updated", restart, priority=900)  # after Sphinx's own numbering, before any page is written
    return {"parallel_read_safe": True, "parallel_write_safe": True}
