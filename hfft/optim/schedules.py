"""Learning rate schedules by name: those of transformers, and the slanted triangle."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

SCHEDULES = {
    "linear": "linear",
    "cosine": "cosine",
    "constant": "constant_with_warmup",
    "slanted_triangular": None,  # transformers has none
}
SLANT = 32  # how much smaller the lowest rate of a slanted triangle is than its peak (Howard and Ruder 2018)


@dataclass(frozen=True)
class Ahead:
    """A part of a run before its main part, with a schedule of the same shape for itself.

    Attributes:
        steps: Its length.
        share: Its peak, as a multiple of that of the main part.
    """

    steps: int
    share: float


def warmup_steps(warmup: float, total_steps: int) -> int:
    """Steps of warm-up: a share of all steps where `warmup` is below 1, else so many steps.

    >>> warmup_steps(0.06, 101), warmup_steps(500, 2000)
    (7, 500)
    """
    return math.ceil(Fraction(str(warmup)) * total_steps) if warmup < 1 else int(warmup)


def make_schedule(
    name: str, optimizer: Optimizer, warmup: float, total_steps: int, ahead: Ahead | None = None
) -> LambdaLR:
    """Makes a schedule: linear warm-up, then `linear`, `cosine` or `slanted_triangular` down, or `constant`.

    transformers' own warm-up gives the first step a rate of 0: a batch that teaches nothing. Here a warm-up of w steps
    gives step s of them s/w of the peak, and the last step of the run more than 0.

    It is moved once an optimizer step, by the loop, and not prepared by Accelerate, which would move it once a
    process.

    Args:
        name: A name of `SCHEDULES`.
        optimizer: Its groups have their peak rates.
        warmup: As for `warmup_steps`, of each part of the run by itself.
        total_steps: Of the run.
        ahead: The part before the main part, where there is one.
    """
    before = ahead.steps if ahead is not None else 0
    main = _factor(name, warmup, max(total_steps - before, 1))
    if ahead is None:
        return LambdaLR(optimizer, main)
    first, share = _factor(name, warmup, before), ahead.share
    return LambdaLR(optimizer, lambda step: share * first(step) if step < before else main(step - before))


def _factor(name: str, warmup: float, total_steps: int) -> Callable[[int], float]:
    """The share of the peak rate by step, from 0."""
    steps = warmup_steps(warmup, total_steps)
    if name == "slanted_triangular":
        return lambda step: _slanted(step, steps, total_steps)
    ahead = 1 if steps else 0
    stand_in = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    made = get_scheduler(SCHEDULES[name], stand_in, steps, total_steps + ahead)
    assert isinstance(made, LambdaLR)
    factor = made.lr_lambdas[0]
    return lambda step: factor(step + ahead)


def _slanted(step: int, up: int, total_steps: int) -> float:
    """The slanted triangle (Howard and Ruder 2018, eq. 3), with the peak at step `up`, from 1; there a tenth of all."""
    height = (step + 1) / up if step < up else 1 - (step + 1 - max(up, 1)) / max(total_steps - max(up, 1), 1)
    return (1 + max(height, 0.0) * (SLANT - 1)) / SLANT


def move_to(schedule: LambdaLR, step: int) -> None:
    """Puts a schedule, and the learning rates of its optimizer, where they stand after `step` steps."""
    schedule.last_epoch = step
    groups = schedule.optimizer.param_groups
    for group, peak, factor in zip(groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
        group["lr"] = peak * factor(step)
