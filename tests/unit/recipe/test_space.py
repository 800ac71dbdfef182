"""The space of a sweep: its grammar, and what is refused before anything is trained."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from hfft.errors import RecipeError
from hfft.recipe import Recipe
from hfft.recipe.space import first_settings, with_settings, with_space, without_test
from hfft.recipe.sweep import Values
from hfft.workflows.describe import recipe_schema

BASE: dict[str, Any] = {
    "task": {"name": "text-classification"},
    "data": {"files": {"train": "a.csv", "test": "t.csv"}, "holdout": 0.1},
    "model": "bert",
}


def given(*sets: str, space: Any = None, **settings: Any) -> Recipe:
    return with_space(Recipe.from_dict(BASE), space, sets, settings)


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ("log:1e-5..1e-3", {"low": 1e-5, "high": 1e-3, "log": True}),
        ("0.1..0.9", {"low": 0.1, "high": 0.9}),
        ("0.5..0.9/0.1", {"low": 0.5, "high": 0.9, "step": 0.1}),
        ("int:1..5", {"kind": "int", "low": 1, "high": 5}),
        ("log:int:8..64", {"kind": "int", "low": 8, "high": 64, "log": True}),
        ("int:8..64/8", {"kind": "int", "low": 8, "high": 64, "step": 8}),
        ("0.7,0.8, 0.9", {"choices": [0.7, 0.8, 0.9]}),
        ("1e-5,1e-4", {"choices": [1e-5, 1e-4]}),
        ("linear,cosine", {"choices": ["linear", "cosine"]}),
        ("[null, lora]", {"choices": [None, "lora"]}),
        ("{name: lora},{name: ia3}", {"choices": [{"name": "lora"}, {"name": "ia3"}]}),
        ("[query, value],[query]", {"choices": [["query", "value"], ["query"]]}),
        ([1, 2], {"choices": [1, 2]}),
        (True, {"choices": [True]}),
    ],
)
def test_what_is_short_for_values(short, whole):
    assert Values.model_validate(short) == Values.model_validate(whole)
    assert Values.model_validate(Values.model_validate(short).model_dump(mode="json")) == Values.model_validate(whole)


@pytest.mark.parametrize(
    ("values", "few"),
    [
        ("0.5..0.9/0.1", [0.5, 0.6, 0.7, 0.8, 0.9]),
        ("0..1/0.3", [0.0, 0.3, 0.6, 0.9]),
        ("int:1..7/3", [1, 4, 7]),
        ("a,b", ["a", "b"]),
        ("0..1", None),
    ],
)
def test_what_can_be_counted(values, few):
    assert Values.model_validate(values).few == few


REFUSED = {
    "optim.lrr=1e-5..1e-3": r"optim\.lrr is not a known key\. Did you mean 'lr'",
    "optm.lr=1e-5..1e-3": r"optm is not a known key\. Did you mean 'optim'",
    "optim.lr=1e-3..1e-5": r"the range from 0\.001 to 1e-05 is empty",
    "optim.lr=log:0..1": r"begins at 0, which has no logarithm",
    "optim.lr=log:1e-5-1e-3": r"is no range\. Write A\.\.B, log:A\.\.B",
    "optim.lr=1e-5...x": r"is no range",
    "optim.lr=-1..1": r"optim\.lr cannot be -1\.0",
    "optim.lr=": r"no values to try",
    "optim.lr": r"not of the form KEY=VALUES",
    "optim.schedule=linear,cosin": r"optim\.schedule cannot be cosin",
    "optim.schedule=linear,linear": r"'linear' is given twice",
    "train.batch_size=8..64": r"train\.batch_size cannot be 40\.33.*\n.*int:8\.\.64",
    "train.epochs=int:1.5..3": r"whole numbers",
    "tune.layer_decay=0.5..0.9/0.5": r"the step 0\.5 is longer than the range",
    "data.holdout=0.1,0.2": r"cannot be tried: all trials are scored on the same rows",
    "eval.while_training=10,20": r"cannot be tried",
    "train.seed=1,2": r"luck and no setting",
    "train.seeds=[[0, 1], [2, 3]]": r"sweep\.seeds",
    "name=a,b": r"nothing that is learnt",
    "train.early_stop=1,2": r"'early_stop' watches the metric",
}


@pytest.mark.parametrize("text", REFUSED)
def test_bad_spaces_are_refused(text):
    with pytest.raises(RecipeError, match=REFUSED[text]):
        given(text)


def test_other_mistakes_of_sweeps():
    with pytest.raises(RecipeError, match=r"There is nothing to try"):
        given()
    with pytest.raises(RecipeError, match=r"values of optim\.lr are given already"):
        given("optim.lr=1..2", "optim.lr=2..3")
    with pytest.raises(RecipeError, match=r"values of optim\.lr are given already"):
        given("optim.lr=1..2", space={"optim.lr": [1, 2]})
    with pytest.raises(RecipeError, match=r"a grid has countable values, and optim\.lr is a range without steps"):
        given("optim.lr=1..2", method="grid")
    with pytest.raises(RecipeError, match=r"sweep\.method is 'grd'"):
        given("optim.lr=1..2", method="grd")
    with pytest.raises(RecipeError, match=r"hihg is not a known key\. Did you mean 'high'"):
        given(space={"optim.lr": {"low": 1, "hihg": 2}})
    with pytest.raises(RecipeError, match=r"sweep\.storage does not fit: it is no URL"):
        given("optim.lr=1..2", storage="host/name")


def test_a_file_has_lines(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text("tune.layer_decay: 0.7,0.8\noptim.lr: log:1e-3..1e-5\n")
    with pytest.raises(RecipeError, match=r"^space\.yaml, line 2: sweep\.space\.optim\.lr .* is empty"):
        given(space=file)
    with pytest.raises(RecipeError, match=r"There is no file .*spaec\.yaml with a space\. Did you mean 'space\.yaml'"):
        given(space=tmp_path / "spaec.yaml")


def test_the_command_line_comes_before_the_recipe_and_all_is_written_out(tmp_path):
    section = {"space": {"optim.lr": "0.1..0.2", "train.epochs": "int:1..3"}, "trials": 7}
    recipe = with_space(Recipe.from_dict({**BASE, "sweep": section}), None, ["optim.lr=0.3,0.4"], {})
    assert recipe.sweep is not None
    assert recipe.sweep.space["optim.lr"].choices == [0.3, 0.4]
    assert recipe.sweep.space["train.epochs"].high == 3
    recipe.save(tmp_path / "whole.yaml")
    assert Recipe.load(tmp_path / "whole.yaml").sweep == recipe.sweep


def test_a_recipe_without_a_sweep_is_saved_as_before(tmp_path):
    Recipe.from_dict(BASE).save(tmp_path / "plain.yaml")
    assert "sweep" not in yaml.safe_load((tmp_path / "plain.yaml").read_text())


def test_settings_come_into_a_recipe_as_if_they_stood_there():
    recipe = given("optim.lr=1e-5,1e-4", "train.steps=int:5..50", "tune.adapter=[null, {rank: 4}]")
    made = with_settings(recipe, {**first_settings(recipe), "tune.adapter": {"rank": 4}})
    assert (made.optim.lr, made.train.steps, made.train.epochs, made.sweep) == (1e-5, 5, None, None)
    assert made.tune.adapter is not None


@pytest.mark.parametrize(
    ("data", "left"),
    [
        ({"files": {"train": "a", "eval": "e", "test": "t"}}, ["train", "eval"]),
        ({"files": {"train": "a", "test": "t"}, "eval": "test"}, ["train", "test"]),
        (
            {"files": {"train": "a", "dev": "e", "t1": "t", "t2": "u"}, "eval": "dev", "test": ["t1", "t2"]},
            ["train", "dev"],
        ),
    ],
)
def test_the_test_split_is_taken_away(data, left):
    made = without_test(Recipe.from_dict({**BASE, "data": data}).data)
    assert made.test is None
    assert list(made.files or {}) == left


def test_editors_take_what_is_short_for_values():
    space = {"optim.lr": "log:1e-5..1e-3", "tune.layer_decay": [0.7, 0.8], "train.epochs": {"low": 1, "high": 3}}
    check = Draft202012Validator(recipe_schema())
    assert not list(check.iter_errors({**BASE, "sweep": {"space": space}}))
    assert list(check.iter_errors({**BASE, "sweep": {"space": {"optim.lr": {"lwo": 1}}}}))
