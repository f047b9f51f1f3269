"""Chapter 3, the trunk and the baseline: sizes and fields from a stack of layers, pooling, and the classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..baselines import GAP
from ..check import Answer, close, exercise, random

X, WEIGHT, BIAS = random(2, 5, 3, 4), random(6, 5, seed=1), random(6, seed=2)
RESNET = [(7, 2, 3), (3, 2, 1), (3, 2, 1), (3, 2, 1), (3, 2, 1)]  # (kernel, stride, padding) of the layers that stride
SCENES = [(3, 2), (3, 1), (3, 1), (3, 2), (3, 1), (3, 2), (3, 1)]  # (kernel, stride) of the scenes trunk


@exercise("3.1", "output_size(n, layers)")
def output_size(answer: Answer) -> None:
    """Positions along one side after a stack of convolutions, each (kernel, stride, padding)."""

    def size(n: int, layers: list[tuple[int, int, int]]) -> float:
        return answer.numbers(n, layers)[0]

    hint = "A 3 x 3 kernel with stride 1 and padding 1 keeps the size. What does the padding add, at how many ends?"
    answer.expect("same size", size(10, [(3, 1, 1)]) == 10, hint)
    hint = "A 5 x 5 kernel without padding fits into 9 positions in 5 places, with stride 2 in every other of them."
    answer.expect("no padding", [size(9, [(5, 1, 0)]), size(9, [(5, 2, 0)])] == [5, 3], hint)
    hint = "An odd size and stride 2: 7 positions become 4 with padding 1, and 8 become 4 as well."
    answer.expect("rounding", [size(7, [(3, 2, 1)]), size(8, [(3, 2, 1)])] == [4, 4], hint)
    answer.expect(
        "ResNet", size(448, RESNET) == 14, "ResNet-101 turns 448 pixels into 14 positions. Is every layer in?"
    )
    hint = "It goes wrong in a stack with an even kernel: a 2 x 2 kernel with stride 2 fits into 30 positions 15 times."
    uneven = nn.Sequential(*(nn.Conv2d(1, 1, k, s, p) for k, s, p in [(2, 2, 0), (3, 2, 0), (3, 2, 1)]))
    wanted = uneven(torch.zeros(1, 1, 30, 30)).shape[2]
    answer.expect("values", size(30, [(2, 2, 0), (3, 2, 0), (3, 2, 1)]) == wanted, hint)


@exercise("3.2", "global_average(X)")
def global_average(answer: Answer) -> None:
    """GAP: X (B, D, H', W') -> one vector per image (B, D)."""

    def reference(X: Tensor) -> Tensor:
        return GAP.pool(None, X)  # type: ignore[arg-type]

    f = answer.tensor((2, 5), X, hint="One number per image and channel: (B, D).")
    hint = "The picture twice, one above the other, doubles the result. What is a mean divided by?"
    answer.expect("size", not close(answer.tensor((2, 5), X.repeat(1, 1, 2, 1)), 2 * f), hint)
    hint = "Twice the features do not give twice the result: this is no mean. Negative numbers count, too."
    answer.expect("linear", close(answer.tensor((2, 5), X + random(2, 5, 3, 4, seed=3)),
                                  f + answer.tensor((2, 5), random(2, 5, 3, 4, seed=3))), hint)  # fmt: skip
    answer.expect("values", close(f, reference(X)), "It differs from the library's. Over which axes is the mean taken?")
    answer.gradients(reference, X, hint="Every position should be taught alike.")


@exercise("3.3", "classify_everywhere(X, weight, bias)")
def classify_everywhere(answer: Answer) -> None:
    """The linear layer at each position: X (B, D, H', W'), weight (C, D), bias (C,) -> scores (B, C, H', W')."""

    def reference(X: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return nn.functional.conv2d(X, weight[:, :, None, None], bias)

    inputs = (X, WEIGHT, BIAS)
    L = answer.tensor((2, 6, 3, 4), *inputs, hint="A score for each image, category and position: (B, C, H', W').")
    hint = "A position's scores change with what stands at another one. Is something pooled, or are places mixed up?"
    answer.expect("one position", close(answer.tensor((2, 6, 1, 1), X[:, :, 1:2, 2:3], *inputs[1:]), L[:, :, 1:2, 2:3]),
                  hint)  # fmt: skip
    hint = "Where X is zero, the scores should be the bias: once at each position, and not shared out."
    answer.expect("bias", close(answer.tensor((2, 6, 3, 4), torch.zeros_like(X), *inputs[1:])[1, :, 2, 3], BIAS), hint)
    hint = "The mean over the positions is not the score of GAP. Was something bent: a sigmoid, a ReLU?"
    gap = X.mean((2, 3)) @ WEIGHT.T + BIAS
    answer.expect("its mean is GAP's score", close(L.mean((2, 3)), gap), hint)
    answer.expect("values", close(L, reference(*inputs)), "It differs from a 1 x 1 convolution with the same weights.")
    answer.gradients(reference, *inputs)


@exercise("3.4", "receptive_field(layers)")
def receptive_field(answer: Answer) -> None:
    """Pixels along one side that a position can see through a stack of layers (kernel, stride), the first one first."""

    def field(layers: list[tuple[int, int]]) -> float:
        return answer.numbers(layers)[0]

    answer.expect("no layer", field([]) == 1, "Without any layer a position sees itself: one pixel.")
    answer.expect(
        "one layer", field([(7, 2)]) == 7, "One layer with a 7 x 7 kernel sees 7 pixels, whatever its stride."
    )
    hint = "Two 3 x 3 kernels with stride 1 see 5 pixels: the second one adds a pixel at each end."
    answer.expect("stride 1", field([(3, 1), (3, 1)]) == 5, hint)
    hint = "After a stride of 2 one step is two pixels: (3, 2) and then (3, 1) see 7."
    answer.expect("the stride before", field([(3, 2), (3, 1)]) == 7, hint)
    hint = "The order matters: (3, 1) and then (3, 2) see 5. A layer's own stride counts for the layers after it."
    answer.expect("order", field([(3, 1), (3, 2)]) == 5, hint)
    answer.expect("scenes trunk", field(SCENES) == 47, "The scenes' trunk sees 47 pixels. Do the strides multiply?")
    mixed = [(4, 3), (2, 1), (5, 2), (3, 4), (2, 1)]  # even kernels, too
    net = nn.Sequential(*(nn.Conv1d(1, 1, k, s) for k, s in mixed)).requires_grad_(False)
    for layer in net:
        layer.weight.fill_(1.0)  # type: ignore[operator]
    line = torch.zeros(1, 1, 200, requires_grad=True)
    net(line)[0, 0, 0].backward()
    assert line.grad is not None
    hint = "Even kernels, too, widen by one less than their size."
    answer.expect("values", field(mixed) == line.grad.count_nonzero().item(), hint)
