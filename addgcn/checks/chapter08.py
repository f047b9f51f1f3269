"""Chapter 8, heads and loss: nodes Z (B, C, D), scores and targets (B, C)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..check import Answer, close, exercise, random
from ..losses import multilabel_loss

SCORES, TARGETS = 2 * random(3, 5), (random(3, 5, seed=1) > 0.3).float()
Z, WEIGHT, BIAS = random(2, 4, 3), random(4, 3, seed=1), random(4, seed=2)


@exercise("8.1", "loss(scores, targets)")
def loss(answer: Answer) -> None:
    """Equation 5 with its minus: summed over the categories, averaged over the images; scores are logits."""
    (value,) = answer.numbers(SCORES, TARGETS)
    answer.expect(
        "sign", value > 0, "It is negative, so training would make it worse and worse. What is eq. 5 missing?"
    )
    (start,) = answer.numbers(torch.zeros(3, 5), TARGETS)
    hint = "Scores of 0 say one half to everything: a loss of log 2 for each of the 5 categories, 3.466; yours is "
    hint += f"{start:.3f}. Which axis is summed, which is averaged?"
    answer.expect("at the start", close(start, 5 * math.log(2)), hint)
    hint = "It differs from the library's multilabel_loss(over='sum'). What do the absent categories add?"
    answer.expect("values", close(value, multilabel_loss(SCORES, TARGETS, over="sum")), hint)
    (sure,) = answer.numbers(torch.tensor([[200.0, -200.0]]), torch.tensor([[0.0, 1.0]]))
    hint = (
        f"Logits of 200 and -200, both wrong, cost 400; yours is {sure:.3g}. Where does log(sigma(s)) lose its digits?"
    )
    answer.expect("large scores", close(sure, 400), hint)
    hint = "At each score it is (sigma(s) - y) / B."
    answer.gradients(lambda s, y: multilabel_loss(s, y, over="sum"), SCORES, given=[TARGETS], hint=hint)


@exercise("8.2", "binary_heads(Z, weight, bias)")
def binary_heads(answer: Answer) -> None:
    """Readout "bi": s_r (B, C), one binary classifier w_c, b_c for each category; weight (C, D), bias (C,)."""

    def reference(Z: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.einsum("bcd,cd->bc", Z, weight) + bias

    s_r = answer.tensor((2, 4), Z, WEIGHT, BIAS, hint="One score per image and category: (B, C).")
    changed = Z.clone()
    changed[:, 1] += 1
    moved = ~torch.isclose(answer.tensor((2, 4), changed, WEIGHT, BIAS), s_r).all(0)
    hint = "Node 1 was changed, and the scores of other categories moved: every category reads its own node alone."
    answer.expect("own node", not moved[[0, 2, 3]].any(), hint)
    answer.expect("bias", not close(s_r, reference(Z, WEIGHT, 0 * BIAS)), "The bias has no effect.")
    answer.expect(
        "values",
        close(s_r, reference(Z, WEIGHT, BIAS)),
        "It differs. Which weights meet which node, and are the products added up?",
    )
    order = [2, 0, 3, 1]
    hint = "Nodes, weights and biases in another order must give the same scores in that order."
    same = close(answer.tensor((2, 4), Z[:, order], WEIGHT[order], BIAS[order]), s_r[:, order])
    answer.expect("order", same, hint)
    answer.gradients(reference, Z, WEIGHT, BIAS)


@exercise("8.3", "final_scores(s_m, s_r)")
def final_scores(answer: Answer) -> None:
    """s of section 3.4 from s_m and s_r (B, C), all of them logits."""
    s_m, s_r = random(3, 5), random(3, 5, seed=1)
    s = answer.tensor((3, 5), s_m, s_r)
    hint = "This is a mean of probabilities. The released code, and this book, average before the sigmoid."
    answer.expect("logits", not close(s, (s_m.sigmoid() + s_r.sigmoid()) / 2), hint)
    answer.expect("mean", not close(s, s_m + s_r), "This is the sum: twice as sure of everything.")
    answer.expect("values", close(s, (s_m + s_r) / 2), "Both scores count alike.")
