"""Whether a tokenizer fits a model: every token has weights, and batches are padded so that positions stay right."""

from __future__ import annotations

from typing import Any

from hfft.errors import ModelError

ENDING_AT_THE_LAST_PLACE = ("xlnet",)  # the head reads the last place of a batch, whatever stands there
FOR_PADDING = ("eos_token", "unk_token", "sep_token", "cls_token", "bos_token", "mask_token")
SHOWN = 3  # tokens in a message


def ready(tokenizer: Any, config: Any, name: str) -> Any:
    """Lets a tokenizer pad on the right, in place, with a token that it has; it is saved so.

    Where padding stands in front, models with learnt positions (GPT-2, BART) count them from the padding: a text would
    be read otherwise in each batch. What has no token for padding, as GPT-like models, gets another: it is masked.

    Raises:
        ModelError: It has no special token that could pad.
    """
    if config.model_type not in ENDING_AT_THE_LAST_PLACE:
        tokenizer.padding_side = "right"
    if tokenizer.pad_token_id is None:
        found = [token for token in (getattr(tokenizer, kind, None) for kind in FOR_PADDING) if token is not None]
        if not found:
            raise ModelError(
                f"model '{name}': its tokenizer has no token to pad with, nor another special one that could. Name one "
                'in its tokenizer_config.json, such as "pad_token": "<|endoftext|>".'
            )
        tokenizer.pad_token = found[0]
    return tokenizer


def require_rows(tokenizer: Any, config: Any, name: str) -> None:
    """Raises ModelError where a tokenizer has tokens for which a model's table of words has no row."""
    rows = getattr(config.get_text_config(), "vocab_size", None)
    if not isinstance(rows, int):
        return  # a model of letters, or of two vocabularies
    beyond = {token: number for token, number in tokenizer.get_vocab().items() if number >= rows}
    if beyond:
        first = ", ".join(sorted(beyond, key=lambda token: beyond[token])[:SHOWN])
        raise ModelError(
            f"model '{name}': its tokenizer has {max(beyond.values()) + 1} tokens, but the table of words only {rows} "
            f"rows: {len(beyond)} token(s) have none: {first}{', ...' if len(beyond) > SHOWN else ''}. Give them rows "
            "and save the model again: model.resize_token_embeddings(len(tokenizer)); or copy the tokenizer that "
            "belongs to these weights."
        )
