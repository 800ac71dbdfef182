"""What a reader is told of a split before all else: the weakest label, mistakes, labels that look wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hfft.metrics import LOWER_IS_BETTER
from hfft.reports.html.numbers import range_text, score_text

Rows = Sequence[Mapping[str, Any]]

NAMED = 3  # labels that are equally weak, at most


def said(text: str, see: str) -> dict[str, str]:
    """A sentence of the findings, and the heading below which there is more of it."""
    return {"text": text, "see": see}


def label_metrics(rows: Rows) -> list[str]:
    """The scores of single labels, the one first by which they are ranked: f1 where there is one."""
    names = dict.fromkeys(name for row in rows for name in row if name not in ("label", "examples"))
    return sorted(names, key=lambda name: name != "f1")


def worst_first(rows: Iterable[Any], entry_of: Callable[[Any], Any], metric: str | None) -> list[Any]:
    """Rows by a score of theirs, the worst first; those without it come before all.

    Args:
        rows: Of any kind.
        entry_of: Gives the entry of a row with its `value`, or None.
        metric: The score.
    """
    sign = -1 if metric in LOWER_IS_BETTER else 1

    def place(row: Any) -> float:
        entry = entry_of(row)
        return float("-inf") if entry is None or entry["value"] is None else sign * entry["value"]

    return sorted(rows, key=place)


def weakest_label(rows: Rows) -> list[dict[str, str]]:
    """Names the label with the worst score; nothing where there is one label alone, or all are alike."""
    metric = next(iter(label_metrics(rows)), "")
    known = [row for row in rows if (row.get(metric) or {}).get("value") is not None]
    if len({row[metric]["value"] for row in known}) < 2:
        return []
    worst = worst_first(known, lambda row: row[metric], metric)[0][metric]
    names = [str(row["label"]) for row in known if row[metric]["value"] == worst["value"]]
    if len(names) == 1:
        return [said(f"Weakest: {names[0]} ({_scored(metric, worst)}).", "By label")]
    told = ", ".join(names) if len(names) <= NAMED else f"{len(names)} labels"
    return [said(f"Weakest: {told} ({metric} {score_text(worst['value'], 2)}).", "By label")]


def weaker_part(slices: Rows, metric: str, whole: Mapping[str, Any]) -> list[dict[str, str]]:
    """Names the worst part of a split, where its interval lies wholly on the bad side of the score of the split."""
    sign = -1 if metric in LOWER_IS_BETTER else 1
    near_end = "low" if sign < 0 else "high"
    clear = [
        part
        for part in slices
        if (entry := part["scores"].get(metric)) is not None
        and entry.get(near_end) is not None
        and sign * entry[near_end] < sign * whole["value"]
    ]
    for part in worst_first(clear, lambda part: part["scores"][metric], metric)[:1]:
        told = f"{part['column']} {part['value']} ({_scored(metric, part['scores'][metric])})"
        return [said(f"Weaker than the whole: {told}.", "Slices")]
    return []


def mistakes(count: int, total: int, see: str) -> dict[str, str]:
    """How many answers are wrong.

    >>> mistakes(11, 180, "Mistakes")["text"], mistakes(0, 180, "Right answers")["text"]
    ('11 mistakes of 180.', 'No mistake in 180 answers.')
    """
    some = f"{count:,} mistake{'' if count == 1 else 's'} of {total:,}."
    return said(some if count else f"No mistake in {total:,} answers.", see)


def share(count: int, total: int, what: str, one: str, several: str, see: str) -> list[dict[str, str]]:
    """Of how many of all something is true; nothing where it is of none.

    >>> share(2, 9, "entities", "is missed", "are missed", "By label")[0]["text"]
    '2 of 9 entities are missed.'
    """
    return [said(f"{count:,} of {total:,} {what} {one if count == 1 else several}.", see)] if count else []


def _scored(metric: str, entry: Mapping[str, Any]) -> str:
    between = range_text(entry, 2)
    return f"{metric} {score_text(entry['value'], 2)}{f'; {between}' if between else ''}"
