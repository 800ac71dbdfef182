"""A comparison: on the screen, as a page, in a notebook."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hfft.errors import shortened
from hfft.io.console import Console
from hfft.reports.compare.changes import Changed
from hfft.reports.compare.examples import shown_example, worded
from hfft.reports.compare.forest import forest
from hfft.reports.compare.result import Against, Side, plain
from hfft.reports.compare.statistics import Difference
from hfft.reports.compare.verdicts import p_text
from hfft.reports.html.charts import nice_bounds
from hfft.reports.html.markup import filled
from hfft.reports.html.numbers import entry_strip, limit_of, range_text
from hfft.reports.html.parts import Axis, Cell, Figure, Section, Table
from hfft.reports.notebook import aligned, fragment, screenful, warning_lines

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


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other; the first is what the others are measured by.

    Attributes:
        task: Of all of them.
        split: Whose examples are compared.
        examples: How many have a truth.
        confidence: Of the intervals.
        headline: The metric that verdicts go by.
        lower_is_better: The compared metrics of which less is better.
        runs: In the order given.
        against: All but the first, beside it.
        notes: What there is to say of all of them.
    """

    task: str
    split: str
    examples: int
    confidence: float
    headline: str
    lower_is_better: list[str]
    runs: list[Side]
    against: list[Against]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """The comparison as plain values; null where a number is not defined."""
        return plain(asdict(self))

    def __repr__(self) -> str:
        lines = [_lead(self), f"Runs: {', '.join(side.folder for side in self.runs)}"]
        for number, one in enumerate(self.against):
            rows = [row[:5] for row in difference_rows(self, number).values()]
            lines += [one.said, *aligned([("", self.runs[0].name, one.name, "difference", "interval"), *rows])]
            lines += [counts_said(one.changed, self.runs[0].name, one.name), *warning_lines(one.warnings)]
        return screenful([*lines, *(f"Note: {text}" for text in self.notes)])

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        sections = [_section(self, number) for number in range(len(self.against))]
        verdicts = [(one.verdict or "no verdict", one.said) for one in self.against]
        place = "Runs:", ", ".join(side.folder for side in self.runs)
        return fragment(_lead(self), f"comparison · {self.task}", sections, verdicts=verdicts, place=place)


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
    several = len(found.against) > 1
    sections = [*([_overview(found)] if several else []), *(_section(found, n) for n in range(len(found.against)))]
    return filled(
        "comparison.html",
        title="Comparison of runs",
        kind=found.task,
        lead=_lead(found),
        sections=[*sections, _cost(found)],
        against=found.against,
        notes=found.notes,
    )


def _lead(found: Comparison) -> str:
    names = ", ".join(one.name for one in found.against)
    return f"{names} beside {found.runs[0].name}, on the same {found.examples} examples of the {found.split} split."


def _overview(found: Comparison) -> Section:
    """Of several runs: the differences of all of them by the score that decides, and all scores."""
    bars = [(one.name, one.differences[found.headline]) for one in found.against]
    chart = forest(bars, found.headline, found.runs[0].name, found.confidence)
    less = found.headline in found.lower_is_better
    caption = f"{found.headline} less that of {found.runs[0].name}{'; less is better' if less else ''}"
    names = sorted(found.runs[0].scores, key=lambda name: name != found.headline)
    rows = [[name, *(_number(side.scores[name]) for side in found.runs)] for name in names]
    scores = Table(["", *(side.name for side in found.runs)], rows, f"Scores of the {found.split} split")
    return Section(
        "overview", "Differences", "differences", {"figure": Figure(chart, caption=caption), "scores": scores}
    )


def _section(found: Comparison, number: int) -> Section:
    one, first = found.against[number], found.runs[0].name
    content = {
        "said": one.said if len(found.against) > 1 else "",
        "warnings": one.warnings,
        "differences": differences_table(found, number),
        "tests": _tests(one),
        "covers": one.covers,
        "counts": counts_said(one.changed, first, one.name),
        "settings": _pairs("Settings that differ", one.settings, first, one.name),
        "machine": _pairs("", one.machine, first, one.name),
    }
    sides = (found.runs[0], found.runs[number + 1])
    examples = [shown_example(example, sides, one.changed.by == "right") for example in one.changed.examples]
    parts = [Section(f"run-{number}-examples", "Examples that changed", "changed", examples)] if examples else []
    return Section(f"run-{number}", f"{one.name} beside {first}", "against", content, parts)


def differences_table(found: Comparison, number: int) -> Table:
    """A row for each metric: both values, their difference as number and dot, with intervals, and the p value.

    Args:
        found: The comparison.
        number: Of the run beside the first, from 0.
    """
    one, sides = found.against[number], (found.runs[0], found.runs[number + 1])
    limit = limit_of([sides[0].scores[found.headline]])
    alike = [name for name in one.differences if limit_of([sides[0].scores[name]]) == limit or name == found.headline]
    axis = _axis(found, alike)
    rows = []
    for name, row in difference_rows(found, number).items():
        each = one.differences[name]
        told = entry_strip(row[0], {"": _entry(each)}, axis, zero=True)
        drawn = Cell(strip=told) if name in alike else ""
        rows.append(
            [row[0], *(_number(side.scores[name]) for side in sides), Cell(row[3], small=row[4]), drawn, row[5]]
        )
    columns = ["", sides[0].name, one.name, "difference", Cell(axis=axis), "p"]
    return Table(columns, rows, f"Scores of {one.name} beside {sides[0].name}, {100 * found.confidence:g}% intervals")


def _axis(found: Comparison, metrics: Sequence[str]) -> Axis:
    """The axis of all differences by these metrics; it holds 0."""
    entries = [_entry(one.differences[name]) for one in found.against for name in metrics]
    ends = [end for entry in entries for end in entry.values() if end is not None]
    return Axis(*nice_bounds(min([0.0, *ends]), max([0.0, *ends])))


def _entry(each: Difference) -> dict[str, float | None]:
    ends = {"value": each.value, "low": each.low, "high": each.high}
    return {key: None if math.isnan(end) else end for key, end in ends.items()}


def _tests(one: Against) -> str:
    """Which score was tested how."""
    metrics: dict[str, list[str]] = {}
    for name, each in one.differences.items():
        metrics.setdefault(each.test, []).append(name)
    return "; ".join(f"{', '.join(names)}: {test}" for test, names in metrics.items())


def _pairs(caption: str, rows: Sequence[tuple[str, Any, Any]], first: str, other: str) -> Table | None:
    cells = [[key, *(worded(value) for value in values)] for key, *values in rows]
    return Table(["", first, other], cells, caption, words=(0, 1, 2)) if cells else None


def _cost(found: Comparison) -> Section:
    columns = ["", *(side.name for side in found.runs)]
    single = all(len(side.seeds) == 1 for side in found.runs)
    seeds = ["seed" if single else "seeds", *(", ".join(map(str, side.seeds)) for side in found.runs)]
    return Section("cost", "Cost", "table", Table(columns, [seeds, *cost_rows(found.runs)], "What the runs took"))


def _number(entry: dict[str, Any]) -> Cell:
    """A score with its interval below, or the values of its seeds, and a mark where something was chosen by it."""
    below = range_text(entry, 3)
    if "values" in entry:
        below = ", ".join(f"{value:.4f}" for value in entry["values"])
    return Cell(f"{entry['value']:.4f}", badge="selected" if entry.get("selected") else "", small=below)
