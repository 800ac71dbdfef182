"""Columns of labels: what values mean is decided by the training rows; what is read otherwise than written is said."""

from __future__ import annotations

import unicodedata

import pytest
from datasets import ClassLabel, Dataset, Features

from hfft.data.label_columns import Reading, label_names, label_sets
from hfft.data.label_warnings import (
    delimiter_findings,
    delimiter_of,
    look_of,
    name_findings,
    refuse_decimal_commas,
    spelling_findings,
)
from hfft.errors import DataError

CAFE = unicodedata.normalize("NFD", "café")


def column(values, features=None):
    return Dataset.from_dict({"y": values}, features)


def read(train, values=None, given=None):
    rows = column(train)
    return label_names(rows if values is None else column(values), "y", Reading.of_one_label(rows, "y", given), "data")


def sets_of(train, values=None, given=None):
    rows = column(train)
    reading = Reading.of_several_labels(rows, ["y"], None, given)
    return label_sets(rows if values is None else column(values), ["y"], None, reading, "data")


@pytest.mark.parametrize(
    ("train", "given", "names"),
    [
        ([-1, 1, 1], None, ["-1", "1", "1"]),  # one label alone would be nothing to learn
        (["-2.0", "-1.0", "0"], None, ["-2", "-1", "0"]),
        ([-1, 0, 1, 2], None, [None, "0", "1", "2"]),  # where others count from 0, it is what is missing
        ([-1, 0, 1], ["-1", "0", "1"], ["-1", "0", "1"]),
        ([-1, 0, 1], ["0", "1"], [None, "0", "1"]),
        ([-1, -1], None, [None, None]),
    ],
)
def test_minus_one_is_a_label_where_the_labels_or_the_file_say_so(train, given, names):
    assert read(train, given=given) == names


@pytest.mark.parametrize("train", [[-1, 0, 1], ["-1", "0", "1"], [-1.0, 0.0, 1.0], ["good", "-1", "bad"]])
def test_minus_one_beside_labels_that_do_not_tell_is_a_question(train):
    with pytest.raises(DataError, match=r"1 of 3 training rows have -1 in the column 'y'.*task.labels=\[-1, "):
        read(train)


def test_minus_one_that_is_read_as_none_is_counted_and_none_is_said_of_classes():
    rows = column([-1, 0, 1, 2, -1])
    (found,) = spelling_findings("train", rows, "y", Reading.of_one_label(rows, "y", None))
    assert str(found).startswith("train: 2 of 5 rows (40.0%) have -1, which is read as no label; if it is one, name")
    classes = column([-1, 0], Features({"y": ClassLabel(names=["a", "b"])}))
    assert spelling_findings("test", classes, "y", Reading.of_one_label(classes, "y", None)) == []


@pytest.mark.parametrize(
    ("train", "values", "names"),
    [
        (["1.0", "0.0"], [1.0, 0.0], ["1", "0"]),  # of csv and of jsonl
        (["bad ", "\tgood", "  "], None, ["bad", "good", None]),
        (["café", "tea"], [CAFE], ["café"]),
        (["1.5.0", "v1.0"], None, ["1.5.0", "v1.0"]),
    ],
)
def test_white_space_unicode_form_and_kind_of_number_make_no_other_label(train, values, names):
    assert read(train, values) == names


def test_labels_of_the_recipe_or_of_a_finished_model_stay_as_they_are_spelled():
    rows = column(["bad ", "bad", "1", CAFE, "new "])
    assert label_names(rows, "y", Reading.of_model(["bad ", "bad", "1.0", CAFE], None), "data") == [
        *("bad ", "bad", "1.0", CAFE),
        "new",
    ]


def test_what_is_not_read_as_it_is_written_is_counted_by_kind():
    rows = column(["bad ", "bad", "good", CAFE])
    spaced, formed = spelling_findings("train", rows, "y", Reading())
    assert str(spaced).startswith(
        "train: 1 of 4 rows (25.0%) have a label with white space at its ends, which is taken"
    )
    assert formed.text.endswith("in the composed one (NFC): 'cafe\\u0301': row 3")
    listed = column([["bad ", "x"], ["x"]])
    assert [found.count for found in spelling_findings("train", listed, "y", Reading())] == [1]


def test_a_class_beyond_the_names_is_refused_with_its_row():
    rows = column([0, 1], Features({"y": ClassLabel(names=["a", "b"])}))
    broken = Dataset(rows.data.table.set_column(0, rows.data.table.schema.field(0), [[0, 7]]))
    assert isinstance(broken.features["y"], ClassLabel)
    with pytest.raises(
        DataError,
        match="in row 1 of the train split the column 'y' has the class 7, but there are 2, numbered from 0: a, b",
    ):
        label_names(broken, "y", Reading(), "train")


@pytest.mark.parametrize(
    ("train", "values", "given", "sets"),
    [
        ([[1, 0, 0], [0, 1, 1]], [[0, 0, 0], [1, 0, 1], []], None, [[], ["y_0", "y_2"], None]),
        ([[1.0, 0.0, 1.0]], None, ["a", "b", "c"], [["a", "c"]]),
        ([[1, 0], [1, 1]], [[0, 1]], None, [["y_1"]]),
        ([[1, 0], [0, 1]], None, ["a", "b"], [["a"], ["b"]]),
        ([[1, 0], [0, 1]], None, ["0", "1"], [["1", "0"], ["0", "1"]]),
        ([[1, 0], [0]], None, None, [["1", "0"], ["0"]]),  # not as long: names
        ([[0], [1]], None, None, [["0"], ["1"]]),
        ([[0, 2], [1, 1]], None, None, [["0", "2"], ["1"]]),
    ],
)
def test_lists_of_0_and_1_are_marks_where_they_cannot_be_names(train, values, given, sets):
    assert sets_of(train, values, given) == sets


@pytest.mark.parametrize(
    ("train", "values", "given", "message"),
    [
        ([[1, 0], [0, 1]], None, None, r"task.labels=\[a, b\].*task.labels=\['0', '1'\].*task.problem=regression"),
        ([[1, 0, 1]], None, ["a", "b"], "of 0 and 1, 3 in each row, but there are 2 labels: a, b"),
        (
            [[1, 0, 1]],
            [[1, 0]],
            None,
            r"row 0 of the data split the column 'y' is \[1, 0\]; it should be a list of 0 and 1, one for each of 3",
        ),
        (["['a', 'b']", "[]", "['a']"], None, None, r"'y' has lists written as text, such as \"\['a', 'b'\]\""),
        (["[0 1 1]", "[1 1 0]"], None, None, "has lists written as text"),
    ],
)
def test_lists_that_can_be_read_in_two_ways_are_asked_about(train, values, given, message):
    with pytest.raises(DataError, match=message):
        sets_of(train, values, given)


def test_a_finished_model_reads_lists_of_marks_in_the_order_of_its_labels():
    rows = column([[1, 0, 1]])
    assert label_sets(rows, ["y"], None, Reading.of_model(["a", "b", "c"], None), "data") == [["a", "c"]]
    assert label_sets(column([["c"]]), ["y"], None, Reading.of_model(["a", "b", "c"], None), "data") == [["c"]]


def told(found):
    return [(finding.kind, finding.count, finding.total) for finding in found]


def test_labels_that_differ_in_case_or_blanks_only_are_named():
    (found,) = name_findings("train", {"Positive": 3, "positive": 4, "New York": 2, "NewYork": 5, "x": 2})
    assert told([found]) == [("alike-labels", 4, 5)]
    assert "'Positive', 'positive'; 'New York', 'NewYork'" in found.text


@pytest.mark.parametrize(
    ("names", "look"),
    [
        (["4285", "12", "7"], "numbers"),
        (["$4.50", "€ 3", "12 €"], "numbers with a sign"),
        (["2024-01-02", "03.04.2024", "1/2/24", "n"], "dates"),
        (["the printer is on fire", "it does not work at all", "a b c d e"], "free text"),
        (["good", "bad", "1"], None),
        (["0", "1"], None),
    ],
)
def test_what_looks_like_no_label_is_known(names, look):
    assert look_of(names) == look


def test_labels_of_one_row_each_are_counted_and_what_they_look_like_is_said():
    (found,) = name_findings("train", {"4285": 1, "17": 1, "12": 2})
    assert told([found]) == [("lone-label", 2, 3)]
    assert "'4285', '17'. They look like numbers; to predict numbers: task.problem=regression" in found.text
    assert told(name_findings("train", {"2024-01-02": 3, "2024-01-03": 2, "2024-01-04": 2})) == [("date-label", 3, 3)]
    assert name_findings("train", {"a": 1, "b": 3}) == []


def test_texts_of_several_labels_are_counted_with_their_delimiter():
    names = ["joy|relief", "joy", "relief", "fear|joy", None]
    assert delimiter_of([name for name in names if name]) == ("|", 3)
    (found,) = delimiter_findings("train", names)
    assert (found.count, found.total) == (2, 5)
    assert "task.delimiter='|' reads 3 labels" in found.text
    assert delimiter_of(["3,5", "2,5", "3,2"]) is None


def test_numbers_with_a_comma_are_asked_about():
    with pytest.raises(DataError, match=r"such as '3,5'. To predict numbers, write a point before the decimals"):
        refuse_decimal_commas(column(["3,5", "2,1", "x"]), "y")
    refuse_decimal_commas(column(["3,5", "a", "b"]), "y")
