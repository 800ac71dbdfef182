"""Blocks: every parameter in exactly one, from shallow to deep."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hfft.errors import ModelError, RecipeError
from hfft.tuning.blocks import Block, BlockMap, blocks, plain_name, stack_sizes
from tests.unit.tuning import encoder_decoders
from tests.unit.tuning.architectures import CONFIGS, model

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


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(2, 2), nn.Linear(2, 2)


class Wide(Layer):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(2, 2)


class Tower(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.embed, self.layers, self.norm = (
            nn.Embedding(5, 2),
            nn.ModuleList(Layer() for _ in range(layers)),
            nn.LayerNorm(2),
        )


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


def test_a_list_may_hold_layers_of_several_kinds():
    made = nn.ModuleDict({"layers": nn.ModuleList([Layer(), Wide(), Layer()])})
    assert [block.name for block in blocks(made)] == ["layers.0", "layers.1", "layers.2"]


def test_layers_that_share_all_weights_are_one_block():
    shared = Layer()
    made = nn.ModuleDict({"embed": nn.Embedding(5, 2), "layers": nn.ModuleList([shared, shared, Layer(), shared])})
    assert [(block.stack, block.depth, block.name) for block in blocks(made)] == [
        ("stem", 0, "stem"),
        ("encoder", 1, "layers.0"),
        ("encoder", 2, "layers.2"),
    ]


class Cell(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)


class Stage(nn.Module):
    def __init__(self, width, count):
        super().__init__()
        self.reduce, self.cells = nn.Linear(width // 2, width), nn.ModuleList(Cell(width) for _ in range(count))
        self.merge = nn.LayerNorm(width)


def depths(found):
    """The depth of each module that holds parameters, by its path."""
    return {name.rpartition(".")[0]: (block.stack, block.depth) for block in found for name in block.parameters}


def test_stages_are_opened_into_blocks_that_count_on():
    made = nn.ModuleDict({"stages": nn.ModuleList([Stage(4, 1), Stage(8, 2)]), "score": nn.Linear(8, 2)})
    place = depths(blocks(made))
    assert stack_sizes(blocks(made)) == {"encoder": 3}
    assert [place[f"stages.{path}.up"][1] for path in ("0.cells.0", "1.cells.0", "1.cells.1")] == [1, 2, 3]
    assert place["stages.0.reduce"] == ("stem", 0)  # it feeds the first block
    assert place["stages.0.merge"] == ("encoder", 1)
    assert place["stages.1.reduce"] == ("encoder", 2)
    assert place["stages.1.merge"] == ("encoder", 3)
    assert place["score"] == ("head", 0)


def cells(kind, count):
    made = [Cell(4) for _ in range(count)]
    return kind(made) if kind is nn.ModuleList else kind(*made)


@pytest.mark.parametrize("kind", [nn.Sequential, nn.ModuleList])
def test_a_list_of_lists_is_opened(kind):
    made = nn.ModuleDict({"stages": nn.ModuleList([cells(kind, 2), cells(kind, 1)])})
    assert [block.name for block in blocks(made)] == ["stages.0.0", "stages.0.1", "stages.1.0"]


@pytest.mark.parametrize("kind", [nn.Sequential, nn.ModuleList])
def test_lists_in_a_row_are_one_stack_that_counts_on(kind):
    parts = {"conv": nn.Linear(2, 4), "layer1": cells(kind, 2), "join": nn.Linear(4, 4), "layer2": cells(kind, 2)}
    made = nn.ModuleDict({**parts, "score": nn.Linear(4, 2)})
    found = blocks(made)
    assert [block.name for block in found] == ["stem", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "head"]
    assert depths(found)["join"] == ("encoder", 3)  # what stands between two lists goes with the following block


def test_parts_of_blocks_in_lists_beside_each_other_are_zipped():
    parts = {
        "attentions": nn.ModuleList(Layer() for _ in range(3)),
        "norms": nn.ModuleList(nn.LayerNorm(2) for _ in range(3)),
        "forwards": nn.ModuleList(Wide() for _ in range(3)),
    }
    found = blocks(nn.ModuleDict(parts))
    assert [(block.depth, block.name) for block in found] == [(n + 1, f"attentions.{n}") for n in range(3)]
    assert all(depths(found)[f"norms.{n}"] == depths(found)[f"forwards.{n}.up"] for n in range(3))


def test_a_list_of_heads_beside_the_blocks_is_no_stack():
    made = nn.ModuleDict({"layers": cells(nn.ModuleList, 2), "boxes": nn.ModuleList([Layer(), Layer()])})
    found = blocks(made)
    assert stack_sizes(found) == {"encoder": 2}
    assert depths(found)["boxes.1.up"] == ("head", 0)


def test_blocks_whose_norms_have_no_weights_count_beside_others_where_they_are_the_largest():
    large = nn.ModuleList(nn.Sequential(nn.Linear(9, 9), nn.Linear(9, 9)) for _ in range(3))
    made = nn.ModuleDict({"vision": nn.ModuleDict({"layers": cells(nn.ModuleList, 2)}), "text": large})
    assert stack_sizes(blocks(made)) == {"vision": 2, "text": 3}


def test_norms_that_are_frozen_for_good_are_norms():
    class Frozen(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.ones(4))

    made = nn.ModuleDict({"stages": nn.ModuleList([cells(nn.ModuleList, 2), cells(nn.ModuleList, 1)])})
    for cell in [cell for cell in made.modules() if isinstance(cell, Cell)]:
        cell.norm = Frozen()  # type: ignore[assignment]
    assert stack_sizes(blocks(made)) == {"encoder": 3}


def test_lists_whose_weights_all_stand_elsewhere_are_passed_over():
    made = nn.ModuleDict({"first": cells(nn.ModuleList, 2), "joint": nn.Linear(4, 4)})
    made["second"] = nn.ModuleList(made["first"])
    assert [block.name for block in blocks(made)] == ["first.0", "first.1", "head"]


def test_what_an_adapter_adds_to_any_module_of_a_block_is_of_that_block():
    made = nn.ModuleDict({"stages": nn.ModuleList([Stage(4, 1), Stage(8, 2)]), "score": nn.Linear(8, 2)})
    place = BlockMap(blocks(made))
    for path, depth in {"1.cells.0.up": 2, "1.cells.0": 2, "1.reduce": 2, "1.merge": 3}.items():
        assert place[f"base_model.model.stages.{path}.lora_A.default.weight"].depth == depth
    assert place["base_model.model.stages.0.reduce.lora_A.default.weight"].stack == "stem"
    assert place["base_model.model.score.lora_A.default.weight"].stack == "head"


def two_towers():
    parts = {"inner": Tower(2), "bridge": nn.Linear(2, 2), "outer": Tower(3), "score": nn.Linear(2, 2)}
    return nn.ModuleDict(parts)


def test_patterns_say_what_the_blocks_are_in_the_order_given():
    found = blocks(two_towers(), {"late": "outer.layers.[12]", "early": ["inner.*.0", "inner.layers.?"]})
    assert [(block.stack, block.depth, block.name) for block in found] == [
        ("stem", 0, "stem"),
        ("late", 1, "outer.layers.1"),
        ("late", 2, "outer.layers.2"),
        ("early", 1, "inner.layers.0"),
        ("early", 2, "inner.layers.1"),
        ("head", 0, "head"),
    ]
    listed = [name for block in found for name in block.parameters]
    assert sorted(listed) == sorted(name for name, _ in two_towers().named_parameters())


def test_a_star_stands_for_no_dot_and_two_stars_for_anything():
    assert stack_sizes(blocks(two_towers(), {"all": "*.layers.*"})) == {"all": 5}
    assert stack_sizes(blocks(two_towers(), {"ups": "**.up"})) == {"ups": 5}


def test_patterns_of_the_stem_and_the_head_go_before_all_rules():
    made = two_towers()
    place = depths(blocks(made, {"stem": ["bridge", "inner.layers.0.up"], "head": "*.norm"}))
    assert {place["bridge"], place["inner.layers.0.up"], place["inner.embed"]} == {("stem", 0)}
    assert {place["inner.norm"], place["outer.norm"]} == {("head", 0)}
    assert place["inner.layers.0.down"] == ("inner.layers", 1)  # the stacks are found as ever


def test_a_model_that_cannot_be_read_can_be_told():
    made = nn.ModuleDict({name: nn.Linear(2, 2) for name in ("first", "step1", "step2", "last")})
    found = blocks(made, {"encoder": "step?"})
    assert [(block.stack, block.depth) for block in found] == [
        ("stem", 0),
        ("encoder", 1),
        ("encoder", 2),
        ("head", 0),
    ]


def test_parts_of_stages_go_with_their_blocks_under_patterns_too():
    made = nn.ModuleDict({"stages": nn.ModuleList([Stage(4, 1), Stage(8, 2)]), "score": nn.Linear(8, 2)})
    assert blocks(made, {"encoder": "stages.*.cells.*"}) == blocks(made)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (
            {"encoder": "inner.layer.*"},
            r"tune\.blocks\.encoder has the pattern 'inner\.layer\.\*', which matches no module of this model\. "
            r"Did you mean 'inner\.layers\.0'\? .* Its lists of modules are inner\.layers\.\*, outer\.layers\.\*\.",
        ),
        ({"encoder": []}, r"tune\.blocks\.encoder has no pattern"),
        ({}, r"tune\.blocks is empty"),
        (
            {"encoder": ["inner.layers.*", "inner.layers.1.up"]},
            r"tune\.blocks\.encoder matches inner\.layers\.1\.up, which is inside inner\.layers\.1 of tune\.blocks",
        ),
        (
            {"a": "inner.layers.*", "b": "*.layers.*"},
            r"tune\.blocks\.b matches inner\.layers\.0, which is in tune\.blocks\.a too",
        ),
        ({"encoder": ["inner.layers.*", "drop"]}, r"encoder matches drop, which has no parameters of its own"),
        ({"stem": "drop"}, r"tune\.blocks\.stem matches drop, which has no parameters"),
        (
            {"stem": "bridge", "head": "bridge.weight"},
            r"bridge\.weight is in tune\.blocks\.stem and in tune\.blocks\.head",
        ),
    ],
)
def test_patterns_that_do_not_fit_are_refused(patterns, message):
    made = two_towers()
    made["drop"] = nn.Dropout()
    with pytest.raises(RecipeError, match=message):
        blocks(made, patterns)


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
