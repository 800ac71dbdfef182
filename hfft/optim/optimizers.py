"""Optimizers by name, and a step that leaves the weights alone where the gradient is not finite."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor

from hfft.errors import RecipeError
from hfft.find import find

OPTIMIZERS = {
    "adamw": "torch.optim:AdamW",
    "adam": "torch.optim:Adam",
    "sgd": "torch.optim:SGD",
    "adagrad": "torch.optim:Adagrad",
    "rmsprop": "torch.optim:RMSprop",
}
DEFAULTS: dict[str, dict[str, Any]] = {"sgd": {"momentum": 0.9}}
FUSED = {
    "adamw": ("cpu", "cuda"),
    "adam": ("cpu", "cuda"),
    "adagrad": ("cpu",),
}  # where torch has a fused kernel: one pass over the weights, and a step that can be called off on the device. Not
# for SGD: called off at its first step, torch 2.13 keeps a momentum that was never written.


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
