"""Columns read in pieces say what lists of their values say."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from hfft.data import columns
from hfft.data.columns import as_array, chosen, distinct, values_of


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(columns, "PIECE", 3)


VALUES = {
    "texts": ["b", "a", "b", None, "c", "a", None, "b"],
    "numbers": [2, 1, 2, 2, None, 3, 3, 1],
    "decimals": [0.5, 1.0, 0.5, None, 1.0, 0.25, 0.5, 1.0],
    "marks": [True, None, True, False, True, False, None, True],
    "lists": [["a"], [], None, ["b", "a"], ["a"], [], ["c"], None],
    "nothing": [None] * 8,
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("rows", [range(8), [7, 0, 0, 3, 5], [4]])
def test_a_column_in_pieces_is_the_column(name, rows):
    dataset = Dataset.from_dict(VALUES).select(rows)
    found, values = distinct(dataset, name), [VALUES[name][row] for row in rows]
    assert list(values_of(dataset, name)) == values
    assert [found.values[place] for place in found.places] == values
    assert [values[row] for row in found.first] == found.values
    assert all(found.values.index(value) == place for place, value in enumerate(found.values) if name != "lists")
    assert [values.index(value) for value in found.values] == found.first.tolist() or name == "lists"
    assert found.counts.sum() == len(values)
    assert found.spread(list(map(str, found.values))) == list(map(str, values))


def test_classes_are_their_numbers():
    names = Features({"y": ClassLabel(names=["a", "b"])})
    assert distinct(Dataset.from_dict({"y": [1, 0, 1, -1]}, features=names), "y").values == [1, 0, -1]


def test_numbers_are_an_array_and_chosen_values_a_list():
    dataset = Dataset.from_dict({"cut": [True, False, True, True]}, features=Features({"cut": Value("bool")}))
    assert as_array(dataset, "cut").tolist() == [True, False, True, True]
    assert chosen(["a", "b", "c"], np.array([2, 0])) == ["c", "a"]
    assert chosen(["a", "b"], np.arange(2)) == ["a", "b"]
