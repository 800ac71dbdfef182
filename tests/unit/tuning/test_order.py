"""Depth is the order in which blocks run, on small real models."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification

from hfft.tuning.blocks import HEAD, STEM, blocks, stack_sizes
from tests.unit.tuning import architectures, encoder_decoders

TEXT: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "pad_token_id": 0,
}
XLM: dict[str, Any] = {"emb_dim": 8, "n_layers": 3, "n_heads": 2, "vocab_size": 20, "n_words": 20, "pad_token_id": 0}
WIDTHS = [8, 12]
TEXTS: dict[str, tuple[dict[str, Any], int]] = {
    "XLM": (XLM, 3),
    "Flaubert": (XLM, 3),
    "XLNet": ({"vocab_size": 20, "d_model": 8, "n_layer": 3, "n_head": 2, "d_inner": 12}, 3),
    "Funnel": (
        {"vocab_size": 20, "block_sizes": [2, 1], "d_model": 8, "n_head": 2, "d_head": 4, "d_inner": 12},
        3,
    ),
    "Canine": ({**TEXT, "num_hash_buckets": 8, "local_transformer_stride": 4, "bos_token_id": 1, "eos_token_id": 2}, 5),
    "MobileBert": ({**TEXT, "embedding_size": 8, "intra_bottleneck_size": 4, "true_hidden_size": 4}, 3),
    "Zamba2": (
        {
            **TEXT,
            "num_hidden_layers": 4,
            "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"],
            "hybrid_layer_ids": [1, 3],
            "num_mem_blocks": 1,
            "mamba_d_state": 4,
            "mamba_headdim": 8,
            "n_mamba_heads": 2,
            "mamba_ngroups": 1,
            "adapter_rank": 2,
            "use_mamba_kernels": False,
        },
        4,
    ),
}
IMAGES: dict[str, tuple[dict[str, Any], int]] = {
    "ViT": ({"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 12}, 3),
    "ResNet": ({"embedding_size": 8, "hidden_sizes": WIDTHS, "depths": [1, 2], "layer_type": "basic"}, 3),
    "RegNet": ({"embedding_size": 8, "hidden_sizes": WIDTHS, "depths": [1, 2], "groups_width": 4}, 3),
    "Swin": ({"embed_dim": 8, "depths": [2, 1], "num_heads": [2, 2], "window_size": 2, "patch_size": 4}, 3),
    "ConvNext": ({"hidden_sizes": WIDTHS, "depths": [1, 2], "num_stages": 2}, 3),
    "Segformer": (
        {
            "num_encoder_blocks": 2,
            "hidden_sizes": WIDTHS,
            "depths": [1, 2],
            "sr_ratios": [2, 1],
            "num_attention_heads": [2, 2],
            "patch_sizes": [7, 3],
            "strides": [4, 2],
            "mlp_ratios": [2, 2],
        },
        3,
    ),
    "Pvt": (
        {
            "num_encoder_blocks": 2,
            "hidden_sizes": WIDTHS,
            "depths": [1, 2],
            "sequence_reduction_ratios": [2, 1],
            "num_attention_heads": [2, 2],
            "patch_sizes": [4, 2],
            "strides": [4, 2],
            "mlp_ratios": [2, 2],
        },
        3,
    ),
    "PoolFormer": (
        {
            "num_encoder_blocks": 2,
            "hidden_sizes": WIDTHS,
            "depths": [1, 2],
            "patch_sizes": [7, 3],
            "strides": [4, 2],
            "padding": [2, 1],
        },
        3,
    ),
    "MobileViT": (
        {"hidden_sizes": [8, 12, 16], "neck_hidden_sizes": [4, 4, 8, 8, 12, 16, 24], "num_attention_heads": 2},
        13,
    ),
    "SwiftFormer": ({"depths": [2, 3], "embed_dims": WIDTHS, "downsamples": [True, True], "mlp_ratio": 2}, 5),
    "Levit": (
        {
            "patch_size": 16,
            "hidden_sizes": [8, 16, 24],
            "depths": [1, 2, 1],
            "key_dim": [4, 4, 4],
            "num_attention_heads": [2, 2, 2],
            "architectures": ["LevitForImageClassification"],
        },
        4,
    ),
    "MobileNetV1": ({"depth_multiplier": 0.1}, 26),
}


def runs(model: nn.Module, batch: dict[str, torch.Tensor]) -> dict[str, int]:
    """When each module of a model runs for the first time, by its path."""
    count = itertools.count()
    first: dict[str, int] = {}

    def note(path: str) -> Callable[..., None]:
        def callback(*_: object) -> None:
            first.setdefault(path, next(count))

        return callback

    for path, module in model.named_modules():
        module.register_forward_pre_hook(note(path))
    with torch.no_grad():
        model(**batch)
    return first


def check(model: nn.Module, batch: dict[str, torch.Tensor]) -> None:
    """Every module of a block runs before every module of the next; the stem runs first, and the head ends last."""
    found = blocks(model)
    first = runs(model, batch)
    times: dict[str, list[list[int]]] = {}
    for block in found:
        paths = {parameter.rpartition(".")[0] for parameter in block.parameters}
        times.setdefault(block.stack, []).append([first[path] for path in paths if path in first])
    stacks = [times[stack] for stack in stack_sizes(found)]
    for stack in stacks:
        assert all(stack)
        assert all(max(lower) < min(higher) for lower, higher in itertools.pairwise(stack))
    if len(stacks) == 1:  # two stacks share their ends
        assert max(times[STEM][0]) < min(stacks[0][0])
        assert max(times[HEAD][0]) > max(stacks[0][-1])


@pytest.mark.parametrize("name", architectures.CONFIGS)
def test_blocks_of_an_encoder_run_in_order(name):
    check(architectures.model(name), architectures.batch())


@pytest.mark.parametrize("name", encoder_decoders.CONFIGS)
def test_blocks_of_an_encoder_and_a_decoder_run_in_order(name):
    check(encoder_decoders.model(name), encoder_decoders.batch())


@pytest.mark.parametrize("name", TEXTS)
def test_blocks_in_lists_of_many_kinds_run_in_order(name):
    settings, count = TEXTS[name]
    model = AutoModelForSequenceClassification.from_config(getattr(transformers, f"{name}Config")(**settings)).eval()
    assert stack_sizes(blocks(model)) == {"encoder": count}
    check(model, architectures.batch())


@pytest.mark.parametrize("name", IMAGES)
def test_blocks_of_images_run_in_order_through_all_stages(name):
    settings, count = IMAGES[name]
    config = getattr(transformers, f"{name}Config")(image_size=32, **settings)
    model = AutoModelForImageClassification.from_config(config).eval()
    assert stack_sizes(blocks(model)) == {"encoder": count}
    check(model, {"pixel_values": torch.randn(2, 3, 32, 32)})
