"""Which samples form which batch: a function of (seed, epoch), the same for any number of processes.

Resuming is arithmetic: nothing here has a state to save.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Grouping = bool | Literal["micro"]

POOL_BATCHES = 200  # batches in a pool that is sorted by length: SST-2 then has 2 % padding, with 50 it has 6 %


@dataclass(frozen=True)
class Part:
    """What one process holds at once.

    A process that has no row of its own left repeats the first one of the batch, which is computed and does not count:
    so all have equally many parts.

    Attributes:
        rows: Rows of the split.
        counts: Whether they count.
        partners: For each of them the next row of its global batch, the same however the batch is cut (of a batch of
            one row that row); None where a split is scored. With several processes most partners lie in the share of
            another one: both read them.
    """

    rows: np.ndarray
    counts: bool
    partners: np.ndarray | None = None


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Optimizer steps in an epoch: a short last batch is a step of its own."""
    return math.ceil(count / batch_size)


def epoch_batches(
    count: int, batch_size: int, seed: int, epoch: int, lengths: np.ndarray | None = None, group: Grouping = True
) -> list[np.ndarray]:
    """The global batches of one epoch, each row in exactly one of them.

    Grouped, rows are sorted by length inside large random pools, cut into batches, and the batches of all pools
    shuffled again: batches hold rows of like length, while their order says nothing about length. The rows of the short
    last batch are drawn before sorting, so they are no special ones.

    Args:
        count: Rows in the split.
        batch_size: Rows per optimizer step, over all processes.
        seed: The run's seed.
        epoch: From 0.
        lengths: `(count,)`, the length of each row, or None to shuffle only.
        group: Whether a batch holds rows of like length. With "micro" batches are random, and each is sorted by length,
            so that the micro-batches into which it is cut are alike.

    Returns:
        Arrays of row numbers; all of `batch_size` but perhaps the last.
    """
    generator = np.random.default_rng([seed, epoch])
    rows = generator.permutation(count)
    whole = count - count % batch_size
    body, tail = rows[:whole], rows[whole:]
    if lengths is not None and group is True:
        pool = POOL_BATCHES * batch_size
        pools = [body[start : start + pool] for start in range(0, whole, pool)]
        body = np.concatenate([p[np.argsort(lengths[p], kind="stable")] for p in pools]) if pools else body
    batches = list(body.reshape(-1, batch_size))
    batches = [batches[index] for index in generator.permutation(len(batches))]
    batches = [*batches, tail] if len(tail) else batches
    if lengths is not None and group == "micro":
        batches = [batch[np.argsort(lengths[batch], kind="stable")] for batch in batches]
    return batches


def parts(batch: np.ndarray, micro_batch_size: int | None, rank: int, processes: int) -> list[Part]:
    """One process's parts of a global batch; every process gets equally many.

    Args:
        batch: `(rows,)`, a global batch.
        micro_batch_size: Rows one process holds at once; None for its whole share.
        rank: This process.
        processes: How many there are.
    """
    share = math.ceil(len(batch) / processes)
    size = min(micro_batch_size or share, share)
    mine, partners = (rows[rank::processes] for rows in (batch, np.roll(batch, -1)))
    starts = range(0, len(mine), size)
    pieces = [Part(mine[start : start + size], True, partners[start : start + size]) for start in starts]
    filler = [Part(batch[:1], False, batch[:1])] * (math.ceil(share / size) - len(pieces))
    return pieces + filler


def smallest_part(count: int, batch_size: int, micro_batch_size: int | None, processes: int) -> int:
    """Rows of the smallest part that any process holds in an epoch; those that do not count are computed too."""
    sizes = {min(batch_size, count), count % batch_size} - {0}
    cut = (parts(np.arange(size), micro_batch_size, rank, processes) for size in sizes for rank in range(processes))
    return min(len(part.rows) for mine in cut for part in mine)


@dataclass(frozen=True)
class Budget:
    """How much one process answers at once.

    Attributes:
        rows: At most; None for any number.
        tokens: At most, padding included, one row at least; None for any number.
    """

    rows: int | None
    tokens: int | None = None

    def holds(self, length: int) -> int:
        """How many rows of a length, which is 0 where rows have none."""
        by_tokens = max(1, self.tokens // length) if self.tokens and length else None
        return min(rows for rows in (self.rows, by_tokens, 1 << 30) if rows is not None)


def scoring_parts(lengths: np.ndarray | None, count: int, budget: Budget, rank: int, processes: int) -> list[Part]:
    """One process's parts of a split that is scored: longest rows first, every process equally many parts."""
    rows = np.arange(count) if lengths is None else np.argsort(-lengths, kind="stable")
    pieces, start = [], 0
    while start < count:
        size = budget.holds(0 if lengths is None else int(lengths[rows[start]]))
        pieces.append(rows[start : start + size])
        start += size
    mine = [Part(piece, True) for piece in pieces[rank::processes]]
    filler = [Part(rows[:1], False)] * (math.ceil(len(pieces) / processes) - len(mine))
    return mine + filler
