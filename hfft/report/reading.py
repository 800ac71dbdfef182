"""Reads the files of a run folder and checks their shape, so that a damaged one is named, and what is wrong with it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, NoReturn

from hfft.errors import SetupError
from hfft.folder import scored_splits
from hfft.report.shapes import FIX, KINDS, OF_SPLIT, RESULTS, TABLE, Shape, misfit, require

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
