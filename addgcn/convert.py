"""Checkpoints of the released code <-> ours (`wiring="released"`).

The released state dict of ResNet-101 and 80 classes has 644 entries. Its 1x1 convolutions over a sequence are
linear layers here, so their last axis of length 1 goes; everything else is a new name for the same numbers.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from .errors import InputError

# released name -> (ours, dimensions ours has). A trailing dot stands for everything below it.
NAMES = {
    "fc.weight": ("representation.classifier.weight", 4),
    "conv_transform.weight": ("representation.transform.weight", 4),
    "conv_transform.bias": ("representation.transform.bias", 1),
    "gcn.static_adj.0.weight": ("graph.static.adjacency.weight", 2),
    "gcn.static_weight.0.weight": ("graph.static.convolution.update.weight", 2),
    "gcn.static_weight.0.bias": ("graph.static.convolution.update.bias", 1),
    "gcn.conv_global.weight": ("graph.dynamic.adjacency.global_conv.weight", 2),
    "gcn.conv_global.bias": ("graph.dynamic.adjacency.global_conv.bias", 1),
    "gcn.bn_global.weight": ("graph.dynamic.adjacency.global_norm.weight", 1),
    "gcn.bn_global.bias": ("graph.dynamic.adjacency.global_norm.bias", 1),
    "gcn.bn_global.running_mean": ("graph.dynamic.adjacency.global_norm.running_mean", 1),
    "gcn.bn_global.running_var": ("graph.dynamic.adjacency.global_norm.running_var", 1),
    "gcn.bn_global.num_batches_tracked": ("graph.dynamic.adjacency.global_norm.num_batches_tracked", 0),
    "gcn.conv_create_co_mat.weight": ("graph.dynamic.adjacency.to_weights.weight", 2),
    "gcn.conv_create_co_mat.bias": ("graph.dynamic.adjacency.to_weights.bias", 1),
    "gcn.dynamic_weight.weight": ("graph.dynamic.convolution.update.weight", 2),
    "gcn.dynamic_weight.bias": ("graph.dynamic.convolution.update.bias", 1),
    "last_linear.weight": ("readout.weight", 2),
    "last_linear.bias": ("readout.bias", 1),
}
COUNTER = "gcn.bn_global.num_batches_tracked"  # absent from very old checkpoints
TRUNK, OUR_TRUNK = "features.", "backbone."
# the axes that count classes; the adjacency has two
CLASS_AXES = {
    "representation.classifier.weight": (0,),
    "graph.static.adjacency.weight": (0, 1),
    "graph.dynamic.adjacency.to_weights.weight": (0,),
    "graph.dynamic.adjacency.to_weights.bias": (0,),
    "readout.weight": (0,),
    "readout.bias": (0,),
}


def from_released(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A released state dict -> the keys and shapes of `ADDGCN(wiring="released")`; no trunk keys: the head alone.

    The classes keep their order, which in the released COCO checkpoint is alphabetical: see `reorder_classes`.
    `mask_mat` is the identity and is dropped, after a look that it is.

    Raises:
        InputError: keys are missing or unknown, or shapes do not belong together; all are named.
    """
    state = {k.removeprefix("module."): v for k, v in state_dict.items()}  # "module." comes from DataParallel
    mask = state.pop("mask_mat", None)
    if mask is not None and not (mask.dim() == 2 and torch.equal(mask.float(), torch.eye(*mask.shape))):
        raise InputError("mask_mat is not the identity: this is not a checkpoint of the released ADD-GCN.")
    missing = [k for k in NAMES if k not in state and k != COUNTER]
    unknown = [k for k in state if k not in NAMES and not k.startswith(TRUNK)]
    if missing or unknown:
        raise InputError(
            "not a checkpoint of the released ADD-GCN: "
            + "; ".join(
                f"{what} {', '.join(keys)}" for what, keys in (("missing", missing), ("unknown", unknown)) if keys
            )
        )
    converted = {OUR_TRUNK + k.removeprefix(TRUNK): v for k, v in state.items() if k.startswith(TRUNK)}
    for theirs, (ours, dims) in NAMES.items():
        value = state.get(theirs, torch.tensor(0))
        while value.dim() > dims and value.shape[-1] == 1:
            value = value.squeeze(-1)
        converted[ours] = value
    _check_shapes(converted)
    return converted


def to_released(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The way back: a state dict of `ADDGCN(wiring="released")` -> the released code's keys and shapes.

    Raises:
        InputError: the state dict is of another wiring, graph or readout.
    """
    missing = [ours for ours, _ in NAMES.values() if ours not in state_dict]
    if missing:
        raise InputError(f"only ADDGCN(wiring='released', graph='S-D', readout='bi') converts; missing {missing[0]}.")
    converted = {TRUNK + k.removeprefix(OUR_TRUNK): v for k, v in state_dict.items() if k.startswith(OUR_TRUNK)}
    for theirs, (ours, dims) in NAMES.items():
        value = state_dict[ours]
        # every 2-d weight of ours was a convolution over a sequence there, of kernel size 1
        converted[theirs] = value.unsqueeze(-1) if dims == 2 else value
    converted["mask_mat"] = torch.eye(len(state_dict["readout.bias"]))
    return converted


def reorder_classes(state_dict: Mapping[str, Tensor], old: Sequence[str], new: Sequence[str]) -> dict[str, Tensor]:
    """Our state dict with its classes in the order `new` instead of `old`; scores are permuted, nothing else.

    Raises:
        InputError: the two lists do not name the same classes, or not as many as the weights have.
    """
    from .data.base import class_permutation

    if missing := sorted(CLASS_AXES.keys() - state_dict.keys()):
        raise InputError(
            f"only ADDGCN(wiring='released', graph='S-D', readout='bi') is reordered; missing {missing[0]}."
        )
    take = torch.tensor(class_permutation(old, new))
    result = dict(state_dict)
    for key, axes in CLASS_AXES.items():
        for axis in axes:
            if result[key].shape[axis] != len(take):
                raise InputError(f"{len(take)} class names for weights of {result[key].shape[axis]} classes ({key}).")
            result[key] = result[key].index_select(axis, take)
    return result


def read_released(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a released checkpoint file (.pth), read without running any code in it.

    Raises:
        InputError: no such file, not a checkpoint, or a pickle that wants to do more than hold tensors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on the pickle's format; what cannot be read raises
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.") from error
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} holds more than tensors and plain values, or is no checkpoint; it was not opened, "
            "since a pickle can run code. Ask its author for a state dict saved alone, or for safetensors."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise InputError(f"{path} is no whole PyTorch checkpoint ({error}). Copy it again.") from error
    state = checkpoint.get("state_dict", checkpoint) if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise InputError(f"{path} holds no state dict (a dictionary of tensors).")
    return state


def _check_shapes(state: Mapping[str, Tensor]) -> None:
    for key, dims in (("readout.weight", 2), ("representation.classifier.weight", 4)):  # these say what to expect
        if state[key].dim() != dims:
            raise InputError(f"{key} has shape {tuple(state[key].shape)}; it should have {dims} dimensions.")
    C, dim = state["readout.weight"].shape
    D = state["representation.classifier.weight"].shape[1]
    expected = {
        "representation.classifier.weight": (C, D, 1, 1),
        "representation.transform.weight": (dim, D, 1, 1),
        "representation.transform.bias": (dim,),
        "graph.static.adjacency.weight": (C, C),
        "graph.static.convolution.update.weight": (dim, dim),
        "graph.static.convolution.update.bias": (dim,),
        "graph.dynamic.adjacency.global_conv.weight": (dim, dim),
        "graph.dynamic.adjacency.global_conv.bias": (dim,),
        "graph.dynamic.adjacency.global_norm.weight": (dim,),
        "graph.dynamic.adjacency.global_norm.bias": (dim,),
        "graph.dynamic.adjacency.global_norm.running_mean": (dim,),
        "graph.dynamic.adjacency.global_norm.running_var": (dim,),
        "graph.dynamic.adjacency.to_weights.weight": (C, 2 * dim),
        "graph.dynamic.adjacency.to_weights.bias": (C,),
        "graph.dynamic.convolution.update.weight": (dim, dim),
        "graph.dynamic.convolution.update.bias": (dim,),
        "readout.weight": (C, dim),
        "readout.bias": (C,),
    }
    for theirs, (key, _) in NAMES.items():
        shape = expected.get(key, ())
        if tuple(state[key].shape) != shape:
            raise InputError(
                f"{theirs} (here {key}) has shape {tuple(state[key].shape)}; with {C} classes and width {dim} it "
                f"should be {shape}."
            )


def convert_file(checkpoint: str | Path, out: str | Path, data: str, backbone: str, order: str) -> tuple[str, ...]:
    """`addgcn convert`: a released checkpoint file -> a folder for `load_model`; returns the classes' names.

    Raises:
        InputError: the checkpoint cannot be read or does not fit; see `read_released` and `from_released`.
    """
    from .data import VOC_CLASSES
    from .data.coco import COCO_CLASSES
    from .model import ADDGCN

    classes = tuple({"coco": COCO_CLASSES, "voc": VOC_CLASSES}[data])
    state = from_released(read_released(checkpoint))
    C, dim = state["readout.weight"].shape
    if len(classes) != C:
        raise InputError(f"{checkpoint} has {C} classes, but {data} has {len(classes)}: say --data coco or voc.")
    alphabetical = tuple(sorted(classes))
    if order == "dataset":
        state = reorder_classes(state, alphabetical, classes)
    names = classes if order == "dataset" else alphabetical
    model = ADDGCN(C, backbone=backbone, wiring="released", dim=dim, classes=names)
    model.fill(state, str(checkpoint))
    model.save_pretrained(out)
    return names
