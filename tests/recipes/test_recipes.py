"""Every recipe of the project is valid, and runs: as it stands, but with tiny data and a tiny model of its family."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import ClassLabel, List, Value
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

import hfft
from hfft.errors import ModelError
from hfft.tasks import find_task
from tests import tiny
from tests.product import first_of_all
from tests.recipes.small import (
    FASHION,
    FEW,
    HUB,
    MNLI,
    PICTURES,
    WRITING,
    class_names,
    columns,
    hub_rows,
    short,
    tag_names,
    tiny_data,
    tiny_model,
    write_parquet,
)

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.yaml"))
TRIED_HERE = {
    *("quickstart", "bert_sst2", "deberta_v3_lora_cola", "roberta_goemotions", "roberta_stsb", "bert_conll2003"),
    *("bert_squad", "minilm_scitldr", "nllb_lora", "mobilenet_local", "dinov2_head_only"),
}
"""One of each task and problem, and of each strategy: what every run tries."""
PROBLEMS = {ClassLabel: "single_label_classification", List: "multi_label_classification", Value: "regression"}


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning")  # Marian's; it is optional
@pytest.mark.parametrize("stem", first_of_all([file.stem for file in RECIPES], TRIED_HERE))
def test_a_recipe_runs_on_tiny_data_with_a_tiny_model(tmp_path, stem):
    file = RECIPES[0].with_name(f"{stem}.yaml")
    recipe = hfft.Recipe.load(file)
    data = tiny_data(recipe, tmp_path)
    overrides = [tiny_model(recipe, tmp_path), "train.epochs=null", "train.steps=3", f"data={data}", *short(recipe)]
    small = hfft.Recipe.load(file, *overrides)
    result = hfft.train(small, output=tmp_path / "run", quiet=True)
    assert set(result.scores) == evaluated(recipe)
    assert all(scores for scores in result.scores.values())
    for score in (score for scores in result.scores.values() for score in scores.values()):
        assert math.isfinite(score["value"])
    saved = hfft.Recipe.load(tmp_path / "run" / "recipe.yaml")
    assert saved.name == file.stem
    assert {key: saved.task.options[key] for key in columns(recipe)} == columns(recipe)
    CHECKS.get(recipe.task.name, check_model)(tmp_path / "run", recipe)


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_says_what_it_is_for_and_how_to_run_it(file):
    recipe = hfft.Recipe.load(file)
    recipe.task_options(find_task(recipe.task.name, trust=False).Options)
    header = list(itertools.takewhile(lambda line: line.startswith("#"), file.read_text("utf-8").splitlines()))
    assert len(header) >= 2
    assert any(file.name in line for line in header)


def test_labels_of_a_trained_head_are_matched_by_name(tmp_path):
    """MNLI's heads count contradiction first, its data entailment: matched by number most answers would be wrong."""
    file = next(file for file in RECIPES if file.stem == "roberta_mnli")
    recipe = hfft.Recipe.load(file)
    rows = [{**row, "label": 0} for row in hub_rows(HUB["nyu-mll/glue", "mnli"], 60, seed=0)]
    model = tiny_model(recipe, tmp_path)
    trained_head(tmp_path / "model", rows, ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"])
    assert {row["label"] for row in rows} == {0, 1, 2}
    data = tiny_data(recipe, tmp_path)
    for split in json.loads(data)["files"]:
        write_parquet(tmp_path / f"{split}.parquet", HUB["nyu-mll/glue", "mnli"], rows)
    overrides = [model, "train.epochs=null", "train.steps=1", "optim.lr=1e-12", f"data={data}"]
    result = hfft.train(hfft.Recipe.load(file, *overrides), output=tmp_path / "run", quiet=True)
    assert [scores["accuracy"]["value"] for scores in result.scores.values()] == [1, 1]
    answers = (tmp_path / "run" / "predictions" / "eval.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["answer"] for line in answers] == [MNLI.int2str(row["label"]) for row in rows]
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text("utf-8"))
    assert config["id2label"] == {"0": "contradiction", "1": "neutral", "2": "entailment"}


WITHOUT_SENTENCEPIECE = """
import sys
sys.modules["sentencepiece"] = None  # importing it now fails, as where it is not installed
from hfft.cli import main
main(sys.argv[1:])
"""


def test_a_tokenizer_that_needs_another_package_is_said(tmp_path):
    """As that of DeBERTa-v3, which the Hub has as a SentencePiece model alone."""
    file = next(file for file in RECIPES if file.stem == "deberta_v3_lora_cola")
    recipe = hfft.Recipe.load(file)
    overrides = [tiny_model(recipe, tmp_path), f"data={tiny_data(recipe, tmp_path)}"]
    (tmp_path / "model" / "tokenizer.json").unlink()
    (tmp_path / "model" / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "model" / "spm.model").write_bytes(b"\x0a\x0e")
    command = [sys.executable, "-c", WITHOUT_SENTENCEPIECE, "plan", str(file), *overrides]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == 2, done.stderr
    assert "pip install sentencepiece protobuf" in done.stderr


@pytest.mark.parametrize("make", [tiny.vit, tiny.resnet])
@pytest.mark.parametrize("name", ["bert_conll2003", "deberta_v3_lora_cola"])
def test_a_model_of_images_in_a_recipe_of_texts_is_said(tmp_path, name, make):
    make(tmp_path / "images")
    file = next(file for file in RECIPES if file.stem == name)
    given = [f"model={tmp_path / 'images'}", f"data={tiny_data(hfft.Recipe.load(file), tmp_path)}"]
    with pytest.raises(ModelError, match=r"has no tokenizer, for it sees images .* Give a model that reads texts"):
        hfft.train(hfft.Recipe.load(file, *given), output=tmp_path / "run", quiet=True)


def evaluated(recipe: hfft.Recipe) -> set[str]:
    """The splits that a recipe scores."""
    named = {role for role, expression in recipe.data.expressions().items() if expression is not None}
    return {*named, *(recipe.data.files or ()), *(["eval"] if recipe.data.holdout else [])} - {"train"}


def check_writer(run: Path, recipe: hfft.Recipe) -> None:
    """Checks that plain transformers loads the model whole, and that it writes what the run says it wrote."""
    model, found = AutoModelForSeq2SeqLM.from_pretrained(run / "model", output_loading_info=True)
    missing = {name for name in found.pop("missing_keys") if not name.startswith("encoder.pooler.")}  # a pair has none
    assert not missing
    assert not any(found.values())
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    known = (getattr(model.config, "task_specific_params", None) or {}).get(recipe.task.name, {})
    name = WRITING[recipe.task.name].columns["source"]
    roles = list(recipe.data.files or [role for role, text in recipe.data.expressions().items() if text is not None])
    sources = [row[name] for row in WRITING[recipe.task.name].rows(FEW, roles.index("eval"))]
    answers = [json.loads(line) for line in (run / "predictions" / "eval.jsonl").read_text("utf-8").splitlines()]
    assert len(answers) == len(sources)
    for source, answer in zip(sources, answers, strict=True):
        asked = tokenizer(recipe.task.options.get("prefix", known.get("prefix", "")) + source, return_tensors="pt")
        if model.config.model_type == "led":
            asked["global_attention_mask"] = torch.zeros_like(asked["input_ids"]).index_fill(1, torch.tensor([0]), 1)
        written = model.generate(**asked)[0]
        assert written[1:].tolist() == answer["tokens"]
        assert tokenizer.decode(written, skip_special_tokens=True).strip() == answer["answer"]


def check_model(run: Path, recipe: hfft.Recipe) -> None:
    """Checks that plain transformers loads the model whole, and that it answers what the recipe means to ask."""
    folder = run / "model"
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


def check_seer(run: Path, recipe: hfft.Recipe) -> None:
    """Checks that plain transformers loads the model whole, and that it sees pictures of the recipe's size."""
    model, found = AutoModelForImageClassification.from_pretrained(run / "model", output_loading_info=True)
    assert not any(found.values())
    names = class_names(FASHION if recipe.data.hub is None else PICTURES[recipe.data.hub])
    assert list(model.config.id2label.values()) == names
    processor = AutoImageProcessor.from_pretrained(run / "model")
    seen = processor(tiny.pictures(1, seed=5)[0]["image"], return_tensors="pt")
    size = recipe.task.options.get("image_size")
    assert size is None or seen["pixel_values"].shape == (1, 3, size, size)
    assert model(**seen).logits.shape == (1, len(names))


def check_tagger(run: Path, recipe: hfft.Recipe) -> None:
    """Checks that plain transformers loads the model whole, with the tags of the data in their order."""
    model, found = AutoModelForTokenClassification.from_pretrained(run / "model", output_loading_info=True)
    assert not any(found.values())
    known = tag_names(recipe)
    names = known if recipe.data.hub else known[:7]  # numbers come with all their names, texts with those that occur
    assert list(model.config.id2label.values()) == names
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    encoded = tokenizer(["w1", "fine"], is_split_into_words=True, return_tensors="pt")
    assert model(**encoded).logits.shape == (1, 4, len(names))


def check_answerer(run: Path, recipe: hfft.Recipe) -> None:
    """Checks that plain transformers loads the model whole, which says where an answer begins and where it ends."""
    model, found = AutoModelForQuestionAnswering.from_pretrained(run / "model", output_loading_info=True)
    assert not any(found.values())
    encoded = AutoTokenizer.from_pretrained(run / "model")("w1", "w2 fine", return_tensors="pt")
    answer = model(**encoded)
    assert answer.start_logits.shape == answer.end_logits.shape == encoded["input_ids"].shape


CHECKS = {
    "question-answering": check_answerer,
    "image-classification": check_seer,
    "token-classification": check_tagger,
    **dict.fromkeys(WRITING, check_writer),
}


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
