"""Texts, pairs, pictures, rows and files as people give them, made into rows.

Texts and files are told apart by how they are given: a `Path`, a name of something that is there, and a name with the
ending of a data file are files; what stands in a row, a table or a column is never taken for a file's name.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from datasets import Dataset

from hfft.data.files import KINDS, read_files
from hfft.data.folders import IMAGE_ENDINGS
from hfft.data.table import Table
from hfft.errors import DataError, quoted
from hfft.tasks.inputs import inputs_of
from hfft.tasks.task import Task
from hfft.workflows.inputs.cells import PICTURES, cells_of
from hfft.workflows.inputs.rows import Questions, questions_of
from hfft.workflows.inputs.tables import Columns, Read, asked_rows, columns_of, listed

WHERE = "the input"

UNREAD = (
    *(".7z", ".arrow", ".bz2", ".conll", ".db", ".doc", ".docx", ".feather", ".gz", ".h5", ".hdf5", ".htm", ".html"),
    *(".log", ".md", ".mp3", ".npy", ".npz", ".odt", ".ods", ".orc", ".pdf", ".pickle", ".pkl", ".pptx", ".rtf"),
    *(".sqlite", ".tar", ".tgz", ".wav", ".xls", ".xml", ".xz", ".yaml", ".yml", ".zip", ".zst"),
)
"""Endings of files of data that hfft does not read."""

ITSELF = (
    "If '{}' is itself the text to answer, give it on standard input (hfft predict RUN -), or in Python as a row, "
    '{{"{}": "..."}}.'
)


def read_questions(task: Task, inputs: Any) -> Questions:
    """Makes rows of what there is to answer.

    Args:
        task: Says in which columns its inputs stand.
        inputs: One or several texts (pairs as tuples, or as neighbours), names of files, pictures (of PIL, or arrays of
            height, width and 3), or rows as dicts; or a Dataset, or a DataFrame or Series of pandas. Of a task that
            sees, names are those of images, of folders of images, or of tables.

    Raises:
        DataError: There is nothing, it is of another kind, kinds are mixed, or a file cannot be read.
    """
    table, faults = _read(task, inputs)
    rows, findings = table.rows, table.findings("data", task.inputs)
    if not len(rows):
        raise DataError("There is nothing to answer: give texts, or files.")
    read = inputs_of(task, rows)
    blank = {number: why for number, parts in enumerate(read) if (why := _why_blank(task, parts))}
    return questions_of(task, rows, read, {**blank, **faults}, findings)


def _read(task: Task, inputs: Any) -> Read:
    given = listed(inputs)
    columns = columns_of(given)
    if columns is not None:
        return asked_rows(task, columns)
    if task.file_columns:
        return _pictures(task, given)
    return _texts(task, given, are_names=not isinstance(inputs, (pandas.Series, np.ndarray)))


def _pictures(task: Task, given: Sequence[Any]) -> Read:
    """Rows of pictures: of files, whatever a folder or a table calls them, or pictures themselves."""
    column = task.file_columns[0]
    for number, item in enumerate(given):
        if isinstance(item, (bytes, bytearray)):  # which in a row are those of a file
            raise DataError(f"Input {number} (from 0) is of type bytes, but this model sees {PICTURES}.")
    several = [item for item in given if isinstance(item, (str, Path)) and _holds_several(str(item))]
    if not several:
        cells, faults = cells_of(given, True, column)
        return Table(Dataset.from_dict({column: cells})), faults
    for number, item in enumerate(given):
        if not isinstance(item, (str, Path)):
            raise DataError(f"'{several[0]}' is the name of a folder or table, and input {number} is a picture: mixed.")
    table = read_files([str(name) for name in given], ".", WHERE, [column], labelled=False)
    if table.rows.column_names == ["image"] != [column]:
        table = replace(table, rows=table.rows.rename_column("image", column))
    return table, {}


def _holds_several(name: str) -> bool:
    """Whether a name is that of a folder or a table, or stands for several, rather than that of one picture."""
    if Path(name).is_file() or Path(name).suffix.lower() in KINDS:
        return Path(name).suffix.lower() in KINDS
    return Path(name).is_dir() or "://" in name or glob.has_magic(name)


def _texts(task: Task, given: Sequence[Any], are_names: bool) -> Read:
    """Rows of files, or of texts themselves.

    Args:
        task: The task.
        given: Texts, tuples of them, or names of files.
        are_names: Whether texts may be names of files.
    """
    columns = task.inputs
    files = [item for item in given if are_names and _names_a_file(item)]
    if files and len(files) < len(given):
        other = next(item for item in given if not _names_a_file(item))
        raise DataError(
            f"'{files[0]}' is a file and {quoted(other)} is none: give either files or texts. "
            f"{ITSELF.format(files[0], columns[0])}"
        )
    if files:
        for file in files:
            _require_table(file, columns)
        return read_files([str(file) for file in files], ".", WHERE), {}
    together = f"This model reads {len(columns)} input(s) together ({', '.join(columns)})"
    for item in given:
        if isinstance(item, (tuple, list)) and len(item) != len(columns):
            raise DataError(
                f"{together}, but one of those given has {len(item)}: {quoted(item)}. A row of a table may be given as "
                f'a dict: {{"{columns[0]}": ...}}.'
            )
    flat = [part for item in given for part in (item if isinstance(item, (tuple, list)) else [item])]
    if len(flat) % len(columns):
        raise DataError(f"{together}, but {len(flat)} are given.")
    return asked_rows(task, Columns(columns, lambda number: flat[number :: len(columns)]))


def _names_a_file(item: Any) -> bool:
    if not isinstance(item, str):
        return isinstance(item, Path)
    if os.path.exists(item):  # noqa: PTH110 - a text may be longer than a Path can ask for
        return True
    if not item or any(letter.isspace() for letter in item):  # a text may end like a file
        return False
    return Path(item).suffix.lower() in (*KINDS, *IMAGE_ENDINGS, *UNREAD) or item.startswith(("./", "../", "~/"))


def _require_table(file: str | Path, columns: Sequence[str]) -> None:
    """Raises DataError where a file that is there is none that a model of texts can read."""
    path, readable = Path(file), ", ".join(KINDS)
    hint = f" {ITSELF.format(file, columns[0])}" if isinstance(file, str) else ""
    if path.suffix.lower() in IMAGE_ENDINGS:
        raise DataError(f"{file} is an image, but this model reads texts ({', '.join(columns)}).{hint}")
    if path.is_dir():
        raise DataError(f"{file} is a folder, but this model reads texts: name the files in it ({readable}).{hint}")
    if path.exists() and path.suffix.lower() not in KINDS:
        raise DataError(f"{file} is of no kind that is read; texts are read from {readable}.{hint}")


def _why_blank(task: Task, parts: tuple[Any, ...]) -> str | None:
    """Why nothing can be answered where all texts of a row are empty; None where one is not."""
    texts = [part for name, part in zip(task.inputs, parts, strict=True) if name not in task.file_columns]
    if not texts or any(part is None or _has_words(part) for part in texts):
        return None
    return "the text is empty"


def _has_words(part: Any) -> bool:
    return bool(part.strip()) if isinstance(part, str) else not isinstance(part, list) or bool(part)
