"""Change the repository's address everywhere it is quoted.

    python tools/address.py                                  # print it
    python tools/address.py https://github.com/OWNER/NAME

`_config.yml` holds the address. Everything else that quotes it (badges, install cells, CITATION.cff, the links of
Colab, Binder and Pages) is found by that value among the files git knows, and rewritten.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FORM = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+?)(?:\.git)?/?")
CONFIGURED = re.compile(r"^  url: (\S+)$", re.MULTILINE)
# Where a pair owner/name counts as the address: after one of these, and not followed by more of a name.
BEFORE = r"(github\.com[/:]|raw\.githubusercontent\.com/|/github/|/gh/|img\.shields\.io/[a-z/]+/)"


def parts(address: str) -> tuple[str, str]:
    match = FORM.fullmatch(address)
    if match is None:
        raise SystemExit(f"{address!r} is not of the form https://github.com/OWNER/NAME")
    return match[1], match[2]


def configured(root: Path = ROOT) -> str:
    match = CONFIGURED.search((root / "_config.yml").read_text(encoding="utf-8"))
    if match is None:
        raise SystemExit("_config.yml has no line `  url: https://github.com/OWNER/NAME` under `repository:`")
    return match[1]


def rewrite(text: str, old: tuple[str, str], new: tuple[str, str]) -> str:
    """Every form of the old address in a text, made new."""
    owner, name = (re.escape(part) for part in old)
    text = re.sub(BEFORE + rf"{owner}/{name}(?![A-Za-z0-9_-])", lambda m: m[1] + "/".join(new), text)
    # Pages has the owner in small letters.
    return re.sub(rf"\b(?i:{owner})\.github\.io/{name}(?![A-Za-z0-9_-])", f"{new[0].lower()}.github.io/{new[1]}", text)


def main(arguments: list[str], root: Path = ROOT) -> int:
    address = configured(root)
    if not arguments:
        print(address)
        return 0
    old, new = parts(address), parts(arguments[0])
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    changed = 0
    for path in (root / name for name in names.split("\0") if name):
        try:
            before = path.read_bytes().decode("utf-8")
        except (UnicodeDecodeError, OSError):
            continue  # not text, or deleted but not yet committed
        after = rewrite(before, old, new)
        if after != before:
            path.write_bytes(after.encode("utf-8"))
            print(path.relative_to(root))
            changed += 1
    print(f"{changed} files changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd() if (Path.cwd() / "_config.yml").exists() else ROOT))
