"""The model: every row of the paper's tables, its equations by hand, and what must and must not change its scores."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from addgcn import ADDGCN, GAP, GMP, Explanation, InputError
from addgcn.convert import CLASS_AXES
from addgcn.graph import (
    DynamicAdjacency,
    GraphConvolution,
    Identity,
    ReleasedConvolution,
    ReleasedDynamicAdjacency,
    StaticAdjacency,
)
from addgcn.heads import READOUTS
from addgcn.losses import multilabel_loss
from addgcn.sam import SAM

WIRINGS = ("paper", "released")
C, D, DIM = 5, 12, 8


class Trunk(nn.Module):
    """A very small backbone of stride 8."""

    def __init__(self, out_channels: int = D) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv = nn.Conv2d(3, out_channels, 8, 8)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images).relu()


def addgcn(**settings) -> ADDGCN:
    torch.manual_seed(0)
    return ADDGCN(C, backbone=Trunk(), dim=DIM, **settings)


def pictures(B: int = 4, height: int = 32, width: int = 24, seed: int = 1) -> Tensor:
    return torch.randn(B, 3, height, width, generator=torch.Generator().manual_seed(seed))


# --- Every row of tables 4, 5, 6 and figure 3. What a row has no part for is None: named in the third column.

ROWS = {
    "table 4: S": ({"graph": "S"}, {"A_d"}),
    "table 4: D": ({"graph": "D"}, {"A_s"}),
    "table 4: P (add)": ({"graph": "P-add"}, set()),
    "table 4: P (mul)": ({"graph": "P-mul"}, set()),
    "table 4: P (cat)": ({"graph": "P-cat"}, set()),
    "table 4: D -> S": ({"graph": "D-S"}, set()),
    "table 4: S -> D": ({"graph": "S-D"}, set()),
    "table 5: Sum": ({"readout": "sum"}, set()),
    "table 5: Avg": ({"readout": "avg"}, set()),
    "table 5: Max": ({"readout": "max"}, set()),
    "table 5: Bi": ({"readout": "bi"}, set()),
    "table 6: GAP -> cls": ({"maps": "gap-cls"}, set()),
    "table 6: GMP -> cls": ({"maps": "gmp-cls"}, set()),
    "table 6: cls -> GMP": ({"maps": "cls-gmp"}, set()),
    "figure 3: SAM alone": ({"graph": "none"}, {"A_s", "A_d"}),
    "figure 3: D-GCN alone": ({"representation": "conv"}, {"s_m", "maps"}),
    "figure 3: both": ({}, set()),
    "control: I": ({"graph": "I"}, {"A_d"}),
    "control: I-I": ({"graph": "I-I"}, set()),
    "mean attention": ({"attend": "mean"}, set()),
}
VARIANTS = [
    pytest.param(lambda s=settings, w=wiring: addgcn(wiring=w, **s), absent, id=f"{row}, {wiring}")
    for (row, (settings, absent)), wiring in itertools.product(ROWS.items(), WIRINGS)
]
BASELINES = [  # the first row of table 4, and the same with max pooling
    pytest.param(
        lambda cls=cls: (torch.manual_seed(0), cls(C, backbone=Trunk()))[1],
        {"s_r", "V", "H", "Z", "A_s", "A_d"},
        id=f"baseline {cls.__name__}",
    )
    for cls in (GAP, GMP)
]


@pytest.mark.parametrize(("make", "absent"), VARIANTS + BASELINES)
def test_every_row_trains_explains_saves_and_loads(make, absent, tmp_path):
    model, images = make(), pictures()
    targets = (torch.rand(4, C, generator=torch.Generator().manual_seed(2)) < 0.4).to(torch.int8)

    # one step of gradient descent: gradients everywhere, and the loss goes down
    model.train()
    loss = multilabel_loss(model(images), targets)
    loss.backward()
    normalised = any("global_norm" in name for name, _ in model.named_parameters())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if normalised and name == "graph.dynamic.adjacency.global_conv.bias":
            # the only one: the released BatchNorm subtracts the mean, and with it the bias before it
            assert parameter.grad.abs().max() < 1e-6
        else:
            assert parameter.grad.abs().max() > 0, name
    torch.optim.SGD(model.parameters(), lr=1e-3).step()
    assert multilabel_loss(model(images), targets) < loss

    # the explanation: shapes, ranges, and its scores are the forward pass's
    model.eval()
    with torch.no_grad():
        out = model.explain(images)
        scores = model(images)
    assert torch.equal(out.scores, scores)
    wide = 2 * DIM if "P-cat" in model._hub_mixin_config.values() else DIM
    shapes = {
        "scores": (4, C), "s_m": (4, C), "s_r": (4, C), "maps": (4, C, 4, 3), "V": (4, C, DIM), "H": (4, C, DIM),
        "Z": (4, C, wide), "A_s": (C, C), "A_d": (4, C, C),
    }  # fmt: skip
    for name, shape in shapes.items():
        value = getattr(out, name)
        assert (value is None) if name in absent else (value.shape == shape), name
    if out.maps is not None:
        assert ((out.maps > 0) & (out.maps < 1)).all()
    if out.A_d is not None:
        assert ((out.A_d >= 0) & (out.A_d <= 1)).all()
    if out.s_m is not None and out.s_r is not None:
        torch.testing.assert_close(out.scores, (out.s_m + out.s_r) / 2)

    # saved and loaded, it is the same to the last bit
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path, backbone=Trunk())
    assert not loaded.training
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in model.state_dict().items())
    assert torch.equal(loaded(images), scores)


def test_rows_differ_where_they_should():
    """No two rows compute the same function of the same weights, but for the two that are the default anyway."""
    same = {"figure 3: both", "table 5: Bi", "table 6: cls -> GMP"}
    for wiring in WIRINGS:
        scores = {
            row: addgcn(wiring=wiring, **options).eval()(pictures()).detach()
            for row, (options, _) in ROWS.items()
            if row not in same
        }
        for a, b in itertools.combinations(scores, 2):
            assert not torch.allclose(scores[a], scores[b], atol=1e-6), (wiring, a, b)


def test_controls_have_the_weights_of_their_rows_but_no_graph():
    def convolutions(model):
        return {k: v.shape for k, v in model.named_parameters() if "adjacency" not in k}

    for wiring, (control, row) in itertools.product(WIRINGS, [("I", "S"), ("I-I", "S-D")]):
        alone = addgcn(wiring=wiring, graph=control)
        assert convolutions(alone) == convolutions(addgcn(wiring=wiring, graph=row))
        out = alone.explain(pictures())
        assert torch.equal(out.A_s, torch.eye(C))
        assert out.A_d is None or torch.equal(out.A_d, torch.eye(C).expand(4, C, C))


def test_identity_takes_device_and_type_from_the_nodes():
    assert torch.equal(Identity()(torch.zeros(2, 3, 4, dtype=torch.float64)), torch.eye(3, dtype=torch.float64))


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


# --- What must not matter, and what must.

AXES = CLASS_AXES | {
    "graph.dynamic.adjacency.weight": (0,),  # W_A of the paper's wiring
    "representation.to_nodes.weight": (0,),  # figure 3, D-GCN alone
    "representation.to_nodes.bias": (0,),
    "readout.linear.weight": (0,),  # table 5, sum, avg, max
    "readout.linear.bias": (0,),
}


def permuted(model: ADDGCN, order: list[int]) -> ADDGCN:
    """The model with its categories in another order."""
    state = dict(model.state_dict())
    for key, axes in AXES.items():
        for axis in axes if key in state else ():
            state[key] = state[key].index_select(axis, torch.tensor(order))
    other = copy.deepcopy(model)
    other.load_state_dict(state)
    return other


@pytest.mark.parametrize("wiring", WIRINGS)
@settings(max_examples=25, deadline=None)
@given(
    row=st.sampled_from(sorted(ROWS)),
    order=st.permutations(range(C)),
    seed=st.integers(0, 1000),
    training=st.booleans(),
)
def test_permuting_the_categories_permutes_the_scores(wiring, row, order, seed, training):
    model = addgcn(wiring=wiring, **ROWS[row][0]).double().train(training)
    images = pictures(seed=seed).double()
    before, after = model.explain(images), permuted(model, list(order)).explain(images)
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(after.scores, before.scores[:, order], **close)
    torch.testing.assert_close(after.Z, before.Z[:, order], **close)
    if before.A_d is not None:
        torch.testing.assert_close(after.A_d, before.A_d[:, order][:, :, order], **close)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_the_dynamic_graph_differs_between_images_and_the_static_one_does_not(wiring):
    model = addgcn(wiring=wiring).eval()
    a, b = model.explain(pictures(seed=1)), model.explain(pictures(seed=2))
    assert torch.equal(a.A_s, b.A_s)
    for first, second in itertools.combinations([*a.A_d, *b.A_d], 2):
        assert (first - second).abs().max() > 1e-4
    assert torch.equal(a.A_d, model.explain(pictures(seed=1)).A_d)


@pytest.mark.parametrize(("make", "absent"), VARIANTS + BASELINES)
def test_in_evaluation_a_score_does_not_depend_on_the_rest_of_the_batch(make, absent):
    model, images = make().eval(), pictures(6)
    together = model(images)
    torch.testing.assert_close(model(images[2:3]), together[2:3], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model(images.flip(0)).flip(0), together, rtol=1e-5, atol=1e-6)


def test_in_training_it_does_in_the_released_wiring_alone():
    """Its BatchNorm mixes the images of a batch; a batch of one cannot be trained on and says so."""
    images = pictures(6)
    released, paper = addgcn(wiring="released").train(), addgcn(wiring="paper").train()
    assert not torch.allclose(released(images)[:3], released(images[:3]), atol=1e-4)
    torch.testing.assert_close(paper(images)[:3], paper(images[:3]))
    with pytest.raises(InputError, match="batch size of at least 2"):
        released(images[:1])
    assert paper(images[:1]).shape == released.eval()(images[:1]).shape == (1, C)


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


# --- Image sizes.


def test_with_the_sum_v_grows_with_the_image_and_with_the_mean_it_does_not():
    """196 positions at 448 pixels, 324 at 576: a trained model meets larger V on larger images (eq. 1)."""
    small, large = torch.ones(1, D, 14, 14), torch.ones(1, D, 18, 18)
    grows, stays = addgcn(attend="sum").representation, addgcn(attend="mean").representation
    torch.testing.assert_close(grows(large)[0], grows(small)[0] * 324 / 196)
    torch.testing.assert_close(stays(large)[0], stays(small)[0])
    X = torch.randn(2, D, 5, 7)
    torch.testing.assert_close(stays(X)[0], grows(X)[0] / 35)


@pytest.mark.parametrize(("height", "width"), [(448, 448), (576, 576), (448, 320), (100, 333), (8, 8)])
@pytest.mark.parametrize("representation", ["sam", "conv"])
def test_any_image_size_will_do(height, width, representation):
    model = addgcn(representation=representation).eval()
    with torch.no_grad():
        out = model.explain(pictures(1, height, width))
    assert out.scores.shape == (1, C)
    assert out.scores.isfinite().all()
    assert out.maps is None or out.maps.shape == (1, C, height // 8, width // 8)


def test_from_features_is_the_rest_of_the_model():
    model = addgcn().eval()
    X = model.backbone(pictures())
    assert torch.equal(model.from_features(X), model(pictures()))
    assert isinstance(model.explain_features(X), Explanation)


def test_channels_last_changes_nothing_but_the_layout():
    for wiring in WIRINGS:
        model = addgcn(wiring=wiring).eval()
        before = model(pictures())
        after = model.to(memory_format=torch.channels_last)(pictures().to(memory_format=torch.channels_last))
        torch.testing.assert_close(after, before)


def test_the_baselines_maps_are_cam():
    """GAP: the mean of the map logits is the score, with the classifier's bias in both."""
    model = GAP(C, backbone=Trunk()).eval()
    out = model.explain(pictures())
    torch.testing.assert_close(out.maps.logit().mean((2, 3)), out.scores, rtol=1e-4, atol=1e-4)
    X = model.backbone(pictures())
    torch.testing.assert_close(out.scores, model.classifier(X.flatten(2).mean(2)))
    gmp = GMP(C, backbone=Trunk()).eval()
    torch.testing.assert_close(gmp(pictures()), gmp.classifier(gmp.backbone(pictures()).flatten(2).amax(2)))


# --- Wrong arguments.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"wiring": "relesed"}, "released"),
        ({"representation": "sams"}, "sam"),
        ({"maps": "cls-gap"}, "gap-cls|cls-gmp"),
        ({"graph": "S-S"}, "S-D"),
        ({"readout": "mean"}, "bi, sum, avg, max"),
        ({"attend": "summ"}, "'sum'"),
        ({"dim": 0}, "dim must be at least 1"),
        ({"classes": ["a", "b"]}, "2 distinct class names were given for 5 classes"),
        ({"classes": ["a", "b", "c", "d", "d"]}, "4 distinct class names"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_built(settings, message):
    with pytest.raises(InputError, match=message):
        ADDGCN(C, backbone=nn.Identity() if "classes" not in settings else Trunk(), **settings)


@pytest.mark.parametrize("cls", [ADDGCN, GAP, GMP])
def test_there_is_at_least_one_category(cls):
    with pytest.raises(InputError, match="num_classes must be at least 1"):
        cls(0, backbone=Trunk())
    assert cls(1, backbone=Trunk()).eval()(pictures()).shape == (4, 1)
