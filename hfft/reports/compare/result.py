"""What a comparison finds of each run, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from hfft.reports.compare.changes import Changed, Row
from hfft.reports.compare.statistics import Difference


@dataclass(frozen=True)
class Side:
    """A run on the split that is compared.

    Attributes:
        name: Of the run.
        seeds: Of its trainings.
        scores: By metric: `value`, the mean over the seeds, with `low` and `high` of a single one; `values`, a seed
            each; `selected` where weights or thresholds were chosen on this split.
        cost: Steps, seconds of training, samples a second, parameters; of several seeds the mean.
        folder: Where it lies.
    """

    name: str
    seeds: list[int]
    scores: dict[str, dict[str, Any]]
    cost: dict[str, Any]
    folder: str = ""


@dataclass(frozen=True)
class Against:
    """A run beside the first.

    Attributes:
        name: Of the run.
        differences: By metric, in order.
        corrected_p: The p value of the headline metric, corrected for the number of comparisons.
        verdict: "better", "worse", "no difference", or "cannot be said" where p is not known; None where neither more
            nor less of the headline is better.
        said: The verdict as a sentence.
        covers: What the intervals cover.
        changed: The examples on which the two differ.
        settings: In what their recipes and training data differ: key, first, other.
        machine: In what their versions and machines differ.
        warnings: What makes the comparison doubtful.
    """

    name: str
    differences: dict[str, Difference]
    corrected_p: float
    verdict: str | None
    said: str
    covers: str
    changed: Changed
    settings: list[Row]
    machine: list[Row]
    warnings: list[str] = field(default_factory=list)


def plain(value: Any) -> Any:
    """Values for JSON: null where a number is not finite."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
