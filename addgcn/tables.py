"""Tables made from records: every row's mean and 95 % interval, beside the paper's number.

A difference is taken run by run, between runs with the same seed and draw, to the last row of the table in the same
wiring (the paper's own model). Intervals are Student's t over the draws of the training scenes, or with one draw over
its seeds (`by_draw`); they say nothing of other data, and with one draw nothing of another draw.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from scipy import stats
from torch.utils.flop_counter import FlopCounterMode

from .controls import SWAPS
from .errors import InputError
from .experiments import TEST_SPLITS, Records
from .localisation import JUDGED
from .peers import Peer
from .recipes import Recipe
from .records import paper, write_text
from .reproduce import Plan

METRICS = ("mAP", "OF1", "CF1")
OTHERS = {  # of the figures and controls; the last in percent, the first two as fractions
    "figure4": JUDGED,
    "figure5": ("row", "row of another", "column", "column of another"),
    "controls": ("s", "s_m", "s_r", *(f"A_d = {name}" for name in SWAPS)),
}
PRINTED = {"table1": {"COCO": ""}, "table2": {"VOC 2007": ""}, "table3": {"VOC 2012": ""}}
BOTH = {"COCO": "coco.", "VOC 2007": "voc2007."}


def interval(values: list[float]) -> tuple[float, float]:
    """Mean and half of its 95 % interval (Student's t); the half is NaN for a single value."""
    n = len(values)
    mean = math.fsum(values) / n if n else math.nan
    if n < 2:
        return mean, math.nan
    variance = math.fsum((v - mean) ** 2 for v in values) / (n - 1)
    return mean, float(stats.t.ppf(0.975, n - 1)) * math.sqrt(variance / n)


def by_draw(values: dict[tuple[int, int], float]) -> list[float]:
    """What an interval goes over: the mean of each draw, for its runs share its luck; with one draw, its runs.

    Args:
        values: {(seed, draw): value}, as `values_of` gives them.
    """
    draws: dict[int, list[float]] = {}
    for (_, draw), value in values.items():
        draws.setdefault(draw, []).append(value)
    return [statistics.mean(part) for part in draws.values()] if len(draws) > 1 else list(values.values())


def measured(plan: Plan, done: Records) -> pd.DataFrame:
    """One line for each row, wiring, split and metric: mean, interval, difference, and how the runs went.

    Raises:
        InputError: runs of the plan are missing.
    """
    runs = {}
    for row, recipe in plan.rows():
        jobs = plan.runs_of(row, recipe, done)
        found = [done.get(job) for job in jobs]
        if None in found:
            raise InputError(f"{found.count(None)} of {len(jobs)} runs of {row.name!r} are not in {done.path} yet.")
        runs[row.name, recipe.wiring] = [run for run in found if run is not None]
    of_paper = plan.name.removesuffix("-main")  # table4-main is a part of table 4
    printed = {line["method"]: line for line in paper(of_paper)} if of_paper.startswith("table") else {}
    columns = PRINTED.get(plan.name, BOTH) if printed else {}
    lines = []
    last = list(plan.rows())[-1][0].name
    for row, recipe in plan.rows():
        mine = runs[row.name, recipe.wiring]
        reference = runs.get((last, recipe.wiring), mine)
        good = [run for run in mine if run["failed"] is None]
        for split in TEST_SPLITS.get(plan.data, sorted({s for run in good for s in run["metrics"]})):
            for metric in OTHERS.get(plan.name, METRICS):
                values = values_of(good, split, metric)
                other = values_of([run for run in reference if run["failed"] is None], split, metric)
                mean, half = interval(by_draw(values))
                paired = {k: values[k] - other[k] for k in values if k in other}
                difference, difference_half = interval(by_draw(paired))
                line: dict[str, Any] = {
                    "row": row.name,
                    "wiring": "" if recipe.model != "addgcn" else recipe.wiring,
                    "split": split,
                    "metric": metric,
                    **{f"{d} (paper)": printed.get(row.paper or "", {}).get(k + metric) for d, k in columns.items()},
                    "mean": mean,
                    "half": half,
                    "difference": difference,
                    "difference_half": difference_half,
                    "runs": len(good),
                    "diverged": len(mine) - len(good),
                    "lr": mine[0]["recipe"]["lr"],
                    "head_parameters": good[0]["head_parameters"] if good else None,
                    "head_multiply_adds": multiply_adds(recipe, len(good[0]["metrics"][split]["AP"])) if good else None,
                    "seconds": statistics.median(run["duration_s"] for run in good) if good else math.nan,
                }
                lines.append(line)
    return pd.DataFrame(lines)


@cache
def multiply_adds(recipe: Recipe, num_classes: int) -> int:
    """Of the head alone, for one image: the products of its convolutions and matrices, each with its sum."""
    model = replace(recipe, weights=None).build(num_classes)
    if isinstance(model, Peer):
        model.fit_counts(torch.ones(num_classes, num_classes), torch.ones(num_classes))
    model.eval()
    size = recipe.test_size or recipe.size
    with torch.no_grad():
        X = model.backbone(torch.zeros(1, 3, size, size))  # (1, D, H', W')
        with FlopCounterMode(display=False) as counter:
            model.from_features(X)
    return counter.get_total_flops() // 2


def values_of(runs: list[dict[str, Any]], split: str, metric: str) -> dict[tuple[int, int], float]:
    """A metric, a control or a judgement of the maps for each run that has it: {(seed, draw): value}."""
    found = {}
    for run in runs:
        for kind in ("metrics", "controls", "maps"):
            if metric in run.get(kind, {}).get(split, {}):
                found[key(run)] = run[kind][split][metric]
    return found


def key(run: dict[str, Any]) -> tuple[int, int]:
    return run["recipe"]["seed"], run["draw"]


def show(frame: pd.DataFrame, metric: str | None = None) -> pd.DataFrame:
    """The table as it is read: a line for each row and wiring, a column for each split; by default its first metric."""
    frame = frame[frame["metric"] == (metric or frame["metric"].iloc[0])]
    lines = []
    for (row, wiring), part in frame.groupby(["row", "wiring"], sort=False):
        first = part.iloc[0]
        line = {"": row, "wiring": wiring}
        for name in frame.columns:
            if name.endswith("(paper)") and frame[name].notna().any():
                line[name] = "" if pd.isna(first[name]) else f"{first[name]:.1f}"
        for _, cell in part.iterrows():
            line[cell["split"]] = with_interval(cell["mean"], cell["half"])
            line[f"difference, {cell['split']}"] = with_interval(cell["difference"], cell["difference_half"], sign=True)
        line["runs"] = str(first["runs"]) + (f" ({first['diverged']} diverged)" if first["diverged"] else "")
        line["head's parameters"] = "" if pd.isna(first["head_parameters"]) else f"{int(first['head_parameters']):,}"
        line["head's multiply-adds, million"] = (
            "" if pd.isna(first["head_multiply_adds"]) else f"{first['head_multiply_adds'] / 1e6:.2f}"
        )
        line["seconds"] = f"{first['seconds']:.0f}"
        lines.append(line)
    return pd.DataFrame(lines)


def with_interval(mean: float, half: float, sign: bool = False) -> str:
    text = "" if math.isnan(mean) else f"{mean:+.2f}" if sign else f"{mean:.2f}"
    return text if math.isnan(half) or not text else f"{text} ± {half:.2f}"


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.values.tolist()]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows) + "\n"


FORMS = ("csv", "md", "html")


def write_tables(plan: Plan, done: Records, folder: str | Path, forms: Sequence[str] = FORMS) -> list[Path]:
    """NAME.csv with every number; NAME.md and NAME.html with a table for each metric. End to end, NAME-full.

    Raises:
        InputError: runs are missing, or the folder cannot be written.
    """
    frame, folder = measured(plan, done), Path(folder)
    shown = {metric: show(frame, metric).rename(columns={"": "row"}) for metric in dict.fromkeys(frame["metric"])}
    head = f"{plan.name}, {plan.data}, {'frozen backbone' if plan.regime == 'heads' else 'end to end'}"
    pages = {
        "csv": frame.round(4).to_csv(index=False),
        "md": "\n".join(f"**{head}: {metric}**\n\n{markdown(table)}" for metric, table in shown.items()),
        "html": "\n".join(f"<h2>{head}: {m}</h2>\n{t.to_html(index=False, border=0)}" for m, t in shown.items()),
    }
    name = plan.name if plan.regime == "heads" else f"{plan.name}-full"
    folder.mkdir(parents=True, exist_ok=True)
    for form in forms:
        write_text(folder / f"{name}.{form}", pages[form])
    return [folder / f"{name}.{form}" for form in forms]
