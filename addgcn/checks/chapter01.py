"""Chapter 1, what is in the picture: targets of 1, 0 and -1 from annotations and objects, and the table P(j | i)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..check import Answer, _kind, close, exercise

CATEGORIES = [25, 1, 18]  # not sorted, and with gaps: columns 1, 18, 25
IMAGES = [11, 12, 5]


def listed(*pairs: tuple[int, int], crowd: bool = False) -> list[dict[str, Any]]:
    """COCO's annotations for pairs (image, category)."""
    return [
        {"id": k, "image_id": image, "category_id": category, "bbox": [0, 0, 2, 2], "iscrowd": int(crowd)}
        for k, (image, category) in enumerate(pairs, start=1)
    ]


def table(answer: Answer, shape: tuple[int, ...], *inputs: Any) -> Tensor:
    """What it returns, numbers of any type in this shape, as float64."""
    returned = answer(*inputs)
    try:
        T = torch.as_tensor(returned).double()
    except (TypeError, ValueError, RuntimeError):
        answer.expect("type", False, f"It returns {_kind(returned)}; numbers are wanted, as a tensor or a list.")
        raise
    hint = f"Wanted is {tuple(shape)}, one row for each image and one column for each category; yours is "
    if len(shape) == 1:
        hint = f"Wanted is {tuple(shape)}, one number for each category; yours is "
    answer.expect("shape", T.shape == tuple(shape), f"{hint}{tuple(T.shape)}.")
    return T


@exercise("1.1", "targets_from_annotations(image_ids, annotations, category_ids)")
def targets_from_annotations(answer: Answer) -> None:
    """Targets (N, C): rows as in image_ids, columns by ascending category id; 1 if any annotation names it."""
    pairs = [(5, 25), (11, 18), (11, 1)]
    wanted = [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    T = table(answer, (3, 3), list(IMAGES), listed(*pairs), list(CATEGORIES))
    hint = "Category ids [25, 1, 18] came in this order; the columns are to be those of 1, 18, 25."
    as_given = torch.tensor(wanted)[:, [2, 0, 1]]
    answer.expect("columns", not close(T, as_given), hint)
    hint = "Image ids [11, 12, 5] came in this order, and so are the rows: image 11 has categories 18 and 1, "
    hint += f"image 5 has 25, and 12 has none. Yours: {T.int().tolist()}."
    answer.expect("by hand", close(T, wanted), hint)
    twice = table(answer, (3, 3), list(IMAGES), listed(*pairs, (11, 18), (11, 18)), list(CATEGORIES))
    hint = f"Three objects of one category on an image are still one label; yours has a {twice.max():.0f}."
    answer.expect("ones and zeros", close(twice, wanted), hint)
    crowd = listed(*pairs[:2]) + listed(pairs[2], crowd=True)
    hint = "A crowd (iscrowd = 1) is there as well; its category counts as present."
    answer.expect("crowds", close(table(answer, (3, 3), list(IMAGES), crowd, list(CATEGORIES)), wanted), hint)
    hint = "Without any annotation every target is 0."
    answer.expect(
        "no annotation", close(table(answer, (3, 3), list(IMAGES), [], list(CATEGORIES)), torch.zeros(3, 3)), hint
    )


@exercise("1.2", "target_from_objects(objects, classes)")
def target_from_objects(answer: Answer) -> None:
    """One image's target (C,) from its objects (name, difficult): 1 any plain one, -1 difficult ones only, else 0."""
    classes = ("cat", "dog", "person")
    y = table(answer, (3,), [("dog", False)], classes)
    hint = f"A dog that is plain to see, and nothing else: 0, 1, 0; yours is {y.int().tolist()}. "
    answer.expect("present", close(y, [0, 1, 0]), hint + "In VOC's files absent is -1; in ours it is 0.")
    y = table(answer, (3,), [("cat", True), ("cat", True)], classes)
    hint = f"Two cats, both difficult: this image is not asked about cats; yours is {y.int().tolist()}. "
    answer.expect("difficult", close(y, [-1, 0, 0]), hint + "Which number says so in the library?")
    for objects in ([("cat", True), ("cat", False)], [("cat", False), ("cat", True)]):
        y = table(answer, (3,), list(objects), classes)
        hint = f"Two cats, one of them difficult ({objects}): a cat is there; yours is {y.int().tolist()}. "
        answer.expect("one is enough", close(y, [1, 0, 0]), hint + "Does the order of the objects matter?")
    y = table(answer, (3,), [("person", False), ("cat", True), ("person", True)], classes)
    answer.expect("several", close(y, [-1, 0, 1]), f"A person, a difficult cat: -1, 0, 1; yours is {y.int().tolist()}.")
    answer.expect("nothing", close(table(answer, (3,), [], classes), [0, 0, 0]), "No object: all targets are 0.")


@exercise("1.3", "conditional(targets)")
def conditional(answer: Answer) -> None:
    """P[i, j] = P(j | i) from targets (N, C); where j is ignored, an image says nothing about P(j | i)."""
    from ..viz_graphs import conditional_probability as library

    y = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 1], [1, 0, 0]])
    P = answer.tensor((3, 3), y, hint="One row and one column for each category.")
    hint = "P(i | i) is 1: of the images with a category all have it. What is each row divided by?"
    answer.expect("diagonal", close(P.diagonal(), torch.ones(3)), hint)
    hint = "Four images have category 0, one of them also category 1. P[0, 1] is to be P(1 | 0) = 1/4; yours is "
    hint += f"{P[0, 1]:.2f}. Along which axis is the division laid?"
    answer.expect("given the row", close(P[0, 1], 0.25), hint)
    answer.expect("values", close(P, torch.from_numpy(library(y))), "It differs from the library's on five images.")
    y = torch.tensor([[1, -1, 0], [1, 1, 0], [-1, 1, -1], [0, -1, 1], [1, 0, -1], [0, 1, 1]])
    P = answer.tensor((3, 3), y)
    hint = "Three images have category 0. In one of them category 1 is ignored, in one it is there: P(1 | 0) = 1/2; "
    answer.expect("ignored", close(P[0, 1], 0.5), f"{hint}yours is {P[0, 1]:.2f}. Who is in the denominator?")
    hint = "With ignored targets it differs from the library's. Does a target of -1 enter a product anywhere?"
    answer.expect("ignored", close(P, torch.from_numpy(library(y))), hint)
    small = answer(y.to(torch.int8))
    hint = "Targets as int8, as the loaders give them, lead to another result: do counts beyond 127 fit?"
    answer.expect("small integers", isinstance(small, Tensor) and close(small, P), hint)
    many = torch.ones(300, 2, dtype=torch.int8)
    many[:150, 1] = 0
    P = answer.tensor((2, 2), many)
    answer.expect("small integers", close(P, [[1, 0.5], [1, 1]]), hint)
