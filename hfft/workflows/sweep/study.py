"""The study of Optuna that a sweep's trials stand in: who takes which, whose worker is gone, what came of each.

Several workers, on one machine or many, share a study through its storage. The main process of each speaks to it.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from filelock import BaseFileLock, FileLock, Timeout
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from hfft.errors import SetupError
from hfft.io.run_folder import RunFolder, alone_in
from hfft.recipe.sweep import SweepSection, Values, without_password

BEAT = 20.0  # seconds after which a worker shows again that it lives

GRACE = 120.0  # seconds without such a sign after which a worker of another machine counts as gone

DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Begun:
    """A trial that this worker has taken."""

    number: int
    settings: dict[str, Any]
    folder: str  # within the sweep's


@contextmanager
def open_storage(section: SweepSection, journal: Path) -> Iterator[BaseStorage]:
    """Opens what keeps the study, while inside: a database, or a file in the sweep's folder.

    Raises:
        SetupError: The database cannot be reached.
    """
    if section.storage is None:
        path = str(journal.absolute())
        lock = JournalFileOpenLock(path)
        _drop_half_a_line(journal, lock)
        yield JournalStorage(JournalFileBackend(path, lock_obj=lock))
        return
    shown = without_password(section.storage)
    try:
        storage = RDBStorage(section.storage, engine_kwargs={"pool_pre_ping": True})
    except Exception as error:  # whatever SQLAlchemy and the driver come up with
        cause = str(error.__cause__ or error).splitlines()[0].replace(section.storage, shown)
        raise SetupError(
            f"sweep.storage is {shown}, which cannot be opened: {cause}. Look whether its server runs, and whether its "
            "driver is installed: for postgresql+psycopg:// that is pip install 'psycopg[binary]'."
        ) from None
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _drop_half_a_line(journal: Path, lock: JournalFileOpenLock) -> None:
    """Cuts off what a machine that went down has left behind the last whole line of the journal."""
    if not journal.exists():
        return
    lock.acquire()
    try:
        content = journal.read_bytes()
        if content and not content.endswith(b"\n"):
            os.truncate(journal, content.rfind(b"\n") + 1)
    finally:
        lock.release()


def open_study(
    storage: BaseStorage, name: str, direction: Literal["minimize", "maximize"], pruner: str
) -> optuna.Study:
    """Opens a study, or begins it."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made: BasePruner = {
        "none": NopPruner,
        "median": MedianPruner,
        "asha": lambda: SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
        "hyperband": lambda: HyperbandPruner(min_resource=1, reduction_factor=3),
    }[pruner]()
    return optuna.create_study(study_name=name, storage=storage, direction=direction, pruner=made, load_if_exists=True)


def distribution_of(values: Values) -> BaseDistribution:
    """What Optuna draws from. Choices are written as JSON: it takes plain values alone."""
    if values.kind == "choice":
        return CategoricalDistribution([json.dumps(choice) for choice in values.choices or []])
    low, high = values.low or 0, values.high or 0
    if values.kind == "int":
        return IntDistribution(int(low), int(high), log=values.log, step=int(values.step or 1))
    return FloatDistribution(float(low), float(high), log=values.log, step=values.step)


def settings_of(trial: FrozenTrial, space: Mapping[str, Values]) -> dict[str, Any]:
    """The settings of a trial, as a recipe has them; those that were drawn before its worker ended."""
    return {
        key: json.loads(trial.params[key]) if values.kind == "choice" else trial.params[key]
        for key, values in space.items()
        if key in trial.params
    }


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

    def end(self, value: float | None, state: TrialState, **told: Any) -> None:
        """Says what came of the trial at work, and lets go of it."""
        assert self.current is not None
        with self.lock:
            self.holding.close()
            for key, item in told.items():
                self.current.set_user_attr(key, item)
            self.study.tell(self.current, value, state=state)
        self.current = None

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
        except (ValueError, optuna.exceptions.UpdateFinishedTrialError):  # another worker was faster
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
        """Whether the worker of a running trial is still there: on this machine by the lock of the folder."""
        if worker_of(trial).rpartition("-")[0] == socket.gethostname():
            held = _is_held(self.place / trial.user_attrs.get("folder", ""))
            if held is not None:
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
