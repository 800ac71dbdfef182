"""Verdicts on differences, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hfft.reports.compare.changes import SEEDS, Row
from hfft.reports.compare.matching import Measure, entry_of
from hfft.reports.compare.runs import Run
from hfft.reports.compare.statistics import Difference

BETTER, WORSE, ALIKE, UNKNOWN = "better", "worse", "no difference", "cannot be said"


def verdict(found: Difference, corrected_p: float, measure: Measure) -> str | None:
    """What may be said of a run beside the first: "better", "worse", "no difference", or that it "cannot be said".

    That is where p is not known. Of a score of which neither more nor less is better nothing is: None.
    """
    if not measure.is_ranked(found.metric):
        return None
    if math.isnan(corrected_p):
        return UNKNOWN
    if not found.value or corrected_p > 1 - measure.confidence:
        return ALIKE
    return BETTER if (found.value < 0) == measure.is_less(found.metric) else WORSE


def sentence(name: str, said: str | None, found: Difference, corrected_p: float, measure: Measure, count: int) -> str:
    """The verdict as a sentence, with the numbers it rests on.

    Args:
        name: Of the run.
        said: From `verdict`.
        found: The difference of the headline metric.
        corrected_p: Its p value, corrected.
        measure: What the runs are compared by.
        count: Of how many comparisons this is one.
    """
    these = "this one example" if measure.examples == 1 else f"these {measure.examples} examples"
    told = {
        BETTER: f"{name} is better",
        WORSE: f"{name} is worse",
        ALIKE: f"{name}: no difference that {these} can show",
        UNKNOWN: f"{name}: whether it is better cannot be said, for how {found.metric} varies by chance is unknown",
        None: f"{name}: neither more nor less of {found.metric} is better, so there is no verdict",
    }[said]
    correction = f", corrected for {count} comparisons (Holm)" if count > 1 else ""
    interval = "" if math.isnan(found.low) else f" ({found.low:+.4f} to {found.high:+.4f})"
    return f"{told}: {found.metric} {found.value:+.4f}{interval}, p {p_text(corrected_p)} by {found.test}{correction}."


def p_text(p: float) -> str:
    """A p value for people, with what stands before it.

    >>> p_text(0.0312), p_text(0.5), p_text(1e-9), p_text(float("nan"))
    ('= 0.031', '= 0.50', '< 0.0001', 'unknown')
    """
    if math.isnan(p):
        return "unknown"
    return "< 0.0001" if p < 0.0001 else f"= {p:.2f}" if p >= 0.1 else f"= {p:.2g}"


def covers(first: Run, other: Run, paired: bool) -> str:
    """What the intervals of a comparison cover."""
    counts = len(first.seeds), len(other.seeds)
    if counts == (1, 1):
        return (
            "The intervals cover the draw of the examples. They do not cover the draw of the seeds: each side is one "
            "training, and another seed would move its scores too (train.seeds trains several)."
        )
    how = "seed by seed" if paired else f"the mean of {counts[0]} against that of {counts[1]}, taken to spread alike"
    return f"The intervals cover the draw of the examples and that of the seeds, {how}."


def warnings_of(measure: Measure, first: Run, other: Run, settings: Sequence[Row]) -> list[str]:
    """What makes a comparison doubtful: scores that run high, and settings that cannot be told apart."""
    found, split = [], measure.split
    chosen = [
        run.name
        for run in (first, other)
        if any(entry_of(split, run.results, metric).get("selected") for metric in measure.metrics)
    ]
    if chosen:
        found.append(
            f"Weights or thresholds of {' and '.join(chosen)} were chosen on the {split} split: scores there run high."
        )
    keys = [key for key, *_ in settings if key != SEEDS]
    if len(keys) > 1:
        found.append(
            f"{other.name} differs from {first.name} in {len(keys)} settings ({', '.join(keys)}): a difference cannot "
            "be laid to any one of them."
        )
    return found


def changed_since(split: str, run: Run, scores: Sequence[dict[str, float]]) -> list[str]:
    """Says where the predictions do not give the scores that the run wrote down.

    Args:
        split: Whose.
        run: The run.
        scores: Computed from its predictions: of each training, by metric.
    """
    for member, found in zip(run.members, scores, strict=True):
        for name, value in found.items():
            told = entry_of(split, member.results, name).get("value")
            if told is not None and abs(told - value) > ROUNDED * max(1, abs(told)):
                return [
                    f"The predictions of {run.name} give a {name} of {value:.4f}, its results.json says {told:.4f}: "
                    "one of the files, or what scores are computed with, was changed after the run."
                ]
    return []


ROUNDED = 1e-6  # scores that differ by less are the same
