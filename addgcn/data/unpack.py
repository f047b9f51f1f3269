"""Unpacking an archive that is not trusted: nothing is written outside the folder, and no file is left half-written."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from tqdm.auto import tqdm

from addgcn.errors import InputError


class Entry(NamedTuple):
    """What an archive says of one of its files."""

    name: str
    size: int  # bytes, unpacked
    open: Callable[[], IO[bytes] | None]


def unpack(path: Path, root: Path, take: Sequence[str]) -> tuple[int, int]:
    """Unpack the files whose names begin with one of `take` from a .tar or .zip into the folder `root`.

    All names are looked at before anything is written. Each file is written under another name first and then
    renamed, so a stop at any moment leaves whole files only; those already there are written over.

    Returns:
        The number of files, and their bytes.

    Raises:
        InputError: an entry is a link or a device, or lies outside `root`; the archive is damaged or holds nothing of
            `take`; the disk is full or cannot be written.
    """
    with _entries(path, root) as entries:
        taken = [entry for entry in entries if entry.name.startswith(tuple(take))]
        if not taken:
            raise InputError(f"{path} holds nothing that begins with {' or '.join(take)}: it is another archive.")
        size = sum(entry.size for entry in taken)
        what = f"unpack {path.name.removesuffix('.part')}"
        check_space(root, size, f"to {what}")
        with tqdm(total=size, desc=what, unit="B", unit_scale=True, mininterval=1.0) as bar:
            for entry in taken:
                _write(entry, path, root)
                bar.update(entry.size)
    return len(taken), size


def read_through(path: Path, root: Path) -> None:
    """Read an archive from one end to the other: the CRC of each file in a zip, all headers of a tar.

    Raises:
        InputError: it is damaged or truncated, or not to be trusted.
    """
    with _entries(path, root) as entries:
        for entry in entries:
            _copy(entry, None)


def check_space(root: Path, need: int, what: str) -> None:
    """Raise InputError where the disk of `root` has less than `need` bytes left."""
    free = shutil.disk_usage(root).free
    if free < need:
        raise InputError(
            f"{root} has {free / 1e9:.1f} GB free, and {need / 1e9:.1f} GB are needed {what}. Free some space or "
            "choose another folder, then run the same command again: what is complete is kept."
        )


@contextmanager
def _entries(path: Path, root: Path) -> Iterator[list[Entry]]:
    """The files in an archive, all checked, and readable while the context lasts."""
    try:
        if path.name.removesuffix(".part").endswith(".zip"):
            with zipfile.ZipFile(path) as zipped:
                infos = zipped.infolist()
                # The upper half holds Unix' kind of file, where the archive was made on Unix.
                kinds = [stat.S_IFMT(info.external_attr >> 16) for info in infos]
                plain = [kind in (0, stat.S_IFREG, stat.S_IFDIR) for kind in kinds]
                _check(path, root, [info.filename for info in infos], plain)
                yield [
                    Entry(info.filename, info.file_size, lambda info=info: zipped.open(info))  # type: ignore[misc]
                    for info in infos
                    if not info.is_dir()
                ]
        else:
            with tarfile.open(path, "r:") as tar:
                members = tar.getmembers()
                # tarfile takes a missing or a damaged header for the end; the true end is a block of zeros.
                if tar.fileobj is not None and tar.fileobj.seek(tar.offset) and tar.fileobj.read(512) != bytes(512):
                    raise tarfile.ReadError("it has no end")
                plain = [member.isreg() or member.isdir() for member in members]
                _check(path, root, [member.name for member in members], plain)
                if hasattr(tarfile, "data_filter"):  # Python 3.11.4 on: another pair of eyes
                    for member in members:
                        tarfile.data_filter(member, str(root))
                yield [
                    Entry(member.name, member.size, lambda member=member: tar.extractfile(member))  # type: ignore[misc]
                    for member in members
                    if member.isreg()
                ]
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise InputError(f"{path} is damaged or truncated ({error}). Get it again.") from None


def _check(path: Path, root: Path, names: Sequence[str], plain: Sequence[bool]) -> None:
    """Refuse an archive with an entry that could lead outside `root`; `plain`: it is a file or a folder."""
    inside: set[Path] = set()  # folders known to lie in root, whatever links are on the way
    for name, is_plain in zip(names, plain, strict=True):
        if not is_plain:
            raise InputError(f"{path}: the entry {name!r} is a link or a device. Nothing was unpacked; don't trust it.")
        parts, parent = PurePosixPath(name).parts, (root / name).parent
        outside = name.startswith("/") or ".." in parts or "\\" in name or ":" in name or not parts
        if not outside and parent not in inside:
            outside = not parent.resolve().is_relative_to(root.resolve())
            inside.add(parent)
        if outside:
            raise InputError(f"{path}: the entry {name!r} would lie outside {root}. Nothing was unpacked.")


def _write(entry: Entry, path: Path, root: Path) -> None:
    target = root / entry.name
    unfinished = target.with_name(target.name + ".unfinished")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        with open(unfinished, "xb") as file:
            _copy(entry, file)
        os.replace(unfinished, target)
    except OSError as error:
        raise InputError(
            f"cannot write {target}: {error.strerror}. Make room, or make the folder writable, and run the same "
            f"command again; {path} is kept."
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _copy(entry: Entry, file: IO[bytes] | None) -> None:
    """Write the content of an entry; without a file, only read it."""
    source = entry.open()
    if source is None:
        return
    copied = 0
    with source:
        while block := source.read(1 << 20):
            copied += len(block)
            if file is not None:
                file.write(block)
    if copied != entry.size:
        raise EOFError(f"{entry.name} ends after {copied} of {entry.size} bytes")
