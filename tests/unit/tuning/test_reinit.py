"""Re-initialising: the top starts anew as the model's own constructor has it, and all else stays to the bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForImageClassification,
    BeitConfig,
    ConvNextConfig,
    PreTrainedModel,
    ResNetConfig,
    SwinConfig,
    ViTConfig,
)

from hfft.errors import RecipeError
from hfft.tuning.blocks import BlockMap, blocks, stack_sizes, top_blocks
from hfft.tuning.reinit import reinitialise
from tests.unit.tuning import encoder_decoders
from tests.unit.tuning.architectures import CONFIGS, model

SMALL: dict[str, Any] = {"image_size": 16, "patch_size": 4, "num_labels": 3}
SQUARE: dict[str, Any] = {**SMALL, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
STAGES: dict[str, Any] = {"hidden_sizes": [8, 16], "depths": [2, 2], "num_labels": 3}
VISION: dict[str, Any] = {
    "vit": lambda: ViTConfig(**SQUARE, intermediate_size=12),
    "beit": lambda: BeitConfig(**SQUARE, intermediate_size=12, use_relative_position_bias=True),
    "swin": lambda: SwinConfig(**SMALL, embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=2),
    "resnet": lambda: ResNetConfig(**STAGES, embedding_size=8, layer_type="basic"),
    "convnext": lambda: ConvNextConfig(**STAGES, num_stages=2, patch_size=2),
}
EVERY = [*CONFIGS, *encoder_decoders.CONFIGS, *VISION]


def trained(name: str) -> Any:
    """A model of which nothing is as at the start, running statistics included."""
    if name in encoder_decoders.CONFIGS:
        return encoder_decoders.model(name)
    if name in CONFIGS:
        return model(name)
    torch.manual_seed(0)
    made = AutoModelForImageClassification.from_config(VISION[name]()).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        for path, buffer in made.named_buffers():
            if "running" in path or "num_batches" in path:
                buffer.add_(3)
    return made


def state(made: PreTrainedModel) -> dict[str, torch.Tensor]:
    tensors = {**dict(made.named_parameters()), **dict(made.named_buffers())}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@pytest.mark.parametrize("name", EVERY)
def test_the_top_starts_anew_and_the_rest_stays(name):
    made = trained(name)
    before, found = state(made), blocks(made)
    chosen, block_of = top_blocks(found, 1, "tune.reinit.blocks"), BlockMap(found)
    assert {(block.stack, block.depth) for block in chosen} == set(stack_sizes(found).items())
    names = reinitialise(made, found, 1, False)
    after, start = state(made), state(type(made)(made.config))
    assert names == [n for n, p in made.named_parameters() if block_of[n] in chosen and p.requires_grad]
    for key, tensor in after.items():
        if key in names:
            assert not torch.equal(tensor, before[key])
            if start[key].unique().numel() == 1:  # norms, biases, scales
                assert torch.equal(tensor, start[key])
            else:
                assert 0.5 < tensor.std() / start[key].std() < 2
        elif "running" in key or "num_batches" in key:
            anew = any(key.startswith(f"{block.name}.") for block in chosen)
            assert torch.equal(tensor, start[key] if anew else before[key])
        else:
            assert torch.equal(tensor, before[key])


def test_a_block_of_bert_begins_as_the_paper_has_it():
    made = model("bert", hidden_size=64, initializer_range=0.05)
    names = reinitialise(made, blocks(made), 2, None)
    assert {name.split(".")[3] for name in names if "layer" in name} == {"1", "2"}
    assert [name for name in names if "layer" not in name] == ["bert.pooler.dense.weight", "bert.pooler.dense.bias"]
    values = dict(made.named_parameters())
    for name in names:
        if "LayerNorm.weight" in name:
            assert values[name].unique().tolist() == [1]
        elif name.endswith("bias"):
            assert values[name].unique().tolist() == [0]
        else:
            assert values[name].std().item() == pytest.approx(0.05, rel=0.1)


def test_ties_stay_ties_and_what_others_share_stays_as_it_is():
    made: Any = encoder_decoders.model("t5")
    before = state(made)
    names = reinitialise(made, blocks(made), {"decoder": 1}, None)
    assert {name.split(".")[0] for name in names} == {"decoder"}
    assert made.lm_head.weight is made.shared.weight
    assert made.decoder.embed_tokens.weight is made.shared.weight
    table = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"  # all blocks go by it
    assert torch.equal(dict(made.named_parameters())[table], before[table])
    made = model("bert")
    layers = made.bert.encoder.layer
    layers[2].output.dense.weight = layers[0].output.dense.weight
    shared = layers[0].output.dense.weight.detach().clone()
    names = reinitialise(made, blocks(made), 1, False)
    assert layers[2].output.dense.weight is layers[0].output.dense.weight
    assert torch.equal(layers[0].output.dense.weight, shared)
    assert not any(name.endswith("2.output.dense.weight") for name in names)
    assert "bert.encoder.layer.2.output.dense.bias" in names


def test_draws_come_from_the_global_generator():
    made: list[Any] = [model("bert") for _ in range(3)]
    for seed, one in zip((1, 1, 2), made, strict=True):
        torch.manual_seed(seed)
        reinitialise(one, blocks(one), 1, None)
    first, again, other = (one.bert.encoder.layer[2].output.dense.weight for one in made)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("name", "top", "pooler", "names"),
    [
        ("bert", 0, True, ["bert.pooler.dense.weight", "bert.pooler.dense.bias"]),
        ("albert", 0, None, ["albert.pooler.weight", "albert.pooler.bias"]),
        ("t5", {"encoder": 0, "decoder": 0}, None, RecipeError(r"encoder.: 0.* nothing would")),
        ("bert", 0, False, RecipeError(r"tune.reinit.blocks is 0, and no pooler starts anew either")),
        ("gpt2", 1, True, RecipeError("has no pooler with weights: leave tune.reinit.pooler out")),
        ("beit", 1, True, RecipeError("has no pooler with weights")),  # its pooler is a norm
        ("bert", 4, None, RecipeError(r"blocks is 4, but this model has 3 blocks \(3 in its encoder\); use 0 to 3")),
        ("t5", {"decoder": 3}, None, RecipeError(r"blocks.decoder is 3, but this model has 2 blocks in its decoder")),
        ("t5", {"decodr": 1}, None, RecipeError(r"no stack of this model. Did you mean 'decoder'")),
    ],
)
def test_poolers_and_what_is_refused(name, top, pooler, names):
    made = trained(name)
    if isinstance(names, RecipeError):
        with pytest.raises(RecipeError, match=str(names)):
            reinitialise(made, blocks(made), top, pooler)
    else:
        assert reinitialise(made, blocks(made), top, pooler) == names


def test_a_share_of_the_top_blocks_is_rounded_up():
    made = trained("bert")
    names = reinitialise(made, blocks(made), "34%", False)
    assert {name.split(".")[3] for name in names} == {"1", "2"}
    assert set(reinitialise(made, blocks(made), {"encoder": 2}, False)) == set(names)
