"""The tiny example of question answering."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.tiny.encoders import bert
from tests.tiny.files import write_jsonl
from tests.tiny.words import FILLERS, SIGNS


def question_answering(folder: Path) -> dict[str, Any]:
    """The one good sign of a context; BERT with 3 blocks of 32 units."""
    bert(folder / "model")
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        write_jsonl(folder / f"{split}.jsonl", asked(rows, seed))
    return {
        "task": {"name": "question-answering", "max_length": 32, "overlap": 4, "max_answer_length": 2},
        "data": {"root": str(folder), "files": {split: f"{split}.jsonl" for split in ("train", "eval", "test")}},
        "model": str(folder / "model"),
        "optim": {"lr": 6e-3},
        "train": {"epochs": 3, "batch_size": 8, "log_every": 4},
    }


def long_contexts(folder: Path) -> dict[str, Any]:
    """The same, where most contexts take several windows."""
    recipe = question_answering(folder)
    return {**recipe, "task": {**recipe["task"], "max_length": 12}}


def asked(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows of `question`, `context` and `answers`."""
    draw = random.Random(seed)
    made = []
    for _ in range(rows):
        words = draw.choices(FILLERS, k=draw.randint(4, 16))
        place = draw.randrange(len(words))
        words[place] = draw.choice(SIGNS["good"])
        start = len(" ".join(words[:place])) + (place > 0)
        answers = {"text": [words[place]], "answer_start": [start]}
        made.append({"question": draw.choice(FILLERS), "context": " ".join(words), "answers": answers})
    return made
