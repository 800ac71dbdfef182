"""Scores of parts of a split: by length, and by the values of the columns that `eval.slices` names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from datasets import Dataset

from hfft.data.checks import read_column
from hfft.errors import DataError
from hfft.tasks.scores import Scored, score_table

LENGTH = "length (tokens)"  # no column is called so

FEWEST = 40  # examples of a split that is looked at by length: of fewer, parts say nothing

PARTS = 4  # as many parts, of about the same size, has a column of many numbers

VALUES = 20  # as many values of a column have scores of their own: those of most examples

LONGEST = 100  # characters of a value: what is longer is a text, and no kind of example

NONE = "(none)"


@dataclass(frozen=True)
class Part:
    """Some examples of a split.

    Attributes:
        column: What they have in common: a column, or their length.
        value: The value they share, for people.
        rows: Their places among the examples.
    """

    column: str
    value: str
    rows: list[int]


def slice_scores(found: Scored, parts: Sequence[Part], confidence: float, selected: bool) -> list[dict[str, Any]]:
    """The task's scores of each part that has an example with a truth: as results.json has them under `SPLIT_slices`.

    Further metrics are of the whole split alone: some are not defined on a part, and all are called a thousand times.
    Where the task's own score fails on a part, its entry says so under `failed` and has no scores.

    Args:
        found: The answers to the whole split.
        parts: Of its examples.
        confidence: Of the intervals.
        selected: Whether weights or thresholds were chosen on this split.
    """
    scored = []
    for part in parts:
        some = Scored(
            found.task,
            ids=[found.ids[row] for row in part.rows],
            answers=[found.answers[row] for row in part.rows],
            truths=[found.truths[row] for row in part.rows],
        )
        count = len(some.labelled[1])
        if not count:
            continue
        entry: dict[str, Any] = {"column": part.column, "value": part.value, "examples": count}
        entry["scores"] = score_table(some, confidence, selected)[0]
        entry |= {"failed": "; ".join(some.measured.failed.values())} if some.measured.failed else {}
        scored.append(entry)
    return scored


def parts_by_length(lengths: np.ndarray | None) -> list[Part]:
    """Cuts a split into parts of about the same size by the lengths of its examples, in tokens.

    None where there are fewer than 40, or where all are of one length.
    """
    if lengths is None or len(lengths) < FEWEST:
        return []
    parts = _by_number(LENGTH, lengths.tolist())
    return parts if len(parts) > 1 else []


def parts_by_column(rows: Dataset, split: str, column: str) -> list[Part]:
    """Cuts a split by the values of a column: each value a part, or, of more than 20 numbers, ranges.

    Of more than 20 other values, those of most examples are parts, and the rest is one. Texts that are all numbers, as
    in a csv file, are numbers. What is missing, empty or not a number is a part of its own.

    Args:
        rows: The raw rows of the examples, in their order.
        split: Its name, for errors.
        column: Its name; `outer.inner` of a nested one.

    Raises:
        DataError: There is no such column, or it holds lists, long texts and the like.
    """
    values = [None if _is_missing(value) else value for value in read_column(rows, split, "eval.slices", column)]
    strange = next((value for value in values if not isinstance(value, (str, Real, type(None)))), None)
    if strange is None:
        strange = next((value for value in values if isinstance(value, str) and len(value) > LONGEST), None)
    if strange is not None:
        raise DataError(
            f"eval.slices names '{column}', which in the {split} split holds values such as {str(strange)[:40]}: give "
            "a column of short texts, numbers or booleans."
        )
    numbers = _as_numbers(values)
    if numbers is not None and len(set(numbers)) > VALUES:
        missing = [row for row, value in enumerate(numbers) if value is None]
        return _by_number(column, numbers) + ([Part(column, NONE, missing)] if missing else [])
    names = dict(enumerate(getattr(rows.features.get(column), "names", None) or ()))  # of a ClassLabel
    return _by_value(column, [NONE if value is None else names.get(value, str(value)) for value in values])


def check_columns(splits: Mapping[str, Dataset], columns: Sequence[str]) -> None:
    """Raises DataError where a split lacks one of the columns, or it cannot be cut by it."""
    for split, rows in splits.items():
        for column in columns:
            parts_by_column(rows, split, column)


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _as_numbers(values: Sequence[Any]) -> list[Any] | None:
    """The values as numbers; None where one is none."""
    if any(isinstance(value, bool) for value in values):
        return None
    try:
        numbers = [None if value is None else float(value) for value in values]
    except ValueError:
        return None
    return numbers if all(number is None or math.isfinite(number) for number in numbers) else None


def _by_value(column: str, values: Sequence[str]) -> list[Part]:
    counted = Counter(values)
    kept = {name for name, _ in counted.most_common(VALUES)} if len(counted) > VALUES else set(counted)
    rest = f"({len(counted) - len(kept)} others)"
    members: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        members.setdefault(value if value in kept else rest, []).append(row)
    return [Part(column, value, rows) for value, rows in sorted(members.items(), key=lambda item: item[0] == rest)]


def _by_number(column: str, values: Sequence[Any]) -> list[Part]:
    """Ranges of about the same number of rows, from the lowest: equal values stay together."""
    rows = sorted((row for row, value in enumerate(values) if value is not None), key=lambda row: values[row])
    parts: list[list[int]] = [[]]
    for row in rows:
        current = parts[-1]
        if len(current) >= len(rows) / PARTS and values[row] != values[current[-1]]:
            parts.append([])
        parts[-1].append(row)
    return [Part(column, _range(values[part[0]], values[part[-1]]), sorted(part)) for part in parts]


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
