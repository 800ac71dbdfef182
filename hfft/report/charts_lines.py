"""Curves over steps: losses, learning rates, scores; with phases, skipped steps and the chosen step as marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hfft.report.charts import (
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
)
from hfft.report.page_html import EMPTY, Html, join, tag, void

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
