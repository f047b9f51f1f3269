"""Runs a student's functions for `grade.py`: one JSON line in, one JSON line out. Stands alone, so that it travels.

    python -I grade_worker.py SUBMISSION

Only what is needed is run: imports, functions, classes, and constants written out (`2 / 3` counts), of a notebook or a
Python file. Whatever else a notebook does, its trainings and figures, stays asleep. What the functions print goes
nowhere.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from typing import Any

MAGIC = re.compile(r"^\s*[%!?].*$", re.MULTILINE)


def definitions(path: str) -> tuple[list[ast.stmt], list[str]]:
    """The statements to run, and a complaint for each cell that is no Python."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    pieces = [text]
    if path.endswith(".ipynb"):
        cells = json.loads(text)["cells"]
        pieces = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    kept: list[ast.stmt] = []
    complaints = []
    for number, piece in enumerate(pieces, 1):
        try:
            tree = ast.parse(MAGIC.sub("", piece))
        except SyntaxError as error:
            complaints.append(f"code cell {number} is not Python: {error.msg}, line {error.lineno}")
            continue
        kept += [node for node in tree.body if _wanted(node)]
    return kept, complaints


def _wanted(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    return isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _constant(node.value)


def _constant(node: ast.expr) -> bool:
    """Literals, and sums, products and fractions of them: whoever computed 2/3 by hand may write 2/3."""
    allowed = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp, ast.BinOp)
    signs = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.UAdd, ast.USub, ast.Not, ast.Load)
    return all(isinstance(part, allowed + signs) for part in ast.walk(node))


def load(path: str) -> tuple[dict[str, Any], list[str]]:
    """The names that the submission defines; a statement that fails is reported and left out."""
    names: dict[str, Any] = {"__name__": "submission"}
    statements, complaints = definitions(path)
    for node in statements:
        try:
            exec(compile(ast.Module([node], []), path, "exec"), names)
        except Exception as error:
            complaints.append(f"line {node.lineno}: {type(error).__name__}: {error}")
    return names, complaints


def decode(value: Any) -> Any:
    """JSON to values: {"tensor": [...], "dtype": "float32"} is a tensor."""
    if isinstance(value, dict) and "tensor" in value:
        import torch

        return torch.tensor(value["tensor"], dtype=getattr(torch, value["dtype"])).reshape(value["shape"])
    if isinstance(value, list):
        return [decode(part) for part in value]
    return value


def encode(value: Any) -> Any:
    """Values to JSON; what is none of numbers, text, lists, dictionaries, tensors or arrays, is named by its type."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [encode(part) for part in value]
    if isinstance(value, dict):
        return {str(key): encode(part) for key, part in value.items()}
    if hasattr(value, "tolist"):  # a tensor, an array, or one of their numbers
        if hasattr(value, "detach"):
            value = value.detach()
        return {"tensor": value.tolist(), "shape": list(value.shape)} if value.shape else value.tolist()
    return {"other": type(value).__name__}


def answer(names: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    name = request["name"]
    if name not in names:
        return {"error": f"there is no {name}"}
    if "arguments" not in request:
        return {"value": encode(names[name])}
    given = [decode(value) for value in request["arguments"]]
    try:
        value = encode(names[name](*given))
    except Exception as error:
        why = f"{name} raises {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        hint = " (only imports, functions and written-out constants of the file are run)"
        return {"error": why + hint * isinstance(error, NameError)}
    return {"value": value, "arguments": [encode(value) for value in given]}  # so that changes are seen


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    names, complaints = load(sys.argv[1])
    replies.write(json.dumps({"complaints": complaints}) + "\n")
    replies.flush()
    for line in sys.stdin:
        replies.write(json.dumps(answer(names, json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
