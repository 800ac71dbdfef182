"""Parts of a split: by length, by the values of columns, and their scores."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features

import hfft
from hfft.errors import DataError
from hfft.tasks.scores import Scored
from hfft.tasks.slices import Part, parts_by_column, parts_by_length, slice_scores
from hfft.tasks.task import Task
from tests.tiny import labelled_texts, write_csv


class Right(Task):
    """Scores the share of right answers."""

    def compute_metrics(self, answers: Sequence[Any], truths: Sequence[Any]) -> dict[str, float]:
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


def test_many_numbers_are_cut_in_ranges_and_missing_ones_kept_apart():
    parts = by_column([*(float(number) for number in range(40)), None, math.nan])
    assert [(part.value, len(part.rows)) for part in parts] == [
        ("0 to 9", 10), ("10 to 19", 10), ("20 to 29", 10), ("30 to 39", 10), ("(none)", 2)
    ]  # fmt: skip
    assert sorted(row for part in parts for row in part.rows) == list(range(42))


def test_a_value_of_most_rows_is_a_range_of_its_own():
    parts = by_column([*([0] * 160), *range(1, 41)])
    assert [(part.value, len(part.rows)) for part in parts] == [("0", 160), ("1 to 40", 40)]


def test_texts_that_are_numbers_as_in_a_csv_file_are_numbers():
    parts = by_column([*(str(number) for number in range(40)), ""])
    assert [part.value for part in parts] == ["0 to 9", "10 to 19", "20 to 29", "30 to 39", "(none)"]
    assert told(by_column(["007", "7"])) == [("007", [0]), ("7", [1])]  # few values stay as they are written


def test_lengths_are_cut_in_parts_of_about_the_same_size_where_there_are_enough():
    parts = parts_by_length(np.repeat([3, 5, 7, 20], 10))
    assert [(part.column, part.value, len(part.rows)) for part in parts] == [
        ("length (tokens)", "3", 10), ("length (tokens)", "5", 10),
        ("length (tokens)", "7", 10), ("length (tokens)", "20", 10)
    ]  # fmt: skip
    assert not parts_by_length(np.arange(39))
    assert not parts_by_length(np.full(100, 7))
    assert not parts_by_length(None)


class Picky(Right):
    """Has no score where there is one kind of truth."""

    def compute_metrics(self, answers: Sequence[Any], truths: Sequence[Any]) -> dict[str, float]:
        if len(set(truths)) == 1:
            raise ValueError("one class only")
        return super().compute_metrics(answers, truths)


def test_a_score_that_is_not_defined_on_a_part_is_said_and_no_run_is_lost_by_it():
    def undefined(answers: list[Any], truths: list[Any]) -> dict[str, float]:
        raise ValueError("never")

    found = Scored(cast(Any, Picky(None)), [0, 1], [{"answer": "a"}] * 2, ["a", "b"], [undefined])
    both, one = slice_scores(found, [Part("of", "x", [0, 1]), Part("of", "y", [0])], 0.95, selected=False)
    assert both["scores"]["accuracy"]["value"] == 0.5
    assert one == {"column": "of", "value": "y", "examples": 1, "scores": {}, "failed": "ValueError: one class only"}


def test_a_part_has_the_scores_of_its_examples_alone():
    answers = [{"answer": answer} for answer in "aabb"]
    found = Scored(cast(Any, Right(None)), [0, 1, 2, 3], answers, ["a", "b", "b", None])
    first, second = slice_scores(
        found, [Part("of", "x", [0, 1]), Part("of", "y", [2, 3]), Part("of", "z", [3])], 0.95, selected=True
    )
    assert (first["value"], first["examples"], first["scores"]["accuracy"]["value"]) == ("x", 2, 0.5)
    assert first["scores"]["accuracy"]["low"] == pytest.approx(0.0256, abs=1e-4)  # of 1 in 2
    assert second["scores"]["accuracy"]["low"] is None  # of one example
    assert first["scores"]["accuracy"]["selected"]
    assert (second["examples"], second["scores"]["accuracy"]["value"]) == (1, 1.0)  # one has no truth


@pytest.mark.parametrize(
    ("column", "said"), [("off", "Did you mean 'of'"), ("lists", r"such as \[1\]"), ("text", "short texts")]
)
def test_a_column_that_is_not_there_or_holds_lists_or_long_texts_is_refused(column, said):
    rows = Dataset.from_dict({"of": ["a"], "lists": [[1]], "text": ["a long text " * 20]})
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
