"""Tiny models that read and write, one of each kind, with two blocks of 16 units in each of their two stacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    AutoModelForSeq2SeqLM,
    BartConfig,
    BertConfig,
    EncoderDecoderConfig,
    LEDConfig,
    M2M100Config,
    MarianConfig,
    MBartConfig,
    MT5Config,
    PegasusConfig,
    PreTrainedModel,
    T5Config,
)

from hfft.models.pretrained import drop_idle_pooler

WORDS = 20
T5: dict[str, Any] = {
    "vocab_size": WORDS,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 24,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 2,
    "dropout_rate": 0.5,
    "decoder_start_token_id": 0,
}
SIDES: dict[str, Any] = {
    "vocab_size": WORDS,
    "d_model": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "dropout": 0.5,
    "attention_dropout": 0.5,
    **{f"{side}_layers": 2 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 2 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 24 for side in ("encoder", "decoder")},
}
BART: dict[str, Any] = {**SIDES, "max_position_embeddings": 16}
LED: dict[str, Any] = {
    **SIDES,
    "max_encoder_position_embeddings": 16,
    "max_decoder_position_embeddings": 16,
    "attention_window": 4,
}
BERT: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 16,
    "hidden_dropout_prob": 0.5,
    "attention_probs_dropout_prob": 0.5,
}

CONFIGS: dict[str, Callable[[], Any]] = {
    "t5": lambda: T5Config(**T5),
    "mt5": lambda: MT5Config(**T5),
    "bart": lambda: BartConfig(**BART),
    "mbart": lambda: MBartConfig(**BART),
    "pegasus": lambda: PegasusConfig(**BART),
    "marian": lambda: MarianConfig(**BART),
    "m2m100": lambda: M2M100Config(**BART),
    "led": lambda: LEDConfig(**LED),
    "pair": lambda: EncoderDecoderConfig.from_encoder_decoder_configs(
        BertConfig(**BERT), BertConfig(**BERT), decoder_start_token_id=1, pad_token_id=0, eos_token_id=2
    ),
}


def model(name: str) -> PreTrainedModel:
    """A model with new weights, the same each time, in evaluation mode."""
    torch.manual_seed(0)
    made = AutoModelForSeq2SeqLM.from_config(CONFIGS[name]()).eval()
    drop_idle_pooler(made)
    with torch.no_grad():
        for parameter in made.parameters():  # biases and norms too, which would all start alike
            if parameter.requires_grad:  # not the table of sines of Pegasus and Marian, which is not saved
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return made


def batch() -> dict[str, torch.Tensor]:
    """Two sources of 6 tokens, one of them padded, and what is written of their targets."""
    ids = torch.tensor([[3, 4, 5, 6, 7, 8], [9, 10, 11, 0, 0, 0]])
    written = torch.tensor([[2, 12, 13, 14], [2, 15, 16, 17]])
    return {"input_ids": ids, "attention_mask": (ids > 0).long(), "decoder_input_ids": written}
