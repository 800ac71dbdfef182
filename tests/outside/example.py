"""The tiny example of the task outside, for the laws to run on."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.tiny import FILLERS, SIGNS, bert, write_jsonl


def example(folder: Path) -> dict[str, Any]:
    """Two to four endings, of which the right one has a good sign in it and the others none; BERT with 3 blocks."""
    bert(folder / "model", spread=0.06)
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        write_jsonl(folder / f"{split}.jsonl", questions(rows, seed))
    return {
        "task": {"name": "tests.outside.multiple_choice:MultipleChoice", "max_length": 32},
        "data": {"root": str(folder), "files": {split: f"{split}.jsonl" for split in ("train", "eval", "test")}},
        "model": str(folder / "model"),
        "optim": {"lr": 6e-3},
        "train": {"epochs": 3, "batch_size": 8, "log_every": 4},
    }


def questions(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows of `context`, `endings` and `label`."""
    draw = random.Random(seed)
    made = []
    for _ in range(rows):
        kinds = ["good", *draw.choices(["bad", "odd"], k=draw.randint(1, 3))]
        draw.shuffle(kinds)
        endings = [f"{' '.join(draw.choices(FILLERS, k=draw.randint(1, 4)))} {draw.choice(SIGNS[k])}" for k in kinds]
        context = " ".join(draw.choices(FILLERS, k=draw.randint(2, 10)))
        made.append({"context": context, "endings": endings, "label": kinds.index("good")})
    return made
