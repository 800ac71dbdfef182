"""Odd recipes and odd files: each is refused with one message, or gives a run whose counts add up.

`make test` tries a few, always the same; `make fuzz` as many as were tried before a release, new ones each time, and
says with which seed to see a failure again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import hfft
from hfft.data.files import read_files
from hfft.errors import HfftError
from hfft.recipe import Recipe
from hfft.tasks import TASKS, find_task
from tests.fuzz.doors import left_out, sound_or_refused
from tests.fuzz.mutations import FORMATS, files, garbled, recipes, settings_of_schema
from tests.tiny import labelled_texts

ROWS = [{**row, "more": number} for number, row in enumerate(labelled_texts(24, 5))]
SHORT = ["train.epochs=null", "train.steps=2", "train.seeds=null", "data.workers=0", "publish.to=null", "track={}"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def finished(tiny: Callable[[str], dict[str, Any]], place: Path) -> Path:
    """A finished run of text classification."""
    recipe = Recipe.from_dict({"name": "tiny", **tiny("text-classification")}, *SHORT[:2])
    return hfft.train(recipe, output=place / "finished", quiet=True).folder


def settings_of(recipe: dict[str, Any]) -> dict[str, st.SearchStrategy[Any]]:
    """Every setting of a recipe by its dotted key, those of its task included, and the values that it may have."""
    options = find_task(recipe["task"]["name"], trust=False).Options
    found = settings_of_schema(Recipe.model_json_schema()) | settings_of_schema(options.model_json_schema(), "task.")
    return {key: values for key, values in found.items() if key not in ("name", "task.name")}


@pytest.mark.parametrize("task", TASKS)
def test_an_odd_recipe_is_refused_or_gives_a_sound_run(task, tiny, place):
    recipe = {"name": "tiny", **tiny(task)}
    file, settings = place / f"{task}.yaml", settings_of(recipe)

    @given(st.data())
    def attempt(data: st.DataObject) -> None:
        file.write_bytes(data.draw(recipes(recipe, settings)))
        told = sound_or_refused("plan", str(file), "--json")
        if told is None:
            return
        plan = json.loads(told)
        output = place / "runs" / str(len(list((place / "runs").glob("*"))))
        if sound_or_refused("train", str(file), *SHORT, "--output", str(output), "--quiet") is None:
            return
        results = json.loads((output / "results.json").read_text("utf-8"))
        assert results["steps"] == 2
        for split, told in plan["splits"].items():
            answers = output / "predictions" / f"{split}.jsonl"
            assert (
                split == "train" or not answers.exists() or len(answers.read_text("utf-8").splitlines()) == told["rows"]
            )

    attempt()


@pytest.mark.parametrize("kind", FORMATS)
def test_an_odd_file_is_refused_or_its_rows_are_all_accounted_for(kind, tiny, place, finished):
    file, recipe = place / f"odd.{kind}", place / f"{kind}.yaml"
    data = {"root": str(place), "files": {"train": file.name}}
    recipe.write_text(yaml.safe_dump({"name": "odd", **tiny("text-classification"), "data": data}), encoding="utf-8")

    @given(files(kind, ROWS))
    def attempt(content: bytes) -> None:
        file.write_bytes(content)
        told = sound_or_refused("plan", str(recipe), "--json")
        try:
            table = read_files([str(file)], ".", "data")
        except HfftError:
            assert told is None
            return
        rows = len(table.rows)
        if told is not None:
            plan = json.loads(told)
            there = rows + left_out([str(finding) for finding in table.remarks], "")
            assert plan["splits"]["train"]["rows"] + left_out(plan["warnings"], "train") == there
        try:
            answers = hfft.predict(finished, file)
        except HfftError:
            pass
        else:
            assert [row["id"] for row in answers] == list(range(rows))
            assert all((row["answer"] is None) == ("error" in row) for row in answers)
        sound_or_refused("evaluate", str(finished), "--data", str(file), "--json")

    attempt()


def test_odd_pictures_are_answered_or_named(tiny, place):
    recipe = Recipe.from_dict({"name": "tiny", **tiny("image-folder")}, *SHORT[:2])
    seeing = hfft.train(recipe, output=place / "seeing", quiet=True).folder
    good = sorted(Path(recipe.data.root).rglob("*.png"))[:2]
    file = place / "odd.png"

    @given(garbled(good[0].read_bytes()))
    def attempt(content: bytes) -> None:
        file.write_bytes(content)
        answers = hfft.predict(seeing, [good[0], file, good[1]])
        assert [row["id"] for row in answers] == [0, 1, 2]
        assert [row["answer"] is None for row in answers] == [False, "error" in answers[1], False]

    attempt()
