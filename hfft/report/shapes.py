"""Of what shape the files of a run folder are, and how it is checked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, get_args

from hfft.errors import SetupError

FIX = "The file was changed or cut after the run"
KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a whole number"}
KINDS |= {float: "a number", NoneType: "null"}


@dataclass(frozen=True)
class Each:
    """The shape of an object with any keys: that of every value."""

    value: Shape


Shape = type | UnionType | Each | list[Any] | dict[str, Any]
"""What a value is to be: of a type; a list of one shape; an object with keys of shapes each, `key?` if it may lack."""

NUMBER = int | float
TABLE = Each({"value": NUMBER, "low?": NUMBER | None, "high?": NUMBER | None, "selected?": bool})
RESULTS: Shape = {
    "task?": str,
    "steps?": int,
    "best_step?": int,
    "confidence?": NUMBER,
    "ended?": str | None,
    "seeds?": [int],
    "best_seed?": int,
    "settled?": dict,
    "warnings?": [str],
    "remarks?": [str],
    "train_seconds?": NUMBER | None,
    "samples_per_second?": NUMBER | None,
    "soup?": {"steps": [int]},
}
OF_SPLIT: dict[str, Shape] = {
    "": TABLE,
    "_labels": Each(TABLE),
    "_slices": [{"column": str, "examples": int, "scores": TABLE}],
    "_answers": {"signatures?": Each(str)},
}
ENVIRONMENT: Shape = {
    "versions?": Each(str),
    "devices?": [str],
    "processes?": int,
    "processor?": str | None,
    "accelerate?": {"device?": str, "mixed_precision?": str},
    "data?": Each(str),
    "base?": Each(str),
    "extended?": [{"from_steps": int, "to_steps": int, "lr_before": NUMBER, "lr_after": NUMBER}],
}
PARAMETERS: Shape = [
    {
        "name": str,
        "shape": [int],
        "stack": str,
        "block": int,
        "trainable": bool,
        "lr": NUMBER,
        "weight_decay": NUMBER,
        "from_step?": int,
    }
]
DATA: Shape = {
    "splits?": Each({"rows?": int, "problem?": str | None, "labels?": dict | list, "numbers?": dict | list}),
    "findings?": [{"kind": str, "split": str, "count": int, "total": int, "text": str}],
}


def require(value: Any, shape: Shape, where: str) -> None:
    """Checks the shape of what was read.

    Raises:
        SetupError: It has another one; the message begins with `where`.
    """
    wrong = misfit(value, shape, "")
    if wrong is not None:
        raise SetupError(f"{where} is not what a run writes: {wrong}. {FIX}, or is another's.")


def misfit(value: Any, shape: Shape, place: str) -> str | None:
    """Says what is the first thing in a value that has not the shape it is to have; None where all has."""
    kind: Any = dict if isinstance(shape, (Each, dict)) else list if isinstance(shape, list) else shape
    if not isinstance(value, kind):
        wanted = " or ".join(KINDS.get(each, "") for each in get_args(kind) or (kind,))
        return f"{place or 'it'} is {KINDS.get(type(value), 'odd')}, expected {wanted}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{place} is no finite number"
    if isinstance(shape, dict) and isinstance(value, dict):
        lacking = next((key for key in shape if not key.endswith("?") and key not in value), None)
        if lacking is not None:
            return f"{place or 'it'} has no {lacking}"
    return next((wrong for inner in _inside(value, shape, place) if (wrong := misfit(*inner)) is not None), None)


def _inside(value: Any, shape: Shape, place: str) -> Iterator[tuple[Any, Shape, str]]:
    """The values in a value, the shape of each, and where it stands."""
    dot = f"{place}." if place else ""
    if isinstance(shape, Each):
        yield from ((item, shape.value, f"{dot}{key}") for key, item in value.items())
    elif isinstance(shape, list):
        yield from ((item, shape[0], f"{place}[{number}]") for number, item in enumerate(value))
    elif isinstance(shape, dict):
        keys = ((key.removesuffix("?"), inner) for key, inner in shape.items())
        yield from ((value[key], inner, f"{dot}{key}") for key, inner in keys if key in value)
