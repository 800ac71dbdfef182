"""What a sweep gives: its trials, the chosen settings, and what to say of them."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfft.recipe.space import as_yaml
from hfft.reports.sweep import page
from hfft.reports.sweep.trials import states_text
from hfft.tasks.scores import interval_text


@dataclass(frozen=True)
class Sweep:
    """A sweep as far as it has come.

    Attributes:
        folder: Of the sweep.
        told: What sweep.json says.
    """

    folder: Path
    told: dict[str, Any]

    @property
    def trials(self) -> list[dict[str, Any]]:
        """Of each trial its number, state, settings, score, folder and more, in the order of their beginning."""
        return self.told["trials"]

    @property
    def best(self) -> dict[str, Any]:
        """The chosen settings by their dotted keys; empty where none are chosen yet."""
        return dict((self.told["chosen"] or {}).get("settings", {}))

    @property
    def recipe(self) -> Path:
        """The recipe with the chosen settings, for `hfft.train`."""
        return self.folder / "best.yaml"

    @property
    def scores(self) -> dict[str, Any]:
        """Of the chosen one, by split, then metric: `{"value", "low", "high"}`."""
        chosen = self.told["chosen"] or {}
        return {split: chosen[split] for split in ("eval", "test") if chosen.get(split)}

    def __repr__(self) -> str:
        return "\n".join(closing_lines(self.told, self.folder))

    def _repr_html_(self) -> str:
        """What a notebook shows of it: its page."""
        return f'<iframe srcdoc="{html.escape(page(self.told))}" style="width:100%;height:48em;border:0"></iframe>'


def closing_lines(told: Mapping[str, Any], folder: Path) -> list[str]:
    """What has come of a sweep: trials by state, the chosen settings, their scores and what each is worth."""
    states = states_text(trial["state"] for trial in told["trials"])
    chosen, metric = told["chosen"], told["metric"]
    first = f"Sweep '{told['name']}': {states or 'no trials yet'}"
    if chosen is None:
        return [f"{first}; none is chosen yet. Folder: {folder}"]
    settings = " ".join(f"{key}={shown(value)}" for key, value in chosen["settings"].items())
    lines = [first, f"Best: trial {chosen['number']}, {settings}"]
    several = [each for each in told["finalists"] if each["number"] == chosen["number"]]
    over = f", mean over seeds {', '.join(map(str, several[0]['seeds']))}" if several else ""
    lines.append(
        f"eval {_score(metric, chosen['eval'][metric])}{over}: the best of many on rows that chose it: it flatters"
    )
    test = chosen.get("test")
    if test and metric in test:
        lines.append(f"test {_score(metric, test[metric])}: of rows that chose nothing, the score to quote")
    else:
        lines.append("There is no test split, and so no score to quote: name one by data.test or data.files.test.")
    return [*lines, f"Recipe: {folder / chosen['recipe']}; model: {folder / chosen['folder'] / 'model'}"]


def shown(value: Any) -> str:
    """A value of a setting, in few digits."""
    return f"{value:.3g}" if isinstance(value, float) else as_yaml(value)


def _score(metric: str, entry: Mapping[str, Any]) -> str:
    interval = interval_text(entry)
    return f"{metric} {entry['value']:.4f}{f' ({interval})' if interval else ''}"
