"""LoRA on every architecture: what learns, that the head learns beside it, and that merging changes no answer."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from hfft.tuning.adapter_targets import target_layers
from hfft.tuning.adapters import add_adapter, merged
from hfft.tuning.blocks import BlockMap, blocks
from hfft.tuning.param_groups import Rates, parameter_table
from tests.product import spread
from tests.unit.tuning import encoder_decoders
from tests.unit.tuning.architectures import CONFIGS, batch, model

every_architecture = pytest.mark.parametrize("name", CONFIGS)


def adapted(name: str, targets: Any = "attention", **settings: Any):
    """A model with an adapter whose B is no longer zero, as after training."""
    made = model(name)
    found = blocks(made)
    given = {"rank": 2, "alpha": 3.0, "dropout": 0.0, **settings}
    tuned = add_adapter(made, found, "lora", {"targets": targets, **given}).eval()
    with torch.no_grad():
        for parameter_name, parameter in tuned.named_parameters():
            if "lora_B" in parameter_name:
                parameter.normal_()
    return tuned, found


def answers(made):
    with torch.no_grad():
        return made(**batch()).logits


@every_architecture
@pytest.mark.parametrize("targets", ["attention", "all-linear"])
def test_the_adapter_and_the_whole_head_learn_and_nothing_else(name, targets):
    tuned, found = adapted(name, targets)
    rows = parameter_table(tuned, BlockMap(found), Rates(1.0, 0.0, 1.0, 1.0))
    learning = {row.name for row in rows if row.trainable}
    assert {n for n in learning if ".lora_" not in n} == set(found[-1].parameters)
    made = model(name)
    layers = target_layers(made, blocks(made), targets)
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
    tuned = add_adapter(made, blocks(made), "lora", {"rank": 2, "dropout": 0.5}).eval()
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


every_encoder_decoder = pytest.mark.parametrize(
    ("name", "targets"), spread([*encoder_decoders.CONFIGS], ["attention", "all-linear"])
)


def adapted_encoder_decoder(name, targets):
    """An encoder-decoder model, its adapter and head changed as by training."""
    made = encoder_decoders.model(name)
    found = blocks(made)
    tuned = add_adapter(made, found, "lora", {"rank": 2, "alpha": 3.0, "targets": targets}).eval()
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return tuned, found


def written(made):
    with torch.no_grad():
        return made(**encoder_decoders.batch()).logits


@every_encoder_decoder
def test_an_adapted_encoder_decoder_trains_adapter_and_head_and_no_table_of_words(name, targets):
    tuned, found = adapted_encoder_decoder(name, targets)
    rows = parameter_table(tuned, BlockMap(found), Rates(1.0, 0.0, 1.0, 1.0))
    head = {parameter for block in found if block.stack == "head" for parameter in block.parameters}
    assert {row.name for row in rows if row.trainable and ".lora_" not in row.name} == head
    assert len({row.name for row in rows}) == len(rows)


@every_encoder_decoder
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
