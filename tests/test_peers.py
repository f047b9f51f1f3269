"""ML-GCN and SSGRL: each step against loops or by hand, their graphs from labels, saving, training, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import variants
from torch import Tensor, nn
from torch.nn import functional as F
from variants import DIM, C, D, Trunk, pictures, stopped_after_an_epoch

from addgcn import MLGCN, SSGRL, InputError, load_model
from addgcn import train as train_module
from addgcn.baselines import label_graph
from addgcn.batches import open_data
from addgcn.cli import main
from addgcn.losses import multilabel_loss
from addgcn.peers import GatedGraph, Peer, SemanticDecoupling, count_labels
from addgcn.pretrained import Pretrained
from addgcn.recipes import MODELS
from addgcn.records import cooccurrence, read_json

PEERS = pytest.mark.parametrize("cls", [MLGCN, SSGRL])
TINY = replace(variants.TINY, attend="sum", epochs=2)


def labels(N: int = 60, classes: int = C) -> Tensor:
    """Targets of 1, 0 and a few -1; a category is likelier where the one before it is."""
    g = torch.Generator().manual_seed(3)
    t = torch.rand(N, classes, generator=g) < 0.35
    t[:, 1:] |= t[:, :-1] & (torch.rand(N, classes - 1, generator=g) < 0.4)
    return t.to(torch.int8).masked_fill(torch.rand(N, classes, generator=g) < 0.05, -1)


def peer(cls: type[Peer], vectors: int = 0, **settings) -> Peer:
    torch.manual_seed(0)
    model = cls(C, backbone=Trunk(), dim=DIM, vectors=vectors, **settings)
    model.fit_labels(labels())
    if vectors:
        model.set_vectors(torch.randn(C, vectors, generator=torch.Generator().manual_seed(4)))
    return model


def array(values: Tensor) -> np.ndarray:
    return values.detach().double().numpy()


# --- The graphs, from labels.


def test_counts_by_hand():
    targets = torch.tensor([[1, 1, 0], [1, -1, 0], [1, 1, -1], [0, 1, 0]], dtype=torch.int8)
    pairs, images = count_labels(targets)
    assert images.tolist() == [3, 3, 0]
    assert pairs.tolist() == [[3, 2, 0], [2, 3, 0], [0, 0, 0]]


def test_each_model_has_its_own_graph():
    targets = labels()
    pairs, images = np.zeros((C, C)), np.zeros(C)
    for row in targets.tolist():
        for i in range(C):
            images[i] += row[i] == 1
            for j in range(C):
                pairs[i, j] += row[i] == 1 and row[j] == 1
    assert torch.equal(peer(MLGCN).A, label_graph(pairs, images))
    A = peer(SSGRL).A
    for i in range(C):
        for j in range(C):
            assert A[i, j].item() == pytest.approx(pairs[i, j] / images[i])  # P(j | i)
    assert not torch.allclose(A, A.T)


def test_the_graph_of_ssgrl_by_hand():
    """4 images with a truck, all with a car; 10 with a car; none with the third."""
    model = SSGRL(3, backbone=Trunk(), dim=DIM)
    model.fit_counts(np.array([[0, 4, 0], [4, 0, 0], [0, 0, 0]]), np.array([4, 10, 0]))
    torch.testing.assert_close(model.A, torch.tensor([[1, 1, 0], [0.4, 1, 0], [0, 0, 0]]))
    assert model(pictures()).isfinite().all()


@pytest.mark.parametrize("name", ["coco", "voc"])
def test_golden_graph_and_real_vectors(name: str, shared: Callable[[str], Path]):
    classes, images, pairs = cooccurrence(name)
    model = MLGCN(len(classes), backbone=Trunk(), dim=DIM, vectors=300)
    model.fit_counts(pairs, images)
    with np.load(shared("golden/mlgcn_adjacency.npz"), allow_pickle=False) as golden:
        torch.testing.assert_close(model.A, torch.from_numpy(golden[name]), rtol=0, atol=1e-6)
    with np.load(shared(f"data/cooccurrence/{name}_mlgcn.npz"), allow_pickle=False) as file:
        assert tuple(file["classes"]) == classes
        model.set_vectors(file["glove"])
        assert torch.equal(model.vectors, torch.from_numpy(file["glove"]))
    assert model(pictures()).shape == (4, len(classes))


# --- Each step.


def test_mlgcn_on_four_nodes_by_hand():
    """Widths 4 -> 1 -> 2. Node 1 hears node 0 with weight 1/2, all others only themselves."""
    model = MLGCN(4, backbone=Trunk(2), dim=1)
    model.A.copy_(torch.tensor([[1, 0, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    model.first.weight.data = torch.tensor([[2.0, 4.0, -5.0, 0.0]])  # one number for each one-hot vector
    model.second.weight.data = torch.tensor([[1.0], [10.0]])
    # A E W_1 = 2, 1 + 4, -5, 0; LeakyReLU: 2, 5, -1, 0; heard again: 2, 1 + 5, -1, 0
    torch.testing.assert_close(model.classifiers(), torch.tensor([[2.0, 20], [6, 60], [-1, -10], [0, 0]]))
    X = torch.zeros(1, 2, 2, 2)
    X[0, 0, 0, 1], X[0, 1, 1, 0], X[0, 1, 1, 1] = 3, 0.5, -9  # maxima 3 and 0.5, at different places
    out = model.explain_features(X)
    torch.testing.assert_close(out.scores, torch.tensor([[16.0, 48, -8, 0]]))
    torch.testing.assert_close(out.maps[0, :, 0, 1].logit(eps=1e-7)[2], torch.tensor(-3.0), rtol=1e-4, atol=1e-4)


def test_attention_against_loops():
    torch.manual_seed(1)
    module = SemanticDecoupling(6, 3, 5)
    X, E = torch.randn(2, 6, 3, 4), torch.randn(4, 3)
    W_1, W_2, w = (array(p.weight) for p in (module.image, module.label, module.score))
    for b in range(2):
        for c in range(4):
            e = np.zeros((3, 4))
            for y in range(3):
                for x in range(4):
                    e[y, x] = w[0] @ np.tanh((W_1 @ array(X[b, :, y, x])) * (W_2 @ array(E[c])))
            wanted = np.exp(e) / np.exp(e).sum()
            np.testing.assert_allclose(array(module(X, E)[b, c]), wanted, rtol=1e-5)


def gated_step(graph: GatedGraph, h: np.ndarray, A: np.ndarray) -> np.ndarray:
    """One step for nodes h (C, D), node by node."""
    n, dim = h.shape
    W = {k: array(getattr(graph, k).weight) for k in ("W_z", "W_r", "W", "U_z", "U_r", "U")}
    bias = {k: array(getattr(graph, k).bias) for k in ("W_z", "W_r", "W")}
    new = np.zeros_like(h)
    for i in range(n):
        out, back = np.zeros(dim), np.zeros(dim)
        for j in range(n):
            out += A[i, j] * h[j]
            back += A[j, i] * h[j]

        def heard(name: str, out: np.ndarray = out, back: np.ndarray = back) -> np.ndarray:
            return W[name][:, :dim] @ out + W[name][:, dim:] @ back + bias[name]

        z = 1 / (1 + np.exp(-(heard("W_z") + W["U_z"] @ h[i])))
        r = 1 / (1 + np.exp(-(heard("W_r") + W["U_r"] @ h[i])))
        new[i] = (1 - z) * h[i] + z * np.tanh(heard("W") + W["U"] @ (r * h[i]))
    return new


@pytest.mark.parametrize("steps", [1, 3])
def test_the_gated_graph_against_loops(steps: int):
    torch.manual_seed(2)
    graph, H, A = GatedGraph(3, steps), torch.randn(2, 4, 3), torch.rand(4, 4)
    for b in range(2):
        wanted = array(H[b])
        for _ in range(steps):
            wanted = gated_step(graph, wanted, array(A))
        np.testing.assert_allclose(array(graph(H, A)[b]), wanted, rtol=1e-4, atol=1e-6)


def test_the_gated_graph_by_hand():
    """Width 1, four nodes in a chain 0 -> 1 -> 2 -> 3, gates half open: the candidate is what comes along the links."""
    graph = GatedGraph(1, steps=1)
    for p in graph.parameters():
        nn.init.zeros_(p)
    A = torch.diag(torch.ones(3), 1)  # A[i, i + 1] = 1
    H = torch.tensor([[[0.0], [1.0], [0.0], [2.0]]])
    graph.W.weight.data = torch.tensor([[1.0, 0.0]])  # of the two directions, A H alone: each node hears the next
    heard = torch.tensor([1.0, 0, 2, 0])
    torch.testing.assert_close(graph(H, A)[0, :, 0], H[0, :, 0] / 2 + heard.tanh() / 2)
    graph.W.weight.data = torch.tensor([[0.0, 1.0]])  # A^T H alone: each hears the one before
    heard = torch.tensor([0, 0.0, 1, 0])
    torch.testing.assert_close(graph(H, A)[0, :, 0], H[0, :, 0] / 2 + heard.tanh() / 2)
    graph.W_z.bias.data.fill_(-50)  # closed: nothing is new
    torch.testing.assert_close(graph(H, A), H)


def test_ssgrl_is_its_parts():
    model = peer(SSGRL).eval()
    X = model.backbone(pictures())
    out, a = model.explain_features(X), model.attention(X)
    torch.testing.assert_close(a.sum((2, 3)), torch.ones(4, C))
    assert (a > 0).all()
    V = torch.stack([(a[:, c, None] * X).sum((2, 3)) for c in range(C)], dim=1)  # (B, C, D)
    torch.testing.assert_close(out.V, V)
    H = model.graph(V, model.A)
    Z = torch.tanh(F.linear(H, model.output.weight[:, :D]) + F.linear(V, model.output.weight[:, D:], model.output.bias))
    torch.testing.assert_close(out.H, H)
    torch.testing.assert_close(out.Z, Z)
    for c in range(C):
        torch.testing.assert_close(out.scores[:, c], Z[:, c] @ model.readout.weight[c] + model.readout.bias[c])


# --- The same interface as all models.


@pytest.mark.parametrize("vectors", [0, 7])
@PEERS
def test_trains_explains_saves_and_loads(cls: type[Peer], vectors: int, tmp_path: Path):
    model, images, targets = peer(cls, vectors), pictures(), labels(4)
    loss = multilabel_loss(model(images), targets)
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name
    torch.optim.SGD(model.parameters(), lr=1e-2).step()
    assert multilabel_loss(model(images), targets) < loss

    model.eval()
    out, scores = model.explain(images), model(images)
    shapes = {"scores": (4, C), "s_r": (4, C), "A_s": (C, C)}
    shapes |= {"maps": (4, C, 4, 3)} if cls is MLGCN else {"V": (4, C, D), "H": (4, C, D), "Z": (4, C, D)}
    for name, value in vars(out).items():
        assert (value is None) == (name not in shapes), name
        assert value is None or value.shape == shapes[name], name
    assert torch.equal(out.scores, scores)
    assert torch.equal(model.from_features(model.backbone(images)), scores)

    model.save_pretrained(tmp_path / "a")
    loaded = cls.from_pretrained(tmp_path / "a", backbone=Trunk())
    assert loaded.state_dict().keys() == model.state_dict().keys() > {"A", "vectors"}
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in model.state_dict().items())
    assert torch.equal(loaded(images), scores)
    config = read_json(tmp_path / "a" / "config.json")
    assert (config["dim"], config["vectors"], config["architecture"]) == (DIM, vectors, cls.__name__)


@PEERS
def test_load_model_knows_which_class(cls: type[Peer], tmp_path: Path):
    names = ("car", "truck", "cup")
    model = cls(3, "scenes", dim=8, classes=names).eval()
    model.fit_labels(labels(classes=3))
    model.save_pretrained(tmp_path / "a")
    loaded = load_model(tmp_path / "a")
    assert (type(loaded), loaded.classes) == (cls, names)
    assert torch.equal(loaded(pictures()), model(pictures()))
    loaded.save_pretrained(tmp_path / "b")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    filled = cls(3, "scenes", str(tmp_path / "a" / "model.safetensors"), dim=8).eval()
    assert torch.equal(filled(pictures()), model(pictures()))
    assert "Peer" not in Pretrained.architectures


@PEERS
def test_categories_in_another_order_give_the_same_scores_in_that_order(cls: type[Peer]):
    order = [3, 0, 4, 1, 2]
    model, other = peer(cls, vectors=7).eval(), peer(cls, vectors=7).eval()
    other.fit_labels(labels()[:, order])
    other.set_vectors(model.vectors[order].clone())
    if cls is SSGRL:  # the only weights that belong to a category
        for mine, theirs in zip(other.readout.parameters(), model.readout.parameters(), strict=True):
            mine.data = theirs.data[order]
    assert torch.equal(other.A, model.A[order][:, order])
    scores = model(pictures())[:, order]
    torch.testing.assert_close(other(pictures()), scores)
    other.fit_labels(labels())  # the graph of the other order: it matters
    assert not torch.allclose(other(pictures()), scores, atol=1e-5)


@PEERS
def test_any_size_and_one_category(cls: type[Peer]):
    model = peer(cls).eval()
    for height, width in ((8, 8), (100, 40)):
        assert model(pictures(2, height, width)).isfinite().all()
    alone = cls(1, backbone=Trunk(), dim=DIM)
    alone.fit_labels(torch.tensor([[1], [0]]))
    assert alone.A.tolist() == [[1]]
    assert alone(pictures()).shape == (4, 1)


# --- Training.


@PEERS
@pytest.mark.parametrize("settings", [{}, {"lr_trunk": 0.0, "ema": 0.5, "holdout": 0.25}])
def test_a_stopped_run_goes_on_to_the_same_weights(cls: type[Peer], settings: dict, scenes_small: Path, tmp_path: Path):
    recipe = replace(TINY, model=cls.__name__.lower(), **settings)
    assert MODELS[recipe.model] is cls
    whole = train_module.train(recipe, "scenes", tmp_path / "whole", scenes_small)

    with stopped_after_an_epoch():
        train_module.train(recipe, "scenes", tmp_path / "broken", scenes_small)
    record = train_module.train(recipe, "scenes", tmp_path / "broken", scenes_small, resume=True)
    assert record["scores_sha256"] == whole["scores_sha256"]
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes()

    # the graph is the one of the images trained on, without those held out, and no step has changed it
    model = load_model(tmp_path / "whole")
    counted = cls(18, "scenes", dim=8)
    counted.fit_labels(open_data(recipe, "scenes", scenes_small, None, None)[0].targets)
    assert torch.equal(model.A, counted.A)
    assert torch.equal(model.vectors, torch.eye(18))


@PEERS
def test_command_line(cls: type[Peer], scenes_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "run"
    data = ["--root", str(scenes_small), "--epochs", "1", "--batch-size", "16", "--workers", "0", "--dim", "8"]
    main(["train", "--out", str(out), "--model", cls.__name__.lower(), *data])
    main(["evaluate", str(out), "--split", "ood", "--workers", "0"])
    photo = next((scenes_small / "id").rglob("*.png"), None) or next((scenes_small / "id").rglob("*.jpg"))
    main(["predict", str(out), str(photo), "--top", "2"])
    said = capsys.readouterr().out
    assert "scenes ood: 32 images" in said
    assert len(list((out / "predictions").iterdir())) == 1


# --- What is refused.


@PEERS
def test_without_labels_or_vectors_there_are_no_scores(cls: type[Peer], tmp_path: Path):
    model = cls(C, backbone=Trunk(), dim=DIM, vectors=7)
    for use in (model, model.explain, lambda x: model.from_features(model.backbone(x))):
        with pytest.raises(InputError, match=r"graph of the labels is missing: call fit_labels"):
            use(pictures())
    model.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="graph of the labels is missing"):
        cls.from_pretrained(tmp_path, backbone=Trunk())(pictures())
    model.fit_labels(labels())
    with pytest.raises(InputError, match="vectors of the labels are missing: call set_vectors"):
        model(pictures())
    model.set_vectors(np.ones((C, 7)))
    assert model(pictures()).isfinite().all()


def without_graph(cls: type[Peer]) -> Peer:
    return cls(C, backbone=Trunk(), dim=DIM)


@PEERS
@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda cls: cls(C, backbone=Trunk(), dim=0), "dim must be at least 1"),
        (lambda cls: cls(C, backbone=Trunk(), vectors=-1), "vectors at least 0"),
        (lambda cls: cls(0, backbone=Trunk()), "num_classes must be at least 1"),
        (lambda cls: cls(C, backbone=Trunk(), classes=["a"]), "1 distinct class names were given for 5"),
        (lambda cls: without_graph(cls).fit_labels(labels(classes=4)), r"targets must be \(N, 5\).*\(60, 4\)"),
        (lambda cls: without_graph(cls).fit_labels(2 * labels()), "of 1, 0 and -1"),
        (lambda cls: without_graph(cls).fit_labels(labels()[0]), r"these are \(5,\)"),
        (lambda cls: without_graph(cls).fit_counts(np.zeros((4, 4)), np.ones(4)), r"pairs must be \(5, 5\)"),
        (lambda cls: without_graph(cls).fit_counts(np.ones((5, 5)), np.zeros(5)), "no pair in more images"),
        (lambda cls: without_graph(cls).set_vectors(torch.ones(C, 7)), r"\(5, 5\); these are \(5, 7\)"),
        (lambda cls: without_graph(cls).set_vectors(torch.full((C, C), torch.nan)), "finite numbers"),
    ],
)
def test_wrong_arguments(cls: type[Peer], use: Callable[[type[Peer]], object], message: str):
    with pytest.raises(InputError, match=message):
        use(cls)


@PEERS
def test_weights_of_another_width_do_not_fit(cls: type[Peer], tmp_path: Path):
    peer(cls).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="differ in shape"):
        cls.from_pretrained(tmp_path, backbone=Trunk(), vectors=7)
