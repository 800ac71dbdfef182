"""Bootstrap confidence intervals (Efron and Tibshirani 1993, chapter 13: the percentile method), over examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

RESAMPLES = 1000
SEED = 0  # an interval belongs to the data and the answers alone: the same file gives the same interval
CELLS = 1 << 24  # numbers held at once

Scores = dict[str, float]
Intervals = dict[str, tuple[float, float]]


def resamples(count: int) -> Iterator[np.ndarray]:
    """Yields how often each of `count` examples is drawn: arrays of `(resamples, count)`, RESAMPLES rows in all."""
    generator = np.random.default_rng(SEED)
    rows = max(1, CELLS // max(count, 1))
    for start in range(0, RESAMPLES, rows):
        drawn = generator.integers(count, size=(min(rows, RESAMPLES - start), count))
        yield np.stack([np.bincount(draw, minlength=count) for draw in drawn])


def percentiles(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """The interval that holds the middle `confidence` of the resampled values; undefined ones are left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap(
    score: Callable[[Sequence[Any], Sequence[Any]], Scores],
    answers: Sequence[Any],
    truths: Sequence[Any],
    confidence: float,
) -> Intervals:
    """Intervals for any score function, which is called once a resample."""
    drawn: dict[str, list[float]] = {}
    for counts in resamples(len(truths)):
        for row in counts:
            index = np.repeat(np.arange(len(truths)), row).tolist()
            for name, value in score([answers[i] for i in index], [truths[i] for i in index]).items():
                drawn.setdefault(name, []).append(value)
    return {name: percentiles(np.array(values), confidence) for name, values in drawn.items()}
