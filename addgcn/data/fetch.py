"""COCO and VOC from their official archives into a folder that `addgcn.data.load` reads: `addgcn fetch`."""

from __future__ import annotations

import datetime
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from addgcn.data import load
from addgcn.data.archives import SOURCES, VOC2012_TEST, Archive, Source
from addgcn.data.download import download, is_right
from addgcn.data.unpack import check_space, unpack
from addgcn.errors import InputError, check_name
from addgcn.records import write_json

MANIFEST = "fetched.json"
BY_HAND = (
    f"VOC 2012's test images come from the evaluation server by hand: register at http://host.robots.ox.ac.uk:8080, "
    f"download {VOC2012_TEST.name}, and name it with --from. Training and validation do not need them."
)


def fetch(
    name: str,
    root: str | Path,
    given: Sequence[str | Path] = (),
    keep_archives: bool = False,
    sources: Mapping[str, Source] | None = None,
) -> dict[str, Any]:
    """Download, check and unpack a data set, so that `load(name, split, root)` reads it; then read it and count.

    `root`/fetched.json says what is complete; that is not fetched again. A stop at any moment loses nothing: the same
    command goes on where it was. Several data sets may share a root.

    Args:
        name: voc2007, voc2012, coco2014 or coco2017.
        root: the folder to make; VOC comes to `root`/VOCdevkit, COCO to `root`/annotations, `root`/train2014, ...
        given: archives that are there already, or folders that hold some. They are checked, read where they lie, and
            left there. Archives of the official names in `root` itself count as given.
        keep_archives: leave what was downloaded in `root` when it is unpacked.
        sources: what to fetch from where; None: `addgcn.data.archives.SOURCES`.

    Returns:
        What fetched.json says of the archives of this data set.

    Raises:
        InputError: the folder cannot be written or is too small, no mirror answers, or what came is not the official
            data. The message says what to do.
    """
    sources = SOURCES if sources is None else sources
    source = sources[check_name("data set to fetch", name, sources)]
    root = _writable(Path(root).expanduser())
    have = _find([root], source, strict=False) | _find([Path(path).expanduser() for path in given], source)
    manifest = _read_manifest(root)
    missing = [archive for archive in source.archives if not _is_complete(archive, manifest)]
    missing = [archive for archive in missing if archive.urls or archive.name in have]  # by hand, and not there
    begun = any((root / f"{archive.name}.part").exists() for archive in missing)
    if missing and not begun and not have and _is_there(name, root, source):
        print(f"{root} holds {name} already; nothing to fetch")
    else:
        _check_room(root, missing, have, keep_archives)
        for archive in missing:
            manifest[archive.name] = _bring(archive, root, have.get(archive.name), keep_archives) | {"data": name}
            _write_manifest(root, manifest)
    try:
        print("\n".join(count(name, root, source)))
    except InputError as error:
        _write_manifest(root, {key: entry for key, entry in manifest.items() if entry.get("data") != name})
        raise InputError(f"{error} The same command fetches {name} anew.") from None
    return {key: entry for key, entry in manifest.items() if entry.get("data") == name}


def count(name: str, root: Path, source: Source) -> list[str]:
    """Read every split of a data set; a line for each, with the number of its images.

    Raises:
        InputError: a split cannot be read, or does not have the images that it should.
    """
    lines = []
    for split, (expected, labelled) in source.counts.items():
        if (name, split) == ("voc2012", "test") and not (root / "VOCdevkit/VOC2012/ImageSets/Main/test.txt").exists():
            lines.append(f"{name} test: not there. {BY_HAND}")
            continue
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "the labels of VOC 2012's test split")
            data = (
                load(name, split, root, drop_unlabelled=False) if name.startswith("coco") else load(name, split, root)
            )
        found = [len(data), int((data.targets == 1).any(dim=1).sum())]
        if len(data) != expected or labelled not in (None, found[1]):
            raise InputError(
                f"{root}: {name} {split} has {found[0]:,} images, {found[1]:,} of them with a label; it should have "
                f"{expected:,}" + (f" and {labelled:,}." if labelled else ".")
            )
        lines.append(f"{name} {split}: {len(data):,} images" + (f", {found[1]:,} with a label" if labelled else ""))
    return lines


def _bring(archive: Archive, root: Path, path: Path | None, keep: bool) -> dict[str, Any]:
    """One archive, checked and unpacked; its entry in the manifest."""
    ours = path is None
    if path is None:
        path, origin = download(archive, root)
    elif is_right(path, archive, root):
        origin = str(path)
    else:
        raise InputError(
            f"{path} is not the official {archive.name}: it has {path.stat().st_size:,} bytes of {archive.size:,}, or "
            "other content. Get it again, or leave it out to have it downloaded."
        )
    files, size = unpack(path, root, archive.take)
    if ours and keep:
        path.rename(root / archive.name)
    elif ours:
        path.unlink()
    return {
        "from": origin,
        "size": archive.size,
        "hash": archive.hash,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "files": files,
        "bytes": size,
    }


def _find(places: Sequence[Path], source: Source, strict: bool = True) -> dict[str, Path]:
    """Which archives lie in these folders, or are these files: by name, or by size."""
    found: dict[str, Path] = {}
    for place in places:
        if place.is_dir():
            here = {archive.name: place / archive.name for archive in source.archives}
            here = {name: path for name, path in here.items() if path.is_file()}
        elif place.is_file():
            size = place.stat().st_size
            same = [archive.name for archive in source.archives if place.name == archive.name]
            same = same or [archive.name for archive in source.archives if size == archive.size]
            here = dict.fromkeys(same[:1], place)
        else:
            raise InputError(
                f"{place}: there is no such file or folder. Give --from the archives, or a folder of them."
            )
        if strict and not here:
            wanted = ", ".join(f"{archive.name} ({archive.size:,} bytes)" for archive in source.archives)
            raise InputError(f"{place} is or holds none of the archives: {wanted}.")
        found |= here
    return found


def _is_complete(archive: Archive, manifest: dict[str, Any]) -> bool:
    entry = manifest.get(archive.name, {})
    return entry.get("size") == archive.size and entry.get("hash") == archive.hash


def _is_there(name: str, root: Path, source: Source) -> bool:
    """Whether the folder holds the data set whole, though no manifest says so: unpacked by hand, say."""
    try:
        count(name, root, source)
    except InputError:
        return False
    return True


def _check_room(root: Path, missing: Sequence[Archive], have: Mapping[str, Path], keep: bool) -> None:
    """Room for all that will be unpacked, and for the archives: all of them, or the largest if they go again."""
    parts = [
        max(0, archive.size - _size(root / f"{archive.name}.part")) for archive in missing if archive.name not in have
    ]
    if parts:
        print(f"{sum(parts) / 1e9:.1f} GB to download in {len(parts)} archives")
    unpacked = sum(archive.size * archive.room for archive in missing)
    check_space(root, unpacked + (sum(parts) if keep else max(parts, default=0)), "for the archives and their content")


def _writable(root: Path) -> Path:
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise InputError(f"cannot write in {root}: {error.strerror}. Choose another folder with --root.") from error
    return root


def _read_manifest(root: Path) -> dict[str, Any]:
    path = root / MANIFEST
    try:
        archives = json.loads(path.read_text())["archives"]
        return {name: dict(entry) for name, entry in archives.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"{path} is damaged ({error}); it will be written anew, and what is there looked at again")
        return {}


def _write_manifest(root: Path, manifest: dict[str, Any]) -> None:
    write_json(root / MANIFEST, {"version": 1, "archives": manifest})


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
