"""Rows that a model can be asked: what is missing in them is found, and an empty value put there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Value

from hfft.data.checks import Finding
from hfft.data.images import cast_images
from hfft.tasks.inputs import alone
from hfft.tasks.task import Task


@dataclass(frozen=True)
class Questions:
    """Rows for a model to answer.

    Attributes:
        rows: Each has a value in the columns of the input; an empty one where it cannot be asked.
        inputs: What was given, a tuple of inputs a row; None for one that is missing.
        faults: Why a row cannot be asked, by its number.
        findings: What is worth a warning in how they were read.
    """

    rows: Dataset
    inputs: list[tuple[Any, ...]]
    faults: dict[int, str]
    findings: list[Finding]

    @property
    def shown(self) -> list[Any]:
        """What was given, for people: a value a row, or a list of several; None where there is nothing to show."""
        return [None if all(part in (None, "") for part in parts) else alone(parts) for parts in self.inputs]


TEXTS = ("string", "large_string", "null")  # types of columns that hold texts, or nothing


def questions_of(
    task: Task,
    rows: Dataset,
    inputs: list[tuple[Any, ...]],
    faults: Mapping[int, str],
    findings: Sequence[Finding] = (),
) -> Questions:
    """Finds rows in which an input is missing, and puts an empty one there.

    Args:
        task: Says in which columns its inputs stand.
        rows: Raw rows.
        inputs: Theirs, as `inputs_of` gives them.
        faults: Why other rows cannot be asked, by their numbers.
        findings: What is worth a warning in how they were read.
    """
    for column, name in enumerate(task.inputs):
        missing = [number for number, parts in enumerate(inputs) if parts[column] is None]
        faults = {**dict.fromkeys(missing, f"nothing stands in the column '{name}'"), **faults}
        rows = _filled(rows, name, missing, name in task.file_columns) if missing else rows
    if task.file_columns:
        inputs = [tuple(_from_here(part) if isinstance(part, str) else part for part in parts) for parts in inputs]
    return Questions(rows, inputs, dict(sorted(faults.items())), list(findings))


def _filled(rows: Dataset, name: str, missing: Sequence[int], are_pictures: bool) -> Dataset:
    """Puts an empty input into the rows where it is missing; what is no text, list or picture is left to the task."""
    outer, _, inner = (name, "", "") if name in rows.column_names else name.partition(".")
    rows = cast_images(rows, name, "data") if are_pictures else rows
    values, feature = rows[outer][:], rows.features[outer]
    kind = feature[inner] if inner else feature
    is_text = isinstance(kind, Value) and kind.dtype in TEXTS
    if not (are_pictures or is_text or hasattr(kind, "feature")):
        return rows
    for number in missing:
        if are_pictures:
            values[number] = {"bytes": b"", "path": None}
        elif inner:
            values[number] = {**dict.fromkeys(feature), **(values[number] or {}), inner: ""}
        else:
            values[number] = [] if hasattr(feature, "feature") else ""
    table: Any = rows.with_format("arrow")[:]
    held = {column: table[column] for column in table.column_names}
    nothing = isinstance(feature, Value) and feature.dtype == "null"
    features = {**rows.features, outer: Value("string") if nothing else feature}
    return Dataset.from_dict({**held, outer: values}, features=Features(features))


def _from_here(name: str) -> str:
    """A file's name as it is called from the current folder, where it lies in it."""
    here = Path.cwd()
    return os.path.relpath(name, here) if name and Path(name).is_relative_to(here) else name
