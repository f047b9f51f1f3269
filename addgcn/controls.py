"""Controls that need no further training: what the scores become when a trained model's dynamic graph is exchanged for
something else, when one of its two scores is left out; and the paper's figure 5 as a statistic.

The paper has none of them. They ask whether A_d is used, and whether what it says depends on the image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .graph import GraphLayer
from .metrics import average_precision
from .model import ADDGCN

# What A_d (B, C, C) is exchanged for; `mean` (C, C) is the mean A_d over many images.
SWAPS: dict[str, Callable[..., Tensor]] = {
    "mean": lambda A, mean: mean.expand_as(A),  # one graph for all images
    "another": lambda A, mean: A.roll(1, 0),  # the graph of another image
    "ones": lambda A, mean: torch.ones_like(A),  # everyone listens to everyone
    "identity": lambda A, mean: torch.eye(A.shape[1], device=A.device).expand_as(A),  # everyone hears itself alone
    "zeros": lambda A, mean: torch.zeros_like(A),  # nobody hears anything
}


def dynamic_layer(model: Any) -> GraphLayer | None:
    """The layer whose adjacency is A_d, or None where the model has no dynamic graph."""
    layer = getattr(getattr(model, "graph", None), "dynamic", None)
    return layer if isinstance(layer, GraphLayer) and any(True for _ in layer.adjacency.parameters()) else None


def partners(A_d: Tensor, targets: Tensor, columns: bool = False) -> Tensor:
    """Figure 5 as a number: do present categories stand out in the row (or column) of a present category?

    For every image with two or more present categories and every present category i: the chance that a random other
    present category has a larger weight in row i than a random absent one (ties count half). 0.5 is chance.

    Args:
        A_d: (N, C, C); targets: (N, C) in {1, 0, -1}; ignored categories are neither present nor absent.

    Returns:
        One value for each such (image, i): (M,).
    """
    A = A_d.transpose(1, 2) if columns else A_d
    values = [torch.zeros(0)]
    for weights, y in zip(A, targets, strict=True):
        present, absent = (y == 1).nonzero().flatten(), (y == 0).nonzero().flatten()
        if len(present) < 2 or len(absent) == 0:
            continue
        gap = weights[present][:, present, None] - weights[present][:, None, absent]  # (P, P, number absent)
        wins = ((gap > 0).float() + 0.5 * (gap == 0).float()).mean(2)  # (P, P): i's view of each present category
        wins.fill_diagonal_(0.0)  # how i looks on itself does not count
        values.append(wins.sum(1) / (len(present) - 1))
    return torch.cat(values)


@torch.no_grad()
def controls(model: Any, batches: Callable[[], Iterable[tuple[Tensor, Tensor]]]) -> dict[str, float]:
    """What the variants of a trained model are worth, in mAP (percent), and `partners` of its dynamic graphs.

    Args:
        batches: gives features X (B, D, H', W') and targets (B, C), batch by batch, each time it is called; the order
            must have nothing to do with what the images show.

    Returns:
        "s", "s_m", "s_r": the whole, and each score alone. With a dynamic graph also "A_d = mean" and so on, see
        `SWAPS`; and the means of `partners`: "row", "column", and "row of another", "column of another", what the
        graph of another image says of the same categories. Nothing for a baseline.
    """
    if not isinstance(model, ADDGCN):
        return {}
    model.eval()
    layer = dynamic_layer(model)
    scores: dict[str, list[Tensor]] = defaultdict(list)
    pairs: dict[str, list[Tensor]] = defaultdict(list)
    all_targets, total = [], torch.zeros(model.num_classes, model.num_classes)
    for X, targets in batches():
        out = model.explain_features(X)
        for name, value in (("s", out.scores), ("s_m", out.s_m), ("s_r", out.s_r)):
            if value is not None:
                scores[name].append(value)
        if layer is not None and out.A_d is not None:
            total += out.A_d.sum(0)
            for name, A_d in (("", out.A_d), (" of another", out.A_d.roll(1, 0))):
                pairs[f"row{name}"].append(partners(A_d, targets))
                pairs[f"column{name}"].append(partners(A_d, targets, columns=True))
        all_targets.append(targets)
    y = torch.cat(all_targets)
    if layer is not None:
        for X, _ in batches():
            V, s_m, _ = model.representation(X)  # (B, C, dim), (B, C)
            for name, swap in SWAPS.items():
                with exchanged(layer, partial(swap, mean=total / len(y))):
                    scores[f"A_d = {name}"].append(model.combine(s_m, model.readout(model.graph(V).Z)))
    found = {name: 100 * float(average_precision(torch.cat(s), y).nanmean()) for name, s in scores.items()}
    return found | {name: float(torch.cat(values).mean()) for name, values in pairs.items()}


@contextmanager
def exchanged(layer: GraphLayer, swap: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """While it lasts, the layer's adjacency gives `swap(A)` for A."""
    hook = layer.adjacency.register_forward_hook(lambda module, inputs, A: swap(A))
    try:
        yield
    finally:
        hook.remove()
