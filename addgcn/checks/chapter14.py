"""Chapter 14, looking inside: a map m (H, W) with its mask (H, W), draws under a null (R,), graphs A (N, C, C)."""

from __future__ import annotations

import torch

from ..check import Answer, close, exercise, random


@exercise("14.1", "excess(m, inside)")
def excess(answer: Answer) -> None:
    """The part of the map's sum that lies inside, less the part of its cells that does."""
    inside = torch.tensor([[True, True, False], [False, False, False]])
    [flat] = answer.numbers(torch.full((2, 3), 0.4), inside)
    answer.expect("a flat map", close(flat, 0.0), "A flat map has as much inside as chance would put there: 0.")
    m = torch.tensor([[0.9, 0.6, 0.1], [0.2, 0.1, 0.1]])
    [bright] = answer.numbers(m, inside)
    hint = "Of the sum, 2.0, there is 1.5 inside; of the six cells, two: 0.75 less a third."
    answer.expect("bright inside", close(bright, 0.75 - 1 / 3), hint)
    [half] = answer.numbers(m / 2, inside)
    answer.expect(
        "height", close(half, bright), "Half as high everywhere: the shares stay. Divide by the map's own sum."
    )
    [outside] = answer.numbers(m, ~inside)
    answer.expect(
        "sign", close(outside, -bright), "For the other cells it is the same number with a minus: keep the sign."
    )
    M, mask = random(5, 7).sigmoid(), random(5, 7, seed=1) > 0.3
    wanted = M[mask].sum() / M.sum() - mask.sum() / mask.numel()
    answer.expect("values", close(answer.numbers(M, mask), [wanted]), "For a map of 5 x 7 cells it differs.")


@exercise("14.2", "permutation_p(observed, null)")
def permutation_p(answer: Answer) -> None:
    """Two-sided p value of a number among draws under the null (R,); the observation is one of the draws."""
    null = torch.arange(1, 100.0)  # 99 draws
    [least] = answer.numbers(1000.0, null)
    hint = "The observation is one of 100 draws, and both tails count: 2 / 100. A p of 0 cannot come out of counting."
    answer.expect("never 0", close(least, 0.02), hint)
    [low] = answer.numbers(-1000.0, null)
    answer.expect("both sides", close(low, 0.02), "Far below is as unusual as far above.")
    [middle] = answer.numbers(50.0, null)
    answer.expect("at most 1", middle <= 1, "In the middle of the draws twice a tail exceeds 1; a p value does not.")
    [tied] = answer.numbers(97.0, null)
    answer.expect("ties", close(tied, 0.08), "97, 98 and 99 are at least as large as 97: 2 (3 + 1) / 100.")
    [few] = answer.numbers(3.0, torch.zeros(9))
    answer.expect("number of draws", close(few, 0.2), "With nine draws the smallest p is 2 / 10.")


@exercise("14.3", "dynamic_share(A)")
def dynamic_share(answer: Answer) -> None:
    """The part of the variance of all values of A (N, C, C) that lies between images."""
    same = random(4, 4).sigmoid().expand(6, 4, 4)
    [static] = answer.numbers(same)
    answer.expect("a static graph", close(static, 0.0), "The same matrix in every image: nothing is dynamic, 0.")
    level = torch.tensor([0.2, 0.8])[:, None, None].expand(2, 3, 3)
    [dynamic] = answer.numbers(level)
    hint = "Every matrix is one number, and only the images differ: all of it is dynamic, 1. Divide by N, not by N - 1."
    answer.expect("a dynamic graph", close(dynamic, 1.0), hint)
    A = torch.tensor([[[0.1, 0.9], [0.3, 0.5]], [[0.3, 0.9], [0.3, 0.5]]])
    [one] = answer.numbers(A)
    # eight values with mean 0.475 and variance 0.074375; one of four entries varies
    answer.expect("entry by entry", close(one, 0.0025 / 0.074375, rtol=1e-3), "One of four entries varies, by 0.01.")
    B = random(7, 5, 5).sigmoid()
    wanted = B.var(0, unbiased=False).mean() / B.var(unbiased=False)
    answer.expect("values", close(answer.numbers(B), [wanted]), "For seven graphs of five nodes it differs.")
