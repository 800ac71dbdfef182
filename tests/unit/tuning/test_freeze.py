"""Frozen means frozen: no gradient, no dropout, no moving statistics."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from hfft.errors import RecipeError
from hfft.recipe import Recipe
from hfft.tuning.adapters import add_adapter
from hfft.tuning.blocks import BlockMap, blocks
from hfft.tuning.freeze import freeze, frozen_blocks, frozen_names
from hfft.tuning.train_mode import set_modes
from tests.unit.tuning import encoder_decoders
from tests.unit.tuning.architectures import CONFIGS, batch, model

RECIPE = {"task": {"name": "translation"}, "data": {"hub": "wmt16"}, "model": "t5-small"}
every_encoder_decoder = pytest.mark.parametrize("name", encoder_decoders.CONFIGS)


def frozen_model(made, lowest, dropout=False):
    """Freezes and sets the modes, as a run does."""
    found = blocks(made)
    block_of = BlockMap(found)
    names = frozen_names(made, block_of, frozen_blocks(found, lowest))
    freeze(made, names)
    set_modes(made, names, block_of, dropout)
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
    message = r"tune.freeze.blocks is 4, but this model has 3 blocks \(3 in its encoder\); use 0 to 3, a share"
    with pytest.raises(RecipeError, match=message):
        frozen_blocks(blocks(model("bert")), 4)


@pytest.mark.parametrize(
    ("by_stack", "places"),
    [
        ({"encoder": "all", "decoder": 1}, [("stem", 0), ("encoder", 1), ("encoder", 2), ("decoder", 1)]),
        ({"encoder": "all"}, [("stem", 0), ("encoder", 1), ("encoder", 2)]),
        ({"encoder": 2, "decoder": 0}, [("stem", 0), ("encoder", 1), ("encoder", 2)]),
        ({"decoder": 1, "stem": "all"}, [("stem", 0), ("decoder", 1)]),
        ({"decoder": 1, "stem": 0}, [("decoder", 1)]),
        ({"encoder": "all", "decoder": "all", "stem": 0}, [(s, n) for s in ("encoder", "decoder") for n in (1, 2)]),
        ({"stem": "all"}, [("stem", 0)]),
    ],
)
@every_encoder_decoder
def test_stacks_are_frozen_each_by_its_own_number(name, by_stack, places):
    made = encoder_decoders.model(name)
    learning = {n for n, parameter in made.named_parameters() if parameter.requires_grad}
    chosen = frozen_blocks(blocks(made), by_stack)
    assert [(block.stack, block.depth) for block in chosen] == places
    frozen_model(made, by_stack)
    still = {n for n, parameter in made.named_parameters() if not parameter.requires_grad}
    assert still & learning == {n for block in chosen for n in block.parameters} & learning


@pytest.mark.parametrize(
    ("by_stack", "message"),
    [
        (
            {"encodre": 1},
            r"names 'encodre', which is no stack of this model\. Did you mean 'encoder'\?",
        ),
        ({"vision": 1}, r"It has: 1 in its stem, 2 in its encoder, 2 in its decoder"),
        ({"head": "all"}, r"names 'head', which is no stack"),
        ({"decoder": 3}, r"tune\.freeze\.blocks\.decoder is 3, but this model has 2 blocks in its decoder; use 0 to 2"),
        ({"encoder": 0}, r"freezes nothing: leave tune\.freeze out"),
        ({"encoder": 0, "stem": 0}, r"freezes nothing: leave tune\.freeze out"),
        ({"encoder": "all", "decoder": "all"}, r"freezes everything but the head .* Write tune\.freeze\.blocks: all"),
    ],
)
def test_stacks_that_cannot_be_frozen_so_are_refused(by_stack, message):
    with pytest.raises(RecipeError, match=message):
        frozen_blocks(blocks(encoder_decoders.model("t5")), by_stack)


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        (["tune.freeze.blocks={encoder: all, decoder: 1}"], {"encoder": "all", "decoder": 1}),
        (["tune.freeze.blocks.encoder=all"], {"encoder": "all"}),
        (["tune.freeze.blocks=2", "tune.freeze.blocks.encoder=all"], {"encoder": "all"}),
        (["tune.freeze.blocks.encoder=all", "tune.freeze.blocks.stem=0"], {"encoder": "all", "stem": 0}),
        (["tune.freeze.blocks={encoder: all, decoder: 1}", "tune.freeze.blocks.decoder=null"], {"encoder": "all"}),
        (["tune.freeze.blocks.encoder=all", "tune.freeze.blocks=2"], 2),
    ],
)
def test_a_recipe_freezes_by_stack_and_is_written_and_read_again(tmp_path, overrides, wanted):
    recipe = Recipe.from_dict(RECIPE, *overrides)
    assert recipe.tune.freeze is not None
    assert recipe.tune.freeze.blocks == wanted
    recipe.save(tmp_path / "recipe.yaml")
    assert Recipe.load(tmp_path / "recipe.yaml").tune == recipe.tune


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "{encoder: many}",
            r"\.encoder does not fit: it is 'many': give a number of blocks, from 0 on, a share such as 50%,",
        ),
        ("{encoder: -1}", r"\.encoder does not fit: it is -1: give a number"),
        ("{encoder: true}", r"\.encoder does not fit: it is True: give a number"),
        ("{stem: 2, encoder: 1}", "'stem' is 2, but the stem is frozen whole or not at all: 'all' or 0"),
        ("{encoder: 0, stem: 0}", "freezes nothing: leave 'freeze' out"),
        ("{}", "freezes nothing: leave 'freeze' out"),
    ],
)
def test_a_recipe_that_freezes_stacks_wrongly_is_refused(written, message):
    with pytest.raises(RecipeError, match=rf"tune\.freeze\.blocks.*{message}"):
        Recipe.from_dict(RECIPE, f"tune.freeze.blocks={written}")


@every_encoder_decoder
def test_a_frozen_encoder_gives_the_same_output_each_time_and_the_decoder_does_not(name):
    made = frozen_model(encoder_decoders.model(name), {"encoder": "all"})
    inputs = encoder_decoders.batch()
    with torch.no_grad():
        first, second = (made(**inputs) for _ in range(2))
    assert torch.equal(first.encoder_last_hidden_state, second.encoder_last_hidden_state)
    assert not torch.equal(first.logits, second.logits)


@every_encoder_decoder
def test_a_free_encoder_gives_another_output_each_time(name):
    made = frozen_model(encoder_decoders.model(name), {"decoder": 1})
    inputs = encoder_decoders.batch()
    with torch.no_grad():
        first, second = (made(**inputs).encoder_last_hidden_state for _ in range(2))
    assert not torch.equal(first, second)


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
    set_modes(made, frozenset(), BlockMap(blocks(made)), False)
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
    set_modes(made, frozenset(), BlockMap(blocks(made)), False)
    assert "layers.2.norm" not in moved_buffers(made)
    assert made.layers[2].training


@pytest.mark.parametrize(
    ("share", "depth"), [("0%", 0), ("30%", 0), ("34%", 1), ("50%", 1), ("67%", 2), ("99%", 2), ("100%", 3)]
)
def test_a_share_of_the_blocks_is_rounded_down(share, depth):
    chosen = frozen_blocks(blocks(model("bert")), share)
    assert [block.depth for block in chosen] == list(range(depth + 1))


def test_a_share_is_taken_of_each_stack():
    found = blocks(encoder_decoders.model("t5"))
    assert [(b.stack, b.depth) for b in frozen_blocks(found, "50%")] == [("stem", 0), ("encoder", 1), ("decoder", 1)]
    assert [b.stack for b in frozen_blocks(found, {"decoder": "50%"})] == ["stem", "decoder"]


def learning(made, blocks_, keep=(), patterns=()):
    """The names of what learns."""
    found = blocks(made)
    freeze(
        made,
        frozen_names(
            made, BlockMap(found), frozen_blocks(found, blocks_) if blocks_ is not None else [], keep, patterns
        ),
    )
    return {name for name, parameter in made.named_parameters() if parameter.requires_grad}


def test_biases_alone_are_bitfit():
    head = ("bert.pooler.", "classifier.")
    names = learning(model("bert"), "all", ["biases"])
    assert {name for name in names if not name.startswith(head)} == {
        name for name, _ in model("bert").named_parameters() if name.endswith(".bias") and not name.startswith(head)
    }
    assert {name for name in names if name.startswith(head)} == {
        f"{module}.{kind}" for module in ("bert.pooler.dense", "classifier") for kind in ("weight", "bias")
    }


def test_norms_alone_learn_in_frozen_blocks():
    below = {name for name in learning(model("bert"), "all", ["norms"]) if ".LayerNorm." in name}
    assert len(below) == 2 * (1 + 2 * 3)
    assert len(learning(model("bert"), "all", ["norms"])) == len(below) + 4


def test_a_t5_has_norms_and_no_biases():
    assert any("layer_norm" in name for name in learning(encoder_decoders.model("t5"), "all", ["norms"]))
    with pytest.raises(RecipeError, match=r"keep is 'biases', but the frozen blocks have no biases that could learn"):
        learning(encoder_decoders.model("t5"), "all", ["biases"])


def test_dropout_stays_on_where_biases_learn():
    made = model("bert")
    found = blocks(made)
    block_of = BlockMap(found)
    names = frozen_names(made, block_of, frozen_blocks(found, "all"), ["biases"])
    freeze(made, names)
    set_modes(made, names, block_of, False)
    with torch.no_grad():
        assert not torch.equal(made(**batch()).logits, made(**batch()).logits)


def test_the_first_pattern_that_matches_decides_and_before_the_blocks():
    names = learning(
        model("bert"),
        1,
        patterns=[("layer.0.attention.*", False), ("*.attention.*", True), ("classifier.bias", True)],
    )
    assert "bert.encoder.layer.0.attention.self.query.weight" in names  # though its block is frozen
    assert "bert.encoder.layer.0.output.dense.weight" not in names
    assert "bert.encoder.layer.1.attention.self.query.weight" not in names
    assert "bert.encoder.layer.1.output.dense.weight" in names
    assert ("classifier.weight" in names, "classifier.bias" in names) == (True, False)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (
            [("atention.*", True)],
            r"freeze\.patterns has the pattern 'atention\.\*', which matches no parameter of",
        ),
        ([("*.attention.*", True), ("layer.0.attention.*", False)], r"'layer\.0\.attention\.\*', which has no effect"),
    ],
)
def test_patterns_without_effect_are_refused(patterns, message):
    with pytest.raises(RecipeError, match=message):
        learning(model("bert"), None, patterns=patterns)


def test_beside_an_adapter_patterns_cannot_train_what_it_holds():
    made = model("bert")
    found = blocks(made)
    tuned = add_adapter(made, found, "lora", {"rank": 2})
    with pytest.raises(RecipeError, match=r"trains '\*\.LayerNorm\.\*', which stays as it is all the same: beside an"):
        frozen_names(tuned, BlockMap(found), [], (), [("*.LayerNorm.*", False)])
    with pytest.raises(RecipeError, match="no norms that could learn"):
        frozen_names(tuned, BlockMap(found), frozen_blocks(found, 1), ["norms"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["tune.freeze={}"], "tune.freeze does not fit: give 'blocks' or 'patterns'"),
        (["tune.freeze={keep: biases}"], "give 'blocks' or 'patterns'"),
        (["tune.freeze={patterns: [{freeze: a}], keep: norms}"], "'keep' says what learns in frozen blocks: give 'bl"),
        (["tune.freeze={blocks: all, keep: weights}"], "tune.freeze.keep is 'weights'"),
        (["tune.freeze.blocks=120%"], "tune.freeze.blocks does not fit: it is '120%': give a number"),
        (["tune.layer_decay=0"], "tune.layer_decay is 0, but should be greater than 0"),
        (["tune.freeze.patterns=[{freeze: a, train: b}]"], "a line is either 'freeze: PATTERN' or 'train: PATTERN'"),
        (["tune.unfreeze={epochs: 1, steps: 5}"], "tune.unfreeze does not fit: give either 'epochs' or 'steps'"),
        (["tune.unfreeze={}"], "give either 'epochs' or 'steps'"),
        (["tune.unfreeze.steps=1", "tune.probe.steps=1"], "begins with the head alone, as 'probe' does"),
        (["tune.min_scale=0.1"], "'min_scale' bounds what 'layer_decay' does, and there is none"),
        (["tune.freeze_below=0.1"], "'freeze_below' bounds what 'layer_decay' does, and there is none"),
        (["tune.layer_decay=0.9", "tune.freeze_below=0.1", "tune.min_scale=0.2"], "lets no block be slower than 0.2"),
        (["tune.layer_decay=1.1"], "tune.layer_decay is 1.1"),
        (["tune.layer_decay={encoder: 0}"], "is 0, but should be greater than 0"),
        (["tune.rates={a: 0}"], "tune.rates.a is 0"),
        (["tune.reinit.blocks=1", "tune.adapter.name=lora"], "'reinit' beside 'adapter'"),
        (["tune.reinit.blocks=1", "model.from_scratch=true"], "tune.reinit has no effect with model.from_scratch"),
        (["tune.unfreez={steps: 1}"], "Did you mean 'unfreeze'"),
        (["train.soup=3"], "'soup' goes by the metric of 'keep_best'"),
    ],
)
def test_a_recipe_that_tunes_against_itself_is_refused(overrides, message):
    with pytest.raises(RecipeError, match=message.replace("{", r"\{")):
        Recipe.from_dict(RECIPE, *overrides)
