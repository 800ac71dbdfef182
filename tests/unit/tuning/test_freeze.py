"""Frozen means frozen: no gradient, no dropout, no moving statistics."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from hfft.errors import RecipeError
from hfft.tuning.blocks import BlockMap, blocks
from hfft.tuning.freeze import freeze, frozen_blocks, set_modes
from tests.unit.tuning.architectures import CONFIGS, batch, model


def frozen_model(made, lowest, dropout=False):
    """Freezes and sets the modes, as a run does."""
    found = blocks(made)
    chosen, block_of = frozen_blocks(found, lowest), BlockMap(found)
    freeze(made, chosen, block_of)
    set_modes(made, chosen, block_of, dropout)
    return made


@pytest.mark.parametrize(
    ("lowest", "places"),
    [
        (0, [("stem", 0)]),
        (2, [("stem", 0), ("encoder", 1), ("encoder", 2)]),
        (3, [("stem", 0), ("encoder", 1), ("encoder", 2), ("encoder", 3)]),
        ("all", [("stem", 0), ("encoder", 1), ("encoder", 2), ("encoder", 3)]),
    ],
)
def test_the_stem_and_the_lowest_blocks_are_frozen(lowest, places):
    made = model("bert")
    chosen = frozen_blocks(blocks(made), lowest)
    assert [(block.stack, block.depth) for block in chosen] == places
    frozen_model(made, lowest)
    still = {name for name, parameter in made.named_parameters() if not parameter.requires_grad}
    assert still == {name for block in chosen for name in block.parameters}


def test_more_blocks_than_there_are_is_refused_with_the_number():
    message = (
        r"tune.freeze.blocks is 4, but this model has 3 blocks \(3 in its encoder\); use 0 to 3, or 'all' for every"
    )
    with pytest.raises(RecipeError, match=message):
        frozen_blocks(blocks(model("bert")), 4)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_frozen_base_gives_the_same_answer_each_time(name):
    base = frozen_model(model(name), "all").base_model
    with torch.no_grad():
        first, second = (base(**batch()).last_hidden_state for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_not_frozen_is_in_training_mode(name):
    made = frozen_model(model(name), 1)
    found = blocks(made)
    for block in found[2:-1]:
        assert all(module.training for module in made.get_submodule(block.name).modules())
    assert not made.get_submodule(found[1].name).training
    with torch.no_grad():
        assert not torch.equal(made(**batch()).logits, made(**batch()).logits)


@pytest.mark.parametrize("name", CONFIGS)
def test_dropout_stays_on_in_frozen_blocks_where_it_is_asked_for(name):
    made = frozen_model(model(name), "all", dropout=True)
    assert all(module.training for module in made.modules())


def test_nothing_frozen_means_everything_in_training_mode():
    made = model("bert")
    set_modes(made, [], BlockMap(blocks(made)), False)
    assert all(module.training for module in made.modules())


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.norm, self.down = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4)

    def forward(self, x):
        return x + self.down(self.norm(self.up(x)).relu())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.layers = nn.ModuleList(Layer() for _ in range(3))
        self.head = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))

    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


def moved_buffers(made):
    before = copy.deepcopy(dict(made.named_buffers()))
    made(torch.randn(8, 3))
    return {name.rpartition(".")[0] for name, buffer in made.named_buffers() if not torch.equal(buffer, before[name])}


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize(
    ("lowest", "moving"),
    [
        (0, {"layers.0.norm", "layers.1.norm", "layers.2.norm", "head.0"}),
        (2, {"layers.2.norm", "head.0"}),
        ("all", {"head.0"}),
    ],
)
def test_statistics_of_frozen_batch_norms_stand_still_and_others_move(lowest, moving, dropout):
    assert moved_buffers(frozen_model(Net(), lowest, dropout)) == moving


def test_a_batch_norm_that_does_not_learn_stands_still_wherever_it_is():
    made = Net()
    made.layers[2].norm.requires_grad_(False)
    set_modes(made, [], BlockMap(blocks(made)), False)
    assert "layers.2.norm" not in moved_buffers(made)
    assert made.layers[2].training
