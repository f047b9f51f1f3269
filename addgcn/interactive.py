"""Figures that answer: a threshold to move, maps and graphs to look through, a graph convolution to play with.

Each function returns a `Live`: a piece of HTML with its data and its script inside. It needs no kernel, no library and
no request, so that one and the same object works in Jupyter, in Colab and on the book's pages. Nothing here has to be
computed by the kernel again, hence no ipywidgets. Put it last in a cell, or `display` it.

What the script computes (decisions, sums of a graph convolution) it computes as the library does, in double precision
from the float32 scores; a test compares the numbers shown with `addgcn.metrics` and NumPy.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import Colormap, to_hex
from PIL import Image
from torch.nn.functional import interpolate

from . import style
from .errors import InputError
from .metrics import MultiLabelMetrics
from .style import Drawable, Labels, listed, to_numpy, to_targets
from .viz import _where
from .viz_graphs import _graph

LONGEST = 448  # pixels of a photograph's longer side, and ...
FINEST = 64  # ... of a map's; the browser smooths between them


@cache
def _asset(name: str) -> str:
    return (files("addgcn") / "assets" / name).read_text(encoding="utf-8")


class Live:
    """HTML with its own script. `text` says in words what it shows at first: for plain text, and without scripts."""

    def __init__(self, kind: str, data: dict[str, Any], text: str, id: str | None = None) -> None:
        # "<" would end the script element if a name held "</script>"
        self.data = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
        self.kind, self.text = kind, text
        self.id = id or f"{kind}-{hashlib.sha256(self.data.encode()).hexdigest()[:8]}"  # the same in every run

    @property
    def html(self) -> str:
        """The element, its style and its script."""
        css = Template(_asset("live.css")).substitute(vars(style))
        script = (
            f"const id = {json.dumps(self.id)}, data = {self.data};\n{_asset('live.js')}\n{_asset(f'{self.kind}.js')}"
        )
        return (  # the style first: elsewhere in a body it is not valid
            f"<style>\n{css}</style>\n"
            f'<div class="addgcn-live" id="{html.escape(self.id)}"><p>{html.escape(self.text)}</p></div>\n'
            f"<script>\n(() => {{\n{script}}})();\n</script>"
        )

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


def threshold_slider(scores: Any, targets: Any, class_name: str, id: str | None = None) -> Live:
    """Precision, recall and F1 of one category under a threshold to move, and where that is on its curve.

    Args:
        scores: (N,) logits of one category.
        targets: (N,) in {1, 0, -1}; an ignored one counts as negative here and leaves AP, as in `addgcn.metrics`.

    Raises:
        InputError: shapes that differ, other targets, scores that are not finite, no positive.
    """
    s, t = to_numpy(scores).astype(np.float32), to_numpy(targets)
    if s.ndim != 1 or s.shape != t.shape:
        raise InputError(f"scores and targets of one category are (N,) each; these are {s.shape} and {t.shape}.")
    metrics = MultiLabelMetrics(1)
    metrics.update(s[:, None], t[:, None])
    m, there = metrics.compute(), int((t == 1).sum())
    if not there:
        raise InputError(f"none of the {len(s)} images has {class_name}: recall and average precision do not exist.")
    text = (
        f"{class_name}: {there} of {len(s)} images have it. Average precision {m.mAP:.1f} %. At the threshold 0.50: "
        f"precision {m.OP:.1f} %, recall {m.OR:.1f} %, F1 {m.OF1:.1f} %."
    )
    data = {"name": class_name, "scores": _short(s), "targets": t.astype(int).tolist(), "AP": m.mAP}
    return Live("threshold", data, text, id)


def map_browser(
    images: Sequence[Drawable],
    maps: Any,
    classes: Sequence[str],
    scores: Any | None = None,
    truth: Sequence[Labels] | None = None,
    id: str | None = None,
) -> Live:
    """Images with the activation map of a category over them: choose the image, the category and the opacity.

    Args:
        images: N images, as `addgcn.viz` takes them (`denormalise` what a model was fed).
        maps: (N, C, H', W') after the sigmoid, or an `Explanation`, which brings its scores.
        scores: (N, C) logits; without them the categories are ranked by their maps' peaks.
        truth: for each image names, or targets (C,).
    """
    if hasattr(maps, "maps"):
        scores, maps = maps.scores if scores is None else scores, maps.maps
    if maps is None:
        raise InputError("no activation maps to show: this model makes none. ADDGCN(representation='sam') has them.")
    M = to_numpy(maps)
    if not len(images) or M.ndim != 4 or M.shape[:2] != (len(images), len(classes)) or not ((M >= 0) & (M <= 1)).all():
        raise InputError(
            f"maps of {len(images)} images and {len(classes)} classes are ({len(images)}, {len(classes)}, H', W') "
            f"within [0, 1]; these are {M.shape}."
        )
    for given, what in ((truth, "ground truths"), (scores, "rows of scores")):
        if given is not None and len(given) != len(images):
            raise InputError(f"{len(given)} {what} do not fit {len(images)} images.")
    shown: list[dict[str, Any]] = []
    for n, image in enumerate(images):
        p = None if scores is None else style.sigmoid(scores[n], classes)
        targets = to_targets(None if truth is None else truth[n], classes)
        names = [] if targets is None else [classes[c] for c in np.flatnonzero(targets == 1).tolist()]
        cells = [
            {
                "uri": _map_uri(m),
                "peak": float(m.max()),
                "where": _where(*_peak(m)),
                "score": None if p is None else float(p[c]),
                "there": targets is not None and bool(targets[c] == 1),
            }
            for c, m in enumerate(M[n])
        ]
        shown.append({"uri": _photo(image), "about": f" ({listed(names)})" if names else "", "cells": cells})
    first = shown[0]["cells"]
    top = max(range(len(classes)), key=lambda c: first[c]["peak"] if first[c]["score"] is None else first[c]["score"])
    text = (
        f"{len(images)} images with the maps of {len(classes)} categories. In the first the highest is {classes[top]}; "
        f"its map peaks at {first[top]['peak']:.2f}, {first[top]['where']}."
    )
    data = {"classes": list(classes), "colours": _colours(colormaps[style.HEAT]), "images": shown}
    return Live("maps", data, text, id)


def graph_explorer(
    A: Any,
    classes: Sequence[str],
    present: Labels | None = None,
    image: Drawable | None = None,
    name: str = "A_d",
    id: str | None = None,
) -> Live:
    """One graph, category by category: its row (whom it listens to) and its column (who hears it).

    Args:
        A: (C, C) of one image, or A_s; A[i, j] is the weight of j in the update of i.
        present: names, or targets (C,).
        image: shown beside the graph.
    """
    A, targets = _graph(A, classes), to_targets(present, classes)
    there = [] if targets is None else np.flatnonzero(targets == 1).tolist()
    low, high = (-abs(A).max(), abs(A).max()) if A.min() < 0 else (0.0, max(1.0, A.max()))
    cmap = colormaps[style.DIVERGING if low < 0 else style.SEQUENTIAL]
    share = (A - low) / max(high - low, 1e-12)
    heat = Image.fromarray((cmap(share)[..., :3] * 255).round().astype(np.uint8))
    first = there[0] if there else 0
    row = np.where(np.arange(len(A)) == first, -np.inf, A[first])
    told = f" {classes[first]} listens most to {classes[int(row.argmax())]} ({row.max():.2f})." if len(A) > 1 else ""
    known = f" Present: {listed([classes[c] for c in there])}." if there else ""
    text = f"The graph {name} of {len(classes)} categories, weights from {A.min():.2f} to {A.max():.2f}.{told}{known}"
    data = {
        "name": name,
        "classes": list(classes),
        "A": [_short(r.astype(np.float32)) for r in A],
        "present": there,
        "heat": _uri(heat, "PNG"),
        "colours": _colours(cmap),
        "ends": [float(low), float(high)],
        "first": first,
        "photo": None if image is None else _photo(image),
    }
    return Live("graph", data, text, id)


def gcn_playground(
    A: Any | None = None,
    values: Sequence[float] = (2.0, 0.0, 0.0, -1.0),
    names: Sequence[str] = ("1", "2", "3", "4"),
    loops: bool = True,
    id: str | None = None,
) -> Live:
    """Four nodes with one value each, before and after one and two graph convolutions, for edges to re-weight.

    A layer is LReLU(N h), slope 0.2 (eq. 2 with one channel and W = 1); N = D^-1/2 (A + I) D^-1/2.

    Args:
        A: (4, 4), symmetric, weights from 0 to 2; its diagonal is not looked at. None: the path 1 - 2 - 3 - 4.
        loops: whether I is added at first; the figure has a box for it.
    """
    A = np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1) if A is None else to_numpy(A)
    if A.shape != (4, 4) or not (A == A.T).all() or A.min() < 0 or A.max() > 2:
        raise InputError("the playground takes a symmetric A (4, 4) with weights from 0 to 2.")
    if len(values) != 4 or len(names) != 4:
        raise InputError(f"the playground has four nodes, but {len(values)} values and {len(names)} names came.")
    h = np.asarray([float(value) for value in values])
    A = A * (1 - np.eye(4))
    full = A + loops * np.eye(4)
    degree = full.sum(1)
    scale = np.where(degree > 0, np.where(degree > 0, degree, 1) ** -0.5, 0)
    mixed = (scale[:, None] * full * scale) @ h
    told = [
        f"node {n} from {a:.2f} to {b:.2f}"
        for n, a, b in zip(names, h, np.where(mixed < 0, 0.2 * mixed, mixed), strict=True)
    ]
    text = f"Four nodes and the weights of their edges. One graph convolution takes {listed(told)}."
    data = {"names": list(names), "A": A.tolist(), "values": h.tolist(), "loops": loops}
    return Live("playground", data, text, id)


def _short(values: np.ndarray) -> list[float]:
    """float32 numbers with no more digits than they need; `Math.fround` gives them back."""
    return [float(str(value)) for value in values]


def _colours(cmap: Colormap) -> list[str]:
    """A colour scale as nine colours, for a bar."""
    return [to_hex(cmap(k / 8)) for k in range(9)]


def _uri(image: Image.Image, form: str, **options: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _photo(image: Drawable) -> str:
    photo = Image.fromarray(style.to_pixels(image))
    photo.thumbnail((LONGEST, LONGEST))
    return _uri(photo, "JPEG", quality=85)


def _map_uri(m: np.ndarray) -> str:
    """A map (H', W') in colours on the scale 0 to 1, stretched as `show_maps` does."""
    H, W = m.shape
    factor = max(1, FINEST // max(H, W))
    fine = interpolate(
        torch.from_numpy(m)[None, None], scale_factor=float(factor), mode="bilinear", align_corners=False
    )
    values = (fine[0, 0].numpy() * 255).round().astype(np.uint8)
    image = Image.frombytes("P", values.shape[::-1], values.tobytes())
    image.putpalette((colormaps[style.HEAT](np.arange(256))[:, :3] * 255).round().astype(np.uint8).tobytes())
    return _uri(image, "PNG", optimize=True)


def _peak(m: np.ndarray) -> tuple[float, float]:
    """The peak's place as shares of the width and the height, at its cell's centre."""
    y, x = np.unravel_index(m.argmax(), m.shape)
    return (x + 0.5) / m.shape[1], (y + 0.5) / m.shape[0]
