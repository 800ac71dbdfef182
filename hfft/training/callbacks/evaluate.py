"""Scores the eval split while training; keeps the best weights, and ends a run that no longer gets better."""

from __future__ import annotations

import time
from collections.abc import Callable

from hfft.io.console import Console
from hfft.tasks.scores import Scored
from hfft.training.callbacks.cadence import Cadence
from hfft.training.callbacks.divergence import require_answers
from hfft.training.callbacks.ema import averaged
from hfft.training.callbacks.log import Log
from hfft.training.evaluation import Evaluator
from hfft.training.loop import Run, StepReport

SHOWN = 3  # scores on the line of an evaluation


class Evaluate:
    """Scores when it is due, and where the run ends: the average of the weights, where the run keeps one.

    Args:
        evaluator: Scores the eval split.
        cadence: When to score.
        keep_best: The metric whose best value decides which weights are kept; None keeps the last.
        lower_is_better: Whether less of that metric is better.
        patience: Evaluations without a better value after which the run ends; None for never.
        patient_from: The first step after which evaluations count for that: before, not all learns that will.
        keep: How many evaluations have their weights kept: the best.
        rows_at_end: Rows that are scored once more at the end, or then for the first time.
        save_best: Keeps the weights as they are.
        log: Gets a row for each evaluation.
        console: Gets a line for each evaluation.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        cadence: Cadence,
        *,
        keep_best: str | None,
        lower_is_better: bool,
        patience: int | None,
        patient_from: int = 1,
        keep: int = 1,
        rows_at_end: int = 0,
        save_best: Callable[[Run], None],
        log: Log,
        console: Console,
    ):
        self.evaluator, self.cadence = evaluator, cadence
        self.keep_best, self.lower_is_better, self.patience = keep_best, lower_is_better, patience
        self.patient_from, self.keep, self.save_best, self.log, self.console = (
            patient_from,
            keep,
            save_best,
            log,
            console,
        )
        self.latest: tuple[int, Scored] | None = None
        self.rows_at_end = rows_at_end
        self.seconds_a_row: float | None = None
        log.seconds_ahead = self.seconds_ahead
        self.told: set[str] = set()
        self.watch: Callable[[Run, Scored], None] | None = None
        self.meanwhile: tuple[int, Evaluator] | None = None  # scores the same rows, up to a step

    def __call__(self, run: Run, report: StepReport) -> None:
        """Scores where it is due."""
        self.catch_up(run)

    def catch_up(self, run: Run) -> None:
        """Scores where it is due and not done: after a step, or for a run that was stopped while it scored.

        Raises:
            Interrupted: A signal came while scoring.
            TrainingError: The run has diverged.
        """
        step = run.progress.step
        due = self.cadence.due(step) or run.progress.ended is not None
        if not step or not due or run.progress.evaluated_step == step:
            return
        with run.paused(), averaged(run):
            began = time.monotonic()
            until, evaluator = self.meanwhile or (0, self.evaluator)
            evaluator = evaluator if step <= until else self.evaluator
            scored = evaluator(run.model, run.accelerator, run.asked_to_stop, self.log.line.scoring("eval"))
            self.seconds_a_row = (time.monotonic() - began) / max(len(scored.ids), 1)
            self.latest = step, scored
            run.progress.evaluated_step = step
            values = {name: value for name, value in scored.scores.items() if "/" not in name}
            unanswered = len(scored.ids) - scored.answered
            said = {"unanswered": unanswered} if unanswered else {}
            self.log.event(run, "eval", {**values, "examples": len(scored.ids), **said})
            self._tell(scored)
            require_answers(run.progress, "eval", scored.answered, len(scored.ids))
            named = list(values.items())[: None if self.console.verbose else SHOWN]
            shown = "  ".join(f"{name} {value:.4f}" for name, value in named)
            ranked = scored.scores if not unanswered else {}  # scores of some of the rows are no match for those of all
            better, kept = self._note(run, ranked), self._ranks(run, ranked)
            rank = "  (best so far)" if better else f"  (among the best {self.keep})" if kept else ""
            self.console.say(f"step {step}/{run.total_steps}  eval  {shown}{rank}")
            if kept:
                self.save_best(run)
            if self.watch is not None:
                self.watch(run, scored)

    def seconds_ahead(self, run: Run) -> float | None:
        """How long the evaluations to come will take, those at the end of the run too; None before the first one."""
        if self.seconds_a_row is None:
            return None
        step = run.progress.step
        due_now = self.cadence.due(step) and run.progress.evaluated_step != step
        rows = (self.cadence.left(step) + due_now) * len(self.evaluator.examples) + self.rows_at_end
        return rows * self.seconds_a_row

    def _tell(self, scored: Scored) -> None:
        """Warns of rows without an answer and of metrics that fail; of each thing once."""
        for text in scored.warnings("eval"):
            if text not in self.told:
                self.console.say(f"warning: {text}")
                self.told.add(text)

    def _note(self, run: Run, values: dict[str, float]) -> bool:
        """Takes note of the watched metric, and says whether it is the best so far."""
        if self.keep_best is None:
            return False
        progress, value = run.progress, values.get(self.keep_best)
        if value is not None and (progress.best_value is None or self.worth(value) > self.worth(progress.best_value)):
            progress.best_value, progress.best_step = value, progress.step
            progress.evaluations_without_best = 0
            return True
        progress.evaluations_without_best += 1 if progress.step >= self.patient_from else 0
        if self.patience is not None and progress.evaluations_without_best >= self.patience:
            progress.ended = f"no better {self.keep_best} in {self.patience} evaluations"
        return False

    def _ranks(self, run: Run, values: dict[str, float]) -> bool:
        """Enters an evaluation among the best, and says whether it is one of them. Of equal ones the earlier is."""
        value = None if self.keep_best is None else values.get(self.keep_best)
        if value is None:
            return False
        step, known = run.progress.step, run.progress.kept
        ranked = sorted([*known, (step, value)], key=lambda entry: self.worth(entry[1]), reverse=True)  # stable
        run.progress.kept = ranked[: self.keep]
        return any(kept == step for kept, _ in run.progress.kept)

    def worth(self, value: float) -> float:
        """A value of the watched metric, such that more is better."""
        return -value if self.lower_is_better else value
