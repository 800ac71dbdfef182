"""Law 4: saved then loaded gives the same answers, with plain transformers and without hfft."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.laws.runs import STRATEGIES, predictions, train

PIPELINE = """
import json, sys
sys.modules["hfft"] = None  # importing it now fails
from transformers import pipeline
made = pipeline("text-classification", model=sys.argv[1])
print(json.dumps(made(json.load(sys.stdin))))
"""


def texts(recipe):
    with open(Path(recipe["data"]["root"], "eval.csv"), encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("strategy", ["full", "lora", "freeze+decay+lora"])
def test_the_pipeline_of_transformers_agrees_without_hfft(tiny, tmp_path, strategy):
    recipe = tiny("text-classification")
    train(recipe, tmp_path / "run", *STRATEGIES[strategy])
    command = [sys.executable, "-c", PIPELINE, str(tmp_path / "run" / "model")]
    done = subprocess.run(command, input=json.dumps(texts(recipe)), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answers, rows = json.loads(done.stdout.splitlines()[-1]), predictions(tmp_path / "run")
    assert [answer["label"] for answer in answers] == [row["answer"] for row in rows]
    assert [answer["score"] for answer in answers] == pytest.approx([row["score"] for row in rows], abs=1e-5)


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if "lora" in name])
def test_the_adapter_folder_gives_the_same_logits_as_the_merged_model(tiny, tmp_path, strategy):
    recipe = tiny("text-classification")
    train(recipe, tmp_path / "run", *STRATEGIES[strategy])
    merged = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "model")
    base = AutoModelForSequenceClassification.from_pretrained(recipe["model"], num_labels=merged.config.num_labels)
    adapted = PeftModel.from_pretrained(base, tmp_path / "run" / "adapter").eval()
    batch = AutoTokenizer.from_pretrained(tmp_path / "run" / "adapter")(
        texts(recipe), padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        assert torch.allclose(adapted(**batch).logits, merged(**batch).logits, atol=1e-5)


@pytest.mark.parametrize("strategy", ["full", "lora"])
def test_no_file_for_others_names_a_path_of_this_machine(tiny, tmp_path, strategy):
    recipe = tiny("text-classification")
    train(recipe, tmp_path / "run", *STRATEGIES[strategy])
    for file in (tmp_path / "run" / "model").iterdir():
        assert str(tmp_path.parent).encode() not in file.read_bytes(), file
    assert not list((tmp_path / "run").rglob("*.bin"))
    assert not list((tmp_path / "run").rglob("*.pt*"))
    assert not list((tmp_path / "run").rglob(".tmp-*"))


def test_the_written_recipe_repeats_the_run(tiny, tmp_path):
    import hfft

    recipe = tiny("text-classification")
    train(recipe, tmp_path / "first", "train.keep_best=accuracy", "data.workers=0")
    again = hfft.Recipe.load(tmp_path / "first" / "recipe.yaml")
    hfft.train(again, output=tmp_path / "second", quiet=True)
    for name in ("recipe.yaml", "metrics.jsonl", "parameters.json", "model/model.safetensors"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
