"""Scores of weighted examples: of resamples, without some examples, of two runs' answers mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse

RESAMPLES = 1000

GROUPS = 200  # left out one after the other: of more examples, several at once

SEED = 0  # an interval belongs to the data and the answers alone: the same file gives the same interval

CELLS = 1 << 20  # numbers held at once: 8 MB, for sums over what the cache does not hold take up to twice as long

Scores = dict[str, float]

Bounds = tuple[float, float]

Values = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Share:
    """A score that is how many examples of some are right.

    Attributes:
        right: How many are.
        of: Of how many.
        is_f1: Whether the score is 2 x / (1 + x) of that share x: F1 follows so from right answers among the examples
            that a label was answered for or is true of (Hand, Christen and Kirielle 2021, section 3).
    """

    right: float
    of: float
    is_f1: bool = False


@dataclass(frozen=True)
class Weighted:
    """Scores of examples that may count more than once, or not at all.

    Attributes:
        examples: How many there are.
        values: From weights of `(examples, columns)`, values of `(columns,)` by name; always the same names. A value
            is NaN where there is no such score, as of a label that a resample lacks.
        shares: The scores that are shares of the examples, where each counts once.
        bounds: Between which values a score lies, such as `{"mcc": (-1, 1)}`; the name before a slash stands for
            the score of every label.
        usual_bounds: Those of all scores that `bounds` does not name; None where nothing is known.
    """

    examples: int
    values: Values
    shares: Mapping[str, Share] = field(default_factory=dict)
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    usual_bounds: Bounds | None = None

    @property
    def scores(self) -> Scores:
        """The values where each example counts once; undefined ones are left out."""
        found = self.values(np.ones((self.examples, 1)))
        return {name: float(value[0]) for name, value in found.items() if np.isfinite(value[0])}

    def bounds_of(self, name: str) -> Bounds | None:
        """Between which values a score lies, of a label too; None where that is not known."""
        return self.bounds.get(name.partition("/")[0], self.usual_bounds)

    def over(self, weights: Iterable[np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]:
        """The values of some scores, `(columns,)` in all; many columns at once, but not more than fit the cache.

        Args:
            weights: Arrays of `(examples, columns)`.
            names: Of the scores.
        """
        drawn: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for block in weights:
            # One row an example: sums over groups of examples then add whole rows, which lie in one piece.
            values = self.values(np.ascontiguousarray(block, dtype=np.float64))
            for name, chunks in drawn.items():
                chunks.append(values[name] if name in values else np.full(block.shape[1], np.nan))
        return {name: np.concatenate(chunks) for name, chunks in drawn.items()}


def repeated(
    score: Callable[[Sequence[Any], Sequence[Any]], Mapping[str, float]],
    answers: Sequence[Any],
    truths: Sequence[Any],
) -> Weighted:
    """Any score function as a weighted one: it is called once a column, with each example as often as it counts.

    Where it fails, as on a resample that misses a label, it has no value.
    """

    def values(weights: np.ndarray) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for column, times in enumerate(weights.T.astype(int)):
            index = np.repeat(np.arange(len(truths)), times).tolist()
            try:
                scores = score([answers[row] for row in index], [truths[row] for row in index])
            except Exception:  # whatever a metric of somebody else's raises
                continue
            for name, value in scores.items():
                found.setdefault(name, np.full(weights.shape[1], np.nan))[column] = value
        return found

    return Weighted(len(truths), values)


def resamples(count: int) -> Iterator[np.ndarray]:
    """Yields how often each of `count` examples is drawn: arrays of `(resamples, count)`, RESAMPLES rows in all."""
    generator = np.random.default_rng(SEED)
    rows = max(1, CELLS // max(count, 1))
    for start in range(0, RESAMPLES, rows):
        drawn = generator.integers(count, size=(min(rows, RESAMPLES - start), count))
        yield np.stack([np.bincount(draw, minlength=count) for draw in drawn])


def groups_of(count: int) -> np.ndarray:
    """The group of each of `count` examples, `(count,)`: each its own where there are no more than GROUPS.

    Groups of more are drawn, for neighbours in a file may be alike.
    """
    if count <= GROUPS:
        return np.arange(count)
    return np.random.default_rng(SEED).permutation(count) % GROUPS


def without_groups(count: int) -> Iterator[np.ndarray]:
    """Yields weights that leave out one group of `groups_of` after the other: arrays of `(count, groups)`."""
    group = groups_of(count)
    columns = max(1, 4 * CELLS // max(count, 1))  # as many as may be: what a block costs beside its sums is large
    for start in range(0, min(count, GROUPS), columns):
        yield group[:, None] != np.arange(start, min(start + columns, count, GROUPS))


def adding(group: np.ndarray, groups: int) -> scipy.sparse.csr_array:
    """The matrix `(groups, examples)` that adds up the weights of each group, `group` of `(examples,)` its number."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=groups))])
    order = np.argsort(group, kind="stable")
    return scipy.sparse.csr_array((np.ones(len(group)), order, starts), shape=(groups, len(group)))
