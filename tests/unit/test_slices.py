"""Parts of a split: by length, by the values of columns, and their scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features

import hfft
from hfft.errors import DataError
from hfft.scoring import Scored
from hfft.slices import Part, parts_by_column, parts_by_length, slice_scores
from hfft.tasks.task import Plain
from tests.tiny import labelled_texts, write_csv


class Right(Plain):
    """Scores the share of right answers."""

    def score(self, answers: Sequence[Any], truths: Sequence[Any]) -> dict[str, float]:
        return {"accuracy": sum(a["answer"] == t for a, t in zip(answers, truths, strict=True)) / len(truths)}


def told(parts: Sequence[Part]) -> list[tuple[str, list[int]]]:
    return [(part.value, part.rows) for part in parts]


def by_column(values: list[Any], **arguments: Any) -> list[Part]:
    return parts_by_column(Dataset.from_dict({"of": values}, **arguments), "test", "of")


def test_texts_and_booleans_are_cut_by_value_in_the_order_of_the_rows():
    assert told(by_column(["b", "a", None, "b"])) == [("b", [0, 3]), ("a", [1]), ("(none)", [2])]
    assert told(by_column([True, False, True])) == [("True", [0, 2]), ("False", [1])]


def test_numbers_of_a_class_label_have_its_names():
    parts = by_column([1, 0, 1], features=Features({"of": ClassLabel(names=["no", "yes"])}))
    assert told(parts) == [("yes", [0, 2]), ("no", [1])]


def test_of_many_values_the_rarest_are_one_part():
    parts = by_column([*(f"v{number}" for number in range(20) for _ in range(2)), "x", "y", "z"])
    assert len(parts) == 21
    assert told(parts)[-1] == ("(3 others)", [40, 41, 42])


def test_many_numbers_are_cut_in_quarters_and_missing_ones_kept_apart():
    parts = by_column([*(float(number) for number in range(40)), None])
    assert [(part.value, len(part.rows)) for part in parts] == [
        ("0 to 8", 9), ("9 to 18", 10), ("19 to 28", 10), ("29 to 39", 11), ("(none)", 1)
    ]  # fmt: skip
    assert sorted(row for part in parts for row in part.rows) == list(range(41))


def test_lengths_are_cut_in_parts_of_about_the_same_size_where_there_are_enough():
    parts = parts_by_length(np.repeat([3, 5, 7, 20], 10))
    assert [(part.column, part.value, len(part.rows)) for part in parts] == [
        ("length", "3 tokens", 10), ("length", "5 tokens", 10), ("length", "7 to 20 tokens", 20)
    ]  # fmt: skip
    assert not parts_by_length(np.arange(39))
    assert not parts_by_length(np.full(100, 7))
    assert not parts_by_length(None)


def test_a_part_has_the_scores_of_its_examples_alone():
    answers = [{"answer": answer} for answer in "aabb"]
    found = Scored(cast(Any, Right(None)), [0, 1, 2, 3], answers, ["a", "b", "b", None])
    first, second = slice_scores(
        found, [Part("of", "x", [0, 1]), Part("of", "y", [2, 3]), Part("of", "z", [3])], 0.95, selected=True
    )
    assert (first["value"], first["examples"], first["scores"]["accuracy"]["value"]) == ("x", 2, 0.5)
    assert first["scores"]["accuracy"]["low"] == 0
    assert first["scores"]["accuracy"]["selected"]
    assert (second["examples"], second["scores"]["accuracy"]["value"]) == (1, 1.0)  # one has no truth


@pytest.mark.parametrize(("column", "said"), [("off", "Did you mean 'of'"), ("lists", r"such as \[1\]")])
def test_a_column_that_is_not_there_or_holds_lists_is_refused(column, said):
    rows = Dataset.from_dict({"of": ["a"], "lists": [[1]]})
    with pytest.raises(DataError, match=said):
        parts_by_column(rows, "test", column)


def test_a_run_scores_the_slices_its_recipe_names(tiny, tmp_path):
    rows = [
        {**row, "place": "north" if number % 3 else "south"} for number, row in enumerate(labelled_texts(48, seed=3))
    ]
    write_csv(tmp_path / "test.csv", rows)
    recipe = tiny("text-classification")
    files = {"train": recipe["data"]["files"]["train"], "eval": str(tmp_path / "test.csv")}
    recipe = {**recipe, "data": {**recipe["data"], "files": files}}
    result = hfft.train(
        hfft.Recipe.from_dict(recipe, "eval.slices=[place]", "train.epochs=null", "train.steps=2"), tmp_path / "run"
    )
    results = json.loads((result.folder / "results.json").read_text())
    lines = (result.folder / "predictions" / "eval.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert [row["input"] for row in found] == [row["text"] for row in rows]
    parts = {part["value"]: part for part in results["eval_slices"] if part["column"] == "place"}
    for value, examples in (("north", 32), ("south", 16)):
        own = [row for row, given in zip(found, rows, strict=True) if given["place"] == value]
        right = sum(row["answer"] == row["truth"] for row in own) / len(own)
        assert parts[value]["examples"] == examples
        assert parts[value]["scores"]["accuracy"]["value"] == pytest.approx(right)
    assert (result.folder / "report.html").is_file()
