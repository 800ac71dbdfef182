"""Checks: what is wrong stops with its row; what is doubtful is counted."""

from __future__ import annotations

import pytest
from datasets import Dataset

from hfft.data import checks
from hfft.data.checks import Finding
from hfft.errors import DataError


def splits(**columns):
    return {"train": Dataset.from_dict(columns)}


def told(findings):
    return [(finding.kind, finding.split, finding.count, finding.total) for finding in findings]


def test_a_finding_reads_as_a_sentence_and_as_plain_values():
    finding = Finding("empty", "train", 1, 8, "are empty: row 3")
    assert str(finding) == "train: 1 of 8 rows (12.5%) are empty: row 3"
    plain = {"kind": "empty", "split": "train", "count": 1, "total": 8, "text": "are empty: row 3", "unit": "rows"}
    assert finding.as_json() == plain


@pytest.mark.parametrize(
    ("rows", "named"),
    [([4], "row 4"), ([0, 2], "rows 0, 2"), ([1, 2, 3], "rows 1, 2, 3"), ([1, 2, 3, 4], "rows 1, 2, 3, ...")],
)
def test_the_first_three_rows_are_named(rows, named):
    assert checks.named_rows(rows, "train") == named


def test_rows_of_a_hold_out_are_named_as_the_training_rows_had_them_before_it():
    with checks.rows_named_as_in_train({"train": [0, 2, 3], "eval": [1, 4]}):
        assert checks.row_of(1, "eval") == "row 4 of data.train (eval split)"
        assert checks.row_of(1, "test") == "row 1 of the test split"
        (found,) = checks.count_rows("empty", "train", [False, True], 2, "are empty", ids=[0, 2])
        assert str(found) == "train: 1 of 2 rows (50.0%) are empty: row 3 of data.train"
    assert checks.row_of(1, "eval") == "row 1 of the eval split"


def test_a_missing_column_is_told_with_the_setting_and_the_nearest_name():
    data = splits(sentence=["a"], label=["b"])
    checks.require_columns(data, {"task.text": ["sentence"], "task.label": ["label"]})
    message = r"task.text is 'sentense', but the train split has no such column. Did you mean 'sentence'\? It has: sent"
    with pytest.raises(DataError, match=message):
        checks.require_columns(data, {"task.text": ["sentense"]})


def test_an_empty_split_is_refused():
    with pytest.raises(DataError, match=r"The train split \(data.train\) has no rows"):
        checks.require_rows(splits(text=[]))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["a", None], "is missing"),
        ([1, 2], "is 1, which is no text"),
        ([["a" * 10**6]], r"is \['a{55}\.\.\., which is no text"),
    ],
)
def test_a_value_that_is_no_text_is_refused_with_its_row(values, found):
    with pytest.raises(DataError, match=rf"task.text: in row \d of the train split the column 'body' {found}"):
        checks.require_texts(values, "train", "body", "task.text")
    checks.require_texts(["a", ""], "train", "body", "task.text")


def test_flagged_rows_are_counted_in_one_finding():
    assert checks.count_rows("cut", "eval", [False, False], 2, "are cut") == []
    (finding,) = checks.count_rows("cut", "eval", (row > 0 for row in range(5)), 5, "are cut")
    assert str(finding) == "eval: 4 of 5 rows (80.0%) are cut: rows 1, 2, 3, ..."


def test_repeated_inputs_are_counted_within_a_split_and_against_train():
    found = checks.repeated({"train": ["a", "A", "b", "a"], "eval": ["B", "c", "C"], "test": ["d"]}, str.lower)
    assert told(found) == [("duplicate", "train", 2, 4), ("duplicate", "eval", 1, 3), ("shared", "eval", 1, 3)]
    assert "rows 1, 3" in found[0].text
    assert "row 0" in found[2].text


def test_the_same_input_with_another_label_is_a_contradiction():
    found = checks.contradictions(["a", "b", "A", "b", "a"], ["x", "y", "y", "y", "z"], str.lower)
    assert told(found) == [("contradiction", "train", 2, 5)]
    assert "rows 2, 4" in found[0].text
    assert checks.contradictions(["a", "a"], ["x", "x"], str.lower) == []


@pytest.mark.parametrize("labels", [["x", None], [None, "x"]])
def test_a_row_without_a_label_contradicts_nothing(labels):
    assert checks.contradictions(["a", "a"], labels, str.lower) == []


def test_labels_without_rows_and_rare_ones_are_found():
    table, found = checks.balance("train", ["a"] * 41 + ["b"] * 2 + ["c"] * 3, ["c", "b", "a", "none"])
    assert table == {"c": 3, "b": 2, "a": 41, "none": 0}
    assert list(table) == ["c", "b", "a", "none"]
    assert told(found) == [("no-example", "train", 1, 4), ("rare-label", "train", 1, 4)]
    assert str(found[0]) == "train: 1 of 4 labels (25.0%) have no rows: 'none'"
    assert "commonest label's 41 rows or less: 'b' (2)" in found[1].text


def test_a_thousand_labels_without_rows_are_one_line():
    (found,) = checks.balance("test", ["c0"], [f"c{number}" for number in range(1000)])[1]
    assert str(found) == "test: 999 of 1000 labels (99.9%) have no rows: 'c1', 'c2', 'c3', ..."
