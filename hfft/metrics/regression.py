"""Scores of numbers, as SciPy and scikit-learn define them, for many resamples at once.

Names with a slash belong to one of several outputs: `pearson/cohesion`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.sparse import csr_array

from hfft.metrics.weighing import Weighted, adding

BOUNDS = {
    **dict.fromkeys(("pearson", "spearman"), (-1.0, 1.0)),
    **dict.fromkeys(("mse", "rmse", "mae"), (0.0, math.inf)),
    "r2": (-math.inf, 1.0),
}


def regression_weighted(answers: np.ndarray, truths: np.ndarray, names: Sequence[str]) -> Weighted:
    """Pearson's and Spearman's correlation, `mse`, `rmse`, `mae` and `r2`; of several outputs, the mean and each.

    Left out are correlations where all answers or all truths are equal, `r2` where all truths are, and whatever is not
    finite because an answer is not; with several outputs also their means.

    Args:
        answers: `(examples, outputs)`.
        truths: `(examples, outputs)`.
        names: Of the outputs.
    """
    shapes = {answers.shape, truths.shape}
    assert shapes == {(len(truths), len(names))}, f"answers and truths of {shapes} for {len(names)} outputs"
    pairs = list(zip(answers.astype(np.float64).T, truths.astype(np.float64).T, strict=True))
    errors = [answer - truth for answer, truth in pairs]
    columns = [(_column(answer), _column(truth)) for answer, truth in pairs]
    return Weighted(len(truths), partial(_scores, names, errors, columns), bounds=BOUNDS)


@dataclass(frozen=True)
class _Column:
    """The answers or the truths of one output, sorted once for all resamples.

    Attributes:
        values: `(examples,)`, the mean taken off: sums of squares far from 0 would lose the digits that differ.
        level: The place of each value among the distinct ones, `(examples,)`.
        by_level: Adds up the weights of equal values, `(levels, examples)`.
    """

    values: np.ndarray
    level: np.ndarray
    by_level: csr_array


def _column(values: np.ndarray) -> _Column:
    distinct, level = np.unique(values, return_inverse=True)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        return _Column(values - values.mean(), level, adding(level, len(distinct)))


def _scores(
    names: Sequence[str], errors: Sequence[np.ndarray], columns: Sequence[tuple[_Column, _Column]], counts: np.ndarray
) -> dict[str, np.ndarray]:
    """All scores for weights of `(examples, resamples)`: arrays of `(resamples,)`."""
    with np.errstate(all="ignore"):  # what is not finite, or 0/0, is left out
        outputs = [_output(error, *pair, counts) for error, pair in zip(errors, columns, strict=True)]
    scores = {name: np.mean([output[name] for output in outputs], axis=0) for name in outputs[0]}
    if len(outputs) > 1:
        for name in outputs[0]:
            scores |= {f"{name}/{of}": output[name] for of, output in zip(names, outputs, strict=True)}
    return scores


def _output(error: np.ndarray, answers: _Column, truths: _Column, counts: np.ndarray) -> dict[str, np.ndarray]:
    """The scores of one output: arrays of `(resamples,)`."""
    total = counts.sum(0)
    squares = error**2 @ counts
    answer, answer_rank, answers_differ = _deviations(answers, counts)
    truth, truth_rank, truths_differ = _deviations(truths, counts)
    both_differ = answers_differ & truths_differ
    return {
        "pearson": np.where(both_differ, _correlation(answer, truth, counts), np.nan),
        "spearman": np.where(both_differ, _correlation(answer_rank, truth_rank, counts), np.nan),
        "mse": squares / total,
        "rmse": np.sqrt(squares / total),
        "mae": abs(error) @ counts / total,
        "r2": np.where(truths_differ, 1 - squares / _sum_of_products(truth, truth, counts), np.nan),
    }


def _deviations(column: _Column, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far values and ranks lie from their mean in each resample, and whether there are two values to compare.

    Equal values share the mean of their ranks.

    Returns:
        Twice `(examples, resamples)`; booleans, `(resamples,)`.
    """
    total = counts.sum(0)
    values = column.values[:, None] - column.values @ counts / total
    held = column.by_level @ counts
    # The last rank of a level is the sum so far, its mean rank lies (held - 1) / 2 below, the mean of all ranks is
    # (total + 1) / 2: halves of whole numbers, and exact.
    ranks = np.cumsum(held, axis=0) - held / 2 - total / 2
    defined = np.isfinite(column.values).all()  # what is not a number has a place in the order, but should have no rank
    return values, ranks[column.level], defined & ((held > 0).sum(0) > 1)


def _correlation(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    spread = np.sqrt(_sum_of_products(first, first, counts)) * np.sqrt(_sum_of_products(second, second, counts))
    return np.clip(_sum_of_products(first, second, counts) / spread, -1, 1)


def _sum_of_products(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.einsum("er,er,er->r", first, second, counts)
