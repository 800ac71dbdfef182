"""Learning rates by depth: the formula on a whole ViT-B, tables worked by hand for BERT, BART and Swin, and bounds."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BartConfig,
    BertConfig,
    SwinConfig,
    ViTConfig,
)

from hfft.errors import RecipeError
from hfft.tuning.adapters import add_adapter, fast_parameters
from hfft.tuning.blocks import BlockMap, blocks
from hfft.tuning.param_groups import Rates, parameter_table
from tests.unit.tuning.architectures import model


def bare(auto: Any, config: Any) -> Any:
    """A model without memory for its weights."""
    with torch.device("meta"):
        return auto.from_config(config)


def rates_of(made: Any, **rates: Any) -> dict[str, float]:
    rows = parameter_table(made, BlockMap(blocks(made)), Rates(**{"lr": 1.0, "weight_decay": 0.1, **rates}))
    return {row.name: row.lr for row in rows}


def test_every_rate_of_a_vit_b_is_that_of_the_formula():
    """BEiT's `get_layer_id_for_vit` with timm's exponent: layer i of L + 2, from 0, has d^(L + 1 - i)."""
    found = rates_of(bare(AutoModelForImageClassification, ViTConfig()), lr=5e-4, layer_decay=0.75)

    def layer(name: str) -> int:
        if name.startswith("vit.embeddings."):
            return 0
        block = re.match(r"vit\.layers\.(\d+)\.", name)
        return int(block[1]) + 1 if block else 13

    assert len(found) == 200
    assert found == {name: pytest.approx(5e-4 * 0.75 ** (13 - layer(name)), rel=1e-12) for name in found}
    assert {layer(name) for name in found} == set(range(14))


TABLES: dict[str, tuple[Any, dict[str, float]]] = {
    "bert": (
        lambda: bare(AutoModelForSequenceClassification, BertConfig(num_hidden_layers=3)),
        {
            "bert.embeddings.": 1 / 16,
            "bert.encoder.layer.0.": 1 / 8,
            "bert.encoder.layer.1.": 1 / 4,
            "bert.encoder.layer.2.": 1 / 2,
            "bert.pooler.": 1,
            "classifier.": 1,
        },
    ),
    "bart": (
        lambda: bare(AutoModelForSeq2SeqLM, BartConfig(encoder_layers=2, decoder_layers=3, d_model=16)),
        {
            "model.shared.": 1 / 16,
            "model.encoder.embed_positions.": 1 / 16,
            "model.encoder.layernorm_embedding.": 1 / 16,
            "model.encoder.layers.0.": 1 / 4,
            "model.encoder.layers.1.": 1 / 2,
            "model.decoder.embed_positions.": 1 / 16,
            "model.decoder.layernorm_embedding.": 1 / 16,
            "model.decoder.layers.0.": 1 / 8,
            "model.decoder.layers.1.": 1 / 4,
            "model.decoder.layers.2.": 1 / 2,
        },
    ),
    "swin": (
        lambda: bare(AutoModelForImageClassification, SwinConfig(depths=(1, 2), num_heads=(2, 2), embed_dim=8)),
        {
            "swin.embeddings.": 1 / 16,
            "swin.encoder.layers.0.blocks.0.": 1 / 8,
            "swin.encoder.layers.0.downsample.": 1 / 8,  # merges patches behind the only block of the first stage
            "swin.encoder.layers.1.blocks.0.": 1 / 4,
            "swin.encoder.layers.1.blocks.1.": 1 / 2,
            "swin.layernorm.": 1,
            "classifier.": 1,
        },
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_rates_are_those_of_a_table_worked_by_hand(name):
    make, wanted = TABLES[name]
    found = rates_of(make(), layer_decay=0.5)
    places = {parameter: next(start for start in wanted if parameter.startswith(start)) for parameter in found}
    assert found == {parameter: wanted[place] for parameter, place in places.items()}
    assert set(places.values()) == set(wanted)


def by_place(made: Any, **rates: Any) -> dict[tuple[str, int], float]:
    rows = parameter_table(made, BlockMap(blocks(made)), Rates(**{"lr": 1.0, "weight_decay": 0.1, **rates}))
    return {(row.stack, row.block): row.lr for row in rows}


def test_stacks_decay_each_by_its_own_number_and_the_stem_by_the_least():
    made = TABLES["bart"][0]()
    assert by_place(made, layer_decay={"encoder": 0.5, "decoder": 0.9}) == pytest.approx(
        {
            ("stem", 0): 0.125,
            ("encoder", 1): 0.25,
            ("encoder", 2): 0.5,
            ("decoder", 1): 0.729,
            ("decoder", 2): 0.81,
            ("decoder", 3): 0.9,
        }
    )
    assert by_place(made, layer_decay={"decoder": 0.5})["encoder", 1] == 1
    assert by_place(made, layer_decay={"decoder": 0.5})["stem", 0] == 1 / 16


def test_a_stack_that_is_not_there_is_refused():
    with pytest.raises(
        RecipeError, match=r"tune\.layer_decay names 'decodr', .* Did you mean 'decoder'\? It has: 2 in its enc"
    ):
        Rates(1.0, 0.0, layer_decay={"decodr": 0.5}).check({"encoder": 2, "decoder": 3})


def test_a_least_share_that_no_block_reaches_is_refused():
    Rates(1.0, 0.0, layer_decay=0.5, min_scale=0.0626).check({"encoder": 3})
    with pytest.raises(RecipeError, match=r"tune\.min_scale is 0\.0625, but layer decay leaves each block 0\.0625 of"):
        Rates(1.0, 0.0, layer_decay=0.5, min_scale=0.0625).check({"encoder": 3})


def test_no_block_is_slower_than_the_least_share():
    found = by_place(model("bert"), layer_decay=0.5, min_scale=0.2)
    assert list(found.values()) == [0.2, 0.2, 0.25, 0.5, 1]


@pytest.mark.parametrize(
    ("threshold", "frozen"),
    [(0.1, []), (0.125, []), (0.13, [1]), (0.6, [1, 2, 3])],
)
def test_blocks_below_a_share_are_told(threshold, frozen):
    slow = Rates(1.0, 0.0, layer_decay=0.5).below(threshold, blocks(model("bert")))
    assert [(block.stack, block.depth) for block in slow] == [("stem", 0), *(("encoder", depth) for depth in frozen)]


def test_a_share_below_which_there_is_nothing_is_refused():
    with pytest.raises(RecipeError, match=r"tune\.freeze_below is 0\.05, but layer decay leaves each block 0\.0625 of"):
        Rates(1.0, 0.0, layer_decay=0.5).below(0.05, blocks(model("bert")))


def test_patterns_multiply_the_rate_and_the_first_that_matches_decides():
    found = rates_of(
        model("bert"), layer_decay=0.5, patterns=[("layer.2.*.bias", 3.0), ("*.bias", 0.1), ("classifier.*", 5.0)]
    )
    assert found["bert.encoder.layer.2.output.dense.bias"] == 1.5
    assert found["bert.encoder.layer.1.output.dense.bias"] == 0.025
    assert found["bert.encoder.layer.1.output.dense.weight"] == 0.25
    assert found["classifier.weight"] == 5
    assert found["classifier.bias"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (
            [("*.biaz", 2.0)],
            r"tune\.rates has .* '\*\.biaz', which matches no parameter that learns .* There are",
        ),
        (
            [("*.bias", 2.0), ("classifier.bias", 3.0)],
            "'classifier.bias', which has no effect: patterns before it match",
        ),
    ],
)
def test_patterns_without_effect_are_refused(patterns, message):
    with pytest.raises(RecipeError, match=message):
        rates_of(model("bert"), patterns=patterns)


def test_lora_plus_gives_b_a_multiple_of_the_rate_of_a():
    made = model("bert")
    found = blocks(made)
    tuned = add_adapter(made, found, "lora", {"rank": 2})
    rates = Rates(1.0, 0.0, layer_decay=0.5, fast=fast_parameters(tuned, 16.0))
    rows = {row.name: row.lr for row in parameter_table(tuned, BlockMap(found), rates) if row.trainable}
    pairs = [name for name in rows if ".lora_A." in name]
    assert pairs
    assert all(rows[name.replace("lora_A", "lora_B")] == 16 * rows[name] for name in pairs)
    assert rows["classifier.weight"] == 1


def test_anchored_weights_have_no_weight_decay():
    made = model("bert")
    rows = parameter_table(made, BlockMap(blocks(made)), Rates(1.0, 0.1, anchored={"bert.pooler.dense.weight"}))
    decays = {row.name: row.weight_decay for row in rows}
    assert (decays["bert.pooler.dense.weight"], decays["classifier.weight"]) == (0, 0.1)
