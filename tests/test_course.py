"""The course: the copies for students and teachers, their archives, the slides, the questions, the project's table."""

from __future__ import annotations

import ast
import os
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import notebooks  # noqa: E402
import plain  # noqa: E402
import slides  # noqa: E402

import course  # noqa: E402
from addgcn.check import check  # noqa: E402
from addgcn.data import load  # noqa: E402
from addgcn.errors import InputError  # noqa: E402

SOURCES = course.sources()
CHAPTERS = [path for path in SOURCES if path.stem[:2].isdigit()]
ASSIGNMENTS = [path for path in SOURCES if path.stem.startswith("assignment_")]
DECKS = sorted((course.SOURCE / "slides").glob("*.md"))
NOTED = sorted((course.SOURCE / "notes").glob("*.md"))
EVERY = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)


def blocks(path: Path, kind: str) -> list[plain.Block]:
    cells = nbformat.read(path, as_version=4).cells
    found = [block for cell in cells if cell.cell_type == "markdown" for block in plain.split(cell.source)]
    return [block for block in found if block.kind == kind]


def text_of(notebook: NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells)


def lines(text: str) -> set[str]:
    """Lines long enough to be somebody's own words."""
    return {line.strip() for line in text.splitlines() if len(line.strip()) > 24}


# --- the copies


@EVERY
def test_both_copies_are_whole_notebooks(path: Path):
    for make in (course.student, course.instructor):
        notebook = make(path, {})
        nbformat.validate(notebook)
        ids = [cell.id for cell in notebook.cells]
        assert len(set(ids)) == len(ids)
        assert notebook.cells[0].source.startswith("# ")
        assert "how-to-run" in ids[:3]
        assert "colab" in ids
        left = re.search(r"\{[a-z:]+\}`|^[`:]{3,}\{", text_of(notebook), re.MULTILINE)
        assert left is None, left


@EVERY
def test_a_student_has_every_exercise_and_no_solution(path: Path):
    notebook = course.student(path, {})
    text = text_of(notebook)
    exercises, solutions = blocks(path, "exercise"), blocks(path, "solution")
    assert [block.name for block in solutions] == [block.name for block in exercises]
    assert text.count("\n### Exercise ") == len(exercises) == text.count("**Your answer:**")
    assert text.count("<summary>Hint</summary>") == sum(block.text.count("```{admonition} Hint") for block in exercises)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    kept = nbformat.read(path, as_version=4)
    for cell in kept.cells:  # what the chapter says elsewhere is no secret
        if cell.cell_type == "markdown":
            cell.source = "\n".join(block.text for block in plain.split(cell.source) if block.kind != "solution")
    known = lines(text_of(kept)) | {"from addgcn.check import check"}
    told = {line for block in solutions for line in lines(block.text)} - known
    assert not {line for line in told & lines(text) if not line.startswith(("import ", "from ", "def ", "class "))}


@EVERY
def test_a_teacher_has_every_solution_as_cells(path: Path):
    notebook = course.instructor(path, {})
    code = {cell.source for cell in notebook.cells if cell.cell_type == "code"}
    for block in blocks(path, "solution"):
        assert {text for kind, text in plain.code_and_text(block.text) if kind == "code"} <= code
    assert text_of(notebook).count("**Solution**") == len(blocks(path, "exercise"))
    if path in ASSIGNMENTS:
        assert "your code" not in text_of(notebook)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_an_empty_stub_gets_a_friendly_answer(path: Path):
    stubs = [cell for cell in course.student(path, {}).cells if "\ncheck(" in cell.source]
    asked = {number for block in blocks(path, "exercise") for number, _ in course.ASKED.findall(block.text)}
    answered = set()
    for cell in stubs:
        tree = ast.parse(cell.source)
        names: dict[str, Any] = {}
        defined = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        exec(compile(ast.Module(list(defined), []), cell.id, "exec"), names)
        for number, function in course.ASKED.findall(cell.source):
            result = check(number, names[function])
            answered.add(number)
            assert not result
            assert "returns None" in result.hint, result
    assert answered == asked


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    outcome = notebooks.execute(folder / "copy.ipynb", notebook)
    assert outcome.error is None, outcome.error
    return outcome.notebook


@pytest.mark.timeout(300)
def test_the_students_copy_of_a_chapter_runs_to_its_end(tmp_path: Path):
    notebook = run(course.student(ROOT / "book/06_gcn.ipynb", {}), tmp_path)
    answers = [str(cell.outputs) for cell in notebook.cells if cell.source.startswith("from addgcn.check import")]
    assert len(answers) == 4
    assert all("returns None: is there a `return`?" in answer for answer in answers)


@pytest.mark.timeout(300)
def test_the_teachers_copy_of_a_chapter_runs_to_its_end(tmp_path: Path):
    run(course.instructor(ROOT / "book/06_gcn.ipynb", {}), tmp_path)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [1, 2])
def test_both_copies_of_an_assignment_run(number: int, tmp_path: Path):
    path = ROOT / f"book/teaching/assignment_{number}.ipynb"
    assert "None" in str(run(course.student(path, {}), tmp_path).cells)
    shown = str([cell.outputs for cell in run(course.instructor(path, {}), tmp_path).cells if cell.cell_type == "code"])
    assert "None" not in shown


def test_a_stub_keeps_the_signature_only():
    code = "import torch\n\nclass A(torch.nn.Module):\n    def f(self, x, k=2):\n        return k * x\n\nA()"
    assert course.stub(code).split("\n") == [
        "import torch", "", "", "class A(torch.nn.Module):", "", "    def f(self, x, k=2):", "        ...  # your code"
    ]  # fmt: skip


def test_numbers_come_from_the_executed_chapter_or_are_marked():
    translate = plain.Plain({"a": 0.256, "b": "x"}, {"04_cam": "CAM"})
    text = "{glue:text}`a:.2f`, {glue:text}`b`, {glue:text}`c:.1f`; {doc}`04_cam`, {doc}`here <../04_cam>`"
    assert translate(text) == "0.26, x, ‹c›; [CAM](04_cam.ipynb), [here](04_cam.ipynb)"
    assert translate("{cite}`ye2020addgcn`") == "(Ye et al., 2020)"
    stored = [{"data": {"x/text/plain": "np.float64(1.5)"}, "metadata": {"scrapbook": {"name": "n"}}}]
    assert dict(plain.glued_in(iter(stored))) == {"n": 1.5}
    stored[0]["data"] = {"x/text/plain": "-inf"}  # half an interval of one run, say
    assert dict(plain.glued_in(iter(stored))) == {"n": float("-inf")}


@pytest.mark.parametrize("text", ["```{figure} x.png\n```", "{numref}`x`", "{cite}`nobody1900`"])
def test_what_has_no_plain_form_is_an_error(text: str):
    with pytest.raises(InputError):
        plain.Plain({}, {})(text)


def test_the_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    few = [ROOT / "book/04_cam.ipynb", ROOT / "book/teaching/assignment_1.ipynb"]
    monkeypatch.setattr(course, "sources", lambda: few)
    names = {}
    for path in course.build(tmp_path / "course", slides=False):
        with zipfile.ZipFile(path) as zipped:
            assert zipped.testzip() is None
            names[path.stem] = {Path(*Path(name).parts[1:]).as_posix() for name in zipped.namelist()}
        before = path.read_bytes()
        assert course.archive(tmp_path / "course" / path.stem.removeprefix("addgcn-")).read_bytes() == before
    both = {"04_cam.ipynb", "assignment_1.ipynb", "project.md", "README.md", "LICENSE", "LICENSE-book"}
    assert names["addgcn-student"] == both
    parts = {f"{part}/assignment_{n}.py" for part in ("grading", "solutions") for n in (1, 2, 3)}
    assert names["addgcn-instructor"] == both | parts | {"teaching.md", "grade.py", "grade_worker.py"}
    plan = (tmp_path / "course/instructor/teaching.md").read_text(encoding="utf-8")
    assert "### 3. Where the evidence is" in plan
    assert "](04_cam.ipynb)" in plan
    assert "{doc}" not in plan


# --- notes, questions, slides, project


@pytest.mark.parametrize("path", NOTED, ids=lambda path: path.stem)
def test_teachers_notes_say_what_a_teacher_needs(path: Path):
    text = path.read_text(encoding="utf-8")
    assert 200 <= len(text.split()) <= 350
    assert re.findall(r"^\*\*([\w ]+)\.\*\*", text, re.MULTILINE) == ["Time", "On the board", "Ask", "What goes wrong"]
    assert any(chapter.stem.startswith(path.stem + "_") for chapter in CHAPTERS)
    assert len(re.findall(r"\? \([^)]", text)) >= 3  # questions with the answers to hope for
    exercises = len(blocks(next(p for p in CHAPTERS if p.stem.startswith(path.stem)), "exercise"))
    assert all(int(n) <= exercises for n in re.findall(r"[Ee]xercise (\d)(?! of| in)", text))


def test_every_chapter_has_notes_for_its_teacher():
    assert [path.stem[:2] for path in CHAPTERS] == [path.stem for path in NOTED]


def test_every_chapter_has_its_place_in_a_plan():
    text = (ROOT / "book/teaching.md").read_text(encoding="utf-8")
    plans = text[text.index("## Six sessions") : text.index("## What to ask")]
    assert {path.stem for path in CHAPTERS} == set(re.findall(r"\{doc\}`\d+ <(\d\d_\w+)>`", plans))


def test_the_first_chapters_have_questions():
    assert {f"{n:02d}" for n in (*range(11), 12)} <= {path.stem[:2] for path in QUESTIONS}


@pytest.mark.parametrize("path", NOTED, ids=lambda path: path.stem)
def test_the_minutes_of_a_note_add_up(path: Path):
    """In "45 ...: 5 predictions, 15 one step by hand, ...", the parts are together the number before the colon."""
    said = re.search(r"\*\*Time\.\*\* (.*)", path.read_text(encoding="utf-8"))[1]
    before, parts = re.match(r"([^:]*): ([^.]*)\.", said).groups()
    minutes = [int(n) for n in re.findall(r"(?:^|, )(\d+) ", re.sub(r"\([^)]*\)", "", parts))]
    assert sum(minutes) == int(re.findall(r"\d+", before.replace("six", ""))[-1])


def planned() -> dict[str, int]:
    """{chapter: its minutes in the plan of six sessions}; a line for two chapters counts for neither."""
    text = (ROOT / "book/teaching.md").read_text(encoding="utf-8")
    found: dict[str, int] = {}
    row = r"^\| (\d+)–(\d+) \|.*\| (?:\{doc\}`)?(\d+)(?: <[^>]+>`)? \|"
    for start, end, chapter in re.findall(row, text, re.MULTILINE):
        name = f"{int(chapter):02d}"
        found[name] = found.get(name, 0) + int(end) - int(start)
    return found


@pytest.mark.parametrize("path", NOTED, ids=lambda path: path.stem)
def test_notes_and_plan_give_a_chapter_the_same_minutes(path: Path):
    said = re.search(r"(\d+)(?: minutes)? in the six sessions", path.read_text(encoding="utf-8"))
    if said:
        assert int(said[1]) == planned()[path.stem]
    elif path.stem in planned():
        whole = re.search(r"(\d+) minutes", path.read_text(encoding="utf-8"))[1]
        assert abs(int(whole) - planned()[path.stem]) <= 10


QUESTIONS = [path for path in CHAPTERS if "check-yourself" in path.read_text(encoding="utf-8")]


def test_the_first_chapters_have_questions_and_notes():
    done = {f"{n:02d}" for n in (*range(11), 12)}
    assert done <= {path.stem[:2] for path in QUESTIONS}
    assert done <= {path.stem for path in NOTED}


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_questions_explain_every_answer(path: Path):
    cells = nbformat.read(path, as_version=4).cells
    place = next(n for n, cell in enumerate(cells) if cell.id == "check-yourself")
    assert cells[place].source.startswith("## Check yourself\n")
    assert cells[place + 1].source.startswith("## Summary")
    parts = re.split(r"^\*\*\d\.\*\* ", cells[place].source, flags=re.MULTILINE)[1:]
    assert len(parts) == 3
    for part in parts:
        question, answer = part.split("<details>\n<summary>Answer to question ")
        letters = re.findall(r"^- \((\w)\) ", question, re.MULTILINE)
        (right,) = re.findall(r"^\*\*\((\w)\)\*\* is right\. \S", answer, re.MULTILINE)
        wrong = re.findall(r"^- Not \((\w)\): \S", answer, re.MULTILINE)
        assert letters == ["a", "b", "c"]
        assert sorted([right, *wrong]) == letters
        assert answer.rstrip().endswith("</details>")


@pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)
def test_a_deck_stands_alone(path: Path):
    page = slides.deck(path, figures=False)
    assert 8 <= page.count("<section") <= 12
    assert page.count('class="note"') >= 7
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert not re.search(r"https?://", page)
    assert "$" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)  # every formula was drawn


def test_there_is_a_deck_for_each_session():
    assert [path.stem for path in DECKS] == [f"session_{n}" for n in range(1, 7)]


def test_figures_and_values_of_a_deck_are_drawn():
    page = slides.deck(course.SOURCE / "slides/session_2.md")
    assert page.count('src="data:image/png;base64,') == 3
    assert all(len(alt) > 30 for alt in re.findall(r'<img alt="([^"]*)"', page))
    assert "OF1 28, CF1 0.9" in page


def test_a_deck_in_a_browser(tmp_path: Path):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    chromium = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
    if not chromium.exists():
        pytest.skip(f"needs a browser: {chromium} (apt install chromium), or name another in $CHROMIUM")
    path = slides.build_decks(course.SOURCE / "slides", tmp_path, figures=False)[1]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 960, "height": 540})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        page.keyboard.press("ArrowRight")
        assert page.locator("section.now h2").inner_text() == "Rank, walk down, ask"
        assert page.locator("section.now .note").is_hidden()
        page.keyboard.press("n")
        assert page.locator("section.now .note").is_visible()
        page.keyboard.press("End")
        count = page.locator("section").count()
        assert page.locator("#place").inner_text() == f"{count} / {count}"
        for number in range(1, count + 1):
            page.evaluate(f"show({number - 1})")
            assert page.evaluate("document.documentElement.scrollHeight <= innerHeight + 1"), (
                f"slide {number} is too long"
            )
        pdf = page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == count
        browser.close()
        assert said == []


def test_a_formula_lies_on_its_line():
    drawn = slides.formula(r"x_i")
    below = float(re.search(r"vertical-align: (-?[\d.]+)em", drawn)[1])
    assert below < 0  # the index hangs below the line
    assert 'aria-label="x_i"' in drawn
    assert float(re.search(r"vertical-align: (-?[\d.]+)em", slides.formula("x"))[1]) == pytest.approx(0, abs=0.02)


def test_a_figure_without_a_description_is_an_error(tmp_path: Path):
    code = "# T\n\n```figure\nfrom matplotlib.figure import Figure\nfigure = Figure()\n```\n"
    (tmp_path / "deck.md").write_text(code)
    with pytest.raises(InputError, match="without a description"):
        slides.deck(tmp_path / "deck.md")
    (tmp_path / "deck.md").write_text("## no title\n")
    with pytest.raises(InputError, match="no title"):
        slides.deck(tmp_path / "deck.md")


def test_the_projects_table_becomes_folders_that_the_library_reads(tmp_path: Path):
    from PIL import Image

    text = (ROOT / "book/teaching/project.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], names)
    rows = ["a.png,train,cup; book", "b.png,train,lamp", "c.png,id,cup", "d.png,ood,book;lamp"]
    for row in rows:
        Image.new("RGB", (8, 8)).save(tmp_path / row[:5])
    (tmp_path / "labels.csv").write_text("\n".join(["file,split,labels", *rows]))
    names["coco_folders"](str(tmp_path / "labels.csv"), str(tmp_path), str(tmp_path / "mine"))
    train, test = (load("coco2017", split, tmp_path / "mine") for split in ("train", "val"))
    odd = load("coco2017", "val", tmp_path / "mine-ood")
    assert train.classes == test.classes == odd.classes == ("book", "cup", "lamp")
    assert [data.targets.tolist() for data in (train, test, odd)] == [[[1, 1, 0], [0, 0, 1]], [[0, 1, 0]], [[1, 0, 1]]]
