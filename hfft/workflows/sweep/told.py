"""sweep.json: all that is known of a sweep, as plain values; and sweep.html, which is made of it alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from hfft.io.run_folder import write_json, write_text
from hfft.recipe import Recipe
from hfft.recipe.sweep import SweepSection, Values
from hfft.reports.sweep import page
from hfft.workflows.sweep.storage import settings_of
from hfft.workflows.sweep.study import Trials, is_interrupted, worker_of

STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.RUNNING: "running"}

FEWEST = 6  # complete trials of which importance is told


@dataclass(frozen=True)
class Measure:
    """What trials are compared by.

    Attributes:
        metric: Of the eval split.
        less: Whether less of it is better.
        examples: Rows of the eval split that are scored.
        rows: Their fingerprint.
    """

    metric: str
    less: bool
    examples: int
    rows: str

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """As Optuna calls it."""
        return "minimize" if self.less else "maximize"


def told_of(recipe: Recipe, complete: Recipe, measure: Measure, trials: Trials) -> dict[str, Any]:
    """All that is known now.

    Args:
        recipe: With its `sweep` section.
        complete: What its own values are, defaults too.
        measure: What trials are compared by.
        trials: Of the study.
    """
    section, every = recipe.sweep or SweepSection(), trials.all()
    attributes = trials.study.user_attrs
    flat = complete.model_dump(mode="json")
    return {
        "name": recipe.name,
        "task": recipe.task.name,
        "model": recipe.model.shown,
        "metric": measure.metric,
        "direction": measure.direction,
        "method": section.method,
        "pruner": None if section.pruner == "none" else section.pruner,
        "space": {key: _values(values) for key, values in section.space.items()},
        "budget": {"trials": _most(section), "seconds": section.time_limit},
        "eval_examples": measure.examples,
        "recipe_values": {key: value for key in section.space if (value := _value_at(flat, key)) is not None},
        "trials": [_trial(trial, section.space) for trial in every if trial.state != TrialState.WAITING],
        "importance": _importance(trials.study, every, section),
        "finalists": attributes.get("finalists", []),
        "chosen": attributes.get("chosen"),
        "warnings": attributes.get("warnings", []),
    }


def write_told(place: Path, told: dict[str, Any]) -> None:
    """Writes sweep.json whole."""
    write_json(place / "sweep.json", told)


def write_page(place: Path, told: dict[str, Any]) -> None:
    """Writes sweep.html."""
    write_text(place / "sweep.html", page(told))


def best_first(trials: Sequence[FrozenTrial], measure: Measure) -> list[FrozenTrial]:
    """The complete trials, the best first; of equal ones the earlier."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return sorted(complete, key=lambda trial: (trial.value or 0.0) * (1 if measure.less else -1))


def _trial(trial: FrozenTrial, space: Mapping[str, Values]) -> dict[str, Any]:
    known, started = trial.user_attrs, trial.datetime_start
    state = "interrupted" if is_interrupted(trial) else STATES.get(trial.state, "failed")
    return {
        "number": trial.number,
        "state": state,
        "settings": settings_of(trial, space),
        "score": trial.value,
        "low": known.get("low"),
        "high": known.get("high"),
        "evaluations": known.get("evaluations", []),
        "steps": known.get("steps"),
        "seconds": known.get("seconds"),
        "started": None if started is None else started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "folder": known.get("folder"),
        "worker": worker_of(trial) or None,
        "retry_of": known.get("retry_of"),
        "error": known.get("error"),
    }


def _values(values: Values) -> dict[str, Any]:
    if values.kind == "choice":
        return {"kind": "choice", "choices": values.choices}
    stepped = {} if values.step is None else {"step": values.step}
    return {"kind": values.kind, "low": values.low, "high": values.high, "log": values.log, **stepped}


def _most(section: SweepSection) -> int | None:
    if section.method != "grid":
        return section.most_trials
    size = math.prod(len(values.few or []) for values in section.space.values())
    return min(section.trials or size, size)


def _value_at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _importance(study: optuna.Study, trials: list[FrozenTrial], section: SweepSection) -> dict[str, float] | None:
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    several = [key for key in section.space if len({trial.params.get(key) for trial in complete}) > 1]
    if len(complete) < FEWEST or not several or len({trial.value for trial in complete}) < 2:
        return None
    found = optuna.importance.get_param_importances(study, params=several)
    return {key: float(value) for key, value in found.items()}
