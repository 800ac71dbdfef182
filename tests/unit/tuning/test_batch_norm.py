"""BatchNorm: statistics that forget too fast are slowed down and said; told to stand still, they do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import hfft
from hfft.errors import RecipeError
from hfft.testing import tensors
from hfft.tuning.train_mode import StatisticsBefore, batch_norm_warnings, batch_norms, slow_down
from tests.laws.runs import assembled, train
from tests.tiny import mobilenet_v2

SHORT = ["train.epochs=null", "train.steps=3"]
STATISTICS = ("running_mean", "running_var")


def layers(*momenta):
    return nn.Sequential(*(nn.BatchNorm1d(2, momentum=momentum) for momentum in momenta), nn.Linear(2, 2))


def test_only_hasty_layers_are_slowed_down():
    model = layers(0.1, 0.997, None, 0.5)  # None averages over all batches alike
    assert slow_down(model) == [0.997]
    assert [norm.momentum for norm in batch_norms(model)] == [0.1, 0.1, None, 0.5]


def test_slowed_down_statistics_are_those_of_many_batches():
    hasty, mended = layers(0.997), layers(0.997)
    slow_down(mended)
    draw = torch.Generator().manual_seed(0)
    for _ in range(100):
        batch = torch.randn(4, 2, generator=draw)
        hasty(batch)
        mended(batch)
    own, better = (batch_norms(model)[0].running_mean for model in (hasty, mended))
    assert own is not None
    assert better is not None
    assert torch.allclose(own, batch.mean(0), atol=0.01)  # of the last four rows alone
    assert better.abs().max() < own.abs().max()


def test_doubts_are_told_where_there_is_reason():
    model, cut = layers(0.1).train(), "statistics of each micro-batch of 4 rows, not those of all 8"
    assert batch_norm_warnings(model, [], False, 8, 5, 8) == []
    assert [cut in text for text in batch_norm_warnings(model, [], False, 4, 4, 8)] == [True]
    assert ["with a single row" in text for text in batch_norm_warnings(model, [], False, 8, 1, 8)] == [True]
    assert ["was 0.997 in 2 layers" in text for text in batch_norm_warnings(model, [0.997] * 2, False, 8, 5, 8)] == [
        True
    ]
    assert batch_norm_warnings(model.eval(), [0.997], True, 4, 1, 8) == []
    assert batch_norm_warnings(nn.Linear(2, 2), [], True, 4, 4, 8) == [
        "tune.batch_norm has no effect: the model has no BatchNorm."
    ]


@pytest.mark.parametrize("moved", [True, False])
def test_statistics_are_put_back_where_the_step_is_called_off(moved):
    model = layers(0.1, None)
    batch_norms(model)[1].eval()
    model(torch.randn(4, 2))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    kept = StatisticsBefore(model)
    model(torch.full((4, 2), torch.inf))
    kept.put_back_unless(torch.tensor(moved))
    stayed = [torch.equal(buffer, before[name]) for name, buffer in model.named_buffers()]
    assert all(stayed[:3]) != moved
    assert all(stayed[3:])  # of the layer that stands still
    assert before["0.num_batches_tracked"] == 1
    StatisticsBefore(nn.Linear(2, 2)).put_back_unless(torch.tensor(False))  # has none


@pytest.fixture
def recipe(tiny, tmp_path):
    mobilenet_v2(tmp_path / "mobilenet")
    given = tiny("image-classification")
    return {**given, "model": str(tmp_path / "mobilenet")}


def test_a_mobilenet_of_transformers_is_mended_and_it_is_said(recipe):
    made = assembled(recipe)
    assert {norm.momentum for norm in batch_norms(made.run.model)} == {0.1}
    assert any("The momentum of BatchNorm was 0.997" in warning for warning in made.warnings)


@pytest.mark.parametrize("given", [["train.batch_size=7"], ["train.batch_size=8", "train.micro_batch_size=1"]])
def test_a_single_row_is_refused_before_training_where_batch_norm_cannot_learn_from_it(recipe, given):
    small = [
        "task.image_size=32",
        "data.train=train[:50]",
        *given,
    ]  # of 32 pixels its strides leave a single place
    with pytest.raises(RecipeError, match=r"has a single row.*Give another train\.batch_size .*tune\.batch_norm=eval"):
        assembled(recipe, *small)
    assembled(recipe, *small, "tune.batch_norm=eval")
    if "train.batch_size=7" in given:  # the last batch, of one row, never comes
        assembled(recipe, *small, "train.epochs=null", "train.steps=7")


def test_a_single_row_that_batch_norm_can_learn_from_is_told_and_leaves_no_trace(recipe):
    made = assembled(recipe, "task.image_size=64", "data.train=train[:50]", "train.batch_size=7")
    assert any("leaves a process with a single row" in warning for warning in made.warnings)
    assert all(norm.num_batches_tracked == 0 for norm in batch_norms(made.run.model))


@pytest.mark.parametrize(("mode", "moves"), [("train", True), ("eval", False)])
def test_statistics_move_or_stand_still_as_the_recipe_says(recipe, tmp_path, mode, moves):
    given = [
        *SHORT,
        f"tune.batch_norm={mode}",
        "train.eval_every=1",
        "train.checkpoint_every=1",
        "train.keep_checkpoints=9",
    ]
    train(recipe, tmp_path / "run", *given)
    first, last = (
        tensors(tmp_path / "run" / "checkpoints" / f"step-0000000{step}" / "model.safetensors") for step in (1, 3)
    )
    names = [name for name in first if name.endswith(STATISTICS)]
    assert names
    assert any(not torch.equal(first[name], last[name]) for name in names) == moves


def test_a_model_without_batch_norm_says_that_the_setting_does_nothing(tiny):
    plan = hfft.plan(hfft.Recipe.from_dict(tiny("text-classification"), "tune.batch_norm=eval"))
    assert "tune.batch_norm has no effect: the model has no BatchNorm." in plan.warnings
