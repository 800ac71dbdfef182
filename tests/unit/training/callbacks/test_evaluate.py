"""Which evaluations have their weights kept: the n best so far, of equal ones the earlier, none without a value."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from hfft.io.console import Console
from hfft.io.run_folder import RunFolder
from hfft.tasks.scores import Measured, Scored
from hfft.training.callbacks.cadence import Cadence
from hfft.training.callbacks.checkpoint import Checkpoint, fault_of
from hfft.training.callbacks.evaluate import Evaluate
from hfft.training.callbacks.log import Log
from hfft.training.loop import Run

SCREEN = Console(quiet=True)


@pytest.fixture
def run() -> Run:
    model = nn.Linear(1, 1, bias=False)
    accelerator = Accelerator(cpu=True)
    prepared, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    rest: Any = None
    return Run(rest, prepared, optimizer, rest, accelerator, rest, 99, 99, None, 0)


def evaluation(values, saved, **settings):
    """An `Evaluate` that finds one value after the other at every step; a text is that of a row without an answer."""
    given = iter(values)

    def score(*_: Any) -> Any:
        value = next(given)
        answers = [{"answer": "a"}, {"answer": None, "error": "NaN"} if isinstance(value, str) else {"answer": "b"}]
        scores = {} if value is None else {"near": float(value)}
        return Scored(None, [0, 1], answers, [None, None], given=Measured(scores))  # type: ignore[arg-type]

    evaluator: Any = score
    settings = {"keep_best": "near", "lower_is_better": False, "patience": None, **settings}
    every = Cadence(1, 99, 99)
    return Evaluate(evaluator, every, save_best=saved, log=Log(None, 1, SCREEN), console=SCREEN, **settings)


def kept_after(run, values, **settings):
    """The steps that were saved, and which of them are kept, the best first."""
    saved = []
    evaluate = evaluation(values, lambda run: saved.append(run.progress.step), **settings)
    for _ in values:
        run.progress.step += 1
        evaluate.catch_up(run)
    return saved, [step for step, _ in run.progress.kept]


@pytest.mark.parametrize(
    ("values", "settings", "saved", "kept"),
    [
        ([0.3, 0.1, 0.2, 0.4, 0.2], {"keep": 3}, [1, 2, 3, 4], [4, 1, 3]),
        ([0.3, 0.1, 0.2, 0.4], {}, [1, 4], [4]),  # as before there were several
        ([0.2, 0.2, 0.2, 0.3], {"keep": 2}, [1, 2, 4], [4, 1]),
        ([None, 0.1, None, 0.2], {"keep": 2}, [2, 4], [4, 2]),
        ([0.3, 0.1, 0.2], {"keep": 2, "lower_is_better": True}, [1, 2, 3], [2, 3]),
        ([0.1, 0.2], {"keep_best": None}, [], []),
        ([0.1, "0.9", 0.2], {"keep": 3}, [1, 3], [3, 1]),  # the score of some of the rows
    ],
)
def test_the_best_evaluations_are_kept(run, values, settings, saved, kept):
    assert kept_after(run, values, **settings) == (saved, kept)
    assert run.progress.best_step == (kept[0] if kept else None)


def test_keeping_more_does_not_lengthen_patience(run):
    kept_after(run, [0.3, 0.1, 0.2], keep=3, patience=2)
    assert run.progress.ended == "no better near in 2 evaluations"


def test_weights_stay_while_a_checkpoint_or_the_run_speaks_of_them(run, tmp_path):
    folder = RunFolder(tmp_path)
    checkpoint = Checkpoint(folder, Cadence(1, 99, 99), 1, Log(None, 1, SCREEN))
    evaluate = evaluation([0.1, 0.2, 0.3, 0.4], checkpoint.save_best, keep=2)
    seen = []
    for step in (1, 2, 3, 4):
        run.progress.step = step
        evaluate.catch_up(run)
        if step == 2:
            checkpoint.save(run)
        seen.append(folder.best_steps())
    assert seen == [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]
    assert fault_of(folder, folder.checkpoint(2)) is None
    checkpoint.weights(1).unlink()
    assert "in its best weights, best-00000001, model.safetensors is missing" in (
        fault_of(folder, folder.checkpoint(2)) or ""
    )
    checkpoint.save(run)  # the only checkpoint left
    assert folder.best_steps() == [3, 4]


def test_weights_that_nobody_speaks_of_go_at_once(run, tmp_path):
    folder = RunFolder(tmp_path)
    checkpoint = Checkpoint(folder, Cadence(1, 99, 99), 1, Log(None, 1, SCREEN))
    evaluate = evaluation([0.1, 0.2, 0.3], checkpoint.save_best, keep=2)
    for step in (1, 2, 3):
        run.progress.step = step
        evaluate.catch_up(run)
    assert folder.best_steps() == [2, 3]
