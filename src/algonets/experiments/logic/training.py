"""Training and its record."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets import logic
from algonets.experiments.logic.tasks import Preset, Task

__all__ = ["accuracy", "train"]


def accuracy(score: Callable[[Tensor], Tensor], x: Tensor, labels: Tensor, batch: int = 2000) -> float:
    """Percent of the rows whose largest score is at their label."""
    right = sum(
        int((score(rows).argmax(-1) == wanted).sum())
        for rows, wanted in zip(x.split(batch), labels.split(batch), strict=True)
    )
    return 100 * right / max(len(labels), 1)


def train(
    network: logic.Sequential, task: Task, size: Preset, seed: int, marks: int, report: Callable[[dict[str, Any]], None]
) -> list[dict[str, Any]]:
    """Adam on cross-entropy, the rate falling to 0 by a cosine; soft and hard accuracy at some steps.

    The test accuracy is recorded, never used to choose.
    """
    optimiser = torch.optim.Adam(network.parameters(), size.rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, size.steps)
    order = torch.Generator().manual_seed(seed)
    encoder, body = network[0], logic.Sequential(*list(network)[1:])  # the bits are made once
    bits = encoder(task.train).to(torch.uint8)
    history: list[dict[str, Any]] = []
    when = {round(size.steps * k / marks) for k in range(1, marks + 1)}
    start, paused, loss, step = time.perf_counter(), 0.0, torch.zeros(()), 0
    while step < size.steps:
        for rows in torch.randperm(len(bits), generator=order).split(size.batch):
            if len(rows) < min(size.batch, len(bits)):
                continue
            loss = functional.cross_entropy(body(bits[rows].to(torch.float32)), task.train_labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
            if step in when:
                pause = time.perf_counter()
                history.append(_measure(network, task, step, float(loss.detach()), pause - start - paused))
                report(history[-1])
                paused += time.perf_counter() - pause
            if step == size.steps:
                break
    return history


def _measure(network: nn.Module, task: Task, step: int, loss: float, seconds: float) -> dict[str, Any]:
    with torch.no_grad():
        network.eval()
        soft = accuracy(network, task.test, task.test_labels)
        hard = logic.compile(network, task.test[:1], verify=False)
        found = {
            "step": step,
            "seconds": round(seconds, 2),
            "loss": round(loss, 4),
            "soft": round(soft, 2),
            "hard": round(accuracy(hard, task.test, task.test_labels), 2),
        }
        network.train()
    return found
