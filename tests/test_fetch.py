"""Fetching data: whole, broken, wrong, hostile; from a server on this machine that does all of it on purpose."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from folders import coco_content, write_coco, write_image, write_voc
from mirror import Server, at, tar_of, tree, zip_of
from torchvision.datasets.voc import DATASET_YEAR_DICT

from addgcn.cli import main
from addgcn.data import DATASETS, archives, download, fetch, load, unpack
from addgcn.data.archives import SOURCES, Source
from addgcn.errors import InputError

PARTS = {  # the splits that are given out, none within another
    "voc2007": ("trainval", "test"),
    "voc2012": ("trainval",),
    "coco2014": ("train", "val"),
    "coco2017": ("train", "val"),
}
TRAINVAL, TEST = "VOCtrainval_06-Nov-2007.tar", "VOCtest_06-Nov-2007.tar"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSE", 0.001)
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.stopped.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def voc(server: Server, tmp_path: Path) -> Callable[..., dict[str, Source]]:
    """VOC 2007 with four images for training and one for testing, from two archives; and things not to unpack."""
    write_voc(tmp_path / "made", xml=True)
    write_image(tmp_path / "made/VOCdevkit/VOC2007/SegmentationClass/000001.png")
    is_test = re.compile("_test|/test|000003").search
    contents = (
        tar_of(tmp_path / "made", lambda name: not is_test(name)),
        tar_of(tmp_path / "made", lambda name: bool(is_test(name))),
    )

    def source(*manners: str) -> dict[str, Source]:
        official = SOURCES["voc2007"].archives
        pair = tuple(at(server, one, content, *manners) for one, content in zip(official, contents, strict=True))
        counts = {"train": (2, None), "val": (2, None), "trainval": (4, None), "test": (1, None)}
        return {"voc2007": Source(pair, counts)}

    return source


def check_fetched(root: Path, made: Path) -> None:
    """All that the loaders read is there, byte for byte, and nothing else but the manifest."""
    expected = {name: data for name, data in tree(made).items() if "Segmentation" not in name}
    found = tree(root)
    assert found.pop("fetched.json")
    assert found == expected
    assert load("voc2007", "trainval", root)[3][0].size == (8, 6)


# --- what is known of the official archives


def test_official_archives() -> None:
    """Against torchvision's table of VOC, and the arithmetic that must hold."""
    known = {entry["url"].rpartition("/")[2]: entry for entry in DATASET_YEAR_DICT.values()}
    assert set(SOURCES) == set(DATASETS) - {"scenes"}
    for name, source in SOURCES.items():
        assert set(source.counts) == set(DATASETS[name])
        for archive in source.archives:
            if archive is archives.VOC2012_TEST:
                assert archive.urls == ()
                continue
            method, _, digest = str(archive.hash).partition(":")
            assert re.fullmatch("[0-9a-f]+", digest)
            assert len(digest) == 2 * hashlib.new(method, usedforsecurity=False).digest_size
            assert len(archive.urls) >= 2
            assert all(url.endswith("/" + archive.name) for url in archive.urls)
            if name.startswith("voc"):
                assert digest == known[archive.name]["md5"]
                assert archive.urls[0] == known[archive.name]["url"]
                assert archive.size % 512 == 0  # of a tar's blocks
                assert all(part.startswith(f"VOCdevkit/VOC{name[3:]}/") for part in archive.take)
    for name in ("voc2007", "voc2012"):
        counts = SOURCES[name].counts
        assert counts["train"][0] + counts["val"][0] == counts["trainval"][0]
    assert sum(counts[0] for counts in SOURCES["coco2014"].counts.values()) == 123_287
    assert sum(counts[0] for counts in SOURCES["coco2017"].counts.values()) == 123_287  # the same images, split anew


def test_the_page_has_the_sizes() -> None:
    """Its table against the archives: to download, largest need, what stays, minutes at 10 MB a second."""
    page = (Path(__file__).resolve().parents[1] / "book" / "running.md").read_text(encoding="utf-8")
    for name, source in SOURCES.items():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| {name} |"))
        cells = [float(re.findall(r"[\d.]+", cell)[0]) for cell in row.split("|")[2:6]]
        come = [archive for archive in source.archives if archive.urls]
        download, stays = sum(one.size for one in come), sum(one.size * one.room for one in come)
        expected = [download / 1e9, (stays + max(one.size for one in come)) / 1e9, stays / 1e9, download / 1e7 / 60]
        for cell, value in zip(cells, expected, strict=True):
            assert cell == (round(value) if value >= 1.5 else round(value, 1))
        images = sum(n for split, (n, _) in source.counts.items() if split in PARTS[name])
        assert row.endswith("| the same |" if name == "coco2017" else f" {images:,} |")


# --- the way it should go


def test_whole(server: Server, voc: Callable, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = tmp_path / "data"
    entries = fetch.fetch("voc2007", root, sources=voc("whole"))
    check_fetched(root, tmp_path / "made")
    assert [one[1:] for one in server.asked] == [(TRAINVAL, None), (TEST, None)]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "0.0 GB to download in 2 archives"
    assert said[1:] == [
        f"voc2007 {split}: {n} images" for split, n in zip(DATASETS["voc2007"], (2, 2, 4, 1), strict=True)
    ]
    assert entries == json.loads((root / "fetched.json").read_text())["archives"]
    assert entries[TRAINVAL]["from"] == f"{server.at}/whole/{TRAINVAL}"
    assert entries[TRAINVAL]["files"] == 4 * 2 + 3 * 3 - 1  # images, XML; lists and class files of train and val
    # again: nothing is asked for
    server.asked.clear()
    assert fetch.fetch("voc2007", root, sources=voc("whole")) == entries
    assert server.asked == []


def test_coco(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    made, root = tmp_path / "made", tmp_path / "data"
    for stem in ("train2017", "val2017"):
        write_coco(made, stem)
    (made / "annotations" / "captions_val2017.json").write_text("{}")
    parts = zip(SOURCES["coco2017"].archives, ("annotations", "train2017", "val2017"), strict=True)
    source = Source(
        tuple(at(server, official, zip_of(made, part), "whole") for official, part in parts),
        {"train": (3, 2), "val": (3, 2)},  # of three images, one has no label
    )
    fetch.fetch("coco2017", root, keep_archives=True, sources={"coco2017": source})
    assert "coco2017 val: 3 images, 2 with a label" in capsys.readouterr().out
    found = tree(root)
    assert "annotations/captions_val2017.json" not in found
    for official in source.archives:
        assert found.pop(official.name) == server.files[official.name]
    assert found.pop("fetched.json")
    assert found == {name: data for name, data in tree(made).items() if "captions" not in name}


def test_two_sets_in_one_root(server: Server, voc: Callable, tmp_path: Path) -> None:
    root = tmp_path / "data"
    fetch.fetch("voc2007", root, sources=voc("whole"))
    write_coco(tmp_path / "coco", "train2017")
    write_coco(tmp_path / "coco", "val2017")
    parts = zip(SOURCES["coco2017"].archives, ("annotations", "train2017", "val2017"), strict=True)
    both = tuple(at(server, official, zip_of(tmp_path / "coco", part), "whole") for official, part in parts)
    fetch.fetch("coco2017", root, sources={"coco2017": Source(both, {"train": (3, 2)})})
    server.asked.clear()
    fetch.fetch("voc2007", root, sources=voc("whole"))
    assert server.asked == []


# --- servers that fail


def test_missing_then_mirror(server: Server, voc: Callable, tmp_path: Path) -> None:
    entries = fetch.fetch("voc2007", tmp_path / "data", sources=voc("missing", "whole"))
    check_fetched(tmp_path / "data", tmp_path / "made")
    assert [manner for manner, *_ in server.asked] == ["missing", "whole"] * 2
    assert "/whole/" in entries[TEST]["from"]


def test_no_server_then_mirror(server: Server, voc: Callable, tmp_path: Path) -> None:
    source = voc("whole")["voc2007"]
    nowhere = "http://127.0.0.1:9/"  # the port that answers nothing
    pair = tuple(replace(one, urls=(nowhere + one.name, *one.urls)) for one in source.archives)
    fetch.fetch("voc2007", tmp_path / "data", sources={"voc2007": replace(source, archives=pair)})
    check_fetched(tmp_path / "data", tmp_path / "made")


def test_no_mirror_left(server: Server, voc: Callable, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"HTTP 404.*has [0-9,]+ bytes, the official archive.*--from"):
        fetch.fetch("voc2007", tmp_path / "data", sources=voc("missing", "longer"))
    assert len(server.asked) == 2  # neither is asked twice
    assert tree(tmp_path / "data") == {}


@pytest.mark.parametrize("manner", ["broken", "rangeless", "elsewhere", "busy", "lengthless", "crumbling"])
def test_servers_that_stumble(server: Server, voc: Callable, tmp_path: Path, manner: str) -> None:
    """Half of the file, then nothing; Range ignored or misread; 503; no Content-Length; half of the rest each time."""
    sources = voc(manner, "whole") if manner == "elsewhere" else voc(manner)
    if manner == "elsewhere":
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / f"{TEST}.part").write_bytes(server.files[TEST][:1000])
    fetch.fetch("voc2007", tmp_path / "data", sources=sources)
    check_fetched(tmp_path / "data", tmp_path / "made")
    size = len(server.files[TEST])
    ranges = [asked for _, name, asked in server.asked if name == TEST]
    expected = {
        "broken": [None, f"bytes={size // 2}-"],
        "rangeless": [None, f"bytes={size // 2}-"],
        "elsewhere": ["bytes=1000-"] * 2,  # the mirror's is not glued to what does not fit
        "busy": [None] * 3,
        "lengthless": [None],
    }
    assert ranges == expected.get(manner, ranges)
    if manner == "crumbling":
        assert len(ranges) > download.ROUNDS  # each brought something, so it is not given up


@pytest.mark.parametrize("manner", ["silent", "trickling"])
def test_slow_server(
    server: Server, voc: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    monkeypatch.setattr(download, "WINDOW", 0.2)
    began = time.monotonic()
    fetch.fetch("voc2007", tmp_path / "data", sources=voc(manner, "whole"))
    check_fetched(tmp_path / "data", tmp_path / "made")
    assert time.monotonic() - began < 5
    _, name, asked = server.asked[1]
    assert name == TRAINVAL
    assert asked is not None  # the mirror goes on where the slow one was left
    assert 100 <= int(asked.removeprefix("bytes=").removesuffix("-")) < 150


def test_dead_server(server: Server, voc: Callable, tmp_path: Path) -> None:
    server.files.clear()
    sources = voc("silent")
    server.files = dict.fromkeys(server.files, b"")
    with pytest.raises(InputError, match="0 bytes, the official archive"):
        fetch.fetch("voc2007", tmp_path / "data", sources=sources)


def test_wrong_hash(server: Server, voc: Callable, tmp_path: Path) -> None:
    entries = fetch.fetch("voc2007", tmp_path / "data", sources=voc("other", "whole"))
    check_fetched(tmp_path / "data", tmp_path / "made")
    assert "/whole/" in entries[TEST]["from"]
    with pytest.raises(InputError, match="another hash than the official archive"):
        fetch.fetch("voc2007", tmp_path / "again", sources=voc("other"))
    assert tree(tmp_path / "again") == {}


# --- broken off, and taken up again


def test_pieces_that_do_not_fit(server: Server, voc: Callable, tmp_path: Path) -> None:
    """What is there is from another file: the hash says so, and the file is fetched from its beginning."""
    root = tmp_path / "data"
    root.mkdir()
    sources = voc("whole")
    (root / f"{TRAINVAL}.part").write_bytes(b"x" * 1000)
    (root / f"{TEST}.part").write_bytes(b"x" * (len(server.files[TEST]) + 1))  # longer than it can be
    fetch.fetch("voc2007", root, sources=sources)
    check_fetched(root, tmp_path / "made")
    assert [one[1:] for one in server.asked] == [(TRAINVAL, "bytes=1000-"), (TRAINVAL, None), (TEST, None)]


def test_interrupted_download(server: Server, voc: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after 3,000 bytes; the next run asks for the rest alone."""
    root = tmp_path / "data"
    sources, write, come = voc("whole"), download._write, []

    def stop(file: Any, block: bytes, part: Path) -> None:
        write(file, block[: 3000 - sum(come)], part)
        come.append(len(block))
        if sum(come) >= 3000:
            raise KeyboardInterrupt

    monkeypatch.setattr(download, "_write", stop)
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("voc2007", root, sources=sources)
    monkeypatch.setattr(download, "_write", write)
    assert (root / f"{TRAINVAL}.part").stat().st_size == 3000
    server.asked.clear()
    fetch.fetch("voc2007", root, sources=sources)
    assert server.asked[0] == ("whole", TRAINVAL, "bytes=3000-")
    check_fetched(root, tmp_path / "made")


def test_interrupted_unpacking(server: Server, voc: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle of the tenth file: no half file, and nothing is asked for again."""
    root, copy, files = tmp_path / "data", unpack._copy, []

    def stop(entry: unpack.Entry, file: Any) -> None:
        files.append(entry.name)
        if len(files) == 10:
            file.write(b"half")
            raise KeyboardInterrupt
        copy(entry, file)

    monkeypatch.setattr(unpack, "_copy", stop)
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("voc2007", root, sources=voc("whole"))
    monkeypatch.setattr(unpack, "_copy", copy)
    made = tree(tmp_path / "made")
    left = tree(root)
    assert left.pop(f"{TRAINVAL}.part")
    assert len(left) == 9
    assert all(made[name] == data for name, data in left.items())
    fetch.fetch("voc2007", root, sources=voc("whole"))
    assert [one[1] for one in server.asked] == [TRAINVAL, TEST]
    check_fetched(root, tmp_path / "made")


def test_stopped_before_the_manifest(
    server: Server, voc: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is unpacked, but nothing says so: the archive that is still there is used, and then cleared away."""
    root = tmp_path / "data"
    fetch.fetch("voc2007", root, sources=voc("whole"))
    (root / "fetched.json").unlink()
    (root / f"{TRAINVAL}.part").write_bytes(server.files[TRAINVAL])
    server.asked.clear()
    fetch.fetch("voc2007", root, sources=voc("whole"))
    assert [one[1] for one in server.asked] == [TEST]
    check_fetched(root, tmp_path / "made")


# --- disks that fail


def test_disk_full_in_download(server: Server, voc: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, sources, real = tmp_path / "data", voc("whole"), open

    class Full(io.FileIO):
        def write(self, block: Any) -> int:
            if self.tell() >= 2000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(bytes(block)[:1000])  # and it takes less than it is given

    def opened(path: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        return Full(path, mode) if str(path).endswith(".part") and mode in ("ab", "wb") else real(path, mode, *args)

    monkeypatch.setattr(download, "open", opened, raising=False)
    with pytest.raises(InputError, match=r"VOCtrainval.*\.part: No space left.*what has come is kept"):
        fetch.fetch("voc2007", root, sources=sources)
    assert (root / f"{TRAINVAL}.part").stat().st_size == 2000
    monkeypatch.delattr(download, "open")
    fetch.fetch("voc2007", root, sources=sources)
    assert server.asked[1] == ("whole", TRAINVAL, "bytes=2000-")
    check_fetched(root, tmp_path / "made")


def test_disk_full_in_unpacking(server: Server, voc: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, replace_file = tmp_path / "data", os.replace

    def full(source: Any, target: Any) -> None:
        if str(target).endswith("000004.jpg"):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match=r"000004\.jpg: No space left on device"):
        fetch.fetch("voc2007", root, sources=voc("whole"))
    monkeypatch.setattr(os, "replace", replace_file)
    assert not list(root.rglob("*.unfinished"))
    server.asked.clear()
    fetch.fetch("voc2007", root, sources=voc("whole"))
    assert [one[1] for one in server.asked] == [TEST]
    check_fetched(root, tmp_path / "made")


def test_too_little_space(server: Server, voc: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted before anything is asked for: both archives unpacked, and the larger of the two (or both, if kept)."""
    sources = voc("whole")
    sizes = [archive.size for archive in sources["voc2007"].archives]
    free = sum(sizes) + max(sizes)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(InputError, match=r"GB free, and .* GB are needed for the archives and their content"):
        fetch.fetch("voc2007", tmp_path / "data", keep_archives=True, sources=sources)
    assert server.asked == []
    fetch.fetch("voc2007", tmp_path / "data", sources=sources)
    check_fetched(tmp_path / "data", tmp_path / "made")


def test_folder_that_cannot_be_written(
    server: Server, voc: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = voc("whole")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write in .*file/data: Not a directory.*--root"):
        fetch.fetch("voc2007", tmp_path / "file" / "data", sources=sources)

    def refuse(**where: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(fetch.tempfile, "TemporaryFile", refuse)  # as a read-only folder does, but for root
    with pytest.raises(InputError, match=r"cannot write in .*data: Permission denied"):
        fetch.fetch("voc2007", tmp_path / "data", sources=sources)
    assert server.asked == []


# --- archives that one has


@pytest.mark.parametrize("given", ["files", "folder", "renamed", "in root"])
def test_from(server: Server, voc: Callable, tmp_path: Path, given: str) -> None:
    sources, mine, root = voc("whole"), tmp_path / "mine", tmp_path / "data"
    place = root if given == "in root" else mine
    place.mkdir()
    names = {name: ("renamed" + name[:5] if given == "renamed" else name) for name in (TRAINVAL, TEST)}
    paths = [place / new for new in names.values()]
    for path, name in zip(paths, names, strict=True):
        path.write_bytes(server.files[name])
    fetch.fetch("voc2007", root, {"folder": [mine], "in root": []}.get(given, paths), sources=sources)
    assert server.asked == []
    assert all(path.exists() for path in paths)  # one's own archives stay
    if given == "in root":
        for path in paths:
            path.unlink()
    check_fetched(root, tmp_path / "made")


def test_command(
    server: Server, voc: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(SOURCES, "voc2007", voc("whole")["voc2007"])
    (tmp_path / TEST).write_bytes(server.files[TEST])
    where = ["fetch", "voc2007", "--root", str(tmp_path / "data")]
    main([*where, "--from", str(tmp_path / TEST), "--keep-archives"])
    assert [one[1] for one in server.asked] == [TRAINVAL]
    assert (tmp_path / "data" / TRAINVAL).read_bytes() == server.files[TRAINVAL]
    assert "voc2007 test: 1 images" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main([*where, "--from", str(tmp_path / "absent")])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("addgcn: ")


def test_from_has_one_of_two(server: Server, voc: Callable, tmp_path: Path) -> None:
    sources = voc("whole")
    (tmp_path / TEST).write_bytes(server.files[TEST])
    entries = fetch.fetch("voc2007", tmp_path / "data", [tmp_path / TEST], sources=sources)
    assert [one[1] for one in server.asked] == [TRAINVAL]
    assert entries[TEST]["from"] == str(tmp_path / TEST)
    check_fetched(tmp_path / "data", tmp_path / "made")


def test_from_wrong(server: Server, voc: Callable, tmp_path: Path) -> None:
    sources, root = voc("whole"), tmp_path / "data"
    mine = tmp_path / TRAINVAL
    mine.write_bytes(server.files[TRAINVAL][:-512])
    with pytest.raises(InputError, match=rf"{TRAINVAL} is not the official {TRAINVAL}: it has [\d,]+ bytes of"):
        fetch.fetch("voc2007", root, [mine], sources=sources)
    mine.write_bytes(server.files[TRAINVAL][:-512] + b"x" * 512)
    with pytest.raises(InputError, match="or other content"):
        fetch.fetch("voc2007", root, [mine], sources=sources)
    with pytest.raises(InputError, match=f"holds none of the archives: {TRAINVAL}"):
        fetch.fetch("voc2007", root, [tmp_path / "made"], sources=sources)
    with pytest.raises(InputError, match="there is no such file or folder"):
        fetch.fetch("voc2007", root, [tmp_path / "absent"], sources=sources)
    assert tree(root) == {}
    assert server.asked == []


# --- manifest, and what is there without one


@pytest.mark.parametrize("text", ["", "{", "[]", '{"archives": 3}', '{"archives": {"a": 1}}', "\x00\xff"])
def test_damaged_manifest(
    server: Server, voc: Callable, tmp_path: Path, capsys: pytest.CaptureFixture, text: str
) -> None:
    """The data are whole, so nothing is fetched again."""
    root = tmp_path / "data"
    fetch.fetch("voc2007", root, sources=voc("whole"))
    (root / "fetched.json").write_bytes(text.encode("latin-1"))
    server.asked.clear()
    capsys.readouterr()
    fetch.fetch("voc2007", root, sources=voc("whole"))
    assert server.asked == []
    said = capsys.readouterr().out
    assert "fetched.json is damaged" in said
    assert f"{root} holds voc2007 already" in said


def test_unpacked_by_hand(server: Server, voc: Callable, tmp_path: Path) -> None:
    fetch.fetch("voc2007", tmp_path / "made", sources=voc("whole"))
    assert server.asked == []


def test_images_lost_later(server: Server, voc: Callable, tmp_path: Path) -> None:
    root = tmp_path / "data"
    fetch.fetch("voc2007", root, sources=voc("whole"))
    (root / "VOCdevkit/VOC2007/JPEGImages/000003.jpg").unlink()
    with pytest.raises(InputError, match=r"half-unpacked: 1 of 1 images missing.* The same command fetches"):
        fetch.fetch("voc2007", root, sources=voc("whole"))
    fetch.fetch("voc2007", root, sources=voc("whole"))
    check_fetched(root, tmp_path / "made")


def test_other_counts(server: Server, voc: Callable, tmp_path: Path) -> None:
    source = voc("whole")["voc2007"]
    with pytest.raises(InputError, match="voc2007 train has 2 images, 2 of them with a label; it should have 3"):
        fetch.fetch("voc2007", tmp_path / "data", sources={"voc2007": replace(source, counts={"train": (3, None)})})


# --- VOC 2012, whose test images come by hand


def test_voc2012(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root, base = tmp_path / "data", tmp_path / "made/VOCdevkit/VOC2012"
    write_voc(tmp_path / "made").rename(base)
    main = base / "ImageSets/Main"
    for path in main.glob("*_test.txt"):
        path.unlink()
    is_test = re.compile("/test|000003").search
    official, by_hand = SOURCES["voc2012"].archives
    archive = at(server, official, tar_of(tmp_path / "made", lambda name: not is_test(name)), "whole")
    counts = {"train": (2, None), "val": (2, None), "trainval": (4, None), "test": (1, None)}
    sources = {"voc2012": Source((archive, by_hand), counts)}
    fetch.fetch("voc2012", root, sources=sources)
    said = capsys.readouterr().out
    assert "voc2012 trainval: 4 images" in said
    assert "voc2012 test: not there" in said
    assert "register at http://host.robots.ox.ac.uk:8080" in said
    mine = tmp_path / "VOC2012test.tar"
    mine.write_bytes(tar_of(tmp_path / "made", lambda name: bool(is_test(name)))[:-9000])
    with pytest.raises(InputError, match=r"VOC2012test\.tar is not the official VOC2012test\.tar"):
        fetch.fetch("voc2012", root, [mine], sources=sources)
    mine.write_bytes(tar_of(tmp_path / "made", lambda name: bool(is_test(name))))
    server.asked.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetch.fetch("voc2012", root, [mine], sources=sources)
        fetch.fetch("voc2012", root, sources=sources)
    assert server.asked == []
    assert "voc2012 test: 1 images" in capsys.readouterr().out
    assert tree(root / "VOCdevkit") == tree(tmp_path / "made/VOCdevkit")


def test_names_and_coco_content() -> None:
    with pytest.raises(InputError, match=r"unknown data set to fetch 'voc07'. Did you mean 'voc2007'"):
        fetch.fetch("voc07", "nowhere")
    assert not Path("nowhere").exists()
    labelled = {one["image_id"] for one in coco_content()["annotations"]}
    assert len(coco_content()["images"]) - len(labelled) == 1  # what test_coco counts on
