"""Laws 5 and 6: frozen means frozen, and what the parameter table says is what happens."""

from __future__ import annotations

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from hfft.testing import check_groups, check_moves, tensors
from hfft.tuning.blocks import plain_name
from tests.laws.runs import CASES, assembled, resumable, train, tuning, unscored
from tests.tiny import EXAMPLES

EXTREMES = ["optim.warmup=0", "optim.schedule=constant"]


@pytest.mark.parametrize(("task", "strategy"), CASES)
def test_every_parameter_is_in_one_block_and_one_group_as_the_table_says(tiny, task, strategy):
    made = assembled(unscored(tiny(task)), *tuning(task, strategy), *EXTREMES)
    check_groups(made)
    assert all(group["lr"] == group["initial_lr"] for group in made.run.optimizer.param_groups)


@pytest.mark.parametrize(("task", "strategy"), CASES)
def test_frozen_parameters_do_not_move_by_a_bit_and_the_others_do(tiny, run_of, task, strategy):
    recipe = tiny(task)
    overrides = resumable(task, recipe, strategy)
    start = check_groups(assembled(recipe, *overrides))
    assert check_moves(start, run_of(recipe, *overrides)) == 8


@pytest.mark.parametrize("task", [*EXAMPLES, "outside"])
def test_frozen_blocks_make_no_noise_unless_told_to(tiny, task):
    def modules(*overrides):
        made = assembled(unscored(tiny(task)), "tune.freeze.blocks=2", *overrides)
        frozen = [block for block in made.tuned.block_of.found if block.depth in (1, 2)]
        return [module for block in frozen for module in made.run.model.get_submodule(block.name).modules()]

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
