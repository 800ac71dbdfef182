"""A sweep from beginning to end on tiny models."""

from __future__ import annotations

import json

import hfft
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
    again = train(json.loads(json.dumps(hfft.Recipe.load(made.recipe).model_dump(mode="json"))), tmp_path / "again")
    assert again.scores["eval"]["accuracy"]["value"] == max(trial["score"] for trial in made.trials)
    assert again.scores["test"]["accuracy"] == made.scores["test"]["accuracy"]
