"""Adapters: where they go, that the head learns beside them, and that merging changes no answer."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForSeq2SeqLM

from hfft.errors import RecipeError
from hfft.tuning.adapters import add_lora, head_modules, lora_targets, merged
from hfft.tuning.blocks import BlockMap, blocks
from hfft.tuning.groups import Rates, parameter_table
from tests.unit.tuning import encoder_decoders
from tests.unit.tuning.architectures import CONFIGS, batch, model

every_architecture = pytest.mark.parametrize("name", CONFIGS)
ATTENTION = {
    "bert": {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"},
    "distilbert": {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"},
    "albert": {f"albert_layers.0.attention.{part}" for part in ("query", "key", "value", "dense")},
    "modernbert": {"attn.Wqkv", "attn.Wo"},
    "gpt2": {"attn.c_attn", "attn.c_proj"},
}
OTHERS = {
    "bert": {"intermediate.dense", "output.dense"},
    "distilbert": {"ffn.lin1", "ffn.lin2"},
    "albert": {"albert_layers.0.ffn", "albert_layers.0.ffn_output"},
    "modernbert": {"mlp.Wi", "mlp.Wo"},
    "gpt2": {"mlp.c_fc", "mlp.c_proj"},
}


def adapted(name: str, targets: Any = "attention", **settings: Any):
    """A model with an adapter whose B is no longer zero, as after training."""
    made = model(name)
    found = blocks(made)
    given = {"rank": 2, "alpha": 3.0, "dropout": 0.0, **settings}
    tuned = add_lora(made, found, targets=targets, **given).eval()
    with torch.no_grad():
        for parameter_name, parameter in tuned.named_parameters():
            if "lora_B" in parameter_name:
                parameter.normal_()
    return tuned, found


def answers(made):
    with torch.no_grad():
        return made(**batch()).logits


@pytest.mark.parametrize("name", ATTENTION)
@pytest.mark.parametrize(("targets", "tables"), [("attention", [ATTENTION]), ("all-linear", [ATTENTION, OTHERS])])
def test_targets_are_the_linear_layers_of_the_attention_or_of_all_blocks(name, targets, tables):
    made = model(name)
    found = blocks(made)
    inside = set().union(*(table[name] for table in tables))
    wanted = {f"{block.name}.{layer}" for block in found[1:-1] for layer in inside}
    assert set(lora_targets(made, found, targets)) == wanted


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
    chosen = lora_targets(made, found, patterns)
    assert set(chosen) == wanted
    assert len(chosen) == len(wanted)


def test_a_pattern_can_choose_a_block():
    made = model("bert")
    assert lora_targets(made, blocks(made), ["bert.encoder.layer.1.*.query"]) == [
        "bert.encoder.layer.1.attention.self.query"
    ]


@pytest.mark.parametrize("pattern", ["classifier", "pooler.dense", "word_embeddings", "qurey"])
def test_a_pattern_that_matches_nothing_in_a_block_is_refused_with_what_there_is(pattern):
    made = model("bert")
    with pytest.raises(RecipeError) as caught:
        lora_targets(made, blocks(made), ["query", pattern])
    assert f"tune.adapter.targets has the pattern '{pattern}', which matches no linear layer" in str(caught.value)
    assert "Its blocks have: attention.output.dense, attention.self.key, attention.self.query, " in str(caught.value)


def test_a_misspelt_pattern_is_answered_with_the_nearest_name():
    made = model("bert")
    with pytest.raises(RecipeError, match=r"Did you mean '.*query'"):
        lora_targets(made, blocks(made), ["qurey"])


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(2, 2), nn.Linear(2, 2)


@pytest.mark.parametrize("targets", ["attention", []])
def test_targets_that_match_nothing_are_refused_with_what_there_is(targets):
    made = nn.ModuleDict({"layers": nn.ModuleList([Layer(), Layer()])})
    with pytest.raises(RecipeError, match=r"matches no linear layer of this model. Its blocks have: down, up\."):
        lora_targets(made, blocks(made), targets)


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


@every_architecture
@pytest.mark.parametrize("targets", ["attention", "all-linear"])
def test_the_adapter_and_the_whole_head_learn_and_nothing_else(name, targets):
    tuned, found = adapted(name, targets)
    rows = parameter_table(tuned, BlockMap(found), Rates(1.0, 0.0, 1.0, 1.0))
    learning = {row.name for row in rows if row.trainable}
    assert {n for n in learning if ".lora_" not in n} == set(found[-1].parameters)
    made = model(name)
    layers = lora_targets(made, blocks(made), targets)
    assert {n for n in learning if ".lora_" in n} == {f"{n}.lora_{x}.default.weight" for n in layers for x in "AB"}
    assert len({row.name for row in rows}) == len(rows)
    assert {row.name for row in rows if not row.trainable} == {n for block in found[:-1] for n in block.parameters}


@every_architecture
@pytest.mark.parametrize("targets", ["attention", "all-linear"])
def test_merging_changes_no_answer_and_gives_the_plain_model_back(name, targets):
    tuned, _ = adapted(name, targets)
    before = answers(tuned)
    plain = merged(tuned)
    assert torch.allclose(answers(plain), before, atol=1e-5)
    assert not torch.allclose(before, answers(model(name)), atol=1e-3)
    assert type(plain) is type(model(name))
    assert plain.state_dict().keys() == model(name).state_dict().keys()


def test_a_new_adapter_changes_no_answer():
    made = model("bert")
    wanted = answers(made)
    tuned = add_lora(made, blocks(made), rank=2, alpha=3.0, dropout=0.5, targets="attention").eval()
    assert torch.equal(answers(tuned), wanted)


def test_an_adapted_layer_computes_what_the_paper_says():
    tuned, _ = adapted("bert", ["query"], rank=2, alpha=3.0)
    layer: Any = tuned.get_submodule("base_model.model.bert.encoder.layer.0.attention.self.query")
    x = torch.randn(5, 8)
    a, b = layer.lora_A.default.weight, layer.lora_B.default.weight
    assert torch.allclose(layer(x), layer.base_layer(x) + 3.0 / 2 * x @ a.T @ b.T, atol=1e-6)


def test_the_gradient_reaches_adapter_and_head_alone():
    tuned, _ = adapted("bert")
    start = copy.deepcopy(dict(tuned.named_parameters()))
    tuned.train()(**batch(), labels=torch.tensor([0, 1])).loss.backward()
    for name, parameter in tuned.named_parameters():
        assert (parameter.grad is not None and bool(parameter.grad.any())) == parameter.requires_grad, name
        assert torch.equal(parameter, start[name])


every_encoder_decoder = pytest.mark.parametrize("name", encoder_decoders.CONFIGS)
CROSS_ATTENTION = {"t5": "EncDecAttention", "mt5": "EncDecAttention", "pair": "crossattention"}


def adapted_encoder_decoder(name, targets):
    """An encoder-decoder model, its adapter and head changed as by training."""
    made = encoder_decoders.model(name)
    found = blocks(made)
    tuned = add_lora(made, found, rank=2, alpha=3.0, dropout=0.0, targets=targets).eval()
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return tuned, found


def written(made):
    with torch.no_grad():
        return made(**encoder_decoders.batch()).logits


@every_encoder_decoder
@pytest.mark.parametrize("targets", ["attention", "all-linear"])
def test_adapters_go_into_both_stacks_and_the_cross_attention(name, targets):
    made = encoder_decoders.model(name)
    found = blocks(made)
    chosen = lora_targets(made, found, targets)
    for block in found:
        if block.stack in ("encoder", "decoder"):
            inside = [layer for layer in chosen if layer.startswith(f"{block.name}.")]
            crossing = [layer for layer in inside if CROSS_ATTENTION.get(name, "encoder_attn") in layer]
            assert len(crossing) == (4 if block.stack == "decoder" else 0)
            assert len(inside) > len(crossing)


@every_encoder_decoder
@pytest.mark.parametrize("targets", ["attention", "all-linear"])
def test_an_adapted_encoder_decoder_trains_adapter_and_head_and_no_table_of_words(name, targets):
    tuned, found = adapted_encoder_decoder(name, targets)
    rows = parameter_table(tuned, BlockMap(found), Rates(1.0, 0.0, 1.0, 1.0))
    head = {parameter for block in found if block.stack == "head" for parameter in block.parameters}
    assert {row.name for row in rows if row.trainable and ".lora_" not in row.name} == head
    assert len({row.name for row in rows}) == len(rows)


@every_encoder_decoder
@pytest.mark.parametrize("targets", ["attention", "all-linear"])
def test_merging_an_encoder_decoder_changes_no_answer_and_unties_nothing(name, targets, tmp_path):
    tuned, _ = adapted_encoder_decoder(name, targets)
    before = written(tuned)
    plain = merged(tuned)
    untouched = encoder_decoders.model(name)
    assert torch.allclose(written(plain), before, atol=1e-5)
    assert not torch.allclose(before, written(untouched), atol=1e-3)
    assert [n for n, _ in plain.named_parameters()] == [n for n, _ in untouched.named_parameters()]
    plain.save_pretrained(tmp_path)
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    assert torch.allclose(written(again), before, atol=1e-5)
