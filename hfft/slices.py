"""Scores of parts of a split: by length, and by the values of the columns that `eval.slices` names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from datasets import Dataset

from hfft.data.checks import read_column
from hfft.errors import DataError
from hfft.score_table import score_table
from hfft.scoring import Scored

LENGTH = "length"
FEWEST = 40  # examples of a split that is looked at by length: of fewer, parts say nothing
PARTS = 4  # as many parts, of about the same size, has a column of many numbers
VALUES = 20  # as many values of a column have scores of their own: those of most examples


@dataclass(frozen=True)
class Part:
    """Some examples of a split.

    Attributes:
        column: What they have in common: a column, or "length".
        value: The value they share, for people.
        rows: Their places among the examples.
    """

    column: str
    value: str
    rows: list[int]


def slice_scores(found: Scored, parts: Sequence[Part], confidence: float, selected: bool) -> list[dict[str, Any]]:
    """The scores of each part that has an example with a truth: as results.json has them under `SPLIT_slices`.

    Args:
        found: The answers to the whole split.
        parts: Of its examples.
        confidence: Of the intervals.
        selected: Whether weights or thresholds were chosen on this split.
    """
    scored = []
    for part in parts:
        some = replace(
            found,
            ids=[found.ids[row] for row in part.rows],
            answers=[found.answers[row] for row in part.rows],
            truths=[found.truths[row] for row in part.rows],
        )
        count = len(some.labelled[1])
        if count:
            table, _ = score_table(some, confidence, selected)
            scored.append({"column": part.column, "value": part.value, "examples": count, "scores": table})
    return scored


def parts_by_length(lengths: np.ndarray | None) -> list[Part]:
    """Cuts a split into parts of about the same size by the lengths of its examples, in tokens.

    None where there are fewer than 40, or where most are of one length.
    """
    if lengths is None or len(lengths) < FEWEST:
        return []
    return [replace(part, value=f"{part.value} tokens") for part in _by_number(LENGTH, lengths.tolist())]


def parts_by_column(rows: Dataset, split: str, column: str) -> list[Part]:
    """Cuts a split by the values of a column: each value a part, or, of more than 20 numbers, four ranges.

    Of more than 20 other values, those of most examples are parts, and the rest is one.

    Args:
        rows: The raw rows of the examples, in their order.
        split: Its name, for errors.
        column: Its name; `outer.inner` of a nested one.

    Raises:
        DataError: There is no such column, or it holds lists and the like.
    """
    values = read_column(rows, split, "eval.slices", column)
    strange = next((value for value in values if not isinstance(value, (str, Real, type(None)))), None)
    if strange is not None:
        raise DataError(
            f"eval.slices names '{column}', which in the {split} split holds values such as {str(strange)[:40]}: give "
            "a column of texts, numbers or booleans."
        )
    numbers = [value for value in values if value is not None]
    if len(set(values)) > VALUES and not any(isinstance(value, (str, bool)) for value in numbers):
        missing = [row for row, value in enumerate(values) if value is None]
        return _by_number(column, values) + ([Part(column, "(none)", missing)] if missing else [])
    names = _names(rows, column)
    return _by_value(column, ["(none)" if value is None else names.get(value, str(value)) for value in values])


def check_columns(splits: Mapping[str, Dataset], columns: Sequence[str]) -> None:
    """Raises DataError where a split lacks one of the columns, or it cannot be cut by it."""
    for split, rows in splits.items():
        for column in columns:
            parts_by_column(rows, split, column)


def _names(rows: Dataset, column: str) -> dict[Any, str]:
    """The names of a ClassLabel's numbers."""
    return dict(enumerate(getattr(rows.features.get(column), "names", None) or ()))


def _by_value(column: str, values: Sequence[str]) -> list[Part]:
    counted = Counter(values)
    kept = {name for name, _ in counted.most_common(VALUES)} if len(counted) > VALUES else set(counted)
    rest = f"({len(counted) - len(kept)} others)"
    members: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        members.setdefault(value if value in kept else rest, []).append(row)
    return [Part(column, value, rows) for value, rows in sorted(members.items(), key=lambda item: item[0] == rest)]


def _by_number(column: str, values: Sequence[Any]) -> list[Part]:
    """Ranges of about the same number of rows; both ends of a range are values that occur."""
    known = np.array([value for value in values if value is not None])
    edges = np.unique(np.quantile(known, np.linspace(0, 1, PARTS + 1), method="lower"))
    if len(edges) < 3:  # most are one value
        return []
    parts = []
    for number, (low, high) in enumerate(pairwise(edges)):
        last = number == len(edges) - 2
        rows = [
            row for row, value in enumerate(values) if value is not None and low <= value and (value < high or last)
        ]
        inside = [values[row] for row in rows]
        least, most = min(inside), max(inside)
        parts.append(Part(column, f"{least:g}" if least == most else f"{least:g} to {most:g}", rows))
    return parts
