"""Tiny models of the kinds that people fine-tune for text classification, with three blocks where they can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    ModernBertConfig,
    PreTrainedModel,
    RobertaConfig,
)

from tests.tiny import DEBERTA_3

SIZES: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "pad_token_id": 0,
    "num_labels": 3,
}
SPECIAL: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2}
NOISE: dict[str, Any] = {"hidden_dropout_prob": 0.5, "attention_probs_dropout_prob": 0.5}
COMMON: dict[str, Any] = {"vocab_size": 20, "pad_token_id": 0, "num_labels": 3}
DISTIL: dict[str, Any] = {
    **COMMON,
    "dim": 8,
    "hidden_dim": 12,
    "n_heads": 2,
    "n_layers": 3,
    "max_position_embeddings": 16,
}
DEBERTA: dict[str, Any] = {**DEBERTA_3, "position_buckets": 4}
MODERN: dict[str, Any] = {"cls_token_id": 1, "sep_token_id": 2, "mlp_dropout": 0.5, "embedding_dropout": 0.5, **SPECIAL}
GPT: dict[str, Any] = {**COMMON, "n_embd": 8, "n_layer": 3, "n_head": 2, "n_positions": 16, **SPECIAL}
GPT_NOISE: dict[str, Any] = {"embd_pdrop": 0.5, "resid_pdrop": 0.5, "attn_pdrop": 0.5}

CONFIGS: dict[str, Callable[[], Any]] = {
    "bert": lambda: BertConfig(**SIZES, **NOISE),
    "distilbert": lambda: DistilBertConfig(**DISTIL, dropout=0.5),
    "roberta": lambda: RobertaConfig(**SIZES, **NOISE),
    "electra": lambda: ElectraConfig(**SIZES, **NOISE, embedding_size=6),
    "albert": lambda: AlbertConfig(**SIZES, **NOISE, embedding_size=6),
    "deberta": lambda: DebertaV2Config(**SIZES, **NOISE, **DEBERTA),
    "modernbert": lambda: ModernBertConfig(**SIZES, **MODERN),
    "gpt2": lambda: GPT2Config(**GPT, **GPT_NOISE),
}


def model(name: str, **settings: Any) -> PreTrainedModel:
    """A classifier with new weights, the same each time, in evaluation mode."""
    config = CONFIGS[name]()
    for key, value in settings.items():
        setattr(config, key, value)
    torch.manual_seed(0)
    made = AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for parameter in made.parameters():  # biases and norms too, which would all start alike
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return made


def batch() -> dict[str, torch.Tensor]:
    """Two texts, one of them padded."""
    ids = torch.tensor([[3, 4, 5, 6, 7, 8], [9, 10, 11, 0, 0, 0]])
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}
