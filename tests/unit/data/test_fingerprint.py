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


def moved(folder, contents):
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_text(content)
    return Dataset.from_dict({"image": [*(str(folder / name) for name in contents), None], "label": ["x"] * 3})


def test_files_count_by_name_and_size_and_not_by_folder(tmp_path):
    first, same, other_size, other_name = (
        moved(tmp_path / str(number), contents)
        for number, contents in enumerate(
            [{"a": "one", "b": "two"}, {"a": "one", "b": "TWO"}, {"a": "one", "b": "four"}, {"a": "one", "c": "two"}]
        )
    )
    assert fingerprint(first, ["image"]) == fingerprint(same, ["image"])
    assert len({fingerprint(rows, ["image"]) for rows in (first, other_size, other_name)}) == 3
    before = fingerprint(first, ["image"])
    (tmp_path / "0" / "b").unlink()
    assert fingerprint(first, ["image"]) != before


def test_without_file_columns_the_folder_counts_and_columns_of_no_text_count_as_before(tmp_path):
    contents = {"a": "one", "b": "two"}
    first, other = moved(tmp_path / "1", contents), moved(tmp_path / "2", contents)
    assert fingerprint(first) != fingerprint(other)
    assert fingerprint(first, ["label"]) != fingerprint(other, ["label"])
    held = Dataset.from_dict({"image": [b"abc"], "label": [1]})
    assert fingerprint(held, ["image", "label", "absent"]) == fingerprint(held)
