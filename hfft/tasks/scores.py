"""Scores of a split: the values with their intervals, tables of them, and the headline metric."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from hfft.data.findings import Finding
from hfft.data.label_values import unknown_of
from hfft.io.console import Console
from hfft.metrics import OTHER_AVERAGES
from hfft.metrics.intervals import NONE, WHY_NONE, Interval, intervals
from hfft.metrics.weighing import Scores, Weighted, repeated
from hfft.tasks.answers import Answer, Notes, is_answered

if TYPE_CHECKING:  # which brings torch
    from hfft.tasks.task import Task

OWN = "The task's own"  # how a failure of the task itself begins

ExtraMetric = Callable[[list[Any], list[Any]], Mapping[str, float]]


@dataclass(frozen=True)
class Measured:
    """Scores by name, and what each metric that failed has raised, by its name."""

    scores: Scores = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, measure: Callable[[], Mapping[str, float]]) -> None:
        """Takes the finite ones of the scores that `measure` gives; what it raises is noted under `name`."""
        try:
            self.scores.update((name, value) for name, value in measure().items() if math.isfinite(value))
        except Exception as error:  # whatever a metric of somebody else's raises: no run is lost by it
            self.failed[name] = _said(error)


@dataclass(frozen=True)
class Scored:
    """The answers to a split, in the order of the ids, and what they are worth."""

    task: Task
    ids: list[int]
    answers: list[Answer]
    truths: list[Any]
    extra: Sequence[ExtraMetric] = ()
    given: Measured | None = None  # what the main process has measured

    @cached_property
    def labelled(self) -> tuple[list[Answer], list[Any]]:
        """Answers and truths of the examples that have both: those that can be scored."""
        pairs = enumerate(zip(self.answers, self.truths, strict=True))
        rows = [row for row, (answer, truth) in pairs if truth is not None and is_answered(answer)]
        return [self.answers[row] for row in rows], [self.truths[row] for row in rows]

    @property
    def answered(self) -> int:
        """How many examples have an answer."""
        return sum(map(is_answered, self.answers))

    @property
    def scores(self) -> Scores:
        """The task's scores and those of the further metrics, by name; none that is no finite number.

        Empty where no example has a truth and an answer. A metric that fails has none.
        """
        return self.measured.scores

    @cached_property
    def measured(self) -> Measured:
        """The scores, and what became of the metrics that failed."""
        if self.given is not None:
            return self.given
        if not self.labelled[1]:
            return Measured()
        measured = Measured()
        measured.add(f"{OWN} score", lambda: self.task.compute_metrics(*self.labelled))
        for metric in self.extra:
            measured.add(_name_of(metric), partial(_values, metric, *self.labelled))
        return measured

    def warnings(self, split: str) -> list[str]:
        """What is wrong with the answers or with a metric: counted rows without an answer, metrics that failed."""
        errors = Counter(answer["error"] for answer in self.answers if not is_answered(answer))
        text = "have no answer and are not scored"
        found = [Finding("unanswered", split, n, len(self.ids), f"{text}: {why}") for why, n in errors.items()]
        failed = [f"{what} failed and is missing: {why}" for what, why in self.measured.failed.items()]
        return [*map(str, found), *failed]

    def notes(self, split: str) -> Notes:
        """What people should know of the answers beside their scores."""
        if not self.labelled[1]:
            return Notes()
        try:
            return self.task.notes(split, *self.labelled)
        except Exception as error:  # whatever a task of somebody else's raises
            self.measured.failed[f"{OWN} notes"] = _said(error)
            return Notes()

    def intervals(self, confidence: float) -> dict[str, Interval]:
        """The interval of each score; none where the task's own code for it fails."""
        try:
            return {name: found for part in self.weighted for name, found in intervals(part, confidence).items()}
        except Exception as error:  # whatever a task of somebody else's raises
            self.measured.failed[f"{OWN} weighted scores"] = _said(error)
            return {}

    @cached_property
    def weighted(self) -> list[Weighted]:
        """The scores of weighted examples: the task's, and those of each further metric."""
        extra = [repeated(partial(_values, metric), *self.labelled) for metric in self.extra]
        return [self.task.weighted(*self.labelled), *extra]

    def rows(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The rows of the predictions file.

        Args:
            inputs: What was asked, an input for each answer; None for one that cannot be shown.
        """
        return [
            {"id": number, **({} if asked is None else {"input": asked}), **answer, "truth": truth, **_unknown(truth)}
            for number, asked, answer, truth in zip(self.ids, inputs, self.answers, self.truths, strict=True)
        ]


def _values(metric: ExtraMetric, answers: Sequence[Answer], truths: Sequence[Any]) -> Scores:
    plain = [answer["answer"] for answer in answers]
    return {name: float(value) for name, value in metric(plain, list(truths)).items()}


def _name_of(metric: ExtraMetric) -> str:
    name = getattr(metric, "setting", None) or getattr(metric, "__qualname__", type(metric).__name__)
    return f"The metric '{name}'"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _unknown(truth: Any) -> dict[str, list[str]]:
    unknown = unknown_of(truth)
    return {"unknown": list(unknown)} if unknown else {}


Table = dict[str, dict[str, Any]]


def score_table(found: Scored, confidence: float, selected: bool = False) -> tuple[Table, dict[str, Table]]:
    """Values with intervals: `{"value", "low", "high", "interval"}` by metric, and those of labels by label and metric.

    `interval` says how low and high were computed; all three are None where there is no interval.

    Args:
        found: A scored split.
        confidence: Of the intervals.
        selected: Whether weights or thresholds were chosen on this split: each entry then says so.
    """
    intervals = found.intervals(confidence) if found.scores else {}
    whole: Table = {}
    by_label: dict[str, Table] = {}
    for name, value in found.scores.items():
        entry = {"value": value, **interval_entry(intervals.get(name, NONE))}
        entry |= {"selected": True} if selected else {}
        metric, slash, label = name.partition("/")
        if slash:
            by_label.setdefault(label, {})[metric] = entry
        else:
            whole[name] = entry
    return whole, by_label


def headline_metric(metrics: Collection[str], watched: str | None = None, unranked: Collection[str] = ()) -> str | None:
    """The metric that counts most: the one that is watched, else the first, but f1 where that is precision.

    >>> headline_metric(["precision", "recall", "f1"]), headline_metric(["precision", "recall", "f1"], "recall")
    ('f1', 'recall')

    Args:
        metrics: Those there are, in their order.
        watched: That of `keep_best`, if any.
        unranked: Those of which neither more nor less is better.

    Returns:
        Its name; None where there is none.
    """
    ranked = [name for name in metrics if name not in unranked] or list(metrics)
    if watched is not None and watched in ranked:
        return watched
    alone = ranked[:1] == ["precision"] and "f1" in ranked  # which says little without recall
    return "f1" if alone else next(iter(ranked), None)


def headline(
    results: Mapping[str, Any], watched: str | None = None, splits: Iterable[str] = ("test", "eval")
) -> tuple[str, str] | None:
    """The split and the metric that a run is named by; None where none of the splits has a score.

    Args:
        results: As results.json has them.
        watched: That of `keep_best`, if any.
        splits: The one to take first, first.
    """
    split = next((name for name in splits if results.get(name)), None)
    metric = None if split is None else headline_metric(results[split], watched)
    return None if split is None or metric is None else (split, metric)


def interval_entry(found: Interval) -> dict[str, Any]:
    """An interval as results.json has it."""
    low, high = (None if found.method is None else end for end in (found.low, found.high))
    return {"low": low, "high": high, "interval": found.method}


def interval_text(entry: Mapping[str, Any]) -> str:
    """The interval of a score, `0.8889 to 0.9611`; an empty text where it has none."""
    return "" if entry["low"] is None else f"{entry['low']:.4f} to {entry['high']:.4f}"


def show_scores(title: str, tables: Mapping[str, Table], confidence: float, console: Console) -> None:
    """Prints the scores of each split.

    Where one has no interval, it is said why.

    Args:
        title: Stands above the table.
        tables: By split, as `score_table` gives them first.
        confidence: Of the intervals.
        console: Where to.
    """
    rows = [
        (f"{split} {metric}", f"{entry['value']:.4f}", interval_text(entry), note)
        for split, table in tables.items()
        for metric, entry in table.items()
        if console.verbose or not metric.endswith(OTHER_AVERAGES)  # the files have them all
        for note in ["selected" if entry.get("selected") else ""]
    ]
    if rows:
        console.table(title, ("", "value", f"{100 * confidence:g}% interval", ""), rows)
    if not all(interval for _, _, interval, _ in rows):
        console.say(WHY_NONE)
    if any(row[-1] for row in rows):
        console.say("selected: weights or thresholds were chosen on this split, so the score runs high")
