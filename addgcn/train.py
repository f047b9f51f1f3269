"""The training loop, in full view: read it from `train` downwards::

    data -> model -> optimiser -> for every epoch: for every batch: scores, loss, gradients, step; then evaluate, save

Everything random depends on (seed, epoch, image) alone, not on how the loop came there. So a run that was killed
and resumed ends with the very weights of one that was not.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, skip_first_batches
from accelerate.utils import broadcast, set_seed
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from .batches import EpochSampler, SeededItems, batches, from_batches, items, open_data, start_accelerator, synchronised
from .card import write_card
from .errors import Diverged, InputError
from .estimate import announce, decoders, say_left_out
from .losses import multilabel_loss
from .peers import Peer
from .recipes import Model, Recipe
from .records import make_record, read_json, save_scores, sha256_of, write_json
from .runs import Log, describe, open_run, restore, save_checkpoint
from .scores import compute_metrics
from .sigterm import NotedSigterm, spare_worker
from .skip import SkipBad, bad_images
from .transfer import start_model


def train(
    recipe: Recipe,
    data: str,
    out: str | Path,
    root: str | Path | None = None,
    train_split: str | None = None,
    eval_split: str | None = None,
    resume: bool = False,
    init_from: str | Path | None = None,
) -> dict[str, Any]:
    """Train `recipe` on a data set and leave a run folder `out`: model, log, curves, checkpoint, record.

    Args:
        data, root: as for `addgcn.data.load`.
        train_split, eval_split: by default the ones the literature uses (VOC 2007: trainval and test). The last
            epoch's weights are kept, whatever the evaluations say: nothing is selected on a test split.
        resume: go on from the last checkpoint in `out`. A run that is complete is left as it is.
        init_from: a trained model to start from, perhaps of other classes; see `addgcn.transfer.start_model`.

    Returns:
        The run's record.

    Raises:
        InputError: data, recipe or folder are wrong, or the loss is no longer finite.
    """
    out = Path(out)
    accelerator = start_accelerator(recipe.precision, recipe.accumulate)
    main = accelerator.is_main_process
    where = None if root is None else str(Path(root).absolute())
    start = None if init_from is None else str(Path(init_from).absolute() if Path(init_from).is_dir() else init_from)
    source = {"name": data, "root": where, "train_split": train_split, "eval_split": eval_split, "init_from": start}
    checkpoint, lock = open_run(out, recipe, source, resume, main)
    accelerator.wait_for_everyone()
    began = time.time()

    # --- data: batches of (images or cached features, targets)
    train_set, eval_set = open_data(recipe, data, root, train_split, eval_split)
    data_seen = {"name": data, "train": describe(train_set), "eval": describe(eval_set)}
    set_seed(recipe.seed)
    model, init = start_model(recipe, train_set.classes, start)
    if isinstance(model, Peer):
        model.fit_labels(train_set.targets)  # the graph of ML-GCN and SSGRL is counted, not learned
    train_items, eval_items = items(recipe, model, train_set, eval_set, accelerator)
    if recipe.on_bad_image == "skip":
        train_items = SkipBad(train_items, recipe.size, model.backbone.mean, out)
    sampler = EpochSampler(len(train_items), recipe.seed)
    workers = decoders(recipe.workers, accelerator.num_processes)
    train_loader = DataLoader(
        SeededItems(train_items, recipe.seed),
        recipe.batch_size,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=spare_worker,
        pin_memory=torch.cuda.is_available(),
        drop_last=True,
    )
    eval_loader = DataLoader(eval_items, recipe.batch_size, num_workers=workers, worker_init_fn=spare_worker)

    # --- model and optimiser: the backbone has its own learning rate, and none when it is frozen
    synchronised(model, accelerator)
    net = from_batches(recipe, model)
    if recipe.channels_last:
        net = net.to(memory_format=torch.channels_last)
    optimizer = build_optimizer(recipe, model)
    net, optimizer, train_loader, eval_loader = accelerator.prepare(net, optimizer, train_loader, eval_loader)
    average = (
        AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True) if recipe.ema else None
    )
    steps_per_epoch = len(train_loader)
    if steps_per_epoch == 0:
        raise InputError(
            f"{len(train_items)} training images make no batch of {recipe.batch_size} on each of "
            f"{accelerator.num_processes} processes: take a smaller batch_size."
        )

    first_epoch, first_batch, losses, seconds = 0, 0, list[Tensor](), 0.0
    if checkpoint is not None:
        restore(out, checkpoint, data_seen, accelerator, model, average, optimizer)
        first_epoch, seconds = checkpoint["epoch"], checkpoint["seconds"]
        losses = [torch.tensor(loss, device=accelerator.device) for loss in checkpoint.get("losses", [])]
        first_batch = len(losses)  # 0, unless it was stopped in the middle of an epoch
        if first_epoch == recipe.epochs and (out / "record.json").exists():
            return read_json(out / "record.json")  # the record is written last, so there is nothing left to do
    quiet = not main or "TQDM_DISABLE" in os.environ  # set where many runs share one terminal
    if not quiet:
        say_left_out(train_set, eval_set)
        announce(recipe, model, train_items, eval_items, accelerator, recipe.epochs - first_epoch)
    judge: Any = model if average is None else average.module  # whose scores count, and which is kept
    log = Log(out, first_epoch) if main else None
    images_per_step = recipe.batch_size * accelerator.num_processes
    bar = tqdm(
        total=recipe.epochs * steps_per_epoch * images_per_step,
        initial=(first_epoch * steps_per_epoch + first_batch) * images_per_step,
        unit="img",
        unit_scale=True,
        disable=quiet,
        mininterval=1.0,
        smoothing=0.05,
    )

    def save(epoch: int, losses: list[Tensor]) -> None:
        """Keep where the run is: after so many whole epochs, and the steps with these losses in the next."""
        means = accelerator.reduce(torch.stack(losses), "mean").tolist() if losses else []  # over the processes
        spent = round(seconds + time.time() - began, 2)
        if main:
            save_checkpoint(out, recipe, data_seen, epoch, means, spent, accelerator, model, average, optimizer)
        accelerator.wait_for_everyone()

    # --- the loop
    with bar:
        for epoch in range(first_epoch, recipe.epochs):
            bar.set_description(f"epoch {epoch + 1}/{recipe.epochs}")
            sampler.epoch = epoch
            net.train()
            if recipe.frozen:
                model.backbone.eval()  # its normalisation stays as it was, too
            loader = skip_first_batches(train_loader, first_batch) if first_batch else train_loader
            with NotedSigterm() as sigterm:
                for batch, (images, targets) in enumerate(batches(loader), first_batch):
                    step = epoch * steps_per_epoch + batch
                    torch.manual_seed((recipe.seed << 40) + 1024 * step + accelerator.process_index)  # for dropout
                    factor = lr_factor(recipe, step, steps_per_epoch)
                    for group in optimizer.param_groups:
                        group["lr"] = group["base_lr"] * factor
                    with accelerator.accumulate(net):
                        scores = net(images)  # (B, C)
                        loss = multilabel_loss(scores, targets, recipe.over)
                        accelerator.backward(loss)
                        if accelerator.sync_gradients and recipe.clip > 0:
                            accelerator.clip_grad_norm_(net.parameters(), recipe.clip)
                        optimizer.step()  # with accumulate > 1, these two only act when the gradients are complete
                        optimizer.zero_grad()
                    if average is not None and accelerator.sync_gradients:
                        average.update_parameters(model)
                    losses.append(loss.detach())
                    last = batch + 1 == steps_per_epoch
                    if batch % 50 == 49 or last:
                        check_finite(losses, epoch * steps_per_epoch, model, out)
                    bar.update(images_per_step)
                    if accelerator.sync_gradients and sigterm.asked(accelerator, step, last):
                        save(epoch, losses)
                        sigterm.obey()

            for buffer in judge.buffers():  # each process has batch statistics of its own: the first one's count
                broadcast(buffer)
            row: dict[str, Any] = {"epoch": epoch + 1, "step": (epoch + 1) * steps_per_epoch}
            row["train_loss"] = accelerator.reduce(torch.stack(losses).mean(), "mean").item()
            row |= {f"lr_{group['name']}": group["lr"] for group in optimizer.param_groups}
            if epoch + 1 == recipe.epochs or (epoch + 1) % recipe.evaluate_every == 0:
                save(epoch, losses)  # an evaluation may take long, too
                scores, targets = collect_scores(from_batches(recipe, judge), eval_loader, accelerator)
                metrics = compute_metrics(scores, targets, train_set.classes)
                row |= {"mAP": metrics.mAP, "CF1": metrics.CF1, "OF1": metrics.OF1}
                bar.set_postfix(loss=f"{row['train_loss']:.3f}", mAP=f"{metrics.mAP:.2f}")
            if bad := bad_images(out):
                row["bad_images"] = len(bad)
            row["seconds"] = round(seconds + time.time() - began, 2)
            if log is not None:
                log.write(row)
            first_batch, losses = 0, []
            save(epoch + 1, losses)

    # --- what stays: the model, the scores it was judged by, the record
    if first_epoch == recipe.epochs:  # resumed after the last epoch: only this part is left to do
        scores, targets = collect_scores(from_batches(recipe, judge), eval_loader, accelerator)
        metrics = compute_metrics(scores, targets, train_set.classes)
    record = make_record(
        "train",
        recipe=recipe.as_dict(),
        seed=recipe.seed,
        data=data_seen,
        processes=accelerator.num_processes,
        duration_s=round(seconds + time.time() - began, 2),
        scores_sha256=sha256_of(scores),
        metrics=metrics.as_dict(),
        **({} if init is None else {"init": init}),
        **({"bad_images": bad} if (bad := bad_images(out)) else {}),
    )
    if log is not None:
        log.close()
        write_card(out, record, train_set.classes)
        judge.save_pretrained(out)
        save_scores(out / f"scores_{eval_set.split}.npz", scores, targets, eval_set)
        write_json(out / "record.json", record)
    if lock is not None:
        lock.close()
    accelerator.wait_for_everyone()
    return record


# --- what the loop uses


def build_optimizer(recipe: Recipe, model: Model) -> torch.optim.Optimizer:
    """SGD with momentum or AdamW; the backbone's parameters with a learning rate of their own (section 4.2)."""
    trunk = list(model.backbone.parameters())
    in_trunk = set(map(id, trunk))
    groups = [{"name": "head", "params": [p for p in model.parameters() if id(p) not in in_trunk], "lr": recipe.lr}]
    if recipe.frozen:
        model.backbone.requires_grad_(False)
    else:
        groups.append({"name": "trunk", "params": trunk, "lr": recipe.lr_trunk})
    for group in groups:
        group["base_lr"] = group["lr"]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)


def lr_factor(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """What both learning rates are multiplied with at a step: a linear rise, then steps down or half a cosine."""
    warmup = recipe.warmup * steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if recipe.schedule == "step":
        return 0.1 ** sum(step >= milestone * steps_per_epoch for milestone in recipe.milestones)
    progress = (step - warmup) / (recipe.epochs * steps_per_epoch - warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def check_finite(losses: list[Tensor], first_step: int, model: nn.Module, out: Path) -> None:
    """Stop when a loss or a weight is NaN or infinite. Asked now and then: each look waits for the device.

    Args:
        losses: those of the epoch until now; the first is that of step `first_step`.

    Raises:
        Diverged: an InputError with the step; the last epoch's checkpoint is as it was.
    """
    broken = (~torch.stack(losses).isfinite()).nonzero()
    if len(broken):
        what, step = f"the loss is {losses[int(broken[0])].item()}", first_step + int(broken[0])
    elif not all(value.isfinite().all() for value in model.state_dict().values()):
        what, step = "weights are no longer finite", first_step + len(losses) - 1  # the loss will not be, either
    else:
        return
    kept = "the last epoch's checkpoint is kept" if (out / "checkpoint.pt").exists() else "no epoch was complete"
    raise Diverged(
        f"{what} at step {step}: the training has diverged; {kept}. Start anew in another folder with a learning "
        "rate ten times smaller (lr, lr_trunk), with warm-up, or with attend='mean'."
    )


@torch.no_grad()
def collect_scores(model: nn.Module, loader: Iterable, accelerator: Accelerator) -> tuple[Tensor, Tensor]:
    """Scores (N, C) and targets (N, C) of a whole split, on the CPU of every process, each image exactly once.

    The model is one from `addgcn.batches.from_batches` that accelerate has not prepared, so it computes in float32,
    whatever the training ran in: half precision makes ties, which cost up to a point of mAP.
    """
    model.eval()
    scores, targets = [], []
    for images, y in batches(loader):
        s = model(images)  # (B, C)
        s, y = accelerator.gather_for_metrics((s, y))  # without the repeats that fill up the last batch
        scores.append(s.float().cpu())
        targets.append(y.cpu())
    return torch.cat(scores), torch.cat(targets)
