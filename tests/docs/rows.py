"""Rows for the recipes of the pages, in the columns and files that these name."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any

from datasets import Dataset

import hfft
from tests import tiny
from tests.recipes.small import WRITING, written_rows
from tests.tiny import SIGNS, labelled_texts, write_csv, write_jsonl

COUNTS = {"train": 60}
FEW = 12


def write_data(recipe: hfft.Recipe, folder: Path) -> None:
    """Writes the files that a recipe names, where they are not there already."""
    files = recipe.data.files or {}
    for seed, (split, names) in enumerate(files.items()):
        for name in [names] if isinstance(names, str) else names:
            write_rows(recipe, folder / recipe.data.root / name.replace("*", "1"), COUNTS.get(split, FEW), seed)


def write_rows(recipe: hfft.Recipe, file: Path, count: int = FEW, seed: int = 7) -> None:
    """Writes rows of a recipe's kind into a file, or pictures into a folder."""
    if file.exists():
        return
    if recipe.task.name == "image-classification":
        write_images(file, count, seed)
        return
    made = KINDS.get(recipe.task.name, classified)(recipe, count, seed)
    for column in recipe.eval.slices:
        made = [{**row, column: value} for row, value in zip(made, cycle(("mail", "phone")))]
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        Dataset.from_list(made).to_parquet(file)
    else:
        (write_csv if file.suffix == ".csv" else write_jsonl)(file, made)


def write_images(place: Path, count: int, seed: int) -> None:
    """Writes pictures, in a folder for each class, or a single one."""
    rows = tiny.pictures(count, seed)
    if place.suffix:
        rows[0]["image"].save(place)
        return
    for number, row in enumerate(rows):
        file = place / ("red", "green", "blue")[row["label"]] / f"{number:03d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        row["image"].save(file)


def classified(recipe: hfft.Recipe, count: int, seed: int) -> list[dict[str, Any]]:
    """Texts or pairs of them, with a label, several labels, or a number."""
    options = recipe.task.options
    texts = [options["text"]] if isinstance(options.get("text", "text"), str) else options["text"]
    label = options.get("label", "label")
    made = []
    for number, row in enumerate(labelled_texts(count, seed)):
        value = row["label"]
        if options.get("delimiter"):
            value = options["delimiter"].join(sorted({value, list(SIGNS)[number % 3]}))
        if options.get("problem") == "regression":
            value = str(1 + 0.5 * list(SIGNS).index(value))
        made.append({**{text: f"{row['text']} {text}" for text in texts}, label: value})
    return made


def tagged(recipe: hfft.Recipe, count: int, seed: int) -> list[dict[str, Any]]:
    """Words with tags, or texts with spans."""
    options = recipe.task.options
    names = (options.get("tokens", "tokens"), options.get("tags", "tags"))
    spanned = names[1] == "spans"
    rows = (tiny.spanned_texts if spanned else tiny.tagged_words)(count, seed)
    own = ("text", "spans") if spanned else ("tokens", "tags")
    return [{name: row[key] for name, key in zip(names, own, strict=True)} for row in rows]


def asked_of(recipe: hfft.Recipe, count: int, seed: int) -> list[dict[str, Any]]:
    """Questions, contexts and answers."""
    names = {name: recipe.task.options.get(name, name) for name in ("question", "context", "answers")}
    return [{names[key]: value for key, value in row.items()} for row in tiny.asked(count, seed)]


KINDS = {
    "token-classification": tagged,
    "question-answering": asked_of,
    **dict.fromkeys(WRITING, lambda *given: written_rows(*given)),
}
