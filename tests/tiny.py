"""Tiny models, tokenizers and data, made on the spot: one example for each task, for the laws to run on."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
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


def pairs(folder: Path) -> dict[str, Any]:
    """Whether two texts hold a sign of the same kind."""
    recipe = text_classification(folder)
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        firsts, seconds = labelled_texts(rows, seed), labelled_texts(rows, seed + 10)
        made = [
            {"one": a["text"], "two": b["text"], "label": "same" if a["label"] == b["label"] else "other"}
            for a, b in zip(firsts, seconds, strict=True)
        ]
        write_csv(folder / f"{split}.csv", made)
    return {**recipe, "task": {**recipe["task"], "text": ["one", "two"], "loss": "focal"}}


def several_labels(folder: Path) -> dict[str, Any]:
    """Which kinds of signs a text holds, none to three, with a threshold chosen on eval."""
    recipe = text_classification(folder)
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        write_csv(
            folder / f"{split}.csv", [{"text": r["text"], "label": "|".join(r["labels"])} for r in signs(rows, seed)]
        )
    return {**recipe, "task": {**recipe["task"], "delimiter": "|", "class_weights": "balanced"}}


def numbers(folder: Path) -> dict[str, Any]:
    """Two numbers for each text, far from 0 and of unlike size: how many signs it holds, and how many words."""
    recipe = text_classification(folder)
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        made = [
            {"text": r["text"], "signs": str(1000 + 250.5 * len(r["labels"])), "words": str(len(r["text"].split()) / 8)}
            for r in signs(rows, seed)
        ]
        write_csv(folder / f"{split}.csv", made)
    task = {**recipe["task"], "label": ["signs", "words"], "loss": {"name": "huber", "delta": 1.5}}
    return {**recipe, "task": task}


def windows(folder: Path) -> dict[str, Any]:
    """The texts of `text_classification`, read in windows of 8 tokens."""
    recipe = text_classification(folder)
    return {**recipe, "task": {**recipe["task"], "max_length": 8, "windows": {"overlap": 2}}}


def decoder(folder: Path) -> dict[str, Any]:
    """The texts of `text_classification`, read by GPT-2 with 3 blocks, which brings no pad token."""
    recipe = text_classification(folder)
    gpt2(folder / "model")
    return recipe


def streaming(folder: Path) -> dict[str, Any]:
    """The texts of `text_classification` in a folder as the Hub has them, the training rows in three files."""
    recipe = text_classification(folder)
    for split, rows, seed, files in (("train", 61, 0, 3), ("eval", 23, 1, 1), ("test", 17, 2, 1)):
        made = labelled_texts(rows, seed)
        for number in range(files):
            place = folder / "hub" / "data" / f"{split}-{number:05d}-of-{files:05d}.parquet"
            place.parent.mkdir(parents=True, exist_ok=True)
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(made[number::files]), place)
    data = {"hub": str(folder / "hub"), "streaming": True, "eval": "eval", "test": "test", "root": str(folder)}
    train = {**recipe["train"], "epochs": None, "steps": 24}
    return {**recipe, "task": {**recipe["task"], "labels": list(SIGNS)}, "data": data, "train": train}


TASKS: dict[str, Callable[[Path], dict[str, Any]]] = {"text-classification": text_classification}
"""A recipe for each task, as plain values, by the task's name; the function writes model and data into a folder."""

VARIANTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "pairs": pairs,
    "several-labels": several_labels,
    "numbers": numbers,
    "windows": windows,
    "decoder": decoder,
    "streaming": streaming,
}
"""Further shapes of these tasks, for which the laws hold too."""

EXAMPLES: dict[str, Callable[[Path], dict[str, Any]]] = {**TASKS, **VARIANTS}


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


def signs(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows of `text` and `labels`: texts with a sign of each of none to three kinds."""
    draw = random.Random(seed)
    made = []
    for number in range(rows):
        labels = [label for label, share in zip(SIGNS, (0.6, 0.4, 0.2), strict=True) if draw.random() < share]
        words = [*draw.choices(FILLERS, k=draw.randint(1, 9)), *(draw.choice(SIGNS[label]) for label in labels)]
        words.append(f"n{seed}{number}")
        draw.shuffle(words)
        made.append({"text": " ".join(words), "labels": labels})
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


def gpt2(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a GPT-2 without a head, seeded, and its tokenizer of whole words, without a pad token."""
    words = _words()
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


def tokenizer(folder: Path, positions: int) -> None:
    """Writes a tokenizer of whole words with BERT's special tokens."""
    words = _words()
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


def _words() -> list[str]:
    return [*SPECIAL, *FILLERS, *(word for sign in SIGNS.values() for word in sign)]


def roberta(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a RoBERTa without a head, seeded; its positions are counted from behind the padding index."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    words = [*special, *_words()[len(SPECIAL) :]]
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
        "vocab_size": len(_words()),
        "hidden_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": positions,
    }
