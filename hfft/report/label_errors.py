"""Examples whose label may be wrong, by confident learning (Northcutt, Jiang and Chuang 2021)."""

from __future__ import annotations

import numpy as np


def likely_label_errors(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The examples that the confident joint counts off its diagonal, the likeliest errors first.

    Section 3.1: the threshold of a label is the mean probability of it over the examples that are given it (equation
    2). An example counts for the likeliest of the labels whose thresholds its probabilities reach (equation 1, with
    ties for the likeliest); where that is another than its own, it is a candidate (section 3.2, method 2). Unlike there
    those for which the model itself answers the given label are left out: nothing but a threshold speaks against
    them. They are ranked by the normalized margin: the probability of the given label less the largest of the others.
    The probabilities are to be of examples that the model was not trained on.

    Args:
        probabilities: `(examples, labels)`.
        given: `(examples,)`, the number of each example's label.

    Returns:
        Numbers of examples.
    """
    rows = np.arange(len(given))
    own = probabilities[rows, given].astype(np.float64)
    counts = np.bincount(given, minlength=probabilities.shape[1])
    sums = np.bincount(given, own, minlength=probabilities.shape[1])
    # A label that no example is given has no threshold, and none can count for it.
    thresholds = np.divide(sums, counts, out=np.full(len(counts), np.inf), where=counts > 0)
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    best = reached.argmax(1)
    candidates = np.flatnonzero((reached[rows, best] >= 0) & (best != given) & (probabilities.argmax(1) != given))
    margins = margin(probabilities[candidates], given[candidates])
    return candidates[np.argsort(margins, kind="stable")]


def margin(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The probability of the given label less the largest of the other labels, `(examples,)`."""
    rows = np.arange(len(given))
    others = probabilities.astype(np.float64)
    own = others[rows, given].copy()
    others[rows, given] = -np.inf
    return own - others.max(1)
