"""Recipes: one frozen dataclass per published or measured setting. Change one with `dataclasses.replace`.

With the sizes in pixels at which each trains and is tested::

    RECIPES["paper"]         448, 512  section 4.2 to the letter, with its learning rates of 0.5 and 0.05
    RECIPES["released"]      448, 448  what the authors' code runs: learning rates ten times smaller, other wiring
    RECIPES["adamw"]         448, 448  the same with AdamW, as a replication that reached 84.1 ran it
    RECIPES["colab"]         448, 448  VOC 2007 on Google Colab's free GPU, a T4; estimated, not measured
    RECIPES["scenes"]         64, 64   the embedded drawn scenes, end to end
    RECIPES["scenes-heads"]   64, 64   the same with the trunk frozen and its features cached: seconds a run

The values of the two for the scenes were found by trial on the drawn scenes. The first four crop as the released code
does (`addgcn.data.transforms.MultiScaleCrop`). The paper's best numbers were tested at 576 pixels: `addgcn evaluate
RUN --size 576`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from inspect import signature
from typing import Any, Literal

from .baselines import GAP, GMP
from .errors import InputError, check_name
from .graph import GRAPHS, WIRINGS
from .heads import READOUTS
from .model import ADDGCN, REPRESENTATIONS
from .peers import MLGCN, SSGRL
from .sam import ATTEND, MAPS

Model = ADDGCN | GAP | MLGCN | SSGRL  # GMP is a GAP
MODELS: dict[str, type[Model]] = {"addgcn": ADDGCN, "gap": GAP, "gmp": GMP, "mlgcn": MLGCN, "ssgrl": SSGRL}


PARTS = {
    "wiring": WIRINGS,
    "representation": REPRESENTATIONS,
    "maps": MAPS,
    "graph": GRAPHS,
    "readout": READOUTS,
    "attend": ATTEND,
}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run, but for the data: the model, what it sees, how it learns."""

    # The model; see ADDGCN for these. gap and gmp take only backbone and weights, mlgcn and ssgrl dim too.

    model: str = "addgcn"  # addgcn; to compare with: gap, gmp (a ResNet with global pooling), mlgcn, ssgrl
    backbone: str = "resnet101"  # resnet18 to resnet152, efficientnet-lite0, scenes, timm/NAME
    weights: str | None = "imagenet"  # the backbone's: None, imagenet, scenes, or a .safetensors file
    wiring: str = "paper"  # paper or released
    representation: str = "sam"  # sam or conv (figure 3)
    maps: str = "cls-gmp"  # cls-gmp, gap-cls or gmp-cls (table 6)
    graph: str = "S-D"  # none, S, D, P-add, P-mul, P-cat, D-S, S-D (table 4); I, I-I: no edges
    readout: str = "bi"  # bi, sum, avg or max (table 5)
    attend: str = "sum"  # sum (eq. 1) or mean
    dim: int = 1024  # width of the nodes

    # What it sees.

    size: int = 448  # pixels of the square image, in training
    test_size: int | None = None  # in evaluation; None: the same
    augment: Literal["multiscale", "flip", "none"] = "multiscale"  # random crops and mirroring, mirroring alone, none

    # How it learns.

    epochs: int = 50  # passes over the training split
    batch_size: int = 16  # images per process and step
    accumulate: int = 1  # steps whose gradients are added before the weights move
    optimizer: Literal["sgd", "adamw"] = "sgd"  # SGD with momentum, or AdamW
    lr: float = 0.05  # of everything but the backbone
    lr_trunk: float = 0.005  # of the backbone; 0 freezes it, and its features are computed once and cached
    momentum: float = 0.9  # for "sgd"
    weight_decay: float = 1e-4  # of every parameter
    schedule: Literal["step", "cosine"] = "step"  # of both learning rates
    milestones: tuple[int, ...] = (30, 40)  # epochs at which "step" multiplies the learning rates by 0.1
    warmup: float = 0.0  # epochs over which the learning rates rise from zero
    clip: float = 10.0  # largest norm of the gradient; 0: no clipping
    over: Literal["mean", "sum"] = "mean"  # of the losses of an image's categories
    ema: float = 0.0  # decay of the averaged weights that are evaluated and saved; 0: none

    # How it runs.

    precision: Literal["no", "bf16", "fp16"] = "no"  # of the training steps; evaluation is in float32
    channels_last: bool = True  # the faster layout of images in memory
    workers: int = 4  # processes that decode images, at most one for each processor
    decode_once: bool = False  # keep the decoded images on disk, 3 bytes a pixel: four times as fast to load
    on_bad_image: Literal["stop", "skip"] = "stop"  # what to do when a training image cannot be read
    evaluate_every: int = 1  # so many epochs, and after the last
    limit: int = 0  # > 0: train on only so many images, drawn by the seed
    holdout: float = 0.0  # > 0: evaluate on this part of the training split, which is then not trained on
    seed: int = 0  # of weights, order and augmentation

    def __post_init__(self) -> None:
        check_name("model", self.model, MODELS)
        for field in fields(self):
            if field.name in ("augment", "optimizer", "schedule", "over", "precision", "on_bad_image"):
                check_name(field.name, getattr(self, field.name), _choices(str(field.type)))
        for name, known in PARTS.items():
            check_name(name, getattr(self, name), known)
        at_least_one = ("dim", "size", "test_size", "epochs", "batch_size", "accumulate", "evaluate_every")
        for name in at_least_one:
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"{name} must be at least 1, not {value}.")
        for name in ("lr", "lr_trunk", "momentum", "weight_decay", "warmup", "clip", "workers", "limit", "seed"):
            if not 0 <= getattr(self, name) < 3.4e38:  # the largest float32; also catches NaN
                raise InputError(f"{name} must be a number from 0 on, but is {getattr(self, name)}.")
        if self.seed >= 2**23:  # seeds of single images are made from it, see SeededItems
            raise InputError(f"seed must be below {2**23}, but is {self.seed}.")
        if not 0 <= self.ema < 1 or not 0 <= self.holdout < 1:
            raise InputError(f"ema ({self.ema}) and holdout ({self.holdout}) must lie in [0, 1).")
        if self.frozen and self.augment == "multiscale":
            raise InputError(
                "lr_trunk=0 freezes the backbone and caches its features, which random crops do not allow: "
                "take augment='flip' or 'none'."
            )
        if self.decode_once and (self.frozen or self.on_bad_image == "skip"):
            raise InputError("decode_once is for a backbone that trains (lr_trunk > 0), and for readable images.")
        if self.frozen and self.on_bad_image == "skip":
            raise InputError("lr_trunk=0 computes the features of every image: mend or remove bad ones, do not skip.")

    @property
    def frozen(self) -> bool:
        return self.lr_trunk == 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "milestones": list(self.milestones)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The way back.

        Raises:
            InputError: a setting this version does not know (the nearest is named) or a bad value.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            check_name("setting", name, known)
        try:
            return cls(**{**values, "milestones": tuple(values.get("milestones", (30, 40)))})
        except TypeError as error:
            raise InputError(f"a setting has a value of the wrong kind ({error}).") from error

    def build(self, num_classes: int, classes: Sequence[str] | None = None) -> Model:
        """The model of this recipe. mlgcn and ssgrl then need their labels: `fit_labels`."""
        cls = MODELS[self.model]
        known = signature(cls).parameters
        settings = {k: v for k, v in asdict(self).items() if k in known}
        return cls(num_classes, classes=classes, **settings)


def _choices(annotation: str) -> list[str]:
    """The values of an annotation "Literal['a', 'b']", as dataclasses keep it (a string)."""
    return [part.strip("'\" ") for part in annotation[annotation.index("[") + 1 : -1].split(",")]


RECIPES: dict[str, Recipe] = {
    "paper": Recipe(lr=0.5, lr_trunk=0.05, batch_size=18, test_size=512, over="sum", clip=0.0),
    "released": Recipe(wiring="released", lr=0.05, lr_trunk=0.005, batch_size=16),
    # A replication with the released code reached a mAP of 84.1 on COCO at 448 with these rates, drops, decay, batch,
    # clipping and warm-up. The chapter on COCO reads its log, which goes to epoch 33.
    "adamw": Recipe(
        wiring="released",
        optimizer="adamw",
        lr=5e-5,
        lr_trunk=5e-6,
        epochs=33,
        milestones=(15, 25),
        warmup=2.0,
        batch_size=16,
    ),
    # A step of ResNet-101 at 448 takes 3 x 64 GFLOP an image, so 30 epochs of VOC's 5,011 images about an hour at
    # 9 TFLOP/s, which a T4 may sustain in fp16; about 4 GB of activations in fp16 and half a GB of weights,
    # gradients and momentum. Nobody has measured it on a T4 yet. Colab has two processors to decode images with.
    "colab": Recipe(
        wiring="released",
        epochs=30,
        schedule="cosine",
        warmup=1.0,
        batch_size=16,
        precision="fp16",
        workers=2,
        evaluate_every=10,
    ),
    "scenes": Recipe(
        backbone="scenes",
        weights="scenes",
        dim=64,
        size=64,
        augment="flip",
        epochs=4,
        batch_size=64,
        lr=0.01,
        lr_trunk=0.003,
        schedule="cosine",
        warmup=0.5,
        over="sum",
        workers=1,
    ),
}
RECIPES["scenes-heads"] = replace(RECIPES["scenes"], lr_trunk=0.0, epochs=15, warmup=0.75, workers=0, evaluate_every=5)
