"""A trained model at work: its metrics on a split, its predictions on photographs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

from .batches import EVAL_SPLIT
from .data import load, open_image
from .data.transforms import eval_transform
from .errors import InputError
from .pretrained import load_model
from .recipes import Recipe
from .records import make_record, read_json, write_json
from .runs import describe, save_scores
from .train import collect_scores, compute_metrics


def evaluate_run(
    folder: str | Path,
    split: str | None = None,
    data: str | None = None,
    root: str | Path | None = None,
    size: int | None = None,
    batch_size: int = 64,
    workers: int = 2,
    mode: str = "raw",
) -> dict[str, Any]:
    """Metrics of the model in a run folder on a split; the record, and the scores beside the model.

    What is None is as the run had it: its data and root, the split it was evaluated on, the recipe's test_size.

    Raises:
        InputError: no model, no data, or a model with other classes than the data.
    """
    folder = Path(folder)
    model = load_model(folder)
    run = read_run(folder)
    data = data or run["data"].get("name")
    if data is None:
        raise InputError(f"{folder} does not say what it was trained on: name the data, for instance --data coco2014.")
    if root is None and data == run["data"].get("name"):
        root = run["data"].get("root")
    dataset = load(data, split or EVAL_SPLIT.get(data, "val"), root)
    check_classes(model.classes, dataset.classes, folder)
    size = size or run["size"]
    dataset.transform = eval_transform(size, model.backbone.mean, model.backbone.std)

    accelerator = Accelerator()
    model, loader = accelerator.prepare(model, DataLoader(dataset, batch_size, num_workers=workers))
    model = accelerator.unwrap_model(model)
    began = time.time()
    scores, targets = collect_scores(model, False, loader, accelerator)
    seconds = time.time() - began
    metrics = compute_metrics(scores, targets, dataset.classes, mode)
    record: dict[str, Any] = make_record(
        "evaluate",
        run=run["record"],
        size=size,
        data={"name": data, "eval": describe(dataset)},
        duration_s=round(seconds, 2),
        classes=list(dataset.classes),
        metrics=metrics.as_dict(),
    )
    if accelerator.is_main_process and folder.is_dir():
        record["scores_sha256"] = save_scores(folder / f"scores_{dataset.split}.npz", scores, targets, dataset)
        write_json(folder / f"evaluate_{dataset.split}.json", record)
    return record


def predict_photos(
    folder: str | Path, photos: Sequence[str | Path], out: str | Path, top: int = 5, size: int | None = None
) -> Iterator[tuple[Path, list[tuple[str, float]], Path]]:
    """For each photograph: its path, the `top` categories with sigma(s), highest first, and the figure written.

    Raises:
        InputError: no model, an image that cannot be read, or a folder that cannot be written.
    """
    from .viz import show_maps, show_predictions

    folder, out = Path(folder), Path(out)
    model = load_model(folder)
    classes = model.classes or tuple(f"class {c}" for c in range(model.num_classes))
    transform = eval_transform(size or read_run(folder)["size"], model.backbone.mean, model.backbone.std)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {out}: {error.strerror}. Choose another with --out.") from error
    top = min(top, len(classes))
    for photo in map(Path, photos):
        image = open_image(photo)
        with torch.no_grad():
            explanation = model.explain(transform(image).unsqueeze(0))  # (1, 3, H, W)
        s = explanation.scores[0].sigmoid()  # (C,)
        ranked = [(classes[c], s[c].item()) for c in s.argsort(descending=True)[:top].tolist()]
        if explanation.maps is not None:
            figure = show_maps(image, explanation, classes, top=top)
        else:
            figure = show_predictions(image, explanation.scores[0], classes, top=top)
        path = out / f"{photo.stem}_maps.png"
        try:
            figure.savefig(path, dpi=150)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}. Choose another folder with --out.") from error
        yield photo, ranked, path


def read_run(folder: Path) -> dict[str, Any]:
    """What the run folder says of its run; a folder that only holds a model has the defaults."""
    path = folder / "run.json"
    if not path.is_file():
        return {"data": {}, "size": 448, "record": None}
    run = read_json(path)
    try:
        recipe = Recipe.from_dict(run["recipe"])
        data = {key: run["data"][key] for key in ("name", "root")}
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged (no {error}).") from error
    record = folder / "record.json"
    return {
        "data": data,
        "size": recipe.test_size or recipe.size,
        "record": read_json(record)["id"] if record.is_file() else None,
    }


def check_classes(of_model: Sequence[str] | None, of_data: Sequence[str], folder: Path) -> None:
    """Refuse to compare scores with targets of other classes, or of the same in another order.

    Raises:
        InputError: they differ; says where first.
    """
    if of_model is None or tuple(of_model) == tuple(of_data):
        return
    if sorted(of_model) == sorted(of_data):
        raise InputError(f"the model in {folder} has the data's classes in another order: `addgcn convert` reorders.")
    raise InputError(
        f"the model in {folder} has {len(of_model)} classes ({', '.join(of_model[:3])}, ...), the data "
        f"{len(of_data)} ({', '.join(of_data[:3])}, ...): evaluate on the data it was trained for."
    )
