"""For every exercise: solutions as a reader may write them, and typical wrong answers with the property they miss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F


class Case(NamedTuple):
    """Right answers, and wrong ones as (the property that fails, the answer)."""

    right: list[Callable[..., Any]]
    wrong: list[tuple[str, Callable[..., Any]]]


# --- chapter 1


def coco_targets(image_ids, annotations, category_ids):
    row = {image: n for n, image in enumerate(image_ids)}
    column = {category: c for c, category in enumerate(sorted(category_ids))}
    targets = torch.zeros(len(image_ids), len(category_ids))
    for item in annotations:
        targets[row[item["image_id"]], column[item["category_id"]]] = 1
    return targets


def coco_targets_lists(image_ids, annotations, category_ids):
    pairs = {(item["image_id"], item["category_id"]) for item in annotations}
    return [[int((image, category) in pairs) for category in sorted(category_ids)] for image in image_ids]


def coco_in_file_order(image_ids, annotations, category_ids):
    pairs = {(item["image_id"], item["category_id"]) for item in annotations}
    return torch.tensor([[int((image, category) in pairs) for category in category_ids] for image in image_ids])


def coco_by_id(image_ids, annotations, category_ids):
    targets = torch.zeros(len(image_ids), max(category_ids))
    for item in annotations:
        targets[image_ids.index(item["image_id"]), item["category_id"] - 1] = 1
    return targets


def coco_counts(image_ids, annotations, category_ids):
    targets = torch.zeros(len(image_ids), len(category_ids))
    for item in annotations:
        targets[image_ids.index(item["image_id"]), sorted(category_ids).index(item["category_id"])] += 1
    return targets


def coco_without_crowds(image_ids, annotations, category_ids):
    return coco_targets(image_ids, [item for item in annotations if not item["iscrowd"]], category_ids)


def coco_sorted_rows(image_ids, annotations, category_ids):
    return coco_targets(sorted(image_ids), annotations, category_ids)


def voc_target(objects, classes):
    target = [0] * len(classes)
    for name, difficult in sorted(objects, key=lambda pair: not pair[1]):
        target[classes.index(name)] = -1 if difficult else 1
    return target


def voc_target_sets(objects, classes):
    plain, hard = ({name for name, difficult in objects if difficult == d} for d in (False, True))
    return torch.tensor([1 if name in plain else -1 if name in hard else 0 for name in classes])


def voc_last_wins(objects, classes):
    target = [0] * len(classes)
    for name, difficult in objects:
        target[classes.index(name)] = -1 if difficult else 1
    return target


def voc_numbers_of_the_file(objects, classes):
    return torch.tensor([{1: 1, 0: -1, -1: 0}[value] for value in voc_target(objects, classes)])


def voc_difficult_absent(objects, classes):
    return [max(value, 0) for value in voc_target(objects, classes)]


def voc_difficult_wins(objects, classes):
    target = voc_target(objects, classes)
    return [-1 if (name, True) in objects else value for name, value in zip(classes, target, strict=True)]


def table_of(targets):
    has, asked = (targets == 1).double(), (targets != -1).double()
    return (has.T @ has) / (has.T @ asked)


def table_loop(targets):
    C = targets.shape[1]
    rows = [
        [targets[(targets[:, i] == 1) & (targets[:, j] != -1), j].float().mean() for j in range(C)] for i in range(C)
    ]
    return torch.tensor(rows)


def table_transposed(targets):
    return table_of(targets).T


def table_by_columns(targets):
    has = (targets == 1).double()
    both = has.T @ has
    return both / both.diagonal()


def table_per_image(targets):
    has = (targets == 1).double()
    return has.T @ has / len(targets)


def table_ignored_absent(targets):
    return table_of(targets.clamp(min=0))


def table_of_products(targets):
    y = targets.double()
    return y.T @ y / (y == 1).sum(0)[:, None]


def table_int8(targets):
    has, asked = (targets == 1).to(targets.dtype), (targets != -1).to(targets.dtype)
    return (has.T @ has) / (has.T @ asked)


# --- chapter 2


def ap(scores, targets):
    hits = targets[scores.argsort(descending=True)] == 1
    rank = torch.arange(1, len(scores) + 1)
    return ((hits.cumsum(0) / rank)[hits]).mean()


def ap_loop(scores, targets):
    total, found = 0.0, 0
    for rank, i in enumerate(np.argsort(-scores.numpy()), 1):
        if targets[i]:
            found += 1
            total += found / rank
    return total / found


def ap_unsorted(scores, targets):
    return ap(-torch.arange(len(scores), dtype=torch.float), targets)


def ap_ascending(scores, targets):
    return ap(-scores, targets)


def ap_over_all(scores, targets):
    hits = targets[scores.argsort(descending=True)] == 1
    return (hits.cumsum(0) / torch.arange(1, len(scores) + 1)).mean()


def ap_by_threshold(scores, targets):
    keep = scores > 0
    return ap(scores[keep], targets[keep]) * (targets[keep].sum() / targets.sum())


def ap_area(scores, targets):
    hits = targets[scores.argsort(descending=True)] == 1
    precision = (hits.cumsum(0) / torch.arange(1, len(scores) + 1))[hits]
    return precision.flip(0).cummax(0).values.mean()


def pr(scores, targets, threshold):
    yes = scores.sigmoid() > threshold
    hits = (yes & (targets == 1)).sum().item()
    return hits / max(yes.sum().item(), 1), hits / max((targets == 1).sum().item(), 1)


def pr_no_guard(scores, targets, threshold):
    yes = scores.sigmoid() > threshold
    hits = (yes & (targets == 1)).sum()
    return hits / yes.sum(), hits / targets.sum()


def pr_raw(scores, targets, threshold):
    return pr(torch.logit(scores.clamp(1e-6, 1 - 1e-6)), targets, threshold)


def harmonic(P, R):
    return 2 * P * R / (P + R) if P + R else 0.0


def ap_groups(scores, targets):
    s, t = scores[targets != -1], targets[targets != -1]
    return torch.stack([(t[s >= x] == 1).float().mean() for x in s[t == 1]]).mean()


def ap_ignored_negative(scores, targets):
    s, t = scores, targets
    return torch.stack([(t[s >= x] == 1).float().mean() for x in s[t == 1]]).mean()


def ap_no_ties(scores, targets):
    return ap(scores[targets != -1], targets[targets != -1])


def ap_first_of_group(scores, targets):
    s, t = scores[targets != -1], targets[targets != -1]
    return torch.stack([(t[s > x] == 1).sum() + 1 / ((s > x).sum() + 1) for x in s[t == 1]]).mean()


def ap_tuples(scores, targets):
    """Pairs sorted downwards: among equal scores the present come first, whatever the order of the images."""
    pairs = sorted(((s, t) for s, t in zip(scores.tolist(), targets.tolist(), strict=True) if t != -1), reverse=True)
    hits = np.array([t for _, t in pairs])
    return float((hits.cumsum() / np.arange(1, len(hits) + 1))[hits == 1].mean())


def ceiling(targets, k):
    labels = (targets == 1).sum(1)
    return labels.clamp(max=k).sum() / labels.sum()


# --- chapter 3


def output_size(n, layers):
    for k, s, p in layers:
        n = (n + 2 * p - k) // s + 1
    return n


def output_size_at_the_end(n, layers):
    for k, s, p in layers:
        n = (n + 2 * p - k) / s + 1  # to round down once, at the end, is as good
    return math.floor(n)


def output_size_odd(n, layers):
    for k, s, p in layers:
        n = (n + 2 * p - 2 * (k // 2) - 1) // s + 1
    return n


def output_size_with(change: str) -> Callable[..., Any]:
    def wrong(n, layers):
        for k, s, p in layers:
            n = {
                "one side": (n + p - k) // s + 1,
                "ceil": math.ceil((n + 2 * p - k) / s) + 1,
                "divide": n // s,
                "plain": -(-n // s),
            }[change]
        return n

    return wrong


def global_average(X):
    return X.mean((2, 3))


def everywhere(X, weight, bias):
    return torch.einsum("bdhw,cd->bchw", X, weight) + bias[:, None, None]


def everywhere_linear(X, weight, bias):
    return F.linear(X.movedim(1, 3), weight, bias).movedim(3, 1)


def everywhere_transposed(X, weight, bias):
    return everywhere(X, weight, bias).mT.reshape(X.shape[0], len(weight), *X.shape[2:])


def field(layers):
    r, step = 1, 1
    for k, s in layers:
        r, step = r + (k - 1) * step, step * s
    return r


def field_backwards(layers):
    r = 1
    for k, s in reversed(layers):
        r = (r - 1) * s + k
    return r


def field_own_stride(layers):
    r, step = 1, 1
    for k, s in layers:
        step *= s
        r += (k - 1) * step
    return r


def field_sum_of_strides(layers):
    r, step = 1, 1
    for i, (k, s) in enumerate(layers):
        r += (k - 1) * step
        step = s if i == 0 else step + s - 1
    return r


# --- chapter 4


def cls_gmp(X, weight):
    return torch.einsum("bdhw,cd->bchw", X, weight).amax((2, 3))


def gap_cls(X, weight):
    return X.mean((2, 3)) @ weight.T


def hit(m, boxes, size):
    i, j = divmod(int(m.argmax()), m.shape[1])
    x, y = (j + 0.5) * size[0] / m.shape[1], (i + 0.5) * size[1] / m.shape[0]
    return any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in boxes)


def hit_numpy(m, boxes, size):
    i, j = np.unravel_index(m.numpy().argmax(), m.shape)
    x, y = (j + 0.5) / m.shape[1] * size[0], (i + 0.5) / m.shape[0] * size[1]
    return np.any([x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in boxes])


def hit_swapped(m, boxes, size):
    i, j = divmod(int(m.argmax()), m.shape[1])
    y, x = (j + 0.5) * size[0] / m.shape[1], (i + 0.5) * size[1] / m.shape[0]
    return any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in boxes)


def hit_corner(m, boxes, size):
    i, j = divmod(int(m.argmax()), m.shape[1])
    x, y = j * size[0] / m.shape[1], i * size[1] / m.shape[0]
    return any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in boxes)


# --- chapter 5


def represent(M, X_):
    return M.flatten(2) @ X_.flatten(2).transpose(1, 2)


def represent_loop(M, X_):
    B, C, H, W = M.shape
    V = torch.zeros(B, C, X_.shape[1])
    for i in range(H):
        for j in range(W):
            V = V + M[:, :, i, j, None] * X_[:, None, :, i, j]
    return V


def represent_mean(M, X_):
    return represent(M, X_) / (M.shape[2] * M.shape[3])


# --- chapter 6


def normalised(A):
    d = A.sum(1)
    s = torch.where(d > 0, d, 1) ** -0.5
    return s[:, None] * A * s[None, :]


def normalised_diag(A):
    D = torch.diag(A.sum(1).pow(-0.5).nan_to_num(posinf=0))
    return D @ A @ D


def gcn(A, H, W):
    return F.leaky_relu(A @ H @ W, 0.2)


def conditional(counts):
    return counts / counts.diagonal()[:, None]


def limit(A, H):
    u = (A.sum(1) / A.sum()).sqrt()
    return u[:, None] * (u @ H)


def limit_by_layers(A, H):
    return torch.linalg.matrix_power(normalised(A), 500) @ H


# --- chapter 7


def dynamic(H, W_A, W_g, b_g):
    h_g = H.mean(1) @ W_g.T + b_g
    H_ = torch.cat([H, h_g[:, None].expand(-1, H.shape[1], -1)], 2)
    return torch.sigmoid(torch.einsum("id,bjd->bij", W_A, H_))


def dynamic_with(change: str) -> Callable[..., Any]:
    def wrong(H, W_A, W_g, b_g):
        mean = H.mean((0, 1))[None].expand(len(H), -1) if change == "batch" else H.mean(1)
        h_g = (mean @ W_g.T + (0 if change == "bias" else b_g))[:, None].expand(-1, H.shape[1], -1)
        H_ = torch.cat([h_g, H] if change == "order" else [H, h_g], 2)
        logits = W_A @ H_.mT
        closing = {"softmax": lambda T: T.softmax(2), "none": lambda T: T}.get(change, torch.sigmoid)
        A_d = closing(logits)
        return A_d.mT if change == "transpose" else A_d.detach() if change == "detach" else A_d

    return wrong


# --- chapter 8


def loss(s, y):
    return F.binary_cross_entropy_with_logits(s, y, reduction="none").sum(1).mean()


def loss_softplus(s, y):
    return (F.softplus(s) - s * y).sum() / len(s)


def loss_by_log(s, y):
    p = s.sigmoid()
    return -(y * (p + 1e-9).log() + (1 - y) * (1 - p + 1e-9).log()).sum(1).mean()


def heads(Z, w, b):
    return (Z * w).sum(2) + b


# --- chapter 9


def cosine_rate(lr, step, steps, warmup):
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    return lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def sgd(w, v, g, lr, momentum, weight_decay):
    v = momentum * v + g + weight_decay * w
    return w - lr * v, v


def sgd_decoupled(w, v, g, lr, momentum, weight_decay):
    v = momentum * v + g
    return w - lr * v - lr * weight_decay * w, v


def sgd_rate_inside(w, v, g, lr, momentum, weight_decay):
    v = momentum * v + lr * (g + weight_decay * w)
    return w - v, v


def sgd_average(w, v, g, lr, momentum, weight_decay):
    v = momentum * v + (1 - momentum) * (g + weight_decay * w)
    return w - lr * v, v


def places(width, height, w, h):
    x, y = (width - w) // 4, (height - h) // 4
    return [(i * x, j * y) for i in range(5) for j in range(5) if i % 2 == j % 2]


def places_rounded_late(width, height, w, h):
    x, y = width - w, height - h
    return [(i * x // 4, j * y // 4) for i in range(5) for j in range(5) if i % 2 == j % 2]


def clip_together(a, b, most):
    norm = (a.square().sum() + b.square().sum()).sqrt()
    factor = (most / norm).clamp(max=1)
    return a * factor, b * factor


def clip_each(a, b, most):
    return tuple(x * (most / 2**0.5 / x.norm()).clamp(max=1) for x in (a, b))


# --- chapter 10


def could_be(P, R, F1):
    low, high = harmonic(P - 0.05, R - 0.05), harmonic(P + 0.05, R + 0.05)
    return low - 0.05 <= F1 <= high + 0.05


def swap_halves(W_A):
    left, right = W_A.chunk(2, dim=1)
    return torch.cat([right, left], dim=1)


def without_bias(W_A, b_g, b):
    return b_g + torch.linalg.pinv(W_A[:, len(b_g) :]) @ b


# --- chapter 11


def label_classifiers(A, E, W_1, W_2):
    return A @ F.leaky_relu(A @ E @ W_1, 0.2) @ W_2


def label_classifiers_nodes(A, E, W_1, W_2):
    def convolve(H, W):
        return torch.stack([sum(A[i, j] * H[j] for j in range(len(H))) for i in range(len(H))]) @ W

    H = convolve(E, W_1)
    return convolve(torch.where(H < 0, 0.2 * H, H), W_2)


def decouple(X, e):
    return e.flatten(2).softmax(2) @ X.flatten(2).mT


def decouple_einsum(X, e):
    a = (e - e.amax((2, 3), keepdim=True)).exp()
    return torch.einsum("bchw,bdhw->bcd", a / a.sum((2, 3), keepdim=True), X)


def hears(H, A):
    return torch.cat([A @ H, A.T @ H], dim=2)


def hears_loop(H, A):
    m = []
    for i in range(H.shape[1]):
        along = sum(A[i, j] * H[:, j] for j in range(H.shape[1]))
        against = sum(A[j, i] * H[:, j] for j in range(H.shape[1]))
        m.append(torch.cat([along, against], 1))
    return torch.stack(m, 1)


def apart(scores):
    return 1.96 * (2 * scores.var(1).mean()) ** 0.5


def apart_numpy(scores):
    return 1.96 * math.sqrt(2 * np.mean([np.var(row.numpy(), ddof=1) for row in scores]))


# --- chapter 12


def paired_interval(a, b):
    d = a - b
    return d.mean(), 2.776445 * d.std() / len(d) ** 0.5


def paired_interval_numpy(a, b):
    d = (a - b).numpy()
    return float(d.mean()), 2.776445 * float(d.std(ddof=1)) / math.sqrt(len(d))


def interval_unpaired(a, b):
    return (a - b).mean(), 2.776445 * ((a.var() + b.var()) / len(a)) ** 0.5


def interval_of_ranks(a, b):
    d = a.sort().values - b.sort().values
    return d.mean(), 2.776445 * d.std() / len(d) ** 0.5


def interval_normal(a, b):
    d = a - b
    return d.mean(), 1.96 * d.std() / len(d) ** 0.5


def interval_of_a_run(a, b):
    return (a - b).mean(), 2.776445 * (a - b).std()


def interval_turned(a, b):
    return (b - a).mean(), 2.776445 * (a - b).std() / len(a) ** 0.5


def holm(p):
    order = p.argsort()
    steps = p[order] * torch.arange(len(p), 0, -1)
    adjusted = torch.empty_like(p)
    adjusted[order] = steps.cummax(0).values.clamp(max=1)
    return adjusted


def holm_loop(p):
    adjusted, least = torch.zeros(len(p)), 0.0
    for place, k in enumerate(p.argsort().tolist()):
        least = max(least, (len(p) - place) * p[k].item())
        adjusted[k] = min(1.0, least)
    return adjusted


def holm_sorted(p):
    steps = p.sort().values * torch.arange(len(p), 0, -1)
    return steps.cummax(0).values.clamp(max=1)


def holm_bonferroni(p):
    return (p * len(p)).clamp(max=1)


def holm_falls(p):
    order = p.argsort()
    adjusted = torch.empty_like(p)
    adjusted[order] = (p[order] * torch.arange(len(p), 0, -1)).clamp(max=1)
    return adjusted


def holm_beyond_one(p):
    order = p.argsort()
    adjusted = torch.empty_like(p)
    adjusted[order] = (p[order] * torch.arange(len(p), 0, -1)).cummax(0).values
    return adjusted


def stands_out(weights, y, i):
    others = (y == 1) & (torch.arange(len(y)) != i)
    gap = weights[others][:, None] - weights[y == 0][None]
    return ((gap > 0).float() + 0.5 * (gap == 0).float()).mean()


def stands_out_loop(weights, y, i):
    wins = [
        0.5 if weights[p] == weights[a] else float(weights[p] > weights[a])
        for p in range(len(y))
        for a in range(len(y))
        if y[p] == 1 and y[a] == 0 and p != i
    ]
    return sum(wins) / len(wins)


def stands_out_itself(weights, y, i):
    gap = weights[y == 1][:, None] - weights[y == 0][None]
    return ((gap > 0).float() + 0.5 * (gap == 0).float()).mean()


def stands_out_no_ties(weights, y, i):
    others = (y == 1) & (torch.arange(len(y)) != i)
    return (weights[others][:, None] > weights[y == 0][None]).float().mean()


def stands_out_of_means(weights, y, i):
    others = (y == 1) & (torch.arange(len(y)) != i)
    gap = weights[others].mean() - weights[y == 0].mean()
    return 0.5 + 0.5 * torch.sign(gap)


def stands_out_ignored_absent(weights, y, i):
    others = (y == 1) & (torch.arange(len(y)) != i)
    gap = weights[others][:, None] - weights[y < 1][None]
    return ((gap > 0).float() + 0.5 * (gap == 0).float()).mean()


# --- chapter 14


def excess(m, inside):
    return m[inside].sum() / m.sum() - inside.float().mean()


def excess_of_means(m, inside):
    return m[inside].mean() - m[~inside].mean()


def permutation_p(observed, null):
    tail = min((null >= observed).sum(), (null <= observed).sum())
    return min(1.0, 2 * (tail.item() + 1) / (len(null) + 1))


def permutation_p_sorted(observed, null):
    above, below = sum(x >= observed for x in null.tolist()), sum(x <= observed for x in null.tolist())
    return min(1.0, (min(above, below) + 1) / (len(null) + 1) * 2)


def permutation_p_strict(observed, null):
    tail = min((null > observed).sum(), (null < observed).sum())
    return min(1.0, 2 * (tail.item() + 1) / (len(null) + 1))


def permutation_p_upper(observed, null):
    return min(1.0, 2 * ((null >= observed).sum().item() + 1) / (len(null) + 1))


def permutation_p_zero(observed, null):
    return min(1.0, 2 * min((null >= observed).sum(), (null <= observed).sum()).item() / len(null))


def permutation_p_beyond(observed, null):
    return 2 * (min((null >= observed).sum(), (null <= observed).sum()).item() + 1) / (len(null) + 1)


def permutation_p_of_100(observed, null):
    return min(1.0, 2 * (min((null >= observed).sum(), (null <= observed).sum()).item() + 1) / 100)


def dynamic_share(A):
    return A.var(0, unbiased=False).mean() / A.var(unbiased=False)


def dynamic_share_numpy(A):
    return 1 - np.var(A.numpy().mean(0)) / np.var(A.numpy())


def dynamic_share_of_levels(A):
    return A.mean((1, 2)).var(unbiased=False) / A.var(unbiased=False)


# --- chapter 15


def invented(said, y, other):
    wrong = said.float()
    return 100 * wrong[(y == 0) & (other == 1)].mean(), 100 * wrong[(y == 0) & (other == 0)].mean()


def invented_loop(said, y, other):
    shares = []
    for value in (1, 0):
        wrong = [bool(a) for a, b, o in zip(said, y, other, strict=True) if b == 0 and o == value]
        shares.append(100 * sum(wrong) / len(wrong))
    return shares


def invented_of_all(said, y, other):
    wrong = said & (y == 0)
    return tuple(100 * (wrong & (other == k)).float().mean() for k in (1, 0))


def invented_of_said(said, y, other):
    return tuple(100 * (y[said & (other == k)] == 0).float().mean() for k in (1, 0))


def invented_ignored_absent(said, y, other):
    return tuple(100 * said[(y < 1) & (other == k)].float().mean() for k in (1, 0))


def invented_other_ignored(said, y, other):
    wrong = said.float()
    return 100 * wrong[(y == 0) & (other == 1)].mean(), 100 * wrong[(y == 0) & (other != 1)].mean()


def leans(there, not_there):
    gap = there[:, None] - not_there[None]
    return ((gap > 0).float() + 0.5 * (gap == 0).float()).mean()


def leans_loop(there, not_there):
    return sum((a > b) + 0.5 * (a == b) for a in there.tolist() for b in not_there.tolist()) / (
        len(there) * len(not_there)
    )


def leans_no_ties(there, not_there):
    return (there[:, None] > not_there[None]).float().mean()


def leans_by_means(there, not_there):
    return 0.5 + 0.5 * torch.sign(there.mean() - not_there.mean())


def leans_turned(there, not_there):
    return leans(not_there, there)


def leans_difference(there, not_there):
    return (0.5 + (there.mean() - not_there.mean()) / 4).clamp(0, 1)


def leans_paired(there, not_there):
    n = min(len(there), len(not_there))
    return leans(there.sort().values[:n], not_there.sort().values[:n])


def bias_ratio(s, y, other):
    p = s.sigmoid()
    return p[(y == 1) & (other == 1)].mean() / p[(y == 1) & (other == 0)].mean()


def bias_ratio_loop(s, y, other):
    means = []
    for value in (1, 0):
        p = [1 / (1 + math.exp(-a)) for a, b, z in zip(s.tolist(), y, other, strict=True) if b == 1 and z == value]
        means.append(sum(p) / len(p))
    return means[0] / means[1]


def bias_of_logits(s, y, other):
    return s[(y == 1) & (other == 1)].mean() / s[(y == 1) & (other == 0)].mean()


def bias_of_everything(s, y, other):
    p = s.sigmoid()
    return p[other == 1].mean() / p[other == 0].mean()


def bias_against_all(s, y, other):
    p = s.sigmoid()
    return p[(y == 1) & (other == 1)].mean() / p[y == 1].mean()


def bias_difference(s, y, other):
    p = s.sigmoid()
    return 1.6 + p[(y == 1) & (other == 1)].mean() - p[(y == 1) & (other == 0)].mean()


def bias_ignored_alone(s, y, other):
    p = s.sigmoid()
    return p[(y == 1) & (other == 1)].mean() / p[(y == 1) & (other != 1)].mean()


# --- chapter 13


def max_readout(Z, weight, bias):
    return Z.amax(1) @ weight.T + bias


def max_readout_gather(Z, weight, bias):
    best = Z.argmax(1, keepdim=True)
    return F.linear(Z.gather(1, best)[:, 0], weight, bias)


def evidence(X, w):
    values, places = X.flatten(1).max(1)
    return torch.zeros(X[0].numel()).index_add(0, places, w * values).view(X.shape[1:])


def evidence_loop(X, w):
    e = torch.zeros(X.shape[1:])
    for channel, weight in zip(X, w, strict=True):
        e.view(-1)[channel.argmax()] += weight * channel.max()
    return e


def evidence_overwritten(X, w):
    values, places = X.flatten(1).max(1)
    e = torch.zeros(X[0].numel())
    e[places] = w * values
    return e.view(X.shape[1:])


def evidence_of_the_best_position(X, w):
    L = torch.einsum("dhw,d->hw", X, w)
    return torch.where(L.max() == L, L, torch.zeros_like(L))


def concentration(m, inside):
    return (m[inside].sum() / m.sum()) / inside.float().mean()


# --- chapter 16


def steps(images, batch, processes, accumulate):
    return math.ceil(images // batch // processes / accumulate)


def steps_one_by_one(images, batch, processes, accumulate):
    moved = 0
    for k in range(own := images // batch // processes):
        moved += (k + 1) % accumulate == 0 or k + 1 == own
    return moved


def steps_of_part_batches(images, batch, processes, accumulate):
    return math.ceil(math.ceil(images / batch) // processes / accumulate)


def reordered(scores, names, wanted):
    place = {name: k for k, name in enumerate(names)}
    return scores[:, [place[name] for name in wanted]]


def reordered_stack(scores, names, wanted):
    return torch.stack([scores[:, list(names).index(name)] for name in wanted], 1)


def reordered_inverse(scores, names, wanted):
    return scores[:, [list(wanted).index(name) for name in names]]


def reordered_a_to_z(scores, names, wanted):
    return scores[:, sorted(range(len(wanted)), key=lambda k: wanted[k])]


def gathered(parts, images):
    return torch.stack([parts[n % len(parts), n // len(parts)] for n in range(images)])


def gathered_at_once(parts, images):
    return parts.transpose(0, 1).flatten(0, 1)[:images]


def gathered_end_to_end(parts, images):
    return parts.flatten(0, 1)[:images]


def gathered_last(parts, images):
    return parts.transpose(0, 1).flatten(0, 1)[-images:]


def gathered_one_dropped(parts, images):
    in_order = parts.transpose(0, 1).flatten(0, 1)
    return in_order if len(in_order) == images else in_order[:-1]


def mirrored(model, images):
    return (model(images) + model(images.flip(3))) / 2


def mirrored_batch(model, images):
    return model(torch.cat([images, images.flip(-1)])).unflatten(0, (2, -1)).mean(0)


def mirrored_probabilities(model, images):
    return ((model(images).sigmoid() + model(images.flip(3)).sigmoid()) / 2).logit()


# --- chapter 17


def eleven_points(scores, targets):
    scores, targets = scores[targets != -1], targets[targets != -1]
    hits = targets[scores.argsort(descending=True)] == 1
    found = hits.cumsum(0)
    precision = found / torch.arange(1, len(hits) + 1)
    return sum(precision[10 * found >= r * found[-1]].max() for r in range(11)) / 11


def eleven_points_numpy(scores, targets):
    kept = targets.numpy() != -1
    hits = targets.numpy()[kept][np.argsort(-scores.numpy()[kept])] == 1
    found = hits.cumsum()
    envelope = np.maximum.accumulate((found / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(np.mean([envelope[np.argmax(10 * found >= r * found[-1])] for r in range(11)]))


def eleven_points_with(name):
    def answer(scores, targets):
        kept = targets != -1 if name != "ignored absent" else targets > -2
        scores, targets = scores[kept], targets[kept]
        hits = (targets if name == "unsorted" else targets[scores.argsort(descending=True)]) == 1
        found = hits.cumsum(0).numpy()
        precision = found / np.arange(1, len(hits) + 1)
        recall = found / found[-1]
        if name == "raw":
            return precision[hits.numpy()].mean()
        if name == "no envelope":
            return np.mean([precision[np.argmax(10 * found >= r * found[-1])] for r in range(11)])
        at = {"ten": np.arange(1, 11) / 10, "twenty": np.arange(21) / 20}.get(name, np.linspace(0, 1, 11))
        at = [0.1 * r for r in range(11)] if name == "floats" else at
        return np.mean([precision[recall >= r].max(initial=0) for r in at])

    return answer


def taken_over(source, own):
    fits = [name for name in own if name in source and source[name].shape == own[name].shape]
    return own | {name: source[name] for name in fits}


def taken_over_loop(source, own):
    made = {}
    for name, tensor in own.items():
        other = source.get(name)
        made[name] = other if other is not None and other.shape == tensor.shape else tensor
    return made


def taken_over_in_place(source, own):
    for name, tensor in own.items():
        if name in source and source[name].shape == tensor.shape:
            own[name] = source[name]
    return own


def taken_over_weights(source, own):
    return {k: taken_over(source, own)[k] if t.is_floating_point() else t for k, t in own.items()}


def taken_over_numbers(source, own):
    fits = [k for k in own if k in source and source[k].numel() == own[k].numel()]
    return own | {k: source[k].view(own[k].shape) for k in fits}


def class_file(ids, scores):
    digits = (np.format_float_positional(np.float32(x), unique=True, trim="0") for x in scores.tolist())
    return "".join(f"{image} {number}\n" for image, number in zip(ids, digits, strict=True))


def class_file_decimal(ids, scores):
    from decimal import Decimal

    return "\n".join(f"{image} {Decimal(x):f}" for image, x in zip(ids, scores.tolist(), strict=True))


def class_file_with(write):
    return lambda ids, scores: "".join(f"{a} {write(x)}\n" for a, x in zip(ids, scores.tolist(), strict=True))


CASES = {
    "1.1": Case(
        [coco_targets, coco_targets_lists],
        [
            ("columns", coco_in_file_order),
            ("shape", coco_by_id),
            ("ones and zeros", coco_counts),
            ("crowds", coco_without_crowds),
            ("by hand", coco_sorted_rows),
        ],
    ),
    "1.2": Case(
        [voc_target, voc_target_sets],
        [
            ("one is enough", voc_last_wins),
            ("present", voc_numbers_of_the_file),
            ("difficult", voc_difficult_absent),
            ("one is enough", voc_difficult_wins),
        ],
    ),
    "1.3": Case(
        [table_of, table_loop],
        [
            ("given the row", table_transposed),
            ("given the row", table_by_columns),
            ("diagonal", table_per_image),
            ("ignored", table_ignored_absent),
            ("ignored", table_of_products),
            ("small integers", table_int8),
        ],
    ),
    "2.1": Case(
        [ap, ap_loop],
        [
            ("perfect ranking", ap_over_all),
            ("perfect ranking", ap_ascending),
            ("order of the images", ap_unsorted),
            ("six images", ap_by_threshold),
            ("values", ap_area),
        ],
    ),
    "2.2": Case(
        [pr],
        [
            ("finite", pr_no_guard),
            ("six images", pr_raw),
            ("values", lambda s, t, threshold: pr(s, t, 0.5)),
            ("type", lambda s, t, threshold: pr(s, t, threshold)[0]),
            ("which is which", lambda s, t, threshold: pr(s, t, threshold)[::-1]),
        ],
    ),
    "2.3": Case(
        [lambda P, R: harmonic(P.mean(), R.mean())],
        [
            ("not the mean F1", lambda P, R: (2 * P * R / (P + R)).nan_to_num().mean()),
            ("harmonic", lambda P, R: (P.mean() + R.mean()) / 2),
            ("finite", lambda P, R: 2 / (1 / P.mean() + 1 / R.mean()) if P.sum() else math.nan),
            ("type", lambda P, R: 2 * P * R / (P + R)),
            ("by hand", lambda P, R: (P.mean() * R.mean()) ** 0.5),
        ],
    ),
    "2.4": Case(
        [ap_groups],
        [
            ("ignored", ap_ignored_negative),
            ("ties", ap_no_ties),
            ("ties", ap_tuples),
            ("ignored", ap_first_of_group),
            ("ignored", ap),
        ],
    ),
    "2.5": Case(
        [ceiling, lambda targets, k: sum(min(int((row == 1).sum()), k) for row in targets) / int((targets == 1).sum())],
        [
            ("by hand", lambda targets, k: ((targets == 1).sum(1).clamp(max=k) / (targets == 1).sum(1)).mean()),
            ("by hand", lambda targets, k: min(1.0, k * len(targets) / (targets == 1).sum().item())),
            ("other k", lambda targets, k: ceiling(targets, 3)),
            ("ignored", lambda targets, k: (targets != 0).sum(1).clamp(max=k).sum() / (targets != 0).sum()),
            ("type", lambda targets, k: (targets == 1).sum(1).clamp(max=k)),
        ],
    ),
    "3.1": Case(
        [output_size, output_size_at_the_end],
        [
            ("same size", output_size_with("one side")),
            ("no padding", output_size_with("divide")),
            ("no padding", output_size_with("plain")),
            ("rounding", output_size_with("ceil")),
            ("values", output_size_odd),
            ("type", lambda n, layers: (output_size(n, layers),) * 2),
        ],
    ),
    "3.2": Case(
        [global_average, lambda X: X.flatten(2).sum(2) / X[0, 0].numel()],
        [
            ("size", lambda X: X.sum((2, 3))),
            ("linear", lambda X: X.amax((2, 3))),
            ("linear", lambda X: X.abs().mean((2, 3))),
            ("linear", lambda X: X.relu().mean((2, 3))),
            ("shape", lambda X: X.mean((2, 3), keepdim=True)),
            ("values", lambda X: X.mean((2, 3)) / X.shape[1]),
            ("values", lambda X: X.diagonal(0, 2, 3).mean(2)),
            ("gradient", lambda X: X.detach().mean((2, 3))),
        ],
    ),
    "3.3": Case(
        [everywhere, everywhere_linear],
        [
            ("shape", lambda X, w, b: X.movedim(1, 3) @ w.T + b),
            ("one position", everywhere_transposed),
            (
                "one position",
                lambda X, w, b: everywhere(X.mean((2, 3), keepdim=True), w, b).expand(-1, -1, *X.shape[2:]),
            ),
            ("bias", lambda X, w, b: torch.einsum("bdhw,cd->bchw", X, w)),
            (
                "its mean is GAP's score",
                lambda X, w, b: everywhere(X, w, b).relu() - everywhere(0 * X, w, b).relu() + b[:, None, None],
            ),
            ("bias", lambda X, w, b: everywhere(X, w, b).sigmoid()),
            ("gradient", lambda X, w, b: everywhere(X.detach(), w, b)),
        ],
    ),
    "3.4": Case(
        [field, field_backwards],
        [
            ("no layer", lambda layers: math.prod(s for _, s in layers) * 2),
            ("one layer", field_own_stride),
            ("the stride before", lambda layers: 1 + sum(k - 1 for k, _ in layers)),
            ("stride 1", lambda layers: sum(k for k, _ in layers) or 1),
            ("order", lambda layers: field(layers[::-1]) if len(layers) == 2 and layers[0][1] == 1 else field(layers)),
            ("scenes trunk", field_sum_of_strides),
            (
                "values",
                lambda layers: (
                    1 + sum(k // 2 * 2 * math.prod(s for _, s in layers[:i]) for i, (k, _) in enumerate(layers))
                ),
            ),
        ],
    ),
    "4.1": Case(
        [cls_gmp, lambda X, w: (w @ X.flatten(2)).amax(2)],
        [
            ("logits", lambda X, w: cls_gmp(X, w).sigmoid()),
            ("classify, then pool", lambda X, w: X.amax((2, 3)) @ w.T),
            ("values", gap_cls),
            ("shape", lambda X, w: torch.einsum("bdhw,cd->bchw", X, w).amax(2)),
            ("gradient", lambda X, w: cls_gmp(X.detach(), w)),
        ],
    ),
    "4.2": Case(
        [gap_cls, lambda X, w: torch.einsum("bdhw,cd->bchw", X, w).mean((2, 3))],
        [
            ("size", lambda X, w: X.sum((2, 3)) @ w.T),
            ("linear", lambda X, w: torch.einsum("bdhw,cd->bchw", X, w).sigmoid().mean((2, 3))),
            ("error", lambda X, w: X.mean((2, 3)) @ w),
            ("shape", lambda X, w: (X.mean((2, 3)) @ w.T).T),
            ("values", cls_gmp),
        ],
    ),
    "4.3": Case(
        [hit, hit_numpy],
        [
            ("a hit", hit_swapped),
            ("centre", hit_corner),
            ("any box", lambda m, boxes, size: hit(m, boxes[:1], size)),
            ("any box", lambda m, boxes, size: all(hit(m, [box], size) for box in boxes)),
            ("size", lambda m, boxes, size: hit(m, boxes, (300, 100))),
            ("type", lambda m, boxes, size: m.max()),
        ],
    ),
    "5.1": Case(
        [represent, represent_loop, lambda M, X_: torch.einsum("bchw,bdhw->bcd", M, X_)],
        [
            ("a sum", represent_mean),
            ("values", lambda M, X_: represent(M.softmax(1), X_)),
            ("shape", lambda M, X_: represent(M, X_).mT),
            ("values", lambda M, X_: represent(M, X_.mT.contiguous())),
            ("gradient", lambda M, X_: represent(M.detach(), X_)),
            ("leaves its inputs alone", lambda M, X_: represent(M, X_.mul_(1.5))),
            ("returns something", lambda M, X_: None),
        ],
    ),
    "5.2": Case(
        [represent_mean, lambda M, X_: (M[:, :, None] * X_[:, None]).mean((3, 4))],
        [
            ("scale", represent),
            ("strength", lambda M, X_: represent(M, X_) / M.sum((2, 3))[..., None]),
            ("strength", lambda M, X_: represent(M.flatten(2).softmax(2).view(M.shape), X_)),
            ("values", lambda M, X_: represent_mean(M, X_) / M.shape[1]),
        ],
    ),
    "6.1": Case(
        [normalised, normalised_diag],
        [
            ("both sides", lambda A: A / A.sum(1, keepdim=True)),
            ("values", lambda A: A / A.sum(1, keepdim=True) / A.sum(0)),
            ("a lonely node", lambda A: torch.diag(A.sum(1) ** -0.5) @ A @ torch.diag(A.sum(1) ** -0.5)),
            ("values", lambda A: normalised(A + torch.eye(len(A)))),
            ("symmetric", lambda A: A / A.sum(1, keepdim=True).sqrt()),
        ],
    ),
    "6.2": Case(
        [gcn, lambda A, H, W: F.leaky_relu(A @ (H @ W), negative_slope=0.2)],
        [
            ("direction", lambda A, H, W: gcn(A.T, H, W)),
            ("negative side", lambda A, H, W: F.relu(A @ H @ W)),
            ("no links", lambda A, H, W: F.leaky_relu(A @ H @ W)),
            ("no links", lambda A, H, W: A @ H @ W),
            ("it listens", lambda A, H, W: F.leaky_relu(H @ W, 0.2)),
            ("values", lambda A, H, W: gcn(A / A.sum(1, keepdim=True).clamp(min=1), H, W)),
            ("error", lambda A, H, W: gcn(A, H, W.T)),
        ],
    ),
    "6.3": Case(
        [conditional, lambda n: n / torch.diag(n).unsqueeze(1)],
        [
            ("given the row", lambda n: n / n.diagonal()),
            ("diagonal", lambda n: n / n.sum(1, keepdim=True)),
            ("diagonal", lambda n: n / n.max()),
            ("whole numbers", lambda n: n / n.diagonal()[:, None] if n.is_floating_point() else n // n.diagonal()),
        ],
    ),
    "6.4": Case(
        [limit, limit_by_layers],
        [
            ("stays", lambda A, H: H.mean(0).expand(len(H), -1)),
            ("stays", lambda A, H: torch.linalg.matrix_power(normalised(A), 3) @ H),
            ("stays", lambda A, H: torch.linalg.matrix_power(A / A.sum(1, keepdim=True), 500) @ H),
            ("values", lambda A, H: A.sum(1).sqrt()[:, None] * (A.sum(1).sqrt() @ H)),
            ("values", lambda A, H: (A.sum(1) / A.sum()).sqrt()[:, None] * H.sum(0)),
            ("shape", lambda A, H: (A.sum(1) / A.sum()).sqrt() @ H),
        ],
    ),
    "7.1": Case(
        [dynamic, dynamic_with("")],
        [
            ("direction", dynamic_with("transpose")),
            ("no softmax", dynamic_with("softmax")),
            ("range", dynamic_with("none")),
            ("images apart", dynamic_with("batch")),
            ("values", dynamic_with("order")),
            ("values", dynamic_with("bias")),
            ("gradient", dynamic_with("detach")),
        ],
    ),
    "7.2": Case(
        [lambda A, order: A[:, :, order]],
        [
            ("it changes", lambda A, order: A),
            ("rows stay", lambda A, order: A[:, order][:, :, order]),
            ("which axis", lambda A, order: A[:, order]),
            ("values", lambda A, order: A[:, :, torch.tensor(order).argsort()]),
        ],
    ),
    "7.3": Case(
        [lambda A, H, W: F.leaky_relu(torch.bmm(A, H) @ W, 0.2)],
        [
            ("direction", lambda A, H, W: F.leaky_relu(A.mT @ H @ W, 0.2)),
            ("images apart", lambda A, H, W: F.leaky_relu(A.mean(0) @ H @ W, 0.2)),
            ("values", lambda A, H, W: A @ H @ W),
            ("values", lambda A, H, W: F.leaky_relu(A @ H @ W.T, 0.2)),
            ("gradient", lambda A, H, W: F.leaky_relu(A.detach() @ H @ W, 0.2)),
        ],
    ),
    "8.1": Case(
        [loss, loss_softplus],
        [
            ("sign", lambda s, y: -loss(s, y)),
            ("at the start", lambda s, y: F.binary_cross_entropy_with_logits(s, y)),
            ("at the start", lambda s, y: loss(s, y) * len(s)),
            ("large scores", loss_by_log),
            ("values", lambda s, y: -(y * F.logsigmoid(s)).sum(1).mean() + (1 - y).sum(1).mean() * math.log(2)),
            ("at the start", lambda s, y: F.cross_entropy(s, y)),
            ("gradient", lambda s, y: loss(s, y).item()),
        ],
    ),
    "8.2": Case(
        [heads, lambda Z, w, b: torch.einsum("bcd,cd->bc", Z, w) + b, lambda Z, w, b: (Z @ w.T).diagonal(0, 1, 2) + b],
        [
            ("shape", lambda Z, w, b: Z @ w.T + b),
            ("own node", lambda Z, w, b: Z.sum(1) @ w.T + b),
            ("bias", lambda Z, w, b: (Z * w).sum(2)),
            ("values", lambda Z, w, b: (Z * w).mean(2) + b),
            ("values", lambda Z, w, b: (Z * w[0]).sum(2) + b),
        ],
    ),
    "8.3": Case(
        [lambda a, b: (a + b) / 2],
        [
            ("logits", lambda a, b: (a.sigmoid() + b.sigmoid()) / 2),
            ("mean", lambda a, b: a + b),
            ("values", lambda a, b: torch.maximum(a, b)),
            ("values", lambda a, b: torch.logit((a.sigmoid() + b.sigmoid()) / 2)),
        ],
    ),
    "9.1": Case(
        [cosine_rate],
        [
            ("first step", lambda lr, step, steps, warmup: lr * min(1, step / max(1, warmup))),
            ("first step", lambda lr, step, steps, warmup: cosine_rate(lr, step, steps, 0)),
            ("end of the rise", lambda lr, step, steps, warmup: lr * (step + 1) / (warmup + 1) if step < warmup else 0),
            (
                "half way",
                lambda lr, step, steps, warmup: (
                    cosine_rate(lr, step, steps, warmup) if step <= warmup else cosine_rate(lr, step, steps, 0)
                ),
            ),
            (
                "values",
                lambda lr, step, steps, warmup: (
                    lr * (step + 1) / (warmup + 1) if step < warmup else lr * (1 - (step - warmup) / (steps - warmup))
                ),
            ),
        ],
    ),
    "9.2": Case(
        [sgd, lambda w, v, g, lr, m, d: (w - lr * (m * v + g + d * w), m * v + g + d * w)],
        [
            ("from rest", lambda w, v, g, lr, m, d: (w + lr * g, g)),
            ("from rest", sgd_average),
            ("velocity", sgd_rate_inside),
            ("it rolls on", lambda w, v, g, lr, m, d: (w - lr * (g + d * w), g)),
            ("decay", lambda w, v, g, lr, m, d: sgd(w, v, g, lr, m, 0)),
            ("values", sgd_decoupled),
            ("two tensors", lambda w, v, g, lr, m, d: w - lr * g),
        ],
    ),
    "9.3": Case(
        [places, lambda W, H, w, h: set(places(W, H, w, h))],
        [
            ("pairs", lambda W, H, w, h: [(x / 1, y / 1) for x, y in places(W, H, w, h)]),
            ("inside", lambda W, H, w, h: [(i * W // 4, j * H // 4) for i in range(5) for j in range(5)]),
            ("corners", lambda W, H, w, h: [((W - w) // 2, (H - h) // 2)]),
            ("cross", lambda W, H, w, h: [(i * (W - w), j * (H - h)) for i in (0, 1) for j in (0, 1)]),
            (
                "quarters",
                lambda W, H, w, h: [(i * ((W - w) // 2), j * ((H - h) // 2)) for i in range(3) for j in range(3)],
            ),
            (
                "thirteen",
                lambda W, H, w, h: [(i * ((W - w) // 4), j * ((H - h) // 4)) for i in range(5) for j in range(5)],
            ),
            ("values", places_rounded_late),
        ],
    ),
    "9.4": Case(
        [clip_together],
        [
            ("small ones stay", lambda a, b, most: [x * most / math.hypot(a.norm(), b.norm()) for x in (a, b)]),
            ("norm", lambda a, b, most: tuple(x * (most / x.norm()).clamp(max=1) for x in (a, b))),
            ("norm", lambda a, b, most: (a.clamp(-most, most), b.clamp(-most, most))),
            ("direction", clip_each),
            ("values", lambda a, b, most: clip_together(a, b, most if most > 100 else most / 2)),
        ],
    ),
    "10.1": Case(
        [could_be, lambda P, R, F1: np.bool_(could_be(P, R, F1))],
        [
            ("yes or no", lambda P, R, F1: F1 - harmonic(P, R)),
            ("exact", lambda P, R, F1: round((P + R) / 2, 1) == F1),
            ("harmonic", lambda P, R, F1: harmonic(P, R) - 0.1 <= F1 <= (P + R) / 2),
            ("too far", lambda P, R, F1: abs(harmonic(P, R) - F1) < 1 and F1 != 75.0),
            ("rounded inputs", lambda P, R, F1: round(harmonic(P, R), 1) == F1),
            ("rounded inputs", lambda P, R, F1: abs(harmonic(P, R) - F1) <= 0.05),
            (
                "both sides",
                lambda P, R, F1: (harmonic(P + 0.05, R + 0.05) + 0.05 >= F1 and F1 > 70) or F1 in (40.0, 50.1),
            ),
        ],
    ),
    "10.2": Case(
        [swap_halves, lambda W_A: W_A.roll(W_A.shape[1] // 2, 1)],
        [
            ("same numbers", lambda W_A: 0 * W_A),
            ("rows stay", lambda W_A: swap_halves(W_A).flip(0)),
            ("same logits", lambda W_A: W_A.clone()),
            ("same logits", lambda W_A: W_A.flip(1)),
            ("shape", lambda W_A: W_A.T),
        ],
    ),
    "10.3": Case(
        [lambda A, H: A.mT @ H, lambda A, H: torch.einsum("bij,bid->bjd", A, H)],
        [
            ("direction", lambda A, H: A @ H),
            ("direction", lambda A, H: H + A.mT @ H),
            ("no average", lambda A, H: (A.mT / A.mT.sum(2, keepdim=True).clamp(min=1e-6)) @ H),
            ("values", lambda A, H: A.mT.tril() @ H + (A[0] * A[1]).sum() * 0 if A[0, 0, 0] else A.mT @ H),
            ("gradient", lambda A, H: A.detach().mT @ H),
        ],
    ),
    "10.4": Case(
        [without_bias, lambda W_A, b_g, b: b_g + torch.linalg.lstsq(W_A[:, len(b_g) :], b).solution],
        [
            ("shape", lambda W_A, b_g, b: b),
            ("nothing to do", lambda W_A, b_g, b: torch.linalg.pinv(W_A[:, len(b_g) :]) @ b),
            ("rows", lambda W_A, b_g, b: b_g.clone()),
            ("rows", lambda W_A, b_g, b: b_g + torch.linalg.pinv(W_A[:, : len(b_g)]) @ b),
            ("rows", lambda W_A, b_g, b: b_g + W_A[:, len(b_g) :].T @ b),
        ],
    ),
    "11.1": Case(
        [label_classifiers, label_classifiers_nodes],
        [
            ("shape", lambda A, E, W_1, W_2: label_classifiers(A, E, W_1, W_2).T),
            (
                "no activation at the end",
                lambda A, E, W_1, W_2: F.leaky_relu(label_classifiers(A, E, W_1, W_2), 0.2),
            ),
            ("activation", lambda A, E, W_1, W_2: A @ A @ E @ W_1 @ W_2),
            ("activation", lambda A, E, W_1, W_2: A @ F.leaky_relu(A @ E @ W_1) @ W_2),
            ("heard twice", lambda A, E, W_1, W_2: F.leaky_relu(A @ E @ W_1, 0.2) @ W_2),
            ("heard twice", lambda A, E, W_1, W_2: label_classifiers(A.T, E, W_1, W_2)),
            ("gradient", lambda A, E, W_1, W_2: label_classifiers(A, E, W_1.detach(), W_2)),
        ],
    ),
    "11.2": Case(
        [decouple, decouple_einsum],
        [
            ("shape", lambda X, e: decouple(X, e).mT),
            ("adds up to 1", lambda X, e: e.flatten(2).sigmoid() @ X.flatten(2).mT),
            ("adds up to 1", lambda X, e: e.softmax(1).flatten(2) @ X.flatten(2).mT),
            ("own peak", lambda X, e: decouple(X, e.mean(1, keepdim=True).expand_as(e))),
            ("own peak", lambda X, e: (e.softmax(2) / 4).flatten(2) @ X.flatten(2).mT),
            ("gradient", lambda X, e: decouple(X, e.detach())),
        ],
    ),
    "11.3": Case(
        [hears, hears_loop],
        [
            ("shape", lambda H, A: A @ H + A.T @ H),
            ("shape", lambda H, A: torch.cat([A @ H, A.T @ H], dim=1)),
            ("first half", lambda H, A: torch.cat([A.T @ H, A @ H], dim=2)),
            ("second half", lambda H, A: torch.cat([A @ H, A @ H], dim=2)),
            ("first half", lambda H, A: torch.cat([(A + A.T) @ H, (A + A.T) @ H], dim=2)),
            ("values", lambda H, A: hears(H, (A > 0).float())),
        ],
    ),
    "11.4": Case(
        [apart, apart_numpy],
        [
            ("luck alone", lambda scores: 1.96 * (2 * scores.var()) ** 0.5),
            ("two runs", lambda scores: 1.96 * scores.var(1).mean() ** 0.5),
            ("two runs", lambda scores: 1.96 * (2 * scores.var(1, correction=0).mean()) ** 0.5),
            ("two runs", lambda scores: 1.96 * (2 * scores.var(1).mean() / scores.shape[1]) ** 0.5),
            ("pooled", lambda scores: 1.96 * 2**0.5 * scores.std(1).mean()),
            ("pooled", lambda scores: 1.96 * (2 * scores.var(1).max()) ** 0.5),
        ],
    ),
    "12.1": Case(
        [paired_interval, paired_interval_numpy],
        [
            ("paired", interval_unpaired),
            ("seed by seed", interval_of_ranks),
            ("Student", interval_normal),
            ("Student", interval_of_a_run),
            ("mean", interval_turned),
        ],
    ),
    "12.2": Case(
        [holm, holm_loop],
        [
            ("places", holm_sorted),
            ("steps", holm_bonferroni),
            ("never falls", holm_falls),
            ("at most 1", holm_beyond_one),
        ],
    ),
    "12.3": Case(
        [stands_out, stands_out_loop],
        [
            ("itself", stands_out_itself),
            ("ties", stands_out_no_ties),
            ("pairs", stands_out_of_means),
            ("ignored", stands_out_ignored_absent),
        ],
    ),
    "13.1": Case(
        [max_readout, max_readout_gather],
        [
            ("any order of nodes", lambda Z, w, b: (Z * w).sum(2) + b),
            ("winners only", lambda Z, w, b: Z.mean(1) @ w.T + b),
            ("winners only", lambda Z, w, b: (Z @ w.T).amax(1) + b),
            ("bias", lambda Z, w, b: Z.amax(1) @ w.T),
            ("values", lambda Z, w, b: Z.amax((0, 1)).expand(len(Z), -1) @ w.T + b),
            ("gradient", lambda Z, w, b: Z.detach().amax(1) @ w.T + b),
            ("shape", lambda Z, w, b: Z.amax(2) @ w[:, 0].expand(5, -1).T[:, :4]),
        ],
    ),
    "13.2": Case(
        [evidence, evidence_loop],
        [
            ("the whole score", evidence_of_the_best_position),
            ("the whole score", lambda X, w: torch.einsum("dhw,d->hw", X, w)),
            ("places", lambda X, w: evidence(X, w).sum().expand(X.shape[1:]) / X[0].numel()),
            ("shared places", evidence_overwritten),
            ("shape", lambda X, w: evidence(X, w).flatten()),
        ],
    ),
    "13.3": Case(
        [concentration, lambda m, inside: (m * inside).mean() / m.mean() / inside.double().mean()],
        [
            ("flat", lambda m, inside: m[inside].sum() / m.sum()),
            ("flat", lambda m, inside: m[inside].mean()),
            ("all inside", lambda m, inside: (m[inside].sum() / m.sum() / inside.float().mean()).clamp(max=1)),
            ("all inside", lambda m, inside: m[inside].mean() / m[~inside].mean().clamp(min=1e-3)),
            ("values", lambda m, inside: m[inside].square().sum() / m.square().sum() / inside.float().mean()),
        ],
    ),
    "15.1": Case(
        [invented, invented_loop],
        [
            ("with", invented_of_all),
            ("without", invented_of_said),
            ("with", lambda said, y, other: invented(said, y, other)[::-1]),
            ("ignored", invented_ignored_absent),
            ("ignored", invented_other_ignored),
        ],
    ),
    "15.2": Case(
        [leans, leans_loop],
        [
            ("clear", leans_turned),
            ("ties", leans_no_ties),
            ("pairs", leans_by_means),
            ("no scale", leans_difference),
            ("values", leans_paired),
        ],
    ),
    "15.3": Case(
        [bias_ratio, bias_ratio_loop],
        [
            ("by hand", bias_of_logits),
            ("by hand", bias_of_everything),
            ("by hand", bias_against_all),
            ("no bias", bias_difference),
            ("ignored", bias_ignored_alone),
        ],
    ),
    "14.1": Case(
        [excess, lambda m, inside: (m * inside).sum() / m.sum() - inside.sum() / inside.numel()],
        [
            ("a flat map", lambda m, inside: m[inside].sum() / m.sum()),
            ("bright inside", excess_of_means),
            ("bright inside", lambda m, inside: m[inside].sum() - m.sum() * inside.float().mean()),
            (
                "bright inside",
                lambda m, inside: excess((m - m.min()) / (m.max() - m.min()).clamp(min=1e-6) + 1e-6, inside),
            ),
            ("sign", lambda m, inside: abs(excess(m, inside))),
        ],
    ),
    "14.2": Case(
        [permutation_p, permutation_p_sorted],
        [
            ("never 0", permutation_p_zero),
            ("both sides", permutation_p_upper),
            ("at most 1", permutation_p_beyond),
            ("ties", permutation_p_strict),
            ("number of draws", permutation_p_of_100),
        ],
    ),
    "14.3": Case(
        [dynamic_share, dynamic_share_numpy],
        [
            ("a static graph", lambda A: A.mean(0).var(unbiased=False) / A.var(unbiased=False)),
            ("a dynamic graph", lambda A: A.var(0).mean() / A.var()),
            ("a dynamic graph", lambda A: A.var(0, unbiased=False).mean()),
            ("entry by entry", dynamic_share_of_levels),
        ],
    ),
    "16.1": Case(
        [steps, steps_one_by_one],
        [
            ("one process", lambda images, batch, processes, accumulate: images),
            ("whole batches", steps_of_part_batches),
            ("processes", lambda images, batch, processes, accumulate: math.ceil(images // batch / accumulate)),
            ("shared out", lambda images, b, p, a: math.ceil(math.ceil(images // b / p) / a)),
            ("accumulate", lambda images, b, p, a: images // b // p // a),
            ("accumulate", lambda images, batch, processes, accumulate: images // batch // processes),
        ],
    ),
    "16.2": Case(
        [reordered, reordered_stack],
        [
            ("swap", lambda scores, names, wanted: scores),
            ("not the inverse", reordered_inverse),
            ("not the inverse", reordered_a_to_z),
            ("shape", lambda scores, names, wanted: reordered(scores, names, wanted).T),
        ],
    ),
    "16.3": Case(
        [gathered, gathered_at_once],
        [
            ("in turn", gathered_end_to_end),
            ("shape", lambda parts, images: parts.transpose(0, 1).flatten(0, 1)),
            ("repeats", gathered_last),
            ("shape", gathered_one_dropped),
            ("shape", lambda parts, images: parts.mean(0)),
        ],
    ),
    "16.4": Case(
        [mirrored, mirrored_batch],
        [
            ("left for right", lambda model, images: (model(images) + model(images.flip(2))) / 2),
            ("both views", lambda model, images: model(images)),
            ("both views", lambda model, images: torch.maximum(model(images), model(images.flip(3)))),
            ("a blind model", lambda model, images: model(images) + model(images.flip(3))),
            ("shape", lambda model, images: torch.cat([model(images), model(images.flip(3))])),
            ("both views", mirrored_probabilities),
        ],
    ),
    "17.1": Case(
        [eleven_points, eleven_points_numpy],
        [
            ("by hand", eleven_points_with("raw")),
            ("by hand", eleven_points_with("no envelope")),
            ("by hand", eleven_points_with("ten")),
            ("by hand", eleven_points_with("twenty")),
            ("order of the images", eleven_points_with("unsorted")),
            ("ignored", eleven_points_with("ignored absent")),
            ("recall reached", eleven_points_with("floats")),
        ],
    ),
    "17.2": Case(
        [taken_over, taken_over_loop],
        [
            ("names", lambda source, own: source | taken_over(source, own)),
            ("names", lambda source, own: {k: source[k] for k in own if k in source}),
            ("makes a new one", taken_over_in_place),
            ("new", lambda source, own: own | {k: source[k] for k in own if k in source}),
            ("new", taken_over_numbers),
            ("kept", lambda source, own: dict(own)),
            ("counters", taken_over_weights),
            ("type", lambda source, own: [k for k in own if k in source]),
        ],
    ),
    "17.3": Case(
        [class_file, class_file_decimal],
        [
            ("lines", lambda ids, scores: class_file(ids, scores).replace(" ", ",")),
            ("lines", lambda ids, scores: class_file(ids, scores).replace("\n", " ")),
            ("order", lambda ids, scores: "".join(sorted(class_file(ids, scores).splitlines(keepends=True)))),
            ("scores", lambda ids, scores: class_file(ids, scores.sigmoid())),
            ("digits", class_file_with("{:.4f}".format)),
            ("digits", class_file_with("{:.6f}".format)),
            ("exponent", class_file_with(repr)),
            ("type", lambda ids, scores: class_file(ids, scores).splitlines()),
        ],
    ),
}
