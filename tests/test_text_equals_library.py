"""What a chapter shows as the library's code is the library's code.

A code cell tagged `lib:NAME` shows the definition of NAME, a dotted name such as `addgcn.sam.SAM` (a class),
`addgcn.sam.SAM.forward` (a method) or `addgcn.sam.MAPS` (a value). With several such tags it shows several
definitions, in the order of the tags, and nothing else. The syntax trees of cell and library must be equal, so
spaces, line breaks and comments are free. Docstrings are free, too: a chapter may shorten them or leave them out.
"""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
TAG = "lib:"
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
SHOWN = [
    pytest.param(cell.source, names, id=f"{path.stem}-{cell.id}")
    for path in sorted((ROOT / "book").glob("*.ipynb"))
    for cell in nbformat.read(path, as_version=4).cells
    if (names := [tag.removeprefix(TAG) for tag in cell.metadata.get("tags", []) if tag.startswith(TAG)])
]


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The tree with every docstring taken out; a body that was nothing else becomes `pass`, as `...` does."""
    for node in ast.walk(tree):
        if isinstance(node, Definition | ast.Module) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
            if not node.body and not isinstance(node, ast.Module):
                node.body = [ast.Pass()]
    return tree


def shape(statements: list[ast.stmt]) -> str:
    """A syntax tree as text, one node a line, so that a difference is easy to see."""
    return ast.dump(without_docstrings(ast.Module(statements, [])), indent=1)


def definition(name: str) -> ast.stmt:
    """The statement of the library that defines a dotted name.

    Raises:
        LookupError: no module of the library defines it (a name is given where it is defined, not re-exported).
    """
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            spec = importlib.util.find_spec(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue  # the name goes through a class
        if spec is None or spec.origin is None:
            continue
        found: ast.stmt | None = None
        body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
        for part in parts[cut:]:
            found = next((node for node in body if part in names_bound(node)), None)
            if found is None:
                raise LookupError(f"{spec.origin} does not define {'.'.join(parts[cut:])}")
            body = getattr(found, "body", [])
        assert found is not None
        return found
    raise LookupError(f"there is no module in which {name} could be defined")


def names_bound(node: ast.stmt) -> list[str]:
    if isinstance(node, Definition):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


@pytest.mark.parametrize(("source", "names"), SHOWN)
def test_cell_shows_what_the_library_runs(source: str, names: list[str]):
    assert shape(ast.parse(source).body) == shape([definition(name) for name in names])


# --- the comparison itself ----------------------------------------------------------------------------------------

POOL = """
class ClsGMP(nn.Module):
    def forward(self, X: Tensor, L: Tensor, classifier: nn.Module) -> Tensor:
        return L.amax((2, 3))
"""


def same(source: str, *names: str) -> bool:
    return shape(ast.parse(source).body) == shape([definition(name) for name in names])


def test_docstrings_comments_and_spaces_are_free():
    assert same(POOL, "addgcn.sam.ClsGMP")
    assert same(POOL.replace("amax((2, 3))", "amax(\n            (2, 3)  # positions\n        )"), "addgcn.sam.ClsGMP")
    assert same(POOL.replace(":\n    def", ':\n    """Mine."""\n\n    def'), "addgcn.sam.ClsGMP")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("amax", "mean"),
        ("(2, 3)", "(1, 2)"),
        ("L.amax", "X.amax"),
        ("-> Tensor", "-> int"),
        ("L: Tensor, ", ""),
        ("nn.Module):", "object):"),
        ("ClsGMP", "GMP"),
        ("        return", "        L = L * 1\n        return"),
    ],
)
def test_every_other_change_is_seen(old: str, new: str):
    assert not same(POOL.replace(old, new), "addgcn.sam.ClsGMP")


def test_a_cell_with_more_or_less_than_its_tags_is_seen():
    assert not same(POOL + "\nx = 1", "addgcn.sam.ClsGMP")
    assert not same(POOL, "addgcn.sam.ClsGMP", "addgcn.sam.GAPCls")


def test_methods_and_values_are_found():
    assert isinstance(definition("addgcn.sam.SAM.forward"), ast.FunctionDef)
    assert isinstance(definition("addgcn.sam.MAPS"), ast.Assign)


@pytest.mark.parametrize(
    "name", ["addgcn.sam.NoSuchThing", "addgcn.sam.SAM.nothing", "addgcn.nowhere.SAM", "nowhere.SAM"]
)
def test_an_unknown_name_fails(name: str):
    with pytest.raises(LookupError):
        definition(name)
