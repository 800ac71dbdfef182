"""Scores of entities, exact in type and boundaries, as conlleval and seqeval define them, for many resamples at once.

Everything follows from three counts a document and type; a resample of the documents is a column of weights. Names with
a slash belong to one type: `f1/person`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import partial

import numpy as np
from scipy.sparse import csr_array

from hfft.metrics.classification import mean_of_defined, precision_recall_f1, precision_recall_f1_by_label, quotient
from hfft.metrics.weighing import Weighted

Entities = Sequence[tuple[str, Hashable, Hashable]]  # of a document: type, start, end


def entity_weighted(answers: Sequence[Entities], truths: Sequence[Entities], words: np.ndarray) -> Weighted:
    """Precision, recall and F1 of all entities together (micro), the mean F1 of the types, the accuracy of words.

    An entity is right where one of the same type has the same start and end. 0/0 counts as 0. `f1_macro` runs over the
    types that occur in answers or truths.

    Args:
        answers: The entities of each document.
        truths: The entities that are there.
        words: `(documents, 2)`: how many words have the right tag, and how many there are.
    """
    answered, true = ([set(entities) for entities in documents] for documents in (answers, truths))
    right = [mine & theirs for mine, theirs in zip(answered, true, strict=True)]
    types = sorted({kind for documents in (answered, true) for entities in documents for kind, *_ in entities})
    sums = [_by_type(documents, types) for documents in (right, answered, true)]
    return Weighted(len(truths), partial(_scores, sums=sums, words=words, types=types), usual_bounds=(0, 1))


def _by_type(documents: Sequence[Iterable[tuple[str, Hashable, Hashable]]], types: Sequence[str]) -> csr_array:
    """`(types, documents)`: how many entities of each type each document has."""
    number = {kind: index for index, kind in enumerate(types)}
    places = [(number[kind], row) for row, entities in enumerate(documents) for kind, *_ in entities]
    kinds, rows = np.array(places, dtype=int).reshape(-1, 2).T
    return csr_array((np.ones(len(places)), (kinds, rows)), shape=(len(types), len(documents)))


def _scores(
    counts: np.ndarray, sums: Sequence[csr_array], words: np.ndarray, types: Sequence[str]
) -> dict[str, np.ndarray]:
    """All scores for weights of `(documents, resamples)`: arrays of `(resamples,)`.

    Args:
        counts: The weights.
        sums: Of the entities that are right, those answered and those that truly are, by `_by_type`.
        words: `(documents, 2)`.
        types: Their names.
    """
    right, answered, true = (np.asarray(matrix @ counts) for matrix in sums)
    all_right, all_answered, all_true = (values.sum(0) for values in (right, answered, true))
    right_words, all_words = words.T.astype(float) @ counts
    by_type = precision_recall_f1_by_label(right, answered, true)
    scores = {
        **precision_recall_f1(all_right, all_answered, all_true),
        "f1_macro": np.nan_to_num(mean_of_defined(by_type["f1"])),
        "accuracy": quotient(right_words, all_words),
    }
    for name, values in by_type.items():
        scores |= {f"{name}/{kind}": row for kind, row in zip(types, values, strict=True)}
    return scores
