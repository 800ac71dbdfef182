"""What many runs say together: medians with their spread, ratios round by round, paired differences of accuracy."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from measure import Outcome

from hfft.metrics.intervals import percentiles, resamples

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """A number and how far it may be off; of what kind the ends are says the function that made it."""

    value: float
    low: float
    high: float


def median(values: Sequence[float]) -> Spread:
    """The median, with the smallest and the largest value."""
    return Spread(statistics.median(values), min(values), max(values))


def of_tool(outcomes: Sequence[Outcome], tool: str) -> list[Outcome]:
    """The runs of one tool, in the order of their seeds."""
    return sorted((outcome for outcome in outcomes if outcome.tool == tool), key=lambda outcome: outcome.seed)


def tools_of(outcomes: Sequence[Outcome]) -> list[str]:
    """The tools that have runs, in the order in which they first took their turn."""
    return list(dict.fromkeys(outcome.tool for outcome in outcomes))


def accuracy(outcomes: Sequence[Outcome], tool: str) -> Spread:
    """Mean accuracy over the seeds, with its interval (bootstrap over test examples)."""
    return _bootstrap(_correct(outcomes, tool))


def accuracy_difference(outcomes: Sequence[Outcome], tool: str, other: str) -> Spread:
    """Mean accuracy of `tool` less that of `other`, example by example, with its interval (bootstrap over examples)."""
    return _bootstrap(_correct(outcomes, tool) - _correct(outcomes, other))


def speed_ratio(outcomes: Sequence[Outcome], tool: str, other: str, seconds: Callable[[Outcome], float]) -> Spread:
    """How many times faster `tool` is than `other`: the median of the ratios of all rounds.

    Both runs of a round have the same seed and are near each other in time, so a machine that grows slower over the
    hours does not count.

    Args:
        outcomes: The same seeds for both tools.
        tool: The tool whose speed stands above the line.
        other: The one below it.
        seconds: Which clock to read.
    """
    pairs = zip(of_tool(outcomes, tool), of_tool(outcomes, other), strict=True)
    return median([seconds(theirs) / seconds(ours) for ours, theirs in pairs])


def summary(outcomes: Sequence[Outcome], tool: str) -> dict[str, Any]:
    """All that is said of one tool, as JSON has it."""
    runs = of_tool(outcomes, tool)
    device = [run.device_bytes for run in runs if run.device_bytes is not None]
    return {
        "tool": tool,
        "samples_per_second": asdict(median([run.samples_per_second for run in runs])),
        "seconds": asdict(median([run.seconds for run in runs])),
        "train_seconds": asdict(median([run.train_seconds for run in runs])),
        "whole_seconds": asdict(median([run.whole_seconds for run in runs])),
        "resident_bytes": asdict(median([run.resident_bytes for run in runs])),
        "device_bytes": asdict(median(device)) if device else None,
        "accuracy": asdict(accuracy(outcomes, tool)),
        "accuracies": [run.accuracy for run in runs],
    }


def comparison(outcomes: Sequence[Outcome], tool: str, other: str) -> dict[str, Any]:
    """All that is said of one tool beside another, as JSON has it."""
    return {
        "tool": tool,
        "beside": other,
        "speed_ratio": asdict(speed_ratio(outcomes, tool, other, lambda run: run.seconds)),
        "whole_speed_ratio": asdict(speed_ratio(outcomes, tool, other, lambda run: run.whole_seconds)),
        "accuracy_difference": asdict(accuracy_difference(outcomes, tool, other)),
    }


def _correct(outcomes: Sequence[Outcome], tool: str) -> np.ndarray:
    """`(examples,)`, the share of seeds with which the tool got each test example right."""
    return np.mean([run.correct for run in of_tool(outcomes, tool)], axis=0)


def _bootstrap(values: np.ndarray) -> Spread:
    means = np.concatenate([counts @ values / len(values) for counts in resamples(len(values))])
    return Spread(float(values.mean()), *percentiles(means, CONFIDENCE))
