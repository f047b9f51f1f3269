"""What keeps the project usable: workflows that do what `make` does, the list of changes, the site's buttons."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_site import site  # noqa: F401  (a fixture)

import addgcn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import address  # noqa: E402
import pdf  # noqa: E402

import book  # noqa: E402

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split()  # type: ignore[index]


def workflow(name: str) -> dict[Any, Any]:
    return yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text(encoding="utf-8"))


def steps(flow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in flow["jobs"].values() for step in job["steps"]]


def test_every_target_is_explained():
    said = re.findall(r"make (\w+)", MAKEFILE[MAKEFILE.index("\nhelp:") : MAKEFILE.index("\n$(READY)")])
    assert set(said) == set(TARGETS) - {"help"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_what_make_runs_and_may_do_little(path: Path):
    flow = workflow(path.stem)
    for step in steps(flow):
        if "uses" in step:  # GitHub's own, at a major version
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
        elif step["run"].startswith("make"):
            assert step["run"].split()[1:] in [[target] for target in TARGETS]
        else:
            assert step["run"] == f"cp {pdf.TARGET.relative_to(ROOT)} {book.HTML.relative_to(ROOT)}/"
    assert flow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 60 for job in flow["jobs"].values())
    assert flow["concurrency"]["group"].startswith(path.stem)
    uploads = [step["with"]["path"] for step in steps(flow) if "upload" in step.get("uses", "")]
    assert uploads == [str(book.HTML.relative_to(ROOT))]


def test_a_pull_request_is_tested_and_its_site_can_be_looked_at():
    flow = workflow("test")
    assert "pull_request" in flow[True]  # "on", to YAML
    assert "pull_request_target" not in flow[True]
    commands = [step.get("run") or step["uses"].split("@")[0] for step in steps(flow)]
    assert commands[2:] == ["make book", "actions/upload-artifact", "make test"]
    upload = next(step for step in steps(flow) if "upload" in step.get("uses", ""))
    versions = flow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert [upload["if"] == f"matrix.python == '{version}'" for version in versions].count(True) == 1


def test_only_main_is_published():
    flow = workflow("pages")
    assert flow[True]["push"] == {"branches": ["main"]}
    assert "pull_request" not in flow[True]
    assert flow["jobs"]["build"]["if"] == "github.ref == 'refs/heads/main'"
    assert flow["jobs"]["publish"]["needs"] == "build"
    assert flow["jobs"]["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert "permissions" not in flow["jobs"]["build"]


def test_the_link_to_the_pdf_is_where_it_is_published():
    published = pdf.configured()[0].address + pdf.TARGET.name
    assert f"({published})" in (ROOT / "book/index.md").read_text(encoding="utf-8")


def test_changes_begin_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", text, re.MULTILINE)
    assert versions[0] == addgcn.__version__
    assert versions == sorted(versions, key=lambda version: [int(part) for part in version.split(".")], reverse=True)
    assert "../CHANGELOG.md" in (ROOT / "book/changelog.md").read_text(encoding="utf-8")


def test_every_notebook_offers_colab_binder_and_download_and_says_when_it_ran(site: Path):  # noqa: F811
    owner, name = address.parts(address.configured())
    for page in book.pages():
        text = (site / f"{page}.html").read_text(encoding="utf-8")
        assert "search-button" in text
        assert "theme-switch" in text
        if (ROOT / page).with_suffix(".ipynb").exists():
            assert f"https://colab.research.google.com/github/{owner}/{name}/blob/main/{page}.ipynb" in text
            assert f"https://mybinder.org/v2/gh/{owner}/{name}/main?urlpath=lab/tree/{page}.ipynb" in text
            assert f'_sources/{page}.ipynb"' in text
            assert re.search(
                r'class="executed"><em>Executed \d{4}-\d\d-\d\d \d\d:\d\d \(UTC\) in \d+\.\d seconds', text
            ), page
