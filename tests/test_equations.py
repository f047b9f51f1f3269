"""The paper's equations and the released code's layers by hand, which way the graph points, and table 6's claim."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from variants import DIM, WIRINGS, C, D, addgcn, pictures

from addgcn.graph import (
    DynamicAdjacency,
    GraphConvolution,
    ReleasedConvolution,
    ReleasedDynamicAdjacency,
    StaticAdjacency,
)
from addgcn.heads import READOUTS
from addgcn.sam import SAM

# --- The equations by hand: two categories, 2 x 2 positions, two channels, in loops.


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lrelu(x):
    return np.where(x > 0, x, 0.2 * x)


@pytest.fixture
def numbers():
    """A maker of arrays with fixed, unremarkable values of both signs."""
    random = np.random.default_rng(3)
    return lambda *shape: np.round(random.standard_normal(shape), 2)


def put(parameter: Tensor, values: np.ndarray) -> None:
    with torch.no_grad():
        parameter.copy_(torch.tensor(values).reshape(parameter.shape))


def same(ours: Tensor, by_hand) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), np.array(by_hand), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("attend", ["sum", "mean"])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_equation_1_by_hand(numbers, wiring, attend):
    X, w_map, w, b = numbers(2, 2, 2), numbers(2, 2), numbers(3, 2), numbers(3)  # (D, H, W), (C, D), (D', D), (D')
    sam = SAM(2, 2, 3, attend=attend, activation=None if wiring == "paper" else nn.Identity()).double()
    put(sam.classifier.weight, w_map)
    put(sam.transform.weight, w)
    put(sam.transform.bias, b)
    V, s_m, M = sam(torch.tensor(X)[None])

    for c in range(2):
        v, logits = np.zeros(3), []
        for i, j in itertools.product(range(2), range(2)):
            logits.append(w_map[c, 0] * X[0, i, j] + w_map[c, 1] * X[1, i, j])
            m = sigmoid(logits[-1])
            x_ = np.array([w[d, 0] * X[0, i, j] + w[d, 1] * X[1, i, j] + b[d] for d in range(3)])
            v += m * (lrelu(x_) if wiring == "paper" else x_)
            same(M[0, c, i, j], m)
        same(V[0, c], v / 4 if attend == "mean" else v)
        same(s_m[0, c], max(logits))


def test_equation_2_by_hand(numbers):
    A, H, W = numbers(2, 2), numbers(2, 2), numbers(2, 2)  # W as printed, (D, D_u)
    convolution = GraphConvolution(2).double()
    put(convolution.update.weight, W.T)
    by_hand = np.zeros((2, 2))
    for i, u in itertools.product(range(2), range(2)):
        by_hand[i, u] = lrelu(sum(A[i, j] * H[j, d] * W[d, u] for j in range(2) for d in range(2)))
    nodes = torch.tensor(H)[None]
    same(convolution(torch.tensor(A), nodes, nodes)[0], by_hand)


def test_equations_3_and_4_by_hand(numbers):
    H, w_g, b_g, W_A = numbers(2, 2), numbers(2, 2), numbers(2), numbers(2, 4)
    adjacency = DynamicAdjacency(2, 2).double()
    put(adjacency.global_conv.weight, w_g)
    put(adjacency.global_conv.bias, b_g)
    put(adjacency.weight, W_A)
    mean = [(H[0, d] + H[1, d]) / 2 for d in range(2)]
    h_g = [w_g[d, 0] * mean[0] + w_g[d, 1] * mean[1] + b_g[d] for d in range(2)]
    A_d = np.zeros((2, 2))
    for i, j in itertools.product(range(2), range(2)):
        column = [*H[j], *h_g]  # (h_j; h_g)
        A_d[i, j] = sigmoid(sum(W_A[i, k] * column[k] for k in range(4)))
    same(adjacency(torch.tensor(H)[None])[0], A_d)


def test_released_dynamic_adjacency_by_hand(numbers):
    H, w_g, b_g, W, b = numbers(2, 2), numbers(2, 2), numbers(2), numbers(2, 4), numbers(2)
    gamma, beta, mean = numbers(2), numbers(2), numbers(2)
    variance = np.abs(numbers(2)) + 0.5
    adjacency = ReleasedDynamicAdjacency(2, 2).double().eval()
    norm, linear = adjacency.global_norm, adjacency.to_weights
    for parameter, values in [
        (adjacency.global_conv.weight, w_g), (adjacency.global_conv.bias, b_g), (norm.weight, gamma), (norm.bias, beta),
        (norm.running_mean, mean), (norm.running_var, variance), (linear.weight, W), (linear.bias, b),
    ]:  # fmt: skip
        put(parameter, values)
    h_g = []
    for d in range(2):
        x = sum(w_g[d, k] * (H[0, k] + H[1, k]) / 2 for k in range(2)) + b_g[d]
        h_g.append(lrelu((x - mean[d]) / np.sqrt(variance[d] + norm.eps) * gamma[d] + beta[d]))
    theirs = np.zeros((2, 2))  # theirs[i, j]: output channel i at node j
    for i, j in itertools.product(range(2), range(2)):
        column = [*h_g, *H[j]]  # [h_g; h_j]
        theirs[i, j] = sigmoid(sum(W[i, k] * column[k] for k in range(4)) + b[i])
    same(adjacency(torch.tensor(H)[None])[0], theirs.T)  # it is applied transposed


def test_released_convolution_by_hand(numbers):
    A, H, V, W, b = numbers(2, 2), numbers(2, 2), numbers(2, 2), numbers(2, 2), numbers(2)
    convolution = ReleasedConvolution(2).double()
    put(convolution.update.weight, W)
    put(convolution.update.bias, b)
    by_hand = np.zeros((2, 2))
    for i, u in itertools.product(range(2), range(2)):
        mixed = [lrelu(sum(A[i, j] * H[j, d] for j in range(2))) for d in range(2)]
        by_hand[i, u] = V[i, u] + lrelu(sum(W[u, d] * mixed[d] for d in range(2)) + b[u])
    same(convolution(torch.tensor(A), torch.tensor(H)[None], torch.tensor(V)[None])[0], by_hand)


def test_readouts_by_hand(numbers):
    Z, W, b = numbers(2, 2), numbers(2, 2), numbers(2)
    pooled = {"sum": Z[0] + Z[1], "avg": (Z[0] + Z[1]) / 2, "max": np.maximum(Z[0], Z[1])}
    by_hand = {name: [W[c] @ z + b[c] for c in range(2)] for name, z in pooled.items()}
    by_hand["bi"] = [W[c] @ Z[c] + b[c] for c in range(2)]
    for name, make in READOUTS.items():
        head = make(2, 2).double()
        weight, bias = head.parameters()
        put(weight, W)
        put(bias, b)
        same(head(torch.tensor(Z)[None])[0], by_hand[name])


@pytest.mark.parametrize("wiring", WIRINGS)
def test_static_then_dynamic(wiring):
    """S -> D is its parts in a row: the dynamic layer reads H, the released residual comes from V both times."""
    model = addgcn(wiring=wiring).eval()
    out, graph = model.explain(pictures()), model.graph
    assert isinstance(graph.static.adjacency, StaticAdjacency)
    assert torch.equal(out.A_s, graph.static.adjacency.weight)
    assert torch.equal(out.H, graph.static.convolution(out.A_s, out.V, out.V))
    assert torch.equal(out.A_d, graph.dynamic.adjacency(out.H))
    assert torch.equal(out.Z, graph.dynamic.convolution(out.A_d, out.H, out.V))


@pytest.mark.parametrize("options", [{}, {"maps": "gap-cls", "graph": "D-S"}, {"attend": "mean", "graph": "P-mul"}])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_the_gradient_flows_through_every_path(wiring, options):
    """Against finite differences: the maps learn from V too, not through s_m alone, and A_d from Z."""
    model = addgcn(wiring=wiring, **options).double().eval()
    X = torch.randn(1, D, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(lambda X: model.explain_features(X).s_r, X)
    assert torch.autograd.gradcheck(model.from_features, X)


# --- Which way the graph points: A_d[b, i, j] is the weight of node j in the update of node i.


@pytest.mark.parametrize("convolution", [GraphConvolution, ReleasedConvolution])
def test_node_i_receives_from_node_j(convolution):
    torch.manual_seed(0)
    layer, H = convolution(DIM), torch.randn(1, C, DIM)
    A = torch.zeros(C, C)
    A[1, 3] = 1.0
    moved = H.clone()
    moved[0, 3] += 1.0
    changed = (layer(A, moved, H) - layer(A, H, H)).abs().amax((0, 2)) > 0
    assert changed.tolist() == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("make", "axis"),
    [
        pytest.param(DynamicAdjacency, 1, id="paper: the sender j is read, column j changes"),
        pytest.param(ReleasedDynamicAdjacency, 0, id="released: the receiver i is read, row i changes"),
    ],
)
def test_which_node_the_dynamic_graph_reads(make, axis):
    torch.manual_seed(0)
    adjacency, H, node = make(C, DIM).eval(), torch.randn(1, C, DIM), 3
    nn.init.zeros_(adjacency.global_conv.weight)  # else h_g, the mean of all nodes, moves every weight a little
    moved = H.clone()
    moved[0, node] += 1.0
    changed = (adjacency(moved) - adjacency(H))[0].abs() > 0
    expected = torch.zeros(C, C, dtype=torch.bool)
    expected.index_fill_(axis, torch.tensor([node]), True)  # a row for 0, a column for 1
    assert torch.equal(changed, expected)


# --- Table 6, and the paper's sentence about it.


def test_gap_cls_equals_cls_gap_for_logits_but_not_once_the_sigmoid_is_between():
    sam = addgcn(maps="gap-cls").representation
    X = torch.randn(2, D, 4, 6)
    _, s_m, M = sam(X)
    gap_cls = sam.classifier(X.mean((2, 3), keepdim=True)).flatten(1)
    torch.testing.assert_close(s_m, gap_cls)
    assert (M.mean((2, 3)) - gap_cls.sigmoid()).abs().max() > 1e-3


def test_max_pooling_does_not_commute_with_the_classifier():
    X = torch.randn(2, D, 4, 6)
    classifier = addgcn().representation.classifier
    at_each_position = torch.stack([classifier(X[:, :, i : i + 1, j : j + 1]) for i in range(4) for j in range(6)])
    torch.testing.assert_close(addgcn(maps="cls-gmp").representation(X)[1], at_each_position.amax((0, 3, 4)))
    pooled = classifier(X.amax((2, 3), keepdim=True)).flatten(1)
    torch.testing.assert_close(addgcn(maps="gmp-cls").representation(X)[1], pooled)
    assert not torch.allclose(at_each_position.amax((0, 3, 4)), pooled, atol=1e-3)
