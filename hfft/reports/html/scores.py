"""The scores of a report: the numbers at its top, the table of all of them, runs of several seeds, and slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any
from urllib.parse import quote

from hfft.metrics import OTHER_AVERAGES
from hfft.metrics.intervals import WHY_NONE
from hfft.reports.html.numbers import axis_of, entry_cell, entry_strip, limit_of, range_text, score_text
from hfft.reports.html.parts import Axis, Cell, Section, Table
from hfft.reports.in_short import label_metrics, worst_first

Facts = Mapping[str, Any]

WHOLE, WEAKEST = 12, 10  # so many labels are shown at once; of more, so many of the weakest

OF_SEEDS = "over seeds, not over examples"


def headline(facts: Facts) -> list[dict[str, Any]]:
    """The score that matters most, to be shown in large figures, and the same score on the other splits."""
    if "headline" not in facts:
        return []
    first = facts["headline"]
    metric, examples = first["metric"], facts.get("examples", {})
    shown = [(first["split"], first, first.get("examples"))]
    for split, scores in facts.get("scores", {}).items():
        if split != first["split"] and metric in scores:
            shown.append((split, scores[metric], examples.get(split)))
    axis = axis_of(entry for _, entry, _ in shown)
    return [_card(split, entry, facts, count, axis) for split, entry, count in shown]


def _card(split: str, entry: Facts, facts: Facts, examples: int | None, axis: Axis | None) -> dict[str, Any]:
    """One score in large figures, and what stands below it."""
    metric = facts["headline"]["metric"]
    between, seeds = range_text(entry, 3), facts.get("seeds")
    under = [f"mean of {len(seeds)} seeds"] if seeds else []
    under += [f"{_confidence(facts)}{f' ({OF_SEEDS})' if seeds else ''}: {between}"] if between else []
    under += [_count(examples)] if examples else []
    return {
        "name": f"{metric} on {split}",
        "why_selected": why_selected(facts, split) if entry.get("selected") else "",
        "score": score_text(entry["value"], 3),
        "under": " · ".join(under),
        "axis": axis,
        "strip": entry_strip(f"{split} {metric}", {"": entry}, axis) if axis is not None else None,
    }


def why_selected(facts: Facts, split: str) -> str:
    """What was chosen on a split, and what that does to its scores."""
    where, _, metric = facts.get("best_by", "").partition(" ")
    of = f" ({facts['weights']})" if facts.get("weights") else ""
    chosen = f"the weights kept{of} are those with the best {metric} on {split}" if where == split else ""
    return f"{chosen or f'thresholds or weights were chosen on {split}'}, so its scores run high"


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
        "selected": [why_selected(facts, split) for split in scores if is_selected(facts, split)],
        "why_none": WHY_NONE if lacking else "",
        "signatures": _signatures(facts),
    }
    return Section("scores", "Scores", "scores", content)


def _score_table(facts: Facts, metrics: Sequence[str]) -> Table:
    """A row for each metric: its value on each split with its interval, and all of them as dots on one axis."""
    scores = facts["scores"]
    columns: list[str | Cell] = [""]
    for number, split in enumerate(scores):
        count = facts.get("examples", {}).get(split)
        columns.append(Cell(split, badge=_mark(is_selected(facts, split)), small=_count(count), key=number))
    rows = {metric: {split: found.get(metric) for split, found in scores.items()} for metric in metrics}
    on_axis = _alike(rows, facts.get("headline", {}).get("metric"))
    axis = axis_of(entry for metric in on_axis for entry in rows[metric].values())
    cells = [
        (metric, *map(entry_cell, row.values()), _dots(metric, row, axis if metric in on_axis else None))
        for metric, row in rows.items()
    ]
    return Table([*columns, Cell(axis=axis)], cells, "Scores by metric and split")


def _alike(rows: Mapping[str, Mapping[str, Any]], metric: str | None) -> list[str]:
    """The scores with an axis in common with that of the headline, else with the first: all shares, or percents."""
    limits = {name: limit_of(row.values()) for name, row in rows.items()}
    first = metric if metric in rows else next(iter(rows), None)
    return [name for name in rows if name == first or (limits[name] and limits[name] == limits.get(first or ""))]


def _dots(title: str, entries: Mapping[str, Facts | None], axis: Axis | None) -> Cell | str:
    """The cell with the dots of a row; nothing where it has none."""
    there = axis is not None and any(entry and entry["value"] is not None for entry in entries.values())
    return Cell(strip=entry_strip(title, entries, axis)) if axis is not None and there else ""


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
    """The scores of parts of a split: by length, by a column."""
    columns = dict.fromkeys(found["column"] for found in slices)
    tables = [_slice_table([found for found in slices if found["column"] == column], metric) for column in columns]
    return Section(id_, "Slices", "slices", {"tables": tables, "longest": WEAKEST}, folded=True)


def _slice_table(slices: Sequence[Facts], metric: str | None) -> Table:
    """A row for each part, the worst first: examples, the first score with its dots, two others."""
    column = slices[0]["column"]
    metrics = list(
        dict.fromkeys(name for part in slices for name in part["scores"] if not name.endswith(OTHER_AVERAGES))
    )
    metrics.sort(key=lambda name: name != metric)
    first = next(iter(metrics), None)
    ordered = worst_first(slices, lambda part: part["scores"].get(first), first)
    titles, rows = _scored_rows([(part["value"], part["examples"], part["scores"]) for part in ordered], metrics[:3])
    columns, words = (column, *titles), (0,)
    if any(part.get("failed") for part in slices):
        rows = [(*row, part.get("failed", "")) for row, part in zip(rows, ordered, strict=True)]
        words, columns = (0, len(columns)), (*columns, "why it has no score")
    return Table(columns, rows, f"By {column}, the worst first", words)


def _scored_rows(
    parts: Sequence[tuple[Any, int | None, Facts]], metrics: Sequence[str]
) -> tuple[list[str | Cell], list[tuple[Any, ...]]]:
    """Titles and rows of a table of parts of a split, with dots beside the first of the scores.

    Args:
        parts: The name of each, how many examples it has, and its scores.
        metrics: The scores to show.
    """
    if not metrics:
        return [], [(Cell(str(name), small=_count(examples)),) for name, examples, _ in parts]
    first, *others = metrics
    axis = axis_of(scores.get(first) for _, _, scores in parts)
    rows = [
        (
            Cell(str(name), small=_count(examples)),
            entry_cell(scores.get(first), 3),
            _dots(f"{name}, {first}", {"": scores.get(first)}, axis),
            *(entry_cell(scores.get(metric), 3) for metric in others),
        )
        for name, examples, scores in parts
    ]
    return [first, Cell(axis=axis), *others], rows


def labels_part(labels: Sequence[Facts], id_: str) -> Section:
    """The scores of single labels, the weakest first, with their intervals as dots and bars."""
    metrics = label_metrics(labels)
    first = next(iter(metrics), None)
    ordered = worst_first(labels, lambda row: row.get(first), first)
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
    """A row for each label: examples, the first score with its dots, the other scores."""
    titles, rows = _scored_rows([(row["label"], row.get("examples"), row) for row in labels], metrics)
    return Table(("label", *titles), rows, caption)


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
    return "" if examples is None else f"{examples:,} example{'' if examples == 1 else 's'}"
