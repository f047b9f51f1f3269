"""Chapter 11: it agrees with the library and its records, and notices wrong ones; each published number is whole."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chapters import execute, read_chapter
from torch import Tensor, nn
from torch.nn import functional as F

from addgcn import MLGCN, baselines, peers, records, reproduce, tables
from addgcn.experiments import Records
from addgcn.model import Explanation
from addgcn.records import FOLDER, paper, read_json
from addgcn.reproduce import Plan

CELLS, _ = read_chapter("11_state_of_the_art.ipynb")
TABLES = ("systems", "leads", "sizes", "starts")
ML = ("four-nodes", "mlgcn-lib", "equality", "fold")
SS = ("four-nodes", "ssgrl-lib", "gated-lib", "ssgrl-hand")
MEASURED = ("load", "time", "measured", "asked", "as-told")


def run(*cells: str, **given: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "chapter"}
    execute(CELLS, names, "imports")
    names |= {"keep": lambda **_: None} | given
    return execute(CELLS, names, *cells)


def test_the_chapter_agrees_with_the_library_and_its_records():
    run(*TABLES, *ML, *SS[1:], "shared", *MEASURED, "one-run", "later", "later-numbers", "fault", "real")


# --- a wrong library


RIGHT_GRAPH, RIGHT_EXPLAIN = baselines.label_graph, MLGCN.explain_features


def activation_last(self: MLGCN) -> Tensor:
    H = F.leaky_relu(self.first(self.A @ self.vectors), 0.2)
    return F.leaky_relu(self.second(self.A @ H), 0.2)


def heard_once(self: MLGCN) -> Tensor:
    return self.second(F.leaky_relu(self.first(self.A @ self.vectors), 0.2))


def transposed(self: MLGCN) -> Tensor:
    return self.second(self.A.T @ F.leaky_relu(self.first(self.A.T @ self.vectors), 0.2))


def linear(self: MLGCN) -> Tensor:
    return self.second(self.A @ self.first(self.A @ self.vectors))


def averaged(self: MLGCN, X: Tensor) -> Explanation:
    return RIGHT_EXPLAIN(self, X.mean((2, 3), keepdim=True))


def of_each_image(self: MLGCN, X: Tensor) -> Explanation:  # classifiers that see the image
    out = RIGHT_EXPLAIN(self, X)
    return Explanation(out.scores + X.mean((1, 2, 3))[:, None], *list(vars(out).values())[1:])


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        (MLGCN, "classifiers", activation_last),
        (MLGCN, "classifiers", heard_once),
        (MLGCN, "classifiers", transposed),
        (MLGCN, "classifiers", linear),
        (MLGCN, "explain_features", averaged),
        (MLGCN, "explain_features", of_each_image),
        (MLGCN, "make_graph", lambda self, pairs, images: RIGHT_GRAPH(pairs, images).T),
        (MLGCN, "make_graph", lambda self, pairs, images: RIGHT_GRAPH(pairs, images, 0.5)),
        (MLGCN, "make_graph", lambda self, pairs, images: RIGHT_GRAPH(pairs, images, p=0.2)),
        (MLGCN, "make_graph", lambda self, pairs, images: peers.conditional_graph(pairs, images)),
        (baselines, "label_graph", lambda pairs, images, t=0.4, p=0.25: RIGHT_GRAPH(pairs, images, t + 1e-9, p)),
        (baselines, "label_graph", lambda pairs, images, t=0.4, p=0.25: RIGHT_GRAPH(pairs, images, t, p).T),
        (peers, "count_labels", lambda targets: (targets.float().T @ targets.float(), targets.float().mean(0))),
        (peers, "count_labels", lambda targets: ((1 - targets).double().T @ targets.double(), targets.double().sum(0))),
    ],
)
def test_the_chapter_notices_a_wrong_mlgcn(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, wrong: Any):
    monkeypatch.setattr(owner, name, wrong)
    with pytest.raises((AssertionError, RuntimeError)):
        run(*ML)


def test_the_chapter_notices_a_prior_left_in_the_folded_model(monkeypatch: pytest.MonkeyPatch):
    """The bias of GMP must be zero: with PyTorch's own the scores differ."""
    monkeypatch.setattr(Tensor, "zero_", lambda self: self)
    with pytest.raises(AssertionError):
        run(*ML)


RIGHT_CONDITIONAL = peers.conditional_graph


class OverClasses(peers.SemanticDecoupling):
    def forward(self, X: Tensor, E: Tensor) -> Tensor:
        e = super().forward(X, E).clamp(min=1e-9).log()
        return e.softmax(1)


class Unnormalised(peers.SemanticDecoupling):
    def forward(self, X: Tensor, E: Tensor) -> Tensor:
        return super().forward(X, E) * X.shape[3]


class OneWay(peers.GatedGraph):
    def forward(self, H: Tensor, A: Tensor) -> Tensor:
        return super().forward(H, A.T)


class Undivided(peers.GatedGraph):
    def forward(self, H: Tensor, A: Tensor) -> Tensor:
        return super().forward(H, A + A.T)


class Ungated(peers.GatedGraph):
    def forward(self, H: Tensor, A: Tensor) -> Tensor:
        return torch.tanh(self.W(torch.cat([A @ H, A.T @ H], 2)))


class WithoutLoops(peers.GatedGraph):
    def forward(self, H: Tensor, A: Tensor) -> Tensor:
        return super().forward(H, A - torch.eye(len(A)))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("SemanticDecoupling", OverClasses),
        ("SemanticDecoupling", Unnormalised),
        ("GatedGraph", OneWay),
        ("GatedGraph", Undivided),
        ("GatedGraph", Ungated),
        ("GatedGraph", WithoutLoops),
        ("conditional_graph", lambda pairs, images: RIGHT_CONDITIONAL(pairs, images).T),
        ("conditional_graph", lambda pairs, images: RIGHT_CONDITIONAL(pairs, images).ge(0.4).float()),
    ],
)
def test_the_chapter_notices_a_wrong_ssgrl(monkeypatch: pytest.MonkeyPatch, name: str, wrong: Any):
    monkeypatch.setattr(peers, name, wrong)
    with pytest.raises(AssertionError):
        run(*SS)


# --- wrong records


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run["recipe"].update(seed=7),
        lambda run: run.update(failed="the loss is nan"),
        lambda run: run["recipe"].update(epochs=30),
        lambda run: run["splits"].reverse(),
        lambda run: run["metrics"]["id"].update(mAP=run["metrics"]["id"]["mAP"] - 20),
    ],
)
def test_the_chapter_notices_a_run_that_is_not_like_the_others(tmp_path: Path, change: Callable[[dict], None]):
    plan, done = Plan("table1", seeds=10, draws=10), Records(FOLDER)
    victim = Records.key(plan.finals(done)[17])
    runs = json.loads(json.dumps(list(done.runs.values())))
    change(next(made for made in runs if Records.key(made) == victim))
    (tmp_path / "reproduce.jsonl").write_text("\n".join(map(json.dumps, runs)))
    (tmp_path / "published.json").write_text((FOLDER / "published.json").read_text())
    with pytest.raises((AssertionError, KeyError, ValueError)):
        run(*MEASURED, FOLDER=tmp_path)


RIGHT_VALUES = tables.values_of


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        (tables, "interval", lambda values: (np.mean(values), 1.96 * np.std(values, ddof=1) / 10**0.5)),
        (tables, "interval", lambda values: (max(values), 2.2621572 * np.std(values, ddof=1) / 10**0.5)),
        (tables, "values_of", lambda runs, split, metric: RIGHT_VALUES(runs, "id", metric)),
        (tables, "values_of", lambda runs, split, metric: RIGHT_VALUES(runs, split, "mAP")),
        (tables, "multiply_adds", lambda recipe, num_classes: 1000),
        (
            reproduce.Plan,  # no search beyond the edge
            "rates",
            lambda self, row, recipe, done: list(reproduce.RATES["scenes"][recipe.model]),
        ),
    ],
)
def test_the_chapter_notices_a_wrong_measurement(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, wrong: Any):
    monkeypatch.setattr(owner, name, wrong)
    with pytest.raises(AssertionError):
        run(*MEASURED)


# --- wrong printed and published numbers


@pytest.mark.parametrize(
    ("table", "method", "changed"),
    [
        ("table1", "SSGRL", {"mAP": 85.3}),
        ("table1", "SSGRL", {"CF1": 80.2}),
        ("table1", "SSGRL", {"OP": 80.0}),
        ("table1", "ResNet-101", {"mAP": 78.0}),
        ("table1", "ML-GCN", {"mAP": 84.3}),
        ("table2", "SSGRL", {"mAP": 93.4}),
        ("table2", "SSGRL", {"sofa": 90.0}),
        ("table2", "ML-GCN", {"mAP": 95.6}),
        ("table2", "ResNet-101", {"mAP": 91.8}),
        ("table3", "SSGRL", {"mAP": 93.9}),
        ("sizes", "Ours", {"mAP": 85.2}),
        ("sizes", "SSGRL", {"mAP": 83.8}),
    ],
)
def test_the_chapter_notices_other_printed_numbers(
    monkeypatch: pytest.MonkeyPatch, table: str, method: str, changed: dict[str, float]
):
    def other(name: str) -> list[dict[str, Any]]:
        return [row | changed if (name, row["method"]) == (table, method) else row for row in paper(name)]

    monkeypatch.setattr(records, "paper", other)
    with pytest.raises(AssertionError):
        run(*TABLES)


def published() -> list[dict[str, Any]]:
    parts = read_json(FOLDER / "published.json")
    return [dict(zip(parts["columns"], row, strict=True)) for row in parts["rows"]]


@pytest.mark.parametrize(
    ("method", "backbone", "mAP", "value"),
    [
        ("ResNet, GAP", "ResNet-101", 77.3, 79.7),
        ("SSGRL", "ResNet-101", 93.4, 94.1),
        ("Query2Label", "ResNet-101", 84.9, 85.6),
        ("Query2Label", "TResNet-L", 89.2, 87.9),
        ("Query2Label", "CvT-w24", 91.3, 91.5),
        ("CSRA", "ResNet-101", 85.6, 84.0),
    ],
)
def test_the_chapter_notices_other_published_numbers(
    tmp_path: Path, method: str, backbone: str, mAP: float, value: float
):
    rows = published()
    [row] = [r for r in rows if (r["method"], r["backbone"], r["mAP"]) == (method, backbone, mAP)]
    row["mAP"] = value
    changed = {"columns": list(rows[0]), "rows": [list(r.values()) for r in rows]}
    (tmp_path / "published.json").write_text(json.dumps(changed))
    with pytest.raises(AssertionError):
        run(*TABLES, "later", "later-numbers", FOLDER=tmp_path)


def test_every_published_number_is_whole_and_has_its_source():
    rows = published()
    assert len(rows) > 30
    for row in rows:
        assert row["data"] in ("coco", "voc2007", "voc2012")
        assert 70 < row["mAP"] < 100
        assert round(row["mAP"], 1) == row["mAP"]
        assert row["size"] is None or row["size"] % 32 == 0
        assert "github.com/" in row["source"]
        assert row["method"]
        assert row["backbone"]
    keys = [tuple(row.values()) for row in rows]
    assert len(set(keys)) == len(keys)
    # two files, one number: what the paper prints of SSGRL and ML-GCN
    printed = {r["method"]: r["mAP"] for r in paper("table1")}
    for name in ("ML-GCN", "SSGRL"):
        assert printed[name] in {r["mAP"] for r in rows if (r["data"], r["method"]) == ("coco", name)}


# --- what the text leans on


def test_a_folded_mlgcn_has_no_graph_and_the_same_scores():
    names = run(*ML)

    class Trunk(nn.Module):
        out_channels = 7

        def forward(self, images: Tensor) -> Tensor:
            return images.repeat(1, 7, 1, 1)[:, :7]

    model = MLGCN(5, Trunk(), dim=3)
    model.fit_labels(torch.randint(0, 2, (30, 5)))
    plain = names["fold"](model)
    images = torch.randn(4, 3, 6, 5)
    torch.testing.assert_close(plain(images), model(images))
    assert {name for name, _ in plain.named_buffers()} == set()
    assert sum(p.numel() for p in plain.parameters()) == 5 * 7 + 5


def test_two_single_runs_by_simulation():
    apart = run("systems", "sizes", "load", "one-run")["apart"]
    rng = np.random.default_rng(0)
    pairs = rng.normal(0, 0.3, (100_000, 2))
    limit = 1.96 * math.sqrt(2) * 0.3
    assert (np.abs(pairs[:, 0] - pairs[:, 1]) > limit).mean() == pytest.approx(0.05, abs=0.003)
    assert apart(rng.normal([[0.0], [50.0]], 0.3, (2, 50_000)).tolist()) == pytest.approx(limit, rel=0.02)
