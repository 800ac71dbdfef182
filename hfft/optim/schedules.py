"""Learning rate schedules by name, from transformers."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


def warmup_steps(warmup: float, total_steps: int) -> int:
    """Steps of warm-up: a share of all steps where `warmup` is below 1, else so many steps.

    >>> warmup_steps(0.06, 101), warmup_steps(500, 2000)
    (7, 500)
    """
    return math.ceil(warmup * total_steps) if warmup < 1 else int(warmup)


def move_to(schedule: LambdaLR, step: int) -> None:
    """Puts a schedule, and the learning rates of its optimizer, where they stand after `step` steps."""
    schedule.last_epoch = step
    groups = schedule.optimizer.param_groups
    for group, peak, factor in zip(groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
        group["lr"] = peak * factor(step)


def make_schedule(name: str, optimizer: Optimizer, warmup: float, total_steps: int) -> LambdaLR:
    """Makes a schedule: linear warm-up from 0, then `linear` or `cosine` down to 0, or `constant`.

    It is moved once an optimizer step, by the loop, and not prepared by Accelerate, which would move it once a
    process.
    """
    return get_scheduler(SCHEDULES[name], optimizer, warmup_steps(warmup, total_steps), total_steps)  # type: ignore
