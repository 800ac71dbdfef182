"""A fingerprint belongs to the rows, wherever they were read from."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, Features, Image, Value, concatenate_datasets

from hfft.data.files import read_files
from hfft.data.fingerprint import END, fingerprint

ROWS = {"text": ["a", "bb", "", "ü"], "label": ["x", "y", "x", None]}


def made(**changes):
    return Dataset.from_dict({**ROWS, **changes})


def test_the_same_rows_have_the_same_fingerprint_wherever_they_come_from(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,x\nbb,y\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": "bb", "label": "y"}\n', encoding="utf-8")
    read = [read_files([name], str(tmp_path), "data.files.train").rows for name in ("a.csv", "b.jsonl")]
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


def in_structs(rows):
    return rows.cast_column("image", Image(decode=False))


@pytest.mark.parametrize("held", [lambda rows: rows, in_structs], ids=["texts", "structs"])
def test_files_count_by_name_and_contents_and_not_by_folder(tmp_path, held):
    first, same, other_contents, other_size, other_name = (
        held(moved(tmp_path / str(number), {"a": "one", **contents}))
        for number, contents in enumerate([{"b": "two"}, {"b": "two"}, {"b": "TWO"}, {"b": "four"}, {"c": "two"}])
    )
    assert fingerprint(first, ["image"]) == fingerprint(same, ["image"])
    assert len({fingerprint(rows, ["image"]) for rows in (first, other_contents, other_size, other_name)}) == 4
    before = fingerprint(first, ["image"])
    (tmp_path / "0" / "b").unlink()
    assert fingerprint(first, ["image"]) != before


@pytest.mark.parametrize(
    ("size", "changed", "counts"),
    [(2 * END, 0, True), (2 * END, END, True), (3 * END, 0, True), (3 * END, -1, True), (3 * END, END, False)],
)
def test_of_a_large_file_both_ends_count(tmp_path, size, changed, counts):
    content = bytearray(size)
    (tmp_path / "a").write_bytes(content)
    rows = Dataset.from_dict({"image": [str(tmp_path / "a")]})
    before = fingerprint(rows, ["image"])
    content[changed] = 1
    (tmp_path / "a").write_bytes(content)
    assert (fingerprint(rows, ["image"]) != before) is counts


def test_the_name_of_a_file_beside_its_bytes_is_a_text_as_any_other():
    one, other = (in_structs(Dataset.from_dict({"image": [{"bytes": b"x", "path": name}]})) for name in ("a/b", "c/b"))
    assert fingerprint(one, ["image"]) == fingerprint(one)
    assert fingerprint(one, ["image"]) != fingerprint(other, ["image"])


def test_without_file_columns_the_folder_counts_and_columns_of_no_text_count_as_before(tmp_path):
    contents = {"a": "one", "b": "two"}
    first, other = moved(tmp_path / "1", contents), moved(tmp_path / "2", contents)
    assert fingerprint(first) != fingerprint(other)
    assert fingerprint(first, ["label"]) != fingerprint(other, ["label"])
    held = Dataset.from_dict({"image": [b"abc"], "label": [1]})
    assert fingerprint(held, ["image", "label", "absent"]) == fingerprint(held)
