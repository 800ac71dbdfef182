"""Tiny examples of text classification."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from tests.tiny.encoders import bert, gpt2
from tests.tiny.files import write_csv
from tests.tiny.words import FILLERS, SIGNS


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


def unknown_marks(folder: Path) -> dict[str, Any]:
    """The labels of `several_labels` as a column each, every fifth mark of which nobody knows."""
    recipe = text_classification(folder)
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        made = []
        for row, found in enumerate(signs(rows, seed)):
            marks = {kind: str(int(kind in found["labels"])) for kind in SIGNS}
            hidden = {kind: "" for place, kind in enumerate(SIGNS) if (row + place) % 5 == 0}
            made.append({"text": found["text"], **marks, **hidden})
        write_csv(folder / f"{split}.csv", made)
    return {**recipe, "task": {**recipe["task"], "label": list(SIGNS), "class_weights": "balanced"}}


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
