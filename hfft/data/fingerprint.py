"""A name for data that depends on its rows alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow
from datasets import Dataset

ROWS = 1000  # hashed at once


def fingerprint(dataset: Dataset, file_columns: Sequence[str] = ()) -> str:
    """A SHA-256 of all the rows of a data set: the same rows give the same text, wherever they were read from.

    Args:
        dataset: The rows.
        file_columns: Columns whose texts name files. In the place of a path, the file's name and its size count, so
            that data which was moved stays the same, and a file of another size does not.
    """
    digest = hashlib.sha256(repr(sorted(dataset.features.items())).encode())

    class Sink:
        closed = False

        def write(self, data: Any) -> int:
            digest.update(data)
            return len(data)

        def flush(self) -> None: ...

    for rows in dataset.with_format("arrow").iter(ROWS):
        table = cast(pyarrow.Table, rows).replace_schema_metadata(None)
        table = _without_folders(table, file_columns)
        table = table.take(pyarrow.array(range(len(table)))).combine_chunks()  # a slice would bring its neighbours
        with pyarrow.ipc.new_stream(pyarrow.PythonFile(Sink(), mode="w"), table.schema) as stream:
            stream.write_table(table)
    return digest.hexdigest()


def _without_folders(table: pyarrow.Table, file_columns: Sequence[str]) -> pyarrow.Table:
    for index, name in enumerate(table.column_names):
        kind = table.schema.field(index).type
        if name in file_columns and (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
            files = pyarrow.array([_name_and_size(path) for path in table.column(index).to_pylist()], kind)
            table = table.set_column(index, name, files)
    return table


def _name_and_size(path: str | None) -> str | None:
    if path is None:
        return None
    file = Path(path)
    try:
        size = file.stat().st_size
    except (OSError, ValueError):  # absent, or no possible name
        size = -1
    return f"{size} {file.name}"


def fingerprint_of_first(dataset: Dataset) -> str:
    """The same for the first rows of a stream, marked as such: nothing is said of the rows behind them."""
    return f"first {len(dataset)} rows: {fingerprint(dataset)}"
