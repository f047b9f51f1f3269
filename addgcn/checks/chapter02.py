"""Chapter 2, keeping score. One category: scores (N,) are logits, targets (N,) are 1, 0, and in 2.4 also -1.

Exercise 2.5 is about whole rows of labels, (N, C) of 1, 0 and -1."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import metrics
from ..check import Answer, close, exercise, random

SCORES = torch.tensor([2.0, 1.5, 0.5, -0.5, -1.0, -2.0])
TARGETS = torch.tensor([1, 0, 1, 0, 0, 1])  # AP = (1/1 + 2/3 + 3/6) / 3


def library_ap(scores: Tensor, targets: Tensor) -> float:
    return metrics.average_precision(scores[:, None], targets[:, None])[0].item()


@exercise("2.1", "average_precision(scores, targets)")
def average_precision(answer: Answer) -> None:
    """AP as the mean of the precision at each positive; no ties, none ignored."""
    (ap,) = answer.numbers(torch.tensor([2.0, 1.0, -1.0]), torch.tensor([1, 1, 0]))
    hint = f"Two positives ranked above one negative: AP is 1, yours {ap:.3f}. "
    answer.expect("perfect ranking", close(ap, 1), hint + "Which images is the mean over, and which is ranked first?")
    (ap,) = answer.numbers(SCORES, TARGETS)
    hint = f"Positives at ranks 1, 3 and 6: the precisions there are 1/1, 2/3 and 3/6; yours comes to {ap:.3f}. "
    hint += "Which precisions do you average, and from which end is the ranking read?"
    answer.expect("six images", close(ap, library_ap(SCORES, TARGETS)), hint)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    hint = "The same six images in another order give another AP. What has to be sorted along with the scores?"
    answer.expect("order of the images", close(answer.numbers(SCORES[order], TARGETS[order]), [ap]), hint)
    hint = "Twice the scores, minus seven: the ranking is the same, AP is not. Only the order of the scores counts."
    answer.expect("only ranks", close(answer.numbers(2 * SCORES - 7, TARGETS), [ap]), hint)
    scores, targets = random(80), (random(80, seed=1) > 0.8).int()
    hint = "On 80 random images it differs from the library's. Do positives far down the ranking count as well?"
    answer.expect("values", close(answer.numbers(scores, targets), [library_ap(scores, targets)]), hint)


@exercise("2.2", "precision_recall(scores, targets, threshold)")
def precision_recall(answer: Answer) -> None:
    """(precision, recall) of the decisions sigma(s) > threshold, as fractions; 0 for what has nothing to divide by."""
    P, R = answer.numbers(SCORES, TARGETS, 0.5, count=2)
    hint = "At 0.5 the first three are predicted, two rightly, and three are there: precision 2/3, recall 2/3. "
    hint += f"Yours: {P:.3f}, {R:.3f}. The scores are logits; what is it that the threshold cuts?"
    answer.expect("six images", close([P, R], [2 / 3, 2 / 3]), hint)
    scores, targets = random(50), (random(50, seed=1) > 0.4).int()
    for threshold in (0.3, 0.7):
        collected = metrics.MultiLabelMetrics(1, threshold)
        collected.update(scores[:, None], targets[:, None])
        wanted = collected.compute()
        P, R = answer.numbers(scores, targets, threshold, count=2)
        if not close(P, R) and close([R, P], [wanted.OP / 100, wanted.OR / 100]):
            answer.expect("which is which", False, "Right numbers, but exchanged: precision comes first.")
        hint = f"At threshold {threshold} it differs from the library's. What does each of the two divide by? "
        hint += "And is the threshold put on the same scale as the scores?"
        answer.expect("values", close([P, R], [wanted.OP / 100, wanted.OR / 100]), hint)
    P, R = answer.numbers(SCORES, TARGETS, 0.99, count=2)
    hint = "Above 0.99 nothing is predicted: both are 0 here, as in the library."
    answer.expect("nothing predicted", close([P, R], [0, 0]), hint)


@exercise("2.3", "CF1(precision, recall)")
def cf1(answer: Answer) -> None:
    """CF1 from precision and recall of each category, (C,) each, as fractions."""
    P, R = torch.tensor([1.0, 0.5, 0.0]), torch.tensor([0.2, 1.0, 0.0])
    (F1,) = answer.numbers(P, R)
    by_class = torch.tensor([2 * 0.2 / 1.2, 2 * 0.5 / 1.5, 0]).mean()
    hint = "This is the mean of the categories' F1. The field's CF1 is another number: which two means come first?"
    answer.expect("not the mean F1", not close(F1, by_class), hint)
    mean = "CP is 0.5 and CR 0.4. Their arithmetic mean is 0.45; which mean falls to 0 when one of the two does?"
    answer.expect("harmonic", not close(F1, 0.45), mean)
    answer.expect("by hand", close(F1, 0.4 / 0.9), f"CP is 0.5 and CR 0.4, so CF1 is 0.444; yours is {F1:.3f}.")
    (F1,) = answer.numbers(torch.zeros(3), torch.zeros(3))
    answer.expect("nothing right", close(F1, 0), "With precision and recall all 0, CF1 is 0.")
    P, R = random(20).sigmoid(), random(20, seed=1).sigmoid()
    CP, CR = P.mean(), R.mean()
    answer.expect("values", close(answer.numbers(P, R), [2 * CP * CR / (CP + CR)]), "It differs for 20 categories.")


@exercise("2.4", "average_precision(scores, targets)")
def ties_and_ignored(answer: Answer) -> None:
    """AP again, now with equal scores (one group) and targets -1 (out of the ranking)."""
    ignored = torch.tensor([1, -1, 1, 0, 0, 1])  # (1/1 + 2/2 + 3/5) / 3
    (ap,) = answer.numbers(SCORES, ignored)
    hint = f"The second image is ignored: AP is (1/1 + 2/2 + 3/5) / 3 = 0.867, yours {ap:.3f}. "
    hint += "An ignored image is neither right nor wrong; does it still have a rank?"
    answer.expect("ignored", close(ap, library_ap(SCORES, ignored)), hint)
    tied, targets = torch.tensor([1.0, 0.0, 0.0, 0.0]), torch.tensor([0, 1, 0, 0])
    values = [answer.numbers(tied, targets.roll(shift))[0] for shift in (0, 1, 2)]
    hint = f"One positive among three of equal score: AP is {', '.join(f'{v:.3f}' for v in values)} according to where "
    answer.expect(
        "ties", close(values, values[:1] * 3), hint + "it stands in the list. When has a whole group been read?"
    )
    hint = f"One positive among three of equal score, below a negative: AP is 1/4, yours {values[0]:.3f}. "
    answer.expect("ties", close(values[0], 0.25), hint + "The precision is taken at the end of the group.")
    scores, targets = random(60).round(decimals=1), (random(60, seed=1) * 0.8).round().clamp(-1, 1).int()
    hint = "On 60 random images with ties and ignored ones it differs from the library's."
    answer.expect("values", close(answer.numbers(scores, targets), [library_ap(scores, targets)]), hint)


@exercise("2.5", "recall_ceiling(targets, k)")
def recall_ceiling(answer: Answer) -> None:
    """The highest OR, as a fraction, that decisions among each image's k highest scores can reach."""
    targets = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [0, 1, 1, 0]])
    (ceiling,) = answer.numbers(targets, 3)
    hint = f"Labels per image 4, 1 and 2: with k=3 one of the seven cannot be called, so 6/7; yours is {ceiling:.3f}. "
    answer.expect("by hand", close(ceiling, 6 / 7), hint + "Which images lose a label, and what does recall divide by?")
    (ceiling,) = answer.numbers(targets, 1)
    hint = f"With k=1 each of the three images keeps one label of its seven in all: 3/7; yours is {ceiling:.3f}."
    answer.expect("other k", close(ceiling, 3 / 7), hint)
    hint = "When k is as large as the number of categories nothing is lost: 1."
    answer.expect("nothing lost", close(answer.numbers(targets, 4), [1]), hint)
    ignored = torch.tensor([[1, -1, -1, -1], [1, 1, 1, 1]])
    (ceiling,) = answer.numbers(ignored, 3)
    hint = f"One label and three ignored, then four labels: 4/5; yours is {ceiling:.3f}. Is an ignored target a label?"
    answer.expect("ignored", close(ceiling, 4 / 5), hint)
    targets = (random(60, 9) > 0.3).int()
    scores = targets + random(60, 9, seed=1).sigmoid() - 0.75  # every label above 0 and above every other category
    collected = metrics.MultiLabelMetrics(9, top_k=2)
    collected.update(scores, targets)
    hint = "On 60 random images it differs from the top-2 recall that the library measures for perfect scores."
    answer.expect("values", close(answer.numbers(targets, 2), [collected.compute().top3.OR / 100]), hint)
