"""The scores of a report: the numbers at its top, the table of all of them, runs of several seeds, and slices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any
from urllib.parse import quote

from hfft.metrics import LOWER_IS_BETTER, OTHER_AVERAGES
from hfft.metrics.intervals import WHY_NONE
from hfft.reports.html.numbers import NOTHING, domain_of, entry_cell, entry_strip, range_text, score_text
from hfft.reports.html.parts import Cell, Section, Table

Facts = Mapping[str, Any]

WHOLE, WEAKEST = 30, 15  # so many labels are shown at once; of more, so many of the weakest

OF_SEEDS = "over seeds, not over examples"

"""Scores of single labels of which more is worse."""


def headline(facts: Facts) -> list[dict[str, Any]]:
    """The score that matters most, to be shown in large figures, and the same score on the other splits."""
    if "headline" not in facts:
        return []
    first = facts["headline"]
    metric = first["metric"]
    cards = [_card(first, first["split"], metric, facts, first.get("examples"))]
    for split, scores in facts.get("scores", {}).items():
        if split != first["split"] and metric in scores:
            cards.append(_card(scores[metric], split, metric, facts, facts.get("examples", {}).get(split)))
    return cards


def _card(entry: Facts, split: str, metric: str, facts: Facts, examples: int | None) -> dict[str, Any]:
    """One score in large figures, and what stands below it."""
    between, seeds = range_text(entry, 3), facts.get("seeds")
    under = [f"mean of {len(seeds)} seeds"] if seeds else []
    under += [f"{_confidence(facts)}{f' ({OF_SEEDS})' if seeds else ''}: {between}"] if between else []
    under += [f"{examples:,} examples"] if examples else []
    return {
        "name": f"{metric} on {split}",
        "selected": entry.get("selected", False),
        "score": score_text(entry["value"], 3),
        "under": " · ".join(under),
        "strip": entry_strip(f"{split} {metric}", entry, domain_of([entry])),
    }


def scores_section(facts: Facts) -> Section | None:
    """All scores by metric, a column for each split."""
    scores = facts.get("scores")
    if not scores:
        return None
    metrics = list(dict.fromkeys(metric for found in scores.values() for metric in found))
    aside = [metric for metric in metrics if metric.endswith(OTHER_AVERAGES)]
    entries = [entry for found in scores.values() for entry in found.values()]
    lacking = any(entry.get("low") is None for entry in entries) and not facts.get("seeds")
    if facts.get("seeds"):
        lead = f"Means of {len(facts['seeds'])} seeds, with {_confidence(facts)} intervals of the mean {OF_SEEDS}."
    else:
        lead = f"With {_confidence(facts)} intervals over the examples."
    content = {
        "lead": lead,
        "table": _score_table(facts, [metric for metric in metrics if metric not in aside]),
        "aside": _score_table(facts, aside) if aside else None,
        "selected": any(entry.get("selected") for entry in entries),
        "why_none": WHY_NONE if lacking else "",
        "signatures": _signatures(facts),
    }
    return Section("scores", "Scores", "scores", content)


def _score_table(facts: Facts, metrics: Sequence[str]) -> Table:
    """A row for each metric, two columns for each split: the value with its interval, and its bar."""
    scores = facts["scores"]
    columns: list[str | Cell] = [""]
    for split in scores:
        count = facts.get("examples", {}).get(split)
        examples = f"{count:,} examples" if count is not None else ""
        columns += [Cell(split, badge=_mark(is_selected(facts, split)), small=examples), ""]
    rows = []
    for metric in metrics:
        domain = domain_of(found[metric] for found in scores.values() if metric in found)
        cells = []
        for split, found in scores.items():
            entry = found.get(metric)
            cells += [entry_cell(entry), Cell(strip=entry_strip(f"{split} {metric}", entry, domain))]
        rows.append((metric, *cells))
    return Table(columns, rows, "Scores by metric and split")


def _signatures(facts: Facts) -> Table | None:
    """How scores were computed, for other programs to do the same."""
    rows = [
        (f"{metric}, {split}", Cell(signature, code=True))
        for split, found in facts.get("signatures", {}).items()
        for metric, signature in found.items()
    ]
    return Table(("score", "signature"), rows, words=(0, 1)) if rows else None


def seeds_section(facts: Facts) -> Section | None:
    """The runs of several seeds, side by side, with their mean and spread."""
    seeds = facts.get("seeds")
    if not seeds:
        return None
    scores = [(split, found) for run in seeds for split, found in run["scores"].items()]
    pairs = dict.fromkeys((split, metric) for split, found in scores for metric in found)
    rows = []
    for split, metric in (pair for pair in pairs if not pair[1].endswith(OTHER_AVERAGES)):
        values = [run["scores"].get(split, {}).get(metric) for run in seeds]
        there = [value for value in values if value is not None]
        whole = [mean(there) if there else None, stdev(there) if len(there) > 1 else None]
        entry = facts.get("scores", {}).get(split, {}).get(metric, {})
        named = Cell(f"{split} {metric}", badge=_mark(entry.get("selected", False)))
        rows.append((named, *map(score_text, [*values, *whole])))
    titles = ("", *(_seed_title(run) for run in seeds), "mean", "spread (standard deviation)")
    content = {"best_by": facts.get("best_by"), "table": Table(titles, rows, "Scores by seed")}
    return Section("seeds", "Seeds", "seeds", content)


def _seed_title(run: Facts) -> Cell:
    """The name of a seed's run, with a link to its own report and a mark where it is the best."""
    best = "best" if run.get("best") else ""
    return Cell(f"seed {run['seed']}", link=quote(run.get("report", "")), badge=best)


def slices_part(slices: Sequence[Facts], id_: str, metric: str | None) -> Section:
    """The scores of parts of a split: by length, by label, by a column."""
    columns = dict.fromkeys(found["column"] for found in slices)
    tables = [_slice_table([found for found in slices if found["column"] == column], metric) for column in columns]
    return Section(id_, "Slices", "slices", {"tables": tables, "longest": WEAKEST})


def _slice_table(slices: Sequence[Facts], metric: str | None) -> Table:
    """A row for each part: examples, the first score with its bar, three others."""
    column = slices[0]["column"]
    metrics = list(
        dict.fromkeys(name for part in slices for name in part["scores"] if not name.endswith(OTHER_AVERAGES))
    )
    metrics.sort(key=lambda name: name != metric)
    titles, rows = _scored_rows([(part["value"], part["examples"], part["scores"]) for part in slices], metrics[:4])
    columns, words = (column, "examples", *titles), (0,)
    if any(part.get("failed") for part in slices):
        rows = [(*row, part.get("failed", "")) for row, part in zip(rows, slices, strict=True)]
        words, columns = (0, len(columns)), (*columns, "why it has no score")
    return Table(columns, rows, f"By {column}", words)


def _scored_rows(
    parts: Sequence[tuple[Any, int | None, Facts]], metrics: Sequence[str]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Titles and rows of a table of parts of a split, with a bar beside the first of the scores.

    Args:
        parts: The name of each, how many examples it has, and its scores.
        metrics: The scores to show.
    """
    if not metrics:
        return [], [(name, _count(examples)) for name, examples, _ in parts]
    first, *others = metrics
    domain = domain_of(scores[first] for _, _, scores in parts if scores.get(first))
    rows = [
        (
            name,
            _count(examples),
            entry_cell(scores.get(first), 3),
            Cell(strip=entry_strip(f"{name}, {first}", scores.get(first), domain)),
            *(entry_cell(scores.get(metric), 3) for metric in others),
        )
        for name, examples, scores in parts
    ]
    return [first, "", *others], rows


def labels_part(labels: Sequence[Facts], id_: str) -> Section:
    """The scores of single labels, the weakest first, with their intervals as bars."""
    metrics = list(dict.fromkeys(name for row in labels for name in row if name not in ("label", "examples")))
    metrics.sort(key=lambda name: name != "f1")
    sign = -1 if metrics and metrics[0] in LOWER_IS_BETTER else 1
    ordered = sorted(labels, key=lambda row: _value(row.get(metrics[0]), sign) if metrics else 0.0)
    shown = ordered if len(ordered) <= WHOLE else ordered[:WEAKEST]
    everything = sorted(labels, key=lambda row: str(row["label"]).lower())
    content = {
        "count": len(labels),
        "weakest": len(shown),
        "table": _label_table(shown, metrics, "Scores by label, the weakest first"),
        "all": _label_table(everything, metrics, "Scores by label, by name"),
    }
    return Section(id_, "By label", "labels", content)


def _label_table(labels: Sequence[Facts], metrics: Sequence[str], caption: str) -> Table:
    """A row for each label: examples, the first score with its bar, the other scores."""
    titles, rows = _scored_rows([(row["label"], row.get("examples"), row) for row in labels], metrics)
    return Table(("label", "examples", *titles), rows, caption)


def is_selected(facts: Facts, split: str) -> bool:
    """Whether weights or thresholds were chosen on a split."""
    ece = facts.get("splits", {}).get(split, {}).get("calibration", {}).get("ece", {})
    entries = [*facts.get("scores", {}).get(split, {}).values(), ece]
    return any(entry.get("selected") for entry in entries)


def _mark(selected: bool) -> str:
    """The word beside a score that runs high."""
    return "selected" if selected else ""


def _confidence(facts: Facts) -> str:
    """The confidence of the intervals in percent."""
    return f"{100 * facts.get('confidence', 0.95):g}%"


def _count(examples: int | None) -> str:
    return NOTHING if examples is None else f"{examples:,}"


def _value(entry: Facts | None, sign: int) -> float:
    """What to order by; labels without a score come first."""
    return -math.inf if entry is None or entry["value"] is None else sign * entry["value"]
