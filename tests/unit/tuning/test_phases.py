"""What learns from which step on."""

from __future__ import annotations

import pytest

from hfft.tuning.blocks import BlockMap, blocks
from hfft.tuning.freeze import freeze, frozen_blocks, frozen_names
from hfft.tuning.phases import enter, first_steps, gradually, phase_of, probing
from tests.unit.tuning import encoder_decoders
from tests.unit.tuning.architectures import model


def opened(made, phases):
    """The blocks that learn in each phase, by its first step."""
    block_of = BlockMap(blocks(made))
    learning = frozenset(name for name, parameter in made.named_parameters() if parameter.requires_grad)
    found = {}
    for phase in phases:
        enter(made, learning, phase)
        names = [name for name, parameter in made.named_parameters() if parameter.requires_grad]
        found[phase.first_step] = sorted({f"{block_of[name].stack} {block_of[name].depth}" for name in names})
    return found


def test_blocks_join_from_the_top_and_the_stem_last():
    made = model("bert")
    assert opened(made, gradually(made, BlockMap(blocks(made)), 10, 1)) == {
        1: ["head 0"],
        11: ["encoder 3", "head 0"],
        21: ["encoder 2", "encoder 3", "head 0"],
        31: ["encoder 1", "encoder 2", "encoder 3", "head 0"],
        41: ["encoder 1", "encoder 2", "encoder 3", "head 0", "stem 0"],
    }


def test_several_blocks_join_at_once():
    made = model("bert")
    assert opened(made, gradually(made, BlockMap(blocks(made)), 5, 2)) == {
        1: ["head 0"],
        6: ["encoder 2", "encoder 3", "head 0"],
        11: ["encoder 1", "encoder 2", "encoder 3", "head 0"],
        16: ["encoder 1", "encoder 2", "encoder 3", "head 0", "stem 0"],
    }


def test_an_encoder_and_a_decoder_open_together_each_from_its_own_top():
    made = encoder_decoders.model("t5")
    assert opened(made, gradually(made, BlockMap(blocks(made)), 1, 1)) == {
        1: ["head 0"],
        2: ["decoder 2", "encoder 2", "head 0"],
        3: ["decoder 1", "decoder 2", "encoder 1", "encoder 2", "head 0"],
        4: ["decoder 1", "decoder 2", "encoder 1", "encoder 2", "head 0", "stem 0"],
    }


def test_a_model_without_a_head_of_its_own_begins_with_its_top_blocks():
    made = encoder_decoders.model("marian")
    assert opened(made, gradually(made, BlockMap(blocks(made)), 1, 1))[1] == ["decoder 2", "encoder 2"]


def test_what_is_frozen_never_joins_and_no_turn_is_wasted_on_it():
    made = model("bert")
    found = blocks(made)
    block_of = BlockMap(found)
    freeze(made, frozen_names(made, block_of, frozen_blocks(found, 2)))
    assert opened(made, gradually(made, block_of, 10, 1)) == {1: ["head 0"], 11: ["encoder 3", "head 0"]}


def test_the_first_step_of_each_parameter_is_told():
    made = model("bert")
    phases = gradually(made, BlockMap(blocks(made)), 10, 1)
    told = first_steps(phases)
    assert "classifier.weight" not in told
    assert told["bert.encoder.layer.2.output.dense.weight"] == 11
    assert told["bert.encoder.layer.0.output.dense.weight"] == 31
    assert told["bert.embeddings.word_embeddings.weight"] == 41


def test_a_probe_has_the_head_alone_at_first_and_then_everything_with_a_fresh_optimizer():
    made = model("bert")
    phases = probing(made, BlockMap(blocks(made)), 7)
    assert opened(made, phases) == {1: ["head 0"], 8: ["encoder 1", "encoder 2", "encoder 3", "head 0", "stem 0"]}
    assert [phase.fresh for phase in phases] == [False, True]


@pytest.mark.parametrize(("step", "first"), [(1, 1), (10, 1), (11, 11), (40, 31), (41, 41), (99, 41)])
def test_a_step_belongs_to_the_last_phase_that_has_begun(step, first):
    made = model("bert")
    assert phase_of(gradually(made, BlockMap(blocks(made)), 10, 1), step).first_step == first
