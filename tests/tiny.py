"""Tiny models, tokenizers and data, made on the spot: one example for each task, for the laws to run on."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

SIGNS = {"good": ["fine", "nice", "great"], "bad": ["poor", "awful", "weak"], "odd": ["weird", "strange", "queer"]}
FILLERS = [f"w{number}" for number in range(40)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def text_classification(folder: Path) -> dict[str, Any]:
    """Three labels, given away by one word in a text of 2 to 14; BERT with 3 blocks of 32 units."""
    bert(folder / "model")
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        write_csv(folder / f"{split}.csv", labelled_texts(rows, seed))
    return {
        "task": {"name": "text-classification", "max_length": 32},
        "data": {"root": str(folder), "files": {split: f"{split}.csv" for split in ("train", "eval", "test")}},
        "model": str(folder / "model"),
        "optim": {"lr": 3e-3},
        "train": {"epochs": 3, "batch_size": 8, "log_every": 4},
    }


TASKS: dict[str, Callable[[Path], dict[str, Any]]] = {"text-classification": text_classification}
"""A recipe for each task, as plain values, by the task's name; the function writes model and data into a folder."""


def labelled_texts(rows: int, seed: int) -> list[dict[str, str]]:
    """Rows of `text` and `label`, no text twice, labels of unequal share."""
    draw = random.Random(seed)
    made = []
    for number in range(rows):
        label = draw.choices(list(SIGNS), weights=(4, 2, 1))[0]
        words = [*draw.choices(FILLERS, k=draw.randint(1, 12)), draw.choice(SIGNS[label]), f"n{seed}{number}"]
        draw.shuffle(words)
        made.append({"text": " ".join(words), "label": label})
    return made


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def bert(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a BERT encoder without a head, seeded, and its tokenizer of whole words."""
    tokenizer(folder, positions)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(FILLERS) + sum(map(len, SIGNS.values())),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=positions,
    )
    BertModel(config).save_pretrained(folder)


def tokenizer(folder: Path, positions: int) -> None:
    """Writes a tokenizer of whole words with BERT's special tokens."""
    words = [*SPECIAL, *FILLERS, *(word for sign in SIGNS.values() for word in sign)]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=positions,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
