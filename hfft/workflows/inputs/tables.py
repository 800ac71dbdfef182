"""Tables in memory, as Python users have them: DataFrames, data sets, lists of dicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from datasets import Dataset, DatasetDict
from PIL.Image import Image

from hfft.data.checks import undecoded
from hfft.data.table import Table, require_unlike, table_of
from hfft.errors import DataError, alternatives, quoted
from hfft.tasks.task import Task
from hfft.workflows.inputs.cells import cells_of, is_missing

TABLES = "a DataFrame of pandas, a datasets.Dataset, or a list of dicts"

Read = tuple[Table, dict[int, str]]  # rows, and why some of them cannot be asked


@dataclass(frozen=True)
class Columns:
    """A table by its columns.

    Attributes:
        names: Of the columns.
        read: Gives the values of the column with this number, from 0.
    """

    names: Sequence[str]
    read: Callable[[int], Sequence[Any]]

    def __getitem__(self, name: str) -> Sequence[Any]:
        return self.read(self.names.index(name))


def columns_of(given: Any) -> Columns | Dataset | None:
    """A table in memory; None where it is none.

    Raises:
        DataError: It is several tables, names a column twice, or mixes rows with other things.
    """
    if isinstance(given, Dataset):
        return undecoded(given.with_format(None))
    if isinstance(given, DatasetDict):
        raise DataError(f"The input is a DatasetDict: give one of its splits, {', '.join(map(str, given))}.")
    if isinstance(given, pandas.DataFrame):
        names = [str(name) for name in given.columns]
        require_unlike(names, "The DataFrame")
        return Columns(names, lambda number: given.iloc[:, number].tolist())
    values = listed(given)
    rows = [item for item in values if isinstance(item, Mapping)]
    if not rows:
        return None
    if len(rows) < len(values):
        other = next(item for item in values if not isinstance(item, Mapping))
        raise DataError(f"Some inputs are rows (dicts), but another is {quoted(other)}: give either of the two.")
    keys = list(dict.fromkeys(name for row in rows for name in row))
    return Columns([str(key) for key in keys], lambda number: [row.get(keys[number]) for row in rows])


def listed(inputs: Any) -> Any:
    """The inputs as a list: what is one thing, though Python could go through it, is one. Tables stay what they are.

    Raises:
        DataError: They are a set, which has no order.
    """
    if isinstance(inputs, (Dataset, DatasetDict, pandas.DataFrame)):
        return inputs
    if isinstance(inputs, (set, frozenset)):
        raise DataError("The input is a set, which has no order: answers could not be told apart. Give a list.")
    one = (str, Path, Image, bytes, bytearray, Mapping)
    if inputs is None:
        return []
    if isinstance(inputs, one) or (isinstance(inputs, np.ndarray) and _is_one(inputs)):
        return [inputs]
    try:
        return list(inputs)
    except TypeError:  # a number, ...
        return [inputs]


def _is_one(array: np.ndarray) -> bool:
    """Whether an array is one picture, rather than several or texts."""
    return array.dtype.kind not in "OSTU" and array.ndim < 4


def asked_rows(task: Task, given: Columns | Dataset, labelled: bool = False) -> Read:
    """Rows to answer: the columns that are inputs of the task, or all of them where the rows are labelled.

    Raises:
        DataError: An input has no column, or a column cannot be held.
    """
    if isinstance(given, Dataset):
        return Table(given), {}
    made: dict[str, list[Any]] = {}
    faults: dict[int, str] = {}
    for name in task.inputs:
        outer = name if name in given.names else name.partition(".")[0]
        if outer not in given.names:
            setting = task.setting_of(name)
            raise DataError(
                f"{setting} is '{name}', but the input has no such column.{alternatives(name, given.names)} Another is "
                f"named by {setting}=COLUMN (--set; in Python overrides)."
            )
        if outer != name:
            made[outer] = list(given[outer])
        else:
            made[outer], found = cells_of(given[outer], name in task.file_columns, name)
            faults |= found
    for name in given.names if labelled else ():
        if name not in made:
            made[name] = [*map(_plain, given[name])]
    return table_of("the input", made), faults


def labelled_rows(task: Task, data: Sequence[Any]) -> Read:
    """Rows with the right answers in them, of one table.

    Raises:
        DataError: It is something else, or several of them.
    """
    (given,) = data if len(data) == 1 else ([*data],)
    columns = columns_of(given)
    if columns is None:
        raise DataError(f"What is scored is names of files, or one table: {TABLES}; not {quoted(given)}.")
    return asked_rows(task, columns, labelled=True)


def split_of(task: Task, split: str, given: Any) -> Table:
    """The rows of a split that is given in memory, all its columns.

    Raises:
        DataError: It is no table, or no column of it can be held.
    """
    columns = columns_of(given)
    if columns is None:
        raise DataError(f"data['{split}'] is {quoted(given)}, of type {type(given).__name__}; a split is {TABLES}.")
    if isinstance(columns, Dataset):
        return Table(columns)
    made = {
        name: cells_of(columns[name], True, name)[0] if name in task.file_columns else [*map(_plain, columns[name])]
        for name in columns.names
    }
    return table_of(f"data['{split}']", made)


def _plain(value: Any) -> Any:
    """A value as a file would hold it."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return None if is_missing(value) else value
