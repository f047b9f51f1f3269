"""Average precision of COCO's validation set, 40,137 images x 80 categories, against other ways to compute it.

    python benchmarks/bench_metrics.py

All run in turn, in one process, on the same scores; a ratio is their time over ours. The per-image loops are slow,
so they run on 4 of the 80 categories, and their time is multiplied by 20.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from addgcn.metrics import average_precision

N, C, SLOW = 40_137, 80, 4  # images, categories, categories for the loops


def scikit_learn(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """One call per category."""
    return np.array([average_precision_score(t, s) for s, t in zip(scores.T, targets.T, strict=True)])


def loop_lists(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """A walk down each ranking, over Python lists: the quickest such loop."""
    values = []
    for s, t in zip(scores.T, targets.T, strict=True):
        found, total = 0, 0.0
        for rank, target in enumerate(t[np.argsort(-s)].tolist(), start=1):
            if target == 1:
                found += 1
                total += found / rank
        values.append(total / found)
    return np.array(values)


def loop_tensors(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The same walk over the elements of a tensor, as multi-label repositories have it."""
    values = []
    for s, t in zip(torch.from_numpy(scores).T, torch.from_numpy(targets).T, strict=True):
        found, total = 0, 0.0
        for rank, image in enumerate(s.argsort(descending=True), start=1):
            if t[image] == 1:
                found += 1
                total += found / rank
        values.append(total / found)
    return np.array(values)


def seconds(run: Callable[[], object], repeats: int) -> float:
    """The best of some runs: the one least disturbed by whatever else the machine does."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def timings() -> dict[str, float]:
    """Seconds for all 80 categories, by way of computing."""
    random = np.random.default_rng(0)
    present = random.random((N, C)) < 2.9 / C  # (N, C): 2.9 labels per image, as in COCO
    targets = present.astype(np.int8)
    scores = (random.standard_normal((N, C)) + 2 * targets).astype(np.float32)
    few = scores[:, :SLOW], targets[:, :SLOW]

    ours = average_precision(scores, targets).numpy()
    np.testing.assert_allclose(scikit_learn(scores, targets), ours, rtol=1e-12)
    for loop in (loop_lists, loop_tensors):  # which know no ties; here a few scores tie
        np.testing.assert_allclose(loop(*few), ours[:SLOW], rtol=1e-4)
    return {
        "addgcn": seconds(lambda: average_precision(scores, targets), 5),
        "scikit-learn": seconds(lambda: scikit_learn(scores, targets), 3),
        "loop over lists": seconds(lambda: loop_lists(*few), 3) * C / SLOW,
        "loop over tensors": seconds(lambda: loop_tensors(*few), 1) * C / SLOW,
    }


def ratios(times: dict[str, float] | None = None) -> dict[str, float]:
    """How many times as long as `average_precision` each other way takes."""
    times = times or timings()
    return {name: took / times["addgcn"] for name, took in times.items() if name != "addgcn"}


if __name__ == "__main__":
    times = timings()
    aims = {"scikit-learn": "3", "loop over tensors": "100"}
    print(f"average precision, {N} x {C}, {torch.get_num_threads()} thread(s)")
    print(f"{'':20}{'seconds':>10}{'ratio':>10}{'aim':>6}")
    for name, ratio in {"addgcn": 1.0, **ratios(times)}.items():
        print(f"{name:20}{times[name]:10.3f}{ratio:10.1f}{aims.get(name, ''):>6}")
