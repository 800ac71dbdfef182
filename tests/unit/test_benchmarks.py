"""The benchmarks' own arithmetic, and the parts that run without the machine they are meant for."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel

from hfft.io.run_folder import RunFolder
from hfft.recipe import Recipe
from tests.tiny import (
    bert,
    pictures,
    resnet,
    t5,
    tagged_words,
    text_classification,
    tokenizer,
    write_jsonl,
    write_pictures,
)

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _scripts_on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)  # as where one of them is run


def script(name: str) -> Any:
    return importlib.import_module(name)


def outcome(tool: str, seed: int, seconds: float, saving: float = 0.0) -> Any:
    shared = script("shared")
    return shared.Outcome(
        tool=tool,
        seed=seed,
        steps=2,
        samples=100,
        times=shared.Times(seconds, seconds, seconds + saving),
        resident_bytes=2**20,
        device_bytes=None,
        environment={},
        metric="accuracy",
        score=0.75,
        answers=[],
    )


def three_rounds() -> list[Any]:
    made = [outcome("ours", seed, 10.0, saving=10.0) for seed in range(3)]
    return [*made, *(outcome("theirs", seed, seconds) for seed, seconds in ((2, 40.0), (0, 20.0), (1, 10.0)))]


def test_ratios_are_taken_round_by_round():
    shared = script("shared")
    made = shared.speed_ratios(three_rounds(), "ours", "theirs", "seconds")
    whole = shared.speed_ratios(three_rounds(), "ours", "theirs", "whole_seconds")
    assert shared.median(made) == {"value": 2.0, "low": 1.0, "high": 4.0}
    assert shared.median(whole) == {"value": 1.0, "low": 0.5, "high": 2.0}


def run(name: str, monkeypatch, *arguments: str) -> Any:
    """Runs a script as from the command line, all of it in this process, and gives what its output file says."""
    output = Path(arguments[1], "found.json")
    monkeypatch.setattr(script("shared"), "apart", lambda function, *given: function(*given))
    monkeypatch.setenv("HFFT_CACHE", "")  # which the script sets
    always = ("--seeds", "3", "--precision", "fp32", "--output", str(output))
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments, *always])
    script(name).main()
    return json.loads(output.read_text(encoding="utf-8"))


def test_images_are_compared_head_first(tmp_path, monkeypatch, capsys):
    resnet(tmp_path / "model")
    for seed, split in enumerate(("train", "test")):
        write_pictures(tmp_path / f"{split}.parquet", pictures(20, seed))
    counts = ("--rows", "12", "--head-epochs", "2", "--epochs", "1")
    found = run("images_vs_trainer", monkeypatch, "--data", str(tmp_path), "--model", str(tmp_path / "model"), *counts)
    assert [(made["tool"], made["samples"], made["seed"]) for made in found["runs"]] == [
        ("hfft head only", 24, 3),
        ("Trainer head only", 24, 3),
        ("Trainer mended head only", 24, 3),
        ("hfft full", 12, 3),
        ("Trainer full", 12, 3),
        ("Trainer mended full", 12, 3),
    ]
    assert all(len(made["answers"]) == 20 for made in found["runs"])
    assert [pair["beside"] for pair in found["comparisons"]] == [
        *("Trainer head only", "Trainer mended head only", "Trainer full", "Trainer mended full")
    ]
    assert all(pair["scores"]["headline"] == "accuracy" for pair in found["comparisons"])
    assert capsys.readouterr().out.count("with hfft's saving)") == 4


def test_tags_are_compared(tmp_path, monkeypatch, capsys):
    bert(tmp_path / "model", positions=128)  # the length that the recipe wants
    for seed, (split, rows) in enumerate({"train": 40, "validation": 8, "test": 10}.items()):
        made = [{"tokens": row["tokens"], "ner_tags": row["tags"]} for row in tagged_words(rows, seed)]
        write_jsonl(tmp_path / f"{split}.jsonl", made)
    model = ("--model", str(tmp_path / "model"), "--rows", "32", "--epochs", "1")
    found = run("tags_vs_trainer", monkeypatch, "--data", str(tmp_path), *model)
    assert [(made["tool"], made["samples"]) for made in found["runs"]] == [("hfft", 32), ("Trainer", 32)]
    assert all(len(made["answers"]) == 10 for made in found["runs"])
    assert found["comparisons"][0]["scores"]["headline"] == "f1"
    assert " p = " in capsys.readouterr().out.splitlines()[-1]


def test_first_pieces_have_the_tags(tmp_path):
    tags = script("tags_vs_trainer")
    tokenizer(tmp_path, positions=64)
    task = {"name": "token-classification", "tokens": "tokens", "tags": "tags", "max_length": 6}
    recipe = Recipe.from_dict({"task": task, "data": {"files": {"train": "train.jsonl"}}, "model": str(tmp_path)})
    # w2-w3 has three pieces, the second word none
    rows = [{"tokens": ["w1", "", "w2-w3", "w4", "w5"], "tags": ["O", "O", "B-a", "I-a", "B-a"]}]
    made = tags.in_pieces(recipe, AutoTokenizer.from_pretrained(tmp_path), rows, ["B-a", "I-a", "O"])
    assert made["labels"][0] == [-100, 2, 0, -100, -100, -100]
    logits, labels, names = np.eye(3)[[[0, 2, 0, 1, 1, 1]]], np.array(made["labels"]), ["B-a", "I-a", "O"]
    assert tags.f1_of(logits, labels, names) == 1
    assert tags.f1_of(logits, np.where(labels == 2, 0, labels), names) == pytest.approx(2 / 3)  # one of two


def test_the_table_has_a_row_a_tool(capsys):
    script("shared").show(three_rounds())
    ours, theirs = capsys.readouterr().out.splitlines()[1:]
    assert ours.startswith("ours")
    assert "10 (10-10)" in ours
    assert ours.endswith("75.0 (sd 0.00)")
    assert theirs.startswith("theirs")


def test_a_pair_is_a_line():
    found = {"against": [{"said": "ours is better."}]}
    ratios = {"speed_ratio": {"value": 2.0, "low": 1.0, "high": 4.0}, "whole_speed_ratio": {"value": 1.0}}
    line = script("shared").closing_line({"tool": "ours", "beside": "theirs", **ratios, "scores": found})
    assert line == "ours / theirs: 2.00 (1.00-4.00) times the samples/s (1.00 with hfft's saving). ours is better."


def test_summaries_stand_beside_first_sentences(tmp_path):
    run = RunFolder(tmp_path / "run")
    t5(run.model)
    task = "task: {name: summarization, source: text, target: summary}"
    run.recipe.write_text(f"{task}\ndata: {{files: {{train: train.jsonl}}}}\nmodel: nowhere\n")
    run.results.write_text(json.dumps({"seed": 0, "test": {"rouge1": {"value": 1.0}}, "test_examples": 2}))
    texts = ["we do it. It works.", "it fails. We stop."]
    write_jsonl(tmp_path / "test.jsonl", [{"text": text, "summary": "we do it."} for text in texts])
    run.predictions("test").parent.mkdir()
    write_jsonl(run.predictions("test"), [{"id": n, "answer": "we do it.", "truth": "we do it."} for n in range(2)])
    found = script("lead").beside_lead(run, str(tmp_path / "test.jsonl"), tmp_path)
    rouge = found.against[0].differences["rouge1"]
    assert (rouge.first, rouge.other) == (pytest.approx(0.7), 1.0)  # 1, and 0.4 for one word of two and of three


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_picture_is_drawn(tmp_path, ending):
    pytest.importorskip("matplotlib", reason="an extra of its own: pip install 'hfft[bench]'")
    made = [replace(run, tool={"ours": "hfft", "theirs": "Trainer"}[run.tool]) for run in three_rounds()]
    script("shared").draw(made, tmp_path / f"picture.{ending}", "title")
    assert (tmp_path / f"picture.{ending}").stat().st_size > 1000


def test_the_tools_follow_the_configuration_files():
    settings = {tool.name: tool.settings for tool in script("vs_trainer").TOOLS}
    assert settings["hfft fp32"] == {"mixed_precision": "no", "cpu": True}
    assert settings["hfft bf16"] == {"mixed_precision": "bf16", "cpu": True}


@pytest.mark.parametrize(
    ("change", "learns"),
    [
        ("tune.freeze.blocks=all", {"classifier"}),
        ("tune.freeze.blocks=1", {"encoder.layer.1", "pooler", "classifier"}),
        ("tune.adapter={name: lora, targets: all-linear}", {"lora_A", "lora_B", "classifier"}),
    ],
)
def test_trainer_learns_what_the_recipe_says(tmp_path, change, learns):
    given = Recipe.from_dict(text_classification(tmp_path), change)
    config = BertConfig.from_pretrained(tmp_path / "model", num_hidden_layers=2)
    model = script("shared").as_tuned(BertForSequenceClassification(config), given)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert {part for part in learns if any(part in name for name in names)} == learns
    assert all(any(part in name for part in learns) for name in names)


def test_the_table_of_speed_has_a_cell_for_each_pair(tmp_path):
    speed = script("speed")
    took = {speed.HFFT: [1.0, 2.0, 2.0], speed.SAME: [2.0] * 3, speed.DEFAULTS: [4.0] * 3, speed.BEST: [2.0] * 3}
    line = speed.line_of("predict", 10, took, "the same")
    ratios = ("2.00 (2.00 to 4.00)", "1.00 (1.00 to 2.00)", "2.00 (2.00 to 2.00)")
    assert line.cells == ("predict", "5", *ratios, "", "the same")
    assert len(speed.COLUMNS) == len(line.cells)
    pytest.importorskip("matplotlib", reason="an extra of its own: pip install 'hfft[bench]'")
    speed.draw([line], tmp_path / "speed.png", "title")
    assert (tmp_path / "speed.png").stat().st_size > 1000


def test_flops_are_those_that_torch_counts():
    config = BertConfig(
        vocab_size=50, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=256
    )
    config._attn_implementation = "eager"  # the counter does not know the CPU's fused attention
    model = BertModel(config, add_pooling_layer=False)
    weights = sum(parameter.numel() for parameter in model.encoder.parameters())
    with FlopCounterMode(display=False) as counter:
        model(torch.randint(50, (3, 40))).last_hidden_state.sum().backward()
    counted = counter.get_total_flops()
    made = script("gpu_vs_trainer").training_flops([40, 40, 40], weights, layers=2, hidden=64)
    assert made == pytest.approx(counted, rel=0.02)  # biases and norms are weights, but no matrix products


def test_the_matrix_rate_is_a_positive_number():
    assert script("gpu_vs_trainer").matrix_rate("cpu", size=16, products=2) > 0


def test_texts_and_encoder_are_written_and_read(tmp_path):
    gpu = script("gpu_vs_trainer")
    rows = "".join(f"w{number} w{number + 1},{number % 2}\n" for number in range(8))
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text(f"sentence,label\n{rows}", encoding="utf-8")
    (tmp_path / "made").mkdir()
    options = argparse.Namespace(rows=12, epochs=1, batch_size=4)
    gpu.write_texts(script("vs_trainer").recipe_for(tmp_path, options), tmp_path / "made", 12)
    recipe = script("vs_trainer").recipe_for(tmp_path / "made", options)
    tokenizer(tmp_path / "words", positions=64)
    words = AutoTokenizer.from_pretrained(tmp_path / "words")
    tokens = script("vs_trainer").tokenized(recipe, words)
    assert (recipe.data.eval, recipe.data.files) == (None, {"train": "train.csv"})
    assert len(tokens) == 12
    assert all(4 <= len(ids) <= 2 + 2 * gpu.MOST_SENTENCES for ids in tokens["input_ids"])
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    assert gpu.write_encoder(tmp_path / "encoder", config, words) == 4 * (16 * 16 + 16) + 2 * 16 * 8 + 24 + 4 * 16
    assert (tmp_path / "encoder" / "model.safetensors").is_file()


def test_a_step_is_profiled(tmp_path, monkeypatch):
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "cache"))
    table = script("gpu_vs_trainer").profiled_step(Recipe.from_dict(text_classification(tmp_path)), {"cpu": True})
    assert "aten::addmm" in table


def test_without_a_gpu_one_line_says_so(tmp_path, monkeypatch, capsys):
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "argv", ["gpu_vs_trainer.py", "--data", str(tmp_path)])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as stopped:
        script("gpu_vs_trainer").main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
