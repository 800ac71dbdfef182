"""Sources and targets: read, checked, encoded, padded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from hfft.data import checks
from hfft.data.tokenization import UNLIMITED, longest_input, token_counts
from hfft.errors import DataError, quoted
from hfft.tasks.task import IGNORED

DEFAULT_SOURCE = 1024  # tokens, where neither model nor tokenizer has a limit (T5's positions are relative)

DEFAULT_TARGET = 128  # tokens


@dataclass(frozen=True)
class Columns:
    """Where the texts stand; a dot leads into a nested column, as in `translation.en`.

    Attributes:
        source: Read by the model.
        target: Written by it.
        references: Lists of right answers to score against; None for the target alone.
    """

    source: str
    target: str
    references: str | None = None


class Target(NamedTuple):
    """The label of a source: the text that is learnt, and what answers are scored against."""

    text: str
    right: str | list[str]


@dataclass(frozen=True)
class Frame:
    """What stands around the texts.

    Attributes:
        prefix: Before every source.
        start: The token that the decoder begins with: a target's own first token is dropped where it is the same.
        end: The token that ends an answer: it is put behind targets where the tokenizer does not do so (GPT-2's).
    """

    prefix: str = ""
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Limits:
    """Tokens that a source and a target may have, special ones included."""

    source: int
    target: int


def read_sources(rows: Dataset, split: str, columns: Columns) -> list[str]:
    """The sources of a split. Raises DataError where one is missing or no text."""
    sources = checks.read_column(rows, split, "task.source", columns.source)
    checks.require_texts(sources, split, columns.source, "task.source")
    return sources


def read_targets(
    rows: Dataset, split: str, columns: Columns, without: Callable[[str], str] = str
) -> list[Target | None]:
    """Reads the targets of a split, None where a row has none: `references` where answers are scored against these.

    Args:
        rows: The split.
        split: Its name.
        columns: Where the texts stand.
        without: Takes special tokens of the tokenizer out of a text: answers have none.

    Raises:
        DataError: A column is missing, or a row holds what is no text; the message names it.
    """
    if split != "train" and columns.references is not None:
        found = enumerate(checks.read_column(rows, split, "task.references", columns.references))
        lists = [_references(value, row, split, columns.references) for row, value in found]
        return [_target(texts[0], texts, without) if texts else None for texts in lists]
    found = enumerate(checks.read_column(rows, split, "task.target", columns.target))
    texts = [_text(value, row, split, columns.target) for row, value in found]
    return [None if text is None else _target(text, text, without) for text in texts]


def _target(text: str, right: str | list[str], without: Callable[[str], str]) -> Target | None:
    if isinstance(right, str):
        plain: Any = without(right)
    else:
        plain = [said for one in right if (said := without(one))]
    return Target(text, plain) if plain else None


def _text(value: Any, row: int, split: str, column: str) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        several = " Several right answers go into task.references, and one of them here." if _is_list(value) else ""
        raise DataError(
            f"task.target: in {checks.row_of(row, split)} the column '{column}' is {quoted(value)}, which is no "
            f"text.{several}"
        )
    return value


def _references(value: Any, row: int, split: str, column: str) -> list[str]:
    listed = [value] if isinstance(value, str) else value
    if listed is None or (_is_list(listed) and not len(listed)):
        return []
    if not _is_list(listed) or not all(isinstance(text, str) for text in listed):
        raise DataError(
            f"task.references: in {checks.row_of(row, split)} the column '{column}' is {quoted(value)}; give a list "
            "of texts."
        )
    return [text for text in listed if text.strip()]


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, np.ndarray))


def pair_findings(split: str, sources: Sequence[str], targets: Sequence[Target | None]) -> list[checks.Finding]:
    """Counts blank sources, and targets that are their source again."""
    blank = (not source.strip() for source in sources)
    same = (
        target is not None and checks.folded(source) == checks.folded(target.text)
        for source, target in zip(sources, targets, strict=True)
    )
    return [
        *checks.count_rows("empty", split, blank, len(sources), "have an empty source"),
        *checks.count_rows("same", split, same, len(sources), "have a target equal to the source"),
    ]


def limits(tokenizer: PreTrainedTokenizerBase, config: Any, source: int | None, target: int | None) -> Limits:
    """How many tokens source and target may have.

    Args:
        tokenizer: The model's.
        config: Of the encoder-decoder model.
        source: The value of task.max_source_length; None for what the model can take.
        target: The value of task.max_target_length; None for DEFAULT_TARGET, or less where the model takes less.

    Raises:
        RecipeError: More is wanted than the model can take.
    """
    encoder, decoder = (_Positions(config, side) for side in ("encoder", "decoder"))
    most = longest_input(tokenizer, encoder, source, "task.max_source_length")
    written = longest_input(tokenizer, decoder, target, "task.max_target_length")
    return Limits(most if most < UNLIMITED else DEFAULT_SOURCE, target or min(written, DEFAULT_TARGET))


class _Positions:
    """What `longest_input` wants to know of one side of an encoder-decoder model."""

    def __init__(self, config: Any, side: str):
        own = getattr(config, side, None)  # a pair of two models has a configuration for each
        self.is_encoder_decoder = own is None
        self.model_type = (own or config).model_type
        self.pad_token_id = (own or config).pad_token_id
        names = (f"max_{side}_position_embeddings", "max_position_embeddings")  # LED tells them apart
        found = (getattr(own or config, name, None) for name in names)
        self.max_position_embeddings = next((value for value in found if value is not None), None)


def pair_lengths(encoded: Dataset) -> np.ndarray:
    """`(rows,)`, the tokens of the longer side of each pair.

    Sorted by it, batches of 128 of Multi30k's pairs have 7 % padding on both sides together; sorted by the sum 19 %, by
    one side 20 % and more.
    """
    lengths = token_counts(encoded)
    return np.maximum(lengths, token_counts(encoded, "labels")) if "labels" in encoded.column_names else lengths


def pad_pairs(rows: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase) -> dict[str, torch.Tensor]:
    """Pads pairs to the longest of the rows.

    Returns:
        `input_ids` and `attention_mask` of `(rows, source length)`; where there are targets, `labels` and
        `decoder_attention_mask` of `(rows, target length)`, IGNORED and 0 behind each target. No decoder needs that
        mask to look back only: it is there for counting.
    """
    ids = {"input_ids": [row["input_ids"] for row in rows]}
    made = dict(tokenizer.pad(ids, padding="longest", return_tensors="pt", verbose=False))
    if "labels" in rows[0]:
        labels = [torch.tensor(row["labels"]) for row in rows]
        made["labels"] = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=IGNORED)
        made["decoder_attention_mask"] = (made["labels"] != IGNORED).long()
    return made
