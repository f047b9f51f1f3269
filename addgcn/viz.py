"""What readers look at: activation maps (figure 4), the dynamic graph (figure 5), predictions, co-occurrence, curves.

Every function returns a `Picture`: a matplotlib Figure, seven inches (700 px) wide, with `alt_text` made from its data.
An image is a PIL image, a (3, H, W) tensor or an (H, W, 3) array, with pixels in [0, 1] or uint8; what a model was
fed goes through `denormalise` first. `truth` and `present` are names, or targets (C,) with 1, 0, -1 (ignored);
`only` is a list of names, drawn in that order. A wrong name, shape or value is an InputError.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from torch import Tensor
from torch.nn.functional import interpolate

from . import style
from .errors import InputError, check_name
from .style import Drawable, Labels, Picture, listed, sigmoid, styled, to_numpy, to_places, to_targets, use_style
from .viz_graphs import conditional_probability, show_cooccurrence, show_graph, show_graph_matrix

__all__ = [
    "conditional_probability",
    "contact_sheet",
    "denormalise",
    "show_cooccurrence",
    "show_curves",
    "show_graph",
    "show_graph_matrix",
    "show_maps",
    "show_predictions",
    "use_style",
]
MARKS = {1: ("✓ ", "in the ground truth"), 0: ("✗ ", "not in it"), -1: ("? ", "ignored there")}


def denormalise(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Undo a backbone's normalisation: image * std + mean per channel, cut to [0, 1]. Shape (..., 3, H, W)."""
    shift, scale = (torch.as_tensor(v, dtype=image.dtype, device=image.device).view(3, 1, 1) for v in (mean, std))
    return (image * scale + shift).clamp(0, 1)


@styled
def show_maps(
    image: Drawable,
    maps: Any,
    classes: Sequence[str],
    index: int = 0,
    top: int = 5,
    only: Sequence[str] | None = None,
    truth: Labels | None = None,
    scale: str = "shared",
) -> Picture:
    """Figure 4: the image, then the map M of each chosen category over it, titled with its name and sigma(s).

    Args:
        image: what the maps were computed from. They are stretched over all of it: give it whole if the model's
            transform squashed it, and cropped if the transform cropped it.
        maps: an Explanation, or maps after the sigmoid, (C, H', W') or (B, C, H', W'), which come without scores.
        index: which image of the batch.
        top: how many categories, the highest scores first (without scores: the highest peaks).
        scale: "shared": one colour scale, 0 to 1, for all maps; "own": each from its lowest to its highest value.

    Raises:
        InputError: the model has no maps.
    """
    check_name("scale", scale, ("shared", "own"))
    s = None
    if hasattr(maps, "scores"):
        s, maps = sigmoid(_of_batch(maps.scores, index, 1), classes), maps.maps
    if maps is None:
        raise InputError("no activation maps to draw: this model makes none. ADDGCN(representation='sam') has them.")
    M = _of_batch(maps, index, 3)  # (C, H', W')
    if len(M) != len(classes):
        raise InputError(f"{len(M)} activation maps do not fit {len(classes)} classes.")
    ranked = np.argsort(-(M.max((1, 2)) if s is None else s), kind="stable")
    chosen = ranked[: max(top, 1)].tolist() if only is None else to_places(only, classes)
    pixels, targets = style.to_pixels(image), to_targets(truth, classes)
    H, W = pixels.shape[:2]
    # Each cell covers its share of the image: (k, H', W') -> (k, H, W)
    over = interpolate(torch.from_numpy(M[chosen])[None], (H, W), mode="bilinear", align_corners=False)[0].numpy()

    n, lines = 1 + len(chosen), 1 if scale == "shared" else 2
    columns = n if n <= 4 else 3 if n in (5, 6, 9) else 4
    picture, axes = _panels([H / W] * n, [lines] * n, columns, bar=0.6)
    axes[0].imshow(pixels)
    axes[0].set_title("the image")
    for ax, c, values in zip(axes[1:], chosen, over, strict=True):
        low, high = (0.0, 1.0) if scale == "shared" else (M[c].min(), M[c].max())
        ax.imshow(pixels.mean(2), cmap="gray", vmin=0, vmax=255)
        share = (values - low).clip(0) / max(high - low, 1e-12)
        ax.imshow(values, cmap=style.HEAT, vmin=low, vmax=high, alpha=(0.35 + 0.45 * share).clip(0, 1))
        mark = "" if targets is None else MARKS[targets[c]][0]
        title = f"{mark}{classes[c]}" + ("" if s is None else f"  {s[c]:.2f}")
        title += f"\n{low:.2f} to {high:.2f}" if scale == "own" else ""
        weight = "bold" if targets is not None and targets[c] == 1 else "normal"
        ax.set_title(title, parse_math=False, fontweight=weight)
    bar = picture.colorbar(ScalarMappable(Normalize(0, 1), style.HEAT), ax=axes, shrink=0.9, aspect=30)
    bar.set_ticks([0, 0.5, 1] if scale == "shared" else [0, 1], labels=None if scale == "shared" else ["low", "high"])
    bar.set_label("activation" if scale == "shared" else "")
    _explain_marks(picture, targets, chosen)
    best = chosen[0] if s is None else max(chosen, key=lambda c: s[c])
    y, x = np.unravel_index(over[chosen.index(best)].argmax(), (H, W))
    score = "" if s is None else f" The highest score among them is {classes[best]}, {s[best]:.2f}."
    picture.alt_text = (
        f"The image and, over it, the activations of {listed([classes[c] for c in chosen])}.{score} The map of "
        f"{classes[best]} peaks at {M[best].max():.2f}, {_where(x / W, y / H)}.{_truth_told(targets, classes)}"
    )
    return picture


@styled
def show_predictions(
    image: Drawable, scores: Any, classes: Sequence[str], truth: Labels | None = None, top: int = 10
) -> Picture:
    """The image beside its `top` categories, ranked by sigma(s), with the threshold at 0.5; scores (C,) are logits."""
    s, pixels, targets = sigmoid(scores, classes), style.to_pixels(image), to_targets(truth, classes)
    chosen = np.argsort(-s, kind="stable")[: max(top, 1)].tolist()
    picture = Picture(figsize=(style.PAGE, max(2.6, 0.9 + 0.27 * len(chosen))), layout="constrained")
    left, right = picture.subplots(1, 2, width_ratios=(1, 1.25))
    left.imshow(pixels)
    left.axis("off")
    right.barh(range(len(chosen)), s[chosen], color=[style.BLUE if s[c] > 0.5 else style.SKY for c in chosen])
    for row, c in enumerate(chosen):
        right.text(s[c] + 0.015, row, f"{s[c]:.2f}", va="center", fontsize=9)
    names = [("" if targets is None else MARKS[targets[c]][0]) + classes[c] for c in chosen]
    right.set_yticks(range(len(chosen)), names, parse_math=False)
    for label, c in zip(right.get_yticklabels(), chosen, strict=True):
        label.set_fontweight("bold" if targets is not None and targets[c] == 1 else "normal")
    right.invert_yaxis()
    right.axvline(0.5, color=style.INK, linestyle="--", linewidth=1)
    right.set(xlim=(0, 1.12), xticks=[0, 0.5, 1], xlabel="score after the sigmoid; present above 0.5")
    rank = {c: r for r, c in enumerate(np.argsort(-s, kind="stable").tolist(), 1)}
    missed = [c for c in rank if targets is not None and targets[c] == 1 and c not in chosen]
    lower = "\nranked lower: " + listed([f"✓ {classes[c]} {s[c]:.2f} (rank {rank[c]})" for c in missed], 4)
    _explain_marks(picture, targets, chosen, lower if missed else "")
    above = [f"{classes[c]} {s[c]:.2f}" for c in rank if s[c] > 0.5]
    picture.alt_text = (
        f"The image beside bars of its {len(chosen)} highest scores. Above the threshold of 0.5: "
        f"{listed(above) or f'none; the highest is {classes[chosen[0]]}, {s[chosen[0]]:.2f}'}."
        f"{_truth_told(targets, classes)}"
    )
    return picture


@styled
def show_curves(log: Sequence[Mapping[str, Any]]) -> Picture:
    """Training curves from the rows of a run's log.jsonl: the loss, and the validation metrics, by epoch.

    Rows of the same epoch are averaged. Read them with `[json.loads(row) for row in open("runs/demo/log.jsonl")]`.
    """
    loss_key = next((key for key in ("train_loss", "loss") if any(key in row for row in log)), None)
    groups = [[loss_key] if loss_key else [], [k for k in ("mAP", "CF1", "OF1") if any(k in row for row in log)]]
    groups = [group for group in groups if group]
    if not groups or not all("epoch" in row for row in log):
        raise InputError("nothing to draw: rows of a log have an 'epoch', and a 'train_loss' or an 'mAP'.")
    picture = Picture(figsize=(style.PAGE, 2.9), layout="constrained")
    told = []
    for ax, keys in zip(picture.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        for key, line in zip(keys, ("-o", "--s", ":^"), strict=False):
            by_epoch: dict[int, list[float]] = {}
            for row in log:
                if row.get(key) is not None:
                    by_epoch.setdefault(row["epoch"], []).append(float(row[key]))
            epochs = sorted(by_epoch)
            values = [float(np.mean(by_epoch[e])) for e in epochs]
            ax.plot(epochs, values, line, markersize=4, label=key, markevery=max(1, len(epochs) // 15))
            told.append(f"{key} from {values[0]:.3g} to {values[-1]:.3g}")
        ax.set(xlabel="epoch", title="training loss" if keys == [loss_key] else "validation")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(axis="y", color=style.PALE, linewidth=0.8)
        if len(keys) > 1:
            ax.legend()
        else:
            ax.set_ylabel("loss" if keys == [loss_key] else keys[0])
    first, last = min(row["epoch"] for row in log), max(row["epoch"] for row in log)
    picture.alt_text = f"Training curves over epochs {first} to {last}: {listed(told)}."
    return picture


@styled
def contact_sheet(images: Sequence[Drawable], titles: Sequence[str] | None = None, columns: int = 6) -> Picture:
    """Many images at a glance, row by row, each under its title."""
    if not len(images) or (titles is not None and len(titles) != len(images)):
        raise InputError(f"{len(images)} images and {0 if titles is None else len(titles)} titles do not make a sheet.")
    pixels = [style.to_pixels(image) for image in images]
    columns = max(1, min(columns, len(images)))
    text = [textwrap.fill(title, max(8, 84 // columns)) for title in titles or [""] * len(images)]
    lines = [one.count("\n") + 1 if one else 0 for one in text]
    picture, axes = _panels([p.shape[0] / p.shape[1] for p in pixels], lines, columns)
    for ax, p, title in zip(axes, pixels, text, strict=True):
        ax.imshow(p)
        ax.set_anchor("N")  # to its title
        ax.set_title(title, parse_math=False, fontsize=9)
    rows = -(-len(images) // columns)
    named = "" if titles is None else f", titled: {'; '.join(titles[:20])}{'; ...' if len(titles) > 20 else ''}"
    picture.alt_text = f"{_count(len(images), 'image')} in {_count(rows, 'row')} of up to {columns}{named}."
    return picture


def _of_batch(values: Any, index: int, ndim: int) -> np.ndarray:
    """Image `index` of a batch; what has no batch axis is returned as it is."""
    array = to_numpy(values)
    if array.ndim == ndim:
        return array
    if array.ndim != ndim + 1 or not -len(array) <= index < len(array):
        raise InputError(f"image {index} is not in a batch of shape {array.shape}.")
    return array[index]


def _panels(
    ratios: Sequence[float], lines: Sequence[int], columns: int, bar: float = 0.0
) -> tuple[Picture, list[Axes]]:
    """A page-wide grid of panels without axes: height / width and lines of title of each, `bar` inches left beside."""
    width = (style.PAGE - bar) / columns
    rows = range(0, len(ratios), columns)
    heights = [width * min(max(0.2, *ratios[r : r + columns]), 2.5) for r in rows]
    text = sum(0.18 * max(lines[r : r + columns]) + 0.12 for r in rows)
    picture = Picture(figsize=(style.PAGE, sum(heights) + text + 0.35), layout="constrained")
    axes = list(picture.subplots(len(rows), columns, squeeze=False, height_ratios=heights).flat)
    for ax in axes:
        ax.axis("off")
    for ax in axes[len(ratios) :]:
        ax.remove()
    return picture, axes[: len(ratios)]


def _explain_marks(picture: Picture, targets: np.ndarray | None, chosen: Sequence[int], more: str = "") -> None:
    """One line under the figure: what the marks that occur in it mean."""
    if targets is not None:
        used = [mark + meaning for value, (mark, meaning) in MARKS.items() if value in targets[list(chosen)]]
        picture.supxlabel("   ".join(used) + more, fontsize=9, color=style.QUIET, parse_math=False)


def _truth_told(targets: np.ndarray | None, classes: Sequence[str]) -> str:
    if targets is None:
        return ""
    return f" In the ground truth: {listed([classes[c] for c in np.flatnonzero(targets == 1).tolist()]) or 'nothing'}."


def _where(x: float, y: float) -> str:
    """A place in words, from its coordinates as shares of the width and the height."""
    row, column = ("upper", "middle", "lower")[int(3 * y)], ("left", "centre", "right")[int(3 * x)]
    return "in the centre" if (row, column) == ("middle", "centre") else f"{row} {column}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
