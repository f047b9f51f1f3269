"""Count the labels of VOC 2007, those of "difficult" objects too, and keep the counts as records.

python tools/voc_labels.py FOLDER      # VOCdevkit, its parent, or VOC2007 itself; photographs are not needed
"""

from __future__ import annotations

import argparse
import hashlib

from addgcn.data import load
from addgcn.records import append_record, make_record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    for split in ("trainval", "test"):
        found = load("voc2007", split, folder, check_images=False)
        y = found.targets  # (N, C)
        sha256 = hashlib.sha256("\n".join(found.ids).encode() + b"\0" + y.numpy().tobytes()).hexdigest()
        record = make_record(
            "labels of VOC 2007",
            data={"name": "voc2007", "split": split, "images": len(found), "labels_sha256": sha256},
            classes=list(found.classes),
            present=(y == 1).sum(0).tolist(),
            difficult=(y == -1).sum(0).tolist(),
        )
        append_record("voc2007_labels", record)


if __name__ == "__main__":
    main()
