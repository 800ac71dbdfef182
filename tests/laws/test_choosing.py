"""What is chosen on the eval split (weights, thresholds, the best seed) is what the files then say and hold."""

from __future__ import annotations

import json
import math

import pytest

import hfft
from hfft.errors import DataError, RecipeError, SetupError
from hfft.testing import events, predictions
from tests.laws.runs import train
from tests.tiny import labelled_texts, signs, write_csv

EIGHT = ["train.epochs=8", "train.eval_every=4"]


def results(folder):
    return json.loads((folder / "results.json").read_text())


def half(answers, truths):
    """A score of which less is better: the share of wrong answers."""
    return {"error_rate": sum(a != t for a, t in zip(answers, truths, strict=True)) / len(truths)}


def undefined_at_times(answers, truths):
    """No number where the answers differ, as they do once something is learnt, and a fault where a truth is missing."""
    assert len(set(truths)) == 3
    return {"mine": float("nan") if len(set(answers)) > 1 else 1.0}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.wide) for seed in (1, 2))])
def test_the_test_split_is_answered_with_the_threshold_that_is_saved(tiny, tmp_path, seed):
    recipe = tiny("several-labels")
    files = {name: recipe["data"]["files"][name] for name in ("train", "test")}
    recipe = {**recipe, "data": {"root": recipe["data"]["root"], "files": files, "holdout": 0.3}}
    train(recipe, tmp_path / "run", *EIGHT, "train.keep_best=f1", f"train.seed={seed}")
    least = results(tmp_path / "run")["settled"]["threshold"]
    labels = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert labels["threshold"] == least
    for split in ("eval", "test"):
        for row in predictions(tmp_path / "run", split):
            named = [labels["id2label"][str(n)] for n, p in enumerate(row["probabilities"]) if p >= least]
            assert row["answer"] == named
    again = hfft.evaluate(tmp_path / "run", f"{recipe['data']['root']}/test.csv")
    assert again.scores["f1"]["value"] == results(tmp_path / "run")["test"]["f1"]["value"]


@pytest.mark.parametrize(
    ("task", "metric", "best"), [("text-classification", "f1/good", max), ("numbers", "mae/words", min)]
)
def test_the_score_of_one_label_can_choose_the_weights_and_the_seed(tiny, tmp_path, task, metric, best):
    train(tiny(task), tmp_path / "run", "train.epochs=3", f"train.keep_best={metric}", "train.seeds=[0, 1]")
    name, _, label = metric.partition("/")
    values = [results(tmp_path / "run" / f"seed-{seed}")["eval_labels"][label][name]["value"] for seed in (0, 1)]
    assert results(tmp_path / "run")["best_seed"] == values.index(best(values))
    assert results(tmp_path / "run")["best_by"] == f"eval {metric}"


def test_of_a_metric_of_ones_own_less_may_be_better(tiny, tmp_path):
    own = "eval.metrics=['tests.laws.test_choosing:half']"
    train(tiny("text-classification"), tmp_path / "less", *EIGHT, own, "train.keep_best=-error_rate", trust=True)
    rates = [row["error_rate"] for row in events(tmp_path / "less", "eval")]
    assert results(tmp_path / "less")["eval"]["error_rate"]["value"] == min(rates) < max(rates)
    train(
        tiny("text-classification"), tmp_path / "more", own, "train.epochs=1", "train.keep_best=error_rate", trust=True
    )
    told = results(tmp_path / "more")["warnings"]
    assert any("of which more is taken to be better; write '-error_rate' where less is" in text for text in told)


def test_a_metric_that_is_undefined_at_times_breaks_nothing(tiny, tmp_path):
    own = "eval.metrics=['tests.laws.test_choosing:undefined_at_times']"
    made = train(tiny("text-classification"), tmp_path / "run", own, "train.epochs=4", trust=True)
    mine = made.scores["eval"].get("mine")
    assert mine is None or mine["value"] == 1
    assert all(math.isfinite(row.get("mine", 0)) for row in events(tmp_path / "run", "eval"))


def test_a_correlation_can_be_watched_with_one_row_at_a_time(tiny, tmp_path):
    train(tiny("numbers"), tmp_path / "run", "train.epochs=1", "train.keep_best=pearson", "eval.batch_size=1")
    with pytest.raises(RecipeError, match=r"train.keep_best is 'pearsn'. Did you mean 'pearson'"):
        train(tiny("numbers"), tmp_path / "other", "train.keep_best=pearsn")


def test_what_is_held_out_is_the_same_for_every_seed_and_takes_no_label_whole(tiny, tmp_path):
    rows = [*labelled_texts(40, 5), {"text": "w1 only", "label": "rare"}, {"text": "w2 once", "label": "rarer"}]
    write_csv(tmp_path / "train.csv", rows)
    recipe = {**tiny("text-classification"), "data": {"files": {"train": str(tmp_path / "train.csv")}, "holdout": 0.2}}
    train(recipe, tmp_path / "run", "train.epochs=1", "train.seeds=[0, 1, 2]")
    prints = [
        json.loads((tmp_path / "run" / f"seed-{seed}" / "environment.json").read_text())["data"] for seed in (0, 1, 2)
    ]
    assert prints[0] == prints[1] == prints[2]
    truths = {row["truth"] for row in predictions(tmp_path / "run" / "seed-0", "eval")}
    assert len(predictions(tmp_path / "run" / "seed-0", "eval")) == 8
    assert not truths & {"rare", "rarer"}


@pytest.mark.parametrize("task", ["text-classification", "several-labels"])
def test_an_unknown_label_is_named_with_its_row_in_the_file(tiny, tmp_path, task):
    recipe = tiny(task)
    label = "strange" if task == "text-classification" else "good|strange"
    empty = "" if task == "text-classification" else "-1"
    rows = [{"text": "w1", "label": empty}, {"text": "w2", "label": "good"}, {"text": "w3", "label": label}]
    write_csv(tmp_path / "test.csv", rows)
    with pytest.raises(DataError, match="row 2 of the test split has the label 'strange'"):
        train(recipe, tmp_path / "run", f"data.files.test={tmp_path / 'test.csv'}")


def test_a_finished_run_without_checkpoints_keeps_its_results(tiny, tmp_path):
    import shutil

    train(tiny("text-classification"), tmp_path / "run", "train.epochs=1")
    before = (tmp_path / "run" / "results.json").read_bytes()
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(SetupError, match="is finished, but has no whole checkpoint left"):
        train(tiny("text-classification"), tmp_path / "run", "train.epochs=2")
    assert (tmp_path / "run" / "results.json").read_bytes() == before


def test_a_fault_shows_itself_before_the_results_of_seeds_go(tiny, tmp_path):
    seeds = ["train.seeds=[0, 1]", "train.epochs=1"]
    train(tiny("text-classification"), tmp_path / "run", *seeds)
    before = (tmp_path / "run" / "results.json").read_bytes()
    with pytest.raises(RecipeError, match="a metric failed when tried"):
        train(tiny("text-classification"), tmp_path / "run", *seeds, "eval.metrics=['math:sqrt']", trust=True)
    assert (tmp_path / "run" / "results.json").read_bytes() == before


def test_rows_that_hold_no_label_are_counted_where_none_applies(tiny, tmp_path):
    found = train(tiny("several-labels"), tmp_path / "run", "train.epochs=1").folder
    told = json.loads((found / "data.json").read_text())["findings"]
    empty = sum(not row["labels"] for row in signs(61, 0))
    assert [row["count"] for row in told if row["kind"] == "no-label-applies" and row["split"] == "train"] == [empty]
