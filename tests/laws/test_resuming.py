"""Law 3: a resumed run equals an unbroken one, bit for bit, wherever it was cut, with dropout on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import hfft
from hfft.data.loaders import _Rows
from hfft.errors import DataError, ModelError, SetupError, Stopped
from hfft.io.run_folder import RunFolder, mib, read_json
from hfft.testing import assert_same_run, check_resume, cut_off, events, tensors
from hfft.training.evaluation import Evaluator
from hfft.tuning.blocks import plain_name
from tests.laws.kinds import repeat_last_row
from tests.laws.runs import (
    CASES,
    FEW_TASKS,
    LAWFUL,
    finished,
    keep_best,
    launch,
    launch_as_users_do,
    resumable,
    train,
    trusted,
    tuning,
)

KEPT = ["train.checkpoint_every=1", "train.keep_checkpoints=99", "train.eval_every=5", "train.keep_best=accuracy"]


def places(task: str, strategy: str) -> tuple[int, ...]:
    """The steps after which a run is cut: one task, and a stream, whose order is its own, in all that matter.

    All else is cut amid everything, each task after the last step too.
    """
    if strategy == "full" and task in ("text-classification", "streaming"):
        # Inside an epoch, at its end, inside one with best weights from before, where scoring is due, after the last.
        return 4, 8, 10, 12, 16
    return (10, 16) if task in LAWFUL else (10,)


def ends_like_others(task: str, step: int) -> bool:
    """Whether what comes after the last step has been met by other cases: these are `wide`."""
    return step == 16 and task not in ("text-classification", "streaming", "outside")


CUT = [
    pytest.param(
        *case.values, step, marks=pytest.mark.wide if ends_like_others(str(case.values[0]), step) else case.marks
    )
    for case in CASES
    for step in places(*map(str, case.values))
]


@pytest.mark.parametrize(("task", "strategy", "step"), CUT)
def test_a_resumed_run_equals_the_unbroken_one(tiny, run_of, tmp_path, task, strategy, step):
    recipe = tiny(task)
    overrides = resumable(task, recipe, strategy)
    asked = hfft.Recipe.from_dict(recipe, *overrides)
    check_resume(asked, tmp_path, [step], run_of(recipe, *overrides), trusted(recipe))


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adagrad", "rmsprop", "torch.optim:NAdam"])
def test_every_optimizer_resumes_exactly(tiny, tmp_path, optimizer):
    overrides = [*KEPT, f"optim.name={optimizer}", "optim.lr=1e-3", "train.epochs=1"]
    check_resume(hfft.Recipe.from_dict(tiny("text-classification"), *overrides), tmp_path, [4], trust=True)


KILLED: list[Any] = [("text-classification", 0), ("mixed-images", 2), ("outside", 2)]
KILLED += [pytest.param(task, 2, marks=pytest.mark.wide) for task in LAWFUL if task != "outside"]


@pytest.mark.parametrize(("task", "workers"), KILLED)
def test_a_run_killed_inside_an_epoch_goes_on_as_if_nothing_had_happened(tiny, tmp_path, task, workers):
    overrides = ["train.epochs=null", "train.steps=60", "train.eval_every=30", "train.checkpoint_every=10"]
    overrides.append(f"data.workers={workers}")
    process = launch(tiny(task), tmp_path / "killed", *overrides)
    wait_for(lambda: len(list((tmp_path / "killed" / "checkpoints").glob("step-*"))) >= 1, process)
    process.kill()
    process.communicate()
    assert not (tmp_path / "killed" / "results.json").exists()
    printed = finished(launch(tiny(task), tmp_path / "killed", *overrides))
    assert "Going on after step" in printed
    train(tiny(task), tmp_path / "whole", *overrides, "data.workers=0")
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize(
    ("start", "number", "processes"),
    [
        (launch, signal.SIGTERM, 1),
        (launch, signal.SIGTERM, 2),
        (launch_as_users_do, signal.SIGINT, 1),
        pytest.param(launch_as_users_do, signal.SIGTERM, 2, marks=pytest.mark.wide),
    ],
)
def test_a_signal_stops_with_a_checkpoint_of_that_very_step(tiny, tmp_path, start, number, processes):
    overrides = ["train.epochs=400", "train.eval_every=100", "train.checkpoint_every=3200"]
    output = tmp_path / "run"
    process = start(tiny("text-classification"), output, *overrides, processes=processes)
    wait_for(lambda: (output / "metrics.jsonl").exists() and (output / "metrics.jsonl").stat().st_size > 500, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    steps = [int(place.name.rpartition("-")[2]) for place in (output / "checkpoints").iterdir()]
    assert len(steps) == 1
    rows = [json.loads(row) for row in (output / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == steps[0]
    if processes == 1:
        assert process.returncode == 128 + number
        assert f"Stopped by {number.name} after step {steps[0]}" in err
        assert "Traceback" not in err


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tiny, run_of, tmp_path):
    recipe = tiny("text-classification")
    unbroken = run_of(recipe, *KEPT)
    cut_off(unbroken, tmp_path / "cut", 9)
    weights = tmp_path / "cut" / "checkpoints" / "step-00000009" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    train(recipe, tmp_path / "cut", *KEPT)
    assert_same_run(tmp_path / "cut", unbroken)
    warnings = json.loads((tmp_path / "cut" / "results.json").read_text())["warnings"]
    assert any("step-00000009 is damaged and passed over" in warning for warning in warnings)


def copied(run: Path, place: Path) -> Path:
    """A copy of a finished run that others look at too: whoever trains in a folder has it for himself."""
    return shutil.copytree(run, place / "copy")


@pytest.mark.parametrize("task", LAWFUL)
def test_a_finished_run_says_so_and_is_left_alone(tiny, trained, tmp_path, task):
    run = copied(trained(task, "full"), tmp_path)
    first, before = read_json(run / "results.json"), {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    second = train(tiny(task), run)
    assert second.scores == {split: first[split] for split in second.scores}
    assert set(second.scores) == {"eval", "test"}
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}


@pytest.mark.parametrize("task", FEW_TASKS)
def test_a_finished_run_can_be_made_longer(tiny, tmp_path, task):
    recipe = tiny(task)
    even = ["optim.schedule=constant", "optim.warmup=0"]
    train(recipe, tmp_path / "run", *even, "train.epochs=1")
    train(recipe, tmp_path / "run", *even, "train.epochs=2")
    train(recipe, tmp_path / "whole", *even, "train.epochs=2")
    assert json.loads((tmp_path / "run" / "results.json").read_text())["steps"] == 16
    assert_same_run(tmp_path / "run", tmp_path / "whole")
    with pytest.raises(SetupError, match=r"is of step 16, but the recipe ends at step 8. A run can be made longer"):
        train(recipe, tmp_path / "run", *even, "train.epochs=1")


@pytest.mark.parametrize("average", [(), ("train.ema=0.9",)])
def test_a_run_that_was_best_at_its_end_is_made_longer_from_one_checkpoint(tiny, tmp_path, average):
    recipe = tiny("text-classification")
    chosen = ["optim.schedule=constant", "optim.warmup=0", "optim.lr=1e-30", "train.eval_every=4", *average]
    chosen.append("train.keep_best=accuracy")  # of equal ones the first is the best, in the longer run too
    train(recipe, tmp_path / "run", *chosen, "train.epochs=null", "train.steps=4")
    folder = RunFolder(tmp_path / "run")
    assert (folder.checkpoint_steps(), folder.best_steps()) == ([4], [])
    train(recipe, tmp_path / "run", *chosen, "train.epochs=null", "train.steps=12")
    assert (folder.checkpoint_steps(), folder.best_steps()) == ([12], [4])
    train(recipe, tmp_path / "whole", *chosen, "train.epochs=null", "train.steps=12")
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_checkpoints_of_a_finished_run_are_kept_as_the_recipe_says(tiny, tmp_path, capsys):
    recipe, folder = tiny("text-classification"), RunFolder(tmp_path / "run")
    short = ["train.epochs=null", "train.steps=6", "train.checkpoint_every=2"]
    train(recipe, folder.path, *short, "train.keep_checkpoints=3")
    assert folder.checkpoint_steps() == [2, 4, 6]
    train(recipe, folder.path, *short, quiet=False)  # finished: what is too much goes
    assert folder.checkpoint_steps() == [6]
    left = sum(file.stat().st_size for file in folder.checkpoints.rglob("*") if file.is_file())
    assert f"checkpoints takes {mib(left)}, to train longer from" in capsys.readouterr().out
    train(recipe, folder.path, *short, "train.keep_checkpoints=0")
    assert not folder.checkpoints.exists()
    with pytest.raises(SetupError, match=r"no whole checkpoint left to go on from \(train.keep_checkpoints=0 keeps"):
        train(recipe, folder.path, *short, "train.steps=9")
    train(recipe, tmp_path / "none", *short, "train.keep_checkpoints=0", "train.keep_best=accuracy")
    assert not (tmp_path / "none" / "checkpoints").exists()


SMALL = [("text-classification", "lora"), ("text-classification", "freeze half"), ("translation", "freeze+decay+lora")]


@pytest.mark.parametrize(("task", "strategy"), SMALL)
def test_frozen_weights_are_not_saved_again_and_others_are_not_gone_on_with(tiny, tmp_path, task, strategy):
    recipe = elsewhere(tiny(task), tmp_path / "one")
    train(recipe, tmp_path / "run", *steps(2), *tuning(task, strategy))
    rows = read_json(tmp_path / "run" / "parameters.json")
    saved = {plain_name(name) for name in tensors(next(tmp_path.glob("run/checkpoints/step-*/model.safetensors")))}
    still = {row["name"] for row in rows if not row["trainable"] and ".lora_" not in row["name"]}
    assert still
    assert not still & saved
    assert {row["name"] for row in rows if row["trainable"]} <= saved
    weights = Path(recipe["model"]) / "model.safetensors"
    changed = {name: tensor + (tensor.ndim == 2) for name, tensor in load_file(weights).items()}
    save_file(changed, weights, {"format": "pt"})
    (tmp_path / "run" / "environment.json").unlink()  # which has the model's fingerprint
    with pytest.raises(SetupError, match=r"leaves out frozen weights, .* Give the model as it was when the run began"):
        train(recipe, tmp_path / "run", *steps(3), *tuning(task, strategy))


@pytest.mark.parametrize("task", LAWFUL)
def test_another_recipe_or_other_data_is_refused(tiny, trained, tmp_path, task):
    recipe, run = tiny(task), copied(trained(task, "full"), tmp_path)
    with pytest.raises(SetupError, match=rf"another recipe: optim\.lr is 0\.5, there {recipe['optim']['lr']}"):
        train(recipe, run, "optim.lr=0.5")
    with pytest.raises(SetupError, match="holds a run already"):
        train(recipe, run, resume="never")
    with pytest.raises(SetupError, match=r"no checkpoint of .* There: step-"):
        train(recipe, run, resume="step-7")
    other = tmp_path / "other"
    shutil.copytree(recipe["data"]["root"], other)
    moved = {**recipe, "data": {**recipe["data"], "root": str(other)}}
    train(moved, tmp_path / "moved", "train.epochs=null", "train.steps=2")
    repeat_last_row(moved, "train")
    with pytest.raises(DataError, match="The rows of train are not those"):
        train(moved, tmp_path / "moved", "train.epochs=null", "train.steps=3")


def wait_for(done, process, seconds=120):
    """Waits until something is so, while the process lives."""
    end = time.monotonic() + seconds
    while not done():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("task", FEW_TASKS)
def test_a_signal_while_scoring_loses_no_evaluation(tiny, tmp_path, monkeypatch, task):
    """The evaluation of that step is made when the run goes on, and the checkpoint's clock is right."""
    recipe, overrides = tiny(task), [*KEPT, keep_best(task, tiny(task)), "train.epochs=null", "train.steps=12"]
    train(recipe, tmp_path / "whole", *overrides)
    answer = Evaluator.__call__
    calls = []

    def interrupted(self, model, accelerator, asked_to_stop=lambda: 0, *tell):
        calls.append(self)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return answer(self, model, accelerator, asked_to_stop, *tell)

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "__call__", interrupted)
        with pytest.raises(Stopped, match="after step 10"):
            train(recipe, tmp_path / "cut", *overrides)
    state = json.loads((tmp_path / "cut" / "checkpoints" / "step-00000010" / "state.json").read_text())
    assert (state["progress"]["evaluated_step"], state["progress"]["seconds"] > 0) == (5, True)
    train(recipe, tmp_path / "cut", *overrides)
    assert_same_run(tmp_path / "cut", tmp_path / "whole")
    assert json.loads((tmp_path / "cut" / "results.json").read_text())["train_seconds"] > 0


def test_a_signal_while_a_run_waits_for_a_batch_stops_it(tiny, tmp_path, monkeypatch):
    read, calls = _Rows.__getitems__, []

    def stuck(self, wanted):
        calls.append(wanted)
        if len(calls) == 6:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(600)
        return read(self, wanted)

    monkeypatch.setattr(_Rows, "__getitems__", stuck)
    with pytest.raises(Stopped, match=r"Stopped by SIGTERM after step \d\. Checkpoint"):
        train(tiny("text-classification"), tmp_path / "run", "train.epochs=1")


def test_a_run_can_go_on_from_an_older_checkpoint(tiny, run_of, tmp_path):
    recipe = tiny("text-classification")
    unbroken = run_of(recipe, *KEPT)
    cut_off(unbroken, tmp_path / "cut", 20)
    (tmp_path / "cut" / "checkpoints" / "step-00000019" / "state.json").write_text("{")
    train(recipe, tmp_path / "cut", *KEPT, resume="step-00000006")
    assert_same_run(tmp_path / "cut", unbroken)


def test_a_damaged_row_of_metrics_is_passed_over_with_a_warning(tiny, run_of, tmp_path):
    recipe = tiny("text-classification")
    unbroken = run_of(recipe, *KEPT)
    cut_off(unbroken, tmp_path / "cut", 9)
    rows = (unbroken / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut" / "metrics.jsonl").write_bytes(b"".join([rows[0], b"\xff" + rows[1], rows[2][3:], *rows[3:]]))
    train(recipe, tmp_path / "cut", *KEPT)
    assert (tmp_path / "cut" / "metrics.jsonl").read_bytes() == b"".join([rows[0], *rows[3:]])
    warnings = json.loads((tmp_path / "cut" / "results.json").read_text())["warnings"]
    assert "2 line(s) of metrics.jsonl cannot be read and are left out: 2, 3." in warnings


def test_damaged_best_weights_are_not_gone_on_with(tiny, run_of, tmp_path):
    recipe = tiny("text-classification")
    unbroken = run_of(recipe, *KEPT)
    cut_off(unbroken, tmp_path / "cut", 9)
    best = next((tmp_path / "cut" / "checkpoints").glob("best-*")) / "model.safetensors"
    best.write_bytes(best.read_bytes()[:-8])
    train(recipe, tmp_path / "cut", *KEPT)
    assert_same_run(tmp_path / "cut", unbroken)


def elsewhere(recipe, place):
    """The recipe with its data and its model copied to another place."""
    shutil.copytree(recipe["data"]["root"], place / "data")
    shutil.copytree(recipe["model"], place / "model")
    return {**recipe, "data": {**recipe["data"], "root": str(place / "data")}, "model": str(place / "model")}


def steps(number):
    return ["train.epochs=null", f"train.steps={number}", "optim.schedule=constant", "optim.warmup=0"]


def test_data_and_model_may_move_and_may_not_change(tiny, tmp_path):
    recipe = elsewhere(tiny("text-classification"), tmp_path / "one")
    train(recipe, tmp_path / "run", *steps(2))
    moved = elsewhere(recipe, tmp_path / "other")
    shutil.rmtree(tmp_path / "one")
    train(moved, tmp_path / "run", *steps(3))
    assert "base" in read_json(tmp_path / "run" / "environment.json")
    config = tmp_path / "other" / "model" / "config.json"
    config.write_text(config.read_text().replace('"hidden_act": "gelu"', '"hidden_act": "relu"'))
    with pytest.raises(ModelError, match=r"is not as it was when the run in .* began: its config.json differs"):
        train(moved, tmp_path / "run", *steps(4))


def test_a_run_whose_environment_is_damaged_goes_on_with_a_warning(tiny, tmp_path):
    recipe = tiny("text-classification")
    train(recipe, tmp_path / "run", *steps(2))
    file = tmp_path / "run" / "environment.json"
    file.write_text(file.read_text()[:400])
    with pytest.raises(SetupError, match=r"another recipe: data.root is"):  # nobody knows whether it is the same
        train(elsewhere(recipe, tmp_path / "other"), tmp_path / "run", *steps(3))
    train(recipe, tmp_path / "run", *steps(3))
    warnings = read_json(tmp_path / "run" / "results.json")["warnings"]
    assert any("environment.json cannot be read" in warning for warning in warnings)
    assert read_json(file)["base"]


def test_a_rate_that_jumps_where_a_finished_run_is_made_longer_is_told(tiny, tmp_path):
    recipe = tiny("text-classification")
    train(recipe, tmp_path / "run", "train.epochs=1")
    warned = hfft.plan(hfft.Recipe.from_dict(recipe, "train.epochs=2"), output=tmp_path / "run").warnings
    train(recipe, tmp_path / "run", "train.epochs=2")
    results = read_json(tmp_path / "run" / "results.json")
    (extended,) = read_json(tmp_path / "run" / "environment.json")["extended"]
    first = next(row for row in events(tmp_path / "run", "train") if row["step"] == 9)
    assert (extended["from_steps"], extended["to_steps"], extended["at_step"]) == (8, 16, 8)
    assert extended["lr_after"] == pytest.approx(first["lr"])
    assert extended["lr_before"] < 0.3 * extended["lr_after"]
    assert [text for text in results["warnings"] if "made longer, from 8 steps to 16" in text]
    assert set(results["warnings"]) == set(warned)
