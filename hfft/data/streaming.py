"""Training rows as a stream: read anew in every epoch, batched a pool at a time, never held as a whole.

Nothing here has a state to save: to go on from a step the stream is read again up to there, without tokenizing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from datasets import ClassLabel, Dataset, IterableDataset

from hfft.data.checks import Finding
from hfft.data.loaders import Batch, Cut, Examples, StepBatches, load_steps
from hfft.data.sampling import POOL_BATCHES, epoch_batches, steps_per_epoch
from hfft.errors import DataError, RecipeError


@runtime_checkable
class Encoder(Protocol):
    """What a task needs for its training rows to come as a stream."""

    def check_stream(self, first: Dataset) -> list[Finding]:
        """Tells what is known of the training rows from the first of them alone, before `prepare` gets these.

        Raises:
            RecipeError: Something has to be known of all rows, and the recipe does not give it.
        """
        ...

    def answered(self, rows: Dataset) -> list[bool]:
        """Whether there is a right answer to each raw row, so that one can train on it."""
        ...

    def encode(self, rows: Dataset) -> Examples:
        """Makes examples of raw training rows that are all answered, one each in order, after `prepare`."""
        ...

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        """See `hfft.tasks.task.Task.collate`."""
        ...


@dataclass(frozen=True)
class Stream:
    """Rows whose number is not known.

    Attributes:
        rows: All of them, in file order.
        first: The first of them: a pool, in which some may be unanswered. It is all that is known before training.
        pool: How many rows are shuffled and sorted by length together.
        encoder: Makes examples of them.
        findings: What is worth a warning.
    """

    rows: IterableDataset
    first: Dataset
    pool: int
    encoder: Encoder
    findings: list[Finding]


def open_stream(rows: IterableDataset, batch_size: int, encoder: Encoder) -> Stream:
    """Reads the first pool of a stream.

    Raises:
        DataError: It cannot be read, or there is no row.
        RecipeError: As `Encoder.check_stream`.
    """
    pool = POOL_BATCHES * batch_size
    with _place("its beginning"):
        columns = next(iter(rows.iter(pool)), None)
    if columns is None:
        raise DataError("The train split (data.train) has no rows.")
    first = Dataset.from_dict(columns, rows.features)
    text = (
        "are the first of a stream: labels, lengths and repetitions were looked for in these alone. Rows further on "
        "that have no answer are left out as well"
    )
    findings = [Finding("stream", "train", len(first), len(first), text), *encoder.check_stream(first)]
    return Stream(rows, first, pool, encoder, findings)


def require_known_labels(
    first: Dataset, columns: Sequence[str], given: Sequence[str] | None, class_weights: Any
) -> None:
    """Raises RecipeError where only the rows say which labels there are, or how many: the first do not have them all.

    Args:
        first: The first rows.
        columns: The columns of the label; of several each is a label.
        given: `task.labels`.
        class_weights: `task.class_weights`; "balanced" counts rows.
    """
    feature = first.features[columns[0]]
    if given is None and len(columns) == 1 and not isinstance(getattr(feature, "feature", feature), ClassLabel):
        raise RecipeError(
            f"data.streaming: all labels must be known before the first step, and the column '{columns[0]}' brings no "
            "list of them. Give it in task.labels."
        )
    if class_weights == "balanced":
        raise RecipeError(
            "task.class_weights is 'balanced', which counts the labels of all rows, but a stream (data.streaming) is "
            "not known before it is read. Give weights by label name."
        )


def stream_batches(stream: Stream, cut: Cut, first: int, last: int) -> Iterator[StepBatches]:
    """Yields the steps from number `first` (from 0) up to, not including, `last`, as `loaders.train_batches` does.

    An epoch ends where the stream ends. Every process reads all of it, and takes its parts of each batch.

    Raises:
        DataError: The stream breaks off, or a row cannot be trained on.
    """
    step = epoch = 0
    while step < last:
        before = step
        for number, rows in enumerate(_pools(stream, cut.seed, epoch)):
            steps = steps_per_epoch(len(rows), cut.batch_size)
            if step + steps > first:
                yield from _pool_steps(stream, rows, cut, (epoch, number), slice(max(first - step, 0), last - step))
            step += steps
            if step >= last:
                return
        if step == before:
            raise DataError(f"The stream of training rows has no answered row in epoch {epoch}.")
        epoch += 1
        if epoch == 1:  # only now is it known how long an epoch is, and how many lie before `first`
            passed = max(first - step, 0) // step
            epoch, step = epoch + passed, step + passed * step


def _pools(stream: Stream, seed: int, epoch: int) -> Iterator[Dataset]:
    """The answered rows of an epoch in pools, all of them whole but the last.

    `datasets` shuffles the order of the files, unless the stream is a slice, and rows as far as its buffer reaches.
    It could read several files at once, and mix better, but in threads: a worker process must not be forked beside.
    """

    def answered(columns: dict[str, list[Any]]) -> list[bool]:
        return stream.encoder.answered(Dataset.from_dict(columns, stream.first.features))

    buffer: dict[str, Any] = {"buffer_size": stream.pool, "max_buffer_input_shards": 1}
    rows = stream.rows.shuffle(seed=_seed(seed, epoch), **buffer)
    rows = rows.filter(answered, batched=True, batch_size=stream.pool)
    pools = rows.iter(stream.pool)
    while True:
        with _place(f"epoch {epoch}"):
            columns = next(pools, None)
            if columns is None:
                return
            made = Dataset.from_dict(columns, stream.first.features)  # types found in a csv differ from part to part
        yield made


def _pool_steps(stream: Stream, rows: Dataset, cut: Cut, pool: tuple[int, int], wanted: slice) -> Iterator[StepBatches]:
    """The wanted steps of a pool, which is given by epoch and number."""
    epoch, number = pool
    with _place(f"pool {number} of epoch {epoch}"):
        examples = stream.encoder.encode(rows)
    assert len(examples) == len(rows), "a row that is answered is an example"
    seed, lengths = _seed(cut.seed, epoch, 1 + number), examples.lengths
    batches = epoch_batches(len(rows), cut.batch_size, seed, epoch, lengths, cut.group_by_length)
    yield from load_steps(examples, ((epoch, batch) for batch in batches[wanted]), stream.encoder.collate, cut)


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@contextmanager
def _place(where: str) -> Iterator[None]:
    """Names the part of the stream in errors."""
    try:
        yield
    except DataError as error:
        shuffled = "rows are shuffled, and counted from the first of its part: look for the value"
        raise DataError(f"In the stream of training rows, {where} ({shuffled}): {error}") from error
    except Exception as error:  # whatever network and files come up with
        raise DataError(
            f"The stream of training rows cannot be read, in {where}: {type(error).__name__}: {error}. A run goes on "
            "from its last checkpoint when it is started again."
        ) from error
