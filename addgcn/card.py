"""The model card of a run: README.md in the form of the Hugging Face hub, made from the run's record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from .data import COCO_CLASSES, VOC_CLASSES
from .records import write_text

SIGN = "<!-- made by addgcn from record.json -->"
SHOWN = ("mAP", "CF1", "OF1", "CP", "CR", "OP", "OR")  # of the metrics


def write_card(folder: str | Path, record: dict[str, Any], classes: tuple[str, ...]) -> None:
    """Write the card of a run beside its model. One that is not of this library is left as it is.

    Args:
        record: what `addgcn.train.train` returns.

    Raises:
        InputError: the folder cannot be written.
    """
    path = Path(folder) / "README.md"
    if not path.exists() or SIGN in path.read_text(encoding="utf-8", errors="replace"):
        write_text(path, str(make_card(record, classes)).rstrip("\n") + "\n")


def make_card(record: dict[str, Any], classes: tuple[str, ...]) -> ModelCard:
    """The card: data, recipe, metrics, record and limits. The licence is for whoever publishes the model to state.

    The metrics stand in the head, too, in the form that the hub reads (model-index).
    """
    recipe, metrics, data = record["recipe"], record["metrics"], record["data"]
    split, size = data["eval"], recipe["test_size"] or recipe["size"]
    own = not is_official(data["name"], classes)  # a folder of somebody's own, in the layout of this one
    source, said = ("own", f"data of its makers, laid out as {data['name']},") if own else (data["name"], data["name"])
    name = f"{recipe['model']}-{recipe['backbone'].replace('/', '-')}-{source}"
    results = [
        EvalResult("image-classification", source, source, kind, round(metrics[kind], 2),
                   task_name="Multi-label image recognition", dataset_split=split["split"])
        for kind in SHOWN[:3] if metrics[kind] is not None
    ]  # fmt: skip
    head = ModelCardData(
        library_name="addgcn",
        pipeline_tag="image-classification",
        tags=["multi-label", "add-gcn", recipe["model"]],
        datasets=None if own else [data["name"]],
        metrics=list(SHOWN[:3]),
        model_name=name,
        eval_results=results,
    )
    settings = "\n".join(f"| {key} | {_said(value)} |" for key, value in recipe.items())
    numbers = " | ".join("none" if metrics[kind] is None else f"{metrics[kind]:.2f}" for kind in SHOWN)
    absent = (
        f"\nWithout a positive, so in no mean: {', '.join(map(str, metrics['absent']))}.\n" if metrics["absent"] else ""
    )
    start = ""
    if "init" in record:
        origin = Path(record["init"]["from"])
        start = f"\nIt started from the weights of {origin.name if origin.is_absolute() else origin}.\n"
    held = " (held out of the training images)" if recipe["holdout"] else ""
    libraries = ", ".join(f"{k} {v}" for k, v in record["libraries"].items())
    return ModelCard(f"""---
{head.to_yaml()}
---
{SIGN}
# {name}

A model for multi-label image recognition: which of {len(classes)} categories are on a photograph. Made with the library
`addgcn`, after ADD-GCN (Ye et al., ECCV 2020).

    from addgcn import load_model
    model = load_model("this folder, or its name on the hub")

Categories, in the order of the scores: {("; " if any("," in name for name in classes) else ", ").join(classes)}.

## Data

Trained on {said} {data["train"]["split"]} ({data["train"]["images"]} images), judged by {split["split"]}{held}
({split["images"]} images) at {size} x {size} pixels.
{start}
## Metrics

In percent, of {split["split"]}; the weights of the last epoch, one view of each image, decisions at 0.5.

| {" | ".join(SHOWN)} |
|{"---|" * len(SHOWN)}
| {numbers} |
{absent}
## Recipe

| setting | value |
|---|---|
{settings}

## Record

`{record["id"]}`, {record["date"]}: {record["processes"]} process(es) on {record["machine"]["device"]},
{record["duration_s"]:.0f} s, addgcn {record["code"]["version"]} ({record["code"]["digest"]}), {libraries}. All of it
is in `record.json`; the scores that the metrics were computed from have the SHA-256 `{record["scores_sha256"]}`.

## Limits

- One run with one seed: a difference of a few tenths to another model says nothing without further seeds.
- It learned which categories stand together in its training images, and may expect company that is not there, or miss
  what stands alone.
- The scores are not calibrated, and the threshold of 0.5 is not tuned.
- It knows no categories but the ones above, and was not tested on other kinds of images than those named.
- No licence is stated here: the data's terms and yours decide. Add `license:` to the head before you publish it.
""")


def is_official(data: str, classes: tuple[str, ...]) -> bool:
    """Whether these are the categories of the data set of that name, and not of a folder that is laid out like it."""
    known = {"coco": COCO_CLASSES, "voc2": VOC_CLASSES}.get(data[:4], classes)
    return classes == known


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
