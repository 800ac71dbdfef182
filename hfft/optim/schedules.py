"""Learning rate schedules by name, from transformers."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


def warmup_steps(warmup: float, total_steps: int) -> int:
    """Steps of warm-up: a share of all steps where `warmup` is below 1, else so many steps.

    >>> warmup_steps(0.06, 101), warmup_steps(500, 2000)
    (7, 500)
    """
    return math.ceil(Fraction(str(warmup)) * total_steps) if warmup < 1 else int(warmup)


def make_schedule(name: str, optimizer: Optimizer, warmup: float, total_steps: int) -> LambdaLR:
    """Makes a schedule: linear warm-up, then `linear` or `cosine` down, or `constant`.

    transformers' own warm-up gives the first step a rate of 0: a batch that teaches nothing. Here a warm-up of w steps
    gives step s of them s/w of the peak, and the last step of the run more than 0.

    It is moved once an optimizer step, by the loop, and not prepared by Accelerate, which would move it once a
    process.
    """
    steps = warmup_steps(warmup, total_steps)
    ahead = 1 if steps else 0
    stand_in = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    made = get_scheduler(SCHEDULES[name], stand_in, steps, total_steps + ahead)
    assert isinstance(made, LambdaLR)
    factor = made.lr_lambdas[0]
    return LambdaLR(optimizer, lambda step: factor(step + ahead))


def move_to(schedule: LambdaLR, step: int) -> None:
    """Puts a schedule, and the learning rates of its optimizer, where they stand after `step` steps."""
    schedule.last_epoch = step
    groups = schedule.optimizer.param_groups
    for group, peak, factor in zip(groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
        group["lr"] = peak * factor(step)
