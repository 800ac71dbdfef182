"""Columns of numbers, from whatever kind a file has them in."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from datasets import ClassLabel, Dataset, Features

from hfft.data.checks import row_of
from hfft.errors import DataError, quoted


def read_numbers(dataset: Dataset, columns: Sequence[str], split: str) -> list[list[float] | None]:
    """Reads one or several numbers a row; None where a row has none (null, an empty text, not a number).

    Args:
        dataset: The rows.
        columns: The columns, or one column of lists.
        split: The split's name, for messages.

    Raises:
        DataError: A value is no number, a row has some of its numbers only, or lists differ in length; with the row.
    """
    found = [_row(values, columns, row, split) for row, values in enumerate(zip(*_read(dataset, columns), strict=True))]
    sizes = {len(numbers) for numbers in found if numbers is not None}
    if len(sizes) > 1:
        first = next(len(numbers) for numbers in found if numbers is not None)
        row = next(row for row, numbers in enumerate(found) if numbers is not None and len(numbers) != first)
        raise DataError(
            f"task.label: in {row_of(row, split)} the column '{columns[0]}' holds {len(found[row] or [])} "
            f"numbers, in earlier rows {first}."
        )
    return found


def _read(dataset: Dataset, columns: Sequence[str]) -> list[list[Any]]:
    return [list(dataset[column]) for column in columns]


def _row(values: Sequence[Any], columns: Sequence[str], row: int, split: str) -> list[float] | None:
    if len(values) == 1 and isinstance(values[0], (list, tuple)):
        columns, values = [*columns] * len(values[0]), values[0]
    numbers = [_number(value, column, row, split) for value, column in zip(values, columns, strict=True)]
    missing = [column for column, number in zip(columns, numbers, strict=True) if number is None]
    if missing and len(missing) < len(numbers):
        raise DataError(
            f"task.label: {row_of(row, split)} has a number in some columns and none in '{missing[0]}'. Give "
            "all of a row's numbers, or none of them."
        )
    return None if missing or not numbers else [number for number in numbers if number is not None]


def _number(value: Any, column: str, row: int, split: str) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = _parsed(value)
    if number is None or math.isinf(number):
        hint = " Write a point before the decimals." if isinstance(value, str) and "," in value else ""
        if hint and re.search(r",[0-9]{3}(?![0-9])", value):
            hint = " Write thousands without a comma (4221), and a point before decimals (4.221)."
        raise DataError(
            f"task.label: in {row_of(row, split)} the column '{column}' is {quoted(value)}, which is no number.{hint}"
        )
    return None if math.isnan(number) else number


def _parsed(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def are_lists_of_numbers(features: Features, column: str) -> bool:
    """Whether each value of a column is a list of numbers with decimals."""
    inner = getattr(features[column], "feature", None)
    return str(getattr(inner, "dtype", "")).startswith("float")


def have_decimals(dataset: Dataset, column: str) -> bool:
    """Whether the values of a column are numbers, and at least one is not whole: numbers, rather than labels.

    Raises:
        DataError: Most values are such numbers, but some are not; with the first such row.
    """
    if isinstance(dataset.features[column], ClassLabel):
        return False
    values = {row: value for row, value in enumerate(dataset[column]) if value is not None and value != ""}
    numbers = {row: _parsed(v) if not isinstance(v, (bool, list, dict)) else None for row, v in values.items()}
    if not any(number is not None and math.isfinite(number) and number % 1 for number in numbers.values()):
        return False
    others = [row for row, number in numbers.items() if number is None]
    if others and 2 * len(others) < len(numbers):
        raise DataError(
            f"task.label: most values of the column '{column}' are numbers, but in row {others[0]} it is "
            f"{quoted(values[others[0]])}. Mend the row; or if all of them are labels, say so: task.problem=single."
        )
    return not others
