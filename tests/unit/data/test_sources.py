"""Splits: slices as the Hub has them, and a hold-out that keeps the shares of its strata."""

from __future__ import annotations

from collections import Counter

import datasets.config
import pytest
from datasets import Dataset

from hfft.data.files import read_files
from hfft.data.sources import hold_out as hold_out_rows
from hfft.data.sources import read_hub, read_local
from hfft.errors import DataError, SetupError


@pytest.fixture
def root(tmp_path):
    (tmp_path / "a.csv").write_text("text\n" + "".join(f"{row}\n" for row in range(10)))
    (tmp_path / "b.csv").write_text("text\nb\n")
    return str(tmp_path)


def read(root, files, expressions):
    return read_local(files, expressions, (), lambda name: read_files(files[name], root, f"data.files.{name}"))[0]


def rows(dataset):
    return list(dataset["text"])


@pytest.mark.parametrize(
    ("expression", "taken"),
    [
        ("train", range(10)),
        ("train[:3]", range(3)),
        ("train[8:]", range(8, 10)),
        ("train[-2:]", range(8, 10)),
        ("train[:-7]", range(3)),
        ("train[2:4]", range(2, 4)),
        ("train[20%:40%]", range(2, 4)),
        ("train[:10]", range(10)),
    ],
)
def test_a_slice_takes_the_rows_it_names(root, expression, taken):
    splits = read(root, {"train": ["a.csv"]}, {"train": expression, "eval": None})
    assert {name: rows(split) for name, split in splits.items()} == {"train": [str(row) for row in taken]}


def test_the_slices_of_one_file_do_not_overlap(root):
    splits = read(root, {"train": ["a.csv"]}, {"train": "train[:80%]", "eval": "train[80%:]"})
    assert rows(splits["train"]) + rows(splits["eval"]) == [str(row) for row in range(10)]


def test_eval_and_test_are_found_by_name_where_no_one_names_them(root):
    files = {"train": ["a.csv"], "eval": ["b.csv"], "test": ["b.csv", "a.csv"]}
    splits = read(root, files, {"train": "train", "eval": None, "test": None})
    assert {name: len(split) for name, split in splits.items()} == {"train": 10, "eval": 1, "test": 11}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("trian", "data.eval is 'trian', but no local data has the name 'trian'; there is train."),
        ("train[:120%]", "there are 10 rows."),
        ("train[3]", "Write for example 'train[:8000]' or 'train[10%:20%]'; there are 10 rows."),
        ("train[", "the slice is not of the form name[from:to]"),
        ("train[:2]+train[4:]", "the slice is not of the form name[from:to]"),
        ("train[a:b]", "data.eval is 'train[a:b]': "),
    ],
)
def test_a_slice_that_names_no_rows_is_refused(root, expression, message):
    with pytest.raises(DataError) as caught:
        read(root, {"train": ["a.csv"]}, {"train": "train", "eval": expression})
    assert message in str(caught.value)


def test_without_network_a_data_set_of_the_hub_is_named_with_what_was_tried():
    with pytest.raises(SetupError, match=r"data.hub is 'no/such', but the Hub cannot be reached and the local cache"):
        read_hub("no/such", None, None, {"train": "train"})


def test_a_split_or_configuration_that_does_not_exist_is_told_with_the_known_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.csv").write_text("text\n" + "a\n" * 10)
    name = str(tmp_path / "rows")  # datasets takes a folder as it takes a name on the Hub
    assert len(read_hub(name, None, None, {"train": "train[:4]", "eval": None})["train"]) == 4
    with pytest.raises(DataError, match=r"data.eval is 'validation' of .* Should be one of \['train'\]"):
        read_hub(name, None, None, {"train": "train", "eval": "validation"})
    with pytest.raises(DataError, match=r"'sst2' not found. Available: \['default'\]"):
        read_hub(name, "sst2", None, {"train": "train"})


def hold_out(data, share, seed, strata):
    return [data.select(part) for part in hold_out_rows(len(data), share, seed, strata)]


def numbered(strata):
    return Dataset.from_dict({"text": [str(row) for row in range(len(strata))], "label": strata})


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("stratified", [True, False])
def test_a_hold_out_cuts_the_rows_in_two_in_file_order(share, stratified):
    data = numbered(["a"] * 50 + ["b"] * 30 + ["c"] * 21)
    rest, part = hold_out(data, share, 0, data["label"] if stratified else None)
    assert len(part) == round(101 * share)
    assert sorted(rows(rest) + rows(part), key=int) == rows(data)
    assert all(rows(split) == sorted(rows(split), key=int) for split in (rest, part))


@pytest.mark.parametrize(
    ("strata", "share", "held"),
    [
        (["a"] * 60 + ["b"] * 40, 0.1, {"a": 6, "b": 4}),
        (["a"] * 6 + ["b"] * 3 + ["c"], 0.3, {"a": 2, "b": 1}),  # 1.8, 0.9 and 0.3 rows
        (["a"] * 5 + ["b"] * 5, 0.3, {"a": 2, "b": 1}),  # 1.5 each: the first of equals
        ([1, None, 1, None], 0.5, {1: 1, None: 1}),
    ],
)
def test_a_hold_out_keeps_the_shares_of_its_strata_as_near_as_whole_rows_allow(strata, share, held):
    data = numbered(strata)
    for seed in range(5):
        assert Counter(hold_out(data, share, seed, data["label"])[1]["label"]) == held


@pytest.mark.parametrize("seed", range(5))
def test_of_what_several_rows_have_one_row_stays_in_the_rest(seed):
    labels = [["a", "b"], ["a"], None, ["b", "b"], [], ["solo", "a"], ["a"], ["b"]]
    rest, part = hold_out(numbered([str(row) for row in range(8)]), 0.5, seed, labels)
    kept, held = ({label for row in rows(side) for label in labels[int(row)] or ()} for side in (rest, part))
    assert held <= kept
    assert len(part) == 4


@pytest.mark.parametrize("labels", [["1", "2", "3", "4", "5", "5"], [["1"], ["2"], ["3"], ["4"], ["5"], ["5"]]])
def test_a_hold_out_of_labels_that_no_other_row_has_is_refused(labels):
    message = r"data.holdout is 0.5, which are 3 of 6 training rows, but only 1 can be held out.*task.problem=regress"
    with pytest.raises(DataError, match=message):
        hold_out(numbered([str(row) for row in range(6)]), 0.5, 0, labels)


def test_the_seed_alone_decides_which_rows_are_held_out():
    data = numbered(["a"] * 50 + ["b"] * 50)
    held = [rows(hold_out(data, 0.2, seed, data["label"])[1]) for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2]


@pytest.mark.parametrize(("count", "share"), [(10, 0.01), (10, 0.99), (1, 0.5), (0, 0.5)])
def test_a_hold_out_that_leaves_nothing_on_one_side_is_refused(count, share):
    with pytest.raises(DataError, match=rf"data.holdout is {share}, but of {count} training rows that leaves one part"):
        hold_out(numbered(["a"] * count), share, 0, None)
