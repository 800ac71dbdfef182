"""`model.dropout` and `model.drop_path`: which rates of a configuration each of them sets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hfft.errors import ModelError

SIDES = ("encoder", "decoder")  # a pair of two models has a configuration for each

_DROPOUT = re.compile("dropout|pdrop|layerdrop")

_LAYERS = re.compile("layerdrop")  # whole layers that are left out

_HIDDEN = re.compile("^(hidden_|resid_|residual_)?(dropout|pdrop)(_prob|_rate|_p)?$")  # of what a layer gives

_DROP_PATH = re.compile("^drop_(path|connect)_rate$")  # EfficientNet's paper has another name for it


@dataclass(frozen=True)
class Rate:
    """A rate of a configuration that a setting has set, or has left as it is."""

    setting: str
    name: str
    before: float
    after: float
    touched: bool


def set_dropout(config: Any, value: float, model: str) -> list[Rate]:
    """Sets the dropout of what layers give, and of attention, activations and heads where the model has it on.

    What is off there in the checkpoint stays off, for other models were pretrained with it: BART's attention and
    activations. Layer drop is no dropout and stays as it is. 0 turns off both, wherever they are.

    Args:
        config: Changed in place.
        value: The rate.
        model: Its name, for the message.

    Raises:
        ModelError: It has no such rate.
    """
    found = list(_rates(config, _DROPOUT))
    drops = [(part, name) for part, name in found if not _LAYERS.search(name)]
    on = [(part, name) for part, name in drops if getattr(part, name) > 0 or _HIDDEN.search(name)]
    return _set(found, found if value == 0 else on or drops, "dropout", value, model)


def set_drop_path(config: Any, value: float, model: str) -> list[Rate]:
    """Sets the rate of stochastic depth, in place. Raises ModelError where the configuration has none."""
    found = list(_rates(config, _DROP_PATH))
    return _set(found, found, "drop_path", value, model)


def told(rates: list[Rate]) -> list[str]:
    """What the settings do to a model, a sentence each."""
    lines = []
    for setting in dict.fromkeys(rate.setting for rate in rates):
        mine = [rate for rate in rates if rate.setting == setting]
        moved = [f"{rate.name} from {rate.before:g} to {rate.after:g}" for rate in mine if rate.touched]
        kept = [f"{rate.name} at {rate.before:g}" for rate in mine if not rate.touched]
        lines.append(f"model.{setting} sets {', '.join(moved)}{'; it leaves ' + ', '.join(kept) if kept else ''}")
    return lines


def _rates(config: Any, pattern: re.Pattern[str]) -> Iterator[tuple[Any, str]]:
    for part in (config, *(getattr(config, side) for side in SIDES if hasattr(config, side))):
        for name, value in vars(part).items():
            if pattern.search(name) and isinstance(value, (int, float)) and not isinstance(value, bool):
                yield part, name


def _set(
    found: list[tuple[Any, str]], chosen: list[tuple[Any, str]], setting: str, value: float, model: str
) -> list[Rate]:
    if not chosen:
        raise ModelError(f"model.{setting} is {value}, but the configuration of {model} has no such rate.")
    wanted = {(id(part), name) for part, name in chosen}
    rates = []
    for part, name in found:
        before, touched = getattr(part, name), (id(part), name) in wanted
        if touched:
            setattr(part, name, value)
        rates.append(Rate(setting, name, before, value if touched else before, touched))
    return rates
