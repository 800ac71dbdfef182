"""Bootstrap confidence intervals (Efron and Tibshirani 1993, chapter 13: the percentile method), over examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse

RESAMPLES = 1000
SEED = 0  # an interval belongs to the data and the answers alone: the same file gives the same interval
CELLS = 1 << 20  # numbers held at once: 8 MB, for sums over what the cache does not hold take up to twice as long

Scores = dict[str, float]
Intervals = dict[str, tuple[float, float]]
# The values of scores on RESAMPLES resamples, by name; not a number where a score is not defined. Resample by resample
# they belong together, whoever answered: the draws depend on the number of examples alone.
Resampled = dict[str, np.ndarray]
# A score of weighted examples: from weights of `(examples, resamples)`, values of `(resamples,)` by name. It always
# gives the same names; a value that is not defined is NaN.
WeightedScore = Callable[[np.ndarray], Mapping[str, np.ndarray]]


def resamples(count: int) -> Iterator[np.ndarray]:
    """Yields how often each of `count` examples is drawn: arrays of `(resamples, count)`, RESAMPLES rows in all."""
    generator = np.random.default_rng(SEED)
    rows = max(1, CELLS // max(count, 1))
    for start in range(0, RESAMPLES, rows):
        drawn = generator.integers(count, size=(min(rows, RESAMPLES - start), count))
        yield np.stack([np.bincount(draw, minlength=count) for draw in drawn])


def percentiles(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """The interval that holds the middle `confidence` of resampled values; undefined ones are left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def intervals_of(resampled: Resampled, confidence: float) -> Intervals:
    """The interval of each score that was resampled."""
    return {name: percentiles(values, confidence) for name, values in resampled.items()}


def bootstrap(
    score: Callable[[Sequence[Any], Sequence[Any]], Scores], answers: Sequence[Any], truths: Sequence[Any]
) -> Resampled:
    """The resampled values of any score function, which is called once a resample.

    A resample on which it fails, such as one that misses a label, has no value; where most have none, none has.
    """
    drawn: dict[str, dict[int, float]] = {}
    rows = (row for counts in resamples(len(truths)) for row in counts)
    for number, row in enumerate(rows):
        index = np.repeat(np.arange(len(truths)), row).tolist()
        try:
            scores = score([answers[i] for i in index], [truths[i] for i in index])
        except Exception:  # whatever a metric of somebody else's raises
            continue
        for name, value in scores.items():
            drawn.setdefault(name, {})[number] = value
    made: Resampled = {}
    for name, values in drawn.items():
        made[name] = np.full(RESAMPLES, np.nan)
        if 2 * len(values) > RESAMPLES:
            made[name][list(values)] = list(values.values())
    return made


def unweighted_scores(score: WeightedScore, count: int) -> Scores:
    """The values of a weighted score where each of `count` examples counts once; undefined ones are left out."""
    return {name: float(value[0]) for name, value in score(np.ones((count, 1))).items() if np.isfinite(value[0])}


def weighted_resampled(score: WeightedScore, count: int) -> Resampled:
    """The resampled values of each of `unweighted_scores`; the same as `bootstrap`, many resamples at once."""
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in unweighted_scores(score, count)}
    for counts in resamples(count):
        # One row an example: sums over groups of examples then add whole rows, which lie in one piece.
        values = score(np.ascontiguousarray(counts.T, dtype=np.float64))
        for name, chunks in drawn.items():
            chunks.append(values[name])
    return {name: np.concatenate(chunks) for name, chunks in drawn.items()}


def adding(group: np.ndarray, groups: int) -> scipy.sparse.csr_array:
    """The matrix `(groups, examples)` that adds up the weights of each group, `group` of `(examples,)` its number."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=groups))])
    order = np.argsort(group, kind="stable")
    return scipy.sparse.csr_array((np.ones(len(group)), order, starts), shape=(groups, len(group)))
