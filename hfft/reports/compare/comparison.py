"""The comparison itself: every run beside the first, score by score, on the same examples."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hfft.metrics.intervals import NONE
from hfft.metrics.weighing import GROUPS, without_groups
from hfft.reports.compare.changes import changed, cost, machine_rows, right, setting_rows
from hfft.reports.compare.matching import Measure, choose_measure, choose_split, entry_of, require_same_examples
from hfft.reports.compare.result import Against, Side
from hfft.reports.compare.runs import Read, answered, extra_of, open_runs, task_of
from hfft.reports.compare.show import Comparison
from hfft.reports.compare.statistics import (
    MCNEMAR,
    Difference,
    Values,
    agreeing,
    difference,
    holm,
    mcnemar,
    swapped,
    tango,
)
from hfft.reports.compare.verdicts import ROUNDED, changed_since, covers, sentence, verdict, warnings_of
from hfft.tasks.scores import Scored, interval_entry


def compare(
    runs: Sequence[str | os.PathLike[str]],
    split: str | None = None,
    metrics: Sequence[str] | None = None,
    trust: bool = False,
) -> Comparison:
    """Compares finished runs on the same examples, from their folders; no weights are loaded.

    Args:
        runs: Run folders, two or more; the others are compared with the first. One of several seeds stands for the mean
            over them.
        split: The split whose answers are compared; by default `test`, else `eval`.
        metrics: The scores to compare, such as `f1` or `f1/positive`; the first decides. By default all that stand for
            the whole split; the one of `keep_best` decides, or the first.
        trust: Whether code that the recipes name may run.

    Raises:
        HfftError: A run is not finished, of another task, or answered other examples; or there is no such score.
    """
    opened = open_runs(runs)
    confidence = opened[0].recipe.eval.confidence
    chosen = choose_split(opened, split)
    named = [name for name in opened[0].recipe.eval.metrics if all(name in run.recipe.eval.metrics for run in opened)]
    read = [
        Read(run, task, given, [_values(each.scored) for each in given])
        for run in opened
        for task, extra in [(task_of(run, trust), extra_of(run, named, trust))]
        for given in [[answered(run, member, chosen, task, extra, confidence) for member in run.members]]
    ]
    notes = _require_same(chosen, read)
    measure = choose_measure(chosen, read, metrics, confidence)
    against = [_against(measure, read[0], other) for other in read[1:]]
    for one in read:
        values = [{name: scores[name].value for name in measure.metrics} for scores in one.scores]
        notes += changed_since(chosen, one.run, values)
    return Comparison(
        task=opened[0].recipe.task.name,
        split=chosen,
        examples=measure.examples,
        confidence=measure.confidence,
        headline=measure.headline,
        lower_is_better=[name for name in measure.metrics if measure.is_less(name)],
        runs=[_side(measure, one) for one in read],
        against=_judged(measure, against),
        notes=notes,
    )


def _values(scored: Scored) -> dict[str, Values]:
    count = len(scored.ids)
    parts = [part.over(without_groups(count), part.scores) for part in scored.weighted] if count > 1 else []
    alone = {name: values for part in parts for name, values in part.items()}
    nothing = np.full(min(count, GROUPS), np.nan)
    return {name: Values(value, alone.get(name, nothing)) for name, value in scored.scores.items()}


def _require_same(split: str, read: Sequence[Read]) -> list[str]:
    """Checks that all trainings answered the same examples, and says what is odd about them."""
    first = read[0].run, read[0].run.members[0], read[0].answered[0]
    notes: list[str] = []
    for one in read:
        for member, given in zip(one.run.members, one.answered, strict=True):
            notes += require_same_examples(split, first, (one.run, member, given))
    return list(dict.fromkeys(notes))


def _against(measure: Measure, first: Read, other: Read) -> Against:
    """A run beside the first; the verdict, which depends on how many runs there are, is still open."""
    paired = sorted(first.run.seeds) == sorted(other.run.seeds)
    exact = all(_is_exact(one) for one in (first, other))
    found = _differences(measure, first, other, paired, exact)
    names = [measure.headline, *measure.metrics, *first.scores[0]]
    telling = [name for name in dict.fromkeys(names) if measure.is_ranked(name)]
    less = frozenset(name for name in telling if measure.is_less(name))
    settings = setting_rows(first.run, other.run)
    return Against(
        name=other.run.name,
        differences=found,
        corrected_p=found[measure.headline].p,
        verdict=None,
        said="",
        covers=covers(first.run, other.run, paired),
        changed=changed(first.answered, other.answered, exact, telling, less),
        settings=settings,
        machine=machine_rows(first.run, other.run),
        warnings=warnings_of(measure, first.run, other.run, settings),
    )


def _differences(measure: Measure, first: Read, other: Read, paired: bool, exact: bool) -> dict[str, Difference]:
    sides = [_by_seed(one) if paired else one.scores for one in (first, other)]
    single = len(first.answered) == len(other.answered) == 1
    ways = swapped(first.answered[0].scored, other.answered[0].scored, measure.metrics) if single else {}
    found = {}
    for name in measure.metrics:
        mine, theirs = ([scores[name] for scores in side] for side in sides)
        found[name] = difference(
            name, mine, theirs, paired, measure.examples, measure.confidence, swapped=ways.get(name)
        )
    if exact and "accuracy" in found and single:
        pair = right(first.answered)[0], right(other.answered)[0]
        low, high = tango(*pair, measure.confidence)
        counted = replace(found["accuracy"], low=low, high=high, p=mcnemar(*pair), test=MCNEMAR)
        found["accuracy"] = agreeing(counted, measure.confidence)
    return found


def _by_seed(one: Read) -> list[dict[str, Values]]:
    return [one.scores[place] for place in np.argsort(one.run.seeds, kind="stable").tolist()]


def _is_exact(one: Read) -> bool:
    """Whether the accuracy of a run is how many answers are exactly the truth."""
    shares = right(one.answered).mean(1).tolist()
    return all(
        "accuracy" in scores and abs(scores["accuracy"].value - share) < ROUNDED
        for scores, share in zip(one.scores, shares, strict=True)
    )


def _judged(measure: Measure, against: Sequence[Against]) -> list[Against]:
    """The same with p values of the headline metric corrected for how many runs there are, and verdicts by them."""
    judged = []
    for one, p in zip(against, holm([one.corrected_p for one in against]), strict=True):
        found = one.differences[measure.headline]
        said = verdict(found, p, measure)
        text = sentence(one.name, said, found, p, measure, len(against))
        judged.append(replace(one, corrected_p=p, verdict=said, said=text))
    return judged


def _side(measure: Measure, one: Read) -> Side:
    """A run on the split that is compared."""
    made: dict[str, dict[str, Any]] = {}
    for name in measure.metrics:
        each = [scores[name] for scores in one.scores]
        made[name] = {"value": math.fsum(training.value for training in each) / len(each)}
        if len(each) == 1:
            made[name] |= interval_entry(one.answered[0].intervals.get(name, NONE))
        else:
            made[name]["values"] = [training.value for training in each]
        if entry_of(measure.split, one.run.results, name).get("selected"):
            made[name]["selected"] = True
    return Side(one.run.name, one.run.seeds, made, cost(one.run), str(one.run.folder.path))
