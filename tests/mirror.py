"""A mirror on this machine that hands out archives, rightly or wrongly; and the archives."""

from __future__ import annotations

import hashlib
import http.server
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from addgcn.data.archives import Archive


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the first part of the address says, for instance /broken/NAME."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        _, manner, name = self.path.split("/")
        asked = self.headers.get("Range")
        server.asked.append((manner, name, asked))
        times = sum(one[:2] == (manner, name) for one in server.asked)
        self.close_connection = True
        if name not in server.files or manner == "missing":
            return self.send_error(404)
        if manner == "busy" and times < 3:
            return self.send_error(503)
        body: bytes = server.files[name]
        if manner == "other":
            body = bytes(reversed(body))
        if manner == "longer":
            body += b"more"
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and manner != "rangeless" else 0
        self.send_response(206 if start else 200)
        if start:
            first = start - 5 if manner == "elsewhere" else start
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        if manner != "lengthless":
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        if (manner in ("broken", "rangeless", "elsewhere") and times == 1) or manner == "crumbling":
            rest = rest[: max(1, len(rest) // 2)]
        if manner in ("silent", "trickling"):
            self.wfile.write(rest[:100])
            for byte in rest[100:140]:
                server.stopped.wait(0.05 if manner == "trickling" else 2)
                if server.stopped.is_set():
                    return None
                self.wfile.write(bytes([byte]))
        self.wfile.write(rest)
        return None

    def log_message(self, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """Hands out `files` at `at`/MANNER/NAME; `asked` lists the requests: manner, name, Range."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.stopped = threading.Event()
        self.at = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *args: Any) -> None:  # the other side hung up, as some tests want it to
        pass


def tar_of(folder: Path, part: Callable[[str], bool] = lambda name: True) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            if path.is_file() and part(name):
                tar.add(path, name)
    return buffer.getvalue()


def zip_of(folder: Path, part: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in sorted((folder / part).rglob("*")):
            zipped.write(path, str(path.relative_to(folder)))
    return buffer.getvalue()


def at(server: Server, official: Archive, content: bytes, *manners: str) -> Archive:
    """An archive like an official one, with other content, on the test's server."""
    server.files[official.name] = content
    method = "sha256" if official.hash is None else official.hash.partition(":")[0]
    digest = hashlib.new(method, content, usedforsecurity=False).hexdigest()
    urls = tuple(f"{server.at}/{manner}/{official.name}" for manner in manners)
    return replace(official, size=len(content), hash=f"{method}:{digest}", urls=urls)


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
