"""Confusion and likely label errors: worked by hand, against scikit-learn, and against the paper written out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, recall_score

from hfft.reports.labels import confused, confusion, label_rows, label_slices, likely_label_errors, margin


def test_the_matrix_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    names = ["cat", "dog", "cow"]
    truths, answers = (draw.choice(names, 60).tolist() for _ in range(2))
    found = confusion(truths, answers, names)
    assert found == {
        "labels": names,
        "counts": confusion_matrix(truths, answers, labels=names).tolist(),
        "left_out": 0,
    }


def test_of_many_labels_the_largest_are_shown_and_the_rest_is_counted():
    truths = [f"label {number:02}" for number in range(25) for _ in range(2)]
    answers = [*truths[:-3], "label 00", "label 00", "label 01"]  # the last two labels have mistakes
    found = confusion(truths, answers, sorted(set(truths)))
    assert found["left_out"] == 5
    # Those with mistakes come first among equally large ones: 24, 23, 00 and 01, then the others in order.
    assert found["labels"] == [*(f"label {number:02}" for number in range(18)), "label 23", "label 24"]
    rows = dict(zip(found["labels"], zip(found["counts"], found["other_answers"], strict=True), strict=True))
    assert rows["label 24"][0][:2] == [1, 1]
    assert rows["label 23"][0][0] == 1
    assert [sum(counts) + other for counts, other in rows.values()] == [2] * 20


def test_a_label_answered_but_never_true_is_in_it():
    assert confusion(["a", "a"], ["a", "b"], []) == {"labels": ["a", "b"], "counts": [[1, 1], [0, 0]], "left_out": 0}


def test_the_most_confused_pairs():
    assert confused(list("aabbbc"), list("abaaac")) == [
        {"truth": "b", "answer": "a", "count": 3},
        {"truth": "a", "answer": "b", "count": 1},
    ]


def test_the_accuracy_of_a_label_is_its_recall():
    truths, answers = list("aaabb"), list("aabbb")
    recall = [recall_score(truths, answers, average="macro", labels=[name]) for name in "ab"]
    scores = {name: {"recall": {"value": float(value)}} for name, value in zip("ab", recall, strict=True)}
    slices = label_slices(label_rows(scores, Counter(truths), ["b", "a"]))
    assert slices == [
        {"column": "label", "value": "b", "examples": 2, "scores": {"accuracy": {"value": 1.0}}},
        {"column": "label", "value": "a", "examples": 3, "scores": {"accuracy": {"value": pytest.approx(2 / 3)}}},
    ]


def test_of_many_labels_the_least_accurate_are_slices():
    rows = [{"label": str(number), "examples": 1, "recall": {"value": number / 40}} for number in range(40)][::-1]
    slices = label_slices(rows)
    assert [part["value"] for part in slices] == [str(number) for number in range(30)]
    assert slices[0]["column"] == "label (the 30 least accurate of 40)"


def test_likely_label_errors_by_hand():
    table = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.4, 0.6], [0.3, 0.7], [0.75, 0.25]])
    given = np.array([0, 0, 0, 1, 1, 1])
    # Thresholds: 0.6 for label 0, (0.6 + 0.7 + 0.25) / 3 = 0.517 for label 1. Row 2 reaches label 1 alone, row 5 label
    # 0 alone; of the two, row 2 has the smaller margin (0.1 - 0.9 against 0.25 - 0.75).
    assert likely_label_errors(table, given).tolist() == [2, 5]
    assert margin(table, given)[[2, 5]] == pytest.approx([-0.8, -0.5])


def test_an_unlikely_label_is_no_error_where_all_of_it_are_unlikely():
    """What confident learning is for: a label that the model never gives much has a low threshold of its own."""
    table = np.array([[0.6, 0.4], [0.62, 0.38], [0.95, 0.05], [0.9, 0.1]])
    assert likely_label_errors(table, np.array([1, 1, 0, 0])).tolist() == []


def test_likely_label_errors_are_those_of_the_paper():
    draw = np.random.default_rng(5)
    table = draw.dirichlet(np.full(4, 0.5), 300)
    given = np.where(draw.random(300) < 0.7, table.argmax(1), draw.integers(0, 4, 300))
    thresholds = [np.mean([table[x, j] for x in range(300) if given[x] == j]) for j in range(4)]
    joint: dict[tuple[int, int], list[int]] = {}
    for x in range(300):
        above = [j for j in range(4) if table[x, j] >= thresholds[j]]
        if above:
            joint.setdefault((int(given[x]), max(above, key=lambda j: table[x, j])), []).append(x)
    expected = [x for (i, j), members in joint.items() if i != j for x in members]
    expected.sort(key=lambda x: table[x, given[x]] - max(table[x, j] for j in range(4) if j != given[x]))
    assert len(expected) > 20
    assert likely_label_errors(table, given).tolist() == expected


def test_a_label_that_nobody_was_given_is_no_candidate():
    table = np.array([[0.3, 0.0, 0.7], [0.9, 0.1, 0.0]])
    assert likely_label_errors(table, np.array([0, 1])).tolist() == [1]
