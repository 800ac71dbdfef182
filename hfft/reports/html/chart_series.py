"""Lines, bars and strips as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfft.reports.html.charts import (
    COLOURS,
    DASHES,
    Box,
    Scale,
    Words,
    axes,
    drawing,
    label,
    legend,
    line,
    line_sample,
    nice_bounds,
    path,
    sample,
    tick_text,
)
from hfft.reports.html.components import EMPTY, Html, join, tag, void

MARKERS = 40  # lines of at most so many points show them


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


def line_chart(words: Words, lines: Sequence[Line], marks: Marks = Marks(), log: bool = False) -> Html:
    """Lines over steps, with a legend where it is not plain what they are.

    Args:
        words: What the chart says of itself.
        lines: The curves; each has a colour and, from the second on, a dash pattern of its own.
        marks: What happened on the way.
        log: Whether the vertical axis goes by powers of ten; values that are not above 0 are gaps then.
    """
    box = Box()
    x, y = _scales(lines, box, log)
    parts = axes(words, box, x, y) + _phases(marks, box, x)
    if marks.best is not None:
        parts += [
            line(x(marks.best), 18, x(marks.best), box.bottom, "best"),
            label(min(max(x(marks.best), 50), box.right - 36), 13, f"best: step {marks.best:,}", "middle", "strong"),
        ]
    for number, curve in _numbered(lines):
        parts.append(_curve(curve, number, x, y))
        parts += _ring(curve, number, marks.best, x, y)
    parts += [void("path", d=f"M{x(step):g} {box.bottom - 1:g}l-4 7h8z", class_="skip") for step in marks.skips]
    shown = drawing(words, parts, box.bottom + 36)
    return join([shown, _legend(lines, marks)])


def style(number: int, faint: bool = False) -> tuple[str, str]:
    """The class and the dash pattern of the line with that number: no two of the first twelve are alike."""
    if faint:
        return f"line faint stroke-{number % COLOURS}", ""
    return f"line stroke-{number % COLOURS}", DASHES[number % len(DASHES)]


def _numbered(lines: Sequence[Line]) -> list[tuple[int, Line]]:
    """The lines with the numbers of their styles: faint ones look like the line that they stand behind."""
    numbered, number = [], 0
    for curve in lines:
        numbered.append((number, curve))
        number += 0 if curve.faint else 1
    return numbered


def _scales(lines: Sequence[Line], box: Box, log: bool) -> tuple[Scale, Scale]:
    """The axes that hold every line."""
    steps = [step for curve in lines for step in curve.steps] or [0.0, 1.0]
    values = [value for curve in lines for value in curve.values if value is not None and _is_there(value, log)]
    values = values or [0.1, 1.0]
    if log:
        low, high = min(values), max(values)
        low, high = (low, high) if high > low else (low / 2, high * 2)
    elif min(values) == max(values) and 0 <= min(values) <= 1:
        low, high = 0.0, 1.0  # a score that stays where it is
    else:
        low, high = nice_bounds(min(values), max(values))
    return Scale(min(steps), max(steps), box.left, box.right, whole=True), Scale(low, high, box.bottom, box.top, log)


def _is_there(value: float, log: bool) -> bool:
    """Whether a value has a place on the axis."""
    return math.isfinite(value) and (value > 0 or not log)


def _curve(curve: Line, number: int, x: Scale, y: Scale) -> Html:
    """One line; its points are shown where they are few."""
    points = [
        (x(step), y(value)) if value is not None and _is_there(value, y.log) else None
        for step, value in zip(curve.steps, curve.values, strict=True)
    ]
    class_, dash = style(number, curve.faint)
    drawn = void("path", d=path(points), class_=class_, stroke_dasharray=dash or None)
    there = [point for point in points if point is not None]
    dots = there if len(there) <= MARKERS and not curve.faint else []
    circles = (void("circle", cx=f"{px:g}", cy=f"{py:g}", r=2.2, class_=f"fill-{number % COLOURS}") for px, py in dots)
    return tag("g", tag("title", curve.name), drawn, *circles)


def _ring(curve: Line, number: int, best: int | None, x: Scale, y: Scale) -> list[Html]:
    """A ring around the value of the chosen step, where the line has one there."""
    if best is None or best not in curve.steps or curve.faint:
        return []
    value = curve.values[list(curve.steps).index(best)]
    if value is None or not _is_there(value, y.log):
        return []
    return [void("circle", cx=x(best), cy=y(value), r=4.5, class_=f"ring stroke-{number % COLOURS}")]


def _phases(marks: Marks, box: Box, x: Scale) -> list[Html]:
    """Vertical lines, numbered above the plot; numbers that would touch move a line up."""
    parts, last, row = [], -math.inf, 0
    for number, (step, _) in enumerate(marks.phases, start=1):
        place = min(max(x(step), box.left), box.right)
        row = (row + 1) % 2 if place - last < 14 else 0
        last = place
        parts += [
            line(place, box.top, place, box.bottom, "mark"),
            label(place, box.top - 4 - 11 * row, str(number), "middle"),
        ]
    return parts


def _legend(lines: Sequence[Line], marks: Marks) -> Html:
    """The lines where there are several, and the marks."""
    entries = []
    if len(lines) > 1:
        entries = [(line_sample(*style(number, curve.faint)), curve.name) for number, curve in _numbered(lines)]
    if marks.phases:
        dashed = line_sample("mark")
        entries += [
            (dashed, f"{number}: from step {step}, {what}") for number, (step, what) in enumerate(marks.phases, start=1)
        ]
    if marks.skips:
        count = len(marks.skips)
        entries.append(
            (sample(void("path", d="M14 2l-5 8h10z", class_="skip")), f"{count} skipped step{'s' if count > 1 else ''}")
        )
    return legend(entries) if entries else EMPTY


CROWDED = 12  # bars beyond this many have no room for their numbers


def histogram(words: Words, edges: Sequence[float], series: Sequence[tuple[str, Sequence[int]]]) -> Html:
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
    parts = axes(words, box, x, y)
    samples = []
    for number, (name, counts) in enumerate(series):
        if number == 0:
            bars = (_bar(x(low), x(high), y(count), box.bottom) for low, high, count in _bins(edges, counts) if count)
            parts.append(tag("g", tag("title", name), *bars))
            samples.append((sample(void("path", d="M2 1H26V11H2z", class_="bar fill-0")), name))
        else:
            dash = None if number == 1 else "5 3"
            drawn = void(
                "path", d=_outline(edges, counts, x, y), class_=f"outline stroke-{number}", stroke_dasharray=dash
            )
            parts.append(tag("g", tag("title", name), drawn))
            outline = void("path", d="M2 11V2H26V11", class_=f"outline stroke-{number}", stroke_dasharray=dash)
            samples.append((sample(outline), name))
    shown = drawing(words, parts, box.bottom + 36)
    return join([shown, legend(samples) if len(series) > 1 else None])


def reliability(words: Words, bins: Sequence[Mapping[str, Any]]) -> Html:
    """How often answers were right against how sure the model was of them, with the number of examples below.

    A well calibrated model's points lie on the diagonal; below it the model is too sure of itself.

    Args:
        words: What the chart says of itself.
        bins: `low` and `high` of the probability, the mean `confidence`, the `accuracy`, how many `examples`.
    """
    box, foot = Box(bottom=252), 324.0
    x, y = Scale(0, 1, box.left, box.right), Scale(0, 1, box.bottom, box.top)
    filled = [part for part in bins if part.get("examples")]
    most = max((part["examples"] for part in filled), default=1)
    height = Scale(0, most, foot, foot - 30)
    upper = Words(words.id, words.title, words.description, "", words.y)
    parts = [*axes(upper, box, x, y), line(x(0), y(0), x(1), y(1), "diagonal")]
    for part in filled:
        left, right = x(part["low"]), x(part["high"])
        parts.append(_bar(left, right, y(part["accuracy"]), box.bottom))
        parts.append(_bar(left, right, height(part["examples"]), foot, "bar fill-1"))
        if len(filled) <= CROWDED:
            parts.append(
                label((left + right) / 2, height(part["examples"]) - 3, tick_text(part["examples"], 100), "middle")
            )
    points = [(x(part["confidence"]), y(part["accuracy"])) for part in filled]
    parts += [void("circle", cx=f"{px:g}", cy=f"{py:g}", r=3.2, class_="fill-0") for px, py in points]
    parts += [
        line(box.left, foot, box.right, foot, "axis"),
        label(box.right, foot + 16, words.x, "end"),
    ]
    entries = [
        (sample(void("path", d="M2 1H26V11H2z", class_="bar fill-0")), "how many of the answers were right"),
        (sample(void("path", d="M1 11L27 1", class_="diagonal")), "what a well calibrated model would have"),
        (sample(void("path", d="M2 1H26V11H2z", class_="bar fill-1")), "number of examples"),
    ]
    return join([drawing(words, parts, foot + 22), legend(entries)])


def strip(title: str, value: float, bounds: tuple[float | None, float | None], domain: tuple[float, float]) -> Html:
    """A value with its interval as a small bar for the cell of a table, beside the numbers themselves.

    Args:
        title: What it is, with the numbers; shown where the mouse rests.
        value: The value: a bar from the domain's lower end, and a line across.
        bounds: Of the interval, or None.
        domain: What the whole width stands for; the same in all rows.
    """
    scale = Scale(domain[0], domain[1], 0, 100)
    at = [min(max(scale(part), 0.0), 100.0) for part in (value, *(part for part in bounds if part is not None))]
    zero = min(max(scale(0.0), 0.0), 100.0)
    parts = [
        line(0, 8, 100, 8, "track"),
        void("rect", x=f"{min(zero, at[0]):g}", y=3, width=f"{abs(at[0] - zero):.4g}", height=10, class_="bar"),
        line(at[1], 8, at[2], 8, "range") if len(at) == 3 else "",
        line(at[0], 1, at[0], 15, "value"),
    ]
    return tag(
        "svg",
        tag("title", title),
        *parts,
        class_="strip",
        viewBox="0 0 100 16",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _bins(edges: Sequence[float], counts: Sequence[int]) -> list[tuple[float, float, int]]:
    """Lower edge, upper edge and count of each bin."""
    return list(zip(edges[:-1], edges[1:], counts, strict=True))


def _bar(left: float, right: float, top: float, bottom: float, class_: str = "bar fill-0") -> Html:
    """A bar with a hair of air to its neighbours."""
    width = max(right - left - 1, 0.8)
    return void(
        "rect", x=f"{left + 0.5:g}", y=f"{top:g}", width=f"{width:.4g}", height=f"{bottom - top:.4g}", class_=class_
    )


def _outline(edges: Sequence[float], counts: Sequence[int], x: Scale, y: Scale) -> str:
    """The upper edge of bars as one line."""
    points = [(x(edges[0]), y(0))]
    for low, high, count in _bins(edges, counts):
        points += [(x(low), y(count)), (x(high), y(count))]
    return path([*points, (x(edges[-1]), y(0))])
