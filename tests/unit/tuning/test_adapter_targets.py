"""Where an adapter goes: the top blocks, layers by kind or name, the modules of the head."""

from __future__ import annotations

import pytest
from torch import nn

from hfft.errors import RecipeError
from hfft.tuning.adapter_targets import head_modules, keys_values_and_leaving, target_layers
from hfft.tuning.blocks import Block, blocks, top_blocks
from tests.unit.tuning import encoder_decoders
from tests.unit.tuning.adapter_models import resnet
from tests.unit.tuning.architectures import model

ATTENTION = {
    "bert": {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"},
    "distilbert": {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"},
    "albert": {f"attention.{part}" for part in ("query", "key", "value", "dense")},
    "modernbert": {"attn.Wqkv", "attn.Wo"},
    "gpt2": {"attn.c_attn", "attn.c_proj"},
}
OTHERS = {
    "bert": {"intermediate.dense", "output.dense"},
    "distilbert": {"ffn.lin1", "ffn.lin2"},
    "albert": {"ffn", "ffn_output"},
    "modernbert": {"mlp.Wi", "mlp.Wo"},
    "gpt2": {"mlp.c_fc", "mlp.c_proj"},
}


@pytest.mark.parametrize("name", ATTENTION)
@pytest.mark.parametrize(("targets", "tables"), [("attention", [ATTENTION]), ("all-linear", [ATTENTION, OTHERS])])
def test_targets_are_the_linear_layers_of_the_attention_or_of_all_blocks(name, targets, tables):
    made = model(name)
    found = blocks(made)
    inside = set().union(*(table[name] for table in tables))
    wanted = {f"{block.name}.{layer}" for block in found[1:-1] for layer in inside}
    assert set(target_layers(made, found, targets)) == wanted


@pytest.mark.parametrize(
    ("patterns", "layers"),
    [
        (["query"], ["attention.self.query"]),
        (["query", "value"], ["attention.self.query", "attention.self.value"]),
        (
            ["attention.*"],
            ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"],
        ),
        (["output.dense"], ["attention.output.dense", "output.dense"]),
        (["?ey", "key"], ["attention.self.key"]),
    ],
)
def test_patterns_choose_layers_by_the_end_of_their_names(patterns, layers):
    made = model("bert")
    found = blocks(made)
    wanted = {f"{block.name}.{layer}" for block in found[1:-1] for layer in layers}
    chosen = target_layers(made, found, patterns)
    assert set(chosen) == wanted
    assert len(chosen) == len(wanted)


def test_a_pattern_can_choose_a_block():
    made = model("bert")
    assert target_layers(made, blocks(made), ["bert.encoder.layer.1.*.query"]) == [
        "bert.encoder.layer.1.attention.self.query"
    ]


@pytest.mark.parametrize("pattern", ["classifier", "pooler.dense", "word_embeddings", "qurey"])
def test_a_pattern_that_matches_nothing_in_a_block_is_refused_with_what_there_is(pattern):
    made = model("bert")
    with pytest.raises(RecipeError) as caught:
        target_layers(made, blocks(made), ["query", pattern])
    assert f"tune.adapter.targets has the pattern '{pattern}', which matches no linear layer or convolution" in str(
        caught.value
    )
    assert "They have: attention.output.dense, attention.self.key, attention.self.query, " in str(caught.value)


def test_a_misspelt_pattern_is_answered_with_the_nearest_name():
    made = model("bert")
    with pytest.raises(RecipeError, match=r"Did you mean '.*query'"):
        target_layers(made, blocks(made), ["qurey"])


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(2, 2), nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ("attention", r"matches no linear layer of this model. Its blocks have: down, up\."),
    ],
)
def test_targets_that_match_nothing_are_refused_with_what_there_is(targets, told):
    made = nn.ModuleDict({"layers": nn.ModuleList([Layer(), Layer()])})
    with pytest.raises(RecipeError, match=told):
        target_layers(made, blocks(made), targets)


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("bert", ["bert.pooler", "classifier"]),
        ("distilbert", ["pre_classifier", "classifier"]),
        ("roberta", ["classifier"]),
        ("modernbert", ["model.final_norm", "head", "classifier"]),
        ("gpt2", ["transformer.ln_f", "score"]),
    ],
)
def test_the_head_is_named_by_its_widest_modules(name, modules):
    assert head_modules(blocks(model(name))) == modules


every_encoder_decoder = pytest.mark.parametrize("name", encoder_decoders.CONFIGS)
CROSS_ATTENTION = {"t5": "EncDecAttention", "mt5": "EncDecAttention", "pair": "crossattention"}


@every_encoder_decoder
@pytest.mark.parametrize("targets", ["attention", "all-linear"])
def test_adapters_go_into_both_stacks_and_the_cross_attention(name, targets):
    made = encoder_decoders.model(name)
    found = blocks(made)
    chosen = target_layers(made, found, targets)
    for block in found:
        if block.stack in ("encoder", "decoder"):
            inside = [layer for layer in chosen if layer.startswith(f"{block.name}.")]
            crossing = [layer for layer in inside if CROSS_ATTENTION.get(name, "encoder_attn") in layer]
            assert len(crossing) == (4 if block.stack == "decoder" else 0)
            assert len(inside) > len(crossing)


def a_block(stack: str, depth: int) -> Block:
    return Block(stack, depth, f"{stack}.{depth}", (f"{stack}.{depth}.weight",))


TWO_STACKS = [
    Block("stem", 0, "stem", ("table",)),
    *(a_block("encoder", depth) for depth in (1, 2, 3, 4, 5)),
    *(a_block("decoder", depth) for depth in (1, 2)),
    Block("head", 0, "head", ("out",)),
]


@pytest.mark.parametrize(
    ("top", "depths"),
    [
        ("all", {"encoder": [1, 2, 3, 4, 5], "decoder": [1, 2]}),
        (1, {"encoder": [5], "decoder": [2]}),
        (2, {"encoder": [4, 5], "decoder": [1, 2]}),
        ("50%", {"encoder": [3, 4, 5], "decoder": [2]}),
        ("1%", {"encoder": [5], "decoder": [2]}),
        ("100%", {"encoder": [1, 2, 3, 4, 5], "decoder": [1, 2]}),
        ({"decoder": 1}, {"decoder": [2]}),
        ({"encoder": "40%", "decoder": 2}, {"encoder": [4, 5], "decoder": [1, 2]}),
    ],
)
def test_the_top_blocks_of_each_stack_or_of_those_named(top, depths):
    chosen = top_blocks(TWO_STACKS, top, "tune.adapter.blocks")
    assert chosen == [block for block in TWO_STACKS if block.depth in depths.get(block.stack, [])]


@pytest.mark.parametrize(
    ("top", "told"),
    [
        (
            6,
            r"tune.adapter.blocks is 6, but this model has 5 blocks \(5 in its encoder, 2 in its decoder\); use 0 to 5",
        ),
        ({"decoder": 3}, "tune.adapter.blocks.decoder is 3, but this model has 2 blocks in its decoder; use 0 to 2"),
        ({"decodr": 1}, "tune.adapter.blocks names 'decodr', which is no stack of this model. Did you mean 'decoder'"),
    ],
)
def test_more_blocks_than_there_are_are_refused(top, told):
    with pytest.raises(RecipeError, match=told):
        top_blocks(TWO_STACKS, top, "tune.adapter.blocks")


def test_patterns_reach_convolutions_and_words_do_not():
    made = resnet()
    found = blocks(made)
    names = target_layers(made, found, ["shortcut.convolution"])
    assert names
    assert all(
        name.endswith("shortcut.convolution") and isinstance(made.get_submodule(name), nn.Conv2d) for name in names
    )
    assert not any(name.startswith(("resnet.embedder", "classifier")) for name in target_layers(made, found, ["*"]))
    for word in ("attention", "all-linear"):
        with pytest.raises(RecipeError, match=r"such as tune.adapter.targets=\[convolution\]"):
            target_layers(made, found, word)


@pytest.mark.parametrize(
    ("name", "scaled", "leaving"),
    [
        ("bert", {"attention.self.key", "attention.self.value"}, {"output.dense"}),
        ("distilbert", {"attention.k_lin", "attention.v_lin"}, {"ffn.lin2"}),
        ("deberta", {"attention.self.key_proj", "attention.self.value_proj"}, {"output.dense"}),
    ],
)
def test_keys_values_and_what_leaves_the_feed_forward_part_are_found_by_structure(name, scaled, leaving):
    made = model(name)
    found = blocks(made)
    shown = keys_values_and_leaving(made, found)
    assert shown is not None
    paths = [block.name for block in found[1:-1]]
    assert set(shown[0]) == {f"{path}.{end}" for path in paths for end in scaled}
    assert set(shown[1]) == {f"{path}.{end}" for path in paths for end in leaving}


def test_decoders_have_keys_and_values_of_both_attentions():
    made = encoder_decoders.model("t5")
    shown = keys_values_and_leaving(made, blocks(made))
    assert shown is not None
    ends = [name.partition("decoder.block.0.layer.")[2] for name in shown[0] + shown[1] if "decoder.block.0." in name]
    assert ends == [
        *("0.SelfAttention.k", "0.SelfAttention.v", "1.EncDecAttention.k", "1.EncDecAttention.v"),
        "2.DenseReluDense.wo",
    ]


@pytest.mark.parametrize("name", ["modernbert", "gpt2"])
def test_keys_that_are_part_of_a_layer_are_not_found(name):
    made = model(name)
    assert keys_values_and_leaving(made, blocks(made)) is None
