"""Labels: of whatever kind, they are names; and names, never positions, are matched."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, Features

from hfft.data.label_columns import Reading, label_names
from hfft.data.labels import choose_names, encode
from hfft.errors import DataError

CLASSES = Features({"label": ClassLabel(names=["neg", "pos"])})


@pytest.mark.parametrize(
    ("values", "given", "features", "names"),
    [
        (["a", "b", None, ""], None, None, ["a", "b", None, None]),
        ([0, 7, -1, None], None, None, ["0", "7", None, None]),
        ([1.0, 2.0, None, float("nan")], None, None, ["1", "2", None, None]),
        ([True, False, None], None, None, ["true", "false", None]),
        ([1, 0, -1, None], None, CLASSES, ["pos", "neg", None, None]),
        (["-1", "1"], None, None, [None, "1"]),  # as csv has it
        ([-1, 1], ["-1", "1"], None, ["-1", "1"]),  # a name of the recipe is a label
        ([0, 1, None], ["no", "yes"], None, ["no", "yes", None]),  # positions in the recipe's names
        (["1", "0"], ["no", "yes"], None, ["yes", "no"]),
        ([0, 1], ["1", "0"], None, ["0", "1"]),  # names, for they are names
        ([0, 2], ["no", "yes"], None, ["0", "2"]),  # not all are positions: none is
        (["no", "yes", "maybe"], ["no", "yes"], None, ["no", "yes", "maybe"]),
        ([1, 0], ["bad", "good"], CLASSES, ["pos", "neg"]),  # the column's own names stand
    ],
)
def test_a_value_is_read_as_a_name_and_nothing_as_no_label(values, given, features, names):
    rows = Dataset.from_dict({"label": values}, features)
    assert label_names(rows, "label", Reading(given or (), given or (), "-1" in (given or ())), "train") == names


@pytest.mark.parametrize(("values", "row", "shown"), [([1.0, 2.5], 1, "2.5"), ([[1], [2]], 0, r"\[1\]")])
def test_a_value_that_can_be_no_label_is_refused_with_its_row(values, row, shown):
    with pytest.raises(
        DataError, match=rf"task.label: in row {row} of the train split the column 'mood' is {shown}; a label is a text"
    ):
        label_names(Dataset.from_dict({"mood": values}), "mood", Reading(), "train")


@pytest.mark.parametrize(
    ("train", "feature", "given", "checkpoint", "names"),
    [
        (["b", "10", None, "9", "a", "-1", "b"], None, None, None, ["-1", "9", "10", "a", "b"]),
        (["b", "a"], None, ["b", "a", "never"], None, ["b", "a", "never"]),
        (["pos"], CLASSES["label"], None, None, ["neg", "pos"]),
        (["neg"], CLASSES["label"], ["pos", "neg"], None, ["pos", "neg"]),
        (["a", "b"], None, None, ["b", "a"], ["b", "a"]),  # the trained head's order
        (["pos"], CLASSES["label"], None, ["pos", "neg"], ["pos", "neg"]),
        (["a", "b"], None, ["b", "a"], ["b", "a"], ["b", "a"]),
        (["1", "0"], None, None, ["LABEL_0", "LABEL_1"], ["0", "1"]),
    ],
)
def test_recipe_checkpoint_and_data_decide_the_labels_in_this_order(train, feature, given, checkpoint, names):
    assert choose_names(train, feature, given, checkpoint) == names


@pytest.mark.parametrize(
    ("train", "given", "checkpoint", "message"),
    [
        (["a", "a", None], None, None, r"labels \['a'\]; at least two are needed. '-1' is read as 'no label'"),
        ([None], None, None, r"labels \[\]; at least two are needed"),
        (["a", "b"], None, ["x", "y"], "head answers 'x', 'y', but the data has 'a', 'b'.*model.new_head=true"),
        (["a", "b"], None, ["a", "b", "c"], "head answers 'a', 'b', 'c', but the data has 'a', 'b'"),
        (["a", "b"], None, ["LABEL_0", "LABEL_1"], "head answers 'LABEL_0', 'LABEL_1', but the data has 'a', 'b'"),
        (
            ["a", "b"],
            ["a", "b"],
            ["b", "a"],
            r"task.labels is \['a', 'b'\], but .* in the order \['b', 'a'\]. Give that",
        ),
        ([str(n) for n in range(12)], None, ["x", "y"], r"'9', ... \(12 labels\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(train, given, checkpoint, message):
    with pytest.raises(DataError, match=message):
        choose_names(train, None, given, checkpoint)


def test_a_label_given_twice_is_refused():
    with pytest.raises(DataError, match=r"task.labels names a label twice: \['a', 'b', 'a'\]"):
        choose_names(["a", "b"], None, ["a", "b", "a"], None)


def test_any_text_can_be_a_label():
    assert choose_names(["a", "--1"], None, None, None) == ["--1", "a"]


def test_names_become_positions_and_no_label_becomes_minus_one():
    assert encode(["b", None, "a"], ["a", "b"], "train") == [1, -1, 0]


def test_a_name_that_is_not_known_is_refused_with_its_row_and_the_nearest_one():
    known = ["positive", "negative"]
    with pytest.raises(DataError, match=r"row 1 of the eval split has the label 'postive'.*Did you mean 'positive'\?"):
        encode(["negative", "postive"], known, "eval")
    with pytest.raises(DataError, match=r"Did you mean 'positive'\?$"):  # a finished model learns no other
        encode(["postive"], known, "data")
