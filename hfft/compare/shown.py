"""A comparison on the screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hfft.compare.words import p_text
from hfft.errors import shortened
from hfft.screen import Screen

if TYPE_CHECKING:  # which imports this file
    from hfft.compare.changed import Changed
    from hfft.compare.result import Comparison, Side

FEW = 5  # examples
WIDE = 110  # characters of a text

COSTS = {
    "steps": ("steps", "{:.0f}"),
    "learning_parameters": ("parameters that learn", "{:,}"),
    "parameters": ("of", "{:,}"),
    "train_seconds": ("seconds of training", "{:.0f}"),
    "samples_per_second": ("samples/s", "{:.0f}"),
}
"""What is told of the cost: its name for people, and how it is written."""


def show(found: Comparison, screen: Screen) -> None:
    """Prints a comparison: for each run a table of differences, the verdict, what changed, what differs; the cost."""
    first = found.runs[0]
    screen.say(f"{found.task}, {found.split}: {found.examples} examples, beside {first.name}{_seeds(first)}")
    for number, (side, one) in enumerate(zip(found.runs[1:], found.against, strict=True)):
        screen.say()
        columns = ("", first.name, one.name, "difference", f"{100 * found.confidence:g}% interval", "p, not corrected")
        screen.table(f"{one.name}{_seeds(side)} against {first.name}", columns, _marked_rows(found, number))
        screen.say(one.said)
        screen.say(counts_said(one.changed, first.name, one.name))
        screen.say(one.covers)
        for warning in one.warnings:
            screen.say(f"Warning: {warning}")
        _show_rows("Settings that differ", one.settings, (first.name, one.name), screen)
        _show_rows("Versions and machine", one.machine, (first.name, one.name), screen)
        _show_examples(one.changed, first.name, one.name, screen)
    screen.say()
    rows = cost_rows(found.runs)
    if rows:
        screen.table("Cost", ("", *(side.name for side in found.runs)), rows)
    for note in found.notes:
        screen.say(f"Note: {note}")


def difference_rows(found: Comparison, number: int) -> dict[str, list[str]]:
    """A row for each metric: its name for people, both values, the difference, its interval, its p value.

    The headline comes first.

    Args:
        found: The comparison.
        number: Of the run beside the first, from 0.
    """
    one = found.against[number]
    rows = {}
    for name in sorted(one.differences, key=lambda name: name != found.headline):
        each = one.differences[name]
        interval = "" if math.isnan(each.low) else f"{each.low:+.4f} to {each.high:+.4f}"
        marks = [" (less is better)"] if name in found.lower_is_better else []
        numbers = [f"{each.first:.4f}", f"{each.other:.4f}", f"{each.value:+.4f}", interval]
        rows[name] = [f"{name}{''.join(marks)}", *numbers, p_text(each.p).removeprefix("= ")]
    return rows


def _marked_rows(found: Comparison, number: int) -> list[list[str]]:
    """The same, with a mark at each score by which weights or thresholds were chosen."""
    sides = (found.runs[0], found.runs[number + 1])
    rows = difference_rows(found, number)
    for name, row in rows.items():
        for column, side in enumerate(sides, start=1):
            row[column] += " (selected)" if side.scores[name].get("selected") else ""
    return list(rows.values())


def counts_said(changed: Changed, first: str, other: str) -> str:
    """How many examples each run has right alone, or answered better, as a sentence."""
    if changed.by == "right":
        both = f"Only {first} is right on {changed.first} examples, only {other} on {changed.other}"
        return f"{both}; alike: {changed.same}."
    if not changed.by:
        return "No score is defined for a single example: which answers are better cannot be said."
    return (
        f"{first} answers {changed.first} examples better, {other} {changed.other}; alike: {changed.same} (by the "
        f"{changed.by} of each example alone)."
    )


def cost_rows(runs: Sequence[Side]) -> list[list[str]]:
    """What the runs took, a row each; what none of them tells is left out."""
    return [
        [title, *(form.format(side.cost[name]) if name in side.cost else "" for side in runs)]
        for name, (title, form) in COSTS.items()
        if any(name in side.cost for side in runs)
    ]


def worded(value: Any) -> str:
    """A plain value for people, on one line: a text as it is, several inputs one after the other."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return " | ".join(" ".join(part.split()) for part in value)
    if value is None:
        return "-"
    return " ".join(str(value).split())


def _show_rows(title: str, rows: Sequence[tuple[str, Any, Any]], names: tuple[str, str], screen: Screen) -> None:
    if rows:
        cells = [[key, *(shortened(worded(value), WIDE // 2) for value in values)] for key, *values in rows]
        screen.table(title, ("", *names), cells)


def _show_examples(changed: Changed, first: str, other: str, screen: Screen) -> None:
    shown = changed.examples[:FEW]
    more = "; --json and --html have more" if len(shown) < len(changed.examples) else ""
    if shown:
        screen.say(f"Some of the examples that changed ({len(shown)}{more}):")
    for example in shown:
        better = other if example["better"] == "other" else first
        screen.say(f"  {example['id']}: {shortened(worded(example['input']), WIDE)}")
        answers = f"{first}: {worded(example['first'])}; {other}: {worded(example['other'])}"
        screen.say(
            f"     truth {shortened(worded(example['truth']), WIDE)}; {shortened(answers, WIDE)}; better: {better}"
        )


def _seeds(side: Side) -> str:
    return f" (mean over the seeds {', '.join(map(str, side.seeds))})" if len(side.seeds) > 1 else ""
