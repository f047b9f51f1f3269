"""Pre-train the small trunk on single drawn objects, 18 ways: the scenes' stand-in for ImageNet.

    python -m addgcn.data.scenes.pretrain

writes `addgcn/records/scenes_trunk.safetensors`, the weights that `build_backbone("scenes", "scenes")` loads, and
beside it `scenes_trunk.json`, the record of how they came about.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm.auto import trange

from ...backbone import SCENES_WEIGHTS, ScenesTrunk
from ...records import make_record, write_json
from .compose import compose_split, single_objects
from .labels import CLASSES
from .write import VERSION

SHIFT = 4  # pixels by which a training image may move


def train_trunk(
    folder: str | Path = SCENES_WEIGHTS.parent,
    images: int = 15_000,
    held_out: int = 2_000,
    epochs: int = 8,
    lr: float = 0.1,
    batch: int = 64,
    seed: int = 0,
    threads: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Train `ScenesTrunk` with global average pooling and one linear layer; write it and its record.

    SGD with momentum 0.9 and weight decay 5e-4, the rate rising over the first epoch and falling as a cosine;
    random flips and shifts. The linear layer is thrown away. Then `scale` is set so that the feature map of
    the scenes' training images has unit standard deviation.

    Returns:
        the record; "accuracy" is the fraction of held-out single objects named right.
    """
    torch.manual_seed(seed)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    started = time.perf_counter()
    x, y = (torch.from_numpy(a) for a in single_objects(images, seed=seed))  # (N, 64, 64, 3), (N,)
    held = [torch.from_numpy(a).split(250) for a in single_objects(held_out, seed=seed + 1_000_000)]

    trunk = ScenesTrunk()
    trunk.to(memory_format=torch.channels_last)
    head = nn.Linear(trunk.out_channels, len(CLASSES))
    parameters = [*trunk.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    steps = images // batch  # an epoch's
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min((i + 1) / steps, 0.5 + 0.5 * np.cos(np.pi * i / (epochs * steps)))
    )
    random = torch.Generator().manual_seed(seed)
    for _ in (bar := trange(epochs, desc="pre-training the trunk", unit="epoch", disable=not progress)):
        trunk.train()
        for chosen in torch.randperm(images, generator=random)[: steps * batch].split(batch):
            loss = cross_entropy(head(trunk(_augment(x[chosen], random)).mean((2, 3))), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}")

    trunk.eval()
    with torch.no_grad():
        right = [head(trunk(_prepare(u)).mean((2, 3))).argmax(1) == v for u, v in zip(*held, strict=True)]
        accuracy = torch.cat(right).float().mean().item()
        scenes = torch.from_numpy(np.stack([scene.image for scene in compose_split("train", 500, seed=seed)]))
        trunk.scale.copy_(trunk(_prepare(scenes)).std())
    torch.set_num_threads(before)

    record = make_record(
        "scenes-trunk",
        task=f"single drawn objects, {len(CLASSES)} categories, 64 x 64",
        recipe={"images": images, "held_out": held_out, "epochs": epochs, "lr": lr, "batch": batch, "seed": seed},
        data={"version": VERSION, "sha256": hashlib.sha256(x.numpy().tobytes()).hexdigest()},
        accuracy=round(accuracy, 4),
        parameters=sum(p.numel() for p in trunk.parameters()),
        seconds=round(time.perf_counter() - started, 1),
    )
    state = {k: v.contiguous() for k, v in trunk.state_dict().items()}
    notes = {"made by": "python -m addgcn.data.scenes.pretrain", "seed": str(seed), "accuracy": f"{accuracy:.4f}",
             "record": record["id"], "licence": "MIT"}  # fmt: skip
    save_file(state, Path(folder) / SCENES_WEIGHTS.name, metadata=notes)
    write_json(Path(folder) / "scenes_trunk.json", record)
    return record


def _prepare(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> normalised float (B, 3, H, W)."""
    return (images.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25


def _augment(images: Tensor, random: torch.Generator) -> Tensor:
    """Flip half of the images, and move the whole batch by a few pixels."""
    images = torch.where(torch.rand(len(images), 1, 1, 1, generator=random) < 0.5, images.flip(2), images)
    dx, dy = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=random).tolist()
    return _prepare(images.roll((dy, dx), (1, 2)))


if __name__ == "__main__":
    print(f"{train_trunk()['accuracy']:.1%} of the held-out single objects named right")
