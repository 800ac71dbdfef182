"""Scores of one label per example, as scikit-learn defines them, for many resamples at once.

Everything but ROC-AUC follows from the confusion matrix. A resample is a column of weights: how often each example was
drawn.
Names with a slash belong to one label: `f1/positive`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy.sparse import csr_array

from hfft.metrics.ranking import Ranking, area, levels_of, ranked
from hfft.metrics.weighing import Share, Weighted, adding

TOP = 5

ROWS = 1000  # looked at once

BY_LABEL = ("precision", "recall", "f1")


def classification_weighted(
    answers: Sequence[str], truths: Sequence[str], probabilities: np.ndarray | None, labels: Sequence[str]
) -> Weighted:
    """Accuracy, precision, recall and F1 (macro; `_micro` and `_weighted` beside), MCC and ROC-AUC, and per label.

    With more than five labels, `top5_accuracy`: how often the truth is among the five likeliest.

    Averages run over the labels that occur in answers or truths, as in scikit-learn; 0/0 counts as 0, where it has
    no value too. ROC-AUC is that of the second label where there are two, else the mean over labels of one against
    the rest; it is left out where the truths lack a label.

    Args:
        answers: Label names.
        truths: Label names.
        probabilities: `(examples, labels)`, or None where there are none.
        labels: All label names, in the order of `probabilities`.
    """
    number = {label: index for index, label in enumerate(labels)}
    answered, true = (np.array([number[name] for name in names], dtype=int) for names in (answers, truths))
    occurring = np.union1d(answered, true)
    names = [label for label, occurs in zip(labels, np.isin(range(len(labels)), occurring), strict=True) if occurs]
    places = np.searchsorted(occurring, answered), np.searchsorted(occurring, true)
    wrong = len(occurring)  # a further group for answers that are wrong, which is cut off again
    groups = np.where(answered == true, places[1], wrong), *places
    sums = [adding(group, len(occurring) + 1) for group in groups]
    rankings = []
    if probabilities is not None and len(np.unique(true)) == len(labels):  # one against the rest needs every label
        columns = [1] if len(labels) == 2 else range(len(labels))
        rankings = [ranked(true == column, probabilities[:, column]) for column in columns]
    among = None
    if probabilities is not None and len(labels) > TOP:
        among = _among_likeliest(probabilities, true)
    values = partial(_scores, sums=sums, rankings=rankings, labels=names, among=among)
    counts = (np.asarray(matrix.sum(1))[: len(names)] for matrix in sums)
    shares = shares_by_label(names, *counts)
    shares |= dict.fromkeys(
        ("accuracy", *(f"{name}_micro" for name in BY_LABEL)), Share((answered == true).sum(), len(true))
    )
    if among is not None:
        shares[f"top{TOP}_accuracy"] = Share(among.sum(), len(true))
    return Weighted(len(true), values, shares, {"mcc": (-1, 1)}, (0, 1))


def _among_likeliest(probabilities: np.ndarray, true: np.ndarray) -> np.ndarray:
    """`(examples,)`, whether the truth is among the TOP likeliest labels; of equally likely ones the last are."""
    found = []
    for start in range(0, len(true), ROWS):
        rows, wanted = probabilities[start : start + ROWS], true[start : start + ROWS, None]
        own = np.take_along_axis(rows, wanted, axis=1)
        above = (rows > own) | ((rows == own) & (np.arange(rows.shape[1]) > wanted))
        found.append(above.sum(1) < TOP)
    return np.concatenate(found)


def shares_by_label(
    labels: Sequence[str], right: np.ndarray, answered: np.ndarray, true: np.ndarray
) -> dict[str, Share]:
    """Precision, recall and F1 of each label as shares of examples.

    Args:
        labels: Their names.
        right: How many examples of each are right, `(labels,)`.
        answered: For how many each was answered.
        true: Of how many each is true.
    """
    shares = {}
    for name, mine, given, wanted in zip(labels, right.tolist(), answered.tolist(), true.tolist(), strict=True):
        shares[f"precision/{name}"] = Share(mine, given)
        shares[f"recall/{name}"] = Share(mine, wanted)
        shares[f"f1/{name}"] = Share(mine, given + wanted - mine, is_f1=True)
    return shares


def _scores(
    counts: np.ndarray,
    sums: Sequence[csr_array],
    rankings: Sequence[Ranking],
    labels: Sequence[str],
    among: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """All scores for weights of `(examples, resamples)`: arrays of `(resamples,)`.

    Args:
        counts: The weights.
        sums: Add up, by label, the examples that are right, those answered so and those that truly are so.
        rankings: Of each label that has an area.
        labels: The names of those that occur.
        among: `(examples,)`, whether the truth is among the likeliest few; None where nobody asks.
    """
    right, answered, true = ((matrix @ counts)[: len(labels)] for matrix in sums)
    total = counts.sum(0)
    # The first one is the headline; the first three stand on the line of an evaluation.
    scores = {"accuracy": right.sum(0) / total, "mcc": _mcc(right, answered, true, total)}
    if among is not None:
        scores[f"top{TOP}_accuracy"] = among @ counts / total
    if rankings:  # a resample without some label is averaged over the others
        scores["roc_auc"] = mean_of_defined(np.stack([*map(area, levels_of(rankings, counts))]))
    by_label = precision_recall_f1_by_label(right, answered, true)
    for name, values in by_label.items():
        scores[name] = mean_of_defined(values)
        scores[f"{name}_micro"] = scores["accuracy"]  # with one label per example all three are the accuracy
        scores[f"{name}_weighted"] = np.nansum(values * true, axis=0) / total
    for name, values in by_label.items():
        scores |= {f"{name}/{label}": row for label, row in zip(labels, values, strict=True)}
    return scores


def _mcc(right: np.ndarray, answered: np.ndarray, true: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Matthews' correlation for any number of labels (Gorodkin 2004, equation 8)."""
    both = right.sum(0) * total - (answered * true).sum(0)
    spread = np.sqrt((total**2 - (answered**2).sum(0)) * (total**2 - (true**2).sum(0)))  # the root of a square is exact
    return np.clip(quotient(both, spread), -1, 1)


def quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """`above / below`, and 0 where `below` is 0."""
    return np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below != 0)


def precision_recall_f1(right: np.ndarray, answered: np.ndarray, true: np.ndarray) -> dict[str, np.ndarray]:
    """The three scores of counts of one shape: what is right, what was answered, and what truly is."""
    return {
        "precision": quotient(right, answered),
        "recall": quotient(right, true),
        "f1": quotient(2 * right, answered + true),
    }


def precision_recall_f1_by_label(right: np.ndarray, answered: np.ndarray, true: np.ndarray) -> dict[str, np.ndarray]:
    """The same of `(labels, resamples)`: NaN in a resample in which a label does not occur, for it has no score."""
    absent = answered + true == 0
    found = precision_recall_f1(right, answered, true)
    return {name: np.where(absent, np.nan, values) for name, values in found.items()}


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """The mean over the first axis of the values that are not NaN; NaN where there is none."""
    defined = ~np.isnan(values)
    number = defined.sum(0)
    return np.where(number > 0, quotient(np.where(defined, values, 0).sum(0), number), np.nan)
