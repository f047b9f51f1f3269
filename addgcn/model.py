"""ADD-GCN (figure 2): backbone -> SAM -> D-GCN -> readout; nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from .backbone import build_backbone
from .errors import InputError, check_name
from .graph import GRAPHS, WIRINGS, build_graph
from .heads import READOUTS, AverageScores, ReadoutScores, build_readout
from .pretrained import Pretrained
from .sam import ATTEND, MAPS, SAM, ConvRepresentation

REPRESENTATIONS = ("sam", "conv")


@dataclass
class Explanation:
    """Everything the model thought on the way to its scores, for a batch of B images. Tensors keep their gradients.

    None stands where a variant has no such part: a baseline has no nodes, SAM alone has no graphs.
    """

    scores: Tensor  # (B, C) s, logits: sigma(s) > 0.5 means present
    s_m: Tensor | None  # (B, C) from the activation maps
    s_r: Tensor | None  # (B, C) from the nodes Z
    maps: Tensor | None  # (B, C, H, W) M, after the sigmoid
    V: Tensor | None  # (B, C, dim) category representations, eq. 1
    H: Tensor | None  # (B, C, dim) after the first graph
    Z: Tensor | None  # (B, C, dim) after the second; (B, C, 2 dim) for "P-cat"
    A_s: Tensor | None  # (C, C)
    A_d: Tensor | None  # (B, C, C); A_d[b, i, j]: weight of node j in the update of node i


class ADDGCN(nn.Module, Pretrained):
    """Attention-Driven Dynamic Graph Convolutional Network (Ye et al., ECCV 2020).

    Every ablation of the paper is a value here; each picks a part, and the forward pass is the same for all.

    Args:
        num_classes: C.
        backbone: a torchvision ResNet's name, "efficientnet-lite0", "scenes", "timm/NAME", or a module with
            `.out_channels` that maps (B, 3, H, W) to (B, D, H', W').
        weights: the backbone's: None, "imagenet", "scenes" (for the scenes trunk), or the path of a
            .safetensors file with weights of the whole model.
        wiring: "paper" (equations 1 to 5 to the letter) or "released" (the authors' code; see graph.py, sam.py).
        representation: "sam" or "conv" (figure 3), which has no maps: `maps` and `attend` then change nothing.
        maps: "cls-gmp", "gap-cls" or "gmp-cls" (table 6).
        graph: "none", "S", "D", "P-add", "P-mul", "P-cat", "D-S", "S-D" (table 4), or a control, "I", "I-I".
        readout: "bi", "sum", "avg" or "max" (table 5).
        attend: "sum" (eq. 1) or "mean" (divided by the number of positions).
        dim: D' = D1 = D2, the width of the nodes; 1024 in the paper.
        classes: the categories' names in the order of the scores, saved with the model.

    Raises:
        InputError: an unknown name (the nearest is named) or numbers that cannot be.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str | nn.Module = "resnet101",
        weights: str | None = None,
        wiring: str = "paper",
        representation: str = "sam",
        maps: str = "cls-gmp",
        graph: str = "S-D",
        readout: str = "bi",
        attend: str = "sum",
        dim: int = 1024,
        classes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        check_name("wiring", wiring, WIRINGS)
        check_name("representation", representation, REPRESENTATIONS)
        check_name("maps", maps, MAPS)
        check_name("attend", attend, ATTEND)
        check_name("graph", graph, GRAPHS)
        check_name("readout", readout, READOUTS)
        if dim < 1:
            raise InputError(f"dim must be at least 1, not {dim}.")
        trunk_weights, model_weights = self._split_weights(weights)
        self.num_classes, self.classes = num_classes, self._check_classes(num_classes, classes)
        self.backbone = build_backbone(backbone, trunk_weights)
        self.backbone_is_given = isinstance(backbone, nn.Module)
        D = self.backbone.out_channels
        if representation == "sam":
            activation = nn.LeakyReLU(0.2) if wiring == "paper" else nn.Identity()
            self.representation: nn.Module = SAM(D, num_classes, dim, maps, attend, activation)
            self.combine: nn.Module = AverageScores()
        else:
            self.representation = ConvRepresentation(D, num_classes, dim)
            self.combine = ReadoutScores()
        self.graph = build_graph(num_classes, dim, graph, wiring)
        self.readout = build_readout(readout, 2 * dim if graph == "P-cat" else dim, num_classes)
        if model_weights is not None:
            self.load_weights(model_weights)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), normalised with `backbone.mean` and `.std` -> scores (B, C), logits."""
        return self.from_features(self.backbone(images))

    def from_features(self, X: Tensor) -> Tensor:
        """The rest of the model, from a feature map X (B, D, H', W') -> scores (B, C)."""
        return self.explain_features(X).scores

    def explain(self, images: Tensor) -> Explanation:
        """The forward pass with everything it saw; the same computation in the same mode (train or eval)."""
        return self.explain_features(self.backbone(images))

    def explain_features(self, X: Tensor) -> Explanation:
        V, s_m, M = self.representation(X)  # (B, C, dim), (B, C), (B, C, H', W')
        H, Z, A_s, A_d = self.graph(V)  # (B, C, dim) twice, (C, C), (B, C, C)
        s_r = self.readout(Z)  # (B, C)
        s = self.combine(s_m, s_r)  # (B, C)
        return Explanation(s, s_m, s_r, M, V, H, Z, A_s, A_d)
