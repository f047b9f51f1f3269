"""Chapter 10: its solutions run, it notices a wrong library and a wrong number, and its measurement is what it says."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor, nn
from torch.nn import functional as F

from addgcn import ADDGCN, convert, errors, graph, heads, losses, metrics, records, sam, style
from addgcn.graph import SLOPE
from addgcn.recipes import Recipe

CELLS, _ = read_chapter("10_paper_and_code.ipynb")
ROOT = Path(__file__).resolve().parents[1]


def run(*cells: str) -> None:
    names: dict[str, Any] = {"torch": torch, "nn": nn, "np": np, "plt": plt, "Tensor": Tensor, "copy": copy, "Any": Any}
    names |= {"ADDGCN": ADDGCN, "convert": convert, "graph": graph, "records": records, "style": style}
    names |= {"multilabel_loss": losses.multilabel_loss, "average_precision": metrics.average_precision}
    names |= {"check_name": errors.check_name, "FOLDER": records.FOLDER, "read_json": records.read_json}
    names |= {"keep": lambda **_: None}
    execute(CELLS, names, *cells)


def rebuild() -> None:
    """Both heads from the chapter's cells beside the library's."""
    run("scratch-released", "scratch-paper", "equal")


def no_differences() -> None:
    run("scratch-released", "scratch-paper", "equal", "none", "none-loss", "slips")


def tables() -> None:
    """What the paper's printed numbers say about each other."""
    run("arithmetic", "shift", "claims")


def test_the_chapter_agrees_with_the_library():
    no_differences()
    tables()
    run("load", "effects", "effects-figure", "rates", "open")


def released(part: str) -> Callable[..., Tensor]:
    def adjacency(self: graph.ReleasedDynamicAdjacency, H: Tensor) -> Tensor:
        g = self.global_conv(H.mean(1))
        g = g if part == "norm" else self.global_norm(g)
        h_g = (g if part == "activation" else F.leaky_relu(g, SLOPE)).unsqueeze(1).expand_as(H)
        A = self.to_weights(torch.cat([H, h_g] if part == "order" else [h_g, H], dim=2)).sigmoid()
        return A.mT if part == "transposed" else A.detach() if part == "detached" else A

    return adjacency


@pytest.mark.parametrize("part", ["norm", "activation", "order", "transposed", "detached"])
def test_the_chapter_notices_a_wrong_released_graph(monkeypatch: pytest.MonkeyPatch, part: str):
    monkeypatch.setattr(graph.ReleasedDynamicAdjacency, "forward", released("none"))
    rebuild()
    monkeypatch.setattr(graph.ReleasedDynamicAdjacency, "forward", released(part))
    with pytest.raises((AssertionError, TypeError)):  # the latter: no gradient to compare
        rebuild()


def convolution(part: str) -> Callable[..., Tensor]:
    def forward(self: graph.ReleasedConvolution, A: Tensor, H: Tensor, V: Tensor) -> Tensor:
        mixed = (A.mT if part == "transposed" else A) @ H
        mixed = mixed if part == "inner" else F.leaky_relu(mixed, SLOPE)
        Z = self.update(mixed) - (self.update.bias if part == "bias" else 0)
        Z = Z if part == "outer" else F.leaky_relu(Z, 0.01 if part == "slope" else SLOPE)
        return Z if part == "no residual" else (H if part == "around itself" else V) + Z

    return forward


@pytest.mark.parametrize("part", ["transposed", "inner", "bias", "outer", "slope", "no residual", "around itself"])
def test_the_chapter_notices_a_wrong_released_layer(monkeypatch: pytest.MonkeyPatch, part: str):
    monkeypatch.setattr(graph.ReleasedConvolution, "forward", convolution("none"))
    rebuild()
    monkeypatch.setattr(graph.ReleasedConvolution, "forward", convolution(part))
    with pytest.raises((AssertionError, TypeError)):
        rebuild()


@pytest.mark.parametrize(
    ("owner", "forward"),
    [
        (graph.DynamicAdjacency, lambda self, H: (self.weight @ torch.cat([H, 0 * H], 2).mT).sigmoid()),
        (graph.StaticAdjacency, lambda self, H: self.weight.T),
        (graph.GraphConvolution, lambda self, A, H, V: V + F.leaky_relu(self.update(A @ H), SLOPE)),
        (graph.GraphConvolution, lambda self, A, H, V: F.leaky_relu(self.update(F.leaky_relu(A @ H, SLOPE)), SLOPE)),
        (sam.SumAttention, lambda self, M, X_: torch.einsum("bchw,bdhw->bcd", M, X_) / M[0, 0].numel()),
        (sam.ClsGMP, lambda self, X, L, classifier: L.sigmoid().amax((2, 3))),
        (heads.BinaryHeads, lambda self, Z: (Z * self.weight).sum(2)),
        (heads.AverageScores, lambda self, s_m, s_r: s_m + s_r),
    ],
)
def test_the_chapter_notices_a_wrong_part(monkeypatch: pytest.MonkeyPatch, owner: type, forward: Callable):
    monkeypatch.setattr(owner, "forward", forward)
    with pytest.raises((AssertionError, TypeError)):
        rebuild()


def test_the_chapter_notices_names_that_are_mixed_up(monkeypatch: pytest.MonkeyPatch):
    a, b = "gcn.static_weight.0.weight", "gcn.dynamic_weight.weight"
    names = convert.NAMES | {a: convert.NAMES[b], b: convert.NAMES[a]}
    monkeypatch.setattr(convert, "NAMES", names)
    with pytest.raises(AssertionError):
        rebuild()


def test_the_chapter_notices_a_loss_without_its_minus_or_its_mean(monkeypatch: pytest.MonkeyPatch):
    right = losses.multilabel_loss
    for wrong in (
        lambda scores, targets, over="mean": -right(scores, targets, over),
        lambda scores, targets, over="mean": right(scores, targets, "sum"),
    ):
        monkeypatch.setattr(losses, "multilabel_loss", wrong)
        with pytest.raises(AssertionError):
            no_differences()


# Numbers of the paper, made right: then the chapter may no longer find them wrong.
@pytest.mark.parametrize(
    ("table", "method", "changed"),
    [
        ("table1", "SSGRL", {"CF1": 77.8}),
        ("table1", "DecoupleNet", {"CF1": 76.9}),
        ("table2", "ResNet-101", {"mAP": 90.9}),
        ("table2", "FeV+LV", {"mAP": 91.9}),
        ("table2", "RMIC", {"boat": 92.3, "bottle": 57.1, "cat": 93.1, "chair": 63.3, "cow": 83.3, "table": 76.4}),
        ("table3", "Ours", {"horse": 99.3}),
        ("table4", "S", {"coco.OF1": 78.5}),
    ],
)
def test_the_chapter_notices_other_printed_numbers(
    monkeypatch: pytest.MonkeyPatch, table: str, method: str, changed: dict[str, float]
):
    as_printed = records.paper

    def paper(name: str) -> list[dict[str, Any]]:
        rows = as_printed(name)
        return [row | changed if (name, row["method"]) == (table, method) else row for row in rows]

    tables()
    monkeypatch.setattr(records, "paper", paper)
    with pytest.raises(AssertionError):
        tables()


# --- the measurement: benchmarks/wirings.py and its records


@pytest.fixture(scope="module")
def wirings() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wirings", ROOT / "benchmarks/wirings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["wirings"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["paper", "released"])
def test_the_switches_end_in_the_library_s_two_wirings(wirings: ModuleType, name: str):
    torch.manual_seed(0)
    recipe = replace(wirings.BASE, wiring=name, dim=6)
    library = recipe.build(5)
    ours = wirings.build(recipe, wirings.PAPER if name == "paper" else wirings.RELEASED, tuple("abcde"))
    state = {k: v for k, v in library.state_dict().items() if not k.startswith("backbone.")}
    adjacency = "graph.dynamic.adjacency."
    if name == "paper":
        state[adjacency + "to_weights.weight"] = state.pop(adjacency + "weight")
    else:
        state = {k.replace("global_norm", "norm.0"): v for k, v in state.items()}
        halves = state[adjacency + "to_weights.weight"].chunk(2, dim=1)
        state[adjacency + "to_weights.weight"] = torch.cat(halves[::-1], 1)
    report = ours.load_state_dict(state, strict=False)
    assert not report.unexpected_keys
    assert all(key.startswith("backbone.") for key in report.missing_keys)
    X, y = torch.rand(4, 96, 3, 2), torch.rand(4, 5).round().int()
    for mode in (True, False):
        ours.train(mode), library.train(mode)
        theirs, mine = library.explain_features(X), ours.explain_features(X)
        for part in ("V", "H", "A_d", "Z", "scores"):
            torch.testing.assert_close(getattr(mine, part), getattr(theirs, part))
    for model in (ours, library):
        losses.multilabel_loss(model.from_features(X), y).backward()
    torch.testing.assert_close(ours.representation.transform.weight.grad, library.representation.transform.weight.grad)


def test_every_switch_changes_the_scores_and_starts_from_the_same_weights(wirings: ModuleType):
    X = torch.rand(4, 96, 3, 2)

    def built(wiring: Any) -> Any:
        torch.manual_seed(0)
        model = wirings.build(replace(wirings.BASE, dim=6), wiring, tuple("abcde"))
        with torch.no_grad():  # biases that begin at zero
            for p in model.parameters():
                if p.abs().max() == 0 and p.requires_grad:
                    p.copy_(torch.linspace(1, 2, p.numel()).view_as(p))
        return model.train()

    paper = built(wirings.PAPER)
    for switch in wirings.SWITCHES + wirings.OPEN:
        model = built(replace(wirings.PAPER, **{switch: True}))
        for key, value in paper.representation.state_dict().items():
            assert torch.equal(model.representation.state_dict()[key], value)
        assert (model.from_features(X) - paper.from_features(X)).abs().max() > 1e-4, switch


def test_the_records_are_whole_and_say_how_they_came_about(wirings: ModuleType):
    runs = records.load_records("wirings")
    named: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        rest = {key: value for key, value in run.items() if key != "id"}
        assert run["id"] == hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:16]
        named.setdefault(run["name"], []).append(run)
    arms = {arm.name: arm for arm in wirings.arms()}
    assert set(named) == set(arms)
    for name, group in named.items():
        arm, first = arms[name], group[0]
        assert [run["seed"] for run in group] == list(range(5))
        assert len({json.dumps([run["candidates"], run["wiring"], run["data"]]) for run in group}) == 1
        assert first["wiring"] == wirings.asdict(arm.wiring)
        assert first["against"] == arm.against
        tried = {c["lr"]: c["held_out_mAP"] or 0.0 for c in first["candidates"]}
        best = max(tried, key=lambda lr: tried[lr]) if tried else arm.rates[0]
        assert {run["recipe"]["lr"] for run in group} == {best}
        for run in group:
            assert Recipe.from_dict(run["recipe"]) == replace(arm.recipe, lr=best, seed=run["seed"])
            assert set(run["metrics"]) == (set() if run["diverged"] else {"id", "ood", "bg"})
            assert {"train", "id", "ood", "bg"} <= set(run["data"])
    assert len({json.dumps(run["data"]) for run in runs}) == 1  # all on the same images
