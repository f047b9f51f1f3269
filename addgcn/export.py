"""Out of Python: a trained model as one file, for ONNX Runtime (.onnx) or as a program of `torch.export` (.pt2).

The input is named `images`, (B, 3, H, W), normalised as for the model itself; B, H and W are free (in ONNX,
representation="conv" has one size: its pooling to a fixed grid cannot be written for all). The outputs have the names
of `Explanation`: scores, s_m, s_r, maps and A_d, as far as the model has them. What the input is to be
normalised with (`mean`, `std`, for pixels in [0, 1]), the training `size` and the `classes` stand in the file as
well. After writing, the file is read back and its outputs are compared with the model's.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .errors import InputError, check_name
from .records import discard

SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
OUTPUTS = ("scores", "s_m", "s_r", "maps", "A_d")
TOLERANCE = 1e-4  # of an output's largest value, or ...
ROUNDINGS = 50  # ... times what rounding to float32 costs it, if that is more
INSTALL = "pip install 'addgcn[export]'"

Inputs = tuple[Tensor, ...]
Outputs = dict[str, Tensor]


@dataclass(frozen=True)
class Exported:
    """A written file. `difference`: the largest one between its outputs and the model's; None if it was not checked."""

    path: Path
    outputs: tuple[str, ...]
    difference: float | None
    any_size: bool  # whether the images' height and width are free


class Explained(nn.Module):
    """A model whose forward pass gives a dictionary of tensors, those of an `Explanation` that it has."""

    def __init__(self, model: Any, outputs: Sequence[str]) -> None:
        super().__init__()
        self.model, self.outputs = model, tuple(outputs)

    def forward(self, images: Tensor) -> Outputs:
        out = self.model.explain(images)
        return {name: getattr(out, name) for name in self.outputs}


def export(model: Any, path: str | Path, to: str = "onnx", size: int = 448) -> Exported:
    """Write a model for use without this library.

    Args:
        model: an `ADDGCN` or one of its peers and baselines; it is left in the mode it was in.
        path: the file, ending in .onnx or .pt2; one that exists is replaced, if all goes well.
        to: "onnx", which needs the extra `export`, or "torch".
        size: pixels of the square images that the model is tried with, and that the file names. Others work too.

    Raises:
        InputError: another suffix, a folder that cannot be written, an extra that is missing, a model that cannot be
            exported (a backbone of yours with a fixed size, say), or outputs that differ from the model's.
    """
    check_name("format", to, SUFFIXES)
    if size < 1:
        raise InputError(f"size must be at least 1, not {size}.")
    mode, device = model.training, next(model.parameters()).device
    rng = torch.Generator().manual_seed(0)
    any_size = to == "torch" or not any(isinstance(part, nn.AdaptiveAvgPool2d) for part in model.modules())
    free = {0: "batch", 2: "height", 3: "width"} if any_size else {0: "batch"}
    tall = size + 32 if any_size else size
    images, *trials = (
        torch.randn(n, 3, height, size, generator=rng).to(device)
        for n, height in ((2, size), (1, size), (3, size), (2, tall))
    )
    about = {
        "classes": json.dumps(model.classes),
        "mean": json.dumps(model.backbone.mean),
        "std": json.dumps(model.backbone.std),
        "size": str(size),
    }
    model.eval()
    try:
        with torch.no_grad():
            out = model.explain(images)
        net = Explained(model, [name for name in OUTPUTS if getattr(out, name) is not None]).eval()
        return write(net, path, to, {"images": images}, {"images": free}, about, [(x,) for x in trials])
    finally:
        model.train(mode)


def write(
    net: nn.Module,
    path: str | Path,
    to: str,
    example: Mapping[str, Tensor],
    free: Mapping[str, Mapping[int, str]],
    about: Mapping[str, str],
    trials: Sequence[Inputs] = (),
) -> Exported:
    """Write any module whose forward pass takes tensors and returns a dictionary of them; `export` calls this.

    Args:
        example: the inputs by name, in the forward pass's order.
        free: of an input, the dimensions that may change, with a name for each.
        about: texts to be kept in the file.
        trials: further inputs to compare the outputs for; those of `example` always are.

    Raises:
        InputError: as for `export`.
    """
    path, suffix = Path(path), SUFFIXES[check_name("format", to, SUFFIXES)]
    if path.suffix != suffix or path.is_dir():
        raise InputError(f"the file to write must end in {suffix} for the format {to!r}, not be {path}.")
    if to == "onnx":
        needed("onnx", "onnxscript")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{suffix}")
    inputs = tuple(example.values())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with torch.no_grad():
            names = tuple(net(*inputs))
            WRITERS[to](trace(net, example, free), temporary, example, free, about, names)
        difference = compare(net, READERS[to](temporary, tuple(example)), [inputs, *trials], path)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}. Choose another --out.") from error
    finally:
        discard(temporary)
    return Exported(path, names, difference, any(len(dims) > 1 for dims in free.values()))


def compare(net: nn.Module, exported: Callable[[Inputs], Outputs] | None, trials: Sequence[Inputs], path: Path):
    """The largest difference between what the file computes and what the module does; None if it cannot be run.

    Raises:
        InputError: it is more than rounding.
    """
    if exported is None:
        return None
    largest = 0.0
    for inputs in trials:
        with torch.no_grad():
            expected, found = net(*inputs), exported(inputs)
        for name, y in expected.items():
            shape, off = tuple(inputs[0].shape), found[name].shape != y.shape
            gap = float("inf") if off else (found[name] - y.cpu()).abs().max().item()
            within = gap <= TOLERANCE * max(0.01, y.abs().max().item())
            if not within and not gap <= ROUNDINGS * rounding(net, inputs, name):
                raise InputError(
                    f"what was exported is not the model: its {name} for an input of {shape} differ by {gap:.2g}. "
                    f"{path} was not written."
                )
            largest = max(largest, gap)
    return largest


@torch.no_grad()
def rounding(net: nn.Module, inputs: Inputs, name: str) -> float:
    """What float32 costs an output: the largest difference from the same in float64.

    Little, but for untrained deep networks, whose activations grow from layer to layer: ResNet-101 begins with scores
    in the millions, and the sigmoid of such numbers hangs on their last digits.
    """
    exact = deepcopy(net).double()(*(x.double() if x.is_floating_point() else x for x in inputs))
    return (exact[name] - net(*inputs)[name]).abs().max().item()


def trace(net: nn.Module, example: Mapping[str, Tensor], free: Mapping[str, Mapping[int, str]]) -> Any:
    """The module as a `torch.export.ExportedProgram`.

    Raises:
        InputError: it cannot be one, for instance because its Python code asks for values of tensors.
    """
    dims = tuple(dict.fromkeys(free.get(name, ()), torch.export.Dim.DYNAMIC) for name in example)
    try:
        # strict: `len(V)` is a number to Python, and only dynamo sees that it is the batch's
        return torch.export.export(net, tuple(example.values()), dynamic_shapes=dims, strict=True)
    except Exception as error:  # it raises many kinds, each with pages of advice
        raise InputError(f"torch.export cannot follow this model ({reason(error)}).") from error


def write_onnx(program, path: Path, example, free, about: Mapping[str, str], names: Sequence[str]) -> None:
    try:
        written = torch.onnx.export(
            program,
            tuple(example.values()),
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=list(example),
            output_names=list(names),
            dynamic_shapes=tuple(dict(free.get(name, {})) for name in example),  # their names
        )
    except Exception as error:
        raise InputError(f"this model cannot be written as ONNX ({reason(error)}).") from error
    assert written is not None
    for node in written.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces, which name this machine's folders
    written.model.metadata_props.update(about)
    written.save(path, external_data=False)


def read_onnx(path: Path, names: Sequence[str]) -> Callable[[Inputs], Outputs] | None:
    try:
        runtime = importlib.import_module("onnxruntime")
    except ModuleNotFoundError:
        return None
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]

    def run(inputs: Inputs) -> Outputs:
        feed = {name: x.cpu().numpy() for name, x in zip(names, inputs, strict=True)}
        return dict(zip(outputs, map(torch.from_numpy, session.run(None, feed)), strict=True))

    return run


def write_torch(program, path: Path, example, free, about: Mapping[str, str], names: Sequence[str]) -> None:
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names this machine's folders
    torch.export.save(program, path, extra_files={f"addgcn.{key}": value for key, value in about.items()})


def read_torch(path: Path, names: Sequence[str]) -> Callable[[Inputs], Outputs]:
    module = torch.export.load(path).module()
    return lambda inputs: {name: y.cpu() for name, y in module(*inputs).items()}


WRITERS: dict[str, Callable[..., None]] = {"onnx": write_onnx, "torch": write_torch}
READERS: dict[str, Callable[..., Callable[[Inputs], Outputs] | None]] = {"onnx": read_onnx, "torch": read_torch}


def needed(*modules: str) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise InputError(f"exporting to ONNX needs the package {module}: {INSTALL}.") from error


def reason(error: Exception) -> str:
    """The first line of the innermost cause."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:200]}"
