"""Tiny models that read texts, without a head, and their tokenizers of whole words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    GPT2Config,
    GPT2Model,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from tests.tiny.tokenizers import byte_pairs, tokenizer, whole_words
from tests.tiny.words import all_words


def bert(folder: Path, layers: int = 3, positions: int = 64, spread: float = 0.02) -> None:
    """Writes a BERT encoder without a head, seeded, and its tokenizer of whole words. `spread` is of its weights."""
    tokenizer(folder, positions)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(whole_words()),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=positions,
        initializer_range=spread,
    )
    BertModel(config).save_pretrained(folder)


def gpt2(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a GPT-2 without a head, seeded, and its tokenizer of whole words, without a pad token."""
    words = whole_words()
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    end = {"unk_token": "[UNK]", "bos_token": "[SEP]", "eos_token": "[SEP]", "model_max_length": positions}
    PreTrainedTokenizerFast(tokenizer_object=made, **end).save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(words),
        n_embd=32,
        n_layer=layers,
        n_head=2,
        n_positions=positions,
        bos_token_id=3,
        eos_token_id=3,
    )
    GPT2Model(config).save_pretrained(folder)


def roberta(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a RoBERTa without a head, seeded; its positions are counted from behind the padding index."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    words = [*special, *all_words()]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False)
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        **dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), special, strict=True)),
        cls_token="<s>",
        sep_token="</s>",
        model_max_length=positions,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(0)
    RobertaModel(RobertaConfig(**_encoder(layers, positions + 2), type_vocab_size=1)).save_pretrained(folder)


def roberta_bytes(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a RoBERTa as `roberta` does, with the tokenizer that the real ones have: byte pairs, spaces in them."""
    tokenizer = byte_pairs(positions)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    settings = {**_encoder(layers, positions + 2), "vocab_size": len(tokenizer)}
    RobertaModel(RobertaConfig(**settings, type_vocab_size=1)).save_pretrained(folder)


DEBERTA_3: dict[str, Any] = {
    "relative_attention": True,
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
}
"""What sets version 3 apart: positions told by their distance."""


def deberta(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a DeBERTa without a head, seeded, with version 3's relative positions."""
    tokenizer(folder, positions)
    torch.manual_seed(0)
    config = DebertaV2Config(**_encoder(layers, positions), **DEBERTA_3, type_vocab_size=0)
    DebertaV2Model(config).save_pretrained(folder)


def modernbert(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a ModernBERT without a head, seeded; two of three blocks look at 8 tokens on each side only."""
    tokenizer(folder, positions)
    inputs = ["input_ids", "attention_mask"]  # it knows no token types
    PreTrainedTokenizerFast.from_pretrained(folder, model_input_names=inputs).save_pretrained(folder)
    torch.manual_seed(0)
    start, end = dict.fromkeys(("bos_token_id", "cls_token_id"), 2), dict.fromkeys(("eos_token_id", "sep_token_id"), 3)
    settings: dict[str, Any] = {**start, **end, "pad_token_id": 0, "local_attention": 16}
    ModernBertModel(ModernBertConfig(**_encoder(layers, positions), **settings)).save_pretrained(folder)


def _encoder(layers: int, positions: int) -> dict[str, Any]:
    """What the configurations of encoders have in common."""
    return {
        "vocab_size": len(whole_words()),
        "hidden_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": positions,
    }
