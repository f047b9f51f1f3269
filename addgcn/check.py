"""Exercises that check themselves: `check("5.1", my_function)` says passed, or gives a hint.

    >>> from addgcn.check import check
    >>> check("5.1", my_representations)
    ✗ 5.1 representations(M, X_), values: Each category weighs the features by its own map. ...

A check looks at properties of the reader's function (shape, values, what must not matter, gradient), in an order in
which one leads to the next, and stops at the first that fails. The chapters' checks lie in `addgcn.checks`, one
module each, all of this form::

    @exercise("5.1", "representations(M, X_)")
    def representations(answer: Answer) -> None:
        M, X_ = random(2, 3, 4, 5).sigmoid(), random(2, 6, 4, 5, seed=1)
        V = answer.tensor((2, 3, 6), M, X_)
        answer.expect("values", close(V, SumAttention()(M, X_)), "Each category weighs the features by ...")
"""

from __future__ import annotations

import html
import importlib
import linecache
import math
import numbers
import pkgutil
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import checks
from .errors import InputError, check_name


@dataclass(frozen=True)
class Result:
    """The answer to a check, true if passed. It shows itself as one line."""

    number: str
    signature: str
    passed: bool
    properties: tuple[str, ...]  # those that hold; for a failure, the last one named is the one that does not
    hint: str = ""

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        if self.passed:
            return f"✓ {self.number} {self.signature}: passed ({', '.join(self.properties)})."
        return f"✗ {self.number} {self.signature}, {self.properties[-1]}: {self.hint}"

    def _repr_html_(self) -> str:
        colour = "#009E73" if self.passed else "#D55E00"
        return (
            f'<p style="border-left: 4px solid {colour}; padding-left: 0.6em; margin: 0">{html.escape(repr(self))}</p>'
        )


class _Failed(Exception):
    """The property that does not hold, and the hint."""


class Answer:
    """The reader's function, and what the checks ask of it. The first property that does not hold ends the check."""

    def __init__(self, function: Callable[..., Any], signature: str) -> None:
        self.function, self.signature = function, signature
        self.properties: list[str] = []

    def expect(self, name: str, holds: bool | Tensor, hint: str) -> None:
        """The property `name` holds, or the check ends with the hint."""
        if not holds:
            raise _Failed(name, hint)
        if name not in self.properties:
            self.properties.append(name)

    def __call__(self, *inputs: Any) -> Any:
        """What the function returns; it gets copies, and must leave them as they are."""
        given = [x.clone() if isinstance(x, Tensor) else x for x in inputs]
        returned = self._run(*given)
        changed = any(isinstance(x, Tensor) and not _same(x, y) for x, y in zip(inputs, given, strict=True))
        self.expect("leaves its inputs alone", not changed, "It changes a tensor that it was given; make a new one.")
        self.expect("returns something", returned is not None, "It returns None: is there a `return`?")
        return returned

    def tensor(self, shape: Sequence[int], *inputs: Any, hint: str = "") -> Tensor:
        """What it returns, a finite float tensor of this shape; `hint` says what the axes are."""
        T = self(*inputs)
        self.expect("type", isinstance(T, Tensor), f"It returns {_kind(T)}; a tensor is wanted.")
        wanted = f"For inputs {_shapes(inputs)} it returns {_shapes([T])}; wanted is {tuple(shape)}."
        self.expect("shape", T.shape == tuple(shape), f"{wanted} {hint}".strip())
        self.expect("type", T.is_floating_point(), f"It returns a tensor of {T.dtype}; real numbers are wanted.")
        self.expect(
            "finite", T.isfinite().all(), "Some values are NaN or infinite: where is a division, a log, an exp?"
        )
        return T

    def numbers(self, *inputs: Any, count: int = 1) -> list[float]:
        """What it returns, `count` finite numbers (Python's, NumPy's, or tensors without axes)."""
        returned = self(*inputs)
        values = list(returned) if isinstance(returned, tuple | list) else [returned]
        wanted = "one number is wanted" if count == 1 else f"{count} numbers are wanted, in a tuple"
        self.expect("type", len(values) == count, f"It returns {_kind(returned)}; {wanted}.")
        for value in values:
            real = value.numel() == 1 if isinstance(value, Tensor) else isinstance(value, numbers.Real)
            self.expect("type", real, f"It returns {_kind(returned)}; {wanted}.")
        floats = [float(value) for value in values]
        hint = f"It returns {floats if count > 1 else floats[0]}: where is a division by zero, or a log of zero?"
        self.expect("finite", all(map(math.isfinite, floats)), hint)
        return floats

    def gradients(
        self, reference: Callable[..., Tensor], *inputs: Tensor, given: Sequence[Tensor] = (), hint: str = ""
    ) -> None:
        """The gradient that reaches each of the `inputs` equals the reference's; `given` are further inputs."""
        wanted, got = ([x.clone().requires_grad_() for x in inputs] for _ in range(2))
        output, target = self._run(*got, *given), reference(*wanted, *given)
        lost = "No gradient reaches some input: is there a detach, an item, a no_grad, a step through NumPy or lists?"
        self.expect("gradient", isinstance(output, Tensor) and output.requires_grad, lost)
        weights = random(*target.shape, seed=99)
        (output * weights).sum().backward()
        (target * weights).sum().backward()
        self.expect("gradient", all(x.grad is not None for x in got), lost)
        right = all(close(x.grad, y.grad) for x, y in zip(got, wanted, strict=True) if x.grad is not None)
        self.expect("gradient", right, hint or "A gradient reaches the inputs, but not the right one.")

    def _run(self, *inputs: Any) -> Any:
        try:
            return self.function(*inputs)
        except Exception as error:
            raise _Failed("error", self._told(error)) from None

    def _told(self, error: Exception) -> str:
        """The reader's exception in one line, with the line of theirs that raised it."""
        file = getattr(getattr(self.function, "__code__", None), "co_filename", None)
        own = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        line = linecache.getline(file or "", own[-1] or 0).strip() if own else ""
        where = f" in the line `{line}`" if line else ""
        call = "" if own else f" It is called as {self.signature}."
        return f"It raises {type(error).__name__}{where}: {' '.join(str(error).split())[:300] or 'no message'}.{call}"


# --- for the chapters' checks


@dataclass(frozen=True)
class Exercise:
    """One exercise: its number, how the reader's function is called, and the check of it."""

    number: str
    signature: str
    examine: Callable[[Answer], None]


EXERCISES: dict[str, Exercise] = {}


def exercise(number: str, signature: str) -> Callable[[Callable[[Answer], None]], Callable[[Answer], None]]:
    """Decorator: the function examines the answers to this exercise."""

    def register(examine: Callable[[Answer], None]) -> Callable[[Answer], None]:
        if number in EXERCISES and EXERCISES[number].examine.__module__ != examine.__module__:
            raise InputError(f"exercise {number} is checked twice: in {examine.__module__} and elsewhere.")
        EXERCISES[number] = Exercise(number, signature, examine)
        return examine

    return register


def random(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers, the same each time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def close(a: Any, b: Any, rtol: float = 1e-4, atol: float = 1e-5) -> bool:
    """Equal but for rounding; tensors of any precision, or numbers."""
    a, b = (torch.as_tensor(x, dtype=torch.float64) for x in (a, b))
    return a.shape == b.shape and torch.allclose(a, b, rtol=rtol, atol=atol)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.detach().nan_to_num(), b.detach().nan_to_num())


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _shapes(values: Sequence[Any]) -> str:
    return ", ".join(str(tuple(value.shape)) if isinstance(value, Tensor) else repr(value) for value in values)


# --- for the reader


def check(number: str, function: Callable[..., Any]) -> Result:
    """Look at a solution to the exercise `number`, such as "5.1"; the result shows itself as one line.

    Raises:
        InputError: no such exercise (the nearest is named), or something other than a function.
    """
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    in_order = sorted(EXERCISES, key=lambda known: [int(part) for part in known.split(".")])
    task = EXERCISES[check_name("exercise", str(number), in_order)]
    if not callable(function):
        raise InputError(
            f"give your function itself, without calling it: check({task.number!r}, "
            f"{task.signature.partition('(')[0]}); this is {_kind(function)}."
        )
    answer = Answer(function, task.signature)
    try:
        task.examine(answer)
    except _Failed as failure:
        name, hint = failure.args
        return Result(task.number, task.signature, False, (*answer.properties, name), hint)
    kept = tuple(name for name in answer.properties if name not in FORMAL)
    return Result(task.number, task.signature, True, kept)


FORMAL = ("leaves its inputs alone", "returns something", "type", "finite")  # what goes without saying once passed
