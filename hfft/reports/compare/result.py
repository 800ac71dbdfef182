"""What a comparison finds, as plain data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
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
    """

    name: str
    seeds: list[int]
    scores: dict[str, dict[str, Any]]
    cost: dict[str, Any]


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


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other; the first is what the others are measured by.

    Attributes:
        task: Of all of them.
        split: Whose examples are compared.
        examples: How many have a truth.
        confidence: Of the intervals.
        headline: The metric that verdicts go by.
        lower_is_better: The compared metrics of which less is better.
        runs: In the order given.
        against: All but the first, beside it.
        notes: What there is to say of all of them.
    """

    task: str
    split: str
    examples: int
    confidence: float
    headline: str
    lower_is_better: list[str]
    runs: list[Side]
    against: list[Against]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """The comparison as plain values; null where a number is not defined."""
        return _plain(asdict(self))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
