"""Training of a reader, epoch by epoch, so that an interrupted run can go on."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from algonets.experiments.strips.strip import Strip

__all__ = ["Schedule", "train_reader"]


class Schedule(NamedTuple):
    """How a reader is trained."""

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int


def train_reader(
    reader: Any, strips: list[Strip], plan: Schedule, checkpoint: Path, resume: bool, report: Callable[[str], Any]
) -> float:
    """Train by Adam with a one-cycle schedule; return the seconds, those before an interruption included."""
    steps = -(-len(strips) // plan.batch_size)
    optimizer = torch.optim.Adam(reader.parameters(), plan.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, plan.epochs * steps)
    order = torch.Generator().manual_seed(plan.seed)
    parts = {"reader": reader, "optimizer": optimizer, "schedule": schedule}
    done, seconds = 0, 0.0
    if resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        order.set_state(state["order"])
        torch.set_rng_state(state["random"])
        done, seconds = state["epoch"], state["seconds"]
    for epoch in range(done, plan.epochs):
        begin, total = time.perf_counter(), 0.0
        reader.train()
        for chosen in _batches(strips, plan.batch_size, order):
            loss = reader.loss([strips[k] for k in chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(reader.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            total += loss.item() / steps
        seconds += time.perf_counter() - begin
        state = {name: part.state_dict() for name, part in parts.items()}
        state |= {"order": order.get_state(), "random": torch.get_rng_state(), "epoch": epoch + 1, "seconds": seconds}
        part_file = checkpoint.with_suffix(".part")
        torch.save(state, part_file)
        part_file.replace(checkpoint)
        report(f"epoch {epoch + 1}, loss a letter {total:.3f}")
    reader.eval()
    return seconds


def _batches(strips: list[Strip], size: int, order: torch.Generator) -> list[list[int]]:
    """Random batches of strips of like widths: of each eight batches the strips are sorted."""
    shuffled = torch.randperm(len(strips), generator=order).split(8 * size)
    pools = [sorted(pool.tolist(), key=lambda k: strips[k].image.shape[1]) for pool in shuffled]
    batches = [pool[k : k + size] for pool in pools for k in range(0, len(pool), size)]
    return [batches[k] for k in torch.randperm(len(batches), generator=order).tolist()]
