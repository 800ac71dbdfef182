"""The learning rate range test: rates rise, the loss of the first step is that of training, the lowest one decides."""

from __future__ import annotations

import json

import pytest

import hfft
from hfft.cli import main
from hfft.errors import RecipeError
from hfft.testing import losses
from hfft.workflows.find_lr import BACK, HIGHEST, LOWEST, RangeTest, drawn, suggested
from tests.laws.kinds import rows
from tests.laws.runs import train, tuning


@pytest.mark.parametrize("strategy", ["full", "decay+lora", "probe"])
@pytest.mark.parametrize("task", ["text-classification", "image-classification", "translation"])
def test_rates_rise_and_the_lowest_loss_decides(tiny, task, strategy):
    found = hfft.find_lr(hfft.Recipe.from_dict(tiny(task), *tuning(task, strategy)), steps=40)
    factors = [after / before for before, after in zip(found.rates, found.rates[1:], strict=False)]
    assert factors == pytest.approx([(HIGHEST / LOWEST) ** (1 / 39)] * len(factors))
    assert found.rates[0] == LOWEST
    assert len(found.rates) == len(found.losses) == len(found.smoothed) <= 40
    assert found.suggestion is not None
    lowest = found.rates[found.smoothed.index(min(found.smoothed))]
    assert found.suggestion == pytest.approx(lowest / BACK, rel=0.05)


def test_the_first_loss_is_that_of_training(tiny, tmp_path):
    recipe = tiny("text-classification")
    made = train(recipe, tmp_path / "run", "train.epochs=null", "train.steps=1", "train.log_every=1")
    assert hfft.find_lr(recipe, steps=20).losses[0] == losses(made.folder)[0]


def test_the_command_says_a_rate_draws_it_and_writes_a_page(tiny, tmp_path, capsys):
    recipe = hfft.Recipe.from_dict(tiny("text-classification"))
    recipe.save(tmp_path / "recipe.yaml")
    with pytest.raises(SystemExit) as left:
        main(["find-lr", str(tmp_path / "recipe.yaml"), "--steps", "30", "--html", str(tmp_path / "rates.html")])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "a tenth of the rate at which the smoothed loss was lowest" in said
    assert all(len(line) <= 100 for line in said.splitlines())
    page = (tmp_path / "rates.html").read_text()
    assert "peak learning rate" in page
    assert "suggested: " in page
    with pytest.raises(SystemExit):
        main(["find-lr", str(tmp_path / "recipe.yaml"), "--steps", "30", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert f"optim.lr={found['suggestion']:.2g}" in said


def test_a_loss_that_does_not_fall_suggests_nothing():
    rates, smoothed = [1e-6, 1e-4, 1e-2], [2.0, 1.99, 3.0]
    found = RangeTest("one", "full", 1e-4, rates, smoothed, smoothed, suggested(rates, smoothed))
    assert found.said.startswith("No rate is suggested, for the loss has not fallen from 2,")
    assert "suggested: " not in found.page()


def test_too_few_steps_are_refused(tiny):
    with pytest.raises(RecipeError, match="--steps is 5, but fewer than 20"):
        hfft.find_lr(tiny("text-classification"), steps=5)


def test_the_picture_shows_what_was_measured():
    rates = [1e-6, 1e-4, 1e-2]
    lines = drawn(rates, [2.0, 1.0, 9.0], [2.0, 1.5, 1.6], 1e-3, 60)
    assert lines[0].startswith("       2 o")
    assert lines[-2].strip().startswith("1 ")
    assert "1e-3" in lines[-1]
    assert all("|" in line for line in lines[:-1])
    assert max(map(len, lines)) <= 60 + 14


def test_rows_of_memory_are_looked_at_too(tiny):
    recipe = tiny("text-classification")
    bare = {**recipe, "data": {}}
    assert hfft.find_lr(bare, steps=20, data=rows(recipe, "train")).losses == pytest.approx(
        hfft.find_lr({**recipe, "data": {**recipe["data"], "files": {"train": "train.csv"}}}, steps=20).losses
    )
