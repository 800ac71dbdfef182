"""Turns parts of a split into batches of tensors, in worker processes where wanted."""

from __future__ import annotations

import os
import shutil
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import tee
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.utils.data import DataLoader, get_worker_info

from hfft.data.sampling import Grouping, Part, epoch_batches, parts, steps_per_epoch
from hfft.data.states import Batch, States
from hfft.errors import HfftError, SetupError

Collate = Callable[[list[dict[str, Any]]], Batch]

TRUNK = "trunk"
"""In a batch, what the model's frozen trunk makes of its rows; in a row, that its inputs are not needed for that."""

SHARED = Path("/dev/shm")  # where Linux has the memory that processes share


@dataclass(frozen=True)
class Views:
    """Training sees each example by a view drawn at random: a function of (seed, epoch, id), and so exact under resume.

    `collate` then finds `draw` in each row, a tuple of these three numbers; without it the row is to be scored.

    Attributes:
        mixed: Another row of the global batch stands in it as `partner`, with a `draw` of its own.
        count: How many views there are of an example, which the epochs show in turn; None for one of each epoch.
    """

    mixed: bool = False
    count: int | None = None


@dataclass(frozen=True)
class Examples:
    """A prepared split.

    Attributes:
        rows: What `collate` takes, a row an example.
        ids: `(len(rows),)`, each example's number in file order; rows that were left out leave gaps.
        lengths: `(len(rows),)`, the length by which like rows are batched together; None for any.
        views: How training sees the examples; None for as they are.
        labels: The right answers as plain values, one an example; None where there is none. Empty where nobody asks.
        inputs: What was asked, a Dataset as the task's `read` gives it, a row an example; None where nobody asks.
        states: What the model's frozen trunk makes of the examples; one for each view of them that is kept. Empty where
            it is computed.
    """

    rows: Dataset
    ids: np.ndarray
    lengths: np.ndarray | None
    views: Views | None = None
    labels: Sequence[Any] = ()
    inputs: Any = None
    states: Sequence[States] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, places: np.ndarray) -> Examples:
        """The examples at these places, in this order."""
        return replace(
            self,
            rows=self.rows.select(places),
            ids=self.ids[places],
            lengths=None if self.lengths is None else self.lengths[places],
            labels=[self.labels[place] for place in places] if self.labels else (),
            inputs=None if self.inputs is None else self.inputs.select(places),
            states=(),
        )


@dataclass(frozen=True)
class MicroBatch:
    """What one process computes at once: tensors on the CPU, the ids of the examples, and whether they count."""

    batch: Batch
    ids: list[int]
    counts: bool

    @property
    def cells(self) -> tuple[int, int]:
        """Tokens in the batch, and tokens with padding; (0, 0) for a batch that does not count or has no tokens."""
        found = (self.batch.get(name) for name in ("attention_mask", "decoder_attention_mask"))
        masks = [mask for mask in found if mask is not None and self.counts]
        return sum(int(mask.sum()) for mask in masks), sum(mask.numel() for mask in masks)


@dataclass(frozen=True)
class StepBatches:
    """One process's micro-batches of one optimizer step, and the rows of the whole global batch."""

    epoch: int
    rows: int
    micro_batches: list[MicroBatch]


@dataclass(frozen=True)
class Cut:
    """How training rows become batches: all that `train_batches` and `stream_batches` need but the rows."""

    batch_size: int
    micro_batch_size: int | None
    seed: int
    rank: int
    processes: int
    workers: int
    group_by_length: Grouping = True  # as `hfft.data.sampling.epoch_batches` has it


def load(
    examples: Examples, wanted: Iterable[tuple[Part, tuple[int, int] | None]], collate: Collate, workers: int
) -> Iterator[MicroBatch]:
    """Loads parts of a split, in order. No random state is read or moved.

    Args:
        examples: The split.
        wanted: Its parts, each with the run's seed and the epoch where it is trained on, or None where it is scored.
        collate: Makes a batch of rows.
        workers: Processes that do it; 0 for this one.

    Raises:
        SetupError: One of them ended, or there is no memory to share with them.
    """
    flags: deque[bool] = deque()

    def rows() -> Iterator[tuple[Part, tuple[int, int] | None]]:
        for part, drawn in wanted:
            flags.append(part.counts)
            yield part, drawn

    with told_of_workers(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)  # `worker_warnings` says it
        loader = DataLoader(
            _Rows(examples, collate),  # type: ignore[arg-type]
            batch_sampler=rows(),  # type: ignore[arg-type]
            collate_fn=_as_it_is,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # else each iteration draws from the global random state
        )
        loaded = iter(loader)
    while True:
        with told_of_workers():
            made = next(loaded, None)
        if made is None:
            return
        if isinstance(made, HfftError):
            raise made
        batch, ids = made
        yield MicroBatch(batch, ids, flags.popleft())


@contextmanager
def told_of_workers() -> Iterator[None]:
    """Turns what is raised inside where a process that loads batches has ended into an error of ours.

    torch raises it wherever this process happens to be, not only where it waits for a batch.

    Raises:
        SetupError: One has ended, or they cannot be started.
    """
    try:
        yield
    except (RuntimeError, OSError) as error:
        text = str(error)
        if not text.startswith("DataLoader worker") and "shared memory" not in text:
            raise
        raise SetupError(no_workers(text.partition(". It is possible")[0])) from error


def no_workers(reason: str) -> str:
    """What to say where processes that load batches cannot do so."""
    room = f", {SHARED} ({shutil.disk_usage(SHARED).free / 2**20:,.1f} MiB of it are free)" if SHARED.is_dir() else ""
    return (
        f"The processes of data.workers, which load batches, cannot go on: {reason.rstrip('.')}. They pass batches on "
        f"in shared memory{room}, and the system ends processes where memory is short: give this machine or "
        "container more (docker run --shm-size=2g), a smaller train.micro_batch_size, or fewer data.workers; 0 does "
        "without. The same command goes on."
    )


def cores() -> int:
    """How many cores this process may use; not all systems can say it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_warnings(workers: int) -> list[str]:
    """A warning where more processes load batches than there are cores, for as many beside each training process."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # on this machine
    if workers * processes <= cores():
        return []
    beside = f" beside each of {processes} processes" if processes > 1 else ""
    return [f"data.workers is {workers}{beside}, but there are {cores()} cores: more load no faster and take memory."]


def train_batches(examples: Examples, collate: Collate, cut: Cut, first: int, last: int) -> Iterator[StepBatches]:
    """Yields the steps from number `first` (from 0) up to, not including, `last`, across epochs."""
    yield from load_steps(examples, _batches(examples, cut, first, last), collate, cut)


def load_steps(
    examples: Examples, batches: Iterable[tuple[int, np.ndarray]], collate: Collate, cut: Cut
) -> Iterator[StepBatches]:
    """Loads this process's micro-batches of global batches, which come as epoch and rows."""
    steps = ((epoch, len(b), parts(b, cut.micro_batch_size, cut.rank, cut.processes)) for epoch, b in batches)
    ahead, steps = tee(steps)  # workers load ahead of the step that is yielded
    wanted = ((part, (cut.seed, epoch)) for epoch, _, step_parts in ahead for part in step_parts)
    loaded = load(examples, wanted, collate, cut.workers)
    for epoch, rows, step_parts in steps:
        yield StepBatches(epoch, rows, [next(loaded) for _ in step_parts])


def _batches(examples: Examples, cut: Cut, first: int, last: int) -> Iterator[tuple[int, np.ndarray]]:
    per_epoch = steps_per_epoch(len(examples), cut.batch_size)
    epoch, batches = -1, []
    for step in range(first, last):
        if step // per_epoch != epoch:
            epoch = step // per_epoch
            batches = epoch_batches(
                len(examples), cut.batch_size, cut.seed, epoch, examples.lengths, cut.group_by_length
            )
        yield epoch, batches[step % per_epoch]


class _Rows:
    """A map-style data set that fetches and collates a whole part at once, in the worker where there is one."""

    def __init__(self, examples: Examples, collate: Collate):
        self.examples, self.collate = examples, collate

    def __len__(self) -> int:
        return len(self.examples)

    def __getitems__(self, wanted: tuple[Part, tuple[int, int] | None]) -> tuple[Batch, list[int]] | HfftError:
        try:
            batch, ids = self._batch(*wanted)
        except HfftError as error:  # a value: an exception would come out of a worker with its traceback for a message
            return error
        if get_worker_info() is not None:
            try:  # here: where torch's queue cannot share a batch it drops it, and the other end waits for ever
                for tensor in batch.values():
                    tensor.share_memory_()
            except (RuntimeError, OSError) as error:
                return SetupError(no_workers(str(error)))
        return batch, ids

    def _batch(self, part: Part, drawn: tuple[int, int] | None) -> tuple[Batch, list[int]]:
        views = self.examples.views if drawn is not None else None
        if drawn is not None and views is not None and views.count is not None:
            drawn = (drawn[0], drawn[1] % views.count)
        partners = part.partners.tolist() if views is not None and views.mixed and part.partners is not None else []
        numbers = list(dict.fromkeys([*part.rows.tolist(), *partners]))
        columns = self.examples.rows[numbers]
        found = {
            number: dict(zip(columns, values, strict=True))
            for number, values in zip(numbers, zip(*columns.values(), strict=True), strict=True)
        }
        if views is not None and drawn is not None:
            for number, row in found.items():
                row["draw"] = (*drawn, int(self.examples.ids[number]))
        items = [dict(found[number]) for number in part.rows.tolist()]
        for item, partner in zip(items, partners, strict=False):
            item["partner"] = found[partner]
        ids = self.examples.ids[part.rows].tolist()
        if not self.examples.states:
            return self.collate(items), ids
        states = self.examples.states[drawn[1] if drawn is not None and views is not None else 0]
        batch = self.collate([{**item, TRUNK: True} for item in items] if states.for_inputs else items)
        return {**batch, TRUNK: states.batch(part.rows, batch.get("attention_mask"))}, ids


def _as_it_is(fetched: Any) -> Any:
    return fetched
