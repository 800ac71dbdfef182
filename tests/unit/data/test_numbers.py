"""Columns of numbers: whatever a file has them in, and errors that name the row."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, Features

from hfft.data.label_columns import are_marks
from hfft.data.labels import are_lists_of_numbers, have_decimals, read_numbers
from hfft.errors import DataError


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"a": ["1", "2.5", "", " ", "nan", "-1e3"]}, [[1.0], [2.5], None, None, None, [-1000.0]]),  # as csv has it
        ({"a": [1.5, None, -1.0, float("nan")]}, [[1.5], None, [-1.0], None]),
        ({"a": [1, -1, None]}, [[1.0], [-1.0], None]),  # of numbers, -1 is one
        ({"a": [[1.0, 2.0], None, []]}, [[1.0, 2.0], None, None]),
        ({"a": ["1", ""], "b": ["2", ""]}, [[1.0, 2.0], None]),
    ],
)
def test_numbers_are_read_and_nothing_is_none(columns, found):
    assert read_numbers(Dataset.from_dict(columns), list(columns), "train") == found


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": ["1", "high"]}, "in row 1 of the eval split the column 'a' is 'high', which is no number."),
        ({"a": ["1", "3,5"]}, "is '3,5', which is no number. Write a point before the decimals."),
        ({"a": ["3,5", "3.5"]}, "is '3,5', which is no number. The column holds '3.5' too. Write a point before the"),
        ({"a": ["1", "inf"]}, "is 'inf', which is no number"),
        ({"a": ["1", "2"], "b": ["3", ""]}, "row 1 of the eval split has a number in some columns and none in 'b'"),
        ({"a": [[1.0], [1.0, 2.0]]}, "in row 1 of the eval split the column 'a' holds 2 numbers, in earlier rows 1"),
    ],
)
def test_what_is_no_number_is_refused_with_its_row(columns, message):
    with pytest.raises(DataError) as caught:
        read_numbers(Dataset.from_dict(columns), list(columns), "eval")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"a": ["0", "1", ""], "b": ["true", "False", "-1"]}, True),
        ({"a": [0, 1, None], "b": [True, False, True]}, True),
        ({"a": [0.0, 1.0], "b": [1.0, 0.0]}, True),
        ({"a": [0, 1], "b": [0, 2]}, False),
        ({"a": ["0.5", "1"], "b": ["1", "1"]}, False),
        ({"a": [[1]], "b": [[0]]}, False),
    ],
)
def test_columns_of_marks_are_told_from_columns_of_numbers(columns, expected):
    assert are_marks(Dataset.from_dict(columns), list(columns)) is expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1.5", "2", ""], True),
        ([0.5, 1.0, None], True),
        (["1", "2"], False),  # may be labels as well
        ([1.0, 2.0], False),
        (["1.5", "x", "y"], False),
        ([True, False], False),
        ([None, None], False),
    ],
)
def test_numbers_with_decimals_are_told_from_labels(values, expected):
    assert have_decimals(Dataset.from_dict({"a": values}), "a") is expected


def test_a_class_label_is_no_number():
    rows = Dataset.from_dict({"a": [0, 1]}, Features({"a": ClassLabel(names=["x", "y"])}))
    assert not have_decimals(rows, "a")


def test_lists_of_numbers_are_told_from_lists_of_labels():
    rows = Dataset.from_dict({"a": [[0.5, 1.0]], "b": [[1, 2]], "c": [["x"]]})
    assert [are_lists_of_numbers(rows.features, name) for name in "abc"] == [True, False, False]


def test_a_text_among_numbers_is_an_error_and_no_label():
    rows = Dataset.from_dict({"a": ["1.5", "2", "", "high", "3.25"]})
    with pytest.raises(DataError, match=r"most values of the column 'a' are numbers, but in row 3 it is 'high'"):
        have_decimals(rows, "a")
