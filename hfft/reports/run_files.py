"""The files of a run folder, read and checked for what a report needs of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NoReturn, get_args

from hfft.errors import SetupError
from hfft.io.run_folder import scored_splits

Row = dict[str, Any]

HALVES = re.compile("[\ud800-\udfff]")  # of characters, as JSON can write them alone; no file can hold them

HALVES_WRITTEN = re.compile(r"\\u[dD][89a-fA-F]")


def read_shaped(path: Path, shape: Shape) -> Any:
    """Reads a JSON file that is to have a shape.

    Raises:
        SetupError: It has another one, or is no JSON.
    """
    value = _parsed(path.read_bytes(), str(path))
    require(value, shape, str(path))
    return value


def read_results(path: Path) -> dict[str, Any]:
    """Reads results.json; every score of it is a number, and there is a count of the examples of each split.

    Raises:
        SetupError: It has another shape, or is no JSON.
    """
    found = read_shaped(path, RESULTS)
    for split in scored_splits(found):
        shapes: dict[str, Any] = {f"{split}{end}{'?' * bool(end)}": shape for end, shape in OF_SPLIT.items()}
        require(found, {f"{split}_examples": int, **shapes}, str(path))
    for name, value in found.items():
        scores = isinstance(value, dict) and value and misfit(value, TABLE, name) is None
        if scores and f"{name}_examples" not in found:
            raise SetupError(f"{path} has scores of {name}, and no {name}_examples. {FIX}.")
    return found


def read_labels(path: Path) -> list[str]:
    """The labels that the config.json of a model names, in order; none where it names none, or is not there.

    Raises:
        SetupError: It is no object of JSON.
    """
    config = _parsed(path.read_bytes(), str(path), constant=float) if path.is_file() else {}  # which may have Infinity
    require(config, {"id2label?": dict | None}, str(path))
    names = config.get("id2label") or {}
    known = all(key.isdigit() and isinstance(name, str) for key, name in names.items())
    return [names[key] for key in sorted(names, key=int)] if known else []


def read_lines(path: Path) -> Iterator[tuple[int, Row]]:
    """Reads objects of JSON, one a line, with the numbers of their lines, from 1.

    Raises:
        SetupError: A line is something else.
    """
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            yield number, read_line(line, f"Line {number} of {path}")


def read_line(line: bytes, where: str) -> Row:
    """Reads an object of JSON.

    Raises:
        SetupError: It is something else; the message begins with `where`.
    """
    row = _parsed(line, where)
    require(row, dict, where)
    return row


def prediction_lines(path: Path) -> Iterator[tuple[int, Row]]:
    """Reads predictions, with the numbers of their lines: objects with an id each, that no other has.

    Raises:
        SetupError: A line is something else.
    """
    seen: dict[int, int] = {}
    for number, row in read_lines(path):
        identity = row.get("id")
        if not isinstance(identity, int) or isinstance(identity, bool):
            _refuse(path, number, "expected an object with an id, a whole number")
        if identity in seen:
            _refuse(path, number, f"its id, {identity}, is that of line {seen[identity]} too")
        if not all(_is_finite(row.get(name)) for name in ("answer", "truth", "score", "probabilities")):
            _refuse(path, number, "a number in it is too large to be one")
        seen[identity] = number
        yield number, row


def answer_lines(path: Path) -> Iterator[tuple[int, Row]]:
    """As `prediction_lines`, of a task of hfft's own: each row that has a truth has an answer too, or an error.

    Raises:
        SetupError: A line is something else.
    """
    for number, row in prediction_lines(path):
        if row.get("truth") is not None and not isinstance(row.get("error"), str):
            answer, score = row.get("answer"), row.get("score")
            if answer is None:
                _refuse(path, number, "it has a truth and no answer")
            if isinstance(answer, str) and row["truth"] == []:
                _refuse(path, number, "its answer is a text and its truth an empty list")
            if not isinstance(score, (int, float, NoneType)):
                _refuse(path, number, f"its score is {KINDS[type(score)]}, expected a number")
            if not (row.get("probabilities") is None or are_numbers(row["probabilities"])):
                _refuse(path, number, "its probabilities are no list of numbers")
        yield number, row


def are_numbers(given: Any) -> bool:
    """Whether this is a list of numbers."""
    return isinstance(given, list) and set(map(type, given)) <= {int, float}


def _refuse(path: Path, number: int, why: str) -> NoReturn:
    raise SetupError(
        f"Line {number} of {path} is no prediction: {why}. {FIX}. Score the model anew with hfft evaluate."
    )


def _is_finite(value: Any) -> bool:
    """Whether there is no infinite number in a value; thousands of probabilities are looked at in their sum."""
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    try:
        if isinstance(value, list):
            plain = set(map(type, value)) <= {int, float} and math.isfinite(sum(value))
            return plain or all(map(_is_finite, value))
        return not isinstance(value, (int, float)) or math.isfinite(value)
    except OverflowError:  # a whole number that no float can be
        return False


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _parsed(content: bytes, where: str, constant: Callable[[str], Any] = _constant) -> Any:
    try:
        text = content.decode("utf-8")
        value = json.loads(text, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise SetupError(f"{where} is no text in UTF-8 ({error.reason}). {FIX}.") from error
    except ValueError as error:
        raise SetupError(f"{where} is no JSON ({error}). {FIX}.") from error
    return _mended(value) if HALVES_WRITTEN.search(text) else value


def _mended(value: Any) -> Any:
    """The same with a mark in the place of each half of a character."""
    if isinstance(value, str):
        return HALVES.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, Mapping):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


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
    "output?": str,
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
