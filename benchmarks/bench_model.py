"""ADD-GCN at ResNet-101, 448 pixels, 80 categories: the time of a forward pass, as ratios measured in one run.

    python benchmarks/bench_model.py [--repeats 3] [--images 4] [--size 448]

Compared with its bare trunk (what does the head cost?) and with the forward pass laid out as the authors' code has
it (what does the layout cost?). All take turns, so that whatever else the machine does slows each alike; a ratio
is the median of the ratios within a turn. Weights are random, and both layouts give the same scores.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from addgcn import ADDGCN
from addgcn.convert import to_released

C = 80

RATIOS = {  # name: (numerator, denominator, aim)
    "ADD-GCN / its bare trunk": ("ours", "trunk", "at most 1.05"),
    "ADD-GCN / trunk, channels-last": ("ours, channels-last", "trunk, channels-last", "at most 1.05"),
    "ADD-GCN / trunk, bf16": ("ours, bf16", "trunk, bf16", "at most 1.05"),
    "released layout / ours": ("released layout", "ours", ""),
    "released layout / ours, channels-last": ("released layout", "ours, channels-last", "at least 1.25"),
    "the most it could be": ("released layout", "trunk, channels-last", ""),  # a head that costs nothing
    "released layout / ours, bf16": ("released layout", "ours, bf16", "at least 2.5"),
}


def released_layout(trunk: nn.Module, w: dict[str, Tensor], images: Tensor) -> Tensor:
    """Scores (B, C) in the released code's order of operations, from its state dict `w`.

    Nodes stand last, (B, channels, C), and pass through convolutions over a sequence. The map convolution runs
    twice, once for the scores and once for the maps, and the readout fills a C x C table to keep its diagonal.
    """
    X = trunk(images)  # (B, 2048, 14, 14)
    s_m = F.conv2d(X, w["fc.weight"]).flatten(2).amax(2)  # (B, C)
    M = F.conv2d(X, w["fc.weight"]).flatten(2).sigmoid().transpose(1, 2)  # (B, 196, C)
    X_ = F.conv2d(X, w["conv_transform.weight"], w["conv_transform.bias"]).flatten(2)  # (B, 1024, 196)
    V = X_ @ M  # (B, 1024, C)
    mixed = F.leaky_relu(F.conv1d(V.transpose(1, 2), w["gcn.static_adj.0.weight"]).transpose(1, 2), 0.2)
    H = V + F.leaky_relu(F.conv1d(mixed, w["gcn.static_weight.0.weight"], w["gcn.static_weight.0.bias"]), 0.2)
    h_g = F.conv1d(H.mean(2, keepdim=True), w["gcn.conv_global.weight"], w["gcn.conv_global.bias"])  # (B, 1024, 1)
    norm = [w[f"gcn.bn_global.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
    h_g = F.leaky_relu(F.batch_norm(h_g, *norm), 0.2)
    H_ = torch.cat([h_g.expand_as(H), H], dim=1)  # (B, 2048, C)
    A = F.conv1d(H_, w["gcn.conv_create_co_mat.weight"], w["gcn.conv_create_co_mat.bias"]).sigmoid()  # (B, C, C)
    mixed = F.leaky_relu(H @ A, 0.2)  # (B, 1024, C)
    Z = V + F.leaky_relu(F.conv1d(mixed, w["gcn.dynamic_weight.weight"], w["gcn.dynamic_weight.bias"]), 0.2)
    table = F.conv1d(Z, w["last_linear.weight"], w["last_linear.bias"])  # (B, C, C)
    s_r = (table * w["mask_mat"]).sum(2)  # (B, C)
    return (s_m + s_r) / 2


def in_turn(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each way, `repeats` times, in turn, after one run of each that is not counted.

    With one thread they are the processor's, which leave out the time that other processes took from this one.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, run in ways.items():
            start = clock()
            run()
            if turn:
                times[name].append(clock() - start)
    return times


@torch.inference_mode()
def timings(repeats: int = 3, images: int = 4, size: int = 448) -> dict[str, list[float]]:
    """Seconds of every forward pass, `repeats` times."""
    torch.manual_seed(0)
    ours = ADDGCN(C, wiring="released").eval()
    fast = deepcopy(ours).to(memory_format=torch.channels_last)
    half = deepcopy(fast).to(torch.bfloat16)
    w = to_released(ours.state_dict())
    x = torch.randn(images, 3, size, size)  # (B, 3, H, W)
    x_fast = x.to(memory_format=torch.channels_last)
    x_half = x_fast.to(torch.bfloat16)

    expected = released_layout(ours.backbone, w, x)  # (B, C)
    for name, scores in {"ours": ours(x), "channels-last": fast(x_fast), "bf16": half(x_half).float()}.items():
        off = (scores - expected).abs().max() / expected.abs().max()
        assert off < (0.1 if name == "bf16" else 1e-4), f"{name}: the scores are off by {off:.1e} of the largest"
    return in_turn(
        {
            "released layout": lambda: released_layout(ours.backbone, w, x),
            "ours": lambda: ours(x),
            "ours, channels-last": lambda: fast(x_fast),
            "ours, bf16": lambda: half(x_half),
            "trunk": lambda: ours.backbone(x),
            "trunk, channels-last": lambda: fast.backbone(x_fast),
            "trunk, bf16": lambda: half.backbone(x_half),
        },
        repeats,
    )


def ratios(times: dict[str, list[float]] | None = None) -> dict[str, float]:
    """The median over the turns of each ratio in `RATIOS`."""
    times = times or timings()
    return {
        name: median(a / b for a, b in zip(times[above], times[below], strict=True))
        for name, (above, below, _) in RATIOS.items()
    }


def machine() -> str:
    """The processor's name, its cores, and how many threads and which PyTorch compute here."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} thread(s), PyTorch {torch.__version__}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time of a forward pass, against the trunk and the released layout.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, default=4, help="per forward pass")
    parser.add_argument("--size", type=int, default=448, help="pixels")
    options = parser.parse_args()
    times = timings(options.repeats, options.images, options.size)
    print(f"ResNet-101, {C} categories, {options.images} image(s) of {options.size} pixels, {options.repeats} turns")
    print(machine())
    print(f"{'':40}{'seconds':>10}")
    for name, seconds in times.items():
        print(f"{name:40}{median(seconds):10.3f}")
    print(f"{'':40}{'ratio':>10}   aim")
    for name, ratio in ratios(times).items():
        print(f"{name:40}{ratio:10.3f}   {RATIOS[name][2]}")
