"""The grader of the assignments: full points for the model, none for stubs, typical mistakes lose what they miss."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from wrong_answers import WRONG

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import grade  # noqa: E402
import grade_worker  # noqa: E402

import course  # noqa: E402

ASSIGNMENTS = [path for path in course.sources() if path.stem.startswith("assignment_")]


class Here(grade.Submission):
    """A submission in this process, so that many can be graded quickly."""

    names: dict[str, Any] | None = None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.names is None:
            self.names, self.complaints = grade_worker.load(str(self.path))
        reply = grade_worker.answer(self.names, request)
        if "error" in reply:
            raise grade.Lost(reply["error"])
        return reply


def model_solution(number: int) -> str:
    return (course.SOURCE / f"solutions/assignment_{number}.py").read_text(encoding="utf-8")


def lost(result: dict[str, Any]) -> list[str]:
    return [row["text"] for row in result["criteria"] if row["points"] == 0]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_model_solution_has_all_points(number: int, seed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grade, "Submission", Here)
    result = grade.grade(number, course.SOURCE / f"solutions/assignment_{number}.py", seed)
    assert lost(result) == []
    assert result["points"] == result["of"]
    assert result["points"] + result["by_hand"] == 20


@pytest.mark.parametrize("path", ASSIGNMENTS, ids=lambda path: path.stem)
def test_empty_stubs_have_no_points(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(grade, "Submission", Here)
    copy = tmp_path / path.name
    nbformat.write(course.student(path, {}), copy)
    result = grade.grade(int(path.stem[-1]), copy)
    assert result["points"] == 0
    assert result["complaints"] == []
    assert all(row["why"] for row in result["criteria"] if row["points"] is not None)


CASES = [(number, name) for number, cases in WRONG.items() for name in cases]


@pytest.mark.parametrize(("number", "name"), CASES, ids=[name for _, name in CASES])
def test_a_typical_mistake_loses_its_criteria_and_no_other(
    number: int, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(grade, "Submission", Here)
    old, new, criteria = WRONG[number][name]
    text = model_solution(number)
    assert text.count(old) == 1
    (tmp_path / "work.py").write_text(text.replace(old, new))
    result = grade.grade(number, tmp_path / "work.py")
    assert len(lost(result)) == len(criteria), grade.told(result)
    assert all(word in criterion for word, criterion in zip(criteria, lost(result), strict=True)), grade.told(result)
    assert 0 < result["points"] < result["of"]


def test_the_grader_in_a_process_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "work.py"
    path.write_text(model_solution(1) + "\nprint('noise')\nraise SystemExit('never run')\n")
    assert grade.told(grade.grade(1, path)).endswith("20 of 20 points")
    assert capsys.readouterr().out == ""


def submission(folder: Path, code: str) -> grade.Submission:
    (folder / "work.py").write_text(code)
    return grade.Submission(folder / "work.py", seconds=2)


def test_code_that_hangs_or_ends_the_process_loses_that_criterion_alone(tmp_path: Path):
    code = """
import os
def hang(x):
    while True: pass
def end(x):
    os._exit(3)
def leave(x):
    raise SystemExit(0)
def shout(x):
    print('{"value": 42}')
    return x + 1
def change(x):
    x.append(1)
    return x
"""
    with submission(tmp_path, code) as work:
        assert work.call("shout", 1) == 2
        for name, why in (("hang", "longer than"), ("end", "ended"), ("leave", "ended"), ("absent", "there is no")):
            with pytest.raises(grade.Lost, match=why):
                work.call(name, 1)
        with pytest.raises(grade.Lost, match="changes what it is given"):
            work.call("change", [1])
        assert work.call("shout", 1) == 2  # it goes on


def test_only_definitions_of_a_notebook_are_run(tmp_path: Path):
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [
        "%matplotlib inline\nimport math",
        "raise RuntimeError",
        "def f(x):\n    return math.sqrt(x)",
        "LIST = [1, 2]",
        "f(",
        "import nothing_of_this_name",
        'ANSWERS = {"AP": (1 + 2 / 3) / 2, "v": [-4, 0]}\nANSWERS["CP"]: float = 1 / 2',
        "LATER = f(16)",
        "def later(x):\n    return LATER",
    ]
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), tmp_path / "work.ipynb")
    with grade.Submission(tmp_path / "work.ipynb") as work:
        assert work.call("f", 9.0) == 3
        assert work.value("LIST") == [1, 2]
        assert work.value("ANSWERS") == {"AP": (1 + 2 / 3) / 2, "v": [-4, 0], "CP": 0.5}
        with pytest.raises(grade.Lost, match="only imports, functions and written-out constants"):
            work.call("later", 1)
        assert len(work.complaints) == 2
        assert "cell 5 is not Python" in work.complaints[0]
        assert "nothing_of_this_name" in work.complaints[1]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [([1, [2.0]], [1.00001, [2]], True), ([1, 2], [1], False), (float("nan"), float("nan"), True), (None, 1.0, False)],
)
def test_close(a: Any, b: Any, same: bool):
    assert grade.close(a, b) is same
