"""A comparison on the screen and as a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hfft.errors import shortened
from hfft.io.console import Console
from hfft.reports.compare.changes import Changed
from hfft.reports.compare.forest import forest
from hfft.reports.compare.result import Comparison, Side
from hfft.reports.compare.verdicts import p_text
from hfft.reports.html.chart_series import Strip, strip
from hfft.reports.html.markup import filled
from hfft.reports.html.parts import Cell, Figure, Section, Table
from hfft.tasks.scores import interval_text

FEW = 5  # examples

WIDE = 110  # characters of a text

COSTS = {
    "steps": ("steps", "{:.0f}"),
    "parameters": ("parameters", "{:,}"),
    "learning_parameters": ("of these learn", "{:,}"),
    "train_seconds": ("seconds of training", "{:.0f}"),
    "samples_per_second": ("samples/s", "{:.0f}"),
}
"""What is told of the cost: its name for people, and how it is written."""


def show(found: Comparison, console: Console) -> None:
    """Prints a comparison: for each run a table of differences, the verdict, what changed, what differs; the cost."""
    first = found.runs[0]
    console.say(f"{found.task}, {found.split}: {found.examples} examples, beside {first.name}{_seeds(first)}")
    for number, (side, one) in enumerate(zip(found.runs[1:], found.against, strict=True)):
        console.say()
        columns = ("", first.name, one.name, "difference", f"{100 * found.confidence:g}% interval", "p, not corrected")
        console.table(f"{one.name}{_seeds(side)} against {first.name}", columns, _marked_rows(found, number))
        console.say(one.said)
        console.say(counts_said(one.changed, first.name, one.name))
        console.say(one.covers)
        for warning in one.warnings:
            console.say(f"Warning: {warning}")
        _show_rows("Settings that differ", one.settings, (first.name, one.name), console)
        _show_rows("Versions and machine", one.machine, (first.name, one.name), console)
        _show_examples(one.changed, first.name, one.name, console)
    console.say()
    rows = cost_rows(found.runs)
    if rows:
        console.table("Cost", ("", *(side.name for side in found.runs)), rows)
    for remark in found.notes:
        console.say(f"Note: {remark}")


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


def _show_rows(title: str, rows: Sequence[tuple[str, Any, Any]], names: tuple[str, str], console: Console) -> None:
    if rows:
        cells = [[key, *(shortened(worded(value), WIDE // 2) for value in values)] for key, *values in rows]
        console.table(title, ("", *names), cells)


def _show_examples(changed: Changed, first: str, other: str, console: Console) -> None:
    shown = changed.examples[:FEW]
    more = "; --json and --html have more" if len(shown) < len(changed.examples) else ""
    if shown:
        console.say(f"Some of the examples that changed ({len(shown)}{more}):")
    for example in shown:
        better = other if example["better"] == "other" else first
        console.say(f"  {example['id']}: {shortened(worded(example['input']), WIDE)}")
        answers = f"{first}: {worded(example['first'])}; {other}: {worded(example['other'])}"
        console.say(
            f"     truth {shortened(worded(example['truth']), WIDE)}; {shortened(answers, WIDE)}; better: {better}"
        )


def _seeds(side: Side) -> str:
    return f" (mean over the seeds {', '.join(map(str, side.seeds))})" if len(side.seeds) > 1 else ""


def comparison_page(found: Comparison) -> str:
    """The page of a comparison."""
    first = found.runs[0].name
    names = ", ".join(one.name for one in found.against)
    return filled(
        "comparison.html",
        title="Comparison of runs",
        kind=found.task,
        lead=f"{names} beside {first}, on the same {found.examples} examples of the {found.split} split.",
        sections=[_overview(found), *(_section(found, number) for number in range(len(found.against))), _cost(found)],
        against=found.against,
        notes=found.notes,
    )


def _overview(found: Comparison) -> Section:
    bars = [(one.name, one.differences[found.headline]) for one in found.against]
    chart = forest(bars, found.headline, found.runs[0].name, found.confidence)
    less = found.headline in found.lower_is_better
    caption = f"{found.headline} less that of {found.runs[0].name}{'; less is better' if less else ''}"
    rows = [
        [name, *(_number(side.scores[name]) for side in found.runs)]
        for name in sorted(found.runs[0].scores, key=lambda name: name != found.headline)
    ]
    content = {
        "figure": Figure(chart, caption=caption),
        "covers": list(dict.fromkeys(one.covers for one in found.against)),
        "scores": Table(["", *(side.name for side in found.runs)], rows, f"Scores of the {found.split} split"),
    }
    return Section("overview", "Differences", "differences", content)


def _section(found: Comparison, number: int) -> Section:
    one, first = found.against[number], found.runs[0].name
    content = {
        "said": one.said,
        "warnings": one.warnings,
        "differences": _differences(found, number),
        "counts": counts_said(one.changed, first, one.name),
        "settings": _pairs("Settings that differ", one.settings, first, one.name),
        "machine": _pairs("Versions and machine", one.machine, first, one.name),
    }
    examples = [_example(example, first, one.name) for example in one.changed.examples]
    parts = [Section(f"run-{number}-examples", "Examples that changed", "changed", examples)] if examples else []
    return Section(f"run-{number}", f"{one.name} beside {first}", "against", content, parts)


def _differences(found: Comparison, number: int) -> Table:
    one, first = found.against[number], found.runs[0].name
    rows = []
    for name, row in difference_rows(found, number).items():
        sides = (found.runs[0], found.runs[number + 1])
        values = [_marked(text, side.scores[name]) for text, side in zip(row[1:3], sides, strict=True)]
        drawn = Cell(strip=_strip(found, number, name))
        rows.append([row[0], *values, *row[3:5], drawn, row[5], one.differences[name].test])
    interval = f"{100 * found.confidence:g}% interval"
    columns = ["", first, one.name, "difference", interval, "", "p, not corrected", "test"]
    return Table(columns, rows, f"Scores of {one.name} less those of {first}", words=(0, 7))


def _strip(found: Comparison, number: int, metric: str) -> Strip | None:
    """The difference as a strip, on the same scale for all runs; 0 lies in its middle."""
    all_of = [one.differences[metric] for one in found.against]
    reach = max((abs(end) for each in all_of for end in (each.low, each.high) if not math.isnan(end)), default=0.0)
    each = all_of[number]
    if not reach or math.isnan(each.low):
        return None
    title = f"{metric}: {each.value:+.4f} ({each.low:+.4f} to {each.high:+.4f}); no difference is in the middle"
    return strip(title, each.value, (each.low, each.high), (-reach, reach))


def _pairs(caption: str, rows: Sequence[tuple[str, Any, Any]], first: str, other: str) -> Table | None:
    cells = [[key, *(worded(value) for value in values)] for key, *values in rows]
    return Table(["", first, other], cells, caption, words=(0, 1, 2)) if cells else None


def _example(example: dict[str, Any], first: str, other: str) -> dict[str, Any]:
    """An example with its truth and both answers."""
    told = [("truth", example["truth"]), (first, example["first"]), (other, example["other"])]
    better = other if example["better"] == "other" else first
    return {
        "input": worded(example["input"]) if example["input"] is not None else "",
        "answers": [(name, worded(value)) for name, value in told],
        "about": f"#{example['id']}; better in {better}",
    }


def _cost(found: Comparison) -> Section:
    columns = ["", *(side.name for side in found.runs)]
    single = all(len(side.seeds) == 1 for side in found.runs)
    seeds = ["seed" if single else "seeds", *(", ".join(map(str, side.seeds)) for side in found.runs)]
    return Section("cost", "Cost", "table", Table(columns, [seeds, *cost_rows(found.runs)], "What the runs took"))


def _number(entry: dict[str, Any]) -> Cell:
    """A score with its interval, or the values of its seeds."""
    beside = ""
    if "values" in entry:
        beside = f" ({', '.join(f'{value:.4f}' for value in entry['values'])})"
    elif interval_text(entry):
        beside = f" ({interval_text(entry)})"
    return _marked(f"{entry['value']:.4f}{beside}", entry)


def _marked(text: str, entry: dict[str, Any]) -> Cell:
    """A score as text, with a mark where weights or thresholds were chosen by it."""
    return Cell(text, badge="selected" if entry.get("selected") else "")
