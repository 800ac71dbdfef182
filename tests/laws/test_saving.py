"""Law 4: saved then loaded gives the same answers, with plain transformers and without hfft."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, AutoTokenizer

import hfft
from hfft.tasks import TASKS
from tests.laws.runs import STRATEGIES, input_columns, keep_best, predictions, rows, train
from tests.tiny import VARIANTS

PLAIN = """
import json, re, sys
from pathlib import Path
sys.modules["hfft"] = None  # importing it now fails
from transformers import pipeline


def classified(place, inputs):
    made = pipeline("text-classification", model=place)
    return [made(given, top_k=None) for given in inputs]


def written(place, inputs):
    card = re.search("```python\\n(.*?)```", Path(place, "README.md").read_text(encoding="utf-8"), re.DOTALL).group(1)
    opening, asking = card.replace("path/to/model", place).split('text = "..."')
    known, found = {}, []
    exec(opening, known)
    for known["text"] in inputs:
        exec(asking, known)
        found.append(known["tokens"][0].tolist())
    return found


for line in sys.stdin:
    ask, place, inputs = json.loads(line)
    print("answers " + json.dumps({"classified": classified, "written": written}[ask](place, inputs)), flush=True)
"""
AGREEING = [
    *((task, strategy) for task in TASKS for strategy in ("full", "lora", "ema", "freeze+decay+lora")),
    *((name, "full") for name in VARIANTS if name != "windows"),  # the pipeline knows none
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Asks a process that knows transformers and not hfft: how it is asked, a model's folder, inputs; gives answers."""
    errors = tmp_path_factory.mktemp("plain") / "errors"
    with (
        open(errors, "w", encoding="utf-8") as stderr,
        subprocess.Popen(
            [sys.executable, "-c", PLAIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=errors.parent,
        ) as process,
    ):
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(how, place, inputs):
            stdin.write(json.dumps([how, str(place), inputs]) + "\n")
            stdin.flush()
            said = next((line for line in stdout if line.startswith("answers ")), None)
            assert said is not None, errors.read_text(encoding="utf-8")
            return json.loads(said.removeprefix("answers "))

        yield ask


@pytest.mark.parametrize(("task", "strategy"), AGREEING)
def test_transformers_agrees_without_hfft(tiny, trained, plain, task, strategy):
    """Its pipeline for what is classified; for what is written the code that stands in the model's card."""
    recipe, run = tiny(task), trained(task, strategy)
    columns = input_columns(recipe)
    if recipe["task"]["name"] == "text-classification":
        names = dict(zip(columns, ("text", "text_pair")[: len(columns)], strict=True))
        inputs = [{new: row[old] for old, new in names.items()} for row in rows(recipe, "eval")]
        check_labels(run, plain("classified", run / "model", inputs))
    else:
        inputs = [row[columns[0]] for row in rows(recipe, "eval")]
        tokens = plain("written", run / "model", inputs)
        assert [found[1:] for found in tokens] == [row["tokens"] for row in predictions(run)]


def check_labels(run, answers):
    """Checks that the pipeline's answers are those of the run."""
    labels = json.loads((run / "model" / "config.json").read_text())["id2label"]
    said = [{part["label"]: part["score"] for part in parts} for parts in answers]
    for answer, row in zip(said, predictions(run), strict=True):
        ours = row["probabilities"] if "probabilities" in row else row["answer"]
        assert [answer[labels[str(number)]] for number in range(len(labels))] == pytest.approx(ours, rel=1e-5, abs=1e-5)
        if "score" in row:
            assert max(answer, key=lambda label: answer[label]) == row["answer"]


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if "lora" in name])
@pytest.mark.parametrize("task", TASKS)
def test_the_adapter_folder_gives_the_same_logits_as_the_merged_model(tiny, trained, task, strategy):
    recipe, run = tiny(task), trained(task, strategy)
    kind = AutoModelForSequenceClassification if task == "text-classification" else AutoModelForSeq2SeqLM
    merged = kind.from_pretrained(run / "model")
    base = kind.from_pretrained(recipe["model"], num_labels=merged.config.num_labels)
    adapted = PeftModel.from_pretrained(base, run / "adapter").eval()
    tokenizer = AutoTokenizer.from_pretrained(run / "adapter")
    texts = [row[input_columns(recipe)[0]] for row in rows(recipe, "eval")]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    if kind is AutoModelForSeq2SeqLM:
        batch["decoder_input_ids"] = batch["input_ids"]  # any tokens will do
    with torch.no_grad():
        assert torch.allclose(adapted(**batch).logits, merged(**batch).logits, atol=1e-5)


@pytest.mark.parametrize("strategy", ["full", "lora"])
@pytest.mark.parametrize("task", TASKS)
def test_no_file_for_others_names_a_path_of_this_machine(tiny, trained, task, strategy):
    recipe, run = tiny(task), trained(task, strategy)
    for file in (run / "model").iterdir():
        assert str(run.parent.parent).encode() not in file.read_bytes(), file
        assert str(recipe["model"]).encode() not in file.read_bytes(), file
    assert not list(run.rglob("*.bin"))
    assert not list(run.rglob("*.pt*"))
    assert not list(run.rglob(".tmp-*"))


@pytest.mark.parametrize("task", TASKS)
def test_the_written_recipe_repeats_the_run(tiny, tmp_path, task):
    recipe = tiny(task)
    train(recipe, tmp_path / "first", keep_best(task, recipe), "data.workers=0")
    again = hfft.Recipe.load(tmp_path / "first" / "recipe.yaml")
    hfft.train(again, output=tmp_path / "second", quiet=True)
    for name in ("recipe.yaml", "metrics.jsonl", "parameters.json", "model/model.safetensors"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
