"""What charts show, as places in their drawings: lines, histograms, reliability diagrams, scatter plots, strips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfft.reports.html.charts import Box, Chart, Plot, Scale, Words, nice_bounds, path, tick_text

COLOURS = 6

DASHES = ("", "6 3", "2 3", "9 3 2 3")

MARKERS = 40  # lines of at most so many points show them

CROWDED = 12  # bars beyond this many have no room for their numbers


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes:
        name: Its name in the legend.
        steps: Where it has values.
        values: One a step; None is a gap.
        faint: Whether it stands behind the others, such as the raw loss behind the smooth one.
    """

    name: str
    steps: Sequence[float]
    values: Sequence[float | None]
    faint: bool = False


@dataclass(frozen=True)
class Marks:
    """What happened at single steps.

    Attributes:
        phases: Steps from which other blocks moved, with what they are.
        skips: Steps that were skipped.
        best: The step whose weights were kept.
    """

    phases: Sequence[tuple[int, str]] = ()
    skips: Sequence[int] = ()
    best: int | None = None


@dataclass(frozen=True)
class Dot:
    """A value with its interval, between 0 and 100 on an axis, and where it stands below the upper edge of 16."""

    value: float
    bounds: tuple[float, float] | None
    y: float
    colour: int


@dataclass(frozen=True)
class Strip:
    """Values with their intervals on one axis, below each other; `zero` is the place of 0, where that is a mark."""

    title: str
    dots: Sequence[Dot]
    zero: float | None = None


def line_chart(
    words: Words, lines: Sequence[Line], marks: Marks = Marks(), log: bool = False, log_x: bool = False
) -> Chart:
    """Lines over steps, with a legend where it is not plain what they are.

    Args:
        words: What the chart says of itself.
        lines: The curves; each has a colour and, from the second on, a dash pattern of its own.
        marks: What happened on the way.
        log: Whether the vertical axis goes by powers of ten; values that are not above 0 are gaps then.
        log_x: Whether the horizontal axis does.
    """
    plot = _plot(words, lines, log, log_x)
    curves, number = [], 0
    for line in lines:
        curves.append(_curve(line, number, marks.best, plot))
        number += 0 if line.faint else 1  # a faint one looks like the line that it stands behind
    return Chart("lines", plot, {"curves": curves, "marks": marks, "phases": _phases(marks, plot)})


def _plot(words: Words, lines: Sequence[Line], log: bool, log_x: bool) -> Plot:
    """The axes that hold every line."""
    box = Box()
    steps = [step for line in lines for step in line.steps] or [0.0, 1.0]
    values = [value for line in lines for value in line.values if value is not None and _is_there(value, log)]
    values = values or [0.1, 1.0]
    if log:
        low, high = min(values), max(values)
        low, high = (low, high) if high > low else (low / 2, high * 2)
    elif min(values) == max(values) and 0 <= min(values) <= 1:
        low, high = 0.0, 1.0  # a score that stays where it is
    else:
        low, high = nice_bounds(min(values), max(values))
    x = Scale(min(steps), max(steps), box.left, box.right, log=log_x, whole=not log_x)
    return Plot(words, box, x, Scale(low, high, box.bottom, box.top, log))


def _is_there(value: float, log: bool) -> bool:
    """Whether a value has a place on the axis."""
    return math.isfinite(value) and (value > 0 or not log)


def _curve(line: Line, number: int, best: int | None, plot: Plot) -> dict[str, Any]:
    """One line as it is drawn: its points where they are few, and a ring at the best step.

    No two of the first twelve look alike.
    """
    points = [
        (plot.x(step), plot.y(value)) if value is not None and _is_there(value, plot.y.log) else None
        for step, value in zip(line.steps, line.values, strict=True)
    ]
    there = [point for point in points if point is not None]
    return {
        "line": line,
        "colour": number % COLOURS,
        "dash": "" if line.faint else DASHES[number % len(DASHES)],
        "path": path(points),
        "dots": there if len(there) <= MARKERS and not line.faint else [],
        "ring": None if line.faint or best is None else dict(zip(line.steps, points, strict=True)).get(best),
    }


def _phases(marks: Marks, plot: Plot) -> list[tuple[float, float]]:
    """Where the numbers of phases stand above the plot; those that would touch move a line up."""
    places, last, row = [], -math.inf, 0
    for step, _ in marks.phases:
        place = min(max(plot.x(step), plot.box.left), plot.box.right)
        row = (row + 1) % 2 if place - last < 14 else 0
        last = place
        places.append((place, plot.box.top - 4 - 11 * row))
    return places


def histogram(words: Words, edges: Sequence[float], series: Sequence[tuple[str, Sequence[int]]]) -> Chart:
    """How many fall between each two edges: the first kind as bars, the others as outlines over them.

    Args:
        words: What the chart says of itself.
        edges: One more than there are counts.
        series: Names and counts.
    """
    box = Box()
    most = max((count for _, counts in series for count in counts), default=1)
    x = Scale(edges[0], edges[-1], box.left, box.right)
    y = Scale(0, nice_bounds(0, max(most, 1))[1], box.bottom, box.top, whole=True)
    (name, first), *others = series
    bars = [(x(low), x(high), y(count)) for low, high, count in _bins(edges, first) if count]
    outlines = [
        (name, _outline(edges, counts, x, y), "5 3" if number else "") for number, (name, counts) in enumerate(others)
    ]
    return Chart("histogram", Plot(words, box, x, y), {"name": name, "bars": bars, "outlines": outlines})


def _bins(edges: Sequence[float], counts: Sequence[int]) -> list[tuple[float, float, int]]:
    """Lower edge, upper edge and count of each bin."""
    return list(zip(edges[:-1], edges[1:], counts, strict=True))


def _outline(edges: Sequence[float], counts: Sequence[int], x: Scale, y: Scale) -> str:
    """The upper edge of bars as one line."""
    points = [(x(edges[0]), y(0))]
    for low, high, count in _bins(edges, counts):
        points += [(x(low), y(count)), (x(high), y(count))]
    return path([*points, (x(edges[-1]), y(0))])


def reliability(words: Words, bins: Sequence[Mapping[str, Any]]) -> Chart:
    """How often answers were right against how sure the model was of them, with the number of examples below.

    A well calibrated model's points lie on the diagonal; below it the model is too sure of itself.

    Args:
        words: What the chart says of itself.
        bins: `low` and `high` of the probability, the mean `confidence`, the `accuracy`, how many `examples`.
    """
    box, foot = Box(bottom=252), 324.0
    x, y = Scale(0, 1, box.left, box.right), Scale(0, 1, box.bottom, box.top)
    filled = [part for part in bins if part.get("examples")]
    height = Scale(0, max((part["examples"] for part in filled), default=1), foot, foot - 30)
    pillars = [
        {
            "left": x(part["low"]),
            "right": x(part["high"]),
            "accuracy": y(part["accuracy"]),
            "examples": height(part["examples"]),
            "number": tick_text(part["examples"], 100) if len(filled) <= CROWDED else "",
        }
        for part in filled
    ]
    dots = [(x(part["confidence"]), y(part["accuracy"])) for part in filled]
    return Chart("reliability", Plot(words, box, x, y), {"foot": foot, "pillars": pillars, "dots": dots})


def scatter(words: Words, truths: Sequence[float], answers: Sequence[float]) -> Chart:
    """Answers against truths, on axes alike; on the diagonal an answer is right.

    Args:
        words: What the chart says of itself.
        truths: To the right.
        answers: Upwards.
    """
    box = Box(bottom=306)
    low, high = nice_bounds(min([*truths, *answers], default=0.0), max([*truths, *answers], default=1.0))
    x, y = Scale(low, high, box.left, box.right), Scale(low, high, box.bottom, box.top)
    dots = [(x(truth), y(answer)) for truth, answer in zip(truths, answers, strict=True)]
    return Chart("scatter", Plot(words, box, x, y), {"dots": dots})


Bounded = tuple[float | None, float | None, float | None]
"""A value with the ends of its interval; None where there is none."""


def strip(title: str, values: Sequence[Bounded], axis: tuple[float, float], zero: bool = False) -> Strip:
    """Values with their intervals as dots and bars for the cell of a table, beside the numbers themselves.

    Args:
        title: What they are, with the numbers; shown where the mouse rests.
        values: The upper one first.
        axis: What the width stands for, from its left to its right end; the same in all rows.
        zero: Whether 0 has a mark.
    """
    scale, dots = Scale(*axis, 0, 100), []
    for number, (value, low, high) in enumerate(values):
        if value is not None:
            between = None if low is None or high is None else (_within(scale(low)), _within(scale(high)))
            dots.append(Dot(_within(scale(value)), between, 16 * (number + 0.5) / len(values), number % COLOURS))
    return Strip(title, dots, _within(scale(0.0)) if zero else None)


def _within(place: float) -> float:
    return min(max(place, 0.0), 100.0)
