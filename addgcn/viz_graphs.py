"""Relations between categories: A_d and A_s as a heat map and as a drawn graph (figure 5), co-occurrence (figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.patheffects import withStroke

from . import style
from .errors import InputError, check_name
from .style import Labels, Picture, listed, sigmoid, styled, to_numpy, to_places, to_targets

ROOM = 40  # names of 8 points that fit side by side along the largest heat map


@styled
def show_graph_matrix(
    A: Any,
    classes: Sequence[str],
    present: Labels | None = None,
    only: Sequence[str] | None = None,
    name: str = "A_d",
    scale: str = "shared",
) -> Picture:
    """Figure 5 (b): A (C, C) as a heat map. Row i is the category updated, column j the one that sends: A[i, j].

    The present categories are in bold, and what they send each other is framed. Weights within [0, 1], as in A_d, are
    drawn on the scale 0 to 1 ("shared"), so that two images can be compared, or from lowest to highest ("own"); signed
    ones, as in A_s, on a scale with its neutral colour at 0.
    """
    check_name("scale", scale, ("shared", "own"))
    A, targets = _graph(A, classes), to_targets(present, classes)
    shown = to_places(only, classes) if only is not None else list(range(len(classes)))
    sub, names = A[np.ix_(shown, shown)], [classes[c] for c in shown]
    bold = [k for k, c in enumerate(shown) if targets is not None and targets[c] == 1]
    limits = (sub.min(), sub.max()) if scale == "own" or sub.max() > 1 else (0, 1)
    if sub.min() < 0:
        limits = (-abs(sub).max(), abs(sub).max())
    picture, ax = _heat_map(sub, names, bold, limits, f"weight in ${name}$")
    ax.set(xlabel="category $j$ that sends", ylabel="category $i$ that is updated")
    for i in bold:
        for j in bold:
            if i != j and len(shown) <= ROOM:
                frame = Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=style.INK, linewidth=1.2, zorder=3)
                frame.set_path_effects([withStroke(linewidth=2.8, foreground="white")])
                ax.add_patch(frame)
    among = f" {listed([names[k] for k in bold])} are marked as present." if bold else ""
    picture.alt_text = (
        f"Heat map of {name} among {len(shown)} categories: rows are updated, columns send. Weights go from "
        f"{sub.min():.2f} to {sub.max():.2f}.{_largest(sub, names)}{among}"
    )
    return picture


@styled
def show_graph(
    A: Any,
    classes: Sequence[str],
    present: Labels | None = None,
    scores: Any | None = None,
    only: Sequence[str] | None = None,
    top: int = 8,
    senders: int = 2,
    name: str = "A_d",
) -> Picture:
    """The graph of A (C, C), drawn: an arrow runs from the category j that sends to the category i it updates.

    The nodes are `only`, or `top` of them: first those present, then the highest scores, then (without scores) those
    with the strongest arrows. To every node lead its `senders` strongest arrows; width and opacity show |A[i, j]|, a
    negative weight is dashed, and what a node sends itself is left out. Present nodes are filled.
    """
    A, targets = _graph(A, classes), to_targets(present, classes)
    there = np.zeros(len(classes), bool) if targets is None else targets == 1
    off = np.abs(A) * (1 - np.eye(len(A)))
    p = None if scores is None else sigmoid(scores, classes)
    priority = np.maximum(off.max(0), off.max(1)) if p is None else p
    ranked = np.lexsort((-priority, ~there))[: max(top, there.sum(), 1)]
    shown = to_places(only, classes) if only is not None else sorted(ranked.tolist())
    arrows = [
        (i, j, A[i, j])
        for i in shown
        for j in sorted((j for j in shown if off[i, j] > 0), key=lambda j: -off[i, j])[:senders]
    ]
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(shown)) / len(shown)  # from the top, clockwise
    place = dict(zip(shown, np.stack([np.cos(angle), np.sin(angle)], 1), strict=True))
    picture = Picture(figsize=(style.PAGE, 4.9), layout="constrained")
    ax = picture.subplots()
    strongest = max((abs(w) for *_, w in arrows), default=1)
    for i, j, w in sorted(arrows, key=lambda arrow: abs(arrow[2])):
        share = abs(w) / strongest
        ax.add_patch(FancyArrowPatch(
            place[j], place[i], connectionstyle="arc3,rad=0.18", shrinkA=12, shrinkB=12,
            arrowstyle=f"-|>,head_length={4 + 4 * share},head_width={2 + 2 * share}", linewidth=0.6 + 3 * share,
            color=style.VERMILLION if there[i] and there[j] else style.QUIET, alpha=0.25 + 0.7 * share,
            linestyle="--" if w < 0 else "-",
        ))  # fmt: skip
    for c, (x, y) in place.items():
        fill = style.VERMILLION if there[c] else "white"
        ax.scatter(x, y, s=330, facecolor=fill, edgecolor=style.VERMILLION if there[c] else style.QUIET, zorder=3)
        ha = "center" if abs(x) < 0.2 else "left" if x > 0 else "right"
        label = classes[c] if p is None else f"{classes[c]} {p[c]:.2f}"
        weight = "bold" if there[c] else "normal"
        ax.text(1.13 * x, 1.15 * y, label, ha=ha, va="center", parse_math=False, fontweight=weight)
    ax.set(xlim=(-2.1, 2.1), ylim=(-1.3, 1.3), aspect="equal")
    ax.axis("off")
    picture.legend(handles=_legend(arrows, there), loc="outside lower center", ncols=5)
    told = [f"{classes[j]} to {classes[i]} ({w:.2f})" for i, j, w in sorted(arrows, key=lambda a: -abs(a[2]))[:3]]
    filled = f" Present: {listed([classes[c] for c in shown if there[c]])}." if there[shown].any() else ""
    picture.alt_text = (
        f"Graph of {name} among {listed([classes[c] for c in shown])}; arrows run from the sender to the category "
        f"updated. Strongest: {listed(told) or 'none, all weights between them are zero'}.{filled}"
    )
    return picture


@styled
def show_cooccurrence(targets_or_counts: Any, classes: Sequence[str], only: Sequence[str] | None = None) -> Picture:
    """P(column | row) as a heat map; the arguments are those of `conditional_probability`."""
    P = conditional_probability(targets_or_counts)
    if len(P) != len(classes):
        raise InputError(f"labels of {len(P)} categories do not fit {len(classes)} classes.")
    shown = to_places(only, classes) if only is not None else list(range(len(classes)))
    sub, names = P[np.ix_(shown, shown)], [classes[c] for c in shown]
    np.fill_diagonal(sub, np.nan)
    picture, ax = _heat_map(sub, names, [], (0, 1), "P(column | row)")
    ax.set(xlabel="... how often is this one there?", ylabel="where this one is there ...")
    told = ""
    if np.isfinite(sub).any():
        i, j = divmod(int(np.nanargmax(sub)), len(sub))
        told = f" The highest is P({names[j]} | {names[i]}) = {sub[i, j]:.2f}."
    picture.alt_text = (
        f"Heat map of P(column | row), how often one category is there where another is, for {len(shown)} categories."
        f"{told}"
    )
    return picture


def conditional_probability(targets_or_counts: Any) -> np.ndarray:
    """P (C, C): P[i, j] = P(j | i), the share with category j of the images with category i (figure 1).

    Args:
        targets_or_counts: targets (N, C), where -1 (ignored) counts neither for nor against; or the counts (C, C) of
            images with both, with the number of images of each category on the diagonal. Nothing but 1, 0 and -1
            in it: targets.

    Returns:
        P, with NaN in the rows of categories that no image has.
    """
    counts = to_numpy(targets_or_counts)
    if counts.ndim != 2 or not counts.size:
        raise InputError(f"targets are (N, C) and counts (C, C); this is {counts.shape}.")
    if np.isin(counts, (1, 0, -1)).all():
        has = (counts == 1).astype(float)
        both, judged = has.T @ has, has.T @ (counts != -1)  # (C, N) @ (N, C) -> (C, C)
    else:
        alone = np.diag(counts)[:, None] if counts.shape[0] == counts.shape[1] else None
        if alone is None or (counts < 0).any() or (counts > alone).any() or (counts > alone.T).any():
            raise InputError(
                "these are neither targets of 1, 0 and -1 nor counts: counts (C, C) are not negative, and none exceeds "
                "the number of images of its category, which stands on the diagonal."
            )
        both, judged = counts, np.broadcast_to(alone, counts.shape)
    return np.divide(both, judged, out=np.full(both.shape, np.nan), where=judged > 0)


def _graph(A: Any, classes: Sequence[str]) -> np.ndarray:
    if A is None:
        raise InputError(
            "no graph to draw: this model has none of this kind. A_d is made by ADDGCN with a D in `graph` "
            "('D', 'S-D', 'D-S', 'P-...'), A_s by one with an S ('S', 'S-D', ...)."
        )
    A = to_numpy(A)
    if A.ndim == 3:
        raise InputError(f"one graph at a time: pick an image of the batch, A[0], from {A.shape}.")
    if A.shape != (len(classes), len(classes)) or not np.isfinite(A).all():
        raise InputError(f"a graph of {len(classes)} classes is a square of finite weights; this one is {A.shape}.")
    return A


def _heat_map(
    matrix: np.ndarray, names: Sequence[str], bold: Sequence[int], limits: tuple[float, float], label: str
) -> tuple[Picture, Axes]:
    """A square heat map, names on both sides: where not all fit, the bold ones, the most salient, some between."""
    n = len(names)
    side = min(max(0.42 * n, 1.8), 4.9)
    picture = Picture(figsize=(side + 2.1, side + 1.4), layout="constrained")
    ax = picture.subplots()
    cmap = colormaps[style.DIVERGING if limits[0] < 0 else style.SEQUENTIAL].with_extremes(bad=style.PALE)
    image = ax.imshow(matrix, cmap=cmap, vmin=limits[0], vmax=limits[1])
    for axis, along in ((ax.xaxis, 0), (ax.yaxis, 1)):
        salient = np.nansum(abs(matrix), axis=along).argsort()[::-1][:3]
        kept = _room_for([*bold, *salient.tolist(), *range(n)], gap=-(-n // ROOM))
        axis.set_ticks(kept, [names[k] for k in kept], fontsize=8, rotation=0 if along else 90, parse_math=False)
        axis.set_ticks(bold, minor=True)
        axis.set_tick_params(which="minor", color=style.VERMILLION, length=5, width=2)
        for tick, k in zip(axis.get_ticklabels(), kept, strict=True):
            tick.set(fontweight="bold" if k in bold else "normal", color=style.VERMILLION if k in bold else style.INK)
    ax.spines[:].set_visible(False)
    picture.colorbar(image, ax=ax, label=label, shrink=0.8, aspect=30)
    if n <= 12:
        for (i, j), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                r, g, b, _ = image.cmap(image.norm(value))
                ink = "white" if 0.3 * r + 0.59 * g + 0.11 * b < 0.5 else style.INK
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=8)
    return picture, ax


def _room_for(wanted: Sequence[int], gap: int) -> list[int]:
    """Those of the wanted places, in their order, that keep `gap` from the ones before them."""
    kept: list[int] = []
    for k in wanted:
        if all(abs(k - other) >= gap for other in kept):
            kept.append(k)
    return sorted(kept)


def _largest(matrix: np.ndarray, names: Sequence[str]) -> str:
    """In words: the largest weight that one category sends another."""
    if len(matrix) < 2:
        return ""
    off = np.where(np.eye(len(matrix), dtype=bool), -np.inf, matrix)
    i, j = divmod(int(off.argmax()), len(off))
    return f" The largest between two categories is {off[i, j]:.2f}, from {names[j]} (column) to {names[i]} (row)."


def _legend(arrows: Sequence[tuple[int, int, float]], there: np.ndarray) -> list[Artist]:
    """What width, opacity, dashes and colour mean."""
    weights = sorted((abs(w) for *_, w in arrows), reverse=True)
    signed = any(w < 0 for *_, w in arrows)
    handles: list[Artist] = []
    for weight in weights[:: max(len(weights) - 1, 1)]:  # the strongest and the weakest drawn
        share = weight / weights[0]
        line = Line2D([], [], color=style.QUIET, linewidth=0.6 + 3 * share, alpha=0.25 + 0.7 * share)
        line.set_label(f"|weight| {weight:.2g}" if signed else f"weight {weight:.2g}")
        handles.append(line)
    if signed:
        handles.append(Line2D([], [], color=style.QUIET, linestyle="--", label="negative"))
    if any(there[i] and there[j] for i, j, _ in arrows):
        handles.append(Line2D([], [], color=style.VERMILLION, linewidth=2, label="between present ones"))
    if there.any():
        dot = Line2D([], [], marker="o", markersize=11, linestyle="none", color=style.VERMILLION, label="present")
        handles.append(dot)
    return handles
