"""Runs that diverge: what is counted and told, when they end, and that nothing is kept that is not finite."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from hfft.errors import Diverged, TrainingError
from hfft.io.console import Console
from hfft.io.run_folder import RunFolder
from hfft.training.callbacks.cadence import Cadence
from hfft.training.callbacks.checkpoint import Checkpoint
from hfft.training.callbacks.divergence import note_steps, require_a_step, require_answers, skips_told
from hfft.training.callbacks.log import Log
from hfft.training.loop import Progress, Run


def after(moved: list[bool]) -> Progress:
    progress = Progress(step=len(moved))
    note_steps(progress, 1, moved)
    return progress


def test_steps_that_are_called_off_are_counted_and_told():
    assert skips_told(after([True, True])) == []
    progress = after([True, False, True, False, False])
    assert (progress.skipped, progress.skipped_from) == (3, 4)
    assert "3 of 5 steps (60.0%) were skipped" in skips_told(progress)[0]
    assert "The run ended so" in skips_told(progress)[0]
    note_steps(progress, 6, [True])
    assert (progress.skipped, progress.skipped_from) == (3, None)


def test_ten_in_a_row_end_a_run_also_where_they_were_noted_one_by_one():
    progress = after([True])
    for step in range(2, 11):
        note_steps(progress, step, [False])
    with pytest.raises(TrainingError, match=r"10 steps in a row, steps 2 to 11, .*lower optim\.lr.*rows of step 2"):
        note_steps(progress, 11, [False, True])
    assert (progress.skipped, progress.skipped_from) == (10, None)


def test_a_run_has_diverged_where_it_neither_learns_nor_answers():
    broken, sound = after([True, False, False]), after([False, True])
    with pytest.raises(Diverged, match=r"from step 2 on .* after step 3 .* for none of the 9 rows of eval\."):
        require_answers(broken, "eval", 0, 9)
    require_answers(broken, "eval", 1, 9)
    require_answers(sound, "eval", 0, 9)
    with pytest.raises(TrainingError, match="in any of the 2 steps, so nothing was learnt"):
        require_a_step(after([False, False]))
    require_a_step(sound)
    require_a_step(Progress())


@pytest.mark.parametrize("name", ["0.weight", "1.running_var", "mask"])
def test_weights_and_statistics_that_are_not_finite_are_named_and_not_kept(tmp_path, name):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model.register_buffer("mask", torch.tensor([0.0, -torch.inf]))  # a mask may hold that
    accelerator, rest = Accelerator(cpu=True), None
    prepared, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    given: Any = rest
    run = Run(given, prepared, optimizer, given, accelerator, given, 9, 9, None, 0)
    console, folder = Console(quiet=True), RunFolder(tmp_path)
    checkpoint = Checkpoint(folder, Cadence(1, 9, 9), 1, Log(None, 1, console))
    run.progress.step = 1
    checkpoint.save(run)
    with torch.no_grad():
        model.state_dict()[name][0] = torch.nan
    run.progress.step = 2
    for save in (checkpoint.save, checkpoint.save_best):
        with pytest.raises(Diverged, match=f"After step 2 '{name}' of the model's tensors is not finite"):
            save(run)
    said = checkpoint.last_good(run, TrainingError("any"))
    assert said == f"The last checkpoint is {folder.checkpoint(1)}."
    assert (folder.checkpoint_steps(), folder.best_steps()) == ([1], [])
