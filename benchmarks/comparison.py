"""What many runs say together: medians with their spread, ratios round by round, paired differences of scores."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from measure import Outcome

from hfft.metrics.classification import quotient
from hfft.metrics.intervals import percentiles
from hfft.metrics.weighing import resamples

CONFIDENCE = 0.95
WeightedMean = Callable[[np.ndarray], np.ndarray]


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


def score(outcomes: Sequence[Outcome], tool: str) -> Spread:
    """Mean score over the seeds, with its interval (bootstrap over test examples)."""
    return _bootstrap(_mean_score(outcomes, tool), _examples(outcomes))


def score_difference(outcomes: Sequence[Outcome], tool: str, other: str) -> Spread:
    """Mean score of `tool` less that of `other` on the same test examples, with its interval (bootstrap over them)."""
    mine, theirs = _mean_score(outcomes, tool), _mean_score(outcomes, other)
    return _bootstrap(lambda counts: mine(counts) - theirs(counts), _examples(outcomes))


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
        "metric": runs[0].scored.metric,
        "score": asdict(score(outcomes, tool)),
        "scores": [run.scored.value for run in runs],
    }


def comparison(outcomes: Sequence[Outcome], tool: str, other: str) -> dict[str, Any]:
    """All that is said of one tool beside another, as JSON has it."""
    return {
        "tool": tool,
        "beside": other,
        "speed_ratio": asdict(speed_ratio(outcomes, tool, other, lambda run: run.seconds)),
        "whole_speed_ratio": asdict(speed_ratio(outcomes, tool, other, lambda run: run.whole_seconds)),
        "metric": outcomes[0].scored.metric,
        "score_difference": asdict(score_difference(outcomes, tool, other)),
    }


def _mean_score(outcomes: Sequence[Outcome], tool: str) -> WeightedMean:
    """The mean over the seeds of a tool's score, from how often each example counts, `(resamples, examples)`."""
    runs = of_tool(outcomes, tool)
    correct = np.array([run.scored.correct for run in runs], dtype=float).T
    out_of = np.array([run.scored.out_of for run in runs], dtype=float).T
    return lambda counts: quotient(counts @ correct, counts @ out_of).mean(1)


def _examples(outcomes: Sequence[Outcome]) -> int:
    return len(outcomes[0].scored.correct)


def _bootstrap(mean: WeightedMean, examples: int) -> Spread:
    drawn = np.concatenate([mean(counts) for counts in resamples(examples)])
    return Spread(float(mean(np.ones((1, examples)))[0]), *percentiles(drawn, CONFIDENCE))
