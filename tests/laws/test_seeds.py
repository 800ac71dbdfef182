"""Several seeds: each is the run it would be alone; together they give mean, spread and interval."""

from __future__ import annotations

import json
import statistics

import pytest

import hfft
from hfft.errors import SetupError
from hfft.testing import predictions
from tests.laws.kinds import kind_of, split_file
from tests.laws.runs import FEW_TASKS, keep_best, train, trusted

SEEDS = ["train.seeds=[0, 7, 3]", "train.epochs=1"]


def results(folder):
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize("task", FEW_TASKS)
def test_each_seed_is_the_run_it_would_be_alone_and_the_best_is_the_model(tiny, tmp_path, task):
    recipe = tiny(task)
    overrides = [SEEDS[1], keep_best(task, recipe), "tune.adapter={rank: 4}", "optim.lr=1e-2"]
    made = train(recipe, tmp_path / "run", SEEDS[0], *overrides)
    train(recipe, tmp_path / "alone", "train.seed=7", *overrides)
    for name in ("model/model.safetensors", "metrics.jsonl", "recipe.yaml"):
        assert (tmp_path / "run" / "seed-7" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    each = [results(tmp_path / "run" / f"seed-{seed}") for seed in (0, 7, 3)]
    for split in ("eval", "test"):
        for metric, entry in made.scores[split].items():
            values = [result[split][metric]["value"] for result in each]
            assert entry["values"] == values
            assert entry["value"] == pytest.approx(statistics.fmean(values))
            assert entry["spread"] == pytest.approx(statistics.stdev(values))
            reach = 4.302652729911275 * statistics.stdev(values) / 3**0.5  # Student's t for 2 degrees of freedom
            if reach:
                assert entry["high"] - entry["value"] == pytest.approx(reach)
            else:
                assert entry["low"] is entry["high"] is None
    evals = [result["eval"][kind_of(task, recipe).metric]["value"] for result in each]
    best = (0, 7, 3)[evals.index(max(evals))]
    assert results(tmp_path / "run")["best_seed"] == best
    for name in ("model/model.safetensors", "adapter/adapter_model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "run" / f"seed-{best}" / name).read_bytes()
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert "## Seeds" in card
    assert "split: test" in card
    assert "split: eval" not in card  # by which this one was chosen
    answers = hfft.predict(tmp_path / "run", [split_file(recipe, "test")], trust=trusted(recipe))
    assert [a["answer"] for a in answers] == [
        r["answer"] for r in predictions(tmp_path / "run" / f"seed-{best}", "test")
    ]


def test_less_is_better_where_it_is(tiny, tmp_path):
    train(tiny("numbers"), tmp_path / "run", *SEEDS, "train.keep_best=mae")
    found = results(tmp_path / "run")
    assert found["best_by"] == "eval mae"
    assert found["eval"]["mae"]["values"][[0, 7, 3].index(found["best_seed"])] == min(found["eval"]["mae"]["values"])


def test_seeds_go_on_where_they_were_stopped_and_more_can_be_added(tiny, tmp_path):
    recipe = tiny("text-classification")
    train(recipe, tmp_path / "whole", *SEEDS)
    train(recipe, tmp_path / "run", "train.seeds=[0, 7]", *SEEDS[1:])
    before = (tmp_path / "run" / "seed-0" / "results.json").stat().st_mtime_ns
    train(recipe, tmp_path / "run", *SEEDS)
    assert (tmp_path / "run" / "seed-0" / "results.json").stat().st_mtime_ns == before
    timing = ("train_seconds", "samples_per_second")
    one, other = ({k: v for k, v in results(tmp_path / name).items() if k not in timing} for name in ("run", "whole"))
    assert one == other
    with pytest.raises(SetupError, match=r"another recipe: train\.seeds is not given, there \[0, 7, 3\]"):
        train(recipe, tmp_path / "run", *SEEDS[1:])
    train(recipe, tmp_path / "one", *SEEDS[1:])
    with pytest.raises(SetupError, match=r"another recipe: train\.seeds"):
        train(recipe, tmp_path / "one", *SEEDS)


def test_one_seed_has_no_spread(tiny, tmp_path):
    made = train(tiny("text-classification"), tmp_path / "run", "train.seeds=[4]", "train.epochs=1")
    assert made.scores["eval"]["accuracy"]["spread"] is None
    assert made.scores["eval"]["accuracy"]["low"] is None
