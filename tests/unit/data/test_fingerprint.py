"""A fingerprint belongs to the rows, wherever they were read from."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets

from hfft.data.files import read_files
from hfft.data.fingerprint import fingerprint

ROWS = {"text": ["a", "bb", "", "ü"], "label": ["x", "y", "x", None]}


def made(**changes):
    return Dataset.from_dict({**ROWS, **changes})


def test_the_same_rows_have_the_same_fingerprint_wherever_they_come_from(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,x\nbb,y\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": "bb", "label": "y"}\n', encoding="utf-8")
    read = [read_files([name], str(tmp_path), "data.files.train") for name in ("a.csv", "b.jsonl")]
    assert {fingerprint(part) for part in read} == {fingerprint(made(text=["a", "bb"], label=["x", "y"]))}


@pytest.mark.parametrize(
    "held",
    [
        concatenate_datasets([made().select([0]), made().select(range(1, 4))]),
        made().select([3, 2, 1, 0]).select([3, 2, 1, 0]),
        made().with_format("torch"),
        made(text=["a", "bb", "", "ü", "more"], label=["x", "y", "x", None, "y"]).select(range(4)),
    ],
)
def test_how_rows_are_held_does_not_matter(held):
    assert fingerprint(held) == fingerprint(made())


@pytest.mark.parametrize(
    "other",
    [
        made(text=["a", "bb", " ", "ü"]),
        made(text=["a", "bb", None, "ü"]),
        made(text=["ab", "b", "", "ü"]),
        made(label=["x", "y", "x", "x"]),
        made().select([1, 0, 2, 3]),
        made().select([0, 1, 2]),
        made().rename_columns({"text": "body"}),
        made().select_columns("text"),
        made().cast(Features({"text": Value("large_string"), "label": Value("string")})),
    ],
)
def test_other_rows_have_another_fingerprint(other):
    assert fingerprint(other) != fingerprint(made())


def test_other_names_of_the_labels_are_other_data():
    one, other = (
        Dataset.from_dict({"label": [0, 1]}, Features({"label": ClassLabel(names=names)}))
        for names in (["neg", "pos"], ["pos", "neg"])
    )
    assert fingerprint(one) != fingerprint(other)
