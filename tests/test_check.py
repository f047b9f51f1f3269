"""Exercises check themselves: solutions pass, typical wrong answers get the hint that belongs to them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from check_cases import CASES

from addgcn import check as module
from addgcn.check import Answer, Exercise, Result, check, exercise
from addgcn.errors import InputError

RIGHT = [(number, answer) for number, case in CASES.items() for answer in case.right]
WRONG = [(number, name, answer) for number, case in CASES.items() for name, answer in case.wrong]


@pytest.mark.parametrize(("number", "answer"), RIGHT, ids=[f"{n}-{f.__name__}" for n, f in RIGHT])
def test_solutions_pass(number: str, answer: Any):
    result = check(number, answer)
    assert result.passed, repr(result)
    assert len(result.properties) >= 2
    assert repr(result).startswith(f"✓ {number} ")
    assert "passed" in repr(result)
    assert "\n" not in repr(result)


@pytest.mark.parametrize(("number", "name", "answer"), WRONG, ids=[f"{n}-{p}-{f.__name__}" for n, p, f in WRONG])
def test_wrong_answers_get_their_hint(number: str, name: str, answer: Any):
    result = check(number, answer)
    assert not result.passed
    assert result.properties[-1] == name, repr(result)
    assert len(result.hint) > 10
    assert "\n" not in repr(result)
    assert repr(result).startswith(f"✗ {number} ")


def test_every_exercise_has_solutions_and_wrong_answers():
    check("5.1", lambda M, X_: None)  # reads the chapters
    assert set(module.EXERCISES) == set(CASES)
    assert all(case.right and len(case.wrong) >= 3 for case in CASES.values())


def test_hints_hold_no_solution():
    """No hint quotes what a solution would be typed as."""
    for number, name, answer in WRONG:
        hint = "" if name == "error" else check(number, answer).hint  # an error quotes the reader's own line
        assert not any(code in hint for code in ("torch.", "einsum", ".mean(", ".sum(", "@", "lambda")), hint


def test_signatures_are_those_of_the_solutions():
    for number, case in CASES.items():
        names = module.EXERCISES[number].signature.partition("(")[2].rstrip(")").split(", ")
        for answer in case.right:
            assert len(inspect.signature(answer).parameters) == len(names), number


def test_the_same_answer_gets_the_same_words_and_the_random_state_is_left_alone():
    before = torch.get_rng_state()
    first = [repr(check(number, answer)) for number, _, answer in WRONG]
    torch.rand(3)
    assert first == [repr(check(number, answer)) for number, _, answer in WRONG]
    torch.set_rng_state(before)
    check("5.1", CASES["5.1"].right[0])
    assert torch.equal(torch.get_rng_state(), before)


# --- what a reader may do besides


def test_an_unknown_number_names_the_nearest():
    with pytest.raises(InputError, match=r"unknown exercise '5\.11'. Did you mean '5\.1'\?"):
        check("5.11", lambda: 0)
    with pytest.raises(InputError, match=r"Known: 1\.1"):
        check("chapter", lambda: 0)
    assert check(8.3, lambda s_m, s_r: (s_m + s_r) / 2)  # a number, where a text belongs


def test_a_result_in_the_place_of_the_function():
    with pytest.raises(InputError, match=r"without calling it: check\('5\.1', representations\); this is a tensor"):
        check("5.1", torch.zeros(2, 3))
    with pytest.raises(InputError, match="this is a NoneType"):
        check("5.1", None)


def test_a_function_that_raises_is_told_with_its_line():
    def representations(M, X_):
        flat = M.flatten(2)
        return flat @ X_.flatten(2)  # the axes do not meet

    hint = check("5.1", representations).hint
    assert "It raises RuntimeError in the line `return flat @ X_.flatten(2)  # the axes do not meet`" in hint
    assert "Expected size" in hint


def test_a_function_with_other_arguments_is_told_how_it_is_called():
    hint = check("5.1", lambda M: M).hint
    assert "TypeError" in hint
    assert "It is called as representations(M, X_)." in hint


def test_an_empty_function_is_no_crash():
    def representations(M, X_): ...

    assert "return" in check("5.1", representations).hint


@pytest.mark.parametrize(
    ("value", "name", "told"),
    [
        ("text", "type", "It returns a str"),
        (3.0, "type", "It returns a float; a tensor"),
        (np.zeros((2, 3, 6)), "type", "It returns a ndarray"),
        ((torch.zeros(2, 3, 6), 0), "type", "It returns a tuple of 2"),
        (torch.zeros(2, 3), "shape", "it returns (2, 3); wanted is (2, 3, 6). One vector"),
        (torch.zeros(2, 3, 6, dtype=torch.long), "type", "torch.int64"),
        (torch.full((2, 3, 6), float("nan")), "finite", "NaN"),
    ],
)
def test_other_types_and_shapes(value: Any, name: str, told: str):
    result = check("5.1", lambda M, X_: value)
    assert result.properties[-1] == name
    assert told in result.hint


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0.5", "It returns a str; one number"),
        (torch.zeros(3), "a tensor of shape (3,); one number"),
        ((1, 2), "a tuple of 2; one number"),
        (1j, "a complex"),
        (float("inf"), "It returns inf"),
    ],
)
def test_numbers(value: Any, told: str):
    assert told in check("2.1", lambda scores, targets: value).hint


def test_a_kernel_interrupted_is_not_an_answer():
    def stuck(M, X_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("5.1", stuck)


def test_the_result_in_a_notebook():
    result = Result("5.1", "f(x)", False, ("shape", "values"), "Is a < b?")
    assert repr(result) == "✗ 5.1 f(x), values: Is a < b?"
    assert "a &lt; b?</p>" in result._repr_html_()
    assert not result


def test_a_chapter_adds_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "EXERCISES", dict(module.EXERCISES))

    @exercise("9.9", "double(x)")
    def double(answer: Answer) -> None:
        (y,) = answer.numbers(2.0)
        answer.expect("values", y == 4, "Twice two?")

    assert isinstance(module.EXERCISES["9.9"], Exercise)
    assert check("9.9", lambda x: 2 * x)
    assert check("9.9", lambda x: x).hint == "Twice two?"

    def other(answer: Answer) -> None: ...

    other.__module__ = "elsewhere"
    with pytest.raises(InputError, match=r"9\.9 is checked twice"):
        exercise("9.9", "f(x)")(other)
