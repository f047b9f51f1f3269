"""The scenes as a genuine COCO or VOC folder on disk, written whole or not at all::

    COCO   annotations/instances_{split}.json   {split}/000000000001.jpg ...
    VOC    JPEGImages/*.jpg   Annotations/*.xml   ImageSets/Main/{split}.txt and {category}_{split}.txt

Everything is written into a folder beside the final one, `manifest.json` last, and then renamed: a folder
with that name is a finished one. Two processes that make the same folder at once both end up with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import multiprocessing
import os
import secrets
import shutil
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from ...errors import InputError, check_name
from .compose import compose
from .formats import coco_image, coco_json, voc_files, voc_xml
from .labels import SPLITS, draw_labels

VERSION = 1  # of the drawings: another number, another data set
LAYOUTS = ("coco", "voc")
MANIFEST = "manifest.json"


def default_root() -> Path:
    """Where the scenes lie unless told otherwise: in the cache folder ($ADDGCN_CACHE), one folder per version."""
    from .. import cache_dir

    return cache_dir() / f"scenes-v{VERSION}"


def write_scenes(
    root: str | Path | None = None,
    size: int = 64,
    seed: int = 0,
    sizes: dict[str, int] | None = None,
    splits: Iterable[str] | None = None,
    layout: str = "coco",
    workers: int = 2,
    progress: bool = True,
    draw: int = 0,
) -> Path:
    """Render scenes and write them as a COCO or VOC folder; return the folder.

    A finished folder with these very settings is used as it is. The files are the same, byte for byte,
    whatever the number of workers.

    Args:
        root: the folder to make; None: `default_root()`.
        size: width and height of the images in pixels, 32 or more.
        seed: of everything. Another seed is another data set.
        sizes: images per split where it is not the usual one (`SPLITS`), as in {"train": 200}.
        splits: only these; None: all five.
        layout: "coco" or "voc".
        workers: processes that render; 1 renders in this one.
        progress: show a bar.
        draw: another number draws other images for `train` and `train-flat` and leaves the test splits.

    Raises:
        InputError: the folder holds something else or cannot be written; an argument is out of range.
    """
    root = Path(root) if root is not None else default_root()
    wanted = _settings(size, seed, sizes, splits, layout, draw)
    try:
        root = root.expanduser().resolve()
        if _is_finished(root, wanted):
            return root
        root.parent.mkdir(parents=True, exist_ok=True)
        making = root.parent / f".{root.name}-{os.getpid()}-{secrets.token_hex(4)}"
        making.mkdir()
        try:
            digest = _fill(making, wanted, max(1, int(workers)), progress)
            (making / MANIFEST).write_text(json.dumps({**wanted, "digest": digest}, indent=1) + "\n")
            _take_place(making, root, wanted)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"cannot write the scenes to {root}: {reason}. Free some space or choose a folder you may write to "
            "(the root argument, or ADDGCN_CACHE for the default one)."
        ) from error
    return root


def _settings(
    size: int, seed: int, sizes: dict[str, int] | None, splits: Iterable[str] | None, layout: str, draw: int
) -> dict:
    """Everything that decides the content, checked; the manifest holds it too."""
    check_name("layout", layout, LAYOUTS)
    chosen = list(SPLITS) if splits is None else [splits] if isinstance(splits, str) else list(splits)
    for split in [*chosen, *(sizes or {})]:
        check_name("split", split, SPLITS)
    counts = {split: int((sizes or {}).get(split, SPLITS[split])) for split in SPLITS if split in chosen}
    if not counts or not all(1 <= n <= 99_999 for n in counts.values()):
        raise InputError(f"every split holds from 1 to 99,999 images, got {counts}.")
    if not 32 <= size <= 4096:
        raise InputError(f"the scenes are drawn from 32 to 4096 pixels wide, got size={size}.")
    if seed < 0 or draw < 0:
        raise InputError(f"seed and draw are 0 or more, got seed={seed}, draw={draw}.")
    return {"dataset": "scenes", "version": VERSION, "layout": layout, "size": int(size), "seed": int(seed),
            "draw": int(draw), "counts": counts}  # fmt: skip


def _is_finished(root: Path, wanted: dict) -> bool:
    """True: root holds what is wanted. False: nothing there. Anything else there is an InputError."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    remedy = "Delete it, or give another root."
    try:
        found = json.loads((root / MANIFEST).read_text())
        settings = {key: found[key] for key in wanted}
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{root} exists and is not a finished folder of scenes. {remedy}") from None
    # A folder may hold more splits than are asked for.
    fits = {**settings, "counts": {s: settings["counts"].get(s) for s in wanted["counts"]}}
    if fits != wanted:
        other = ", ".join(f"{k} {settings[k]!r} (asked: {wanted[k]!r})" for k in wanted if fits[k] != wanted[k])
        raise InputError(f"{root} holds other scenes: {other}. {remedy}")
    return True


def _take_place(making: Path, root: Path, wanted: dict) -> None:
    """Rename the finished folder; if another process was faster with the same one, use that."""
    with contextlib.suppress(OSError):
        root.rmdir()  # only ever removes an empty folder
    try:
        making.rename(root)
    except OSError:
        if not _is_finished(root, wanted):
            raise


def _fill(folder: Path, wanted: dict, workers: int, progress: bool) -> str:
    """Render every split into the folder; return the sha256 over all annotations and images, in order."""
    counts, layout = wanted["counts"], wanted["layout"]
    for name in ["annotations", *counts] if layout == "coco" else ["JPEGImages", "Annotations"]:
        (folder / name).mkdir()
    digest = hashlib.sha256()
    with tqdm(total=sum(counts.values()), desc="drawing scenes", unit="img", disable=not progress) as bar:
        for split, n in counts.items():
            labels, places = draw_labels(split, n, wanted["seed"], wanted["draw"])
            jobs = [(str(folder), wanted, split, i, labels[i : i + 50], places[i : i + 50])
                    for i in range(0, n, 50)]  # fmt: skip
            rows: list[dict] = []
            with _mapper(min(workers, len(jobs))) as run:
                for part in run(_render_part, jobs):
                    rows += part
                    bar.update(len(part))
            for row in rows:
                digest.update(row.pop("sha256").encode())
            if layout == "coco":
                files = {f"annotations/instances_{split}.json": coco_json(split, rows)}
            else:
                files = voc_files(split, rows)
            for name, text in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)
                digest.update(text.encode())
    return digest.hexdigest()


def _render_part(job: tuple[str, dict, str, int, np.ndarray, np.ndarray]) -> list[dict]:
    """Render consecutive images of a split and write their files; one row of annotations per image."""
    folder, wanted, split, start, labels, places = job
    rows = []
    for index, (row, place) in enumerate(zip(labels, places, strict=True), start=start):
        scene = compose(split, index, row, int(place), wanted["size"], wanted["seed"], wanted["draw"])
        data = io.BytesIO()
        Image.fromarray(scene.image).save(data, "JPEG", quality=95, subsampling="4:4:4")
        digest = hashlib.sha256(data.getvalue())
        if wanted["layout"] == "coco":
            entry = coco_image(split, index, scene)
            path = Path(folder, split, entry["file_name"])
        else:
            entry, xml = voc_xml(split, index, scene)
            path = Path(folder, "JPEGImages", entry["id"] + ".jpg")
            Path(folder, "Annotations", entry["id"] + ".xml").write_text(xml)
            digest.update(xml.encode())
        path.write_bytes(data.getvalue())
        rows.append({**entry, "sha256": digest.hexdigest()})
    return rows


@contextlib.contextmanager
def _mapper(workers: int) -> Iterator:
    """An ordered map over processes, or over none where one worker does it all."""
    if workers == 1:
        yield map
        return
    # Forking asks nothing of the caller's script. The children only draw, so torch's threads do not matter.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
        pool = context.Pool(workers)
    with pool:
        yield pool.imap
