"""Scores of how examples are ranked, for many resamples at once: the area under ROC, the average precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hfft.metrics.weighing import adding

ALIKE = 4  # examples for each kind of weights, from which it pays to add up the kinds


@dataclass(frozen=True)
class Ranking:
    """Examples sorted by the scores of one label, once for all resamples.

    Attributes:
        group: `(examples,)`. From below, three groups for each distinct score of a positive example: negative examples
            between the score below and this one, those tied, the positive ones; then the negative examples above all
            scores, and examples that do not count.
        levels: How many distinct scores of positive examples there are.
    """

    group: np.ndarray
    levels: int


@dataclass(frozen=True)
class Levels:
    """Weights at each distinct score of a positive example, the lowest first.

    Attributes:
        winners: Positive examples with this score, `(levels, resamples)`.
        tied: Negative examples with this score, `(levels, resamples)`.
        reached: Negative examples with this or a lower score, `(levels, resamples)`.
        losers: All negative examples, `(resamples,)`.
    """

    winners: np.ndarray
    tied: np.ndarray
    reached: np.ndarray
    losers: np.ndarray


def ranked(positive: np.ndarray, score: np.ndarray, known: np.ndarray | None = None) -> Ranking:
    """Sorts examples by score.

    Args:
        positive: Booleans, `(examples,)`; one at least is true.
        score: `(examples,)`.
        known: Booleans, `(examples,)`, which examples count; all where there are none.
    """
    values = np.unique(score[positive])
    lower = np.searchsorted(values, score, "left")  # how many levels lie below the example
    tied = values[np.minimum(lower, len(values) - 1)] == score
    group = 3 * lower + np.where(positive, 2, tied)
    if known is not None:
        group[~known] = 3 * len(values) + 1
    return Ranking(group.astype(np.int16 if 3 * len(values) + 2 < 1 << 15 else np.int32), len(values))


def levels_of(rankings: Sequence[Ranking], counts: np.ndarray) -> Iterator[Levels]:
    """The levels of each ranking for weights of `(examples, resamples)`, one after the other, for they are large.

    Where many examples have the same weights in all resamples, as where groups of them are left out, these are added up
    first: so 1,000 labels over 50,000 examples take seconds.
    """
    kind, kinds = _kinds(counts)
    for ranking in rankings:
        groups = 3 * ranking.levels + 2
        if kind is None:
            sums = adding(ranking.group, groups) @ counts
        else:
            table = np.bincount(ranking.group.astype(np.int64) * len(kinds) + kind, minlength=groups * len(kinds))
            sums = table.reshape(groups, len(kinds)) @ kinds
        between, tied, winners = sums[:-2:3], sums[1:-1:3], sums[2::3]
        reached = np.cumsum(between + tied, axis=0)
        yield Levels(winners, tied, reached, reached[-1] + sums[-2])


def _kinds(counts: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """The number of the kind of weights of each example, and the kinds; None where hardly any are alike."""
    mixed = counts @ np.random.default_rng(0).random(counts.shape[1])
    _, first, kind = np.unique(mixed, return_index=True, return_inverse=True)
    kinds = counts[first]
    alike = len(kinds) * ALIKE <= len(counts) and bool((kinds[kind] == counts).all())
    return (kind if alike else None), kinds


def area(levels: Levels) -> np.ndarray:
    """Chance that a positive example scores above a negative one, ties as a half (Mann-Whitney): ROC-AUC.

    NaN in resamples that have examples of one kind only.
    """
    above, ties = (np.einsum("lr,lr->r", levels.winners, which) for which in (levels.reached, levels.tied))
    pairs = levels.winners.sum(0) * levels.losers
    return _quotient(above - ties / 2, pairs)


def average_precision(levels: Levels) -> np.ndarray:
    """The precision at each score of a positive example, weighted by how many have it, `(resamples,)`.

    NaN in resamples without a positive example.
    """
    winners = levels.winners.sum(0)
    won = winners - np.cumsum(levels.winners, axis=0) + levels.winners  # with this or a higher score
    lost = levels.losers - levels.reached + levels.tied
    found = won + lost
    precision = np.divide(won, found, out=np.zeros(found.shape), where=found != 0)
    return _quotient((levels.winners * precision).sum(0), winners)


def _quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """`above / below`, and NaN where `below` is 0."""
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
