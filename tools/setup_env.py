"""Make the project's virtual environment and install the project into it, with everything that it needs.

    python3 tools/setup_env.py .venv

Run by the system's python3, so the standard library is all there is. Works again over a half-made environment.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)


def complaint() -> str | None:
    """Why this Python cannot be used, with the remedy; None if it can."""
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        return (
            f"{sys.executable} is Python {version[0]}.{version[1]}; this project needs 3.11, 3.12 or 3.13.\n"
            "Install one of them and name it: make PYTHON=python3.12 book"
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return (
            "python3 cannot make virtual environments: its module venv or ensurepip is missing.\n"
            "On Debian and Ubuntu: apt install python3-venv"
        )
    return None


def works(python: Path) -> bool:
    """Whether the environment's own interpreter starts and has pip (it does not after an upgrade of the system's)."""
    if not python.exists():
        return False
    try:
        return subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True).returncode == 0
    except OSError:
        return False


def main(folder: str) -> int:
    problem = complaint()
    if problem:
        print(problem, file=sys.stderr)
        return 2
    from step import run

    python = Path(folder) / "bin" / "python"
    if not works(python):
        status = run("new environment in " + folder, [sys.executable, "-m", "venv", "--clear", folder])
        if status:
            return status
        print("  installing: several minutes and 6 GB the first time, for PyTorch is large", flush=True)
    return run("installation", [str(python), "-m", "pip", "install", "-q", "-e", ".[dev]"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
