"""The one error for bad input, and the nearest right name for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave is wrong. The message says what, where, and what to do.

    The command line prints the message alone and exits with code 2.
    """


class Diverged(InputError):
    """A training whose loss or weights are no longer finite."""


def check_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is one of `known`.

    Raises:
        InputError: `name` is unknown; the message names the nearest known one and lists all.
    """
    known = list(known)
    if name in known:
        return name
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(f"unknown {kind} {name!r}.{hint} Known: {', '.join(known)}.")
