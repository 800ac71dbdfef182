"""Every recipe of the project is valid, and runs: as it stands, but with tiny data and a tiny model."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import hfft
from tests.tiny import bert, labelled_texts, write_csv

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_runs_on_tiny_data_with_a_tiny_model(tmp_path, file):
    recipe = hfft.Recipe.load(file)
    bert(tmp_path / "model", layers=12, positions=512)
    files = tiny_files(recipe, tmp_path)
    overrides = [f"model={tmp_path / 'model'}", "train.epochs=null", "train.steps=3", f"data={{files: {files}}}"]
    result = hfft.train(hfft.Recipe.load(file, *overrides), output=tmp_path / "run", quiet=True)
    assert set(result.scores) == set(files) - {"train"}
    saved = hfft.Recipe.load(tmp_path / "run" / "recipe.yaml")
    assert (saved.name, saved.task.options["text"]) == (file.stem, recipe.task.options["text"])


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_says_what_it_is_for_and_how_to_run_it(file):
    header = list(itertools.takewhile(lambda line: line.startswith("#"), file.read_text("utf-8").splitlines()))
    assert len(header) >= 2
    assert any(file.name in line for line in header)


def tiny_files(recipe, folder):
    """Writes the splits that a recipe names, with its columns and labels. Gives the value of `data.files`."""
    options, data = recipe.task.options, recipe.data
    splits = {"train", *(data.files or ()), *(("eval",) if data.eval or data.holdout else ())}
    files = {}
    for number, split in enumerate(sorted(splits)):
        rows = labelled_texts(30, number)
        labels = options.get("labels") or ["good", "bad", "odd"]
        numbers = {"good": 0, "bad": 1, "odd": len(labels) - 1}
        columns = {options["text"]: "text", options["label"]: "label"}
        values = [{**row, "label": labels[numbers[row["label"]]]} for row in rows]
        write_csv(folder / f"{split}.csv", [{new: row[old] for new, old in columns.items()} for row in values])
        files[split] = str(folder / f"{split}.csv")
    return files
