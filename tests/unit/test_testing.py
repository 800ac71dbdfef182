"""The checks for tasks of one's own: a task that keeps the laws passes, and a law that does not hold is told."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import hfft
from hfft.testing import check_answers, check_frozen, check_micro_batches, check_repeats, check_resume, check_task
from tests.outside.multiple_choice import MultipleChoice


class Summed(MultipleChoice):
    """Whose loss is a sum where `weight` says that it is a mean."""

    def loss(self, model: Any, batch: Any) -> torch.Tensor:
        return super().loss(model, batch) * len(batch["labels"])


class Drawn(MultipleChoice):
    """Whose loss hangs on how often it was called before."""

    calls = 0

    def loss(self, model: Any, batch: Any) -> torch.Tensor:
        Drawn.calls += 1
        return super().loss(model, batch) * (1 + Drawn.calls / 100)


class Moved(MultipleChoice):
    """Whose model moves while it is scored, frozen or not."""

    def predict(self, model: Any, batch: Any) -> Any:
        with torch.no_grad():
            next(model.parameters()).add_(0.01)
        return super().predict(model, batch)


@pytest.fixture
def of(tiny):
    """Gives the tiny recipe of a class of this file, without dropout."""

    def give(task: str, *overrides: str) -> hfft.Recipe:
        recipe = tiny("outside")
        named = {**recipe, "task": {**recipe["task"], "name": f"{__name__}:{task}"}}
        return hfft.Recipe.from_dict(named, "model.dropout=0", "train.epochs=1", "train.log_every=1", *overrides)

    return give


def test_a_task_that_keeps_the_laws_passes(of):
    check_task(of("MultipleChoice"), trust=True)


@pytest.mark.parametrize(
    ("check", "task"),
    [
        (check_micro_batches, "Summed"),
        (check_resume, "Drawn"),
        (check_repeats, "Drawn"),
        (check_frozen, "Moved"),
    ],
)
def test_a_law_that_does_not_hold_is_told(of, tmp_path, check, task):
    with pytest.raises(AssertionError):
        check(of(task, "tune.freeze.blocks=1", "train.eval_every=2"), tmp_path, trust=True)


def test_answers_that_are_not_those_of_the_run_are_told(of, run_of, tiny, tmp_path):
    run, rows = run_of(tiny("outside")), tmp_path / "other.jsonl"
    text = (tmp_path / tiny("outside")["data"]["root"] / "test.jsonl").read_text("utf-8")
    rows.write_text("".join(reversed(text.splitlines(keepends=True))), encoding="utf-8")
    with pytest.raises(AssertionError):
        check_answers(run, rows, trust=True)
