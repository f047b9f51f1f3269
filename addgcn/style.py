"""What all figures share: a style safe for the colour-blind, on a white card that a light or a dark page can carry;
a text for those who cannot see it; and the checks of what is to be drawn."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from .errors import InputError, check_name

Drawable = Image.Image | Tensor | np.ndarray
Labels = Tensor | np.ndarray | Iterable[int] | Iterable[str]

# Okabe and Ito (2008), "Color Universal Design": told apart under every common colour blindness.
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#000000"
PALETTE = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW, BLACK)
INK, QUIET, PALE = (
    "#1A1A1A",
    "#5F6368",
    "#DADCE0",
)  # text; secondary text (6:1 on white); bars and fields without a value
SEQUENTIAL = "viridis"  # values from 0 up
HEAT = "inferno"  # activation over a grey photograph
DIVERGING = "PuOr_r"  # signed values: neutral at 0, purple below, orange above

PAGE = 7.0  # inches: 700 px at 100 dots per inch, where 10 points are about 14 px

STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "savefig.dpi": 200,
    "axes.facecolor": "white",
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "font.size": 10,
    "font.family": "DejaVu Sans",  # comes with matplotlib, and has the ticks and crosses
    "image.cmap": SEQUENTIAL,
    "image.interpolation": "nearest",
}


def use_style() -> ExitStack:
    """Use this style for all figures from now on; written `with use_style():`, until the block ends."""
    settings: Any = matplotlib.rcParams
    before = {key: settings[key] for key in STYLE}
    settings.update(STYLE)
    restore = ExitStack()
    restore.callback(settings.update, before)
    return restore


class Picture(Figure):
    """A matplotlib Figure with `alt_text`: what there is to see, in words, made from the data.

    A notebook shows it where it stands last in a cell (or by `display`), with `alt_text` as the text form; a script
    writes it with `savefig`. It is not registered with pyplot, so none is shown twice and none stays in memory.
    """

    alt_text: str = ""

    def png(self, dpi: int = 200) -> bytes:
        """The figure as a PNG, at 200 dpi 1,400 pixels across a page's width, `alt_text` in its Description field."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=dpi, metadata={"Description": self.alt_text})
        return buffer.getvalue()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
        image = base64.b64encode(self.png(dpi=150)).decode()
        shown = {"width": round(100 * self.get_figwidth()), "alt": self.alt_text}
        return {"image/png": image, "text/plain": self.alt_text}, {"image/png": shown}


P = ParamSpec("P")
T = TypeVar("T")


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Decorator: draw in this style, whatever the caller's rcParams are, and leave them as they were."""

    @functools.wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        with use_style():
            return draw(*args, **kwargs)

    return inner


# What the figures take: images, labels and names in the forms users have them.


def to_numpy(values: Any) -> np.ndarray:
    """A tensor (of any device and precision, with or without gradient) or anything array-like as float64."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)


def to_pixels(image: Drawable) -> np.ndarray:
    """An image as uint8 (H, W, 3), its longer side 700 at most.

    Raises:
        InputError: another shape, or values outside [0, 1] (a normalised image, most likely).
    """
    if not isinstance(image, Image.Image):
        array = image.detach().cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)
        if isinstance(image, Tensor) and array.ndim == 3 and array.shape[0] == 3:
            array = array.transpose(1, 2, 0)  # (3, H, W) -> (H, W, 3)
        if array.ndim != 3 or array.shape[2] != 3:
            raise InputError(f"an image is (3, H, W) as a tensor, (H, W, 3) as an array; this one is {array.shape}.")
        if array.dtype != np.uint8:
            if not (array.min() >= -1e-3 and array.max() <= 1 + 1e-3):
                raise InputError(
                    f"pixels of an image to draw lie in [0, 1]; these go from {array.min():.2f} to {array.max():.2f}. "
                    "If the image was normalised for a model: denormalise(image, model.backbone.mean, "
                    "model.backbone.std)."
                )
            array = np.round(array.clip(0, 1) * 255).astype(np.uint8)
        image = Image.fromarray(array)
    image = image.convert("RGB")  # a copy: the caller's stays as large as it is
    image.thumbnail((700, 700))
    return np.asarray(image)


def to_places(names: Iterable[str], classes: Sequence[str]) -> list[int]:
    """The position of each name among the classes; InputError for an unknown one, or for none at all."""
    places = [list(classes).index(check_name("category", name, classes)) for name in names]
    if not places:
        raise InputError("no category to draw: the list of names is empty.")
    return places


def to_targets(labels: Labels | None, classes: Sequence[str]) -> np.ndarray | None:
    """Names, or targets (C,) in {1, 0, -1}, as an int array (C,). None stays None: nothing is known."""
    if labels is None:
        return None
    given: Any = labels if isinstance(labels, Tensor | np.ndarray) else list(labels)
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        named = {check_name("category", name, classes) for name in given}
        return np.array([int(name in named) for name in classes])
    values = to_numpy(given)
    if values.shape != (len(classes),) or not np.isin(values, (1, 0, -1)).all():
        raise InputError(
            f"labels of one image are names, or {len(classes)} targets of 1, 0 or -1; got shape {values.shape}"
            f"{'' if values.shape != (len(classes),) else ' with other values'}."
        )
    return values.astype(int)


def sigmoid(scores: Any, classes: Sequence[str]) -> np.ndarray:
    """sigma(s) of one image's scores (C,), checked: one per class, all finite."""
    s = to_numpy(scores)
    if s.shape != (len(classes),):
        raise InputError(f"the scores of one image for {len(classes)} classes are ({len(classes)},), not {s.shape}.")
    if not np.isfinite(s).all():
        raise InputError(
            f"scores are not finite for {listed([classes[c] for c in np.flatnonzero(~np.isfinite(s)).tolist()])}."
        )
    return 1 / (1 + np.exp(-s))


def listed(words: Sequence[str], most: int = 8) -> str:
    """Words in a row, "a, b and c"; beyond `most` of them: "a, b and 12 more"."""
    words = list(words)
    if len(words) > most:
        words = [*words[: most - 1], f"{len(words) - most + 1} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
