"""A training step and the way to it, one switch at a time: what each brings, as ratios measured in one run.

    python benchmarks/bench_training.py [--size 448] [--images 4] [--turns 3] [--backbone resnet101] [--root FOLDER]

The step: forward, loss, backward, clipping, SGD, on images that are on the device already; in the wiring, and against
the layout, of the released code (without its DataParallel). The loader: one process turns a JPEG into a normalised
tensor; into bytes, as the recipes do, which leave normalisation to the device; and into bytes from images that were
decoded and squashed before. All ways take turns, so that whatever else the machine does slows each alike. Weights and
targets are random. On a GPU also the memory of a step, by batch and size.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from statistics import median

import numpy as np
import torch
from bench_model import in_turn, machine, released_layout
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import v2

from addgcn import ADDGCN, GAP
from addgcn.convert import to_released
from addgcn.data import open_image
from addgcn.data.scenes.compose import compose_split
from addgcn.data.transforms import MultiScaleCrop, train_transform
from addgcn.losses import multilabel_loss

C = 80
IMAGES = 32  # that the loader reads in a turn
LAST = torch.channels_last
STEPS = {  # each way, and what it is compared with
    "ours, as it stands": "released layout",
    "channels-last": "ours, as it stands",
    "channels-last, fused SGD": "channels-last",
    "channels-last, compiled": "channels-last",
    "bf16": "channels-last",
    "bf16, fused SGD, compiled": "bf16",
    "trunk alone, bf16": "bf16",
}


def step_of(
    scores: Callable[[Tensor], Tensor],
    weights: list[Tensor],
    x: Tensor,
    y: Tensor,
    *,
    bf16: bool = False,
    fused: bool = False,
) -> Callable[[], None]:
    """One optimiser step, to be called again and again."""
    optimizer = torch.optim.SGD(weights, 1e-4, momentum=0.9, weight_decay=1e-4, fused=fused)

    def step() -> None:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            s = scores(x)  # (B, C)
        multilabel_loss(s.float(), y).backward()
        torch.nn.utils.clip_grad_norm_(weights, 10.0)
        optimizer.step()
        optimizer.zero_grad()
        if x.device.type == "cuda":
            torch.cuda.synchronize()

    return step


def steps(backbone: str, images: int, size: int, device: str) -> dict[str, Callable[[], None]]:
    """Every way to make a step, each with weights of its own."""
    torch.manual_seed(0)
    ours = ADDGCN(C, backbone=backbone, wiring="released").to(device).train()
    x = torch.randn(images, 3, size, size, device=device)  # (B, 3, H, W)
    y = (torch.rand(images, C, device=device) < 0.04).long()  # (B, C)
    x_last = x.to(memory_format=LAST)

    def another(model: nn.Module = ours) -> nn.Module:
        return deepcopy(model).to(memory_format=LAST)

    def way(model: nn.Module, x: Tensor = x_last, compiled: bool = False, **settings: bool) -> Callable[[], None]:
        run = torch.compile(model) if compiled else model
        return step_of(run, list(model.parameters()), x, y, **settings)

    theirs = deepcopy(ours)
    w = to_released(deepcopy(theirs.state_dict()))
    fixed = ("features.", "mask_mat", "gcn.bn_global.running", "gcn.bn_global.num")
    heads = [v.requires_grad_() for k, v in w.items() if not k.startswith(fixed)]
    trunk = GAP(C, backbone=backbone).to(device).train()
    return {
        "released layout": step_of(
            lambda x: released_layout(theirs.backbone, w, x), [*theirs.backbone.parameters(), *heads], x, y
        ),
        "ours, as it stands": way(deepcopy(ours), x),
        "channels-last": way(another()),
        "channels-last, fused SGD": way(another(), fused=True),
        "channels-last, compiled": way(another(), compiled=True),
        "bf16": way(another(), bf16=True),
        "bf16, fused SGD, compiled": way(another(), bf16=True, fused=True, compiled=True),
        "trunk alone, bf16": way(another(trunk), bf16=True),
    }


def scenes_as_photographs(folder: Path, count: int) -> None:
    """Drawn scenes of a photograph's size."""
    for i, scene in enumerate(compose_split("id", count, size=480)):
        Image.fromarray(scene.image).resize((640, 480)).save(folder / f"{i:04}.jpg", quality=90)


def loaders(size: int, folder: Path, count: int) -> dict[str, Callable[[], None]]:
    """Every way from `count` JPEGs to tensors, in one process."""
    files = sorted(folder.rglob("*.jpg"))[:count]
    mean, std, margin = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), round(size * 64 / 448)
    whole = train_transform(size, mean, std)
    crop, flip = MultiScaleCrop(size), v2.RandomHorizontalFlip(0.5)
    bytes_only = train_transform(size)
    decoded = np.stack([np.asarray(open_image(f).resize((size + margin,) * 2)) for f in files])  # (N, H, W, 3)

    def cached(i: int) -> Tensor:
        return v2.functional.pil_to_tensor(flip(crop(Image.fromarray(decoded[i]))))

    return {
        "JPEG to float32": lambda: [whole(open_image(f)) for f in files] and None,
        "JPEG to uint8": lambda: [bytes_only(open_image(f)) for f in files] and None,
        "decoded before, to uint8": lambda: [cached(i) for i in range(len(files))] and None,
    }


def ceilings(device: str) -> dict[str, float]:
    """What the device does at best, measured here: TFLOP/s of a matrix product, GB/s of a copy."""
    n = 8192 if device == "cuda" else 1024
    found = {}
    for name, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
        found[f"matmul {name}, TFLOP/s"] = 2 * n**3 / 1e12 / best_of(lambda a=a, b=b: a @ b, device)
    a = torch.empty(n * n * 8, device=device)
    b = torch.empty_like(a)
    found["copy, GB/s"] = 2 * a.nbytes / 1e9 / best_of(lambda: b.copy_(a), device)
    return found


def best_of(run: Callable[[], object], device: str, times: int = 10) -> float:
    """Seconds of the fastest of several."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return min(found)


def step_flops(backbone: str, size: int) -> float:
    """TFLOP of a step for one image: forward, and twice as much backward."""
    model, x = ADDGCN(C, backbone=backbone, wiring="released").eval(), torch.randn(1, 3, size, size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    return 3 * counter.get_total_flops() / 1e12


def memory(backbone: str) -> None:
    """Print the GiB at the peak of a step of SGD by batch and size, float32 | bf16; a dash where it did not fit."""
    print("\nmost memory of a step, GiB, float32 | bf16:")
    for images in (8, 16, 32, 64):
        row = f"batch of {images:2}"
        for size in (448, 512, 576):
            for bf16 in (False, True):
                row += (" |" if bf16 else f"{size:8}:") + peak(backbone, images, size, bf16)
        print(row)


def peak(backbone: str, images: int, size: int, bf16: bool) -> str:
    """Of one configuration, with weights and images of its own."""
    torch.cuda.empty_cache()
    try:
        model = ADDGCN(C, backbone=backbone, wiring="released").to("cuda", memory_format=LAST).train()
        x = torch.randn(images, 3, size, size, device="cuda").to(memory_format=LAST)
        y = torch.zeros(images, C, dtype=torch.long, device="cuda")
        step = step_of(model, list(model.parameters()), x, y, bf16=bf16)
        torch.cuda.reset_peak_memory_stats()
        step()
        step()  # the first step makes the velocity
        return f"{torch.cuda.max_memory_allocated() / 2**30:6.1f}"
    except torch.OutOfMemoryError:
        return "     -"


def show(times: dict[str, list[float]], against: dict[str, str], images: int) -> None:
    """Images a second of each way, and how many times faster it is than the one it is compared with."""
    for name, seconds in times.items():
        text = f"{name:28}{images / median(seconds):9.1f} images/s"
        if name in against:
            ratio = median(a / b for a, b in zip(times[against[name]], seconds, strict=True))
            text += f"{ratio:8.2f} x {against[name]}"
        print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=448, help="pixels")
    parser.add_argument("--images", type=int, default=4, help="in a step")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--backbone", default="resnet101")
    parser.add_argument("--root", type=Path, help="a folder with 32 photographs for the loader; without it, scenes")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    where = torch.cuda.get_device_name() if device == "cuda" else machine()
    print(f"{options.backbone}, {options.images} image(s) of {options.size} pixels, {options.turns} turns; {where}")
    ways = steps(options.backbone, options.images, options.size, device)
    times = in_turn(ways, options.turns)
    show(times, STEPS, options.images)
    tflop = step_flops(options.backbone, options.size)
    print(f"a step needs {tflop:.3f} TFLOP an image; the best way did", end=" ")
    print(f"{max(options.images / median(t) for n, t in times.items() if 'trunk' not in n) * tflop:.3f} TFLOP/s")
    for name, value in ceilings(device).items():
        print(f"{name:28}{value:9.3f}")
    if device == "cuda":
        del ways
        memory(options.backbone)
    print("\none process of the loader:")
    with tempfile.TemporaryDirectory() as folder:
        if options.root is None:
            scenes_as_photographs(Path(folder), IMAGES)
        ways = loaders(options.size, options.root or Path(folder), IMAGES)
        show(in_turn(ways, options.turns), dict.fromkeys(list(ways)[1:], "JPEG to float32"), IMAGES)
