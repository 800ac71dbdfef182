"""Parameter groups: learning rate and weight decay of every parameter, by hand."""

from __future__ import annotations

import json

import pytest

from hfft.tuning.blocks import Block, BlockMap, blocks
from hfft.tuning.freeze import freeze, frozen_blocks, frozen_names
from hfft.tuning.param_groups import Rates, parameter_groups, parameter_table
from tests.unit.tuning import encoder_decoders
from tests.unit.tuning.architectures import CONFIGS, model


def table(made, **rates):
    given = {"lr": 1.0, "weight_decay": 0.1, "layer_decay": 1.0, "head_scale": 1.0}
    return parameter_table(made, BlockMap(blocks(made)), Rates(**{**given, **rates}))


@pytest.mark.parametrize(
    ("layers", "rates"),
    [
        (2, {("stem", 0): 0.125, ("encoder", 1): 0.25, ("encoder", 2): 0.5, ("head", 0): 1}),
        (3, {("stem", 0): 1 / 16, ("encoder", 1): 0.125, ("encoder", 2): 0.25, ("encoder", 3): 0.5, ("head", 0): 1}),
        (
            4,
            {
                ("stem", 0): 1 / 32,
                ("encoder", 1): 1 / 16,
                ("encoder", 2): 0.125,
                ("encoder", 3): 0.25,
                ("encoder", 4): 0.5,
                ("head", 0): 1,
            },
        ),
    ],
)
@pytest.mark.parametrize("head_scale", [1.0, 3.0])
def test_with_layer_decay_each_block_learns_at_a_share_of_the_next(layers, rates, head_scale):
    rows = table(model("bert", num_hidden_layers=layers), lr=2e-5, layer_decay=0.5, head_scale=head_scale)
    found = {(row.stack, row.block): row.lr for row in rows}
    wanted = {place: 2e-5 * rate * (head_scale if place == ("head", 0) else 1) for place, rate in rates.items()}
    assert found == pytest.approx(wanted)
    assert all(row.lr == found[row.stack, row.block] for row in rows)


@pytest.mark.parametrize("name", encoder_decoders.CONFIGS)
def test_layer_decay_counts_in_an_encoder_and_a_decoder_apart(name):
    found = {(row.stack, row.block): row.lr for row in table(encoder_decoders.model(name), layer_decay=0.5) if row.lr}
    wanted = {("stem", 0): 0.125, ("encoder", 1): 0.25, ("encoder", 2): 0.5, ("decoder", 1): 0.25, ("decoder", 2): 0.5}
    assert {place: lr for place, lr in found.items() if place != ("head", 0)} == wanted
    assert found.get(("head", 0), 1.0) == 1.0


def test_each_stack_decays_by_its_own_depth_and_the_stem_by_the_longest():
    rates = Rates(lr=1, weight_decay=0, layer_decay=0.5, head_scale=2)
    sizes = {"encoder": 2, "decoder": 3}
    places = [("stem", 0), ("encoder", 1), ("encoder", 2), ("decoder", 1), ("decoder", 3), ("head", 0)]
    scales = [rates.scale(Block(stack, depth, "", ()), sizes) for stack, depth in places]
    assert scales == [1 / 16, 0.25, 0.5, 0.125, 0.5, 2]


@pytest.mark.parametrize("name", CONFIGS)
def test_biases_and_norms_have_no_weight_decay_and_matrices_have(name):
    for row in table(model(name), weight_decay=0.1):
        is_bias_or_norm = row.name.endswith(".bias") or "norm" in row.name.lower() or ".ln_" in row.name
        assert row.weight_decay == (0.0 if is_bias_or_norm else 0.1), row.name


@pytest.mark.parametrize("name", CONFIGS)
def test_the_table_has_a_row_a_parameter_in_the_order_of_the_model(name):
    made = model(name)
    wanted = [(name, tuple(parameter.shape), True) for name, parameter in made.named_parameters()]
    assert [(row.name, row.shape, row.trainable) for row in table(made)] == wanted


def test_a_row_is_plain_json():
    row = table(model("bert"))[0]
    assert json.loads(json.dumps(row.as_json())) == {
        "name": "bert.embeddings.word_embeddings.weight",
        "shape": [20, 8],
        "stack": "stem",
        "block": 0,
        "trainable": True,
        "lr": 1.0,
        "weight_decay": 0.1,
        "from_step": 1,
        "adapter": False,
    }


@pytest.mark.parametrize("lowest", [None, 0, 1, "all"])
def test_groups_hold_what_trains_once_and_as_the_table_says(lowest):
    made = model("bert")
    found = blocks(made)
    if lowest is not None:
        freeze(made, frozen_names(made, BlockMap(found), frozen_blocks(found, lowest)))
    rows = table(made, layer_decay=0.5, head_scale=2)
    groups = parameter_groups(made, rows)
    told = dict(zip(made.parameters(), rows, strict=True))
    grouped = [(parameter, group) for group in groups for parameter in group["params"]]
    assert {parameter for parameter, _ in grouped} == {p for p in made.parameters() if p.requires_grad}
    assert len(grouped) == len({parameter for parameter, _ in grouped})
    for parameter, group in grouped:
        assert (group["lr"], group["weight_decay"]) == (told[parameter].lr, told[parameter].weight_decay)
    for parameter, row in told.items():
        if not parameter.requires_grad:
            assert (row.trainable, row.lr, row.weight_decay) == (False, 0.0, 0.0)


def test_a_group_is_of_one_block_and_one_weight_decay():
    made = model("bert")
    groups = parameter_groups(made, table(made))
    assert len(groups) == 2 * len(blocks(made))
    assert all(group["params"] for group in groups)
