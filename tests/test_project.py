"""The project's own files agree with each other, and its build tools do what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import addgcn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import address  # noqa: E402
import setup_env  # noqa: E402
import step  # noqa: E402

import book  # noqa: E402

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # what conda-forge calls them
CONDA_ONLY = {"python", "pip", "jupyterlab"}


def read_yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_environment_has_the_dependencies_of_pyproject_with_the_same_bounds():
    wanted = {}
    for requirement in map(Requirement, PYPROJECT["project"]["dependencies"]):
        wanted[CONDA_NAMES.get(requirement.name, requirement.name)] = requirement.specifier
    lines = read_yaml("environment.yml")["dependencies"]
    packages = [x for x in lines if isinstance(x, str) and not x.startswith("python=")]
    conda = {requirement.name: requirement.specifier for requirement in map(Requirement, packages)}
    assert {name: bound for name, bound in conda.items() if name not in CONDA_ONLY} == wanted
    assert [x["pip"] for x in lines if isinstance(x, dict)] == [["-e .[book]"]]


def test_python_versions_agree():
    python = next(x for x in read_yaml("environment.yml")["dependencies"] if str(x).startswith("python="))
    version = tuple(int(part) for part in python.removeprefix("python=").split("."))
    assert setup_env.OLDEST <= version <= setup_env.NEWEST
    assert PYPROJECT["project"]["requires-python"] == ">=" + ".".join(map(str, setup_env.OLDEST))
    tested = read_yaml(".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert tested == [".".join(map(str, v)) for v in (setup_env.OLDEST, setup_env.NEWEST)]


def test_citation_names_the_version():
    citation = read_yaml("CITATION.cff")
    assert str(citation["version"]) == addgcn.__version__ == PYPROJECT["project"]["version"]
    assert citation["license"] == PYPROJECT["project"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_every_page_of_the_contents_exists():
    pages = book.pages()
    assert len(pages) == len(set(pages)) > 1
    for page in pages:
        assert any((ROOT / page).with_suffix(suffix).exists() for suffix in (".ipynb", ".md")), page


def test_no_library_file_is_over_300_lines():
    long = {p.name: n for p in (ROOT / "addgcn").rglob("*.py") if (n := len(p.read_text().splitlines())) > 300}
    assert not long


def test_api_page_names_modules_that_exist():
    modules = re.findall(r"automodule:: (\S+)", (ROOT / "book/api.md").read_text(encoding="utf-8"))
    assert modules
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__init__.py").exists(), module


# --- the repository's address -----------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the files that quote the address, as a repository of its own."""
    for name in ("_config.yml", "CITATION.cff", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, tmp_path / name)
    owner, name = address.parts(address.configured())
    quotes = [
        f"https://github.com/{owner}/{name}.git",
        f"https://colab.research.google.com/github/{owner}/{name}/blob/main/book/a.ipynb",
        f"https://mybinder.org/v2/gh/{owner}/{name}/main",
        f"https://{owner}.github.io/{name}/book/index.html",
    ]
    (tmp_path / "quotes.txt").write_text("\n".join(quotes) + f"\nhttps://github.com/{owner}/{name}-else stays\n")
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    return tmp_path


def texts(folder: Path) -> dict[str, str]:
    return {p.name: p.read_text(encoding="utf-8") for p in folder.iterdir() if p.is_file()}


def test_one_command_changes_the_address_everywhere_and_back(repository: Path, capsys: pytest.CaptureFixture[str]):
    old, before = address.configured(repository), texts(repository)
    new = "https://github.com/Some-One/some.thing"
    assert address.main([new], repository) == 0
    after = texts(repository)
    assert address.configured(repository) == new
    owner, name = address.parts(old)
    left = [line for text in after.values() for line in text.splitlines() if f"{owner}/{name}" in line]
    assert left == [f"https://github.com/{owner}/{name}-else stays"]
    assert "https://mybinder.org/v2/gh/Some-One/some.thing/main" in after["quotes.txt"]
    assert "https://some-one.github.io/some.thing/book/index.html" in after["quotes.txt"]
    assert new in after["CITATION.cff"]
    address.main([old], repository)
    assert texts(repository) == before


@pytest.mark.parametrize("wrong", ["github.com/a/b", "https://github.com/a", "https://example.org/a/b", "a/b", ""])
def test_a_wrong_address_changes_nothing(repository: Path, wrong: str):
    before = texts(repository)
    with pytest.raises(SystemExit, match="is not of the form"):
        address.main([wrong], repository)
    assert texts(repository) == before


# --- the environment and the steps ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 14, 0), (2, 7, 18)])
def test_a_wrong_python_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]):
    monkeypatch.setattr(sys, "version_info", version)
    assert f"is Python {version[0]}.{version[1]}" in (setup_env.complaint() or "")
    assert "make PYTHON=" in (setup_env.complaint() or "")


def test_a_python_without_venv_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch):
    assert setup_env.complaint() is None
    monkeypatch.setattr(setup_env.importlib.util, "find_spec", lambda name: None)
    assert "python3-venv" in (setup_env.complaint() or "")


def test_make_says_when_python_is_missing(tmp_path: Path):
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    command = [make, "-C", str(ROOT), f"VENV={tmp_path / 'venv'}", "PYTHON=no-such-python", "lint"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode != 0
    assert "no-such-python is not installed" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_a_step_is_one_line_unless_it_fails(capfd: pytest.CaptureFixture[str]):
    assert step.run("well", [sys.executable, "-c", "print('noise')"]) == 0
    quiet = capfd.readouterr().out
    assert quiet.startswith("  well ...")
    assert "noise" not in quiet
    assert step.run("ill", [sys.executable, "-c", "print('why'); raise SystemExit(3)"]) == 3
    loud = capfd.readouterr().out
    assert "FAILED (exit 3)" in loud
    assert "why" in loud


def test_a_shown_step_keeps_its_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    log = tmp_path / "logs" / "x.log"
    assert step.show("shown", [sys.executable, "-c", "print('4 passed'); raise SystemExit(1)"], log) == 1
    assert log.read_text() == "4 passed\n"
    assert "4 passed" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (147.2, "2 min 27 s")],
)
def test_durations(seconds: float, text: str):
    assert step.duration(seconds) == text
