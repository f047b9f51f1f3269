"""Draw the card that a link to the book shows elsewhere: a scene, and the graph of what is in it.

python tools/social.py            # writes book/_static/social.png
"""

from __future__ import annotations

import math
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from addgcn import style
from addgcn.data import load
from addgcn.data.scenes.write import write_scenes

CARD = Path(__file__).resolve().parents[1] / "book" / "_static" / "social.png"


def draw(path: Path, scene: int = 2) -> None:
    """1200 x 630 pixels."""
    folder = path.parent / "social-scenes"
    try:
        dataset = load("scenes", "id", write_scenes(folder, size=256, sizes={"id": scene + 1}, splits=("id",)))
        image, targets = dataset[scene]
    finally:
        for file in sorted(folder.rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
        folder.rmdir()
    present = [name for name, y in zip(dataset.classes, targets.tolist(), strict=True) if y == 1]
    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="#f4f7f9")
    left = figure.add_axes((0.05, 0.14, 0.378, 0.72))
    left.imshow(image)
    left.set_axis_off()
    graph = figure.add_axes((0.43, 0.34, 0.56, 0.52))
    graph.set_axis_off()
    n = len(present)
    places = [(math.sin(2 * math.pi * k / n) * 1.5, math.cos(2 * math.pi * k / n)) for k in range(n)]
    for k, (x, y) in enumerate(places):
        for x2, y2 in places[:k]:
            graph.plot([x, x2], [y, y2], color="#33526b", linewidth=2, zorder=1)
    for (x, y), name, color in zip(places, present, style.PALETTE, strict=False):
        graph.scatter([x], [y], s=900, color=color, edgecolor="white", linewidth=3, zorder=2)
        side = "center" if abs(x) < 0.1 else "left" if x > 0 else "right"
        beside = (x, y + 0.3) if side == "center" else (x + math.copysign(0.22, x), y)
        graph.annotate(
            name, beside, ha=side, va="bottom" if side == "center" else "center", fontsize=19, color=style.INK
        )
    graph.set(xlim=(-3.1, 3.1), ylim=(-1.2, 1.75))
    figure.text(0.71, 0.2, "ADD-GCN", ha="center", fontsize=44, weight="bold", color="#33526b")
    text = "a graph of the categories for each image:\na book of executable notebooks"
    figure.text(0.71, 0.155, text, ha="center", va="top", fontsize=20, color=style.QUIET)
    figure.savefig(path)
    with Image.open(path) as card:  # 256 colours are enough, and a quarter of the size
        card.convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    draw(CARD)
    print(f"{CARD.name}: {CARD.stat().st_size / 1024:.0f} KB")
