"""One step of the build, in one line: its name and its time; its output only when it fails.

python tools/step.py "lint" ruff check .            # "lint ............ 0.4 s"
python tools/step.py --show "bench" python x.py     # the output as it comes, then the line
python tools/step.py --log FILE "tests" pytest      # the same, and kept in FILE
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WIDTH = 44
TICK = 1.0  # seconds between two updates of the running clock on a terminal


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `2 min 27 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60:02d} s"


def line(label: str, tail: str) -> str:
    return f"  {label} ".ljust(WIDTH, ".") + f" {tail}"


@contextmanager
def timed(label: str) -> Iterator[None]:
    """Time a block of Python and print its line."""
    start = time.perf_counter()
    try:
        yield
    except BaseException:
        print(line(label, f"FAILED after {duration(time.perf_counter() - start)}"), flush=True)
        raise
    print(line(label, duration(time.perf_counter() - start)), flush=True)


def run(label: str, command: list[str]) -> int:
    """Run a command as a step and return its exit status.

    On a terminal a clock runs meanwhile. The output goes to a temporary file and is printed only if the
    command fails.
    """
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process:
        while process.poll() is None:
            if sys.stdout.isatty():
                print(line(label, duration(time.perf_counter() - start)), end="\r", flush=True)
            with suppress(subprocess.TimeoutExpired):
                process.wait(TICK)
        _report(label, start, process.returncode)
        if process.returncode:
            log.seek(0)
            print(log.read().decode(errors="replace").rstrip(), flush=True)
    return process.returncode


def show(label: str, command: list[str], log: Path | None = None) -> int:
    """Run a command as a step whose output is printed as it comes, and kept in `log`."""
    start = time.perf_counter()
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
    with (
        open(log or os.devnull, "w", encoding="utf-8") as kept,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        assert process.stdout is not None
        for text in process.stdout:
            print(text, end="", flush=True)
            kept.write(text)
        process.wait()
    _report(label, start, process.returncode)
    return process.returncode


def _report(label: str, start: float, status: int) -> None:
    took = duration(time.perf_counter() - start)
    print(line(label, took if status == 0 else f"FAILED (exit {status}) after {took}"), flush=True)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--show", label, *command]:
            return show(label, command)
        case ["--log", path, label, *command]:
            return show(label, command, Path(path))
        case [label, *command]:
            return run(label, command)
    print(__doc__)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("\n  stopped")
