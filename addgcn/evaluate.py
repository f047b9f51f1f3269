"""A trained model at work: its metrics on a split, its predictions on photographs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from .batches import EVAL_SPLIT, FromPixels, open_data, start_accelerator
from .calibration import calibrate
from .data import MultiLabelDataset, check_labelled, load, open_image
from .data.transforms import eval_transform
from .errors import InputError
from .estimate import decoders
from .pretrained import load_model, read_config
from .records import make_record, read_json, save_scores, sha256_of, write_json
from .runs import describe, read_run
from .scores import compute_metrics, free_name, per_class, read_scores
from .train import collect_scores
from .views import AveragedViews, Views


def evaluate_run(
    folder: str | Path,
    split: str | None = None,
    data: str | None = None,
    root: str | Path | None = None,
    size: int | None = None,
    batch_size: int = 64,
    workers: int = 2,
    mode: str = "raw",
    *,
    sizes: Sequence[int] = (),
    flip: bool = False,
    calibrate_on: str | None = None,
) -> dict[str, Any]:
    """Metrics of the model in a run folder on a split; the record, and the scores beside the model.

    What is None is as the run had it: its data and root, the split it was evaluated on, the recipe's test_size. The
    scores of other images or at another size do not replace those that lie there, see `addgcn.scores.free_name`.

    Args:
        sizes, flip: test-time averaging, see `addgcn.views.AveragedViews`: several sizes in the place of the one,
            and each image's mirror image beside it. What is written then has "averaged" in its name.
        calibrate_on: also fit a temperature and thresholds, see `addgcn.calibration.calibrate`, on this part of the
            data: "holdout", what the run held out of its training images, or another split. The split evaluated is
            then by default the one that results are reported on, which can never be the one to calibrate on.

    Raises:
        InputError: no model, no data, or a model with other classes than the data; or a part to calibrate on that
            the model was trained on, or that is evaluated.
    """
    if size is not None and sizes:
        raise InputError("give --size for one size or --sizes to average over several, not both.")
    sizes = sizes or [size_of(Path(folder)) if size is None else size]
    check_at_least_one(size=min(sizes), batch_size=batch_size)
    folder = Path(folder)
    model = load_model(folder)
    if calibrate_on is None:
        dataset, part = open_split(folder, split, data, root), None
    else:
        dataset, part = open_parts(folder, split, calibrate_on, data, root)
    check_classes(model.classes, dataset.classes, folder)

    accelerator = start_accelerator()
    model = AveragedViews(FromPixels(model), flip).to(accelerator.device)
    began = time.time()
    scores, targets = score_split(model, dataset, sizes, batch_size, workers, accelerator)
    seconds = time.time() - began
    metrics = compute_metrics(scores, targets, dataset.classes, mode)
    calibration = None
    if part is not None:
        held_out = score_split(model, part, sizes, batch_size, workers, accelerator)
        calibration = {"on": describe(part), **calibrate(held_out, (scores, targets), dataset.classes)}
    described = describe(dataset)
    name = dataset.split + ("_averaged" if flip or len(sizes) > 1 else "")
    name = free_name(folder, name, described["digest"], sizes)
    record: dict[str, Any] = make_record(
        "evaluate",
        run=record_of(folder),
        sizes=list(sizes),
        flip=flip,
        data={"name": dataset.name, "eval": described},
        processes=accelerator.num_processes,
        duration_s=round(seconds, 2),
        scores_sha256=sha256_of(scores),
        classes=list(dataset.classes),
        metrics=metrics.as_dict(),
        per_class=per_class(scores, targets),
        **({} if calibration is None else {"calibration": calibration}),
        **({"scores": f"scores_{name}.npz"} if folder.is_dir() else {}),
    )
    if accelerator.is_main_process and folder.is_dir():
        save_scores(folder / f"scores_{name}.npz", scores, targets, dataset)
        write_json(folder / f"evaluate_{name}.json", record)
    return record


def score_split(
    model: AveragedViews,
    dataset: MultiLabelDataset,
    sizes: Sequence[int],
    batch_size: int,
    workers: int,
    accelerator: Accelerator,
) -> tuple[Tensor, Tensor]:
    """Scores (N, C) and targets (N, C) of a whole split, averaged over the views."""
    dataset.transform = Views(sizes)
    loader = accelerator.prepare(DataLoader(dataset, batch_size, num_workers=decoders(workers)))
    bar = tqdm(loader, f"{dataset.name} {dataset.split}", leave=False, disable=not accelerator.is_main_process)
    return collect_scores(model, bar, accelerator)


def evaluate_scores(path: str | Path, mode: str = "raw", run: str | Path | None = None) -> dict[str, Any]:
    """Metrics of saved scores: the numbers that `evaluate_run` gave when it wrote them, without model and images.

    Args:
        run: a folder with a model, whose classes must then be those of the scores.

    Raises:
        InputError: no such file, a damaged one, or other classes than the run's.
    """
    saved = read_scores(path)
    if run is not None and (classes := read_config(run).get("classes")) is not None:
        check_classes(classes, saved.classes, Path(run))
    return make_record(
        "evaluate-scores",
        scores=str(path),
        scores_sha256=sha256_of(saved.scores),
        classes=list(saved.classes),
        metrics=compute_metrics(saved.scores, saved.targets, saved.classes, mode).as_dict(),
        per_class=per_class(saved.scores, saved.targets),
    )


def predict_photos(
    folder: str | Path, photos: Sequence[str | Path], out: str | Path, top: int = 5, size: int | None = None
) -> Iterator[tuple[Path, list[tuple[str, float]], Path]]:
    """For each photograph: its path, the `top` categories with sigma(s), highest first, and the figure written.

    Photographs that cannot be read do not stop the others: they are named at the end.

    Raises:
        InputError: no model, no photograph, a folder that cannot be written; or, after the last photograph, those
            that could not be read.
    """
    from .viz import show_maps, show_predictions

    check_at_least_one(photographs=len(photos), top=top, size=size)
    folder, out = Path(folder), Path(out)
    model = load_model(folder)
    classes = model.classes or tuple(f"class {c}" for c in range(model.num_classes))
    transform = eval_transform(size or size_of(folder), model.backbone.mean, model.backbone.std)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {out}: {error.strerror}. Choose another with --out.") from error
    top = min(top, len(classes))
    written: set[Path] = set()
    unreadable: list[str] = []
    for photo in map(Path, photos):
        try:
            image = open_image(photo)
        except InputError as error:
            unreadable.append(str(error))
            continue
        with torch.no_grad():
            explanation = model.explain(transform(image).unsqueeze(0))  # (1, 3, H, W)
        s = explanation.scores[0].sigmoid()  # (C,)
        if not s.isfinite().all():
            raise InputError(f"{folder} gives scores that are not numbers: its weights are broken. Train it again.")
        ranked = [(classes[c], s[c].item()) for c in s.argsort(descending=True)[:top].tolist()]
        if explanation.maps is not None:
            figure = show_maps(image, explanation, classes, top=top)
        else:
            figure = show_predictions(image, explanation.scores[0], classes, top=top)
        path, number = out / f"{photo.stem}_maps.png", 1
        while path in written:  # photographs of the same name, from different folders
            number += 1
            path = out / f"{photo.stem}-{number}_maps.png"
        written.add(path)
        try:
            figure.savefig(path, dpi=150)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}. Choose another folder with --out.") from error
        yield photo, ranked, path
    if unreadable:
        raise InputError(f"{len(unreadable)} of {len(photos)} photographs could not be read. " + " ".join(unreadable))


def open_split(folder: Path, split: str | None, data: str | None, root: str | Path | None) -> MultiLabelDataset:
    """The split to evaluate on. What is None is as the run in `folder` had it.

    Raises:
        InputError: neither the run nor the caller says which data, or it has no labels.
    """
    if (folder / "run.json").is_file():
        recipe, source = read_run(folder)
        if data is None or data == source["name"]:
            data, root = source["name"], root or source["root"]
            if split is None and recipe.holdout > 0:  # a part of the training split
                return open_data(recipe, data, root, source["train_split"], None)[1]
            split = split or source["eval_split"]
    if data is None:
        raise InputError(f"{folder} does not say what it was trained on: name the data, for instance --data coco2014.")
    dataset = load(data, split or EVAL_SPLIT.get(data, "val"), root)
    check_labelled(dataset)
    return dataset


def open_parts(
    folder: Path, split: str | None, calibrate_on: str, data: str | None, root: str | Path | None
) -> tuple[MultiLabelDataset, MultiLabelDataset]:
    """The split to report on, and the part of the data to calibrate on, which must be neither it nor trained on.

    Raises:
        InputError: it is; or it is the split that results are reported on, or there is nothing held out.
    """
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder} does not say what the model was trained on, so nothing is known to be held out.")
    recipe, source = read_run(folder)
    if data is not None and data != source["name"]:
        raise InputError(f"calibrate on the data that the run was trained on: {source['name']}, not {data}.")
    data, root = source["name"], root or source["root"]
    reported = EVAL_SPLIT.get(data, "val")
    dataset = load(data, split or reported, root)
    if calibrate_on in (dataset.split, reported):
        raise InputError(
            f"{calibrate_on} is what results are reported on: what is fitted there flatters itself. Calibrate on "
            "another split, or train with --holdout 0.1 and calibrate on 'holdout'."
        )
    trained_on, held_out = open_data(recipe, data, root, source["train_split"], source["eval_split"])
    if calibrate_on != "holdout":
        held_out = load(data, calibrate_on, root)
    elif not recipe.holdout:
        raise InputError(f"the run in {folder} held nothing out: train with --holdout 0.1, or name another split.")
    for what, other in (("trained on", trained_on), ("to be judged by", dataset)):
        shared = {other.path(i) for i in range(len(other))} & {held_out.path(i) for i in range(len(held_out))}
        if shared:
            raise InputError(
                f"{len(shared)} of the {len(held_out)} images of {calibrate_on!r} are among those that the model is "
                f"{what}: calibrate on others, for instance by training with --holdout 0.1."
            )
    return dataset, held_out


def size_of(folder: Path) -> int:
    """Pixels of the square images that the run in `folder` was evaluated on; 448 where there is only a model."""
    if not (folder / "run.json").is_file():
        return 448
    recipe, _ = read_run(folder)
    return recipe.test_size or recipe.size


def record_of(folder: Path) -> str | None:
    """The id of the training run's record, if there is one."""
    path = folder / "record.json"
    record = read_json(path) if path.is_file() else {}
    return record.get("id") if isinstance(record, dict) else None


def check_at_least_one(**values: int | None) -> None:
    for name, value in values.items():
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, not {value}.")


def check_classes(of_model: Sequence[str] | None, of_data: Sequence[str], folder: Path) -> None:
    """Refuse to compare scores with targets of other classes, or of the same in another order.

    Raises:
        InputError: they differ; says where first.
    """
    if of_model is None or tuple(of_model) == tuple(of_data):
        return
    if sorted(of_model) == sorted(of_data):
        raise InputError(
            f"the model in {folder} has the data's classes in another order: "
            "convert its checkpoint again with --order dataset."
        )
    raise InputError(
        f"the model in {folder} has {len(of_model)} classes ({', '.join(of_model[:3])}, ...), the data "
        f"{len(of_data)} ({', '.join(of_data[:3])}, ...): evaluate on the data it was trained for."
    )
