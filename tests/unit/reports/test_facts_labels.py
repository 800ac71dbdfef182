"""Confusion and likely label errors: worked by hand, against scikit-learn, and against the paper written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from hfft.reports.in_short import weaker_part, weakest_label
from hfft.reports.labels import confused, confusion, label_facts, likely_label_errors, margin
from hfft.reports.predictions import About, Predictions


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


def test_mistakes_are_listed_by_what_is_taken_for_what():
    answers = ["dog", "dog", "dog", "cow", "cat", "cat"]
    truths = ["cat", "cat", "cat", "cat", "cow", "cat"]
    rows = [
        {"id": n, "answer": answer, "truth": truth, "score": 0.5 + n / 20}
        for n, (answer, truth) in enumerate(zip(answers, truths, strict=True))
    ]
    facts = label_facts(Predictions("test", rows, None, ["cat", "cow", "dog"]), About({}, {"confidence": 0.95}, {}))
    mistakes = facts["galleries"][0]
    assert (mistakes["title"], mistakes["open"]) == ("Mistakes", True)
    assert mistakes["pairs"] == [
        {"truth": "cat", "answer": "dog", "count": 3},
        {"truth": "cat", "answer": "cow", "count": 1},
        {"truth": "cow", "answer": "cat", "count": 1},
    ]
    shown = [(example["id"], example["pairs"]) for example in mistakes["examples"]]
    assert shown == [(2, [0]), (1, [0]), (0, [0]), (3, [1]), (4, [2])]  # of a pair the surest first
    assert [one["text"] for one in facts["in_short"]] == ["5 mistakes of 6."]


def test_every_cell_of_the_matrix_has_an_example_however_many_mistakes_there_are():
    names = [f"label {number:02}" for number in range(12)]
    pairs = [(truth, answer) for truth in names for answer in names if truth != answer]
    rows = [
        {"id": n, "answer": answer, "truth": truth, "score": 0.9}
        for n, (truth, answer) in enumerate(pairs * 3 + pairs[:1])
    ]
    mistakes = label_facts(Predictions("test", rows, None, names), About({}, {"confidence": 0.95}, {}))["galleries"][0]
    assert {(example["truth"], example["answer"]) for example in mistakes["examples"]} == set(pairs)
    assert len(mistakes["examples"]) == len(pairs)
    assert mistakes["pairs"][0]["count"] == 4


def test_what_is_told_first_of_labels():
    row = {"examples": 9, "precision": {"value": 0.5}}
    rows = [
        {"label": "a", **row, "f1": {"value": 0.75, "low": 0.5, "high": 0.875}},
        {"label": "b", **row, "f1": {"value": 0.9, "low": None, "high": None}},
    ]
    assert weakest_label(rows) == [{"text": "Weakest: a (f1 0.75; 0.50 to 0.88).", "see": "By label"}]
    assert weakest_label(rows[:1]) == weakest_label([]) == []
    assert weakest_label([{**one, "f1": {"value": 1.0}} for one in rows]) == []
    both = weakest_label([*rows, {**rows[0], "label": "c"}])
    assert both == [{"text": "Weakest: a, c (f1 0.75).", "see": "By label"}]
    many = weakest_label([*({**rows[0], "label": str(number)} for number in range(4)), rows[1]])
    assert many[0]["text"] == "Weakest: 4 labels (f1 0.75)."
    errors = [{"label": name, "mse": {"value": value}} for name, value in (("x", 0.5), ("y", 2.0))]
    assert weakest_label(errors)[0]["text"] == "Weakest: y (mse 2.00)."


def test_a_part_is_called_weaker_only_where_its_interval_says_so():
    def part(value: str, low: float, high: float) -> dict[str, Any]:
        return {
            "column": "channel",
            "value": value,
            "scores": {"f1": {"value": (low + high) / 2, "low": low, "high": high}},
        }

    whole = {"value": 0.8}
    clear = {"text": "Weaker than the whole: channel phone (f1 0.60; 0.50 to 0.70).", "see": "Slices"}
    assert weaker_part([part("mail", 0.6, 0.9), part("chat", 0.6, 0.75), part("phone", 0.5, 0.7)], "f1", whole) == [
        clear
    ]
    assert weaker_part([part("mail", 0.6, 0.9)], "f1", whole) == []
    unknown = {"column": "c", "value": "v", "scores": {"f1": {"value": 0.1, "low": None, "high": None}}}
    assert weaker_part([unknown, {**unknown, "scores": {}}], "f1", whole) == []


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
