"""The figures: right panels and labels, matrices the right way round, maps over the right pixels, true alt texts."""

from __future__ import annotations

import base64
import io
import json
from itertools import pairwise
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from PIL import Image

from addgcn import style, viz
from addgcn.errors import InputError

CLASSES = ("car", "truck", "dog", "cat", "traffic light", "$odd_name$")
C = len(CLASSES)


@pytest.fixture
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8))


@pytest.fixture
def explanation() -> SimpleNamespace:
    """Two images; of the second, cat scores sigma(2) = 0.88 and its map has one hot cell, row 0, column 2 of 2 x 3."""
    scores = torch.full((2, C), -3.0)
    scores[1, 3], scores[1, 2] = 2.0, 1.0
    maps = torch.full((2, C, 2, 3), 0.1)
    maps[1, 3, 0, 2] = 0.8
    return SimpleNamespace(scores=scores.requires_grad_(), maps=maps.requires_grad_())


def rendered(picture: Figure) -> np.ndarray:
    """Drawn for good (with the text of the layout), as pixels."""
    assert isinstance(picture, Figure)
    with Image.open(io.BytesIO(picture.png())) as image:
        assert image.text["Description"] == picture.alt_text != ""
        return np.asarray(image.convert("RGB"))


def inside(picture: Figure) -> bool:
    """No text leaves the figure, which would be cut off."""
    picture.draw_without_rendering()
    width, height = picture.bbox.size
    boxes = [t.get_window_extent() for ax in picture.axes for t in [*ax.texts, ax.title] if t.get_text()]
    return all(b.x0 >= -1 and b.y0 >= -1 and b.x1 <= width + 1 and b.y1 <= height + 1 for b in boxes)


# ---- maps


def test_maps_have_the_image_the_maps_and_a_colour_bar(photo, explanation):
    picture = viz.show_maps(photo, explanation, CLASSES, index=1, top=2, truth=["cat", "car"])
    titles = [ax.get_title() for ax in picture.axes[:-1]]
    assert titles == ["the image", "✓ cat  0.88", "✗ dog  0.73"]
    assert picture.axes[1].title.get_fontweight() == "bold"
    assert picture.axes[2].title.get_fontweight() == "normal"
    assert picture.axes[-1].get_ylabel() == "activation"
    assert picture.get_supxlabel() == "✓ in the ground truth   ✗ not in it"
    assert rendered(picture).std() > 0
    assert inside(picture)


def test_a_hot_cell_lies_over_its_share_of_the_image(photo, explanation):
    picture = viz.show_maps(photo, explanation, CLASSES, index=1, only=["cat"])
    over = picture.axes[1].images[1].get_array()
    assert over.shape == (60, 90)  # of the image, not of the map
    peak = np.argwhere(over >= over.max() - 1e-6)
    assert ((peak[:, 0] < 30) & (peak[:, 1] >= 60)).all()  # cell (0, 2) of 2 x 3
    assert np.allclose(over[:, :30], 0.1)
    assert np.allclose(over[:15, 75:], 0.8)  # from the cell's centre outwards
    assert over[29:31, 75:].mean() == pytest.approx(0.45)  # on the border of two cells: half of each
    assert "The map of cat peaks at 0.80, upper right." in picture.alt_text


def test_one_colour_scale_for_all_maps_or_each_its_own(photo, explanation):
    shared = viz.show_maps(photo, explanation, CLASSES, index=1, only=["cat", "dog"])
    assert [ax.images[1].get_clim() for ax in shared.axes[1:3]] == [(0, 1), (0, 1)]
    own = viz.show_maps(photo, explanation, CLASSES, index=1, only=["cat", "dog"], scale="own")
    assert own.axes[1].images[1].get_clim() == pytest.approx((0.1, 0.8))
    assert own.axes[1].get_title() == "cat  0.88\n0.10 to 0.80"
    assert inside(own)
    with pytest.raises(InputError, match=r"unknown scale 'mine'.*shared"):
        viz.show_maps(photo, explanation, CLASSES, scale="mine")


def test_maps_without_scores_are_ranked_by_their_peak(photo, explanation):
    picture = viz.show_maps(photo, explanation.maps[1], CLASSES, top=1, truth=torch.tensor([0, 0, 0, -1, 0, 0]))
    assert picture.axes[1].get_title() == "? cat"
    assert picture.get_supxlabel() == "? ignored there"
    assert "In the ground truth: nothing." in picture.alt_text


def test_the_alt_text_of_maps_states_facts(photo, explanation):
    told = viz.show_maps(photo, explanation, CLASSES, index=1, top=2, truth=["cat", "car"]).alt_text
    assert told == (
        "The image and, over it, the activations of cat and dog. The highest score among them is cat, 0.88. The map of "
        "cat peaks at 0.80, upper right. In the ground truth: car and cat."
    )


def test_a_model_without_maps_is_named(photo, explanation):
    explanation.maps = None
    with pytest.raises(InputError, match="representation='sam'"):
        viz.show_maps(photo, explanation, CLASSES)


# ---- predictions


def test_predictions_are_ranked_bars(photo):
    scores = torch.tensor([2.0, -1.0, 0.5, -4.0, 1.0, 0.0]).to(torch.bfloat16)
    picture = viz.show_predictions(photo, scores, CLASSES, truth=["truck", "car", "cat"], top=4)
    image, bars = picture.axes
    assert len(image.images) == 1
    assert [t.get_text() for t in bars.get_yticklabels()] == ["✓ car", "✗ traffic light", "✗ dog", "✗ $odd_name$"]
    assert [b.get_width() for b in bars.patches] == pytest.approx(torch.sigmoid(scores[[0, 4, 2, 5]].float()).tolist())
    assert bars.yaxis_inverted()  # the first on top
    assert bars.patches[2].get_facecolor() != bars.patches[3].get_facecolor()  # 0.62 is above, 0.5 itself is not
    assert "ranked lower: ✓ truck 0.27 (rank 5) and ✓ cat 0.02 (rank 6)" in picture.get_supxlabel()
    assert "threshold of 0.5: car 0.88, traffic light 0.73 and dog 0.62. In the ground" in picture.alt_text
    rendered(picture)
    assert inside(picture)


def test_predictions_without_truth_carry_no_marks(photo):
    picture = viz.show_predictions(photo, torch.full((C,), -1.0), CLASSES)
    assert [t.get_text() for t in picture.axes[1].get_yticklabels()] == list(CLASSES)
    assert "Above the threshold of 0.5: none; the highest is car, 0.27." in picture.alt_text


# ---- graphs


def test_row_is_updated_column_sends():
    A = torch.full((C, C), 0.1)
    A[0, 2] = 0.9  # dog sends, car is updated
    picture = viz.show_graph_matrix(A, CLASSES, present=["car", "dog"])
    ax, bar = picture.axes
    drawn = ax.images[0].get_array()
    rows, columns = ([t.get_text() for t in labels] for labels in (ax.get_yticklabels(), ax.get_xticklabels()))
    assert rows == columns == list(CLASSES)
    assert ax.images[0].origin == "upper"  # row 0 on top, as a matrix is written
    assert drawn[rows.index("car"), columns.index("dog")] == pytest.approx(0.9)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("category $i$ that is updated", "category $j$ that sends")
    assert ax.images[0].get_clim() == (0, 1)
    assert [t.get_fontweight() for t in ax.get_yticklabels()] == ["bold", "normal", "bold", *["normal"] * 3]
    assert sorted(frame.get_xy() for frame in ax.patches) == [(-0.5, 1.5), (1.5, -0.5)]  # (x, y) of both cells
    assert bar.get_ylabel() == "weight in $A_d$"
    assert "is 0.90, from dog (column) to car (row)" in picture.alt_text
    # The pixel of that cell has the colour of 0.9, the cell across the diagonal has not.
    pixels = rendered(picture)
    y, x = (ax.transData.transform((2.35, 0.35)) * 2)[::-1]
    assert pixels[pixels.shape[0] - round(y), round(x)] == pytest.approx(
        np.array(matplotlib.colormaps[style.SEQUENTIAL](0.9)[:3]) * 255, abs=3
    )


def test_signed_weights_are_drawn_around_zero():
    A = torch.zeros(C, C)
    A[1, 0], A[0, 1] = -0.5, 0.2
    image = viz.show_graph_matrix(A, CLASSES, name="A_s").axes[0].images[0]
    assert image.get_clim() == (-0.5, 0.5)
    assert image.cmap.name == style.DIVERGING
    assert np.allclose(image.cmap(image.norm(0.0))[:3], 0.97, atol=0.02)  # nearly white


def test_only_picks_and_orders():
    A = torch.arange(C * C).view(C, C) / C**2
    ax = viz.show_graph_matrix(A, CLASSES, only=["cat", "car"], scale="own").axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["cat", "car"]
    assert np.allclose(ax.images[0].get_array(), A[[3, 0]][:, [3, 0]])
    assert [t.get_text() for t in ax.texts] == ["0.58", "0.50", "0.08", "0.00"]


def test_eighty_names_do_not_overlap():
    names = [f"category {k}" for k in range(80)]
    present = [names[k] for k in (3, 4, 40)]
    picture = viz.show_graph_matrix(torch.rand(80, 80), names, present=present)
    ax = picture.axes[0]
    picture.draw_without_rendering()
    labels = ax.get_yticklabels()
    spans = sorted((t.get_window_extent().y0, t.get_window_extent().y1) for t in labels)
    assert len(spans) >= 25
    assert all(below[1] <= above[0] + 1 for below, above in pairwise(spans))
    bold = [t.get_text() for t in labels if t.get_fontweight() == "bold"]
    assert bold == ["category 3", "category 40"]  # beside 3 there is no room for 4
    assert ax.yaxis.get_minorticklocs().tolist() == [4]  # but a mark


def test_arrows_run_from_the_sender_to_the_updated():
    A = torch.zeros(C, C)
    A[0, 2], A[3, 0] = 0.9, 0.3
    A.fill_diagonal_(1.0)
    picture = viz.show_graph(A, CLASSES, present=torch.tensor([1, 0, 1, 0, 0, 0]))
    ax = picture.axes[0]
    nodes = {t.get_text(): np.array(t.get_position()) for t in ax.texts}
    assert set(nodes) == set(CLASSES)
    arrows = [p for p in ax.patches if isinstance(p, FancyArrowPatch)]
    ends = []
    for arrow in arrows:  # drawn from the weakest to the strongest
        tail, tip = arrow._posA_posB
        near = [min(nodes, key=lambda n: np.linalg.norm(nodes[n] - point)) for point in (tail, tip)]
        ends.append(tuple(near))
    assert ends == [("car", "cat"), ("dog", "car")]
    assert arrows[0].get_linewidth() < arrows[1].get_linewidth()
    assert arrows[0].get_alpha() < arrows[1].get_alpha()
    filled = [s.get_facecolor()[0].tolist() != [1, 1, 1, 1] for s in ax.collections]
    assert filled == [True, False, True, False, False, False]
    assert "Strongest: dog to car (0.90) and car to cat (0.30). Present: car and dog." in picture.alt_text
    rendered(picture)
    assert inside(picture)


def test_the_nodes_of_a_graph_present_first_then_the_highest_scores():
    A = torch.rand(C, C, generator=torch.Generator().manual_seed(0))
    scores = torch.tensor([0.0, 3.0, -5.0, 1.0, -1.0, -2.0])
    ax = viz.show_graph(A, CLASSES, present=["dog"], scores=scores, top=3).axes[0]
    assert [t.get_text() for t in ax.texts] == ["truck 0.95", "dog 0.01", "cat 0.73"]
    one = viz.show_graph(A, CLASSES, only=["cat", "car"], senders=1).axes[0]
    assert [t.get_text() for t in one.texts] == ["cat", "car"]
    assert len(one.patches) == 2
    faint = viz.show_graph(torch.tensor([[0.0, 0.004], [0.5, 0.0]]), ("car", "cat"))
    assert [t.get_text() for t in faint.legends[0].get_texts()] == ["weight 0.5", "weight 0.004"]  # not 0.00
    assert "all weights between them are zero" in viz.show_graph(torch.eye(C), CLASSES).alt_text


def test_negative_arrows_are_dashed():
    A = torch.zeros(C, C)
    A[0, 1], A[1, 0] = -0.5, 0.25
    arrows = viz.show_graph(A, CLASSES).axes[0].patches
    assert [a.get_linestyle() for a in arrows] == ["-", "--"]


def test_no_graph_is_said_with_the_models_that_have_one():
    for draw in (viz.show_graph_matrix, viz.show_graph):
        with pytest.raises(InputError, match="'S-D'"):
            draw(None, CLASSES)
        with pytest.raises(InputError, match="pick an image"):
            draw(torch.zeros(2, C, C), CLASSES)
        with pytest.raises(InputError, match=r"6 classes .* \(3, 3\)"):
            draw(torch.zeros(3, 3), CLASSES)


# ---- co-occurrence


def test_conditional_probability_by_hand():
    targets = torch.tensor([[1, 1, 0], [1, 0, 0], [1, -1, 0], [0, 1, 0]], dtype=torch.int8)
    P = viz.conditional_probability(targets)
    # Of three images with category 0 one does not say whether 1 is there: P(1 | 0) = 1/2; P(0 | 1) = 1/2.
    expected = [[1, 0.5, 0], [0.5, 1, 0], [np.nan] * 3]
    np.testing.assert_allclose(P, expected)
    counts = np.array([[4, 1, 0], [1, 2, 0], [0, 0, 0]])
    np.testing.assert_allclose(viz.conditional_probability(counts), [[1, 0.25, 0], [0.5, 1, 0], [np.nan] * 3])


def test_real_counts_of_figure_1(shared):
    with np.load(shared("data/cooccurrence/coco_mlgcn.npz")) as z:
        names, counts = [str(c) for c in z["classes"]], z["adj"] + np.diag(z["nums"])
        with pytest.raises(InputError, match="diagonal"):
            viz.conditional_probability(z["adj"])
    P = viz.conditional_probability(counts)
    assert P[names.index("truck"), names.index("car")] == pytest.approx(0.60, abs=0.005)
    ax = viz.show_cooccurrence(counts, names).axes[0]
    assert "person" in [t.get_text() for t in ax.get_xticklabels()]  # the column that stands out has its name


def test_cooccurrence_row_given_column():
    targets = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 1, 1]])
    picture = viz.show_cooccurrence(targets, ["car", "person", "dog"], only=["person", "dog"])
    drawn = picture.axes[0].images[0].get_array()
    assert drawn[0, 1] == 0.5  # P(dog | person)
    assert drawn[1, 0] == 1.0  # P(person | dog)
    assert drawn.mask.diagonal().all()  # 1 by definition, and not drawn
    assert "The highest is P(person | dog) = 1.00." in picture.alt_text
    with pytest.raises(InputError, match="3 categories do not fit 2"):
        viz.show_cooccurrence(targets, ["car", "person"])


# ---- curves and sheets


def test_curves_by_epoch():
    log = [{"epoch": 1, "step": 10, "train_loss": 4.0}, {"epoch": 1, "train_loss": 2.0, "mAP": 40.0, "CF1": None}]
    log += [{"epoch": 2, "step": 20, "train_loss": 1.0, "mAP": 70.0, "CF1": 60.0}]
    picture = viz.show_curves([json.loads(json.dumps(row)) for row in log])
    loss, metrics = picture.axes
    assert [line.get_xydata().tolist() for line in loss.lines] == [[[1, 3], [2, 1]]]
    assert {line.get_label(): line.get_xydata().tolist() for line in metrics.lines} == {
        "mAP": [[1, 40], [2, 70]],
        "CF1": [[2, 60]],
    }
    assert "over epochs 1 to 2: train_loss from 3 to 1, mAP from 40 to 70 and CF1 from 60 to 60." in picture.alt_text
    rendered(picture)
    assert len(viz.show_curves([{"epoch": 1, "train_loss": 2.0}]).axes) == 1
    for bad in ([], [{"step": 1, "train_loss": 2.0}], [{"epoch": 1}]):
        with pytest.raises(InputError, match="nothing to draw"):
            viz.show_curves(bad)


def test_contact_sheet(photo):
    tall = photo.resize((1, 40))  # one pixel wide
    picture = viz.contact_sheet(
        [photo, tall, photo, photo], ["a", "b_$x$", "c", "a very long title of words"], columns=3
    )
    assert [ax.get_title() for ax in picture.axes] == ["a", "b_$x$", "c", "a very long title of words"]
    assert [ax.get_subplotspec().rowspan.start for ax in picture.axes] == [0, 0, 0, 1]
    assert picture.alt_text.startswith("4 images in 2 rows of up to 3, titled: a; b_$x$; c;")
    rendered(picture)
    assert len(viz.contact_sheet([photo] * 2).axes) == 2
    for images, titles in ([], None), ([photo], ["a", "b"]):
        with pytest.raises(InputError, match="do not make a sheet"):
            viz.contact_sheet(images, titles)


# ---- images, names, style


def test_images_in_every_form_are_the_same(photo):
    array = np.asarray(photo)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    for image in (photo, array, tensor, tensor / 255, array / 255, photo.convert("RGBA")):
        assert np.array_equal(style.to_pixels(image), array)
    assert style.to_pixels(photo.resize((2800, 1400))).shape == (350, 700, 3)
    assert photo.size == (90, 60)


def test_denormalise_undoes_the_normalisation(photo):
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    pixels = torch.from_numpy(np.asarray(photo).copy()).permute(2, 0, 1) / 255
    normalised = torch.stack([(pixels[k] - mean[k]) / std[k] for k in range(3)])
    assert torch.allclose(viz.denormalise(normalised, mean, std), pixels, atol=1e-6)
    assert viz.denormalise(normalised[None].expand(2, -1, -1, -1), mean, std).shape == (2, 3, 60, 90)
    with pytest.raises(InputError, match=r"\[0, 1\].*denormalise"):
        viz.contact_sheet([normalised])
    with pytest.raises(InputError, match=r"\(3, H, W\).*\(1, 60, 90\)"):
        viz.contact_sheet([pixels[:1]])


def test_wrong_names_shapes_and_values_are_said(photo, explanation):
    with pytest.raises(InputError, match="Did you mean 'truck'"):
        viz.show_maps(photo, explanation, CLASSES, only=["trukc"])
    with pytest.raises(InputError, match="unknown category 'tram'"):
        viz.show_predictions(photo, torch.zeros(C), CLASSES, truth=["tram"])
    with pytest.raises(InputError, match="list of names is empty"):
        viz.show_graph_matrix(torch.zeros(C, C), CLASSES, only=[])
    with pytest.raises(InputError, match="image 7 is not in a batch"):
        viz.show_maps(photo, explanation, CLASSES, index=7)
    with pytest.raises(InputError, match="do not fit 6 classes"):
        viz.show_maps(photo, torch.zeros(4, 2, 2), CLASSES)
    with pytest.raises(InputError, match="not finite for truck"):
        viz.show_predictions(photo, torch.tensor([0, float("nan"), 0, 0, 0, 0]), CLASSES)
    with pytest.raises(InputError, match=r"scores of one image for 6 classes are \(6,\), not \(2, 6\)"):
        viz.show_predictions(photo, torch.zeros(2, C), CLASSES)
    for labels in (torch.full((C,), 2), [1, 0]):
        with pytest.raises(InputError, match="targets of 1, 0 or -1"):
            viz.show_predictions(photo, torch.zeros(C), CLASSES, truth=labels)
    with pytest.raises(InputError, match="neither targets"):
        viz.conditional_probability([[2, 5], [1, 3]])


def test_the_style_is_put_on_and_taken_off():
    before = dict(matplotlib.rcParams)
    with viz.use_style():
        assert matplotlib.rcParams["figure.facecolor"] == "white"
        assert matplotlib.rcParams["axes.spines.top"] is False
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"figure.facecolor": "black", "text.color": "yellow"}):
        picture = viz.show_graph_matrix(torch.zeros(C, C), CLASSES)
        assert picture.get_facecolor() == (1, 1, 1, 1)
        assert matplotlib.rcParams["figure.facecolor"] == "black"
        assert (rendered(picture)[:8] == 255).all()  # a white card, whatever is set around it


def test_a_notebook_shows_the_picture_once_with_its_text():
    import matplotlib.pyplot as plt

    open_before = plt.get_fignums()
    picture = viz.show_curves([{"epoch": 1, "train_loss": 2.0}])
    data, metadata = picture._repr_mimebundle_()
    assert base64.b64decode(data["image/png"])[1:4] == b"PNG"
    assert data["text/plain"] == metadata["image/png"]["alt"] == picture.alt_text
    assert metadata["image/png"]["width"] == 700
    assert plt.get_fignums() == open_before  # pyplot, which would show it a second time, does not know it


def test_words_in_a_row():
    assert [style.listed(list("abcd")[:k]) for k in (0, 1, 2, 3)] == ["", "a", "a and b", "a, b and c"]
    assert style.listed([str(k) for k in range(5)], most=3) == "0, 1 and 3 more"
