"""Texts to token ids: computed once, kept on disk by fingerprint, padded batch by batch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import tokenizers
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from hfft.data.fingerprint import fingerprint
from hfft.errors import RecipeError


def cache_folder() -> Path:
    """Where prepared data is kept: HFFT_CACHE, or `hfft` in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hfft"
    return Path(os.environ.get("HFFT_CACHE", default))


def longest_input(tokenizer: PreTrainedTokenizerBase, config: Any, wanted: int | None) -> int:
    """The number of tokens a text is cut to: what is wanted, else what model and tokenizer can take.

    Raises:
        RecipeError: More is wanted than they can take.
    """
    positions = getattr(config, "max_position_embeddings", None)
    padding = getattr(config, "pad_token_id", None)
    if positions is not None and padding is not None and 0 < padding < 10:
        positions -= padding + 1  # RoBERTa and kin count from behind the padding index: 514 positions hold 512 tokens
    most = min(limit for limit in (positions, tokenizer.model_max_length) if limit is not None and limit > 0)
    if wanted is not None and wanted > most:
        raise RecipeError(f"task.max_length is {wanted}, but this model takes {most} tokens at most.")
    return wanted or most


def tokenize(rows: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> tuple[Dataset, np.ndarray]:
    """Tokenizes the column `text` and keeps the other columns.

    Args:
        rows: With a column `text`.
        tokenizer: Its special tokens are added.
        max_length: Longer texts are cut to this many tokens.

    Returns:
        The rows with the tokenizer's columns instead of `text` (no attention mask: padding makes it), and `(rows,)`
        booleans that say which texts were cut.
    """

    def encode(batch: dict[str, list[str]]) -> dict[str, Any]:
        # verbose=False: being longer than the model is counted and reported by us, not printed once and forgotten
        whole = tokenizer(batch["text"], truncation=False, return_attention_mask=False, verbose=False)
        long = [len(ids) > max_length for ids in whole["input_ids"]]
        if any(long):
            whole = tokenizer(batch["text"], truncation=True, max_length=max_length, return_attention_mask=False)
        return {**whole, "_cut": long}

    name = _fingerprint(rows, tokenizer, max_length)
    folder = cache_folder() / "tokens"
    folder.mkdir(parents=True, exist_ok=True)
    encoded = rows.map(
        encode,
        batched=True,
        remove_columns=["text"],
        cache_file_name=str(folder / f"{name}.arrow"),
        new_fingerprint=name,
    )
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()  # else the limit would be saved with the tokenizer, after a cache miss only
    return encoded.remove_columns("_cut"), np.array(encoded["_cut"], dtype=bool)


def _fingerprint(rows: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> str:
    digest = hashlib.sha256(fingerprint(rows).encode())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    slow = {"vocabulary": tokenizer.get_vocab(), "settings": repr(tokenizer)} if backend is None else {}
    described = json.loads(backend.to_str()) if backend is not None else slow
    described |= {"truncation": None, "padding": None}  # these hold the settings of the last call
    settings = [max_length, tokenizer.truncation_side, tokenizer.model_input_names, type(tokenizer).__name__]
    versions = [tokenizers.__version__, datasets.__version__]
    digest.update(json.dumps([described, settings, versions], sort_keys=True).encode())
    return digest.hexdigest()[:32]


def token_counts(rows: Dataset) -> np.ndarray:
    """`(rows,)`, the number of tokens of each row."""
    column = rows.with_format("arrow")[:]["input_ids"]
    return np.concatenate([np.diff(chunk.offsets.to_numpy()) for chunk in column.chunks]).astype(np.int64)


def pad(rows: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Pads token ids to the longest of the rows: tensors of `(rows, length)`, attention mask included."""
    names = [name for name in tokenizer.model_input_names if name in rows[0]]
    columns = {name: [row[name] for row in rows] for name in names}
    return dict(tokenizer.pad(columns, padding="longest", return_tensors="pt", verbose=False))
