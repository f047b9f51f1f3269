"""Starting from a trained model: its weights for other classes (from COCO to VOC, as section 4.2 does)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .errors import InputError
from .pretrained import WEIGHTS, find_file, read_config, read_safetensors
from .recipes import Model, Recipe
from .records import read_json, sha256

NO_DIFFERENCE = ("num_classes", "classes", "weights", "vectors")  # of two configurations that fit together


def start_model(
    recipe: Recipe, classes: Sequence[str], init_from: str | Path | None
) -> tuple[Model, dict[str, Any] | None]:
    """The recipe's model, with the weights of another one where `init_from` names it.

    What depends on the number of classes is made new (the maps' convolution, the static graph, the readout, and
    what else of the dynamic graph has a row for each class); every other tensor is taken over, the backbone's
    running means included. Nothing else is: no optimiser state, no epoch, no learning rate, no average.

    New rows are new for *all* classes, also for those that both data sets have. A row is no possession of its class
    alone: rows and columns of both graphs were trained beside those of all the other classes. And names would decide
    which rows are kept: of VOC's twenty classes, COCO has each, yet six under another name (tvmonitor, sofa, ...), and
    the fourteen trained rows beside six random ones would learn at one rate. Only where the two lists of classes are
    equal, order included, is everything kept.

    Args:
        init_from: a run folder, a folder written by save_pretrained, or a name on the hub; None: none.

    Returns:
        The model; and what was done, for the record: "from", "record" (the id of the run it came from),
        "sha256" of its weights, "kept" and "new" (the names of the tensors). None where `init_from` is.

    Raises:
        InputError: no model there, or one of another architecture; names each difference.
    """
    if init_from is None:
        return recipe.build(len(classes), classes), None
    bare = replace(recipe, weights=None)  # a backbone's own weights need not be fetched to be written over
    model = bare.build(len(classes), classes)
    config = read_config(init_from)
    check_same_architecture(model, config, init_from)
    path = find_file(init_from, WEIGHTS)
    source, own = read_safetensors(path), model.state_dict()
    if list(config.get("classes") or ()) == list(classes):
        new: list[str] = []
    else:
        with torch.device("meta"):  # shapes alone
            more = bare.build(len(classes) + 1).state_dict()
        new = sorted(name for name, tensor in own.items() if tensor.shape != more[name].shape)
    kept = sorted(own.keys() - set(new))
    model.fill({**source, **{name: own[name] for name in new}}, str(path))
    record = Path(init_from) / "record.json"
    run = read_json(record).get("id") if record.is_file() else None
    return model, {"from": str(init_from), "record": run, "sha256": sha256(path), "kept": kept, "new": new}


def check_same_architecture(model: Model, config: dict[str, Any], init_from: str | Path) -> None:
    """Make sure that the saved model is of the same make: class, backbone, width, wiring and all that.

    Raises:
        InputError: it is not; names each setting that differs.
    """
    ours = model.saved_config()
    settings = [k for k in ours if k not in NO_DIFFERENCE]
    if config["architecture"] != ours["architecture"]:
        settings = ["architecture"]  # the others then differ, too
    said = ", ".join(
        f"{k} is {config.get(k)!r} there and {ours[k]!r} here" for k in settings if config.get(k) != ours[k]
    )
    if said:
        raise InputError(
            f"the model in {init_from} is another one: {said}. Take the recipe and the settings it was trained with."
        )
