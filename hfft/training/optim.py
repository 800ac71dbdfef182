"""Optimizers and schedules by name, and the step that is left out where its gradient is not finite."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

from hfft.errors import RecipeError
from hfft.registry import find

OPTIMIZERS = {
    "adamw": "torch.optim:AdamW",
    "adam": "torch.optim:Adam",
    "sgd": "torch.optim:SGD",
    "adagrad": "torch.optim:Adagrad",
    "rmsprop": "torch.optim:RMSprop",
}

DEFAULTS: dict[str, dict[str, Any]] = {"sgd": {"momentum": 0.9}}

# Where torch has a fused kernel: one pass over the weights, and a step that can be skipped on the device. Not for
# SGD: where its first step is skipped, torch 2.13 keeps a momentum that was never written.
FUSED = {"adamw": ("cpu", "cuda"), "adam": ("cpu", "cuda"), "adagrad": ("cpu",)}


def make_optimizer(
    name: str, groups: list[dict[str, Any]], device: torch.device, options: dict[str, Any], trust: bool
) -> torch.optim.Optimizer:
    """Makes an optimizer.

    Args:
        name: A name of `OPTIMIZERS`, or `module:Class`.
        groups: Parameter groups, each with its `lr` and `weight_decay`.
        device: Where the parameters are.
        options: Further arguments of the class.
        trust: Whether `module:Class` may be imported.

    Raises:
        RecipeError: There is no such optimizer, or it does not take the options.
    """
    made = find(name, OPTIMIZERS, where="optim.name", trust=trust, group="hfft.optimizers")
    arguments = {**DEFAULTS.get(name, {}), **options}
    if device.type in FUSED.get(name, ()) and "fused" not in options and "foreach" not in options:
        arguments["fused"] = True
    if "params" in options:
        raise RecipeError("optim.options has 'params': which parameters learn is said by tune, not by the optimizer.")
    reserved = [key for key in ("lr", "weight_decay") if key in options]
    if reserved:
        raise RecipeError(f"optim.options has '{reserved[0]}', which is set by optim.{reserved[0]} itself.")
    try:
        return made(groups, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        takes = f" It takes {', '.join(inspect.signature(made).parameters)}." if isinstance(made, type) else ""
        raise RecipeError(f"optim: '{name}' cannot be made with {arguments}: {error}.{takes}") from error


def numbers_of(optimizer: torch.optim.Optimizer) -> str:
    """The numbers an optimizer works with beside rate and weight decay: `betas 0.9, 0.999, eps 1e-08`."""
    given = {name: value for name, value in optimizer.defaults.items() if name not in ("lr", "weight_decay")}
    values = {name: value if isinstance(value, tuple) else (value,) for name, value in given.items()}
    parts = {name: v for name, v in values.items() if any(v) and {type(part) for part in v} <= {int, float}}
    return ", ".join(f"{name} {', '.join(f'{part:g}' for part in v)}" for name, v in parts.items())


def step_if_finite(optimizer: AcceleratedOptimizer, gradient_norm: Tensor) -> Tensor:
    """Steps, unless the gradient's norm is not finite; then weights and optimizer state stay as they are.

    A fused optimizer decides on the device, without the host waiting for it. Others need the answer first. With
    float16 Accelerate's gradient scaler has decided already.

    Returns:
        A boolean tensor: whether the weights moved.
    """
    finite = torch.isfinite(gradient_norm)
    inner = optimizer.optimizer
    if optimizer.scaler is not None:
        optimizer.step()
        return finite & (not optimizer.step_was_skipped)
    if inner.state and all(group.get("fused") for group in inner.param_groups):  # the first step makes the state
        inner.found_inf = (~finite).to(torch.float32)  # type: ignore[attr-defined]  # torch's own way, for GradScaler
        optimizer.step()
    elif finite:
        inner.found_inf = None  # type: ignore[attr-defined]  # of a step before the state was cleared
        optimizer.step()
    return finite


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
