"""Laws 5 and 6: frozen means frozen, and what the parameter table says is what happens."""

from __future__ import annotations

import json

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from hfft.tuning.blocks import plain_name
from tests.laws.runs import CASES, assembled, tensors, train, tuning, unscored
from tests.tiny import EXAMPLES

EXTREMES = ["optim.warmup=0", "optim.schedule=constant"]


@pytest.mark.parametrize(("task", "strategy"), CASES)
def test_every_parameter_is_in_one_block_and_one_group_as_the_table_says(tiny, task, strategy):
    made = assembled(unscored(tiny(task)), *tuning(task, strategy), *EXTREMES)
    model = made.run.accelerator.unwrap_model(made.run.model)
    names = {parameter: plain_name(name) for name, parameter in model.named_parameters()}
    in_blocks = [name for block in made.tuned.block_of.found for name in block.parameters]
    assert len(in_blocks) == len(set(in_blocks))
    groups = [(parameter, group) for group in made.run.optimizer.param_groups for parameter in group["params"]]
    assert len(groups) == len({parameter for parameter, _ in groups})
    told = {row.name: row for row in made.parameters}
    assert len(told) == len(made.parameters) == len(names)
    for parameter, group in groups:
        row = told[names[parameter]]
        assert (row.trainable, row.lr, row.weight_decay) == (True, group["lr"], group["weight_decay"])
    without = [row for name, row in told.items() if name not in {names[parameter] for parameter, _ in groups}]
    assert all((row.trainable, row.lr) == (False, 0.0) for row in without)


@pytest.mark.parametrize(("task", "strategy"), CASES)
def test_frozen_parameters_do_not_move_by_a_bit_and_the_others_do(tiny, tmp_path, task, strategy):
    recipe = unscored(tiny(task))
    made = assembled(recipe, *tuning(task, strategy))
    start = {name: p.detach().clone() for name, p in made.run.model.named_parameters()}
    buffers = {name: buffer.clone() for name, buffer in made.run.model.named_buffers()}
    checkpoint = ["train.epochs=null", "train.steps=6", "train.checkpoint_every=6"]
    train(recipe, tmp_path / "run", *tuning(task, strategy), *checkpoint)
    end = tensors(tmp_path / "run" / "checkpoints" / "step-00000006" / "model.safetensors")
    told = {row["name"]: row["trainable"] for row in json.loads((tmp_path / "run" / "parameters.json").read_text())}
    for name, before in start.items():
        assert torch.equal(before, end[name]) != told[plain_name(name)], name
    for name, before in buffers.items():  # no tiny example learns with statistics that move
        assert name not in end or torch.equal(before, end[name]), name


@pytest.mark.parametrize("task", [*EXAMPLES, "outside"])
def test_frozen_blocks_make_no_noise_unless_told_to(tiny, task):
    frozen = [
        block for block in assembled(tiny(task), "tune.freeze.blocks=2").tuned.block_of.found if block.depth in (1, 2)
    ]

    def modules(*overrides):
        model = assembled(unscored(tiny(task)), "tune.freeze.blocks=2", *overrides).run.model
        return [module for block in frozen for module in model.get_submodule(block.name).modules()]

    assert not any(module.training for module in modules())
    for module in modules("tune.freeze.dropout=true"):  # dropout makes noise then, but no statistics move
        assert module.training != isinstance(module, _BatchNorm)


def test_statistics_stand_still_in_frozen_blocks_and_move_in_the_others(tiny, tmp_path):
    recipe = {key: value for key, value in tiny("conv").items() if key != "tune"}
    made = assembled(recipe, "tune.freeze.blocks=1")
    start = {name: buffer.clone() for name, buffer in made.run.model.named_buffers()}
    train(recipe, tmp_path / "run", "tune.freeze.blocks=1", "train.epochs=1")
    end = tensors(tmp_path / "run" / "checkpoints" / "step-00000008" / "model.safetensors")
    still = [block for block in made.tuned.block_of.found if block.depth in (0, 1) and block.stack != "head"]
    modules = {name.rpartition(".")[0] for block in still for name in block.parameters}
    frozen = {name for name in start if plain_name(name).rpartition(".")[0] in modules}
    assert {name for name, before in start.items() if torch.equal(before, end[name])} == frozen
    assert set() < frozen < set(start)


@pytest.mark.parametrize("task", [*EXAMPLES, "outside"])
def test_scoring_leaves_the_modes_as_they_were(tiny, task):
    made = assembled(tiny(task), "tune.freeze.blocks=2")
    before = [module.training for module in made.run.model.modules()]
    made.evaluators["eval"](made.run.model, made.run.accelerator)
    assert [module.training for module in made.run.model.modules()] == before
    assert set(before) == {True, False}
