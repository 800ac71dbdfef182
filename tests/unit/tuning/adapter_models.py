"""Tiny models of four kinds for adapters: one that reads, one that reads and writes, two that see."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForImageClassification, PreTrainedModel, ResNetConfig, ViTConfig

from tests.unit.tuning import encoder_decoders
from tests.unit.tuning.architectures import batch
from tests.unit.tuning.architectures import model as classifier

KINDS = ("bert", "t5", "vit", "resnet")
LABELS: dict[str, Any] = {"num_labels": 3}


def made(kind: str) -> PreTrainedModel:
    """A model with new weights, the same each time, in evaluation mode."""
    if kind == "t5":
        return encoder_decoders.model("t5")
    return {"vit": vit, "resnet": resnet}[kind]() if kind in ("vit", "resnet") else classifier(kind)


def vit() -> PreTrainedModel:
    """A ViT of three blocks, with a head."""
    sizes: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    return _seen(ViTConfig(**sizes, **LABELS, intermediate_size=24, image_size=8, patch_size=4))


def resnet() -> PreTrainedModel:
    """A ResNet of two stages of two layers, with a head."""
    return _seen(ResNetConfig(**LABELS, embedding_size=8, hidden_sizes=[8, 16], depths=[2, 2], layer_type="basic"))


def _seen(config: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    return AutoModelForImageClassification.from_config(config).eval()


def logits(model: Any, kind: str) -> torch.Tensor:
    """What a model of a kind says to two inputs, with its gradient."""
    if kind == "t5":
        return model(**encoder_decoders.batch()).logits
    if kind in ("vit", "resnet"):
        side = 8 if kind == "vit" else 16
        return model(pixel_values=torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(3))).logits
    return model(**batch()).logits
