"""Two processes agree, whatever befalls one of them alone: no run waits for ever, and each ends with the right code."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest
import torch

from hfft.io.run_folder import read_json
from hfft.tasks import text_classification
from hfft.testing import events, predictions, tensors
from tests.laws.runs import finished, launch
from tests.laws.test_resuming import wait_for

RANK = int(os.environ.get("RANK", "0"))
SECONDS = 60  # in which a signal is to end both
STALL = 15
SHORT = ["train.epochs=null", "train.steps=6", "train.eval_every=1", "train.log_every=1", "train.batch_size=8"]
CALLS = {"raising": 0}


class Options(text_classification.Options):
    nan_steps: list[int] = []
    nan_answers: bool = False
    stalls: int = 0


class Uneven(text_classification.TextClassification):
    """In process 1 it has no finite loss in `nan_steps`, and no finite answers; in process 0 step `stalls` is slow."""

    Options = Options

    def __init__(self, options: Options):
        super().__init__(options)
        self.calls = -1  # the first is a trial

    def loss(self, model: Any, batch: Any) -> Any:
        self.calls += 1
        if RANK == 0 and self.calls == self.options.stalls > 0:
            time.sleep(STALL)
        return super().loss(model, batch) * (torch.nan if RANK == 1 and self.calls in self.options.nan_steps else 1)

    def logits(self, model: Any, batch: Any) -> Any:
        found = super().logits(model, batch)
        return (
            found * torch.nan
            if RANK == 1 and self.options.nan_answers and self.calls > 0 and not model.training
            else found
        )


def drawn(answers: list[Any], truths: list[Any]) -> dict[str, float]:
    """Another number in each process, each time."""
    return {"drawn": random.SystemRandom().random()}


def raising(answers: list[Any], truths: list[Any]) -> dict[str, float]:
    """Works when it is tried, and never again."""
    CALLS["raising"] += 1
    if CALLS["raising"] > 1:
        raise ZeroDivisionError("by the moon")
    return {"raised": 1.0}


def uneven(**options: Any) -> list[str]:
    return [f"task.name={__name__}:Uneven", *(f"task.{name}={value}" for name, value in options.items())]


def started(tiny, output, *given: str) -> Any:
    return launch(tiny("text-classification"), output, *given, processes=2, options=("--trust",))


def test_the_main_process_scores_for_all_and_a_metric_that_fails_loses_nothing(tiny, tmp_path):
    metrics = [f"{__name__}:drawn", f"{__name__}:raising"]
    chosen = ["train.keep_best=drawn", "train.early_stop=2", f"eval.metrics={metrics}"]
    printed = finished(started(tiny, tmp_path / "run", *SHORT, *chosen))
    results = read_json(tmp_path / "run" / "results.json")
    drawn_at = {row["step"]: row["drawn"] for row in events(tmp_path / "run", "eval")}
    assert results["best_step"] == max(drawn_at, key=drawn_at.__getitem__)
    said = "The metric 'raising' failed and is missing: ZeroDivisionError: by the moon"
    assert results["warnings"].count(said) == 1
    assert printed.count(said) == 2  # when it first failed, and at the end
    assert "raised" not in results["eval"]
    assert results["eval"]["accuracy"]["low"] is not None


def test_what_is_not_finite_in_one_process_is_told_by_all(tiny, tmp_path):
    given = ["train.keep_best=accuracy", "train.checkpoint_every=1", "train.keep_checkpoints=9"]
    finished(started(tiny, tmp_path / "run", *SHORT, *given, *uneven(nan_steps=[3], nan_answers=True)))
    results, rows = read_json(tmp_path / "run" / "results.json"), predictions(tmp_path / "run")
    assert [row["step"] for row in events(tmp_path / "run", "skip")] == [3]
    assert results["skipped_steps"] == 1
    before, after = (
        tensors(tmp_path / "run" / "checkpoints" / f"step-0000000{step}" / "model.safetensors") for step in (2, 3)
    )
    assert all(torch.equal(before[name], after[name]) for name in before)
    without = [row for row in rows if row["answer"] is None]
    assert 0 < len(without) < len(rows)
    assert without[0]["error"] == "the model's numbers are not finite (NaN or infinity)"
    assert results["eval_examples"] == len(rows) - len(without)
    assert any(f"eval: {len(without)} of {len(rows)} rows" in text for text in results["warnings"])
    assert results["best_step"] == results["steps"] == 6  # none of these evaluations is the best


@pytest.mark.parametrize("times", [1, 2])
def test_signals_to_one_process_end_both(tiny, tmp_path, times):
    """One: with a checkpoint, at the step all agree on. Two: at once, though it waits for the other in an operation."""
    given = ["train.epochs=400", "train.log_every=1", *(uneven(stalls=5) if times == 2 else [])]
    process = started(tiny, tmp_path / "run", *given)
    metrics = tmp_path / "run" / "metrics.jsonl"
    wait_for(lambda: metrics.exists() and len(metrics.read_text().splitlines()) >= 4, process)
    begun = time.monotonic()
    for _ in range(times):
        time.sleep(1)
        os.kill(process.processes[1].pid, signal.SIGTERM)
    process.processes[1].join(SECONDS)
    assert process.processes[1].exitcode == 128 + signal.SIGTERM
    process.communicate(timeout=SECONDS)
    assert time.monotonic() - begun < SECONDS
    assert process.processes[0].exitcode == (128 + signal.SIGTERM if times == 1 else 1)
    if times == 1:
        assert list((tmp_path / "run" / "checkpoints").iterdir())
