"""What a row asks, as people see it: the values of a task's input columns."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from datasets import Dataset

from hfft.data.checks import read_column, require_columns
from hfft.data.images import cast_images
from hfft.tasks.task import Task


def inputs_of(task: Task, rows: Dataset) -> list[tuple[Any, ...]]:
    """The inputs of raw rows, a tuple a row, None for a missing one.

    Of a picture its file's name stands there, or an empty text where it has none.

    Raises:
        DataError: The rows lack a column of the input, or one for pictures holds something else.
    """
    return list(zip(*(_column(task, rows, name) for name in task.inputs), strict=True))


def _column(task: Task, rows: Dataset, name: str) -> list[Any]:
    setting = task.setting_of(name)
    if name not in task.file_columns:
        return read_column(rows, "data", setting, name)
    require_columns({"data": rows}, {setting: [name]})
    return [
        None if value is None or (value["bytes"] is None and not value["path"]) else value["path"] or ""
        for value in cast_images(rows, name, "data")[name]
    ]


def shown_inputs(task: Task, rows: Dataset) -> list[Any]:
    """The inputs of raw rows for the predictions file: a value a row, or a list where there are several; None for none.

    Of a picture the name of its file and of the folder around it stand there, and no longer path.
    """
    found = inputs_of(task, rows)
    if task.file_columns:
        found = [tuple("/".join(PurePath(name or "").parts[-2:]) or None for name in names) for names in found]
    return [alone(names) for names in found]


def alone(parts: tuple[Any, ...]) -> Any:
    """The one input of a row, or a list of several."""
    return parts[0] if len(parts) == 1 else list(parts)
