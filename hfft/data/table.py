"""What was read from a file: its rows, the columns that were left out, and what is worth a warning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow
from datasets import Dataset

from hfft.data.checks import Finding
from hfft.errors import DataError, quoted, shortened

DEEPEST = 30  # lists and objects in one another; datasets and pyarrow end in a RecursionError from 60 on

DOES_NOT_FIT = (pyarrow.ArrowException, ValueError, TypeError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Table:
    """Rows, and what should be known of how they were read.

    Attributes:
        rows: The rows.
        left_out: Why a column is not among theirs, by its name; the text names the file.
        remarks: What is worth a warning, as findings of no split.
        decimal_commas: Whether all values are texts, which no comma parts: it may stand before decimals.
    """

    rows: Dataset
    left_out: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[Finding] = ()
    decimal_commas: bool = False

    def findings(self, split: str, named: Iterable[str]) -> list[Finding]:
        """All that is worth a warning.

        Args:
            split: The split's name.
            named: The columns that are used; what is no name of a column is passed over.

        Raises:
            DataError: One of them was left out.
        """
        used = {part for name in named for part in (name, name.partition(".")[0])}
        for name, reason in self.left_out.items():
            if name in used:
                raise DataError(reason)
        total = len(self.rows)
        unused = [
            Finding("unused", split, total, total, f"are read without a column that nothing uses: {reason}")
            for reason in self.left_out.values()
        ]
        return [replace(remark, split=split) for remark in self.remarks] + unused


def require_unlike(names: Iterable[str], place: str) -> None:
    """Raises DataError where two columns have one name."""
    if twice := [quoted(name) for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{place} names a column twice: {', '.join(twice)}.")


def texts_within(value: Any) -> Iterator[str]:
    """All texts in a value of an option: among them are the names of columns."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from texts_within(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from texts_within(part)


def table_of(place: str, columns: Mapping[str, list[Any]], remarks: Sequence[Finding] = ()) -> Table:
    """Makes a table of columns of plain values. Those whose values are not of one kind are left out.

    Args:
        place: The file, for messages.
        columns: The values by column.
        remarks: What is worth a warning.

    Raises:
        DataError: No column is left.
    """
    columns = {name: _spans(values) for name, values in columns.items()}
    try:
        rows = Dataset.from_dict(dict(columns))
        faulty = [name for name in columns if _depth(rows.data.schema.field(name).type) > DEEPEST]
    except DOES_NOT_FIT:
        faulty = list(columns)
        rows = None
    reasons = {name: _fault(columns[name]) for name in faulty}
    left_out = {name: f"{place}: the column '{shortened(name)}' {reason}" for name, reason in reasons.items() if reason}
    if left_out and len(left_out) == len(columns):
        raise DataError(next(iter(left_out.values())))
    kept = {name: values for name, values in columns.items() if name not in left_out}
    return Table(rows if rows is not None and not left_out else Dataset.from_dict(kept), left_out, remarks)


def _spans(values: list[Any]) -> list[Any]:
    """Lists of [start, end, label] as lists of objects, which can be held; all else as it is."""
    lists = [value for value in values if value is not None]
    items = [item for value in lists if isinstance(value, list) for item in value]
    if not items or not all(isinstance(value, list) for value in lists) or not all(map(_is_span, items)):
        return values
    return [value and [dict(zip(("start", "end", "label"), item, strict=True)) for item in value] for value in values]


def _is_span(item: Any) -> bool:
    return isinstance(item, list) and [type(part) for part in item] == [int, int, str]


def _depth(kind: Any) -> int:
    return 1 + max((_depth(kind.field(number).type) for number in range(kind.num_fields)), default=0)


def _fault(values: list[Any]) -> str | None:
    """Why the values of a column cannot be held, as the end of a sentence; None where they can."""
    try:
        kind = Dataset.from_dict({"": values}).data.schema.field(0).type
        return None if _depth(kind) <= DEEPEST else f"holds lists or objects more than {DEEPEST} deep in one another."
    except RecursionError:
        return f"holds lists or objects more than {DEEPEST} deep in one another."
    except DOES_NOT_FIT as error:
        return _mixed(values) or _large(values) or f"cannot be held: {error}."


def _mixed(values: list[Any]) -> str | None:
    first: dict[str, Any] = {}
    for row, value in enumerate(values):
        for place, part in _parts(value, ""):
            before = first.setdefault(place, part)
            kinds = type(before).__name__, type(part).__name__
            if kinds[0] == kinds[1] or set(kinds) == {"int", "float"}:
                continue
            if not place:
                return (
                    f"mixes kinds of values: row {row} is {kinds[1]}, rows before it {kinds[0]}. Write all its values "
                    "in one way."
                )
            spans = " Spans are objects, {start, end, label}." if place == "[][]" else ""
            return (
                f"mixes kinds of values: row {row} holds {quoted(part)} ({kinds[1]}), where {quoted(before)} "
                f"({kinds[0]}) stands before it. Write all its values in one way.{spans}"
            )
    return None


def _large(values: list[Any]) -> str | None:
    for row, value in enumerate(values):
        for _, part in _parts(value, ""):
            if isinstance(part, int) and abs(part) > 2**53:
                return (
                    f"holds whole numbers that are too large: in row {row} {quoted(part)}. Numbers here have 64 bits, "
                    "of which 53 are exact beside decimals; write such values as texts, in quotes."
                )
    return None


def _parts(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """A value and all that lies in it, each with where it lies; not what is null."""
    if value is None:
        return
    yield place, value
    if isinstance(value, list):
        for part in value:
            yield from _parts(part, f"{place}[]")
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _parts(part, f"{place}.{name}")
