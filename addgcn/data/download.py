"""Downloading one large file: mirrors, resuming, time-outs, and its hash at the end."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from tqdm.auto import tqdm

from addgcn.data.archives import Archive
from addgcn.data.unpack import read_through
from addgcn.errors import InputError

TIMEOUT = 30.0  # seconds without a byte after which a connection is given up
SLOWEST = 10_000  # bytes a second; a server that is slower
WINDOW = 60.0  # for so many seconds is given up, too
PAUSE = 1.0  # seconds before all mirrors are tried again; doubled each time, up to a minute
ROUNDS = 6  # so often in a row without a new byte


class Refused(Exception):
    """A mirror that need not be asked again: it does not have the file, or has another one."""


def download(archive: Archive, root: Path) -> tuple[Path, str]:
    """Download an archive to `root`/NAME.part, or go on with what is there of it. It is checked against its hash.

    A connection that breaks is taken up again where it broke (HTTP Range), at the same mirror or the next. Pieces that
    do not fit together show in the hash; then the file is fetched once more from its beginning.

    Returns:
        The file, and the address that it came from.

    Raises:
        InputError: no mirror has it, or can be reached; or the disk is full. What has come is kept.
    """
    part = root / f"{archive.name}.part"
    urls, reasons = list(archive.urls), dict.fromkeys(archive.urls, "")
    rounds, glued, began_anew = 0, _size(part) > 0, False
    while urls and rounds < ROUNDS:
        if rounds:
            time.sleep(min(60.0, PAUSE * 2 ** (rounds - 1)))
        rounds += 1
        for url in list(urls):
            before = _size(part)
            try:
                receive(url, part, archive)
            except Refused as error:
                urls.remove(url)
                reasons[url] = str(error)
            except (OSError, http.client.HTTPException) as error:
                reasons[url] = str(error) or type(error).__name__
            else:
                if is_right(part, archive, root):
                    return part, url
                part.unlink()
                if glued and not began_anew:
                    glued, began_anew, rounds = False, True, 0
                    break
                urls.remove(url)
                reasons[url] = "its content has another hash than the official archive"
            if _size(part) > before:
                rounds = 0
            glued = glued or _size(part) > 0
    tried = "; ".join(f"{url} ({reason})" for url, reason in reasons.items())
    raise InputError(
        f"{archive.name} could not be downloaded: {tried}. {_size(part):,} of {archive.size:,} bytes are kept in "
        f"{part}: run the same command again later, or get the archive elsewhere and name it with --from."
    )


def receive(url: str, part: Path, archive: Archive) -> None:
    """Append to `part` what it lacks of the archive at `url`. Returns when it has `archive.size` bytes.

    Raises:
        Refused: the server does not have the file, or one of another size.
        OSError, http.client.HTTPException: the connection failed or broke.
        InputError: the disk is full.
    """
    have = _size(part)
    if have > archive.size:
        part.unlink()
        have = 0
    if have == archive.size:
        return
    headers = {"User-Agent": "addgcn", "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # there is nothing from here on, though there should be
            raise Refused("its file is shorter than the official archive") from None
        if error.code in (401, 403, 404, 410):
            raise Refused(f"HTTP {error.code}") from None
        raise
    with response:
        if response.status == 206:
            start, total = _content_range(response.headers.get("Content-Range", ""))
            if start != have:
                raise Refused(f"it was asked for the bytes from {have} on and sends those from {start} on")
        else:  # it ignores Range and sends the whole
            have, total = 0, _number(response.headers.get("Content-Length"))
        if total not in (None, archive.size):
            raise Refused(f"its file has {total:,} bytes, the official archive {archive.size:,}")
        _save(response, part, have, archive)


def is_right(path: Path, archive: Archive, root: Path) -> bool:
    """Whether a file is the official archive: by size and hash; where no hash is known, by reading all of it."""
    if archive.hash is None:
        try:
            read_through(path, root)
        except InputError:
            return False
        return True
    if _size(path) != archive.size:
        return False
    method, _, digest = archive.hash.partition(":")
    with (
        open(path, "rb") as file,
        tqdm(
            total=archive.size, desc=f"check {archive.name}", unit="B", unit_scale=True, mininterval=1.0, leave=False
        ) as bar,
    ):
        sha = hashlib.new(method, usedforsecurity=False)
        while block := file.read(1 << 20):
            sha.update(block)
            bar.update(len(block))
    return sha.hexdigest() == digest


def _save(response: http.client.HTTPResponse, part: Path, have: int, archive: Archive) -> None:
    began, window = time.monotonic(), 0  # of the window in which the speed is measured, and its bytes
    with (
        tqdm(total=archive.size, initial=have, desc=archive.name, unit="B", unit_scale=True, mininterval=1.0) as bar,
        _open(part, have) as file,
    ):
        while block := response.read1(1 << 20):  # what has come, without waiting for a whole MiB
            have += len(block)
            if have > archive.size:
                raise Refused(f"it sends more than the {archive.size:,} bytes of the official archive")
            _write(file, block, part)
            bar.update(len(block))
            window += len(block)
            if time.monotonic() - began > WINDOW:
                if window < SLOWEST * WINDOW:
                    raise TimeoutError(f"slower than {SLOWEST:,} bytes a second")
                began, window = time.monotonic(), 0
    if have < archive.size:
        raise ConnectionError(f"it broke off after {have:,} of {archive.size:,} bytes")


def _open(part: Path, have: int) -> IO[bytes]:
    try:
        return open(part, "ab" if have else "wb", buffering=0)  # what has come is on disk, whatever happens next
    except OSError as error:
        raise _no_room(part, error) from error


def _write(file: IO[bytes], block: bytes, part: Path) -> None:
    rest = memoryview(block)
    try:
        while rest:  # an unbuffered write may take less than it was given
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise _no_room(part, error) from error


def _no_room(part: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write {part}: {error.strerror}. Free some space and run the same command again: what has come is kept."
    )


def _content_range(text: str) -> tuple[int | None, int | None]:
    """The first byte and the size of the whole, from "bytes 100-199/200"."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", text.strip())
    return (None, None) if found is None else (int(found[1]), _number(found[2]))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
