"""What the VOC evaluation server takes: scores of VOC 2012's test images, whose labels it alone has.

A .tar.gz with one text file for each category, a line for each image::

    results/VOC2012/Main/comp2_cls_test_aeroplane.txt        2008_000001 -3.4178367

The number says which competition is entered: 1 for what was trained on VOC 2012's trainval images alone, 2 for what
saw any other data. Weights from ImageNet or COCO are other data, so nearly every entry belongs to the second.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .batches import FromPixels, start_accelerator
from .data import VOC_CLASSES, load
from .data.archives import SOURCES
from .errors import InputError
from .evaluate import check_at_least_one, check_classes, score_split, size_of
from .pretrained import load_model
from .records import discard
from .runs import read_run
from .views import AveragedViews

FOLDER = "results/VOC2012/Main"
COMPETITIONS = (1, 2)
IMAGES = SOURCES["voc2012"].counts["test"][0]


def submit(
    folder: str | Path,
    root: str | Path,
    out: str | Path,
    competition: int = 2,
    sizes: Sequence[int] = (),
    flip: bool = False,
    batch_size: int = 64,
    workers: int = 2,
) -> int:
    """Score VOC 2012's test images with the model in a run folder and write the file for the evaluation server.

    Args:
        root: the folder of VOC 2012, with the test images; see `addgcn fetch voc2012`.
        out: the file to write, NAME.tar.gz.
        competition: 1 or 2; see above.
        sizes, flip: as for `addgcn.evaluate.evaluate_run`; by default the size that the run was evaluated at.

    Returns:
        The number of images.

    Raises:
        InputError: no model, no test images, other classes than VOC's, a run that is not for this competition, or
            scores that are not numbers.
    """
    folder, out = Path(folder), Path(out)
    _check_name(out)
    sizes = sizes or [size_of(folder)]
    check_at_least_one(size=min(sizes), batch_size=batch_size)
    model = load_model(folder)
    _check_competition(folder, competition)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the labels of VOC 2012's test split")  # what the server is for
        dataset = load("voc2012", "test", root)
    if len(dataset) != IMAGES:
        raise InputError(
            f"{root} lists {len(dataset):,} test images of VOC 2012, but the server expects all {IMAGES:,}: unpack "
            "VOC2012test.tar there, for instance with addgcn fetch voc2012 --from VOC2012test.tar."
        )
    check_classes(model.classes, dataset.classes, folder)
    accelerator = start_accelerator()
    views = AveragedViews(FromPixels(model), flip).to(accelerator.device)
    scores, _ = score_split(views, dataset, sizes, batch_size, workers, accelerator)
    if accelerator.is_main_process:
        write_submission(out, scores, dataset.ids, dataset.classes, competition)
    return len(dataset)


def write_submission(
    path: str | Path,
    scores: Tensor,
    ids: Sequence[str],
    classes: Sequence[str] = VOC_CLASSES,
    competition: int = 2,
) -> None:
    """Write the scores (N, C) of the images `ids` as the server wants them; then read the file back and compare.

    Higher means more likely; the server ranks the images of each category, so scores before the sigmoid serve well.
    They are written with all the digits of float32.

    Raises:
        InputError: shapes that do not fit, a score that is not a finite number, or a file that cannot be written.
    """
    path = Path(path)
    _check_name(path)
    if competition not in COMPETITIONS:
        raise InputError(f"competition must be 1 (VOC's own images alone) or 2 (other data too), not {competition}.")
    if scores.shape != (len(ids), len(classes)):
        raise InputError(f"scores {tuple(scores.shape)} do not fit {len(ids)} images and {len(classes)} classes.")
    if not scores.isfinite().all():
        n, c = (~scores.isfinite()).nonzero()[0].tolist()
        raise InputError(f"the score of {ids[n]} for {classes[c]} is {scores[n, c].item()}: the model is broken.")
    scores = scores.float().cpu()
    temporary = path.with_name(f".{path.name}.tmp.tar.gz")
    try:
        with gzip.GzipFile(temporary, "wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
            for c, name in enumerate(classes):
                lines = (f"{image} {_digits(s)}\n" for image, s in zip(ids, scores[:, c].tolist(), strict=True))
                content = "".join(lines).encode()
                info = tarfile.TarInfo(f"{FOLDER}/comp{competition}_cls_test_{name}.txt")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        found, read = read_submission(temporary, ids, classes)
        if found != competition or not torch.equal(read, scores):
            raise InputError(f"{path} does not read back as it was written: the disk is faulty.")
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}. Free some space or choose another --out.") from error
    finally:
        discard(temporary)


def read_submission(path: str | Path, ids: Sequence[str], classes: Sequence[str] = VOC_CLASSES) -> tuple[int, Tensor]:
    """Check a file for the server, whoever wrote it: every class file there, every image once, finite numbers.

    Args:
        ids: the images that must be in it, those of ImageSets/Main/test.txt; their order in the files is free.

    Returns:
        The competition, and the scores (N, C) in the order of `ids` and `classes`.

    Raises:
        InputError: the first thing that is wrong, with file and line.
    """
    path = Path(path)
    contents: dict[str, str] = {}
    competitions = set()
    try:
        content = gzip.decompress(path.read_bytes())  # all of it, so that a cut end shows
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for member in tar.getmembers():
                if member.isdir():
                    continue
                found = re.fullmatch(rf"(?:\./)?{FOLDER}/comp([12])_cls_test_(\w+)\.txt", member.name)
                file = tar.extractfile(member) if member.isreg() else None
                if found is None or file is None or found[2] not in classes or found[2] in contents:
                    raise InputError(f"{path}: the server expects no {member.name!r} here, or only one. Remove it.")
                contents[found[2]] = file.read().decode("ascii", "replace")
                competitions.add(int(found[1]))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise InputError(f"{path} is damaged, or no .tar.gz ({error}). Write it again.") from None
    missing = [name for name in classes if name not in contents]
    if missing:
        raise InputError(f"{path} lacks the files of {len(missing)} classes, first comp?_cls_test_{missing[0]}.txt.")
    if len(competitions) != 1:
        raise InputError(f"{path} has files of both competitions, comp1 and comp2. Give in one at a time.")
    columns = [_read_column(f"{path}, {name}", contents[name], ids) for name in classes]
    return competitions.pop(), torch.tensor(columns, dtype=torch.float32).T.contiguous()  # (C, N) -> (N, C)


def _read_column(where: str, text: str, ids: Sequence[str]) -> list[float]:
    """The scores of one class file, in the order of `ids`."""
    known = set(ids)
    scores: dict[str, float] = {}
    for n, line in enumerate(text.splitlines(), 1):
        words = line.split()
        try:
            image, score = words[0], float(words[1])
        except (IndexError, ValueError):
            raise InputError(f"{where}, line {n}: {line!r} is not an image name and a score.") from None
        if len(words) != 2 or not np.isfinite(score):
            raise InputError(f"{where}, line {n}: {line!r} is not an image name and one finite score.")
        if image not in known:
            raise InputError(f"{where}, line {n}: {image!r} is not one of the {len(ids)} test images.")
        if image in scores:
            raise InputError(f"{where}, line {n}: the image {image!r} stands there a second time.")
        scores[image] = score
    missing = [image for image in ids if image not in scores]
    if missing:
        raise InputError(f"{where}: {len(missing)} of {len(ids)} test images are missing, first {missing[0]!r}.")
    return [scores[image] for image in ids]


def _check_name(path: Path) -> None:
    if not path.name.endswith((".tar.gz", ".tgz")):
        raise InputError(f"{path}: the server takes a .tar.gz file. Choose such a name for --out.")


def _check_competition(folder: Path, competition: int) -> None:
    """Refuse to enter what has seen other images as if it had seen VOC's alone."""
    if competition == 2 or not (folder / "run.json").is_file():
        return
    recipe, source = read_run(folder)
    start = source.get("init_from")
    if start is not None and (Path(start) / "run.json").is_file():
        _check_competition(Path(start), competition)  # the run that this one started from counts, too
        start = None
    other = source["name"] if source["name"] != "voc2012" else recipe.weights or start
    if other is not None:
        raise InputError(f"the run in {folder} learned from {other}, other data than VOC 2012: take --competition 2.")


def _digits(score: float) -> str:
    """A float32 as the shortest decimal number that reads back as itself, without an exponent."""
    return np.format_float_positional(np.float32(score), unique=True, trim="0")
