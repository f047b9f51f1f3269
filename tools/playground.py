"""What the page "Playground" needs: four trained models as one ONNX file, pictures, the browser's runtime.

    python tools/playground.py        # from the cache where nothing it depends on has changed

Everything lands in `playground/site` of the cache ($ADDGCN_CACHE), from where book/_ext/playground.py copies it into
the finished pages. What is missing there is not an error: without ONNX's packages or without npm the page shows its
pictures, and says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import shutil
import sys
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any

import from_npm
import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import to_hex
from PIL import Image
from playground_art import CASES, INPUT, compose, reduce, write_pictures
from torch import Tensor, nn
from torch.utils.data import DataLoader

from addgcn import style
from addgcn import train as training
from addgcn.controls import dynamic_layer
from addgcn.data import cache_dir, load
from addgcn.data.transforms import eval_transform
from addgcn.evaluate import evaluate_run
from addgcn.experiments import Records
from addgcn.export import write
from addgcn.features import cached_features
from addgcn.pretrained import load_model
from addgcn.recipes import RECIPES, Recipe
from addgcn.records import read_json, write_json

SOURCE = Path(training.__file__).parent
GRAPHS = ("none", "S", "D", "S-D")
SPLIT, OTHER = "id", "ood"  # what the models are judged on, and the split whose mean A_d the page offers
PARTS = ("backbone", "batches", "features", "graph", "losses", "heads", "model", "recipes", "sam", "train")

# The smallest of the recent versions; its plain WebAssembly build runs on one thread without special headers.
RUNTIME, VERSION = "onnxruntime-web", "1.22.0"
INTEGRITY = "sha512-Ud/+EBo6mhuaQWt/OjaOk0iNWjXqJoeeMFr6xQEERZdIZH2OWpGzuujz7lfuOBjUa6TEE/sc4nb7Da5dNL34fg=="
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
LICENCE = Path(__file__).with_name("onnxruntime-LICENSE.txt")


class FourModels(nn.Module):
    """The four models on the trunk they share: the pixels of a canvas in, all that the page shows out.

    `A` (2, C, C) and `share`: the graph that takes the place of A_d, in D and in S-D, and to which part.
    """

    def __init__(self, models: list[Any]) -> None:
        super().__init__()
        self.trunk: Any = models[0].backbone
        self.models: Any = nn.ModuleList(models)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(self.trunk.mean))
        self.register_buffer("std", torch.tensor(self.trunk.std))

    def forward(self, pixels: Tensor, A: Tensor, share: Tensor) -> dict[str, Tensor]:
        """pixels (H, W, 4) uint8 of RGBA -> scores, s_m, s_r (4, C), maps (4, C, H', W'), A_d (2, C, C)."""
        images = (pixels[..., :3].float() / 255 - self.mean) / self.std  # (H, W, 3)
        X = self.trunk(images.permute(2, 0, 1).unsqueeze(0))  # (1, D, H', W')
        rows: list[tuple[Tensor, ...]] = []
        graphs: list[Tensor] = []
        for model in self.models:
            V, s_m, M = model.representation(X)  # (1, C, dim), (1, C), (1, C, H', W')
            if dynamic_layer(model) is None:
                Z = model.graph(V).Z
            else:
                H = model.graph.static(V, V)[0] if hasattr(model.graph, "static") else V  # (1, C, dim)
                A_d = model.graph.dynamic.adjacency(H)  # (1, C, C)
                Z = model.graph.dynamic.convolution((1 - share) * A_d + share * A[len(graphs)], H, V)
                graphs.append(A_d[0])
            s_r = model.readout(Z)  # (1, C)
            rows.append((model.combine(s_m, s_r)[0], s_m[0], s_r[0], M[0]))
        scores, s_m, s_r, maps = (torch.stack(parts) for parts in zip(*rows, strict=True))
        return {"scores": scores, "s_m": s_m, "s_r": s_r, "maps": maps, "A_d": torch.stack(graphs)}


def recipe(graph: str) -> Recipe:
    """The recipe of the recorded runs of table 4, with the learning rate that was chosen for this graph."""
    wanted = replace(RECIPES["scenes-heads"], graph=graph)
    for run in Records(SOURCE / "records").runs.values():
        found = Recipe.from_dict(run["recipe"])
        if replace(found, lr=wanted.lr, seed=wanted.seed, evaluate_every=wanted.evaluate_every) == wanted:
            return replace(wanted, lr=found.lr)
    return wanted


def train(graph: str, folder: Path) -> Any:
    """The model with this graph, from the cache or trained now: a run folder, named for all that it depends on."""
    settings = recipe(graph)
    state = hashlib.sha256(json.dumps(settings.as_dict()).encode() + load("scenes", "train").digest().encode())
    for path in (*(SOURCE / f"{part}.py" for part in PARTS), SOURCE / "records" / "scenes_trunk.safetensors"):
        state.update(path.read_bytes())
    out = folder / f"{graph}-{state.hexdigest()[:12]}"
    if not (out / "record.json").exists():
        for old in folder.glob(f"{graph}-*"):
            if old.name.startswith(f"{graph}-") and len(old.name) == len(out.name):
                shutil.rmtree(old)
        with redirect_stderr(io.StringIO()):  # progress bars
            training.train(settings, "scenes", out)
            evaluate_run(out, OTHER, workers=0)
    return out


@torch.no_grad()
def mean_graphs(models: list[Any]) -> Tensor:
    """The mean A_d over the images of a split, for each model with a dynamic graph: (2, C, C)."""
    dataset, trunk = load("scenes", SPLIT), models[0].backbone
    dataset.transform = eval_transform(INPUT, trunk.mean, trunk.std)
    batches = [X for X, _ in DataLoader(cached_features(trunk, dataset, INPUT), 100)]
    means = []
    for model in models:
        if dynamic_layer(model) is not None:
            means.append(torch.cat([model.explain_features(X).A_d for X in batches]).mean(0))
    return torch.stack(means)


def inputs(pixels: np.ndarray, A: Tensor, share: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    """What `FourModels` takes, from pixels (64, 64, 3)."""
    opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return torch.from_numpy(np.concatenate([pixels, opaque], 2)), A, torch.tensor(share)


def get_runtime(folder: Path) -> str | None:
    """The browser's runtime by npm, once; returns why it cannot be had, or None."""
    missing = from_npm.get(RUNTIME, VERSION, INTEGRITY, [f"dist/{name}" for name in FILES], folder)
    if missing is None:
        shutil.copy(LICENCE, folder)
    return missing


def build(folder: Path) -> str | None:
    """Fill folder/site; returns what is missing for the page to run, or None."""
    runs = [train(graph, folder / "runs") for graph in GRAPHS]
    models = [load_model(run) for run in runs]
    four, means = FourModels(models).eval(), mean_graphs(models)
    site = folder / "site.new"
    shutil.rmtree(site, ignore_errors=True)
    about = write_pictures(site / "pictures")
    about |= {"classes": list(models[0].classes), "graphs": list(GRAPHS), "runs": [run.name for run in runs]}
    about |= {"cases": {}, "records": {}}
    about["dynamic"] = [graph for graph, model in zip(GRAPHS, models, strict=True) if dynamic_layer(model)]
    about["colours"] = {
        use: [to_hex(colormaps[name](k / 16)) for k in range(17)]
        for use, name in (("map", style.HEAT), ("graph", style.SEQUENTIAL), ("signed", style.DIVERGING))
    }
    about["means"] = [[[round(w, 5) for w in row] for row in A] for A in means.tolist()]
    for graph, run in zip(GRAPHS, runs, strict=True):
        record, other = read_json(run / "record.json"), read_json(run / f"evaluate_{OTHER}.json")
        kept = {key: record[key] for key in ("id", "date", "recipe", "data", "libraries", "duration_s")}
        both = {r["data"]["eval"]["split"]: r["metrics"] for r in (record, other)}
        about["records"][graph] = kept | {name: {s: m[name] for s, m in both.items()} for name in ("mAP", "OF1")}
    for name, scene in CASES.items():
        image = compose(scene, about, site)
        Image.fromarray(image).save(site / f"case-{name}.png", optimize=True)
        with torch.no_grad():
            scores = four(*inputs(reduce(image), means))["scores"].sigmoid()  # (4, C)
        about["cases"][name] = scene | {
            "picture": f"case-{name}.png",
            "scores": scores.double().round(decimals=4).tolist(),
        }

    missing = None if importlib.util.find_spec("onnxscript") else "the extra export is not installed"
    if missing is None:
        example = dict(zip(("pixels", "A", "share"), inputs(np.zeros((INPUT, INPUT, 3), np.uint8), means), strict=True))
        noise = np.random.default_rng(0).integers(0, 256, (3, INPUT, INPUT, 3), np.uint8)
        trials = [inputs(pixels, means, share) for pixels, share in zip(noise, (0.0, 1.0, 0.5), strict=True)]
        write(four, site / "model.onnx", "onnx", example, {}, {"classes": json.dumps(about["classes"])}, trials)
        name = f"model-{hashlib.sha256((site / 'model.onnx').read_bytes()).hexdigest()[:12]}.onnx"
        (site / "model.onnx").rename(site / name)
        about["model"] = name
        missing = get_runtime(folder / f"runtime-{VERSION}")
    if missing is None:
        shutil.copytree(folder / f"runtime-{VERSION}", site / f"runtime-{VERSION}")
        about["runtime"] = f"runtime-{VERSION}"
    write_json(site / "playground.json", about | {"missing": missing})
    shutil.rmtree(folder / "site", ignore_errors=True)
    site.rename(folder / "site")
    return missing


def main() -> int:
    os.environ["TQDM_DISABLE"] = "1"
    torch.set_num_threads(1)
    missing = build(cache_dir() / "playground")
    if missing:
        print(f"  The playground will show pictures only: {missing}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
