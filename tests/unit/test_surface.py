"""The public surface: what is imported when, the plan, the schema, the list of tasks, the Python API."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

import hfft
from hfft.cli import main
from tests.tiny import labelled_texts, write_csv


def command(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert not stop.value.code
    return capsys.readouterr().out


def test_importing_hfft_does_not_import_torch():
    code = "import hfft, sys; assert 'torch' not in sys.modules; assert dir(hfft)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_are_there_and_others_are_not():
    for name in hfft.__all__:
        assert getattr(hfft, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        hfft.trian  # noqa: B018


def test_the_plan_tells_what_a_run_then_does(tiny, tmp_path):
    recipe = hfft.Recipe.from_dict(tiny("text-classification"), "tune.freeze.blocks=1")
    plan = hfft.plan(recipe)
    hfft.train(recipe, output=tmp_path / "run", quiet=True)
    assert plan.parameters == json.loads((tmp_path / "run" / "parameters.json").read_text())
    assert plan.steps == json.loads((tmp_path / "run" / "results.json").read_text())["steps"] == 24
    assert (plan.samples_per_step, plan.steps_per_epoch, plan.evaluations) == (8, 8, 3)
    assert plan.splits["train"]["rows"] == 61
    assert all("[CLS]" in line for line in plan.batch)
    trained = sum(math.prod(row["shape"]) for row in plan.parameters if row["trainable"])
    assert plan.trainable_parameters == trained < plan.total_parameters
    assert plan.memory["gradients"] == 4 * trained
    assert plan.memory["optimizer"] == 8 * trained  # AdamW keeps two tensors


def test_the_plan_measures_the_memory_of_activations(tiny):
    sizes = [
        hfft.plan(hfft.Recipe.from_dict(tiny("text-classification"), f"train.micro_batch_size={size}")).memory
        for size in (2, 8)
    ]
    small, large = (size["activations"] or 0 for size in sizes)
    assert large > 3 * small > 0


def test_the_plan_leaves_no_trace(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hfft.plan(hfft.Recipe.from_dict(tiny("text-classification")))
    assert list(tmp_path.iterdir()) == []


def test_the_plan_as_json_is_one_object_and_the_printed_one_names_every_block(tiny, tmp_path, capsys):
    recipe = hfft.Recipe.from_dict(tiny("text-classification"))
    recipe.save(tmp_path / "recipe.yaml")
    plan = json.loads(command(capsys, "plan", str(tmp_path / "recipe.yaml"), "--json"))
    assert plan == json.loads(json.dumps(hfft.plan(hfft.Recipe.load(tmp_path / "recipe.yaml")).as_json()))
    printed = command(capsys, "plan", str(tmp_path / "recipe.yaml"))
    assert "peak learning rate 0.003 (full); adamw, betas 0.9, 0.999, eps 1e-08" in printed
    for part in ("stem", "encoder 3", "head", "[CLS]", "24 steps of 8 samples", "warning(s)"):
        assert part in printed


def test_the_schema_knows_every_section_and_the_options_of_tasks(capsys):
    schema = json.loads(command(capsys, "schema"))
    assert set(schema["properties"]) == set(hfft.Recipe.model_fields)
    known = schema["$defs"]["TaskSection"]["anyOf"][0]
    assert known["properties"]["name"] == {"const": "text-classification"}
    assert "max_length" in known["properties"]
    assert known["additionalProperties"] is False


def test_the_list_of_tasks_names_their_options(capsys):
    printed = command(capsys, "tasks")
    assert "text-classification: " in printed
    assert "max_length" in printed
    assert "  generation.num_beams (default None): Beams of the search" in printed


def test_training_from_python_gives_scores_and_the_folder(tiny, tmp_path):
    recipe = hfft.Recipe.from_dict(tiny("text-classification"), "train.keep_best=f1", "train.epochs=12")
    result = hfft.train(recipe, output=tmp_path / "run", accelerator=Accelerator(cpu=True), quiet=True)
    assert result.folder == tmp_path / "run"
    accuracy = result.scores["eval"]["accuracy"]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert accuracy["value"] > 0.7
    assert accuracy["selected"] is True
    assert "selected" not in result.scores["test"]["accuracy"]


def test_results_can_be_recomputed_from_the_predictions(tiny, tmp_path):
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    result = hfft.train(hfft.Recipe.from_dict(tiny("text-classification")), output=tmp_path / "run", quiet=True)
    rows = [json.loads(row) for row in (tmp_path / "run/predictions/test.jsonl").read_text("utf-8").splitlines()]
    answers, truths = [row["answer"] for row in rows], [row["truth"] for row in rows]
    scores = {name: entry["value"] for name, entry in result.scores["test"].items()}
    assert [row["id"] for row in rows] == list(range(17))
    assert scores["accuracy"] == pytest.approx(accuracy_score(truths, answers), abs=1e-12)
    assert scores["f1"] == pytest.approx(f1_score(truths, answers, average="macro"), abs=1e-12)
    assert scores["mcc"] == pytest.approx(matthews_corrcoef(truths, answers), abs=1e-12)
    assert all(row["score"] == max(row["probabilities"]) for row in rows)


def test_early_stopping_ends_the_run_and_keeps_the_best_weights(tiny, tmp_path):
    settings = ("train.keep_best=accuracy", "train.early_stop=2", "train.epochs=30")
    hfft.train(hfft.Recipe.from_dict(tiny("text-classification"), *settings), output=tmp_path / "run", quiet=True)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["steps"] < 240
    assert results["steps"] == results["best_step"] + 16
    assert results["ended"] == "no better accuracy in 2 evaluations"
    evaluated = [json.loads(row) for row in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    best = max(row["accuracy"] for row in evaluated if row["event"] == "eval")
    assert results["eval"]["accuracy"]["value"] == best


def test_a_hold_out_is_cut_where_there_is_no_eval_file(tiny, tmp_path):
    recipe = tiny("text-classification")
    data = {"root": recipe["data"]["root"], "files": {"train": "train.csv"}, "holdout": 0.2}
    result = hfft.train(hfft.Recipe.from_dict({**recipe, "data": data}), output=tmp_path / "run", quiet=True)
    sizes = {split: facts["rows"] for split, facts in read(tmp_path / "run" / "data.json")["splits"].items()}
    assert sizes == {"train": 49, "eval": 12}
    assert set(result.scores) == {"eval"}


def test_further_metrics_are_scored_with_intervals(tiny, tmp_path):
    recipe = hfft.Recipe.from_dict(tiny("text-classification"), "eval.metrics=[tests.unit.test_surface:share_good]")
    scores = hfft.train(recipe, output=tmp_path / "run", trust=True, quiet=True).scores["test"]
    entry = scores["share_good"]
    assert entry["interval"] == ("wilson" if 0 < entry["value"] < 1 else None)  # at its bound it may be any score


def share_good(answers, truths):
    return {"share_good": sum(answer == "good" for answer in answers) / len(truths)}


@pytest.mark.parametrize("labels", [[0, 1, 2], [-1, 4, 10], [True, False], ["a", "b", "c"]])
def test_labels_of_every_kind_are_learnt_and_named(tiny, tmp_path, labels):
    recipe = tiny("text-classification")
    kinds = {"good": 0, "bad": 1, "odd": len(labels) - 1}
    for split, rows in (("train", labelled_texts(60, 0)), ("eval", labelled_texts(30, 1))):
        lines = (json.dumps({**row, "label": labels[kinds[row["label"]]]}) + "\n" for row in rows)
        (tmp_path / f"{split}.jsonl").write_text("".join(lines))
    names = [str(label).lower() for label in sorted(labels)]
    data = {"root": str(tmp_path), "files": {"train": "train.jsonl", "eval": "eval.jsonl"}}
    task = {**recipe["task"], **({"labels": names} if -1 in labels else {})}
    made = hfft.Recipe.from_dict({**recipe, "data": data, "task": task})
    hfft.train(made, output=tmp_path / "run", quiet=True)
    config = read(tmp_path / "run" / "model" / "config.json")
    assert list(config["id2label"].values()) == names


def test_a_fine_tuned_checkpoint_keeps_its_order_of_labels(tiny, tmp_path):
    recipe = tiny("text-classification")
    first = hfft.Recipe.from_dict(recipe, "task.labels=[odd, good, bad]", "train.epochs=12")
    good = hfft.train(first, output=tmp_path / "first", quiet=True).scores["eval"]["accuracy"]["value"]
    model = str(tmp_path / "first" / "model")
    still = ("optim.lr=1e-30", "optim.weight_decay=0", "train.epochs=1")
    again = hfft.Recipe.from_dict({**recipe, "model": model}, *still)
    result = hfft.train(again, output=tmp_path / "second", quiet=True)
    assert list(read(tmp_path / "second" / "model" / "config.json")["id2label"].values()) == ["odd", "good", "bad"]
    assert result.scores["eval"]["accuracy"]["value"] == good
    with pytest.raises(hfft.errors.DataError, match=r"answers in the order .*model.new_head=true"):
        hfft.plan(hfft.Recipe.from_dict({**recipe, "model": model}, "task.labels=[bad, good, odd]"))
    anew = {**recipe, "model": {"name": model, "new_head": True}}
    hfft.train(hfft.Recipe.from_dict(anew, *still, "task.labels=[bad, good, odd]"), output=tmp_path / "c", quiet=True)
    before, after = (
        load_file(str(place / "model" / "model.safetensors")) for place in (tmp_path / "first", tmp_path / "c")
    )
    assert {name for name in before if not torch.equal(before[name], after[name])} == {
        "classifier.weight",
        "classifier.bias",
    }


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tiny, tmp_path):
    recipe = tiny("text-classification")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.rand(3)  # the state of the global generator does not matter
        hfft.train(hfft.Recipe.from_dict(recipe, f"train.seed={seed}"), output=tmp_path / name, quiet=True)
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]


def test_tensorboard_gets_every_step_evaluation_and_result(tiny, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = hfft.Recipe.from_dict(tiny("text-classification"), "track={to: [tensorboard], project: tiny}")
    scores = hfft.train(recipe, output=tmp_path / "run", quiet=True).scores
    read_back = EventAccumulator(str(tmp_path / "run" / "track" / "tiny")).Reload()
    told = [row.value for row in read_back.Scalars("train/loss")]
    rows = [json.loads(row) for row in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert told == pytest.approx([row["loss"] for row in rows if row["event"] == "train"])
    assert len(read_back.Scalars("eval/accuracy")) == 3
    assert read_back.Scalars("final-test/accuracy")[0].value == pytest.approx(scores["test"]["accuracy"]["value"])


def test_no_split_to_score_is_a_warning(tiny, tmp_path):
    write_csv(tmp_path / "train.csv", labelled_texts(20, 0))
    recipe = {**tiny("text-classification"), "data": {"root": str(tmp_path), "files": {"train": "train.csv"}}}
    result = hfft.train(hfft.Recipe.from_dict(recipe), output=tmp_path / "run", quiet=True)
    assert result.scores == {}
    assert any("without a score" in warning for warning in read(tmp_path / "run" / "results.json")["warnings"])


def read(path: Path):
    return json.loads(path.read_text("utf-8"))
