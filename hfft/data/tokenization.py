"""Texts as token ids: cached, cut, in windows, padded; special tokens that data spells out."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import datasets
import numpy as np
import pyarrow
import tokenizers
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from hfft.data.checks import Finding, count_rows
from hfft.data.fingerprint import fingerprint
from hfft.errors import DataError, RecipeError
from hfft.io.progress import progress
from hfft.io.run_folder import writing

UNLIMITED = 10**6  # tokens; tokenizers say 10^30 where they know no limit


def cache_folder() -> Path:
    """Where prepared data is kept: HFFT_CACHE, or `hfft` in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hfft"
    return Path(os.environ.get("HFFT_CACHE", default))


def longest_input(
    tokenizer: PreTrainedTokenizerBase, config: Any, wanted: int | None, setting: str = "task.max_length"
) -> int:
    """The number of tokens a text is cut to: what is wanted, else what model and tokenizer can take.

    Args:
        tokenizer: Its `model_max_length` counts.
        config: The model's; its positions count.
        wanted: The value of the setting.
        setting: Its name, for the error.

    Raises:
        RecipeError: More is wanted than they can take.
    """
    positions = getattr(config, "max_position_embeddings", None)
    padding = getattr(config, "pad_token_id", None)
    own_offset = config.is_encoder_decoder or config.model_type == "opt"  # their tables are longer than they say
    if positions is not None and padding is not None and 0 < padding < 10 and not own_offset:
        positions -= padding + 1  # RoBERTa and kin count from behind the padding index: 514 positions hold 512 tokens
    most = min(limit for limit in (positions, tokenizer.model_max_length) if limit is not None and limit > 0)
    if wanted is not None and wanted > most:
        raise RecipeError(f"{setting} is {wanted}, but this model takes {most} tokens at most.")
    return wanted or most


def tokenized(
    tokenizer: PreTrainedTokenizerBase, max_length: int, **texts: list[str]
) -> tuple[dict[str, Any], list[bool]]:
    """Tokenizes texts, and cuts those that are too long.

    Args:
        tokenizer: Its special tokens are added.
        max_length: Tokens a text, or pair, may have.
        texts: As the tokenizer names them: `text`, with `text_pair` or without, or `text_target`.

    Returns:
        The tokenizer's columns without the attention mask, no row empty; and which texts were too long.
    """
    # verbose=False: being longer than the model is counted and reported by us, not printed once and forgotten
    options: Any = {**texts, "return_attention_mask": False, "verbose": False}
    whole = tokenizer(**options, truncation=False)
    long = [len(ids) > max_length for ids in whole["input_ids"]]
    if any(long):
        whole = tokenizer(**options, truncation=True, max_length=max_length)
    return never_empty(dict(whole), tokenizer), long


def encode_rows(
    rows: Dataset,
    encode: Callable[[dict[str, list[Any]]], dict[str, Any]],
    texts: list[str],
    tokenizer: PreTrainedTokenizerBase,
    settings: list[Any] | None,
) -> Dataset:
    """Puts what `encode` makes of batches of rows in the place of their columns `texts`.

    Args:
        rows: With these columns.
        encode: Calls the tokenizer.
        texts: Columns.
        tokenizer: Afterwards it cuts nothing, as before.
        settings: All that the result depends on beside rows and tokenizer, as plain values: the result is kept on
            disk for the next time. None keeps nothing.
    """
    # A name of our own: datasets would make one of a dump of the tokenizer, which takes 0.3 s for 30,000 tokens.
    place: dict[str, Any] = {"keep_in_memory": True, "load_from_cache_file": False, "new_fingerprint": uuid4().hex}
    if settings is not None:
        name = _fingerprint(rows, tokenizer, settings)
        folder = cache_folder() / "tokens"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        _remove_damaged(folder / f"{name}.arrow", len(rows))
        place = {"cache_file_name": str(folder / f"{name}.arrow"), "new_fingerprint": name}
    with writing(cache_folder()), progress("Tokenizing") as tell:

        def encode_and_tell(batch: dict[str, list[Any]], places: list[int]) -> dict[str, Any]:
            tell(places[0], len(rows))
            return encode(batch)

        encoded = rows.map(encode_and_tell, with_indices=True, batched=True, remove_columns=texts, **place)
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()  # else the limit would be saved with the tokenizer, after a cache miss only
    return encoded


def _remove_damaged(file: Path, rows: int) -> None:
    """Deletes a file of tokens that is cut or cannot be read: `datasets` would believe it, or end with it."""
    try:
        whole = not file.exists() or len(Dataset.from_file(str(file))) == rows
    except Exception:  # a damaged file raises almost anything
        whole = False
    if not whole:
        file.unlink(missing_ok=True)


def check_windows(tokenizer: PreTrainedTokenizerBase, max_length: int, overlap: int, setting: str) -> None:
    """Raises RecipeError where `overlap`, the value of a setting, or the tokenizer does not allow windows."""
    if not tokenizer.is_fast:
        raise RecipeError(f"{setting} needs a fast tokenizer, and {type(tokenizer).__name__} is none.")
    if max_length > UNLIMITED:
        raise RecipeError(f"{setting} needs task.max_length here: neither model nor tokenizer has a limit of its own.")
    room_beside(tokenizer, max_length, overlap, setting)


def room_beside(tokenizer: PreTrainedTokenizerBase, max_length: int, overlap: int, setting: str) -> int:
    """How many tokens a window of `max_length` has room for beside the special ones.

    Raises:
        RecipeError: Not for more than `overlap`, the value of the setting of this name.
    """
    room = max_length - tokenizer.num_special_tokens_to_add()
    if overlap >= room:
        raise RecipeError(
            f"{setting} is {overlap}, but a window has room for {room} tokens beside the special ones (task.max_length "
            f"is {max_length}): it must be smaller."
        )
    return room


def tokenized_in_windows(
    tokenizer: PreTrainedTokenizerBase, texts: Any, max_length: int, overlap: int, places: bool = False
) -> dict[str, Any]:
    """Tokenizes texts, the longer ones in windows of `max_length` tokens: a list of windows a row in each column.

    Args:
        tokenizer: Its special tokens stand around each window.
        texts: A column of texts, or two: of a pair the second is cut into windows, and the first stands in each.
        max_length: Tokens of a window.
        overlap: Tokens that neighbouring windows share.
        places: Whether to say, in a column `places`, from which to which character of the last text each token comes;
            -1 and -1 for a token that does not.
    """
    try:
        flat = tokenizer(
            *texts,
            truncation="only_second" if len(texts) > 1 else True,
            max_length=max_length,
            stride=overlap,
            return_overflowing_tokens=True,
            return_attention_mask=False,
        )
    except BaseException as error:  # the tokenizers library panics where the first text of a pair leaves no room
        if isinstance(error, (KeyboardInterrupt, SystemExit)) or len(texts) == 1:
            raise
        raise DataError(
            f"In some pair the first text leaves no room for {overlap} shared tokens and one more of the second in a "
            f"window of {max_length} tokens. Swap the two columns, make the overlap smaller, or task.max_length larger."
        ) from error
    owners = flat.pop("overflow_to_sample_mapping")
    encodings = flat.encodings or []
    columns = never_empty(dict(flat), tokenizer)
    if places:
        columns["places"] = [_places(encoding, len(texts) - 1) for encoding in encodings]
    grouped: dict[str, Any] = {name: [[] for _ in texts[0]] for name in columns}
    for name, values in columns.items():
        for owner, value in zip(owners, values, strict=True):
            grouped[name][owner].append(value)
    return grouped


def _places(encoding: Any, text: int) -> list[tuple[int, int]]:
    """From which to which character of the text of this number each token comes; -1 and -1 for others."""
    owned = zip(encoding.offsets, encoding.sequence_ids, strict=True)
    return [place if owner == text else (-1, -1) for place, owner in owned] or [(-1, -1)]


def never_empty(columns: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Gives texts without any token (empty ones, where no special tokens are added) a padding token to be read."""
    for row, ids in enumerate(columns["input_ids"]):
        if not ids:
            for name, values in columns.items():
                values[row] = [tokenizer.pad_token_id if name == "input_ids" else 0]
    return columns


def _fingerprint(rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: list[Any]) -> str:
    digest = hashlib.sha256(fingerprint(rows).encode())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    slow = {"vocabulary": tokenizer.get_vocab(), "settings": repr(tokenizer)} if backend is None else {}
    described = json.loads(backend.to_str()) if backend is not None else slow
    described |= {"truncation": None, "padding": None}  # these hold the settings of the last call
    settings = [
        *settings,
        tokenizer.pad_token_id,
        tokenizer.truncation_side,
        tokenizer.model_input_names,
        type(tokenizer).__name__,
    ]
    versions = [tokenizers.__version__, datasets.__version__]
    digest.update(json.dumps([described, settings, versions], sort_keys=True).encode())
    return digest.hexdigest()[:32]


def token_counts(rows: Dataset, name: str = "input_ids") -> np.ndarray:
    """`(rows,)`, the number of tokens of each row in a column of lists, over all its windows where it has some."""
    column = rows.with_format("arrow")[:][name]
    return np.concatenate([_counts(chunk) for chunk in column.chunks]).astype(np.int64)


def told_lengths(lengths: np.ndarray) -> dict[str, Any]:
    """Numbers of tokens as summaries of data tell them."""
    return {"median": float(np.median(lengths)), "longest": int(lengths.max())}


def _counts(lists: Any) -> np.ndarray:
    """How many numbers each of an array of lists holds; of lists of lists, all that are in them."""
    offsets = lists.offsets.to_numpy()
    if pyarrow.types.is_list(lists.values.type) or pyarrow.types.is_large_list(lists.values.type):
        offsets = lists.values.offsets.to_numpy()[offsets]
    return np.diff(offsets)


def pad(rows: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase) -> dict[str, torch.Tensor]:
    """Pads token ids to the longest of the rows: tensors of `(rows, length)`, attention mask included.

    Rows of windows give `(windows of all rows, length)`, and `windows` of `(rows,)`: how many each row has.
    """
    names = [name for name in tokenizer.model_input_names if name in rows[0]]
    columns = {name: [row[name] for row in rows] for name in names}
    windows = {}
    if isinstance(columns["input_ids"][0][0], list):
        windows["windows"] = torch.tensor([len(row) for row in columns["input_ids"]])
        columns = {name: [window for row in values for window in row] for name, values in columns.items()}
    return {**tokenizer.pad(columns, padding="longest", return_tensors="pt", verbose=False), **windows}


def joined(logits: torch.Tensor, windows: torch.Tensor | None) -> torch.Tensor:
    """The mean of each row's windows: `(windows of all rows, labels)` becomes `(rows, labels)`.

    Args:
        logits: What the model says of each window.
        windows: `(rows,)`, how many windows each row has; None where there are none, and nothing changes.
    """
    if windows is None:
        return logits
    rows = torch.arange(len(windows), device=windows.device).repeat_interleave(windows, output_size=len(logits))
    sums = logits.new_zeros(len(windows), logits.shape[1]).index_add(0, rows, logits)
    return sums / windows[:, None]


SHOWN = 3  # tokens in a message


class SpecialTokens:
    """What a tokenizer reads as a special token wherever it stands in a text, such as `</s>` and `<pad>`.

    Args:
        tokenizer: The model's.
    """

    def __init__(self, tokenizer: Any):
        tokens = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        any_of = "|".join(re.escape(token) for token in sorted(tokens, key=len, reverse=True))
        self._any = re.compile(any_of or r"(?!)")  # no token: nothing matches
        self._spaced = re.compile(rf"[ \t]*(?:{any_of or '(?!)'})[ \t]*")

    def findings(self, split: str, texts: Iterable[str | None], text: str) -> list[Finding]:
        """Counts the texts that have some. In `text`, which says what of them, `{tokens}` stands for the tokens."""
        seen: set[str] = set()
        flags = [bool(some) and not seen.update(some) for some in (self._any.findall(each or "") for each in texts)]
        tokens = sorted(seen)
        listed = ", ".join(tokens[:SHOWN]) + (", ..." if len(tokens) > SHOWN else "")
        told = text.replace("{tokens}", f"special tokens of the tokenizer ({listed})")
        return count_rows("special", split, flags, len(flags), told)

    def without(self, text: str) -> str:
        """A text without them, as answers are decoded; it is left as it is where it has none."""
        return self._spaced.sub(" ", text).strip() if self._any.search(text) else text
