"""The greedy soup: hand-worked means and choices, what it leaves as it is, and whole runs with it."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import nn

import hfft
from hfft.errors import RecipeError, Stopped
from hfft.io.console import Console
from hfft.io.run_folder import RunFolder
from hfft.testing import assert_same_run, cut_off, events, tensors
from hfft.training.callbacks.cadence import Cadence
from hfft.training.callbacks.checkpoint import Checkpoint
from hfft.training.callbacks.evaluate import Evaluate
from hfft.training.callbacks.log import Log
from hfft.training.evaluation import Evaluator
from hfft.training.loop import Run
from hfft.training.soup import greedy_soup, load_mean, soup_warnings
from tests.laws.runs import finished, launch, train

SCREEN = Console(quiet=True)


def run_of(model: nn.Module) -> Run:
    accelerator = Accelerator(cpu=True)
    prepared, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    rest: Any = None
    return Run(rest, prepared, optimizer, rest, accelerator, rest, 99, 99, None, 0)


@dataclass
class Near:
    """What a single weight scores: how near it is to 3."""

    value: float
    ids: tuple[int, ...] = (0,)
    answered: int = 1

    @property
    def scores(self) -> dict[str, float]:
        return {"near": -abs(self.value - 3), "far": abs(self.value - 3)}

    def warnings(self, split: str) -> list[str]:
        return []


def soup_of(weights, folder, metric="near"):
    """Evaluates these weights one after the other, and makes a soup of them."""
    run, scored = run_of(nn.Linear(1, 1, bias=False)), []
    evaluator: Any = lambda model, *_: scored.append(model.weight.item()) or Near(model.weight.item())  # noqa: E731
    log, every = Log(None, 1, SCREEN), Cadence(1, 99, 99)
    checkpoint = Checkpoint(RunFolder(folder), every, 1, log)
    settings = {"keep_best": metric, "lower_is_better": metric == "far", "patience": None, "keep": 4}
    evaluate = Evaluate(evaluator, every, **settings, save_best=checkpoint.save_best, log=log, console=SCREEN)
    for weight in weights:
        run.model.weight.data.fill_(weight)
        run.progress.step += 1
        evaluate.catch_up(run)
    scored.clear()
    return greedy_soup(run, evaluate, checkpoint, SCREEN), run.model.weight.item(), scored


@pytest.mark.parametrize("metric", ["near", "far"])
def test_weights_join_the_mean_where_they_do_no_harm(tmp_path, metric):
    # By rank 4, 5, 0.75, 6.5, and not -9, the fifth: 4.5 is worse than 4; 2.375 better; 3.75 worse than that.
    made, weight, scored = soup_of([-9, 0.75, 4, 6.5, 5], tmp_path, metric)
    assert made is not None
    assert scored == [4.5, 2.375, 3.75]
    assert (made.steps, made.tried, weight) == ([3, 2], [3, 5, 2, 4], 2.375)
    assert (abs(made.value), abs(made.best_alone), made.scored) == (0.625, 1, None)


def test_a_mean_that_scores_the_same_is_taken(tmp_path):
    made, weight, _ = soup_of([4, 0], tmp_path)  # 2 is as far from 3 as 4
    assert made is not None
    assert (made.steps, weight, made.scored) == ([1, 2], 2, Near(2))
    assert made.remarks == []


@pytest.mark.parametrize(
    ("weights", "said"), [([4, 5], r"any other scored worse; the weights are those of step 1"), ([4], "no effect")]
)
def test_a_soup_of_one_is_told(tmp_path, weights, said):
    made, weight, _ = soup_of(weights, tmp_path)
    assert made is not None
    assert (made.steps, weight) == ([1], 4)
    assert said in made.remarks[0]


def test_means_are_taken_in_float64_and_equal_weights_stay_to_the_bit(tmp_path):
    torch.manual_seed(0)
    model: Any = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    run, still = run_of(model), model[0].weight.detach().clone()
    saved = []
    for number in range(3):
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        state["0.bias"] = torch.tensor([1e8, 1.0, -1e8, 0.1]) * (1 if number < 2 else -2) + number
        state["1.running_mean"] += number
        state["1.num_batches_tracked"] += 7 + number
        saved.append(state)
        save_file(state, tmp_path / f"{number}.safetensors")
    load_mean(run, [tmp_path / f"{number}.safetensors" for number in range(3)])
    assert torch.equal(model[0].weight, still)
    expected = torch.stack([state["0.bias"].double() for state in saved]).mean(0).float()
    assert torch.equal(model[0].bias, expected)
    assert model[1].running_mean.tolist() == [1, 1, 1, 1]
    assert model[1].num_batches_tracked == 7


@pytest.mark.parametrize(
    ("every", "said"),
    [
        (None, []),
        (12, ["train.soup is 3, but the run has only 2 evaluations"]),
        (99, ["has no effect: the run has one"]),
    ],
)
def test_a_soup_of_more_than_there_will_be_is_told_before_training(every, said):
    found = soup_warnings(3, Cadence(every, 8, 24))
    assert len(found) == len(said)
    assert all(part in text for part, text in zip(said, found, strict=True))


def test_a_soup_needs_a_metric(tiny):
    with pytest.raises(RecipeError, match=r"'soup' goes by the metric of 'keep_best'"):
        hfft.Recipe.from_dict(tiny("text-classification"), "train.soup=3")
    with pytest.raises(RecipeError, match=r"greater than or equal to 2"):
        hfft.Recipe.from_dict(tiny("text-classification"), "train.soup=1", "train.keep_best=accuracy")


SOUP = ["train.soup=3", "train.keep_best=roc_auc", "train.eval_every=2", "train.epochs=2", "train.checkpoint_every=3"]
KEPT = "train.keep_checkpoints=99"


def results(output):
    return json.loads((output / "results.json").read_text())


@pytest.mark.parametrize("further", [[], ["train.ema=0.8"], ["train.seeds=[1]"]], ids=["plain", "ema", "seeds"])
def test_the_model_is_the_mean_that_results_name(tiny, tmp_path, further):
    train(tiny("text-classification"), tmp_path / "run", *SOUP, KEPT, *further)
    output = tmp_path / "run" / "seed-1" if "seeds" in str(further) else tmp_path / "run"
    told, scored = results(output), {row["step"]: row["roc_auc"] for row in events(output, "eval")}
    soup, ranked = told["soup"], sorted(scored, key=lambda step: -scored[step])
    assert soup["tried"] == ranked[:3]
    assert soup["best_alone"] == scored[told["best_step"]] == max(scored.values())
    assert soup["value"] == told["eval"]["roc_auc"]["value"] >= soup["best_alone"]
    assert told["eval"]["roc_auc"]["selected"]
    files = [tensors(output / "checkpoints" / f"best-{step:08d}" / "model.safetensors") for step in soup["steps"]]
    for name, tensor in tensors(output / "model" / "model.safetensors").items():
        mean = torch.stack([file[name].double() for file in files]).mean(0)
        assert torch.equal(tensor, mean.to(tensor.dtype))


@pytest.mark.parametrize("task", ["text-classification", "conv"])
def test_a_resumed_run_makes_the_same_soup(tiny, tmp_path, task):
    given = [*SOUP, KEPT, *(["tune.freeze.blocks=1"] if task == "conv" else [])]
    train(tiny(task), tmp_path / "whole", *given)
    for step in (9, 16):
        cut_off(tmp_path / "whole", tmp_path / f"cut{step}", step)
        train(tiny(task), tmp_path / f"cut{step}", *given)
        assert_same_run(tmp_path / f"cut{step}", tmp_path / "whole")


def test_a_signal_while_the_soup_is_tasted_leaves_the_run_as_it_was(tiny, tmp_path, monkeypatch):
    recipe, calls, answer = tiny("text-classification"), [], Evaluator.__call__
    train(recipe, tmp_path / "whole", *SOUP)

    def interrupted(self, model, accelerator, asked_to_stop=lambda: 0, *more):
        calls.append(self)
        if len(calls) == 10:  # after eight evaluations and one taste
            os.kill(os.getpid(), signal.SIGTERM)
        return answer(self, model, accelerator, asked_to_stop, *more)

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "__call__", interrupted)
        with pytest.raises(Stopped, match="after step 16"):
            train(recipe, tmp_path / "cut", *SOUP)
    assert not (tmp_path / "cut" / "results.json").exists()
    train(recipe, tmp_path / "cut", *SOUP)
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def test_two_processes_make_the_soup_of_one(tiny, tmp_path):
    given = [*SOUP, "train.epochs=1", "train.eval_every=4", "model.dropout=0", "optim.name=sgd", "optim.lr=0.1"]
    train(tiny("text-classification"), tmp_path / "one", *given)
    finished(launch(tiny("text-classification"), tmp_path / "two", *given, processes=2))
    assert results(tmp_path / "one")["soup"] == results(tmp_path / "two")["soup"]
    one, two = (tensors(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
