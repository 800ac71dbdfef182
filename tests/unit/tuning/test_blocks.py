"""Blocks: every parameter in exactly one, from shallow to deep."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn
from transformers import WhisperConfig, WhisperForAudioClassification

from hfft.errors import ModelError
from hfft.tuning.blocks import Block, BlockMap, blocks, plain_name, stack_sizes
from tests.unit.tuning import encoder_decoders
from tests.unit.tuning.architectures import CONFIGS, model
from tests.unit.tuning.parts import Tower, depths

every_encoder_decoder = pytest.mark.parametrize("name", encoder_decoders.CONFIGS)
POSITIONS = {"model.encoder.embed_positions", "model.decoder.embed_positions"}
EMBEDDING_NORMS = {"model.encoder.layernorm_embedding", "model.decoder.layernorm_embedding"}
FINAL_NORMS = {"model.encoder.layer_norm", "model.decoder.layer_norm"}
STEMS_OF_TWO = {
    "t5": {"shared"},
    "mt5": {"shared"},
    "bart": {"model.shared", *POSITIONS, *EMBEDDING_NORMS},
    "mbart": {"model.shared", *POSITIONS, *EMBEDDING_NORMS},
    "pegasus": {"model.shared", *POSITIONS},
    "marian": {"model.shared", *POSITIONS},
    "m2m100": {"model.shared"},
    "led": {name.replace("model.", "led.") for name in ("model.shared", *POSITIONS, *EMBEDDING_NORMS)},
    "pair": {"encoder.embeddings", "decoder.bert.embeddings"},
}
HEADS_OF_TWO = {
    "t5": {"encoder.final_layer_norm", "decoder.final_layer_norm"},
    "mt5": {"encoder.final_layer_norm", "decoder.final_layer_norm"},
    "mbart": FINAL_NORMS,
    "pegasus": FINAL_NORMS,
    "m2m100": FINAL_NORMS,
    "pair": {"decoder.cls"},
}
every_architecture = pytest.mark.parametrize("name", CONFIGS)
STEMS = {
    "bert": {"bert.embeddings"},
    "distilbert": {"distilbert.embeddings"},
    "roberta": {"roberta.embeddings"},
    "electra": {"electra.embeddings", "electra.embeddings_project"},
    "albert": {"albert.embeddings", "albert.encoder.embedding_hidden_mapping_in"},
    "deberta": {"deberta.embeddings", "deberta.encoder.rel_embeddings", "deberta.encoder.LayerNorm"},
    "modernbert": {"model.embeddings"},
    "gpt2": {"transformer.wte", "transformer.wpe"},
}
HEADS = {
    "bert": {"bert.pooler", "classifier"},
    "distilbert": {"pre_classifier", "classifier"},
    "roberta": {"classifier"},
    "electra": {"classifier"},
    "albert": {"albert.pooler", "classifier"},
    "deberta": {"pooler", "classifier"},
    "modernbert": {"model.final_norm", "head", "classifier"},
    "gpt2": {"transformer.ln_f", "score"},
}


def names_in(made, modules):
    return [n for n, _ in made.named_parameters() if any(n.startswith(f"{module}.") for module in modules)]


@every_architecture
def test_every_parameter_is_in_exactly_one_block(name):
    made = model(name)
    listed = [parameter for block in blocks(made) for parameter in block.parameters]
    assert sorted(listed) == sorted(n for n, _ in made.named_parameters())


@every_architecture
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_there_is_a_stem_a_block_a_layer_and_a_head(name, layers):
    key = {"distilbert": "n_layers", "gpt2": "n_layer"}.get(name, "num_hidden_layers")
    found = blocks(model(name, **{key: layers}))
    own = 1 if name == "albert" else layers  # all layers of ALBERT are one block
    places = [("stem", 0), *(("encoder", depth) for depth in range(1, own + 1)), ("head", 0)]
    assert [(block.stack, block.depth) for block in found] == places
    assert stack_sizes(found) == {"encoder": own}


@every_architecture
def test_a_block_has_the_parameters_of_its_module(name):
    made = model(name)
    for block in blocks(made)[1:-1]:
        inside = made.get_submodule(block.name).named_parameters()
        assert list(block.parameters) == [f"{block.name}.{parameter}" for parameter, _ in inside]


@pytest.mark.parametrize("name", CONFIGS)
def test_what_feeds_the_blocks_is_the_stem_and_what_reads_them_is_the_head(name):
    made = model(name)
    found = blocks(made)
    assert sorted(found[0].parameters) == sorted(names_in(made, STEMS[name]))
    assert sorted(found[-1].parameters) == sorted(names_in(made, HEADS[name]))


@every_encoder_decoder
def test_an_encoder_and_a_decoder_are_two_stacks_with_one_stem(name):
    made = encoder_decoders.model(name)
    found = blocks(made)
    places = [("stem", 0), *((stack, depth) for stack in ("encoder", "decoder") for depth in (1, 2))]
    places += [("head", 0)] if name in HEADS_OF_TWO else []  # the others' output layer is their table of words
    assert [(block.stack, block.depth) for block in found] == places
    assert all(block.name.startswith(block.stack) or f".{block.stack}." in block.name for block in found[1:5])
    listed = [parameter for block in found for parameter in block.parameters]
    assert sorted(listed) == sorted(n for n, _ in made.named_parameters())


@every_encoder_decoder
def test_all_embeddings_are_the_stem_and_final_norms_and_output_layers_the_head(name):
    made = encoder_decoders.model(name)
    found = blocks(made)
    assert sorted(found[0].parameters) == sorted(names_in(made, STEMS_OF_TWO[name]))
    head = [parameter for block in found if block.stack == "head" for parameter in block.parameters]
    assert sorted(head) == sorted(names_in(made, HEADS_OF_TWO.get(name, set())))


def test_each_stack_counts_its_depth_from_its_own_top():
    pair = nn.ModuleDict({"encoder": Tower(2), "decoder": Tower(3), "head": nn.Linear(2, 2)})
    found = blocks(pair)
    assert stack_sizes(found) == {"encoder": 2, "decoder": 3}
    assert [block.name for block in found if block.stack == "decoder"] == [f"decoder.layers.{n}" for n in range(3)]
    assert found[0].parameters == ("encoder.embed.weight", "decoder.embed.weight")


def test_what_is_no_part_of_the_base_model_is_the_head_wherever_it_stands():
    made = nn.ModuleDict({"first": nn.Linear(2, 2), "base": Tower(2), "last": nn.Linear(2, 2)})
    made.base_model_prefix = "base"  # type: ignore[assignment]  # as transformers names it
    head = blocks(made)[-1]
    assert {name.rpartition(".")[0] for name in head.parameters} == {"first", "base.norm", "last"}


def test_where_no_part_has_the_name_of_the_base_model_it_is_the_model_that_holds_the_blocks():
    made = nn.ModuleDict({"first": nn.Linear(2, 2), "base": Tower(2), "last": nn.Linear(2, 2)})
    made.base_model_prefix = "model"  # type: ignore[assignment]  # as transformers names it
    assert "first.weight" in blocks(made)[0].parameters  # what says that it feeds a part which is no model?
    made["base"].base_model_prefix = "model"  # type: ignore[assignment]
    head = blocks(made)[-1]
    assert {name.rpartition(".")[0] for name in head.parameters} == {"first", "base.norm", "last"}


def test_the_weights_of_whispers_layers_are_of_its_head():
    sizes: dict[str, Any] = {
        "d_model": 8,
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 12,
        "num_mel_bins": 4,
    }
    config = WhisperConfig(**sizes, use_weighted_layer_sum=True, classifier_proj_size=4)
    found = blocks(WhisperForAudioClassification(config))
    assert "layer_weights" in found[-1].parameters
    stem = {name.rpartition(".")[0] for name in found[0].parameters}
    assert stem == {"encoder.conv1", "encoder.conv2", "encoder.embed_positions"}


def test_what_joins_models_that_stand_beside_each_other_is_the_stem():
    parts = {"vision": Tower(1), "bridge": nn.Linear(2, 2), "text": Tower(1), "lm_head": nn.Linear(2, 2)}
    place = depths(blocks(nn.ModuleDict(parts)))
    assert place["bridge"] == ("stem", 0)
    assert place["lm_head"] == ("head", 0)


def test_stacks_that_would_have_the_same_name_are_named_by_their_path():
    assert stack_sizes(blocks(nn.ModuleDict({"left": Tower(1), "right": Tower(2)}))) == {
        "left.layers": 1,
        "right.layers": 2,
    }


@pytest.mark.parametrize(
    ("made", "lists"),
    [
        (nn.Sequential(nn.Linear(2, 2)), r"its lists of modules are \*"),
        (nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)]), r"its lists of modules are \*"),
        (nn.Linear(2, 2), "it has no list of modules at all"),
        (nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(2, 2)])}), r"its lists of modules are layers\.\*"),
    ],
)
def test_a_model_without_a_stack_is_refused_with_the_way_out(made, lists):
    with pytest.raises(
        ModelError,
        match=rf"No stack of blocks can be found in {type(made).__name__}: it has no list of modules with two weight "
        rf'matrices or more; {lists}\..* such as tune\.blocks: {{encoder: "',
    ):
        blocks(made)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("bert.encoder.layer.2.output.dense.weight", ("encoder", 3)),
        ("bert.embeddings.LayerNorm.bias", ("stem", 0)),
        ("base_model.model.bert.encoder.layer.0.attention.self.query.base_layer.weight", ("encoder", 1)),
        ("base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.default.weight", ("encoder", 1)),
        ("base_model.model.classifier.modules_to_save.default.bias", ("head", 0)),
        ("base_model.model.bert.pooler.modules_to_save.default.dense.weight", ("head", 0)),
    ],
)
def test_the_block_of_a_parameter_is_found_with_an_adapter_and_without(name, place):
    block = BlockMap(blocks(model("bert")))[name]
    assert (block.stack, block.depth) == place


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("classifier.weight", "classifier.weight"),
        ("base_model.model.bert.x.base_layer.weight", "bert.x.weight"),
        ("base_model.model.bert.pooler.modules_to_save.default.dense.bias", "bert.pooler.dense.bias"),
        ("base_model.model.x.lora_A.default.weight", "x.lora_A.default.weight"),
    ],
)
def test_plain_names_are_those_of_the_model_without_adapter(name, plain):
    assert plain_name(name) == plain


def test_a_block_of_no_model_is_our_own_fault():
    with pytest.raises(AssertionError, match=r"elsewhere\.weight belongs to no block"):
        BlockMap([Block("head", 0, "head", ("classifier.weight",))])["elsewhere.weight"]
