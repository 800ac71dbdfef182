"""Tiny examples of token classification."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.tiny.encoders import bert, roberta_bytes
from tests.tiny.files import write_jsonl
from tests.tiny.words import FILLERS, SIGNS

SPLITS = (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2))


def token_classification(folder: Path) -> dict[str, Any]:
    """Signs of three kinds, one to three of a kind in a row, are named by BIO tags; BERT with 3 blocks of 32 units.

    In 24 steps a head alone learns the tags of signs that have one of their own if it learns faster than the rest.
    """
    bert(folder / "model")
    for split, rows, seed in SPLITS:
        write_jsonl(folder / f"{split}.jsonl", tagged_words(rows, seed))
    return {
        "task": {"name": "token-classification", "max_length": 32},
        "data": {"root": str(folder), "files": {split: f"{split}.jsonl" for split, _, _ in SPLITS}},
        "model": str(folder / "model"),
        "tune": {"head_scale": 5},
        "optim": {"lr": 1e-2},
        "train": {"epochs": 3, "batch_size": 8, "log_every": 4},
    }


def spans(folder: Path) -> dict[str, Any]:
    """The words of `token_classification` as texts, the signs as characters from and to, by RoBERTa in byte pairs.

    All pieces are learnt: the numbers of rows are of several.
    """
    recipe = token_classification(folder)
    roberta_bytes(folder / "model")
    for split, rows, seed in SPLITS:
        write_jsonl(folder / f"{split}.jsonl", spanned_texts(rows, seed))
    return {**recipe, "task": {**recipe["task"], "tokens": "text", "tags": "spans", "pieces": "all"}}


def long_documents(folder: Path) -> dict[str, Any]:
    """The words of `token_classification`, read in windows of 8 tokens and joined; rare tags weigh more."""
    recipe = token_classification(folder)
    task = {"max_length": 8, "overlap": 2, "class_weights": "balanced", "label_smoothing": 0.1}
    return {**recipe, "task": {**recipe["task"], **task}}


def tagged_words(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows of `tokens` and `tags`, `O`, `B-KIND` and `I-KIND`, of 2 to 15 words with none to three entities.

    The first sign of a kind always begins an entity, the last one goes on; the one between does either.
    """
    draw = random.Random(seed)
    made = []
    for number in range(rows):
        parts = [([word], ["O"]) for word in [*draw.choices(FILLERS, k=draw.randint(1, 5)), f"n{seed}{number}"]]
        for _ in range(draw.choices((0, 1, 2, 3), weights=(1, 2, 3, 3))[0]):
            kind = draw.choices(list(SIGNS), weights=(4, 2, 1))[0]
            length = draw.choices((1, 2, 3), weights=(4, 2, 1))[0]
            words = [draw.choice(SIGNS[kind][:2]), *draw.choices(SIGNS[kind][1:], k=length - 1)]
            parts.append((words, [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]))
        draw.shuffle(parts)
        words, tags = ([item for part in parts for item in part[side]] for side in (0, 1))
        made.append({"tokens": words, "tags": tags})
    return made


def spanned_texts(rows: int, seed: int) -> list[dict[str, Any]]:
    """The rows of `tagged_words` as `text` and `spans`: of each entity its `start`, `end` and `label`."""
    made = []
    for row in tagged_words(rows, seed):
        text, found = "", []
        for word, tag in zip(row["tokens"], row["tags"], strict=True):
            text += " " * bool(text) + word
            if tag.startswith("B-"):
                found.append({"start": len(text) - len(word), "end": len(text), "label": tag[2:]})
            elif tag.startswith("I-"):
                found[-1]["end"] = len(text)
        made.append({"text": text, "spans": found})
    return made
