"""Hooks in whole runs: the average of the weights and the time limit."""

from __future__ import annotations

import json

import pytest
import torch

from hfft.errors import SetupError
from hfft.testing import cut_off, events, losses, tensors
from hfft.training.loop import STOP_CHECK_STEPS
from tests.laws.kinds import kind_of
from tests.laws.runs import FEW_TASKS, finished, keep_best, launch, no_dropout, train, unscored

KEPT = ["train.checkpoint_every=1", "train.keep_checkpoints=99"]
EMA = "train.ema=0.9"
NO_TIME = "train.time_limit=1e-9"


def weights(output, folder, name="model"):
    return tensors(output / folder / f"{name}.safetensors")


def loaded(kind, output):
    """The weights of model/ by their names in the model: transformers may save a ViT by older ones."""
    return kind.auto.from_pretrained(output / "model").state_dict()


def step(number):
    return f"checkpoints/step-{number:08d}"


def results(output):
    return json.loads((output / "results.json").read_text())


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("task", FEW_TASKS)
def test_training_goes_on_with_the_plain_weights_and_the_average_is_kept(tiny, tmp_path, task):
    recipe = tiny(task)
    ends = ["train.checkpoint_every=23", "train.keep_checkpoints=99"]
    train(unscored(recipe), tmp_path / "plain", *ends)
    train(unscored(recipe), tmp_path / "ema", *ends, EMA)
    assert losses(tmp_path / "ema") == losses(tmp_path / "plain")
    for number in (23, 24):
        assert equal(weights(tmp_path / "ema", step(number)), weights(tmp_path / "plain", step(number)))
    average = weights(tmp_path / "ema", step(24), "ema")
    assert equal(average, loaded(kind_of(task, recipe), tmp_path / "ema"))
    assert not equal(average, loaded(kind_of(task, recipe), tmp_path / "plain"))


@pytest.mark.parametrize("task", FEW_TASKS)
def test_the_best_weights_are_of_the_average_too(tiny, tmp_path, task):
    output = tmp_path / "run"
    train(tiny(task), output, *KEPT, EMA, "train.epochs=1", "train.eval_every=3", keep_best(task, tiny(task)))
    best = results(output)["best_step"]
    average = weights(output, step(best), "ema")
    assert equal(average, weights(output, f"checkpoints/best-{best:08d}"))
    kind = kind_of(task, tiny(task))
    assert equal(average, loaded(kind, output))
    scored = {row["step"]: row[kind.metric] for row in events(output, "eval")}
    assert scored[best] == results(output)["eval"][kind.metric]["value"]


@pytest.mark.parametrize("task", FEW_TASKS)
def test_all_processes_hold_the_same_average(tiny, tmp_path, task):
    # SGD, for Adam makes whole steps of what rounding leaves of a gradient that is 0, as that of the keys' biases is.
    recipe, overrides = tiny(task), ["train.epochs=1", *no_dropout(task), "optim.name=sgd", "optim.lr=0.1", EMA]
    train(recipe, tmp_path / "one", *overrides)
    finished(launch(recipe, tmp_path / "two", *overrides, processes=2))
    one, two = (weights(tmp_path / name, step(8), "ema") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    one, two = (events(tmp_path / name, "eval")[0][kind_of(task, recipe).metric] for name in ("one", "two"))
    assert one == two


def test_steps_that_are_called_off_do_not_spoil_the_average(tiny, tmp_path):
    task = {"name": "tests.laws.poison:Poisoned", "steps": [4, 5], "max_length": 32}
    recipe = {**tiny("text-classification"), "task": task}
    train(recipe, tmp_path / "run", *KEPT, EMA, "train.epochs=1", trust=True)
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "run", "model").values())
    before, after = (weights(tmp_path / "run", step(number), "ema") for number in (3, 4))
    plain = weights(tmp_path / "run", step(3))
    for name, tensor in after.items():  # towards the weights as they stood: n is 4
        expected = torch.lerp(before[name], plain[name], 1 - 5 / 14)
        assert torch.allclose(tensor, expected, atol=1e-6)


def test_a_run_with_an_average_is_another_recipe(tiny, tmp_path):
    train(tiny("text-classification"), tmp_path / "run", "train.epochs=1")
    with pytest.raises(SetupError, match=r"train\.ema is 0\.9, there None"):
        train(tiny("text-classification"), tmp_path / "run", "train.epochs=1", EMA)


def test_a_run_whose_time_is_over_is_finished_and_goes_on_when_it_gets_more(tiny, tmp_path):
    recipe = tiny("text-classification")
    train(recipe, tmp_path / "whole", *KEPT)
    output = tmp_path / "run"
    first = train(recipe, output, *KEPT, NO_TIME)
    assert results(output)["steps"] == 1
    assert results(output)["ended"] == "time limit of 1e-09 s reached"
    assert [row["step"] for row in events(output, "eval")] == [1]
    assert first.scores["eval"]["accuracy"]["low"] is not None
    assert equal(weights(output, "model"), weights(output, step(1)))
    assert train(recipe, output, *KEPT, NO_TIME).scores == first.scores  # finished: nothing more is done
    assert results(output)["steps"] == 1
    for limit in ("2h", "null"):
        cut_off(output, tmp_path / limit, 1)
        train(recipe, tmp_path / limit, *KEPT, f"train.time_limit={limit}")
        assert results(tmp_path / limit)["ended"] is None
        assert equal(weights(tmp_path / limit, "model"), weights(tmp_path / "whole", "model"))


def test_a_run_killed_after_its_time_was_over_trains_no_further(tiny, tmp_path):
    train(tiny("text-classification"), tmp_path / "run", *KEPT, NO_TIME)
    cut_off(tmp_path / "run", tmp_path / "cut", 1)
    train(tiny("text-classification"), tmp_path / "cut", *KEPT, NO_TIME)
    assert results(tmp_path / "cut")["steps"] == 1


def test_more_time_does_not_undo_early_stopping(tiny, tmp_path):
    still = ["optim.lr=1e-30", "train.keep_best=accuracy", "train.early_stop=1", "train.eval_every=2"]
    train(tiny("text-classification"), tmp_path / "run", *still, "train.time_limit=2h")
    assert results(tmp_path / "run")["steps"] == 4
    train(tiny("text-classification"), tmp_path / "run", *still, "train.time_limit=3h")
    assert results(tmp_path / "run")["steps"] == 4
    assert results(tmp_path / "run")["ended"] == "no better accuracy in 1 evaluations"


def test_several_processes_end_at_the_same_step(tiny, tmp_path):
    finished(launch(tiny("text-classification"), tmp_path / "run", NO_TIME, processes=2))
    assert results(tmp_path / "run")["steps"] == STOP_CHECK_STEPS
    assert results(tmp_path / "run")["ended"].startswith("time limit")
