"""What is made of a task for all that is not its own: examples of data, of new rows and of streams.

Nothing here asks which task it is, and no task writes any of it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from datasets import Dataset

from hfft.data import checks
from hfft.data.columns import as_array, chosen
from hfft.data.labels import NEW_ROWS
from hfft.data.loaders import Examples
from hfft.data.tokenization import encode_rows, told_lengths
from hfft.errors import DataError
from hfft.models.pretrained import Pretrained
from hfft.tasks.task import Task


@dataclass(frozen=True)
class Prepared:
    """Examples of data.

    Attributes:
        splits: The examples by split name.
        findings: What the checks found; each is a counted warning.
        summary: By split, plain values for people, as `Task.describe` gives them; beside them `rows` (the examples) and
            `tokens` (`median` and `longest`).
        unanswered: Of new rows: why one is no example, by its number, such as a picture that cannot be read.
    """

    splits: dict[str, Examples] = field(default_factory=dict)
    findings: list[checks.Finding] = field(default_factory=list)
    summary: dict[str, dict[str, Any]] = field(default_factory=dict)
    unanswered: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Split:
    """A split on its way: raw rows, what was read of them, the labels, and why some cannot be read."""

    name: str
    rows: Dataset
    inputs: Dataset
    labels: Sequence[Any]
    faults: Mapping[int, str]
    scored: bool  # whether labels were read

    @property
    def readable(self) -> np.ndarray:
        """`(rows,)`, whether a row can be read."""
        flags = np.ones(len(self.inputs), dtype=bool)
        flags[list(self.faults)] = False
        return flags


def prepare(task: Task, splits: Mapping[str, Dataset], pretrained: Pretrained) -> Prepared:
    """Checks the data and makes examples of it.

    Args:
        task: Fresh.
        splits: Raw rows by split name, `train` among them.
        pretrained: Brings the processor and the configuration.

    Raises:
        DataError: The data cannot be trained on; the message names column and row.
    """
    checks.require_rows(splits)
    task.look(splits["train"])
    task.setup(pretrained)
    read = {name: _read(task, name, rows) for name, rows in splits.items()}
    train = read["train"]
    task.fit(train.rows, train.labels, train.readable.tolist(), pretrained)
    inputs = {name: split.inputs for name, split in read.items()}
    prepared = Prepared(findings=task.findings(inputs, train.labels))
    for name, split in read.items():
        _put(task, split, name != "train" and _answers_unlabelled(task), prepared, keep=True)
    task.fit_examples(prepared.splits["train"])
    return prepared


def restore(task: Task, pretrained: Pretrained) -> None:
    """Makes a task ready to answer and to be scored, from a finished model alone."""
    task.setup(pretrained)
    task.restore(pretrained)


def new_rows(task: Task, rows: Dataset, scored: bool) -> Prepared:
    """Makes examples of new rows, after `prepare` or `restore`: one split, "data"; none if no row can be answered.

    Args:
        task: Ready to answer.
        rows: Raw rows. Each has a value in the columns of the input, be it an empty one.
        scored: Whether the right answers are in the rows; else only the inputs are looked at.

    Raises:
        DataError: As `prepare`.
    """
    if not len(rows):
        raise DataError("There are no rows to answer.")
    split = _read(task, NEW_ROWS, rows, scored)
    prepared = Prepared(unanswered=dict(split.faults))
    if scored or split.readable.any():
        _put(task, split, not scored or _answers_unlabelled(task), prepared, keep=False)
    return prepared


class StreamReader:
    """Makes examples of the raw training rows of a stream (see `hfft.data.streaming.Encoder`)."""

    def __init__(self, task: Task):
        self.task = task
        self.check_stream = task.check_stream
        self.collate = task.collate

    def answered(self, rows: Dataset) -> list[bool]:
        """Whether there is a right answer to each row, so that one can train on it."""
        return [label is not None for label in self.task.labels(rows, "train")]

    def encode(self, rows: Dataset) -> Examples:
        """Makes examples of rows that are all answered, one each in order."""
        read = _read(self.task, "train", rows)
        return _trimmed(self.task, _examples(self.task, read, np.arange(len(rows)), keep=False), "train")


def _read(task: Task, name: str, rows: Dataset, scored: bool = True) -> _Split:
    inputs = task.read(rows, name)
    labels = task.labels(rows, name) if scored else [None] * len(rows)
    return _Split(name, rows, inputs, labels, task.faults(inputs, name), scored)


def _answers_unlabelled(task: Task) -> bool:
    return getattr(task.options, "unlabelled", "skip") == "predict"


def _put(task: Task, split: _Split, predict: bool, prepared: Prepared, keep: bool) -> None:
    """Puts a split, its findings and its summary into `prepared`.

    Args:
        task: The task.
        split: What was read.
        predict: Whether rows without a label stay in, to be answered.
        prepared: Gets it.
        keep: Keep the features on disk.
    """
    if split.scored:
        prepared.findings.extend(task.label_findings(split.rows, split.name))
    examples = _examples(task, split, _wanted(task, split, predict, prepared), keep)
    told, found = task.describe(split.name, split.inputs, split.labels, examples)
    prepared.findings.extend(found)
    examples = _trimmed(task, examples, split.name)
    if split.name != "train":  # which nobody answers
        ids = examples.ids
        labels = task.shown_labels(chosen(split.labels, ids), examples.rows)
        examples = replace(examples, labels=labels, inputs=_chosen(split.inputs, ids))
    prepared.splits[split.name] = examples
    tokens = {} if examples.lengths is None else {"tokens": told_lengths(examples.lengths)}
    prepared.summary[split.name] = {"rows": len(examples), **told, **tokens}


def _wanted(task: Task, split: _Split, predict: bool, prepared: Prepared) -> np.ndarray:
    """The rows of a split that become examples; those without a label are counted."""
    name, option = split.name, task.label_option
    without = np.fromiter((label is None for label in split.labels), dtype=bool)
    done = "are answered and not scored" if predict else "are left out"
    text = f"have no {option} and {done}"
    prepared.findings.extend(checks.count_rows(checks.UNLABELLED, name, without, len(without), text))
    wanted = np.ones(len(without), dtype=bool) if predict else ~without
    if not wanted.any():
        answerable = name != "train" and hasattr(task.options, "unlabelled")
        hint = " To have its rows answered: task.unlabelled=predict." if answerable else ""
        columns = getattr(task.options, option)
        listed = checks.listed([columns] if isinstance(columns, str) else columns)
        raise DataError(f"task.{option}: no row of the {name} split has any in {listed}.{hint}")
    ids = np.flatnonzero(wanted & split.readable)
    if not len(ids):
        raise task.none_readable(split.inputs, name, split.faults)
    return ids


def _examples(task: Task, split: _Split, ids: np.ndarray, keep: bool) -> Examples:
    """Makes examples of the rows `ids`."""
    labels, name = split.labels, split.name
    if task.caches:
        rows = _chosen(split.inputs, ids)
        rows = task.add_labels(rows, labels, ids, name) if task.reads_labels else rows
        settings = [type(task).__qualname__, *task.preprocess_settings()] if keep else None
        rows = encode_rows(rows, task.preprocess, rows.column_names, task.processor, settings)
        rows = rows if task.reads_labels else task.add_labels(rows, labels, ids, name)
    else:  # a column is not added to chosen rows without copying all images
        rows = task.add_labels(split.inputs, labels, np.arange(len(labels)), name).select(ids)
    return Examples(rows, ids, task.lengths(rows), task.views() if name == "train" else None)


def _chosen(rows: Dataset, ids: np.ndarray) -> Dataset:
    """The rows `ids`. Where these are all, `rows` itself: a new Dataset takes milliseconds, and one text few."""
    return rows if np.array_equal(ids, np.arange(len(rows))) else rows.select(ids)


def _trimmed(task: Task, examples: Examples, split: str) -> Examples:
    """The examples without what nobody reads again; of the training rows those that one can learn from."""
    rows = examples.rows
    if split == "train" and "learnable" in rows.column_names:
        kept = np.flatnonzero(as_array(rows, "learnable"))
        if not len(kept):
            raise DataError("No row of the train split has anything to learn from: the tokenizer makes no token of it.")
        examples = examples.select(kept)
    needless = {"learnable", *(task.for_answers if split == "train" else ())}
    told = [name for name in rows.column_names if name in needless or name.endswith("cut")]
    return replace(examples, rows=examples.rows.remove_columns(told)) if told else examples
