"""Tiny examples of tasks that write: summarization and translation."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tiny.encoders import bert
from tests.tiny.files import write_jsonl
from tests.tiny.words import FILLERS, GERMAN, SIGNS
from tests.tiny.writers import mbart, nllb, t5


def summarization(folder: Path) -> dict[str, Any]:
    """The signs of a text of 5 to 25 words, in order; T5 with 2 blocks a stack, two beams."""
    t5(folder / "model")
    task = {"name": "summarization", "max_source_length": 32, "max_target_length": 16, "generation": {"num_beams": 2}}
    return _seq2seq(folder, task, summaries)


def translation(folder: Path) -> dict[str, Any]:
    """Two to nine words, each replaced by its German one; NLLB with 2 blocks a stack, one beam."""
    nllb(folder / "model")
    task = {
        "name": "translation",
        "source": "en",
        "target": "de",
        "source_language": "eng_Latn",
        "target_language": "deu_Latn",
        "max_source_length": 16,
        "max_target_length": 16,
        "generation": {"num_beams": 1},
    }
    return {**_seq2seq(folder, task, translations), "optim": {"lr": 1e-2}}


def warm_start(folder: Path) -> dict[str, Any]:
    """The texts of `summarization`, read and summarized by two BERTs with 2 blocks, of which one becomes a decoder."""
    recipe = summarization(folder)
    task = {**recipe["task"], "generation": {"num_beams": 2, "min_new_tokens": 3}}
    bert(folder / "model", layers=2, spread=0.4)
    return {**recipe, "task": task, "model": {"encoder": str(folder / "model"), "decoder": str(folder / "model")}}


def references(folder: Path) -> dict[str, Any]:
    """The texts of `translation` by mBART, whose codes stand last, scored against two right answers each."""
    recipe = translation(folder)
    mbart(folder / "model")
    languages = {"source_language": "en_XX", "target_language": "de_DE"}
    return {**recipe, "task": {**recipe["task"], **languages, "references": "right"}}


def summaries(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows of `document` and `summary`: a text with two to five signs among its words, and these signs in order."""
    draw, signs = random.Random(seed), [word for words in SIGNS.values() for word in words]
    made = []
    for _ in range(rows):
        summary = draw.choices(signs, k=draw.randint(2, 5))
        document = draw.choices(FILLERS, k=draw.randint(4, 20))
        for place, sign in zip(sorted(draw.sample(range(len(document) + 1), len(summary))), summary[::-1], strict=True):
            document.insert(place, sign)
        made.append({"document": " ".join(document), "summary": " ".join(w for w in document if w in signs)})
    return made


def translations(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows of `en`, `de` and `right`, a list of two translations: `de`, and its words the other way round."""
    draw, made = random.Random(seed), {}
    adjectives, things, verbs = (list(GERMAN)[start:end] for start, end in ((7, 11), (1, 7), (11, 14)))

    def somebody() -> list[str]:
        return ["the", *draw.sample(adjectives, k=draw.randint(0, 2)), draw.choice(things)]

    while len(made) < rows:
        words = [*somebody(), *draw.choice(([], [draw.choice(verbs), *somebody()]))]
        german = [GERMAN[word] for word in words]
        made[" ".join(words)] = [" ".join(german), " ".join(reversed(german))]
    return [{"en": english, "de": right[0], "right": right} for english, right in made.items()]


def _seq2seq(folder: Path, task: dict[str, Any], make: Callable[[int, int], list[dict[str, Any]]]) -> dict[str, Any]:
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        write_jsonl(folder / f"{split}.jsonl", make(rows, seed))
    return {
        "task": task,
        "data": {"root": str(folder), "files": {split: f"{split}.jsonl" for split in ("train", "eval", "test")}},
        "model": str(folder / "model"),
        "optim": {"lr": 3e-3},
        "train": {"epochs": 3, "batch_size": 8, "log_every": 4},
    }
