"""A sweep from beginning to end: trials one after the other, then the best few, then one, and its test score."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from hfft.errors import HfftError, Stopped
from hfft.io.run_folder import RunFolder
from hfft.training.processes import on_main
from hfft.workflows.sweep.beginning import check, claim, measure_of, note, points, study_there
from hfft.workflows.sweep.final import choose
from hfft.workflows.sweep.result import Sweep, closing_lines, shown
from hfft.workflows.sweep.storage import open_storage, open_study
from hfft.workflows.sweep.study import Begun, Trials, begun, is_interrupted
from hfft.workflows.sweep.told import Measure, best_first, told_of, write_page, write_told
from hfft.workflows.sweep.trial import Outcome, Work, drop_weights, of_trial, run_trial

AT_MOST = 3  # trials that fail before one has a score: then nothing is likely to help

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


def sweep_in(work: Work) -> Sweep:
    """Runs trials until the budget is spent, and then chooses, as one worker of a sweep. All processes call it.

    Raises:
        Stopped: A signal came: the trial at work goes on, by whoever comes next.
        HfftError: Nothing can be trained.
    """
    with ExitStack() as held:
        return Sweeping(work, held).run()


class Sweeping:
    """One worker: its main process speaks to the study, and all of them train.

    Args:
        work: What is to do.
        held: Closes the storage at the end.
    """

    def __init__(self, work: Work, held: ExitStack):
        self.work, self.section = work, work.section
        self.place, self.recipe, self.accelerator, self.console = (
            work.place,
            work.recipe,
            work.accelerator,
            work.console,
        )
        self.trials: Trials | None = None  # of the main process
        on_main(work.accelerator, lambda: check(work))
        self.measure = self._begin(held)

    def _begin(self, held: ExitStack) -> Measure:
        opened: list[BaseStorage] = []
        lock = FileLock(self.place / ".lock")

        def look() -> Measure | None:
            RunFolder(self.place).create()
            with lock:
                claim(self.place, self.recipe)
                opened.append(held.enter_context(open_storage(self.section, self.place / "study.log")))
                return study_there(opened[0], self.recipe)

        known = on_main(self.accelerator, look)
        measure, warnings = (known, []) if known else measure_of(self.work)

        def start() -> None:
            with lock:
                study = open_study(opened[0], self.recipe.name, measure.direction, self.section.pruner)
                note(study, self.recipe, measure, warnings)
                self.trials = Trials(self.place, self.section, study, lock)
                self.trials.mend()
                if self.section.method == "grid":
                    self.trials.fill_grid(points(self.section))
            self._introduce(measure, warnings)

        on_main(self.accelerator, start)
        return measure

    def _introduce(self, measure: Measure, warnings: list[str]) -> None:
        section = self.section
        ended = [trial for trial in self._study.all() if trial.state.is_finished()]
        count = "" if section.most_trials is None else f"{section.most_trials} trials, "
        self.console.say(
            f"{self.recipe.name}: a sweep of {count}{section.method}, over {', '.join(section.space)}; compared by "
            f"eval {measure.metric} of {measure.examples} rows ({'less' if measure.less else 'more'} is better)"
        )
        if ended:
            self.console.say(f"Going on in {self.place}, where {len(begun(ended))} trials have ended.")
        for text in warnings:
            self.console.say(f"warning: {text}")

    @property
    def _study(self) -> Trials:
        assert self.trials is not None
        return self.trials

    def run(self) -> Sweep:
        """Runs trials until the budget is spent, and chooses."""
        while (taken := on_main(self.accelerator, self._next)) is not None:
            outcome = self._run(taken)
            on_main(self.accelerator, partial(self._end, taken, outcome))
            self._give_up_after(outcome)
        choose(self.work, self.measure, self.trials)
        made = Sweep(self.place, on_main(self.accelerator, lambda: self._write(page=True)))
        for line in closing_lines(made.told, self.place):
            self.console.say(line)
        return made

    def _next(self) -> Begun | None:
        begun = self._study.take(self.console.say)
        if begun is not None:
            self._write()
        return begun

    def _run(self, begun: Begun) -> Outcome:
        folder = RunFolder(self.place / begun.folder)
        report = self.trials.report if self.trials is not None else lambda step, value, last: False
        try:
            resolved = of_trial(self.work, begun.settings, Path(begun.folder).name)
        except Exception as error:
            return Outcome("failed", error=error)
        try:
            return run_trial(folder, resolved, self.measure, self.accelerator, report)
        except Stopped as stopped:
            on_main(self.accelerator, self._let_go)
            raise Stopped(f"{stopped} ({self.place / begun.folder} is a trial.)", stopped.exit_code - 128) from None
        except BaseException:
            if self.trials is not None:
                self.trials.let_go()
            raise

    def _let_go(self) -> None:
        self._study.let_go()
        self._write()

    def _end(self, begun: Begun, outcome: Outcome) -> None:
        said = {} if outcome.error is None else {"error": _said(outcome.error)}
        if self._study.end(outcome.score, STATES[outcome.state], **outcome.told, **said):
            with self._study.lock:
                self._tidy(begun)
            self.console.say(self._line(begun, outcome))
        else:
            self.console.say(f"trial {begun.number}: another worker has taken it up, as if this one were gone.")
        self._write()

    def _tidy(self, ended: Begun) -> None:
        """Leaves the weights of the best trial alone on the disk."""
        if self.section.keep == "all":
            return
        best = best_first(self._study.all(), self.measure)[:1]
        kept = {trial.user_attrs["folder"] for trial in best}
        complete = [trial.user_attrs["folder"] for trial in self._study.all() if trial.state == TrialState.COMPLETE]
        for folder in {ended.folder, *complete} - kept:
            drop_weights(self.place / folder)

    def _give_up_after(self, outcome: Outcome) -> None:
        def hopeless() -> bool:
            ended = [trial for trial in begun(self._study.all()) if trial.state.is_finished()]
            return len(ended) >= AT_MOST and all(trial.state == TrialState.FAIL for trial in ended)

        if outcome.error is not None and on_main(self.accelerator, hopeless):
            self.console.say(f"The first {AT_MOST} trials or more have all failed: the sweep ends.")
            raise outcome.error

    def _line(self, trial: Begun, outcome: Outcome) -> str:
        every = self._study.all()
        ended = [each for each in begun(every) if each.state.is_finished()]
        most = self.section.most_trials or len([each for each in every if not is_interrupted(each)])
        seconds = [each.user_attrs.get("seconds", 0.0) for each in ended]
        settings = "  ".join(f"{key}={shown(value)}" for key, value in trial.settings.items())
        came = f"{self.measure.metric} {outcome.score:.4f}" if outcome.score is not None else outcome.state
        if outcome.error is not None:
            came = f"failed: {_said(outcome.error).splitlines()[0]}"
        own = every[trial.number].user_attrs.get("seconds", 0.0)
        best = best_first(every, self.measure)[:1]
        far = "".join(f"  best {each.value:.4f} (trial {each.number})" for each in best if each.value is not None)
        left = max(most - len(ended), 0) * sum(seconds) / len(seconds)
        if self.section.time_limit is not None:
            left = min(left or self.section.time_limit, max(self.section.time_limit - sum(seconds), 0))
        ahead = f", about {_minutes(left)} left" if left else ""
        return f"trial {trial.number} ({len(ended)}/{most})  {settings}  {came}{far}  {own:.0f} s{ahead}"

    def _write(self, page: bool = False) -> dict[str, Any]:
        with self._study.lock:
            told = told_of(self.recipe, self.work.given.recipe, self.measure, self._study)
            write_told(self.place, told)
            if page:
                write_page(self.place, told)
            return told


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, HfftError) else f"{type(error).__name__}: {error}"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
