"""A sweep from beginning to end on tiny models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hfft
from hfft.errors import RecipeError, SetupError, TrainingError
from tests.laws.kinds import rows
from tests.laws.runs import train

SPACE = {"optim.lr": "log:1e-4..1e-1", "tune.freeze.blocks": [0, 1]}


def test_a_sweep_tries_chooses_and_scores_the_chosen_on_test_alone(tiny, tmp_path, capsys):
    made = hfft.sweep(tiny("text-classification"), SPACE, output=tmp_path / "sweep", trials=3)
    told = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert made.told == told
    assert [trial["state"] for trial in made.trials] == ["complete"] * 3
    assert "the best of many on rows that chose it" in capsys.readouterr().out
    for trial in made.trials:
        results = json.loads((tmp_path / "sweep" / trial["folder"] / "results.json").read_text())
        assert "test" not in results
        assert results["eval"]["accuracy"]["value"] == trial["score"]
    again = train(hfft.Recipe.load(made.recipe).model_dump(mode="json"), tmp_path / "again")
    assert again.scores["eval"]["accuracy"]["value"] == max(trial["score"] for trial in made.trials)
    assert again.scores["test"]["accuracy"] == made.scores["test"]["accuracy"]


def test_the_best_few_are_trained_with_several_seeds_and_the_best_mean_is_chosen(tiny, tmp_path):
    recipe = {**tiny("text-classification"), "sweep": {"space": {"optim.lr": [1e-6, 3e-3, 1e-2]}, "method": "grid"}}
    made = hfft.sweep(recipe, output=tmp_path / "sweep", finalists=2, seeds=[0, 1], quiet=True)
    assert len(made.trials) == 3
    ranked = sorted(made.trials, key=lambda trial: -trial["score"])
    assert {entry["number"] for entry in made.told["finalists"]} == {trial["number"] for trial in ranked[:2]}
    best = max(made.told["finalists"], key=lambda entry: entry["mean"])
    assert made.told["chosen"]["number"] == best["number"]
    assert made.told["chosen"]["folder"] == best["folder"]
    assert len(best["values"]) == 2
    assert (
        made.scores["test"]["accuracy"]
        == hfft.evaluate(
            tmp_path / "sweep" / best["folder"], Path(recipe["data"]["root"], recipe["data"]["files"]["test"])
        ).scores["accuracy"]
    )
    assert not list((tmp_path / "sweep" / "final").glob("*/seed-*/model"))
    assert "mean over seeds 0, 1" in repr(made)


def test_a_trial_that_fails_is_told_and_the_sweep_goes_on(tiny, tmp_path, capsys):
    space = {"tune.freeze.blocks": [0, 99]}
    made = hfft.sweep(tiny("text-classification"), space, output=tmp_path / "sweep", method="grid")
    assert [trial["state"] for trial in made.trials] == ["complete", "failed"]
    assert "tune.freeze.blocks is 99" in made.trials[1]["error"]
    assert "failed: tune.freeze.blocks is 99" in capsys.readouterr().out
    assert made.best == {"tune.freeze.blocks": 0}


def test_a_sweep_ends_where_the_first_trials_all_fail(tiny, tmp_path):
    recipe = {**tiny("text-classification"), "optim": {"clip": None}}
    with pytest.raises(TrainingError):
        hfft.sweep(recipe, {"optim.lr": [1e30, 1e31, 1e32, 1e33]}, output=tmp_path / "sweep", method="grid", quiet=True)
    told = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert [trial["state"] for trial in told["trials"]] == ["failed"] * 3


def test_another_sweep_is_refused_and_more_trials_are_not(tiny, tmp_path):
    recipe, place = tiny("text-classification"), tmp_path / "sweep"
    first = hfft.sweep(recipe, {"optim.lr": [1e-3, 1e-2]}, output=place, method="grid", trials=1, quiet=True)
    for other, space, what in (
        (recipe, {"optim.lr": [1e-3, 1e-1]}, r"sweep\.space\.optim\.lr\.choices is"),
        ({**recipe, "train": {"epochs": 7}}, {"optim.lr": [1e-3, 1e-2]}, r"train\.epochs is"),
    ):
        with pytest.raises(SetupError, match=what):
            hfft.sweep(other, space, output=place, method="grid", trials=1, quiet=True)
    more = hfft.sweep(recipe, {"optim.lr": [1e-3, 1e-2]}, output=place, method="grid", trials=2, quiet=True)
    assert more.trials[0] == first.trials[0]
    assert [trial["settings"]["optim.lr"] for trial in more.trials] == [1e-3, 1e-2]
    best = max(more.trials, key=lambda trial: trial["score"])
    models = [(place / trial["folder"] / "model").is_dir() for trial in more.trials]
    assert models == [trial is best for trial in more.trials]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(SetupError, match=r"holds other files \(notes\.txt\) and no sweep"):
        hfft.sweep(recipe, {"optim.lr": [1e-3, 1e-2]}, output=tmp_path / "other", quiet=True)


def test_bad_trials_are_pruned_at_evaluations_also_where_less_is_better(tiny, tmp_path, capsys):
    recipe = {**tiny("numbers"), "train": {"keep_best": "rmse", "batch_size": 8}}
    space = {"optim.lr": [3e-3, 1e-2, 2e-3, 1e-12, 1e-11]}
    made = hfft.sweep(recipe, space, output=tmp_path / "sweep", method="grid", pruner="asha")
    assert made.told["direction"] == "minimize"
    pruned = [trial for trial in made.trials if trial["state"] == "pruned"]
    assert pruned
    best = min(trial["score"] for trial in made.trials if trial["state"] == "complete")
    assert made.scores["eval"][made.told["metric"]]["value"] == best
    for trial in pruned:
        assert len(trial["evaluations"]) < 3
        assert not (tmp_path / "sweep" / trial["folder"] / "checkpoints").exists()
    assert "  pruned  best" in capsys.readouterr().out
    with pytest.raises(RecipeError, match=r"is evaluated once, at its end"):
        hfft.sweep({**recipe, "train": {"epochs": 1}}, space, output=tmp_path / "one", method="grid", pruner="asha")


def test_tables_in_memory_are_swept_too_and_train_takes_no_notice_of_the_section(tiny, tmp_path):
    recipe = tiny("text-classification")
    bare = {key: value for key, value in recipe.items() if key != "data"}
    tables = {split: rows(recipe, split) for split in ("train", "eval", "test")}
    bare["sweep"] = {"space": {"optim.lr": "log:1e-3..1e-2"}, "trials": 1}
    made = hfft.sweep(bare, output=tmp_path / "sweep", data=tables, quiet=True)
    assert made.scores["test"]["accuracy"]["value"] >= 0
    plain = hfft.train({**bare, "optim": {"lr": made.best["optim.lr"]}}, tmp_path / "run", data=tables, quiet=True)
    assert plain.scores["eval"]["accuracy"]["value"] == made.trials[0]["score"]
    assert plain.scores["test"]["accuracy"] == made.scores["test"]["accuracy"]
    assert "sweep" not in (tmp_path / "run" / "recipe.yaml").read_text()


def test_what_cannot_be_swept_is_refused(tiny, tmp_path):
    recipe = tiny("text-classification")
    files = {key: value for key, value in recipe["data"]["files"].items() if key != "eval"}
    with pytest.raises(RecipeError, match=r"the recipe has none: name one by data\.eval .*data\.holdout=0\.1"):
        hfft.sweep({**recipe, "data": {**recipe["data"], "files": files}}, SPACE, output=tmp_path / "a", quiet=True)
    with pytest.raises(RecipeError, match=r"a trial is trained once"):
        hfft.sweep({**recipe, "train": {"seeds": [1, 2]}}, SPACE, output=tmp_path / "a", quiet=True)
    with pytest.raises(RecipeError, match=r"task\.max_lenght cannot be 8\.\n.*Did you mean 'max_length'"):
        hfft.sweep(recipe, {"task.max_lenght": [8, 16]}, output=tmp_path / "a", quiet=True)
    assert not (tmp_path / "a").exists()
