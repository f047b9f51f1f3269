"""Records: a measured number exists as what ran, on what, with what, and what came out.

A record is a flat JSON object. `addgcn train` and `addgcn evaluate` write one beside the model; the records that
the book quotes are JSON lines in this package, in `addgcn/records/`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import platform
import zlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .errors import InputError, check_name

PACKAGE = Path(__file__).parent
FOLDER = PACKAGE / "records"
LIBRARIES = ("torch", "torchvision", "accelerate", "numpy", "pillow", "timm")


def make_record(kind: str, **parts: Any) -> dict[str, Any]:
    """A record of something that just ran: `parts`, and what all records share. Its id is a digest of the rest."""
    record = {
        "kind": kind,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": {"version": version_of("addgcn"), "digest": code_digest()},
        "machine": {"device": device_name(), "threads": torch.get_num_threads(), "python": platform.python_version()},
        "libraries": {name: v for name in LIBRARIES if (v := version_of(name)) is not None},
        **parts,
    }
    text = json.dumps(record, sort_keys=True)
    return {"id": hashlib.sha256(text.encode()).hexdigest()[:16], **record}


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically: the file is whole or it is the old one.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically; errors as in `write_json`."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        discard(temporary)
        raise InputError(f"cannot write {path}: {error.strerror}. Free some space or choose another folder.") from error


def discard(path: Path) -> None:
    """Remove a half-written file if that is possible; what went wrong with it is said elsewhere."""
    with suppress(OSError):
        path.unlink()


def read_json(path: str | Path) -> Any:
    """Read JSON.

    Raises:
        InputError: no such file, or damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.") from error
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is damaged ({error}).") from error


def read_json_lines(path: str | Path) -> list[Any]:
    """One JSON value per line, of a text file or a gzipped one (.gz); empty lines are passed over.

    Raises:
        InputError: no such file, or a damaged line, which is named by its number.
    """
    try:
        data = Path(path).read_bytes()
        lines = (gzip.decompress(data) if Path(path).suffix == ".gz" else data).decode("utf-8").splitlines()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.") from error
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error}).") from error
    values = []
    for i, line in enumerate(lines):
        try:
            if line.strip():
                values.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise InputError(f"line {i + 1} of {path} is damaged ({error}). Mend or remove it.") from error
    return values


def load_records(name: str) -> list[dict[str, Any]]:
    """The committed records `addgcn/records/NAME.jsonl`, in the order in which they were measured.

    Raises:
        InputError: there are none of that name, or a line is damaged.
    """
    path = FOLDER / f"{name}.jsonl"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.jsonl"))) or "none"
        raise InputError(f"there are no records {name!r}. There are: {known}.")
    return read_json_lines(path)


def cooccurrence(name: str) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """How often real categories stand together: classes (C), images of each class (C,), images of each pair (C, C).

    Args:
        name: "coco" (train2014, 80 classes) or "voc" (VOC 2007 trainval, 20), counted for ML-GCN; alphabetical.

    Raises:
        InputError: another name.
    """
    counts = read_json(FOLDER / "cooccurrence.json")
    part = counts[check_name("co-occurrence counts", name, counts)]
    return tuple(part["classes"]), np.array(part["images"]), np.array(part["pairs"])


def paper(table: str) -> list[dict[str, Any]]:
    """What the paper prints, a dictionary for each row of a table; None where the paper has no number.

    Args:
        table: "table1" to "table6". Their rows have "method", "reference" (the paper's number for it) and the numbers
            in percent: "CF1" and "top3.CF1" in table 1, a category's AP as "aero" in tables 2 and 3, "coco.mAP" and
            "voc2007.mAP" in the others. "captions": caption, data, backbone and image sizes of each, the last two as
            section 4.2 gives them for all. "sizes": not the paper's; the mAP on COCO at two test sizes, from the
            README of the released code.

    Raises:
        InputError: another name.
    """
    tables = read_json(FOLDER / "paper.json")
    part = tables[check_name("table of the paper", table, tables)]
    return [dict(zip(part["columns"], row, strict=True)) for row in part["rows"]]


def append_record(name: str, record: Mapping[str, Any]) -> None:
    """Add a line to `addgcn/records/NAME.jsonl`.

    Raises:
        InputError: the file cannot be written.
    """
    path = FOLDER / f"{name}.jsonl"
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}.") from error


def save_scores(path: Path, scores: Tensor, targets: Tensor, dataset: Any) -> None:
    """Write scores (N, C) float32, targets (N, C) int8, ids and classes, atomically.

    Raises:
        InputError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp.npz")
    arrays = {"scores": scores.numpy(), "targets": targets.numpy()}
    names = {"ids": np.array(dataset.ids), "classes": np.array(dataset.classes)}
    try:
        np.savez_compressed(temporary, allow_pickle=False, **arrays, **names)
        os.replace(temporary, path)
    except OSError as error:
        discard(temporary)
        raise InputError(f"cannot write {path}: {error.strerror}. Free some space or choose another folder.") from error


def sha256_of(scores: Tensor) -> str:
    """The digest that a record keeps of its scores: SHA-256 over the float32 values, row by row."""
    return hashlib.sha256(scores.contiguous().float().numpy().tobytes()).hexdigest()


def sha256(path: str | Path) -> str:
    """The SHA-256 digest of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_digest() -> str:
    """A digest over the library's source, so that a record says which code ran even outside of git."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def device_name() -> str:
    """What the numbers were computed on: the GPU's name, or the processor's."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def version_of(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
