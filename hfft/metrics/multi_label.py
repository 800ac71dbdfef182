"""Scores of any number of labels per example, as scikit-learn defines them, for many resamples at once.

Names with a slash belong to one label: `f1/joy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse
from scipy.sparse import csr_array

from hfft.metrics.classification import mean_of_defined, quotient, shares_by_label
from hfft.metrics.ranking import Levels, Ranking, area, average_precision, levels_of, ranked
from hfft.metrics.weighing import Share, Weighted

TIE = 1e-9  # F1 that differ by less are equal: their running sum is rounded


def multi_label_weighted(
    answers: np.ndarray,
    truths: np.ndarray,
    probabilities: np.ndarray | None,
    labels: Sequence[str],
    known: np.ndarray | None = None,
) -> Weighted:
    """Accuracy, precision, recall, F1, Hamming loss, ROC-AUC and average precision, and per label.

    Accuracy asks for the whole set of labels. Precision, recall and F1 are means over all labels, and beside them
    `_micro`, `_weighted` by how often a label is true, and `_samples`, means over the examples; 0/0 counts as 0.
    ROC-AUC and average precision are means over all labels too: the one is left out where a label is always or never
    true, the other where a label is never true; in a resample, only that label is.

    Args:
        answers: Booleans, `(examples, labels)`.
        truths: Booleans, `(examples, labels)`.
        probabilities: `(examples, labels)`, or None where there are none.
        labels: The label names.
        known: Booleans, `(examples, labels)`, whether each truth is known; what is not does not count, and an example
            with none that is known is not given. None where all are.
    """
    shapes = [table.shape for table in (answers, truths, probabilities) if table is not None]
    assert set(shapes) == {(len(truths), len(labels))}, f"tables of {shapes} for {len(labels)} labels"
    known = np.ones_like(truths) if known is None else known
    answers, truths = answers & known, truths & known
    right = answers & truths
    number, answered, true = (table.sum(1) for table in (right, answers, truths))
    of_examples = {
        "accuracy": (answers == truths).all(1),
        "hamming_loss": (answers != truths).sum(1) / known.sum(1),
        "precision_samples": quotient(number, answered),
        "recall_samples": quotient(number, true),
        "f1_samples": quotient(2 * number, answered + true),
    }
    rankings, of_rankings = [], {}
    if probabilities is not None and truths.any(0).all():
        rankings = [ranked(truths[:, label], probabilities[:, label], known[:, label]) for label in range(len(labels))]
        of_rankings = {"average_precision": average_precision}
        if not (truths | ~known).all(0).any():
            of_rankings["roc_auc"] = area
    tables = [csr_array(table.T, dtype=np.float64) for table in (right, answers, truths)]
    sums = csr_array(scipy.sparse.vstack(tables, "csr"))
    values = partial(_scores, _Prepared(labels, sums, of_examples, rankings, of_rankings))
    shares = shares_by_label(labels, right.sum(0), answers.sum(0), truths.sum(0))
    shares["accuracy"] = Share(of_examples["accuracy"].sum(), len(truths))
    return Weighted(len(truths), values, shares, usual_bounds=(0, 1))


def best_threshold(probabilities: np.ndarray, truths: np.ndarray, known: np.ndarray | None = None) -> float:
    """The threshold for all labels at which `probability >= threshold` has the largest macro F1 (see `TIE`).

    It lies in the middle between two neighbouring probabilities, or as near to it as their data type allows, so that
    rounding flips no answer; of several that are as good it is the one nearest to 0.5, and it is 0.5 where no label
    that is true has a probability above 0.

    Args:
        probabilities: `(examples, labels)`, 0 to 1.
        truths: Booleans, `(examples, labels)`.
        known: As of `multi_label_weighted`.

    Returns:
        A number above 0 and below 1.
    """
    known = np.ones_like(truths) if known is None else known
    # Going down from the highest, one label of one example after the other is answered, and each changes the F1 of its
    # label alone: by label, what the F1 gains; in the order of all labels together, the sum of all gains so far.
    order = np.argsort(-probabilities, axis=0)
    right = np.cumsum(np.take_along_axis(truths, order, axis=0), axis=0)
    answered = np.cumsum(np.take_along_axis(known, order, axis=0), axis=0)
    gains = np.diff(2 * right / np.maximum(answered + truths.sum(0), 1), axis=0, prepend=0)
    values = np.take_along_axis(probabilities, order, axis=0).ravel()
    order = np.argsort(-values, kind="stable")
    f1, values = np.cumsum(gains.ravel()[order]) / max(truths.shape[1], 1), values[order]
    below = np.append(values[1:], values.dtype.type(0))
    cuts = values / 2 + below / 2
    cuts = np.where(cuts > below, cuts, values)  # where no number lies between the two
    useful = (values > below) & (cuts < 1)
    f1, cuts = f1[useful], cuts[useful]
    if not len(f1) or f1.max() <= TIE:
        return 0.5
    best = cuts[f1 > f1.max() - TIE]
    return float(best[np.argmin(abs(best - 0.5))])


@dataclass(frozen=True)
class _Prepared:
    """What the scores of all resamples have in common.

    Attributes:
        labels: The label names.
        sums: Adds up, by label, the examples that are right, those answered so and those that truly are so.
        of_examples: Scores that are means over the examples: `(examples,)` by name.
        rankings: Of each label.
        of_rankings: Scores that are means over the labels: functions of their levels by name.
    """

    labels: Sequence[str]
    sums: csr_array
    of_examples: Mapping[str, np.ndarray]
    rankings: Sequence[Ranking]
    of_rankings: Mapping[str, Callable[[Levels], np.ndarray]]


def _scores(prepared: _Prepared, counts: np.ndarray) -> dict[str, np.ndarray]:
    """All scores for weights of `(examples, resamples)`: arrays of `(resamples,)`."""
    right, answered, true = np.split(prepared.sums @ counts, 3)
    total = counts.sum(0)
    scores = {name: values @ counts / total for name, values in prepared.of_examples.items()}
    quotients = {"precision": (right, answered), "recall": (right, true), "f1": (2 * right, answered + true)}
    for name, (above, below) in quotients.items():
        by_label = quotient(above, below)
        scores[name] = by_label.mean(0)
        scores[f"{name}_micro"] = quotient(above.sum(0), below.sum(0))
        scores[f"{name}_weighted"] = quotient((by_label * true).sum(0), true.sum(0))
        scores |= {f"{name}/{label}": row for label, row in zip(prepared.labels, by_label, strict=True)}
    if prepared.of_rankings:
        found = levels_of(prepared.rankings, counts)
        by_label = np.array([[score(each) for score in prepared.of_rankings.values()] for each in found])
        scores |= dict(zip(prepared.of_rankings, mean_of_defined(by_label), strict=True))
    return scores
