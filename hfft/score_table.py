"""Scores with their intervals: as results.json has them, and as people see them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from hfft.metrics.intervals import NONE, WHY_NONE, Interval
from hfft.scoring import Scored
from hfft.screen import Screen

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


def show_scores(title: str, tables: Mapping[str, Table], confidence: float, screen: Screen) -> None:
    """Prints the scores of each split.

    Where one has no interval, it is said why.

    Args:
        title: Stands above the table.
        tables: By split, as `score_table` gives them first.
        confidence: Of the intervals.
        screen: Where to.
    """
    rows = [
        (f"{split} {metric}", f"{entry['value']:.4f}", interval_text(entry), note)
        for split, table in tables.items()
        for metric, entry in table.items()
        if screen.verbose or not metric.endswith(("_micro", "_weighted"))  # the files have them all
        for note in ["selected" if entry.get("selected") else ""]
    ]
    if rows:
        screen.table(title, ("", "value", f"{100 * confidence:g}% interval", ""), rows)
    if not all(interval for _, _, interval, _ in rows):
        screen.say(WHY_NONE)
    if any(row[-1] for row in rows):
        screen.say("selected: weights or thresholds were chosen on this split, so the score runs high")
