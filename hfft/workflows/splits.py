"""The data of a recipe, read: its splits, and what is held out of the training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from datasets import Dataset

from hfft.data.checks import Finding
from hfft.data.files import read_files
from hfft.data.sources import hold_out, read_hub, read_local, stream_hub
from hfft.data.streaming import Stream, open_stream
from hfft.data.table import Table, texts_within
from hfft.errors import RecipeError
from hfft.recipe import Recipe
from hfft.tasks.prepare import StreamReader
from hfft.tasks.task import Task
from hfft.workflows.defaults import BATCH_SIZE, Choice, hold_out_share

HOLD_OUT_SEED = 0  # not the run's: runs that differ in their seed are to be scored on the same rows


@dataclass(frozen=True)
class Data:
    """The splits as they were read.

    Attributes:
        splits: With a stream, `train` is the first of its rows.
        stream: The training rows, where they come as one.
        findings: What is odd about the files.
        uncut: Of the parts of a hold-out, the numbers that their rows have in `data.train`.
        held_out: The share of a hold-out that the recipe leaves open, where it is wanted.
    """

    splits: dict[str, Dataset]
    stream: Stream | None
    findings: list[Finding]
    uncut: dict[str, list[int]]
    held_out: Choice | None = None


def read_splits(recipe: Recipe, task: Task, tables: Mapping[str, Table]) -> Data:
    """Reads the data of a recipe, and holds out what it says.

    Args:
        recipe: The recipe.
        task: Says in which columns its inputs and labels stand.
        tables: Those in memory by split, where the recipe has `data.memory`.

    Raises:
        DataError: It is missing or broken.
    """
    data, stream, findings = recipe.data, None, []
    wanted = data.expressions()
    if data.streaming:
        stream = _stream(recipe, task)
        assert data.hub is not None  # the recipe has seen to it
        rest = read_hub(data.hub, data.config, data.revision, {**wanted, "train": None})
        splits, findings = {"train": stream.first, **rest}, stream.findings
    elif data.local is not None:
        named = [*texts_within(recipe.task.model_dump()), *recipe.eval.slices]
        splits, findings = read_local(data.local, wanted, named, partial(_table, recipe, task, tables))
    else:
        assert data.hub is not None  # the recipe has seen to it
        splits = read_hub(data.hub, data.config, data.revision, wanted)
    choice = hold_out_share(recipe, len(splits["train"]))
    share = data.holdout if choice is None else choice.value
    if not share:
        return Data(splits, stream, findings, {})
    whole = splits.pop("train")
    kept, held = hold_out(len(whole), share, HOLD_OUT_SEED, task.strata(whole))
    splits = {"train": whole.select(kept), "eval": whole.select(held), **splits}
    return Data(splits, stream, findings, {"train": kept.tolist(), "eval": held.tolist()}, choice)


def _table(recipe: Recipe, task: Task, tables: Mapping[str, Table], name: str) -> Table:
    """A table in memory, or what the files of that name hold."""
    if recipe.data.files is None:
        return tables[name]
    given = recipe.data.files[name]
    patterns = [given] if isinstance(given, str) else given
    where, numbers = f"data.files.{name}", task.number_columns
    return read_files(patterns, recipe.data.root, where, task.file_columns, number_columns=numbers)


def _stream(recipe: Recipe, task: Task) -> Stream:
    data = recipe.data
    assert data.hub is not None  # the recipe has seen to it
    if not task.streams:
        raise RecipeError(
            f"data.streaming: the task '{recipe.task.name}' cannot read its rows as a stream. Leave streaming out."
        )
    rows = stream_hub(data.hub, data.config, data.revision, data.train)
    return open_stream(rows, recipe.train.batch_size or BATCH_SIZE, StreamReader(task))
