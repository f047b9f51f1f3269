"""Unpacking what is not to be trusted: nothing outside the folder, no links, no half files."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from folders import write_voc
from mirror import tar_of, tree, zip_of

from addgcn.data import download, unpack
from addgcn.data.archives import Archive
from addgcn.errors import InputError


def hostile_tar(path: Path, name: str, **fields: Any) -> Path:
    with tarfile.open(path, "w") as tar:
        for entry, more in (("VOCdevkit/a.jpg", {}), (name, fields)):
            info = tarfile.TarInfo(entry)
            data = b"content"
            info.size = len(data) if not more else 0
            for field, value in more.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data[: info.size]))
    return path


def hostile_zip(path: Path, name: str, mode: int = stat.S_IFREG | 0o644) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("VOCdevkit/a.jpg", b"content")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        zipped.writestr(info, b"../../outside")
    return path


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(
    "name",
    ["../outside", "VOCdevkit/../../outside", "/tmp/outside", "VOCdevkit\\..\\..\\outside", "C:outside", "linked/x"],
)
def test_entries_outside(tmp_path: Path, kind: str, name: str) -> None:
    root = tmp_path / "a" / "data"
    root.mkdir(parents=True)
    (root / "linked").symlink_to(tmp_path)  # put there by someone else; archives cannot
    path = hostile_tar(tmp_path / "x.tar", name) if kind == "tar" else hostile_zip(tmp_path / "x.zip", name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"x\.(tar|zip): the entry .* would lie outside") as error:
        unpack.unpack(path, root, ("",))
    assert repr(name) in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_in_a_tar(tmp_path: Path, kind: bytes) -> None:
    root = tmp_path / "data"
    root.mkdir()
    path = hostile_tar(tmp_path / "x.tar", "VOCdevkit/link", type=kind, linkname="VOCdevkit/a.jpg")
    with pytest.raises(InputError, match="'VOCdevkit/link' is a link or a device"):
        unpack.unpack(path, root, ("VOCdevkit",))
    assert tree(root) == {}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_in_a_zip(tmp_path: Path, kind: int) -> None:
    root = tmp_path / "data"
    root.mkdir()
    path = hostile_zip(tmp_path / "x.zip", "VOCdevkit/link", kind | 0o777)
    with pytest.raises(InputError, match="'VOCdevkit/link' is a link or a device"):
        unpack.unpack(path, root, ("VOCdevkit",))
    assert tree(root) == {}


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_damaged_archives(tmp_path: Path, kind: str) -> None:
    """Without a hash, truncation and changed bytes (a zip's CRC) still show."""
    write_voc(tmp_path / "made")
    whole = tar_of(tmp_path / "made") if kind == "tar" else zip_of(tmp_path / "made", "VOCdevkit")
    path, root = tmp_path / f"x.{kind}", tmp_path / "data"
    root.mkdir()
    damaged = [whole[: len(whole) // 2], b"", b"<html>moved</html>" * 100]
    if kind == "zip":
        path.write_bytes(whole)
        with zipfile.ZipFile(path) as zipped:
            first = next(info for info in zipped.infolist() if info.compress_size > 20)
        place = first.header_offset + 30 + len(first.filename) + first.compress_size // 2
        damaged.append(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    else:  # cut between two files, and in the middle of one
        starts = [n for n in range(512, len(whole), 512) if whole[n + 257 : n + 262] == b"ustar"]
        damaged += [whole[: starts[5]], whole[: starts[5] + 600], whole[: starts[5]] + b"x" * 5000]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"x\.{kind} is damaged or truncated"):
            unpack.unpack(path, root, ("VOCdevkit/",))
        assert not download.is_right(path, Archive("x", 1, None, (), ()), root)
        assert not list(root.rglob("*.unfinished"))
    path.write_bytes(whole)
    assert download.is_right(path, Archive("x", 1, None, (), ()), root)
    with pytest.raises(InputError, match="holds nothing that begins with train2014/"):
        unpack.unpack(path, root, ("train2014/",))
