"""Ends a run after a given time of training, as if its last step had been the last of all."""

from __future__ import annotations

import torch

from hfft.training.loop import STOP_CHECK_STEPS, Run, StepReport, over_processes

REASON = "time limit"  # how `progress.ended` begins where it was set here


class TimeLimit:
    """Looks after each step how long the run has trained; with several processes every few steps, all of them together.

    Evaluations and checkpoints do not count; the time before a resume does.

    Args:
        seconds: The limit; None for none.
    """

    def __init__(self, seconds: float | None):
        self.seconds = seconds

    def __call__(self, run: Run, report: StepReport) -> None:
        """Sets `progress.ended` where the time is over."""
        if run.accelerator.num_processes == 1 or report.step % STOP_CHECK_STEPS == 0:
            self._end_if_over(run)

    def look_again(self, run: Run) -> None:
        """For a run just resumed, whose limit may be another now. All processes call it.

        What another callback has ended stays so.
        """
        if run.progress.ended is None or run.progress.ended.startswith(REASON):
            run.progress.ended = None
            self._end_if_over(run)

    def _end_if_over(self, run: Run) -> None:
        progress = run.progress
        if self.seconds is None or progress.step == run.total_steps:
            return
        over = progress.seconds >= self.seconds
        if run.accelerator.num_processes > 1:  # their clocks differ
            over = bool(over_processes(torch.tensor(int(over), device=run.accelerator.device), run.accelerator))
        if over:
            progress.ended = f"{REASON} of {self.seconds:g} s reached"
