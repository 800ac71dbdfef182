"""Changes what learns during a run: gradual unfreezing, and linear probing before fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hfft.hooks.log import Log
from hfft.loop import Run, StepReport
from hfft.tuning.blocks import plain_name
from hfft.tuning.phases import Phase, enter, phase_of
from hfft.wrapping import require_plain_wrapper, wrap_again


class Phases:
    """Lets the weights of the next phase learn, from its first step on.

    Which phase a run is in follows from its step alone: nothing of it is saved. Its place among the hooks is before the
    checkpoint, which so has the optimizer's state as the next step finds it.

    Args:
        run: Put together for its first phase.
        phases: In order.
        learning: Plain names of all parameters that learn in some phase.
        set_modes: Puts a model, not wrapped, in the modes in which it is trained, given what is closed.
        log: Gets a row for each phase that begins.
    """

    def __init__(
        self,
        run: Run,
        phases: Sequence[Phase],
        learning: frozenset[str],
        set_modes: Callable[[Any, frozenset[str]], None],
        log: Log,
    ):
        require_plain_wrapper(run)
        self.phases, self.learning, self.set_modes, self.log = phases, learning, set_modes, log
        self.current = phases[0]

    def __call__(self, run: Run, report: StepReport) -> None:
        """Begins a phase where the next step is its first."""
        phase = phase_of(self.phases, report.step + 1)
        if phase is self.current:
            return
        with run.paused():
            self._enter(run, phase)
            if phase.fresh:
                run.optimizer.optimizer.state.clear()
            self.log.event(run, "phase", {"learning": len(self.learning) - len(phase.closed)})

    def catch_up(self, run: Run) -> None:
        """Puts a run in the phase of its next step: call it after a checkpoint was restored."""
        phase = phase_of(self.phases, run.progress.step + 1)
        if phase is not self.current:
            self._enter(run, phase)

    def _enter(self, run: Run, phase: Phase) -> None:
        model = run.accelerator.unwrap_model(run.model)
        enter(model, self.learning, phase)
        self.set_modes(model, phase.closed)
        self.current = phase
        wrap_again(run)


def learning_names(model: Any) -> frozenset[str]:
    """The plain names of the parameters that may learn."""
    return frozenset(plain_name(name) for name, parameter in model.named_parameters() if parameter.requires_grad)
