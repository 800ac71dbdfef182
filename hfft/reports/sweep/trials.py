"""What `sweep.json` tells, as trials in the order of their scores, and settings as people type them."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hfft.recipe.space import as_yaml
from hfft.reports.html.charts import tick_text
from hfft.reports.html.numbers import range_text, score_text

STATES = ("complete", "pruned", "failed", "interrupted", "running")


@dataclass(frozen=True)
class Trial:
    """A trial as its page shows it.

    Attributes:
        number: From 0.
        state: One of `STATES`.
        settings: By the dotted names of the space.
        score: Of the eval split; of a pruned trial the last there was. None where there is none.
        told: All that `sweep.json` tells of it.
    """

    number: int
    state: str
    settings: Mapping[str, Any]
    score: float | None
    told: Mapping[str, Any]

    @property
    def entry(self) -> dict[str, float | None]:
        """The score with its interval."""
        return {"value": self.score, "low": self.told.get("low"), "high": self.told.get("high")}


@dataclass(frozen=True)
class Sweep:
    """A sweep, told by `sweep.json`."""

    told: Mapping[str, Any]

    @cached_property
    def trials(self) -> list[Trial]:
        """All trials, by number."""
        trials = [
            Trial(one["number"], one["state"], one.get("settings") or {}, _score(one), one)
            for one in self.told.get("trials") or ()
        ]
        return sorted(trials, key=lambda trial: trial.number)

    @cached_property
    def ranked(self) -> list[Trial]:
        """The complete trials that have a score, the best first."""
        scored = [trial for trial in self.trials if trial.state == "complete" and trial.score is not None]
        return sorted(scored, key=lambda trial: (trial.score or 0.0) * (1 if self.less_is_better else -1))

    @cached_property
    def best(self) -> Trial | None:
        """The trial that was chosen; before that, the one with the best score."""
        chosen = next((trial for trial in self.trials if trial.number == self.chosen.get("number")), None)
        return chosen or next(iter(self.ranked), None)

    @cached_property
    def unchanged(self) -> Trial | None:
        """The best of the complete trials whose settings are what the recipe has."""
        own = {key: setting_text(value) for key, value in self.recipe_values.items()}
        texts = ((trial, {key: setting_text(value) for key, value in trial.settings.items()}) for trial in self.ranked)
        return next((trial for trial, found in texts if found and found.items() <= own.items()), None)

    @property
    def recipe_values(self) -> Mapping[str, Any]:
        """What the recipe has for the settings of the space."""
        return self.told.get("recipe_values") or {}

    @property
    def space(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings that were searched, with their ranges or choices."""
        return self.told.get("space") or {}

    @property
    def metric(self) -> str:
        """The score of the eval split that trials are told apart by."""
        return self.told["metric"]

    @property
    def less_is_better(self) -> bool:
        """Whether the best score is the lowest."""
        return self.told.get("direction") == "minimize"

    @property
    def counts(self) -> str:
        """How many trials there are, by state."""
        states = states_text(trial.state for trial in self.trials)
        return f"{len(self.trials)} trial{'' if len(self.trials) == 1 else 's'}{f' ({states})' if states else ''}"

    @property
    def chosen(self) -> Mapping[str, Any]:
        """What is told of the chosen settings; empty before there are any."""
        return self.told.get("chosen") or {}

    @property
    def word(self) -> str:
        """What the trial is that stands for the sweep."""
        return "chosen" if self.chosen else "best"

    def badge(self, number: int) -> str:
        """The word that sets the trial that stands for the sweep apart from the others."""
        return self.word if self.best is not None and self.best.number == number else ""

    def finalist(self, number: int) -> Mapping[str, Any] | None:
        """What several seeds gave with the settings of a trial; None where it is not among the best few."""
        return next((one for one in self.told.get("finalists") or () if one["number"] == number), None)


def states_text(states: Iterable[str]) -> str:
    """How many trials are in each state.

    >>> states_text(["failed", "complete", "complete"])
    '2 complete, 1 failed'
    """
    found = Counter(states)
    return ", ".join(f"{found[state]} {state}" for state in STATES if found[state])


def _score(told: Mapping[str, Any]) -> float | None:
    """A trial's score; where it was pruned, that of its last evaluation."""
    score, evaluations = told.get("score"), told.get("evaluations")
    if score is None and told["state"] == "pruned" and evaluations:
        score = evaluations[-1][1]
    return score if score is not None and math.isfinite(score) else None


def setting_text(value: Any) -> str:
    """A setting's value, as short as people write it.

    >>> [setting_text(value) for value in (0.00021449, 0.85, 12, True, None, "adamw", {"head": 1e-3})]
    ['2.1e-4', '0.85', '12', 'true', 'null', 'adamw', '{head: 0.001}']
    """
    if isinstance(value, float) and math.isfinite(value):
        return tick_text(float(f"{value:.{3 if abs(value) >= 1e-3 else 2}g}"))
    return value if isinstance(value, str) else as_yaml(value)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings in one line."""
    return ", ".join(f"{key}={setting_text(value)}" for key, value in settings.items())


def overrides(settings: Mapping[str, Any]) -> list[str]:
    """Settings with all their digits, as a shell takes them behind the name of a recipe.

    >>> print(*overrides({"optim.lr": 0.00021449, "model.head": {"dropout": None}, "model.revision": "12"}))
    optim.lr=0.00021449 'model.head={dropout: null}' 'model.revision='"'"'12'"'"''
    """
    return [shlex.quote(f"{key}={as_yaml(value)}") for key, value in settings.items()]


def entry_text(entry: Mapping[str, Any]) -> str:
    """A score with its interval, in a sentence.

    >>> entry_text({"value": 0.5, "low": 0.25, "high": 0.75})
    '0.5000 (0.2500 to 0.7500)'
    """
    between = range_text(entry)
    return f"{score_text(entry['value'])}{f' ({between})' if between else ''}"
