from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import hfft
from hfft.errors import SetupError
from hfft.recipe import Recipe
from hfft.recipe.recipe import differences
from hfft.workflows.defaults import Case, choose, hold_out_share
from tests.tiny import write_csv

OPEN: dict[str, Any] = {"task": {"name": "text-classification"}, "data": {"hub": "imdb"}, "model": "m"}


def config(width: int | None = 768, kind: str = "bert") -> Any:
    """As much of a model's configuration as the choices go by."""
    return SimpleNamespace(model_type=kind, **({"hidden_size": width, "num_attention_heads": 12} if width else {}))


def chosen(*overrides: str, strategy: str = "full", **case: Any) -> dict[str, Any]:
    """What is chosen for a recipe, by setting."""
    usual = {"images": False, "writes": False, "group_by_length": True, "rows": 10_000, "labels": 2, "eval_rows": 0}
    recipe = choose(Recipe.from_dict(OPEN, *overrides), Case(strategy, **{**usual, "config": config(), **case}), None)
    return {key: recipe.flat()[key] for key in recipe.defaults.chosen}


@pytest.mark.parametrize(
    ("case", "lr", "decay"),
    [
        ({}, 1e-4, 0.8),  # a base-sized encoder: 2 x 5e-5
        ({"config": config(384)}, 4e-4, 0.8),  # half the width: four times that
        ({"config": config(1024)}, 5.6e-5, 0.8),  # 2 x 5e-5 x (768 / 1024)^2
        ({"config": config(128)}, 4e-4, 0.8),  # 2 x 2e-4, the highest
        ({"config": config(None, "resnet")}, 1e-3, 1.0),
        ({"writes": True}, 5e-5, 1.0),
        ({"writes": True, "config": config(512, "t5")}, 3e-4, 1.0),
        ({"strategy": "head"}, 3e-3, 1.0),
        ({"strategy": "adapter", "config": config(1024)}, 2.8e-4, 0.8),
    ],
)
def test_the_rate_goes_by_the_size_of_the_model_and_by_what_learns(case, lr, decay):
    found = chosen(**case)
    assert (found["optim.lr"], found["tune.layer_decay"]) == (lr, decay)


def test_what_is_given_stays_and_decides_what_goes_with_it():
    given = chosen("optim.lr=3e-5", "train.batch_size=8", rows=80)
    assert {"optim.lr", "train.batch_size"}.isdisjoint(given)
    assert given["tune.layer_decay"] == 1.0
    assert given["train.epochs"] == 10  # 10 steps of 8 an epoch, and 100 at least
    assert chosen("tune.layer_decay=1")["optim.lr"] == 5e-5
    assert chosen("model.from_scratch=true")["optim.lr"] == 5e-4
    assert "train.epochs" not in chosen("train.steps=7")


@pytest.mark.parametrize(
    ("rows", "labels", "batch", "epochs", "every"),
    [
        (10_000, 2, 32, 3, None),
        (200, 2, 16, 8, None),  # 13 steps an epoch
        (1_500, 150, 32, 16, 76),  # 750 steps for 150 labels: 16 epochs of 47, scored ten times
        (40, 2, 16, 34, 11),
        (4, 2, 16, 100, 10),
    ],
)
def test_few_rows_are_seen_often(rows, labels, batch, epochs, every):
    found = chosen(rows=rows, labels=labels, eval_rows=30)
    assert (found["train.batch_size"], found["train.epochs"]) == (batch, epochs)
    assert found.get("train.eval_every") == found.get("train.checkpoint_every") == every


@pytest.mark.parametrize(
    ("rows", "labels", "eval_rows", "every"),
    [
        (200, 2, 150, None),  # 8 epochs of 13 steps: 1,600 examples are trained on, 1,200 are scored
        (200, 2, 1_000, 52),  # twice
        (200, 2, 10_000, 104),  # at the end alone
        (1_500, 150, 3_000, 76),  # 16 epochs, ten times 3,000 rows beside 24,000 trained on
        (1_500, 150, 6_000, 126),  # six times
        (10_000, 2, 5_000, None),
    ],
)
def test_many_rows_are_scored_less_often_than_few(rows, labels, eval_rows, every):
    found = chosen(rows=rows, labels=labels, eval_rows=eval_rows)
    assert found.get("train.eval_every") == every


def test_images_are_seen_oftener():
    assert chosen(rows=500, labels=10)["train.epochs"] == 4  # 32 steps an epoch, 100 at least
    assert chosen(rows=500, labels=10, images=True)["train.epochs"] == 10  # 300 at least


def test_the_best_evaluation_is_kept_where_eval_has_rows_enough_to_tell_it():
    assert "train.keep_best" not in chosen()
    assert chosen(eval_rows=499)["train.keep_best"] is False
    assert chosen(eval_rows=500)["train.keep_best"] is True
    assert "train.keep_best" not in chosen("train.keep_best=f1", eval_rows=500)


def test_presets_change_the_length():
    quick, best = (chosen(f"defaults.preset={name}", eval_rows=500) for name in ("quick", "best"))
    assert (quick["train.epochs"], best["train.epochs"]) == (1, 5)
    assert (quick.get("train.soup"), best["train.soup"]) == (None, 5)


@pytest.mark.parametrize(
    ("overrides", "rows", "share"),
    [
        ((), 99, None),
        ((), 100, 0.2),
        ((), 5_000, 0.1),
        (("data.eval=validation",), 5_000, None),
        (("data.test=test",), 5_000, None),
        (("data.holdout=false",), 5_000, None),
    ],
)
def test_rows_are_held_out_where_none_are_given_to_score(overrides, rows, share):
    found = hold_out_share(Recipe.from_dict(OPEN, *overrides), rows)
    assert (found and found.value) == share


def bare(tmp_path, model, rows: int = 120) -> dict[str, Any]:
    """A recipe with task, data and model, and nothing else."""
    words = ("good fine", "bad poor")
    write_csv(tmp_path / "train.csv", [{"text": f"{words[n % 2]} {n}", "label": "ab"[n % 2]} for n in range(rows)])
    return {
        "task": {"name": "text-classification", "text": "text", "label": "label"},
        "data": {"root": str(tmp_path), "files": {"train": "train.csv"}},
        "model": model,
    }


@pytest.fixture
def begun(tmp_path, tiny):
    """A run of a recipe that sets nothing, cut short after a step, and that recipe."""
    recipe = bare(tmp_path, tiny("text-classification")["model"])
    hfft.train({**recipe, "train": {"time_limit": 0.001}}, output=tmp_path / "run", quiet=True)
    return recipe, tmp_path / "run"


def test_a_recipe_that_sets_nothing_trains_and_its_run_has_all_written_out(begun, tmp_path):
    recipe, run = begun
    saved = yaml.safe_load((run / "recipe.yaml").read_text())
    assert saved["defaults"]["version"] == "2026-12"
    assert saved["data"]["holdout"] == 0.2
    assert (saved["optim"]["lr"], saved["train"]["epochs"], saved["train"]["batch_size"]) == (4e-4, 17, 16)
    assert set(saved["defaults"]["chosen"]) >= {"data.holdout", "optim.lr", "train.epochs", "tune.layer_decay"}
    again = hfft.plan(Recipe.load(run / "recipe.yaml"))
    assert (again.lr, again.steps, again.chosen) == (4e-4, 17 * 6, saved["defaults"]["chosen"])
    assert hfft.plan(recipe).chosen["optim.lr"]["value"] == 4e-4
    changed = hfft.plan(Recipe.load(run / "recipe.yaml", "optim.lr=1e-3")).chosen
    assert set(again.chosen) - set(changed) == {"optim.lr"}


def test_a_run_goes_on_with_what_was_chosen_for_it(begun, tmp_path):
    recipe, run = begun
    longer = {**recipe, "train": {"time_limit": 3600}}
    result = hfft.train(longer, output=run, quiet=True)
    saved = Recipe.load(run / "recipe.yaml")
    assert set(result.scores) == {"eval"}
    assert saved.train.epochs == 17
    assert not differences(saved, Recipe.load(run / "recipe.yaml"))
    with pytest.raises(SetupError, match=r"optim\.lr is 0\.1, there 0\.0004"):
        hfft.train({**longer, "optim": {"lr": 0.1}}, output=run, quiet=True)


def test_what_a_run_was_given_is_no_default_of_another(begun, tmp_path):
    recipe, _ = begun
    given = {**recipe, "optim": {"lr": 1e-3}, "train": {"time_limit": 0.001}}
    hfft.train(given, output=tmp_path / "given", quiet=True)
    with pytest.raises(SetupError, match=r"optim\.lr is not given, there 0\.001"):
        hfft.train({**recipe, "train": {"time_limit": 0.001}}, output=tmp_path / "given", quiet=True)


def test_all_seeds_have_what_was_chosen_for_the_first(tmp_path, tiny):
    recipe = {**bare(tmp_path, tiny("text-classification")["model"]), "train": {"seeds": [3, 4], "time_limit": 0.001}}
    hfft.train(recipe, output=tmp_path / "run", quiet=True)
    whole, *inner = (Recipe.load(tmp_path / "run" / part / "recipe.yaml") for part in ("", "seed-3", "seed-4"))
    assert {(one.optim.lr, one.train.epochs, *one.defaults.chosen) for one in (whole, *inner)} == {
        (4e-4, 17, *whole.defaults.chosen)
    }


def test_true_keeps_the_best_by_the_metric_that_counts_most(tmp_path, tiny):
    recipe = bare(tmp_path, tiny("text-classification")["model"])
    recipe = {**recipe, "train": {"keep_best": True, "epochs": 1}}
    hfft.train(recipe, output=tmp_path / "run", quiet=True)
    assert Recipe.load(tmp_path / "run" / "recipe.yaml").train.keep_best == "accuracy"
    hfft.train({**recipe, "train": {"keep_best": True, "epochs": 2}}, output=tmp_path / "run", quiet=True)
