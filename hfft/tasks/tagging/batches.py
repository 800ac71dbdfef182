"""Batches of documents: what the model reads and learns, and what it says of each word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hfft.data.loaders import Batch
from hfft.data.tags import inside_of
from hfft.data.text import pad
from hfft.tasks.task import Answer

IGNORED = -100  # stands where a token has no tag to be learnt


def first_pieces(windows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Leaves the numbers of words, as `word_of_piece` has them, at the first token of each word only."""
    seen, found = {-1}, []
    for window in windows:
        found.append([-1 if word in seen or seen.add(word) else word for word in window])
    return found


def inside_tags(labels: Sequence[str]) -> list[int]:
    """For each tag the one of a word's further pieces: `I-` for `B-`, where there is one, else itself."""
    numbers = {label: number for number, label in enumerate(labels)}
    return [numbers.get(inside_of(label), number) for number, label in enumerate(labels)]


def pad_documents(rows: Sequence[dict[str, Any]], tokenizer: Any, inside: Sequence[int] | None) -> Batch:
    """Pads the windows of documents to the longest.

    Args:
        rows: With the columns of `encode_documents`, and `tags`: the number of each word's tag, or IGNORED.
        tokenizer: Pads.
        inside: The tags of further pieces, of `inside_tags`; None where these are not learnt.

    Returns:
        What the model reads, and `windows` of `(rows,)`, as `hfft.data.text.pad`; `labels` of `(windows of all rows,
        length)`, IGNORED where there is nothing to be learnt; and `first` of the same shape: at the first token of each
        word its number, else -1.
    """
    batch = pad(rows, tokenizer)
    labels = torch.full(batch["input_ids"].shape, IGNORED)
    first = torch.full(batch["input_ids"].shape, -1)
    window = 0
    for row in rows:
        tags = np.array([*row["tags"], IGNORED])  # the last: of no word
        further = np.full_like(tags, IGNORED)
        if inside is not None:
            further[:-1] = [inside[tag] if tag >= 0 else tag for tag in row["tags"]]
        for words, starts in zip(row["word_of_piece"], first_pieces(row["word_of_piece"]), strict=True):
            real = slice(-len(words), None) if tokenizer.padding_side == "left" else slice(len(words))
            learnt = np.where(np.array(starts) >= 0, tags[words], further[words])
            labels[window, real] = torch.from_numpy(learnt)
            first[window, real] = torch.tensor(starts)
            window += 1
    return {**batch, "labels": labels, "first": first}


def shown(batch: Batch, tokenizer: Any, labels: Sequence[str]) -> list[str]:
    """Shows documents as the model reads them, a line each: tokens, with the tag behind those where one is learnt."""
    lines, window = [], 0
    for count in batch["windows"].tolist():
        texts = []
        for place in range(window, window + count):
            real = batch["attention_mask"][place].bool() if "attention_mask" in batch else slice(None)
            tokens = tokenizer.convert_ids_to_tokens(batch["input_ids"][place][real].tolist())
            tags = batch["labels"][place][real].tolist()
            pairs = zip(tokens, tags, strict=True)
            texts.append(" ".join(token if tag == IGNORED else f"{token}/{labels[tag]}" for token, tag in pairs))
        lines.append(" | ".join(texts))
        window += count
    return lines


def answers_of(logits: Tensor, batch: Batch) -> list[Answer]:
    """The most probable tag of each word, and its probability, by the word's first token.

    Args:
        logits: `(windows of all rows, length, tags)`.
        batch: Of `pad_documents`; with `word_count`, how many words each row has, and `asked`, its number.

    Returns:
        For each row `asked`, `tags` (-1 for words without a token) and `scores`.
    """
    at = batch["first"] >= 0
    best = logits[at].softmax(-1).max(-1)
    rows = torch.arange(len(batch["windows"]), device=at.device).repeat_interleave(batch["windows"])
    found = zip(
        rows[:, None].expand_as(at)[at].tolist(),
        batch["first"][at].tolist(),
        best.indices.tolist(),
        best.values.tolist(),
        strict=True,
    )
    answers: list[Answer] = [
        {"asked": number, "tags": [-1] * count, "scores": [0.0] * count}
        for number, count in zip(batch["asked"].tolist(), batch["word_count"].tolist(), strict=True)
    ]
    for row, word, tag, score in found:
        answers[row]["tags"][word], answers[row]["scores"][word] = tag, score
    return answers
