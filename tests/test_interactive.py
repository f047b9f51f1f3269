"""Live figures: self-contained, and showing the numbers that the library computes, in a real browser by real keys."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from addgcn.errors import InputError
from addgcn.graph import GraphConvolution
from addgcn.interactive import Live, gcn_playground, graph_explorer, map_browser, threshold_slider
from addgcn.metrics import MultiLabelMetrics, average_precision
from addgcn.model import Explanation

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
CLASSES = ("car", "traffic light", "cat", "</script><b>&")
C = len(CLASSES)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


SCORES = noise(90).round(decimals=1)  # with ties, and some exactly at the threshold of 0.50
TARGETS = (noise(90, seed=1) + SCORES > 1).int()
TARGETS[:2] = -1
A_D = noise(C, C, seed=2).sigmoid()
MAPS = noise(2, C, 3, 4, seed=3).sigmoid()
LOGITS = noise(2, C, seed=4)
PHOTOS = [Image.new("RGB", (60, 40), "olive"), np.full((40, 60, 3), 200, dtype=np.uint8)]
FIGURES: dict[str, Callable[[], Live]] = {
    "threshold": lambda: threshold_slider(SCORES, TARGETS, CLASSES[3]),
    "maps": lambda: map_browser(PHOTOS, MAPS, CLASSES, LOGITS, truth=[["cat"], [CLASSES[3]]]),
    "graph": lambda: graph_explorer(A_D, CLASSES, ["cat", "car"], PHOTOS[0]),
    "playground": gcn_playground,
}


@pytest.mark.parametrize("kind", FIGURES)
def test_html_is_self_contained_and_the_same_each_time(kind: str):
    live = FIGURES[kind]()
    bundle = live._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == repr(live) == live.text
    html = bundle["text/html"]
    assert html == FIGURES[kind]().html
    assert not re.search(r"(src|href)\s*=|@import|url\(|fetch\(|\$\{(INK|BLUE)\}", re.sub(r"data\.\w+", "", html))
    assert set(re.findall(r"https?://[\w./]+", html)) == {"http://www.w3.org/2000/svg"}
    assert html.count("<script>") == html.count("</script>") == 1
    assert f'id="{live.id}"' in html
    assert re.fullmatch(kind + "-[0-9a-f]{8}", live.id)


def test_the_scripts_are_installed_with_the_library():
    settings = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert "assets/*" in settings["tool"]["setuptools"]["package-data"]["addgcn"]


def test_an_id_may_be_given():
    assert 'id="fig-a"' in gcn_playground(id="fig-a").html


def test_the_text_tells_what_there_is():
    m = reference(0.5)
    ap = 100 * average_precision(SCORES[:, None], TARGETS[:, None])[0]
    assert threshold_slider(SCORES, TARGETS, "dog").text == (
        f"dog: {int((TARGETS == 1).sum())} of 90 images have it. Average precision {ap:.1f} %. At the threshold 0.50: "
        f"precision {m.OP:.1f} %, recall {m.OR:.1f} %, F1 {m.OF1:.1f} %."
    )
    best = int(LOGITS[0].argmax())
    assert f"In the first the highest is {CLASSES[best]}; its map peaks at" in FIGURES["maps"]().text
    assert "Present: car and cat." in FIGURES["graph"]().text
    assert "node 2 from 0.00 to 0.82" in gcn_playground().text


def data_of(live: Live) -> Any:
    return json.loads(live.data)


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_maps_are_drawn_as_the_figures_draw_them():
    maps = torch.zeros(1, 1, 2, 2)
    maps[0, 0, 0, 1] = 1
    cell = data_of(map_browser([PHOTOS[0]], maps, ["x"]))["images"][0]["cells"][0]
    drawn = np.asarray(decoded(cell["uri"]).convert("L")).astype(int)
    assert drawn.shape == (64, 64)
    assert drawn[0, 63] > 200  # the upper right is hot
    assert max(drawn[63, 63], drawn[0, 0], drawn[63, 0]) < 10
    assert cell["where"] == "upper right"
    assert cell["score"] is None


def test_an_explanation_brings_its_scores():
    none = torch.zeros(1)
    seen = Explanation(scores=LOGITS, s_m=None, s_r=LOGITS, maps=MAPS, V=none, H=none, Z=none, A_s=None, A_d=None)
    assert map_browser(PHOTOS, seen, CLASSES).data == map_browser(PHOTOS, MAPS, CLASSES, LOGITS).data
    with pytest.raises(InputError, match="makes none"):
        map_browser(PHOTOS, Explanation(**{**vars(seen), "maps": None}), CLASSES)


def test_the_matrix_is_drawn_with_rows_as_rows():
    A = torch.zeros(3, 3)
    A[0, 2] = 1
    heat = np.asarray(decoded(data_of(graph_explorer(A, "abc"))["heat"]).convert("L")).astype(int)
    assert heat.argmax() == 2
    signed = data_of(graph_explorer(A - A.T / 2, "abc", name="A_s"))
    assert signed["ends"] == [-1, 1]
    assert signed["name"] == "A_s"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: threshold_slider(noise(5, 2), torch.zeros(5, 2), "x"), r"\(N,\) each; these are \(5, 2\)"),
        (lambda: threshold_slider(noise(5), torch.zeros(4), "x"), r"\(5,\) and \(4,\)"),
        (lambda: threshold_slider(noise(5), torch.zeros(5), "dog"), "none of the 5 images has dog"),
        (lambda: threshold_slider(noise(5), torch.full((5,), 2), "x"), "targets are not 1"),
        (lambda: threshold_slider(noise(5) / 0, torch.ones(5), "x"), "infinite"),
        (lambda: map_browser(PHOTOS, MAPS[:1], CLASSES), r"are \(2, 4, H', W'\)"),
        (lambda: map_browser(PHOTOS, 3 * MAPS, CLASSES), r"within \[0, 1\]"),
        (lambda: map_browser(PHOTOS, MAPS / 0 * 0, CLASSES), r"within \[0, 1\]"),
        (lambda: map_browser([], MAPS[:0], CLASSES), r"maps of 0 images"),
        (lambda: map_browser(PHOTOS, MAPS, CLASSES, LOGITS[:1]), "1 rows of scores do not fit 2 images"),
        (lambda: map_browser(PHOTOS, MAPS, CLASSES, LOGITS[:, :3]), "scores of one image for 4 classes"),
        (lambda: map_browser(PHOTOS, MAPS, CLASSES, truth=[["cat"]]), "1 ground truths"),
        (lambda: map_browser(PHOTOS, MAPS, CLASSES, truth=[["dog"], []]), "unknown category 'dog'"),
        (lambda: graph_explorer(None, CLASSES), "no graph to draw"),
        (lambda: graph_explorer(A_D[:3], CLASSES), "a square"),
        (lambda: graph_explorer(A_D, CLASSES, ["carr"]), "Did you mean 'car'"),
        (lambda: gcn_playground(torch.ones(3, 3)), r"symmetric A \(4, 4\)"),
        (lambda: gcn_playground(torch.ones(4, 4).triu()), "symmetric"),
        (lambda: gcn_playground(values=[1, 2]), "2 values and 4 names"),
    ],
)
def test_bad_input(call: Callable[[], Live], message: str):
    with pytest.raises(InputError, match=message):
        call()


# --- in a browser -------------------------------------------------------------------------------------------------


def reference(threshold: float) -> Any:
    m = MultiLabelMetrics(1, threshold)
    m.update(SCORES[:, None], TARGETS[:, None])
    return m.compute()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs a browser: {CHROMIUM} (apt install chromium), or name another in $CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`show(live, ...)` is a page with these figures; at the end nothing may have gone wrong on it."""
    problems: list[str] = []
    contexts = []

    def visit(*lives: Live, width: int = 1200, theme: str = "light", **options: Any) -> Any:
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Live</title>'
        path = tmp_path / f"page{len(contexts)}.html"
        path.write_text(f'<!doctype html><html lang="en"{theme and f" data-theme={theme}"}><head>{head}</head><body>'
                        f"{''.join(live.html for live in lives)}</body></html>")  # fmt: skip
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda r: r.url.startswith(("file:", "data:")) or problems.append(f"asks for {r.url}"))
        page.goto(path.as_uri())
        return page

    yield visit
    for context in contexts:
        context.close()
    assert problems == []


def told(page: Any) -> str:
    return page.locator(".told").inner_text()


def test_the_slider_shows_what_the_metrics_compute(show: Callable[..., Any]):
    page = show(FIGURES["threshold"]())
    slider = page.get_by_label("threshold")
    slider.focus()
    page.keyboard.press("Home")
    seen = set()
    for k in range(1, 100):
        m = reference(k / 100)
        shown, text, x, y = page.evaluate(
            "() => [...[...document.querySelectorAll('output')].map(e => e.textContent),"
            " ...['cx', 'cy'].map(name => Number(document.querySelector('circle').getAttribute(name)))]"
        )
        assert shown == f"{k / 100:.2f}"
        assert text.startswith(f"precision {m.OP:.1f} %, recall {m.OR:.1f} %, F1 {m.OF1:.1f} %"), (k, text)
        assert (x - 32) / (290 - 32 - 14) == pytest.approx(m.OR / 100)  # the point on the curve
        assert 1 - (y - 20) / 178 == pytest.approx(m.OP / 100)
        seen.add(text)
        page.keyboard.press("ArrowRight")
    assert len(seen) > 20


def test_the_curve_passes_through_every_distinct_score(show: Callable[..., Any]):
    page = show(FIGURES["threshold"]())
    points = page.locator("polyline").get_attribute("points").split()
    assert len(points) == len(SCORES.unique())
    assert f"AP {100 * average_precision(SCORES[:, None], TARGETS[:, None])[0]:.1f}" in page.content()


def test_a_tie_is_rounded_as_python_does(show: Callable[..., Any]):
    """1 of 16 predicted is right: 6.25 %, which Python prints as 6.2 and JavaScript's toFixed as 6.3."""
    targets = torch.zeros(16, dtype=torch.int)
    targets[3] = 1
    assert f"{100 / 16:.1f}" == "6.2"
    assert told(show(threshold_slider(torch.ones(16), targets, "x"))).startswith("precision 6.2 %, recall 100.0 %")


def test_maps_by_image_category_and_opacity(show: Callable[..., Any]):
    page = show(FIGURES["maps"]())
    p = LOGITS.sigmoid()
    for n in (0, 1):
        page.get_by_label("image").select_option(str(n))
        order = page.get_by_label("category").locator("option").evaluate_all("all => all.map(o => Number(o.value))")
        assert order == p[n].argsort(descending=True).tolist()
        for c, name in enumerate(CLASSES):
            page.get_by_label("category").select_option(str(c))
            assert told(page).startswith(f"{name}: score {p[n, c]:.2f}, the map peaks at {MAPS[n, c].max():.2f}, ")
            assert ("ground truth" in told(page)) == ((n, c) in ((0, 2), (1, 3)))
            assert name in page.locator(".stack img").first.get_attribute("alt")
    page.get_by_label("image").select_option("0")
    assert page.get_by_label("category").input_value() == str(C - 1)  # what was looked at stays
    page.get_by_label("opacity").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("label output").inner_text() == "55 %"
    assert page.locator(".stack img").last.evaluate("e => getComputedStyle(e).opacity") == "0.55"
    boxes = page.locator(".stack img").evaluate_all("all => all.map(e => JSON.stringify(e.getBoundingClientRect()))")
    assert boxes[0] == boxes[1]  # the map lies on the whole image
    assert page.locator("img").evaluate_all("all => all.every(e => e.naturalWidth > 0)")


def test_rows_and_columns_of_the_graph(show: Callable[..., Any]):
    page = show(FIGURES["graph"]())
    assert page.get_by_label("category").input_value() == "0"
    for i, name in enumerate(CLASSES):
        page.get_by_label("category").select_option(str(i))
        others = [c for c in range(C) if c != i]
        row = ", ".join(f"{CLASSES[c]} ({A_D[i, c]:.2f})" for c in sorted(others, key=lambda c: -A_D[i, c]))
        column = ", ".join(f"{CLASSES[c]} ({A_D[c, i]:.2f})" for c in sorted(others, key=lambda c: -A_D[c, i]))
        assert told(page) == (
            f"{name} listens most to {row}; it is heard most by {column}. To itself it gives {A_D[i, i]:.2f}."
        )
    field = page.locator("svg").first.bounding_box()
    at = (78 + 266 * (1 + 0.5) / C) * field["width"] / 344  # the middle of row 1
    page.mouse.click(field["x"] + field["width"] / 2, field["y"] + at)
    assert told(page).startswith("traffic light listens")


def test_a_graph_by_keys_alone(show: Callable[..., Any]):
    page = show(FIGURES["graph"]())
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert told(page).startswith("traffic light listens")


def layers(A: np.ndarray, values: list[float]) -> list[list[str]]:
    """The rows of the table: before, after one, after two, by the library's graph convolution with W = 1."""
    d = A.sum(1)
    d = np.where(d > 0, d, np.inf) ** -0.5
    N = torch.from_numpy(d[:, None] * A * d)
    layer = GraphConvolution(1).double()
    torch.nn.init.ones_(layer.update.weight)
    h = torch.tensor(values, dtype=torch.float64)[:, None]
    one = layer(N, h, h)
    columns = torch.cat([h, one, layer(N, one, one)], 1).tolist()
    return [[f"{v:.3f}".replace("-0.000", "0.000") for v in row] for row in columns]


def cells(page: Any, table: int) -> list[list[str]]:
    rows = page.locator("table").nth(table).locator("tr").all()
    return [row.locator("td").all_inner_texts() for row in rows[1:]]


def test_the_playground_computes_graph_convolutions(show: Callable[..., Any]):
    page = show(gcn_playground())
    A = np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
    values = [2.0, 0.0, 0.0, -1.0]
    assert cells(page, 0) == layers(A + np.eye(4), values)
    page.get_by_label("1 – 4").focus()
    for _ in range(15):
        page.keyboard.press("ArrowRight")
    A[0, 3] = A[3, 0] = 1.5
    assert cells(page, 0) == layers(A + np.eye(4), values)
    assert cells(page, 1) == [[f"{v:.1f}" for v in row] for row in A + np.eye(4)]
    page.get_by_label("value of 3").fill("-2.5")
    values[2] = -2.5
    page.get_by_label("hears itself").press("Space")
    assert cells(page, 0) == layers(A, values)
    for name in ("1 – 2", "1 – 4"):
        page.get_by_label(name).press("Home")
    A[0, :] = A[:, 0] = 0  # a node without any link
    assert cells(page, 0) == layers(A, values)
    page.get_by_label("after 2 layers").check()
    wanted = [row[2] for row in layers(A, values)]
    labels = page.get_by_role("button").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert labels == [f"node {k + 1}, value {wanted[k]}; arrow keys move it" for k in range(4)]


def test_nodes_move_by_keys_and_by_dragging(show: Callable[..., Any]):
    page = show(gcn_playground())
    node = page.get_by_role("button").first
    assert node.get_attribute("transform") == "translate(60,50)"
    node.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert node.get_attribute("transform") == "translate(70,60)"
    box = node.locator("circle").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 20, steps=4)
    page.mouse.up()
    scale = 280 / page.locator("svg").bounding_box()["width"]
    moved = [float(v) for v in re.findall(r"[\d.]+", node.get_attribute("transform"))]
    assert moved == pytest.approx([70 + 40 * scale, 60 + 20 * scale], abs=1)
    page.mouse.move(x + 44, y + 24)
    assert [float(v) for v in re.findall(r"[\d.]+", node.get_attribute("transform"))] == moved  # let go is let go


def test_two_of_the_same_on_one_page(show: Callable[..., Any]):
    page = show(gcn_playground(), gcn_playground())
    assert page.locator(".addgcn-live table").count() == 6
    page.get_by_label("value of 1").last.fill("7")
    firsts = page.locator("table:first-of-type tr:nth-child(3) td:nth-child(2)").all_inner_texts()
    assert [text for text in firsts if text in ("2.000", "7.000")] == ["2.000", "7.000"]


def luminance(colour: str) -> float:
    parts = [int(v) / 255 for v in re.findall(r"\d+", colour)[:3]]
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize(
    ("theme", "scheme", "dark"),
    [("light", "dark", False), ("dark", "light", True), ("", "dark", True), ("", "light", False)],
)
def test_light_and_dark(show: Callable[..., Any], theme: str, scheme: str, dark: bool):
    """The page's own choice counts; without one, the system's. Text contrasts with its paper either way."""
    page = show(FIGURES["graph"](), theme=theme, color_scheme=scheme)
    for selector, property in ((".told", "color"), ("svg text", "fill"), ("p.quiet", "color")):
        ink = page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{property}")
        paper = page.locator(".addgcn-live").evaluate("e => getComputedStyle(e).backgroundColor")
        low, high = sorted((luminance(ink), luminance(paper)))
        assert (luminance(paper) < 0.1) == dark
        assert (high + 0.05) / (low + 0.05) > 4.5


@pytest.mark.parametrize("kind", FIGURES)
def test_on_a_small_phone_and_without_scripts(show: Callable[..., Any], kind: str):
    page = show(FIGURES[kind](), width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in page.locator("input, select").all():
        assert control.evaluate("e => e.closest('label').textContent.trim().length") > 0
        assert control.bounding_box()["height"] >= 18
    assert page.locator("svg:not([aria-label])").count() == 0
    assert page.locator("output[aria-live=polite]").count() == 1
    still = show(FIGURES[kind](), java_script_enabled=False)
    assert " ".join(still.locator(".addgcn-live").inner_text().split()) == " ".join(FIGURES[kind]().text.split())
