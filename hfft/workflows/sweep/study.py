"""The study of Optuna that a sweep's trials stand in: who takes which, whose worker is gone, what came of each.

Several workers, on one machine or many, share a study through its storage. The main process of each speaks to it.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import BaseFileLock, FileLock, Timeout
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from hfft.io.run_folder import RunFolder, alone_in
from hfft.recipe.sweep import SweepSection
from hfft.workflows.sweep.storage import distribution_of, settings_of

BEAT = 20.0  # seconds after which a worker shows again that it lives

GRACE = 120.0  # seconds without such a sign after which a worker of another machine counts as gone

TAKEN_UP = (ValueError, optuna.exceptions.UpdateFinishedTrialError)  # what Optuna raises where another was faster


@dataclass(frozen=True)
class Begun:
    """A trial that this worker has taken."""

    number: int
    settings: dict[str, Any]
    folder: str  # within the sweep's


class Trials:
    """The trials of a sweep as one worker sees and takes them. For the main process alone.

    Args:
        place: The sweep's folder.
        section: What is tried.
        study: It may be shared with other workers.
        lock: Of the folder, by which its workers take turns.
    """

    def __init__(self, place: Path, section: SweepSection, study: optuna.Study, lock: BaseFileLock):
        self.place, self.section, self.study = place, section, study
        self.distributions = {key: distribution_of(values) for key, values in section.space.items()}
        self.worker = f"{socket.gethostname()}-{os.getpid()}"
        self.lock = lock
        self.seen: dict[int, tuple[Any, float]] = {}
        self.holding = ExitStack()
        self.current: optuna.Trial | None = None

    def all(self) -> list[FrozenTrial]:
        """All trials, those that wait too."""
        return self.study.get_trials(deepcopy=False)

    def mend(self) -> None:
        """Puts back what a worker that was killed had in its hands at that very moment."""
        trials = self.all()
        again = {trial.user_attrs.get("retry_of") for trial in trials}
        for trial in trials:
            if is_interrupted(trial) and trial.number not in again:
                self._enqueue_again(trial)

    def take(self, said: Any) -> Begun | None:
        """Takes the next trial, and waits where others run some that may be left to take up; None where all is done.

        Args:
            said: Is told, once, what is waited for.
        """
        told = False
        while True:
            with self.lock:
                for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                    if not self._lives(trial):
                        self._put_back(trial)
                trials = self.all()
                if self._time_left(trials) and (self._waits(trials) or self._room(trials)):
                    return self._take(len(trials))
                running = [trial for trial in trials if trial.state == TrialState.RUNNING]
            if not running:
                return None
            if not told:
                said(f"Waiting for {', '.join(f'trial {trial.number} ({worker_of(trial)})' for trial in running)}")
                told = True
            time.sleep(min(BEAT, 2.0))

    def _waits(self, trials: list[FrozenTrial]) -> bool:
        return any(trial.state == TrialState.WAITING for trial in trials)

    def _room(self, trials: list[FrozenTrial]) -> bool:
        """Whether one more may be drawn. Of a grid all wait from the beginning."""
        most = self.section.most_trials
        return self.section.method != "grid" and (most is None or len(begun(trials)) < most)

    def _time_left(self, trials: list[FrozenTrial]) -> bool:
        limit = self.section.time_limit
        return limit is None or seconds_of(trials) < limit

    def fill_grid(self, points: list[dict[str, Any]]) -> None:
        """Has all points of a grid wait that are not there yet."""
        space = self.section.space
        known = [settings_of(trial, space) for trial in self.all()]
        for point in points[: self.section.most_trials]:
            if point not in known:
                params = {key: json.dumps(v) if space[key].kind == "choice" else v for key, v in point.items()}
                self._enqueue(params, self.distributions, {}, {})

    def _take(self, count: int) -> Begun:
        self.study.sampler = self._sampler(count)
        trial = self.study.ask(self.distributions)
        frozen = self.study.get_trials(deepcopy=False)[trial.number]
        folder = frozen.user_attrs.get("folder") or f"trials/{trial.number:04d}"
        trial.set_user_attr("folder", folder)
        trial.set_user_attr("worker", self.worker)
        self.current = trial
        self.holding.enter_context(alone_in(RunFolder(self.place / folder)))
        self.holding.enter_context(_pulse(trial))
        return Begun(trial.number, settings_of(self.all()[trial.number], self.section.space), folder)

    def _sampler(self, count: int) -> BaseSampler:
        """Draws the trial of this number: what it draws hangs on the trials before, not on who asks, or how often."""
        seed = int(np.random.SeedSequence([self.section.seed, count]).generate_state(1)[0])
        return TPESampler(seed=seed) if self.section.method == "tpe" else RandomSampler(seed=seed)

    def report(self, step: int, value: float, last: bool) -> bool:
        """Notes an evaluation of the trial at work; says whether it is to end early."""
        assert self.current is not None
        known = self.current.user_attrs.get("evaluations", [])
        if step not in [before for before, _ in known]:  # a resumed run may make one again
            known = [*known, [step, value]]
            self.current.set_user_attr("evaluations", known)
            self.current.report(value, len(known))
        return not last and self.current.should_prune()

    def end(self, value: float | None, state: TrialState, **told: Any) -> bool:
        """Says what came of the trial at work, and lets go of it; False where another worker has taken it up."""
        assert self.current is not None
        trial, self.current = self.current, None
        with self.lock:
            self.holding.close()
            try:
                for key, item in told.items():
                    trial.set_user_attr(key, item)
                self.study.tell(trial, value, state=state)
            except TAKEN_UP:
                return False
        return True

    def let_go(self) -> None:
        """Puts the trial at work back, for whoever is next."""
        if self.current is not None:
            with self.lock:
                self.holding.close()
                self._put_back(self.all()[self.current.number])
            self.current = None

    def _put_back(self, trial: FrozenTrial) -> None:
        """Has the trial of a worker that is gone wait once more, under another number; it goes on in its folder."""
        try:
            self.study.tell(trial.number, state=TrialState.FAIL)
        except TAKEN_UP:
            return
        self._enqueue_again(trial)

    def _enqueue_again(self, trial: FrozenTrial) -> None:
        attributes = {key: trial.user_attrs[key] for key in ("folder", "evaluations") if key in trial.user_attrs}
        attributes["retry_of"] = trial.number
        self._enqueue(trial.params, trial.distributions, attributes, trial.intermediate_values)

    def _enqueue(
        self,
        params: dict[str, Any],
        distributions: dict[str, BaseDistribution],
        attributes: dict[str, Any],
        values: dict[int, float],
    ) -> None:
        self.study.add_trial(
            optuna.create_trial(
                state=TrialState.WAITING,
                params=params,
                distributions={key: distributions[key] for key in params},
                user_attrs=attributes,
                intermediate_values=values,
            )
        )

    def _lives(self, trial: FrozenTrial) -> bool:
        """Whether the worker of a running trial is still there: by the lock of its folder, on other machines by beats.

        Not every disk that machines share has locks that hold over them.
        """
        held = _is_held(self.place / trial.user_attrs["folder"]) if "folder" in trial.user_attrs else None
        if held or (held is False and worker_of(trial).rpartition("-")[0] == socket.gethostname()):
            return held
        beat, now = trial.user_attrs.get("seconds"), time.monotonic()
        before, since = self.seen.get(trial.number, (None, now))
        if trial.number not in self.seen or before != beat:
            self.seen[trial.number] = beat, now
            return True
        return now - since < GRACE


def _is_held(folder: Path) -> bool | None:
    """Whether a process is at work in a run folder; None where nobody can tell."""
    if not folder.is_dir():
        return None
    lock = FileLock(RunFolder(folder).lock, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return None
    lock.release()
    return False


@contextmanager
def _pulse(trial: optuna.Trial) -> Iterator[None]:
    """Notes again and again how long the trial has run, by which others see that its worker lives."""
    began, over = time.monotonic(), threading.Event()

    def note() -> None:
        with suppress(Exception):  # the storage is out of reach for a while, say
            trial.set_user_attr("seconds", round(time.monotonic() - began, 1))

    def beat() -> None:
        while not over.wait(BEAT):
            note()
        trial.storage.remove_session()  # of this thread

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        note()


def worker_of(trial: FrozenTrial) -> str:
    """Who runs a trial: HOST-PROCESS."""
    return trial.user_attrs.get("worker", "")


def is_interrupted(trial: FrozenTrial) -> bool:
    """Whether a trial was cut off: it goes on under another number."""
    return trial.state == TrialState.FAIL and "error" not in trial.user_attrs


def begun(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that count as tried, but for those that wait."""
    return [trial for trial in trials if trial.state != TrialState.WAITING and not is_interrupted(trial)]


def seconds_of(trials: list[FrozenTrial]) -> float:
    """How long all trials have run."""
    return sum(trial.user_attrs.get("seconds", 0.0) for trial in trials)
