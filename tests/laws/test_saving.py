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
from tests.tiny import VARIANTS

PIPELINE = """
import json, sys
sys.modules["hfft"] = None  # importing it now fails
from transformers import pipeline
made = pipeline("text-classification", model=sys.argv[1])
print(json.dumps([made(given, top_k=None) for given in json.load(sys.stdin)]))
"""
AGREEING = [
    *(("text-classification", strategy) for strategy in ("full", "lora", "ema", "freeze+decay+lora")),
    *((name, "full") for name in VARIANTS if name != "windows"),  # the pipeline knows none
]


def texts(recipe):
    return [row["text"] for row in eval_rows(recipe)]


def eval_rows(recipe):
    with open(Path(recipe["data"]["root"], "eval.csv"), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("task", "strategy"), AGREEING)
def test_the_pipeline_of_transformers_agrees_without_hfft(tiny, tmp_path, task, strategy):
    recipe = tiny(task)
    train(recipe, tmp_path / "run", *STRATEGIES[strategy])
    columns = recipe["task"].get("text", "text")
    names = {columns: "text"} if isinstance(columns, str) else dict(zip(columns, ("text", "text_pair"), strict=True))
    inputs = [{new: row[old] for old, new in names.items()} for row in eval_rows(recipe)]
    command = [sys.executable, "-c", PIPELINE, str(tmp_path / "run" / "model")]
    done = subprocess.run(command, input=json.dumps(inputs), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    labels = json.loads((tmp_path / "run" / "model" / "config.json").read_text())["id2label"]
    said = [{part["label"]: part["score"] for part in parts} for parts in json.loads(done.stdout.splitlines()[-1])]
    for answer, row in zip(said, predictions(tmp_path / "run"), strict=True):
        ours = row["probabilities"] if "probabilities" in row else row["answer"]
        assert [answer[labels[str(number)]] for number in range(len(labels))] == pytest.approx(ours, rel=1e-5, abs=1e-5)
        if "score" in row:
            assert max(answer, key=lambda label: answer[label]) == row["answer"]


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
