"""What is given for the settings of PEFT's methods: values of the types that they have, keys that match layers."""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from hfft.errors import RecipeError, near
from hfft.tuning.rules import endings

PATTERNS = {
    "alpha_pattern": "alpha",
    "block_size_pattern": "block_size",
    "lambda_pattern": "delora_lambda",
    "n_frequency_pattern": "n_frequency",
    "rank_pattern": "r",
}  # each a mapping from patterns to values of another setting
SCALES = {"alpha", "delora_lambda", "psoft_alpha", "randlora_alpha"}  # PEFT says int, and any number does
WORDS = {
    bool: "true or false",
    dict: "a mapping",
    float: "a number",
    int: "a whole number",
    str: "a text",
    types.NoneType: "null",
}


def fitted(config: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with whole numbers where PEFT wants these, such as 1000 for 1e3.

    Args:
        config: PEFT's config of a method.
        settings: By the names of its fields.

    Raises:
        RecipeError: A value is of another type than its field.
    """
    hints: dict[str, Any] = typing.get_type_hints(config)
    for key in hints.keys() & SCALES:
        hints[key] = float | None if types.NoneType in typing.get_args(hints[key]) else float
    made = {}
    for key, value in settings.items():
        made[key] = _fitted(key, value, hints[key])
        one = hints.get(PATTERNS.get(key, ""))
        if one is not None and isinstance(value, dict):
            made[key] = {name: _fitted(f"{key}.{name}", item, one) for name, item in value.items()}
    return made


def _fitted(key: str, value: Any, hint: Any) -> Any:
    parts = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    for part in sorted(parts, key=lambda part: part is not type(value)):  # 1.0 stays a share where 1 is a count
        inner = typing.get_args(part)
        if value in inner if typing.get_origin(part) is typing.Literal else _is_a(value, part):
            if isinstance(value, dict) and inner:
                return {name: _fitted(f"{key}.{name}", item, inner[1]) for name, item in value.items()}
            return int(typing.cast(float, value)) if part is int else value
    wanted = " or ".join(map(_word, parts))
    raise RecipeError(f"tune.adapter.{key} is {value!r}, but should be {wanted}.")


def _is_a(value: Any, option: Any) -> bool:
    kind = typing.get_origin(option) or option
    if kind in (int, float):  # which True is no number for, though Python says so
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return number and (kind is float or value == int(value))
    return isinstance(value, kind)


def _word(option: Any) -> str:
    if typing.get_origin(option) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(option)))
    kind = typing.get_origin(option) or option
    return WORDS.get(kind) or kind.__name__


def check_patterns(name: str, settings: Mapping[str, Any], layers: Sequence[str]) -> None:
    """Refuses keys of `rank_pattern` and its kin that PEFT would pass over in silence.

    Args:
        name: The method.
        settings: Of the method.
        layers: The names of the layers that get an adapter.

    Raises:
        RecipeError: A key is no regular expression, matches no layer, or only such as keys before it match too.
    """
    for key in (key for key in PATTERNS if settings.get(key)):
        patterns = [str(pattern) for pattern in settings[key]]
        firsts = {next((p for p in patterns if _matches(name, key, p, layer)), None) for layer in layers}
        for pattern in (pattern for pattern in patterns if pattern not in firsts):
            if any(_matches(name, key, pattern, layer) for layer in layers):
                raise RecipeError(
                    f"tune.adapter.{key}.{pattern} has no effect: keys before it match all its layers, and the first "
                    "one counts."
                )
            ends = sorted(endings(layers))
            hint = near(pattern, [*ends, *(end.rpartition(".")[2] for end in ends)])
            raise RecipeError(
                f"tune.adapter.{key} has the key '{pattern}', which matches no layer that gets an adapter.{hint} These "
                f"are: {', '.join(ends)}."
            )


def _matches(name: str, key: str, pattern: str, layer: str) -> bool:
    """Whether PEFT takes a key, which is a regular expression, to mean a layer; its methods differ in that."""
    try:
        if name == "osf":
            return re.search(pattern, layer) is not None
        before = r".*\." if name in ("c3a", "fourierft") else r"(.*\.)?"
        return re.match(rf"{before}({pattern})$", layer) is not None
    except re.error as error:
        raise RecipeError(f"tune.adapter.{key} has the key '{pattern}', which is no pattern: {error}.") from None


def check_convolutions(model: nn.Module, settings: Mapping[str, Any], layers: Sequence[str]) -> None:
    """Refuses `use_effective_conv2d` where no adapted layer is a convolution that it changes anything for."""
    sizes = [getattr(model.get_submodule(layer), "kernel_size", (1, 1)) for layer in layers]
    if settings.get("use_effective_conv2d") and all(size == (1, 1) for size in sizes):
        raise RecipeError(
            "tune.adapter.use_effective_conv2d has no effect: none of the layers that get an adapter is a convolution "
            "larger than 1 x 1. Leave it out."
        )
