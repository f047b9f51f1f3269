"""The commands that turn files of a model into others: `convert` the released ones, `export` for other runtimes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass
class Convert:
    """Turn a checkpoint of the released code (.pth) into a folder that load_model and evaluate read."""

    checkpoint: Positional[Path]
    """The released file. It is read without running any code in it."""
    out: Positional[Path]
    """The folder to write."""
    data: Literal["coco", "voc"] = "coco"
    """Which classes it has. The released COCO checkpoint orders them alphabetically."""
    backbone: str = "resnet101"
    """Its backbone: resnet101 in all that were released."""
    order: Literal["dataset", "alphabetical"] = "dataset"
    """The order of the scores afterwards: the data set's own (COCO: by category id), or as they were."""

    def run(self) -> None:
        from .convert import convert_file

        classes = convert_file(self.checkpoint, self.out, self.data, self.backbone, self.order)
        print(f"{self.out}: ADDGCN with {len(classes)} classes, {classes[0]!r} first")


@dataclass
class Export:
    """Write a trained model as one file for use without this library: ONNX, or a program of torch.export.

    The input is `images` (B, 3, H, W), normalised as in training; the outputs are scores, s_m, s_r, maps and A_d, as
    far as the model has them. They are compared with the model's own before the file is kept.
    """

    run_folder: Positional[Path]
    """The run folder, or a folder written by save_pretrained."""
    out: Path
    """The file to write, ending in .onnx or .pt2."""
    to: Literal["onnx", "torch"] = "onnx"
    """onnx: for ONNX Runtime and others; needs the extra export. torch: for PyTorch without this library."""
    size: int | None = None
    """Pixels of the square images to try it with; other sizes work too. By default the recipe's test_size."""

    def run(self) -> None:
        from .evaluate import size_of
        from .export import INSTALL, export
        from .pretrained import load_model

        model = load_model(self.run_folder)
        done = export(model, self.out, self.to, self.size or size_of(self.run_folder))
        print(f"{done.path}: {done.path.stat().st_size / 1e6:.1f} MB, {', '.join(done.outputs)}")
        print("  any number of images" + (", of any size" if done.any_size else "; this variant: of this size only"))
        if done.difference is None:
            print(f"  not compared with the model: onnxruntime is not installed ({INSTALL})")
        else:
            print(f"  compared with the model: the outputs differ by {done.difference:.1g} at most")
