"""Count how many labels the images of COCO 2014 have, and keep the counts as records.

    python tools/labels_per_image.py coco2014_15k_labels.npz

The file holds `names` (N,), paths such as "val2014/COCO_val2014_000000581654.jpg", and `labels` (N, 80) of 0 and 1:
the 15,000 rows of labels that the DeepHash project publishes (MIT licence).
"""

from __future__ import annotations

import argparse

import numpy as np

from addgcn.records import append_record, make_record, sha256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file")
    path = parser.parse_args().file
    rows = np.load(path, allow_pickle=False)
    for split in ("train", "val"):
        chosen = np.char.startswith(rows["names"], split)
        counts = np.bincount(rows["labels"][chosen].sum(1))  # counts[n]: images with n labels
        data = {"name": "coco2014", "split": split, "images": int(chosen.sum()), "source": "DeepHash, 15,000 rows"}
        record = make_record("labels per image", data=data, counts=counts.tolist(), file_sha256=sha256(path))
        append_record("labels_per_image", record)


if __name__ == "__main__":
    main()
