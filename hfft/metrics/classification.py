"""Scores of one label per example, as scikit-learn defines them, for many resamples at once.

Everything but ROC-AUC follows from the confusion matrix; a resample of the examples is a matrix of weighted counts.
Names with a slash belong to one label: `f1/positive`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import scipy.sparse

from hfft.metrics.intervals import Intervals, Scores, percentiles, resamples


def classification_scores(
    answers: Sequence[str], truths: Sequence[str], probabilities: np.ndarray | None, labels: Sequence[str]
) -> Scores:
    """Accuracy, precision, recall and F1 (macro; `_micro` and `_weighted` beside), MCC and ROC-AUC, and per label.

    Averages run over the labels that occur in answers or truths, as in scikit-learn; 0/0 counts as 0. ROC-AUC is that
    of the second label where there are two, else the mean over labels of one against the rest; it is left out where
    the truths have one label only.

    Args:
        answers: Label names.
        truths: Label names.
        probabilities: `(examples, labels)`, or None where there are none.
        labels: All label names, in the order of `probabilities`.
    """
    values = _weighted(np.ones((1, len(truths))), _numbers(answers, truths, labels), probabilities, labels)
    return {name: float(value[0]) for name, value in values.items() if np.isfinite(value[0])}


def classification_intervals(
    answers: Sequence[str],
    truths: Sequence[str],
    probabilities: np.ndarray | None,
    labels: Sequence[str],
    confidence: float,
) -> Intervals:
    """Bootstrap intervals of every value of `classification_scores`."""
    numbers = _numbers(answers, truths, labels)
    drawn: dict[str, list[np.ndarray]] = {}
    for counts in resamples(len(truths)):
        for name, value in _weighted(counts, numbers, probabilities, labels).items():
            drawn.setdefault(name, []).append(value)
    return {name: percentiles(np.concatenate(values), confidence) for name, values in drawn.items()}


def _numbers(answers: Sequence[str], truths: Sequence[str], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    number = {label: index for index, label in enumerate(labels)}
    return np.array([number[a] for a in answers], dtype=int), np.array([number[t] for t in truths], dtype=int)


def _weighted(
    counts: np.ndarray, numbers: tuple[np.ndarray, np.ndarray], probabilities: np.ndarray | None, labels: Sequence[str]
) -> dict[str, np.ndarray]:
    """All scores for example weights `counts` of `(resamples, examples)`: arrays of `(resamples,)`."""
    answers, truths = numbers
    occurring = np.union1d(answers, truths)
    is_true, is_answer = truths[:, None] == occurring, answers[:, None] == occurring
    counts = counts.astype(np.float64)
    right, true, answered = (counts @ which for which in (is_true & is_answer, is_true, is_answer))
    total = counts.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        quotients = {"precision": right / answered, "recall": right / true, "f1": 2 * right / (answered + true)}
        absent = answered + true == 0  # in this resample the label does not occur: it has no score
        by_label = {name: np.where(absent, np.nan, np.nan_to_num(values)) for name, values in quotients.items()}
        scores = {"accuracy": right.sum(1) / total, "mcc": _mcc(right, answered, true, total)}
        if probabilities is not None:
            scores["roc_auc"] = _roc_auc(counts, truths, probabilities)
    for name, values in by_label.items():
        scores[name] = np.nanmean(values, axis=1)
        scores[f"{name}_micro"] = scores["accuracy"]  # with one label per example all three are the accuracy
        scores[f"{name}_weighted"] = np.nansum(values * true, axis=1) / total
    for name, values in by_label.items():
        for column, label in enumerate(occurring):
            scores[f"{name}/{labels[label]}"] = values[:, column]
    return scores


def _mcc(right: np.ndarray, answered: np.ndarray, true: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Matthews' correlation for any number of labels (Gorodkin 2004, equation 8)."""
    both = right.sum(1) * total - (answered * true).sum(1)
    spread = np.sqrt(total**2.0 - (answered**2.0).sum(1)) * np.sqrt(total**2.0 - (true**2.0).sum(1))
    return np.where(spread > 0, both / np.where(spread > 0, spread, 1), 0.0)


def _roc_auc(counts: np.ndarray, truths: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    columns = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [_area(counts, truths == column, probabilities[:, column]) for column in columns]
    if len(areas) > 1 and not all(np.any(truths == column) for column in columns):
        return np.full(len(counts), np.nan)  # one against the rest needs every label among the truths
    return np.nanmean(areas, axis=0)  # a resample without some label is averaged over the others


def _area(counts: np.ndarray, positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Chance that a positive example scores above a negative one, ties as a half (Mann-Whitney)."""
    levels, place = np.unique(score, return_inverse=True)
    winners, losers = np.flatnonzero(positive), np.flatnonzero(~positive)
    levels, level_of_winner = np.unique(place[winners], return_inverse=True)
    # A negative example counts for every level above its own, and as a half for its own: two halves, each added up
    # from where it starts to count.
    above, own = (np.searchsorted(levels, place[losers], side) for side in ("right", "left"))
    rows = np.arange(len(losers))
    halves = (np.full(2 * len(losers), 0.5), (np.concatenate([rows, rows]), np.concatenate([above, own])))
    below = counts[:, losers] @ scipy.sparse.csr_array(halves, (len(losers), len(levels) + 1))
    below = np.cumsum(below, axis=1)[:, level_of_winner]
    won = counts[:, winners] * below
    return won.sum(1) / (counts[:, winners].sum(1) * counts[:, losers].sum(1))
