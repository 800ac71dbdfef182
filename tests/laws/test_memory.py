"""Rows that lie in memory train the model that the same rows in files train, and the run folder tells of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
import yaml
from datasets import ClassLabel, Dataset

import hfft
from hfft.errors import DataError, RecipeError, SetupError
from hfft.testing import losses, predictions, tensors
from tests.laws.kinds import rows, split_file
from tests.laws.runs import LAWFUL, train, trusted

ONE = "train.epochs=1"


def without_data(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe of a task, whose data are to come from memory."""
    data = {name: value for name, value in recipe["data"].items() if name not in ("files", "root")}
    return {**recipe, "data": data, "train": {**recipe.get("train", {}), "epochs": 1}}


def in_memory(recipe: dict[str, Any]) -> dict[str, Any]:
    """The splits of a recipe in each of the ways in which tables lie in memory."""
    found: dict[str, Any] = {split: rows(recipe, split) for split in ("train", "eval", "test")}
    table = pandas.DataFrame(found["eval"])
    if split_file(recipe, "train").suffix == ".parquet":
        found = {split: Dataset.from_parquet(str(split_file(recipe, split))) for split in found}
        kinds = found["eval"].features
        for name in [name for name in table.columns if isinstance(kinds[name], ClassLabel)]:  # a DataFrame has names
            table[name] = kinds[name].int2str(table[name].tolist())
    return {**found, "eval": table}


@pytest.mark.parametrize("task", LAWFUL)
def test_rows_in_memory_train_as_rows_in_files_do(tiny, run_of, tmp_path, task):
    recipe = tiny(task)
    filed = run_of(recipe, ONE)
    how: dict[str, Any] = {"quiet": True, "trust": trusted(recipe)}
    made = hfft.train(without_data(recipe), tmp_path / "run", data=in_memory(recipe), **how).folder
    assert losses(made) == losses(filed)
    for split in ("eval", "test"):
        said, told = predictions(made, split), predictions(filed, split)
        assert [row["answer"] for row in said] == [row["answer"] for row in told]
    found, other = (tensors(run / "model" / "model.safetensors") for run in (made, filed))
    assert found.keys() == other.keys()
    assert all(found[name].equal(other[name]) for name in found)


@pytest.fixture
def recipe(tiny):
    return tiny("text-classification")


@pytest.fixture
def table(recipe):
    return rows(recipe, "train")


def test_the_recipe_in_the_run_folder_tells_what_the_data_were_and_needs_them_again(recipe, table, tmp_path):
    run = tmp_path / "run"
    bare = without_data(recipe)
    hfft.train(bare, run, data={"train": pandas.DataFrame(table), "eval": Dataset.from_list(table[:6])}, quiet=True)
    noted = yaml.safe_load((run / "recipe.yaml").read_text())["data"]["memory"]
    assert [(noted[split]["kind"], noted[split]["rows"]) for split in noted] == [
        ("DataFrame", len(table)),
        ("Dataset", 6),
    ]
    assert noted["train"]["columns"] == ["text", "label"]
    assert noted["train"]["fingerprint"] != noted["eval"]["fingerprint"]
    with pytest.raises(DataError, match=r"were tables in Python: train, a DataFrame of \d+ rows \(text, label\)"):
        hfft.train(run / "recipe.yaml", tmp_path / "again")
    again = hfft.train(run / "recipe.yaml", tmp_path / "again", data={"train": table, "eval": table[:6]}, quiet=True)
    assert losses(again.folder) == losses(run)
    assert "a DataFrame of" in (run / "report.html").read_text()


def test_a_run_goes_on_with_the_same_rows_alone(recipe, table, tmp_path):
    bare, run = without_data(recipe), tmp_path / "run"
    hfft.train(bare, run, data=table, quiet=True)
    longer = {**bare, "train": {**bare["train"], "epochs": 2}}
    with pytest.raises(DataError, match="The rows of train are not those"):
        hfft.train(longer, run, data=table[:-1], quiet=True)
    hfft.train(longer, run, data=pandas.DataFrame(table), quiet=True)
    with pytest.raises(SetupError, match="holds a run of another recipe"):
        train(recipe, run, "train.epochs=3")


def test_slices_hold_outs_and_seeds_are_those_of_files(recipe, table, run_of, tmp_path):
    bare = without_data(recipe)
    given = {**bare, "data": {"train": "train[:20]", "holdout": 0.2}}
    files = {**recipe, "data": {**given["data"], "root": recipe["data"]["root"], "files": {"train": "train.csv"}}}
    made = hfft.train(given, tmp_path / "run", data=table, quiet=True).folder
    assert losses(made) == losses(run_of(files, ONE))
    seeds = {**given, "train": {**given["train"], "seeds": [0, 1]}}
    hfft.train(seeds, tmp_path / "seeds", data=table, quiet=True)
    assert losses(tmp_path / "seeds" / "seed-0") == losses(made)


def test_cells_of_pandas_and_numpy_are_plain_values(recipe, table, tmp_path):
    frame = pandas.DataFrame([*table, {"text": "w1", "label": np.nan}])
    frame["label"] = frame["label"].astype("category")
    frame["when"] = pandas.Timestamp("2026-01-01")
    frame["mixed"] = [number if number % 2 else "odd" for number in range(len(frame))]
    plan = hfft.plan(without_data(recipe), data=frame)
    assert plan.splits["train"]["rows"] == len(table)
    assert any("data['train']: the column 'mixed' mixes kinds of values" in text for text in plan.warnings)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (["w1", "w2"], DataError, r"data\['train'\] is \['w1', 'w2'\], of type list; a split is a DataFrame of pandas"),
        (3, DataError, r"data\['train'\] is 3, of type int; a split is"),
        ({"text": ["a"], "label": ["b"]}, DataError, "data is a dict of text, label; give a table, or a dict of table"),
        ({"train": [{"text": "a", "label": "b"}], "dev": []}, RecipeError, "'memory' has 'dev'; a split is 'train'"),
        ([{"txt": "a", "label": "b"}], DataError, r"task.text is 'text', but"),
        (pandas.DataFrame([["a", "b"]], columns=["text", "text"]), DataError, "names a column twice: 'text'"),
        (pandas.DataFrame({"text": [], "label": []}), DataError, "no rows|is empty|0 rows"),
    ],
)
def test_what_is_no_data_is_named(recipe, data, error, message):
    with pytest.raises(error, match=message):
        hfft.plan(without_data(recipe), data=data)


def test_data_are_named_once(recipe, table):
    with pytest.raises(RecipeError, match="here is files and memory"):
        hfft.plan(recipe, data=table)
