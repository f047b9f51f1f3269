"""Grade an assignment: a student's functions against cases that the student has not seen, criterion by criterion.

    python tools/grade.py 1 SUBMISSION.ipynb ...       # a table of points for each file; .py works, too
    python tools/grade.py 1 SUBMISSION.ipynb --seed 7  # other cases of the same kind
    python tools/grade.py 1 SUBMISSION.ipynb --json    # for a mark book

The students' code runs in a process of its own, which is given numbers and gives numbers back (JSON, never pickle)
and is ended when it takes too long; the expected values stay here. It runs with your rights, though: grade the work of
people you do not know on a machine that may break. What a person has to judge is listed with its points and left open.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import queue
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
START = 120.0  # seconds for the imports; loading PyTorch takes a few
SECONDS = 10.0  # for one call


class Lost(Exception):
    """Why a criterion is not met, for the student to read."""


class Criterion(NamedTuple):
    """What earns points: `test` raises Lost if it is not met; without a test a person decides."""

    text: str
    points: int
    test: Callable[[Submission, random.Random], None] | None = None


class Submission:
    """A student's file in a process of its own.

    Args:
        path: a notebook or a Python file.
        seconds: how long one call may take.
    """

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        self.path, self.seconds = path.resolve(), seconds
        self.complaints: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Submission:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def value(self, name: str) -> Any:
        """A constant of theirs."""
        return self._ask({"name": name})["value"]

    def call(self, name: str, *arguments: Any) -> Any:
        """What their function returns; tensors come back as nested lists. It must leave its arguments alone."""
        given = [_encode(value) for value in arguments]
        reply = self._ask({"name": name, "arguments": given})
        expect(reply["value"] is not None, f"{name} returns nothing")
        expect(
            [_bare(value) for value in reply["arguments"]] == [_bare(value) for value in given],
            f"{name} changes what it is given",
        )
        return _bare(reply["value"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.process is None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.stop()
            raise Lost("the process ended by itself") from None
        reply = self._reply(self.seconds, request["name"])
        if "error" in reply:
            raise Lost(reply["error"])
        return reply

    def _start(self) -> None:
        command = [sys.executable, "-I", str(HERE / "grade_worker.py"), str(self.path)]
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.folder.name,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process, self.lines), daemon=True).start()
        self.complaints = self._reply(START, "the file")["complaints"]

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")  # it has ended

    def _reply(self, seconds: float, what: str) -> dict[str, Any]:
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            self.stop()
            raise Lost(f"{what} takes longer than {seconds:g} seconds") from None
        try:
            reply = json.loads(line)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            self.stop()
            raise Lost(f"{what} ended the process")
        return reply

    def stop(self) -> None:
        """End the process; the next question starts a new one."""
        if self.process is None:
            return
        self.process.kill()
        self.process.communicate()
        self.process = None
        self.folder.cleanup()


def expect(holds: Any, why: str) -> None:
    """A criterion goes on only if this holds."""
    if not holds:
        raise Lost(why)


def close(a: Any, b: Any, tolerance: float = 1e-4) -> bool:
    """Nested lists of numbers agree in shape and, but for rounding, in value; NaN agrees with NaN."""
    a, b = _bare(_encode(a)), _bare(_encode(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(close(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if not all(isinstance(x, int | float) for x in (a, b)):
        return False
    if a != a or b != b:
        return bool(a != a and b != b)
    return bool(abs(a - b) <= tolerance * max(1.0, abs(b)))


def _encode(value: Any) -> Any:
    if hasattr(value, "tolist"):
        kind = str(value.dtype).removeprefix("torch.")
        return {"tensor": value.tolist(), "dtype": kind, "shape": list(value.shape)}
    return [_encode(part) for part in value] if isinstance(value, list | tuple) else value


def _bare(value: Any) -> Any:
    """Without shapes and types: lists and numbers."""
    if isinstance(value, dict) and "tensor" in value:
        return value["tensor"]
    return [_bare(part) for part in value] if isinstance(value, list) else value


# --- a whole assignment


def criteria(number: int) -> list[Criterion]:
    """The criteria of an assignment, from `grading/` beside this file or from the project's `course/grading/`."""
    for folder in (HERE / "grading", HERE.parent / "course" / "grading"):
        path = folder / f"assignment_{number}.py"
        if path.exists():
            found: list[Criterion] = _module(path).CRITERIA
            return found
    raise SystemExit(f"there is no assignment {number}: no grading/assignment_{number}.py")


def _module(path: Path) -> ModuleType:
    sys.modules.setdefault("grade", sys.modules[__name__])  # so that the cases use these very classes
    spec = importlib.util.spec_from_file_location(f"grading_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def grade(number: int, path: Path, seed: int = 0, seconds: float = SECONDS) -> dict[str, Any]:
    """Points and reasons: {"criteria": [{"text", "points", "of", "why"}], "points", "of", "by_hand", "complaints"}."""
    rows = []
    with Submission(path, seconds) as work:
        for place, criterion in enumerate(criteria(number)):
            row: dict[str, Any] = {"text": criterion.text, "of": criterion.points, "points": None, "why": ""}
            if criterion.test is not None:
                try:
                    criterion.test(work, random.Random(f"{seed} {place}"))
                    row["points"] = criterion.points
                except Lost as reason:
                    row |= {"points": 0, "why": str(reason)}
                except (TypeError, ValueError, KeyError, IndexError, AttributeError):
                    row |= {"points": 0, "why": "what it returns has another form than was asked for"}
            rows.append(row)
        judged = [row for row in rows if row["points"] is not None]
        return {
            "file": path.name,
            "criteria": rows,
            "points": sum(row["points"] for row in judged),
            "of": sum(row["of"] for row in judged),
            "by_hand": sum(row["of"] for row in rows) - sum(row["of"] for row in judged),
            "complaints": work.complaints,
        }


def told(result: dict[str, Any]) -> str:
    """The result as a table to read."""
    lines = [result["file"]]
    for row in result["criteria"]:
        points = "_" if row["points"] is None else row["points"]
        lines.append(f"  {points} / {row['of']}  {row['text']}" + (f": {row['why']}" if row["why"] else ""))
    lines += [f"  note: {complaint}" for complaint in result["complaints"]]
    rest = f", and {result['by_hand']} to be given by hand" if result["by_hand"] else ""
    return "\n".join([*lines, f"  {result['points']} of {result['of']} points{rest}"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("assignment", type=int, choices=[1, 2, 3])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--seed", type=int, default=0, help="other numbers, other cases")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long one call may take")
    parser.add_argument("--json", action="store_true", help="one JSON line for each file")
    options = parser.parse_args()
    for path in options.files:
        if not path.is_file():
            print(f"{path}: no such file", file=sys.stderr)
            return 2
        result = grade(options.assignment, path, options.seed, options.seconds)
        print(json.dumps(result) if options.json else told(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
