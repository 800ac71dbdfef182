"""Tiny models that read a text and write another, and their tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GenerationConfig,
    LEDConfig,
    LEDForConditionalGeneration,
    M2M100Config,
    M2M100ForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    MBart50Tokenizer,
    MBartConfig,
    MBartForConditionalGeneration,
    MBartTokenizer,
    MT5Config,
    MT5ForConditionalGeneration,
    NllbTokenizer,
    PegasusConfig,
    PegasusForConditionalGeneration,
    PegasusTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from tests.tiny.files import write_json
from tests.tiny.tokenizers import byte_pair_merges, byte_pairs, fairseq, sentencepiece_words, unigrams


def t5(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes a T5, seeded, with the prefixes that version 1.0 was trained with in its configuration."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    sentinels = [(f"<extra_id_{number}>", 0.0) for number in reversed(range(100))]
    vocabulary = [*special, *unigrams(), *sentinels]
    prompts = {"summarization": "summarize: ", "translation_en_to_de": "translate English to German: "}
    settings: dict[str, Any] = {
        "task_specific_params": {name: {"num_beams": 4, "prefix": prefix} for name, prefix in prompts.items()}
    }
    config = T5Config(**_t5(layers, len(vocabulary)), **settings)
    _write(folder, T5ForConditionalGeneration, config, T5Tokenizer(vocabulary, model_max_length=positions))


def mt5(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an mT5, seeded: gated, its output layer apart from its embeddings, no prefix, no sentinels."""
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *unigrams()]
    config = MT5Config(**_t5(layers, len(vocabulary)), feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    tokenizer = T5Tokenizer(vocabulary, extra_ids=0, model_max_length=positions)
    _write(folder, MT5ForConditionalGeneration, config, tokenizer)


def bart(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes a BART, seeded; it starts with the end token, and its first own token is forced: the start token."""
    tokenizer = byte_pairs(positions)
    config = BartConfig(**_stacks(layers, len(tokenizer)), max_position_embeddings=positions)
    generation = {"forced_bos_token_id": 0, "no_repeat_ngram_size": 3, "num_beams": 4, "early_stopping": True}
    _write(folder, BartForConditionalGeneration, config, tokenizer, **generation, forced_eos_token_id=2)


def led(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an LED, seeded, whose encoder looks at 8 tokens on each side."""
    tokenizer = byte_pairs(positions)
    config = LEDConfig(
        **_stacks(layers, len(tokenizer)),
        attention_window=[16] * layers,
        max_encoder_position_embeddings=positions,
        max_decoder_position_embeddings=min(positions, 1024),
    )
    _write(folder, LEDForConditionalGeneration, config, tokenizer)


def pegasus(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes a PEGASUS, seeded; the decoder starts with padding, and no text begins with a special token."""
    special = ["<pad>", "</s>", "<mask_1>", "<mask_2>", *(f"<unk_{number}>" for number in range(2, 103)), "<unk>"]
    vocabulary = [*((token, 0.0) for token in special), *unigrams()]
    config = PegasusConfig(**_stacks(layers, len(vocabulary)), max_position_embeddings=positions, scale_embedding=True)
    tokenizer = PegasusTokenizer(vocabulary, model_max_length=positions)
    generation = {"num_beams": 8, "length_penalty": 0.8, "forced_eos_token_id": 1}
    _write(folder, PegasusForConditionalGeneration, config, tokenizer, **generation)


def mbart(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an mBART, seeded: a language's code is the last token, and the decoder starts with it."""
    vocabulary = [*fairseq(), *unigrams(), *unigrams(MBartTokenizer().lang_code_to_id, ""), ("<mask>", 0.0)]
    tokenizer = MBartTokenizer(vocabulary, model_max_length=positions)
    start = {"decoder_start_token_id": tokenizer.convert_tokens_to_ids("ro_RO")}  # of one language, for its own task
    settings: dict[str, Any] = {"scale_embedding": True, "task_specific_params": {"translation_en_to_ro": start}}
    config = MBartConfig(**_stacks(layers, len(vocabulary)), max_position_embeddings=positions, **settings)
    _write(folder, MBartForConditionalGeneration, config, tokenizer, num_beams=5, forced_eos_token_id=2)


def mbart50(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an mBART-50, seeded: a language's code is the first token, forced where the decoder writes."""
    vocabulary = [*fairseq(), *unigrams(), *unigrams(MBart50Tokenizer().lang_code_to_id, ""), ("<mask>", 0.0)]
    settings: dict[str, Any] = {"scale_embedding": True, "decoder_start_token_id": 2}
    config = MBartConfig(**_stacks(layers, len(vocabulary)), max_position_embeddings=positions, **settings)
    tokenizer = MBart50Tokenizer(vocabulary, src_lang="en_XX", model_max_length=positions)
    generation = {"num_beams": 5, "forced_eos_token_id": 2}
    _write(folder, MBartForConditionalGeneration, config, tokenizer, **generation)


def nllb(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an NLLB, seeded: an M2M100 with 202 languages, whose code is the first token of either text."""
    vocabulary, merges = byte_pair_merges(["▁"])
    numbered = {token: number for number, token in enumerate([*(name for name, _ in fairseq()), *vocabulary])}
    tokenizer = NllbTokenizer(numbered, merges, model_max_length=positions)
    _write(folder, M2M100ForConditionalGeneration, _m2m100(layers, len(tokenizer), positions), tokenizer)


def m2m100(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an M2M100, seeded, which drops whole blocks in training. Needs sentencepiece."""
    from transformers import M2M100Tokenizer

    pieces = sentencepiece_words(folder / "sentencepiece.bpe.model")
    names = [name for name, _ in fairseq()]
    write_json(folder / "vocab.json", {token: number for number, token in enumerate([*names, *pieces])})
    files = str(folder / "vocab.json"), str(folder / "sentencepiece.bpe.model")
    codes = list(M2M100Tokenizer(*files).lang_token_to_id)  # the Hub's files say that they are special
    tokenizer = M2M100Tokenizer(*files, model_max_length=positions, additional_special_tokens=codes)
    size = max(tokenizer.lang_token_to_id.values()) + 1 + tokenizer.num_madeup_words
    config = _m2m100(layers, size, positions, encoder_layerdrop=0.05, decoder_layerdrop=0.05)
    generation = {"num_beams": 5, "early_stopping": True}
    _write(folder, M2M100ForConditionalGeneration, config, tokenizer, **generation)


def marian(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an OPUS-MT, seeded; its decoder starts with padding, the last token. Needs sentencepiece."""
    from transformers import MarianTokenizer

    pieces = sentencepiece_words(folder / "source.spm")
    sentencepiece_words(folder / "target.spm")
    write_json(folder / "vocab.json", {t: number for number, t in enumerate(["</s>", "<unk>", *pieces, "<pad>"])})
    files = str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json")
    tokenizer = MarianTokenizer(*files, source_lang="en", target_lang="de", model_max_length=positions)
    last = len(tokenizer) - 1
    config = MarianConfig(
        **_stacks(layers, last + 1),
        max_position_embeddings=positions,
        scale_embedding=True,
        pad_token_id=last,
        decoder_start_token_id=last,
    )
    generation = {"bad_words_ids": [[last]], "num_beams": 6, "forced_eos_token_id": 0}
    _write(folder, MarianMTModel, config, tokenizer, **generation)


def _write(
    folder: Path, kind: type[PreTrainedModel], config: Any, tokenizer: PreTrainedTokenizerBase, **generation: Any
) -> None:
    """Writes a seeded model, its tokenizer and what its kind generates with."""
    torch.manual_seed(0)
    model: Any = kind(config)
    names = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
    numbers = {name: getattr(config, name, None) for name in names}
    model.generation_config = GenerationConfig(**numbers, **generation)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _stacks(layers: int, words: int) -> dict[str, Any]:
    """What the configurations of BART and its kin share. With smaller weights all answers would be the same."""
    names = {"layers": layers, "ffn_dim": 48, "attention_heads": 2}
    both = {f"{stack}_{name}": value for stack in ("encoder", "decoder") for name, value in names.items()}
    return {"vocab_size": words, "d_model": 32, "init_std": 0.2, **both}


def _t5(layers: int, words: int) -> dict[str, Any]:
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": layers, "num_heads": 2}
    return {"vocab_size": words, **sizes, "decoder_start_token_id": 0}


def _m2m100(layers: int, words: int, positions: int, **settings: Any) -> M2M100Config:
    drop = {"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0, **settings}
    return M2M100Config(**_stacks(layers, words), **drop, max_position_embeddings=positions)
