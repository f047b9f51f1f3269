"""The two graph models that the paper is compared with, behind the interface of `ADDGCN`:

- MLGCN (Chen et al., CVPR 2019): a graph of label vectors makes the classifiers, the same for all images;
- SSGRL (Chen et al., ICCV 2019): attention gives each category a vector per image, and a gated graph mixes them.

Both graphs are counted from training labels and never trained. `addgcn.train` gives a model its labels; by hand::

    model = MLGCN(num_classes=18, backbone="scenes", weights="scenes", dim=64)
    model.fit_labels(train_set.targets)

A model whose graph was not counted refuses to run. The graph is saved and loaded with the weights. Written from
the papers' descriptions; the docstrings say where a choice was left open or made otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .backbone import build_backbone
from .baselines import label_graph
from .errors import InputError
from .graph import SLOPE
from .heads import BinaryHeads
from .model import Explanation
from .pretrained import Pretrained


def count_labels(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Targets (N, C) -> images with both of two categories (C, C), images with each (C,). Ignored (-1) is not there."""
    has = targets.eq(1).double()  # (N, C)
    return has.T @ has, has.sum(0)


def conditional_graph(pairs: Tensor, images: Tensor) -> Tensor:
    """The adjacency of SSGRL: A[i, j] = P(j | i) (C, C), with P(i | i) = 1. No links where no image has i.

    Args:
        pairs: (C, C), the number of images with both categories; the diagonal is not looked at.
        images: (C,), the number of images with each.
    """
    P = (pairs / images[:, None]).fill_diagonal_(1)  # 0 / 0 is NaN
    return P.where(images[:, None] > 0, 0.0).float()


class Peer(nn.Module, Pretrained):
    """What MLGCN and SSGRL share: a vector for each label (C, E), and a graph of the labels, A (C, C).

    Both are buffers, NaN until they are given: no gradient changes them, and they are saved with the weights.
    """

    vectors: Tensor
    A: Tensor

    def __init__(
        self,
        num_classes: int,
        backbone: str | nn.Module = "resnet101",
        weights: str | None = None,
        dim: int = 1024,
        vectors: int = 0,
        classes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if dim < 1 or vectors < 0:
            raise InputError(f"dim must be at least 1 and vectors at least 0, not {dim} and {vectors}.")
        trunk_weights, model_weights = self._split_weights(weights)
        self.num_classes, self.classes = num_classes, self._check_classes(num_classes, classes)
        self.backbone = build_backbone(backbone, trunk_weights)
        self.backbone_is_given = isinstance(backbone, nn.Module)
        unknown = torch.full((num_classes, vectors or num_classes), torch.nan)
        self.register_buffer("vectors", unknown if vectors else torch.eye(num_classes))
        self.register_buffer("A", torch.full((num_classes, num_classes), torch.nan))
        self.complete = False
        self.add_head(self.backbone.out_channels, vectors or num_classes, dim)
        if model_weights is not None:
            self.load_weights(model_weights)

    def add_head(self, D: int, E: int, dim: int) -> None:
        """The parts that are the model's own."""
        raise NotImplementedError

    def make_graph(self, pairs: Tensor, images: Tensor) -> Tensor:
        """Counts as of `count_labels` -> A (C, C)."""
        raise NotImplementedError

    def explain_features(self, X: Tensor) -> Explanation:
        raise NotImplementedError

    def fit_labels(self, targets: Tensor) -> None:
        """Count the graph from the targets (N, C) of the images to train on; -1 (ignored) counts as not there.

        Raises:
            InputError: other numbers than 1, 0 and -1, or another number of categories.
        """
        if targets.ndim != 2 or targets.shape[1] != self.num_classes or not targets.abs().le(1).all():
            raise InputError(
                f"targets must be (N, {self.num_classes}), of 1, 0 and -1; these are {tuple(targets.shape)}."
            )
        self.fit_counts(*count_labels(targets))

    def fit_counts(self, pairs: Tensor | np.ndarray, images: Tensor | np.ndarray) -> None:
        """The graph from counts, for instance of `addgcn.records.cooccurrence`: pairs (C, C), images (C,).

        Raises:
            InputError: shapes that do not fit, or a pair in more images than one of its categories.
        """
        both, alone = (torch.as_tensor(counts).double().cpu() for counts in (pairs, images))
        C = self.num_classes
        if both.shape != (C, C) or alone.shape != (C,) or (both > alone).fill_diagonal_(False).any():
            raise InputError(
                f"for {C} categories, pairs must be ({C}, {C}) and images ({C},), and no pair in more images than one "
                f"of its categories; these are {tuple(both.shape)} and {tuple(alone.shape)}."
            )
        self.A.copy_(self.make_graph(both, alone))

    def set_vectors(self, vectors: Tensor | np.ndarray) -> None:
        """The labels' vectors (C, E), for a model made with `vectors=E`; in both papers GloVe's, with E = 300.

        Raises:
            InputError: another shape, or numbers that are not finite.
        """
        given = torch.as_tensor(vectors)
        if given.shape != self.vectors.shape or not given.isfinite().all():
            raise InputError(
                f"a vector of finite numbers for each category is needed, {tuple(self.vectors.shape)}; these are "
                f"{tuple(given.shape)}. Their width is the argument `vectors` of {type(self).__name__}."
            )
        self.vectors.copy_(given)

    def check_complete(self) -> None:
        """Refuse to compute without the graph or the vectors.

        Raises:
            InputError: one of them is missing; says how it is given.
        """
        if self.complete:  # asked no more: each look waits for the device
            return
        load = "before the model is used, or load weights that bring it."
        if self.A.isnan().any():
            raise InputError(f"the graph of the labels is missing: call fit_labels(train_set.targets) {load}")
        if self.vectors.isnan().any():
            raise InputError(f"the vectors of the labels are missing: call set_vectors {load}")
        self.complete = True

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), normalised with `backbone.mean` and `.std` -> scores (B, C), logits."""
        return self.from_features(self.backbone(images))

    def from_features(self, X: Tensor) -> Tensor:
        """The rest of the model, from a feature map X (B, D, H', W') -> scores (B, C)."""
        return self.explain_features(X).scores

    def explain(self, images: Tensor) -> Explanation:
        """The forward pass with everything it saw; None where the model has no such part."""
        return self.explain_features(self.backbone(images))


del Pretrained.architectures["Peer"]  # no model by itself


class MLGCN(Peer):
    """ML-GCN (Chen et al., CVPR 2019): two graph convolutions turn label vectors into classifiers.

    The classifiers W = A LReLU(A E W_1) W_2 (C, D) come from the vectors E of the labels alone, so they are the same
    for all images; s = W x, with x the global maximum of each channel. A is `label_graph` of the training labels:
    threshold 0.4, and all that is heard of others a quarter of what is heard of itself.

    Differs from the paper: one-hot vectors unless others are given (there GloVe's, E = 300), and PyTorch's initial
    values for W_1 and W_2. An explanation has the graph, A_s, and as maps the classifiers applied at every position, as
    in GAP and GMP. V, H and Z are None: the nodes are labels, and know nothing of the image.

    Args:
        dim: the width between the two convolutions; 1024 in the paper.
        vectors: the width E of label vectors that `set_vectors` gives; 0: one-hot vectors.

    The others, and errors, as in `ADDGCN`.
    """

    def add_head(self, D: int, E: int, dim: int) -> None:
        self.first = nn.Linear(E, dim, bias=False)  # W_1
        self.second = nn.Linear(dim, D, bias=False)  # W_2

    def make_graph(self, pairs: Tensor, images: Tensor) -> Tensor:
        return label_graph(pairs, images)

    def classifiers(self) -> Tensor:
        """W (C, D), one linear classifier per category."""
        self.check_complete()
        H = F.leaky_relu(self.first(self.A @ self.vectors), SLOPE)  # (C, C) @ (C, E) -> (C, dim)
        return self.second(self.A @ H)  # (C, D)

    def explain_features(self, X: Tensor) -> Explanation:
        W = self.classifiers()  # (C, D)
        s = X.amax((2, 3)) @ W.T  # (B, D) @ (D, C) -> (B, C)
        L = torch.einsum("bdhw,cd->bchw", X, W)  # (B, C, H', W')
        return Explanation(s, None, s, L.sigmoid(), None, None, None, self.A, None)


class SemanticDecoupling(nn.Module):
    """SSGRL's attention: where to look for a category, by its label's vector; one softmax over the positions each.

    e[c, p] = w . tanh(W_1 x_p * W_2 e_c), a low-rank bilinear form. The paper has one more matrix and two biases
    between the tanh and the softmax: the matrix multiplies with w to a single vector, and a bias shifts all positions
    alike, which the softmax does not see. So the functions are the same. Memory: B C H' W' dim numbers.
    """

    def __init__(self, in_channels: int, width: int, dim: int) -> None:
        super().__init__()
        self.image = nn.Linear(in_channels, dim, bias=False)  # W_1
        self.label = nn.Linear(width, dim, bias=False)  # W_2
        self.score = nn.Linear(dim, 1, bias=False)  # w

    def forward(self, X: Tensor, E: Tensor) -> Tensor:
        """X (B, D, H', W'), vectors E (C, E) -> attention a (B, C, H', W'), which adds up to 1 over the positions."""
        seen = self.image(X.flatten(2).mT).unsqueeze(1)  # (B, D, H'W') -> (B, 1, H'W', dim)
        wanted = self.label(E).unsqueeze(1)  # (C, 1, dim)
        e = self.score((seen * wanted).tanh_()).squeeze(3)  # (B, C, H'W', dim) -> (B, C, H'W')
        return e.softmax(2).unflatten(2, X.shape[2:])  # (B, C, H', W')


class GatedGraph(nn.Module):
    """SSGRL's graph: a gated graph network (Li et al., ICLR 2016), `steps` times the same step for all nodes.

    What a node hears, m = [A H; A^T H], keeps the two directions of the links apart, each with its own half of W_z,
    W_r and W. Then, as in a GRU::

        z = sigmoid(W_z m + U_z h)    r = sigmoid(W_r m + U_r h)    h <- (1 - z) h + z tanh(W m + U (r h))

    with a bias in W_z, W_r and W. In the released code U_z and U_r are one matrix.
    """

    def __init__(self, dim: int, steps: int = 3) -> None:
        super().__init__()
        self.steps = steps
        self.W_z, self.W_r, self.W = (nn.Linear(2 * dim, dim) for _ in range(3))
        self.U_z, self.U_r, self.U = (nn.Linear(dim, dim, bias=False) for _ in range(3))

    def forward(self, H: Tensor, A: Tensor) -> Tensor:
        """Nodes H (B, C, D), graph A (C, C) -> nodes (B, C, D)."""
        for _ in range(self.steps):
            m = torch.cat([A @ H, A.T @ H], dim=2)  # (B, C, 2D)
            z = torch.sigmoid(self.W_z(m) + self.U_z(H))  # (B, C, D), how much is new
            r = torch.sigmoid(self.W_r(m) + self.U_r(H))  # (B, C, D), how much of the old the new one sees
            H = (1 - z) * H + z * torch.tanh(self.W(m) + self.U(r * H))  # (B, C, D)
        return H


class SSGRL(Peer):
    """SSGRL (Chen et al., ICCV 2019): semantic decoupling, then semantic interaction on a gated graph.

    V: per category, the mean of X weighted by its attention. H: V after three steps of `GatedGraph` on
    A[i, j] = P(j | i), counted from the training labels. Z = tanh(W_o [h; v]), and one linear classifier per category.

    Differs from the paper: one-hot vectors unless others are given (there GloVe's, E = 300). There the trunk ends in a
    2 x 2 average pooling and its first three stages are fixed; here it is the one that all models share. A has loops,
    P(i | i) = 1.

    In an explanation V, H and Z are as wide as X, (B, C, D), and A_s is the graph. maps is None: an attention adds up
    to 1 whether the category is there or not, so it is no activation map. `attention` returns it.

    Args:
        dim: the width in which image and labels meet in the attention; 1024 in the paper.
        vectors: the width E of label vectors that `set_vectors` gives; 0: one-hot vectors.

    The others, and errors, as in `ADDGCN`.
    """

    def add_head(self, D: int, E: int, dim: int) -> None:
        self.decoupling = SemanticDecoupling(D, E, dim)
        self.graph = GatedGraph(D)
        self.output = nn.Linear(2 * D, D)  # W_o
        self.readout = BinaryHeads(D, self.num_classes)

    def make_graph(self, pairs: Tensor, images: Tensor) -> Tensor:
        return conditional_graph(pairs, images)

    def attention(self, X: Tensor) -> Tensor:
        """Where each category looks: feature map X (B, D, H', W') -> (B, C, H', W'), each map's sum is 1."""
        self.check_complete()
        return self.decoupling(X, self.vectors)

    def explain_features(self, X: Tensor) -> Explanation:
        V = torch.einsum("bchw,bdhw->bcd", self.attention(X), X)  # (B, C, D)
        H = self.graph(V, self.A)  # (B, C, D)
        Z = torch.tanh(self.output(torch.cat([H, V], dim=2)))  # (B, C, 2D) -> (B, C, D)
        s = self.readout(Z)  # (B, C)
        return Explanation(s, None, s, None, V, H, Z, self.A, None)
