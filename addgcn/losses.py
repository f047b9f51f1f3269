"""Equation 5 of the paper: one logistic loss per category, averaged or summed over the categories."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from addgcn.errors import InputError, check_name


def multilabel_loss(scores: Tensor, targets: Tensor, over: str = "mean") -> Tensor:
    """The multi-label classification loss, equation 5, with the minus sign that the paper's print has lost:

        L = - sum_c  y_c log sigma(s_c) + (1 - y_c) log(1 - sigma(s_c))

    Args:
        scores: (B, C) logits s, not passed through a sigmoid: the logarithm would lose digits.
        targets: (B, C) with 1 present, 0 absent, -1 ignored. Ignored entries add neither loss nor gradient.
        over: "mean" divides the sum by the number of counted entries of the batch. With no target ignored, this
            is the mean over the C categories and the B images: the loss of the released code,
            `torch.nn.MultiLabelSoftMarginLoss`. "sum" adds up the counted categories of each image, as
            equation 5 stands, and takes the mean over the B images: C times as large where nothing is ignored,
            so a learning rate found with the one does not suit the other.

    Returns:
        A scalar. A batch in which every target is ignored gives 0, and gradients of 0.

    Raises:
        InputError: shapes that differ or are not (B, C), targets other than 1, 0 and -1, an unknown `over`.
    """
    check_name("reduction of the loss", over, ("mean", "sum"))
    if scores.ndim != 2 or scores.shape != targets.shape or not len(scores):
        raise InputError(
            f"the loss got scores of shape {tuple(scores.shape)} and targets of {tuple(targets.shape)}: "
            "give (B, C) to both, one row per image and one column per category."
        )
    y = targets.to(scores.dtype)
    counted = y != -1  # (B, C)
    if not ((y == 1) | (y == 0) | ~counted).all():
        raise InputError("the loss got targets other than 1 (present), 0 (absent) and -1 (ignored).")
    # the weight makes an ignored entry 0; its target only has to be a finite number
    loss = binary_cross_entropy_with_logits(scores, y, weight=counted.to(scores.dtype), reduction="sum")
    return loss / (counted.sum().clamp(min=1) if over == "mean" else len(scores))  # (B, C) -> scalar
