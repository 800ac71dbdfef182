"""Columns of a data set without lists of all their values: in pieces, or as the values that there are and their places.

A list of a million Python values takes 100 MB and more, where the file that Arrow maps into memory takes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pyarrow
from datasets import ClassLabel, Dataset, Value

PIECE = 10_000  # rows


def pieces(rows: Dataset, column: str) -> Iterator[Any]:
    """The values of a column in order, as arrow's arrays of `PIECE` rows; the last one may be shorter."""
    tables = cast(Iterator[Any], rows.select_columns(column).with_format("arrow").iter(PIECE))
    for table in tables:
        values = table[column]
        yield values.chunk(0) if values.num_chunks == 1 else pyarrow.concat_arrays(values.chunks)


def values_of(rows: Dataset, column: str) -> Iterator[Any]:
    """The values of a column one by one, as `rows[column]` gives them."""
    batches = cast(Iterator[Any], rows.select_columns(column).with_format(None).iter(PIECE))
    for batch in batches:
        yield from batch[column]


def tuples(rows: Dataset) -> Iterator[tuple[Any, ...]]:
    """The rows one by one, each as a tuple of what its columns hold."""
    return zip(*(values_of(rows, name) for name in rows.column_names), strict=True)


def as_array(rows: Dataset, column: str) -> np.ndarray:
    """`(rows,)`, a column of numbers or booleans of which none is missing."""
    return np.concatenate([piece.to_numpy(zero_copy_only=False) for piece in pieces(rows, column)])


@dataclass(frozen=True)
class Distinct:
    """A column as the values that there are. What is made of a value is made once, however often it stands there.

    Attributes:
        values: In the order in which they first stand in the column; of lists and the like a value for each row.
        first: `(values,)`, the row in which each stands first.
        places: `(rows,)`, which of `values` stands in a row.
    """

    values: list[Any]
    first: np.ndarray
    places: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """`(values,)`, in how many rows each stands."""
        return np.bincount(self.places, minlength=len(self.values))

    def spread(self, made: list[Any]) -> list[Any]:
        """What was made of each of `values`, in a list of all rows."""
        held = np.empty(len(made), dtype=object)
        held[:] = made
        return held[self.places].tolist()


def distinct(rows: Dataset, column: str) -> Distinct:
    """Finds the values that a column has."""
    if not isinstance(rows.features[column], (Value, ClassLabel)):
        values = list(values_of(rows, column))
        return Distinct(values, np.arange(len(values)), np.arange(len(values)))
    numbers: dict[Any, int] = {}
    first, places, start = [], [np.zeros(0, dtype=np.int32)], 0
    for piece in pieces(rows, column):
        encoded = piece.dictionary_encode("encode")
        codes, before = encoded.indices.to_numpy(), len(numbers)
        here = np.array([numbers.setdefault(value, len(numbers)) for value in encoded.dictionary.to_pylist()], np.int32)
        if len(numbers) > before:
            begins = np.unique(codes, return_index=True)[1]
            first += (start + begins[here >= before]).tolist()
        places.append(here[codes])
        start += len(piece)
    return Distinct(list(numbers), np.array(first, dtype=np.int64), np.concatenate(places))


def with_column(rows: Dataset, name: str, values: Any) -> Dataset:
    """The rows with a column more. Its fingerprint is drawn: datasets would make one of a dump of all values."""
    return rows.add_column(name, values, new_fingerprint=uuid4().hex)


def chosen(values: Any, rows: np.ndarray) -> Any:
    """The values of these rows, in a list; `values` themselves where these are all of them."""
    if len(rows) == len(values) and np.array_equal(rows, np.arange(len(rows))):
        return values
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]
