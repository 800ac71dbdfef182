"""What keeps the study of a sweep: a journal in its folder, or a database; and how a space is told to Optuna."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial

from hfft.errors import SetupError
from hfft.recipe.sweep import SweepSection, Values, without_password


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
