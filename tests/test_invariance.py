"""What must not change the scores (the categories' order, the rest of the batch), and what must change the graph."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from variants import BASELINES, ROWS, VARIANTS, WIRINGS, C, addgcn, pictures

from addgcn import ADDGCN, InputError
from addgcn.convert import CLASS_AXES

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
