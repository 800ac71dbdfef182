"""Changes what learns during a run: gradual unfreezing, and linear probing before fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hfft.training.callbacks.log import Log
from hfft.training.distributed import require_plain_wrapper, wrap_again
from hfft.training.loop import Run, StepReport
from hfft.tuning.phases import Phase, phase_of


class Unfreeze:
    """Lets the weights of the next phase learn, from its first step on.

    Which phase a run is in follows from its step alone: nothing of it is saved. Its place among the callbacks is before
    the checkpoint, which so has the optimizer's state as the next step finds it.

    Args:
        run: Put together for its first phase.
        phases: In order.
        enter: Lets those weights of the model learn that a phase is for, and no others.
        log: Gets a row for each phase that begins.
    """

    def __init__(self, run: Run, phases: Sequence[Phase], enter: Callable[[Phase], None], log: Log):
        require_plain_wrapper(run)
        self.phases, self.enter, self.log = phases, enter, log
        self.current = phases[0]

    def __call__(self, run: Run, report: StepReport) -> None:
        """Begins a phase where the next step is its first."""
        phase = phase_of(self.phases, report.step + 1)
        if phase is self.current:
            return
        with run.paused():
            self._begin(run, phase)
            if phase.fresh:
                run.optimizer.optimizer.state.clear()
            learning = sum(parameter.numel() for parameter in run.model.parameters() if parameter.requires_grad)
            self.log.event(run, "phase", {"parameters": learning})

    def catch_up(self, run: Run) -> None:
        """Puts a run in the phase of its next step: call it after a checkpoint was restored."""
        phase = phase_of(self.phases, run.progress.step + 1)
        if phase is not self.current:
            self._begin(run, phase)

    def _begin(self, run: Run, phase: Phase) -> None:
        self.enter(phase)
        self.current = phase
        wrap_again(run)
