"""What a row asks, as people see it: the values of a task's input columns."""

from __future__ import annotations

from functools import reduce
from pathlib import PurePath
from typing import Any

from datasets import Dataset

from hfft.data.checks import read_column
from hfft.data.images import as_images
from hfft.tasks.task import Pictured, Task


def inputs_of(task: Task, rows: Dataset) -> list[tuple[Any, ...]]:
    """The inputs of raw rows, a tuple a row; of a picture its file's name, or an empty text where it has none."""
    if isinstance(task, Pictured):
        kept = reduce(lambda rows, name: as_images(rows, name, "data"), task.file_columns, rows)
        return list(zip(*([value["path"] or "" for value in kept[name]] for name in task.inputs), strict=True))
    return list(zip(*(read_column(rows, "data", "task", column) for column in task.inputs), strict=True))


def shown_inputs(task: Task, rows: Dataset) -> list[Any]:
    """The inputs of raw rows for the predictions file: a value a row, or a list where there are several; None for none.

    Of a picture the name of its file and of the folder around it stand there, and no longer path.
    """
    found = inputs_of(task, rows)
    if isinstance(task, Pictured):
        found = [tuple("/".join(PurePath(name).parts[-2:]) or None for name in names) for names in found]
    return [names[0] if len(names) == 1 else list(names) for names in found]
