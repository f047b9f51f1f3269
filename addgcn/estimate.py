"""What is said before a run begins: how long it will take, and how much memory, from a few real steps."""

from __future__ import annotations

import copy
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from .batches import SeededItems, from_batches
from .data import MultiLabelDataset
from .errors import InputError
from .losses import multilabel_loss
from .recipes import Model, Recipe

SMALL = 10**7  # numbers in all images of a run: below, it is over before it would be measured
SHORT = 30.0  # seconds: of a shorter run nothing is said


@dataclass(frozen=True)
class Estimate:
    """What a run will need, about."""

    seconds: float
    memory: int | None  # bytes of the GPU's memory at the peak, without what its driver takes; None on a processor

    def __str__(self) -> str:
        memory = "" if self.memory is None else f", {self.memory / 1e9:.1f} GB of GPU memory"
        return f"about {duration(self.seconds)}{memory}"


def announce(*args: Any) -> None:
    """Print the `measure` of a run on stderr, if there is something to say."""
    recipe, epochs = args[0], args[-1]
    if (found := measure(*args)) is not None:
        print(f"{found} for {epochs} epochs of {recipe.epochs}, measured on three steps", file=sys.stderr, flush=True)


def say_left_out(*datasets: MultiLabelDataset) -> None:
    """Say on stderr which splits have images that were left out because nothing is annotated on them."""
    for folder, number in {dataset.folder: dataset.unlabelled for dataset in datasets}.items():
        if number:
            said = f"{number:,} images of {folder.name} have no annotation and are left out, as in the literature"
            print(said, file=sys.stderr, flush=True)


def decoders(workers: int, processes: int = 1) -> int:
    """Worker processes of a loader: as many as asked for, but no more than there are processors for them.

    More would only wait for each other, and PyTorch warns. What the images look like depends on none of it.
    """
    return max(0, min(workers, (os.cpu_count() or 1) // processes))


def measure(
    recipe: Recipe, model: Model, train_items: Any, eval_items: Any, accelerator: Accelerator, epochs: int
) -> Estimate | None:
    """Time and memory of `epochs` epochs, or None for a run of seconds.

    Steps are done with a copy of the model and an optimiser of its own, and random numbers are drawn in a fork: the
    run is the same, bit for bit, with and without this. Images are loaded one after the other and counted as if
    the recipe's workers shared them; several processes are taken not to wait for each other.

    Raises:
        InputError: the batch does not fit into the GPU's memory.
    """
    device, N = accelerator.device, len(train_items)
    if N * epochs * 3 * recipe.size**2 < SMALL:
        return None
    items = SeededItems(train_items, recipe.seed)
    few = min(4, recipe.batch_size, N)
    load, loaded = timed(lambda: [items[i] for i in range(few)], device)
    rows = [i % few for i in range(recipe.batch_size)]
    images, targets = (torch.stack([loaded[i][k] for i in rows]).to(device) for k in (0, 1))  # (B, ...), (B, C)
    steps = N // (recipe.batch_size * accelerator.num_processes)

    gpu = device.type == "cuda"
    with torch.random.fork_rng([device] if gpu else []):
        if gpu:
            torch.cuda.reset_peak_memory_stats(device)
        try:
            own = copy.deepcopy(model).to(device)
            step, forward = make_steps(recipe, own, images, targets, accelerator)
            first, _ = timed(step, device)
            if first * epochs * steps < SHORT:
                return None
            step_s = sum(timed(step, device)[0] for _ in range(2)) / 2
            memory = torch.cuda.max_memory_allocated(device) - size_in_bytes(own) if gpu else None
            forward()
            forward_s, _ = timed(forward, device)
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"a batch of {recipe.batch_size} images at {recipe.size} pixels does not fit into this GPU's memory: "
                "take a smaller --batch-size with as much more --accumulate, or --precision bf16 (fp16 on older GPUs)."
            ) from error

    workers = decoders(recipe.workers, accelerator.num_processes)
    batch_s = load / few * recipe.batch_size  # to load a batch in one process
    forward_s *= ((recipe.test_size or recipe.size) / recipe.size) ** 2
    evaluations = math.ceil(epochs / recipe.evaluate_every)
    eval_steps = math.ceil(len(eval_items) / (recipe.batch_size * accelerator.num_processes))

    def both(computed: float) -> float:
        """Seconds of a step that loads, too: side by side with workers, one after the other without."""
        return max(computed, batch_s / workers) if workers > 0 else computed + batch_s

    return Estimate(epochs * steps * both(step_s) + evaluations * eval_steps * both(forward_s), memory)


def make_steps(
    recipe: Recipe, model: Model, images: Tensor, targets: Tensor, accelerator: Accelerator
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A step of training as `addgcn.train.train` does it, and a forward pass as its evaluation does."""
    from .train import build_optimizer

    net = from_batches(recipe, model)
    if recipe.channels_last:
        net = net.to(memory_format=torch.channels_last)
    optimizer = build_optimizer(recipe, model)

    def step() -> None:
        net.train()
        with accelerator.autocast():
            scores = net(images)  # (B, C)
        multilabel_loss(scores.float(), targets, recipe.over).backward()
        if recipe.clip > 0:
            nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad()

    @torch.no_grad()
    def forward() -> None:
        net.eval()
        net(images)

    return step, forward


def timed(work: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    """Seconds until the work is done on the device, too; and what it gives."""
    began = time.perf_counter()
    found = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began, found


def size_in_bytes(model: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in [*model.parameters(), *model.buffers()])


def duration(seconds: float) -> str:
    """Two digits that count: 50 s, 12 min, 2 h 10 min, 3 days 4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(minutes / 60)
    return f"{hours // 24} days {hours % 24} h"
