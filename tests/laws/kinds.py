"""What the laws must know of each task, beside its tiny example: a line in KINDS."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForMultipleChoice,
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """What the laws must know of a task.

    Attributes:
        metric: A score that `train.keep_best` may name.
        columns: The options that name columns of inputs, with their defaults.
        auto: The class of transformers that loads its models.
        inputs: Makes what a model takes of a folder with the processor, and of rows of inputs by column.
        asked: How plain transformers is asked: a function of `tests/laws/plain.py`.
    """

    metric: str
    columns: dict[str, str]
    auto: type
    inputs: Callable[[Path, dict[str, list[Any]]], Inputs]
    asked: str


def _texts(folder: Path, columns: dict[str, list[Any]]) -> Inputs:
    (texts,) = columns.values()
    return dict(AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt"))


def _written(folder: Path, columns: dict[str, list[Any]]) -> Inputs:
    inputs = _texts(folder, columns)
    return {**inputs, "decoder_input_ids": inputs["input_ids"]}  # any tokens will do


def _words(folder: Path, columns: dict[str, list[Any]]) -> Inputs:
    (words,) = columns.values()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return dict(tokenizer(words, is_split_into_words=True, padding=True, return_tensors="pt"))


def _images(folder: Path, columns: dict[str, list[Any]]) -> Inputs:
    (images,) = columns.values()
    return dict(AutoImageProcessor.from_pretrained(folder)(images, return_tensors="pt"))


def _endings(folder: Path, columns: dict[str, list[Any]]) -> Inputs:
    """Two endings of each row: the rows of a tensor have equally many."""
    contexts, endings = columns.values()
    texts = [text for text in contexts for _ in range(2)]
    pairs = [ending for some in endings for ending in some[:2]]
    flat = AutoTokenizer.from_pretrained(folder)(texts, pairs, padding=True, return_tensors="pt")
    return {name: tensor.unflatten(0, (-1, 2)) for name, tensor in flat.items()}


def _pairs(folder: Path, columns: dict[str, list[Any]]) -> Inputs:
    return dict(AutoTokenizer.from_pretrained(folder)(*columns.values(), padding=True, return_tensors="pt"))


_TEXT = Kind("accuracy", {"text": "text"}, AutoModelForSequenceClassification, _texts, "classified")
_SUMMARY = Kind("rougeL", {"source": "document"}, AutoModelForSeq2SeqLM, _written, "written")
_TAGS = Kind("f1", {"tokens": "tokens"}, AutoModelForTokenClassification, _words, "tagged")

KINDS: dict[str, Kind] = {
    "text-classification": _TEXT,
    "several-labels": replace(_TEXT, asked="labelled"),
    "unknown-marks": replace(_TEXT, asked="labelled"),
    "numbers": replace(_TEXT, metric="pearson", asked="measured"),
    "summarization": _SUMMARY,
    "translation": replace(_SUMMARY, metric="chrf", columns={"source": "source"}),
    "image-classification": Kind("accuracy", {"image": "image"}, AutoModelForImageClassification, _images, "seen"),
    "token-classification": _TAGS,
    "spans": replace(_TAGS, asked="found"),
    "question-answering": Kind(
        "f1",
        {"question": "question", "context": "context"},
        AutoModelForQuestionAnswering,
        _pairs,
        "answered",
    ),
    "outside": Kind(
        "accuracy",
        {"context": "context", "endings": "endings"},
        AutoModelForMultipleChoice,
        _endings,
        "chosen",
    ),
}
"""By task, as `tiny` knows it; a variant has its task's kind where none of its own stands here."""


def kind_of(task: str, recipe: dict[str, Any]) -> Kind:
    """The kind of a task or variant, and its recipe."""
    return KINDS.get(task) or KINDS[recipe["task"]["name"]]


def input_columns(task: str, recipe: dict[str, Any]) -> list[str]:
    """The columns that are read: one, or those of a pair."""
    found = [recipe["task"].get(option, default) for option, default in kind_of(task, recipe).columns.items()]
    return [name for names in found for name in ([names] if isinstance(names, str) else names)]


def split_file(recipe: dict[str, Any], split: str) -> Path:
    """The file of rows of a split. Where the recipe names none (a stream), the same rows lie beside as csv."""
    return Path(recipe["data"]["root"], recipe["data"].get("files", {}).get(split, f"{split}.csv"))


def _read_csv(file: Path) -> list[dict[str, Any]]:
    with open(file, encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def _read_jsonl(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _read_parquet(file: Path) -> list[dict[str, Any]]:
    return list(Dataset.from_parquet(str(file)))  # type: ignore[arg-type]


def _read_folder(folder: Path) -> list[dict[str, Any]]:
    return [
        {"image": Image.open(BytesIO(file.read_bytes())), "label": file.parent.name} for file in image_files(folder)
    ]


def _repeat_line(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text + text.splitlines(keepends=True)[-1], encoding="utf-8")


def _repeat_in_parquet(file: Path) -> None:
    rows: Any = Dataset.from_parquet(str(file), keep_in_memory=True)
    rows.select([*range(len(rows)), len(rows) - 1]).to_parquet(file)


READERS = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet, "": _read_folder}
REPEATERS = {".csv": _repeat_line, ".jsonl": _repeat_line, ".parquet": _repeat_in_parquet}


def image_files(folder: Path) -> list[Path]:
    """The images of an image folder, in the order of its rows."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def rows(recipe: dict[str, Any], split: str) -> list[dict[str, Any]]:
    """The raw rows of a split, with pictures of PIL where it has such."""
    file = split_file(recipe, split)
    return READERS[file.suffix](file)


def repeat_last_row(recipe: dict[str, Any], split: str) -> None:
    """Appends the last row to the file of a split once more."""
    file = split_file(recipe, split)
    REPEATERS[file.suffix](file)


def questions(task: str, recipe: dict[str, Any], folder: Path) -> list[list[Any]]:
    """The inputs of the eval split as JSON can have them: of a picture the name of a file, written into `folder`."""
    columns = input_columns(task, recipe)
    found = [[row[name] for name in columns] for row in rows(recipe, "eval")]
    return [[_plain(part, folder / f"{number}.png") for part in parts] for number, parts in enumerate(found)]


def _plain(part: Any, file: Path) -> Any:
    if not isinstance(part, Image.Image):
        return part
    part.save(file)
    return str(file)


def assert_adapter_gives_what_merged_does(task: str, recipe: dict[str, Any], run: Path) -> None:
    """An adapter by itself, on the plain base, gives the logits of the merged model to the eval rows."""
    kind = kind_of(task, recipe)
    merged = kind.auto.from_pretrained(run / "model")
    base = kind.auto.from_pretrained(recipe["model"], num_labels=merged.config.num_labels)
    adapted = PeftModel.from_pretrained(base, run / "adapter").eval()
    columns = {name: [row[name] for row in rows(recipe, "eval")] for name in input_columns(task, recipe)}
    batch = kind.inputs(run / "adapter", columns)
    with torch.no_grad():
        mine, theirs = adapted(**batch), merged(**batch)
    for name in ("start_logits", "end_logits") if "start_logits" in theirs else ("logits",):
        assert torch.allclose(mine[name], theirs[name], atol=1e-5)
