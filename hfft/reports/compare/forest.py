"""Differences with their intervals as a chart: a line each, and where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hfft.reports.compare.statistics import Difference
from hfft.reports.html.charts import Scale, Words, drawing, label, line, nice_bounds, tick_text
from hfft.reports.html.components import Html, tag, void

LEFT, RIGHT, TOP, ROW, FOOT = 14.0, 386.0, 8.0, 38.0, 40.0  # units of a drawing that is 400 wide

DOT = 4.0


def forest(rows: Sequence[tuple[str, Difference]], metric: str, first: str, confidence: float) -> Html:
    """Draws differences below each other, on one scale that holds 0.

    Args:
        rows: Names of runs, and how far they lie from the first.
        metric: What differs.
        first: The name of the first run.
        confidence: Of the intervals.
    """
    ends = [end for _, each in rows for end in (each.low, each.high, each.value) if not math.isnan(end)]
    low, high = nice_bounds(min([0.0, *ends]), max([0.0, *ends]))
    x = Scale(low, high, LEFT, RIGHT)
    bottom = TOP + ROW * len(rows)
    ticks = x.ticks(6)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    parts = [line(x(tick), TOP, x(tick), bottom, "grid") for tick in ticks]
    parts += [label(x(tick), bottom + 15, tick_text(tick, step), "middle") for tick in ticks]
    parts += [line(LEFT, bottom, RIGHT, bottom, "axis"), line(x(0.0), TOP, x(0.0), bottom, "diagonal")]
    parts.append(label(RIGHT, bottom + 31, f"{metric} less that of {_short(first)}", "end"))
    for number, (name, each) in enumerate(rows):
        parts += _row(name, each, x, TOP + ROW * number)
    told = "; ".join(f"{name}: {each.value:+.4f} ({each.low:+.4f} to {each.high:+.4f})" for name, each in rows)
    title = f"{metric} of each run less that of {first}, with {100 * confidence:g}% intervals"
    words = Words("differences", title, f"{told}. The dashed line is no difference.")
    return drawing(words, parts, bottom + FOOT)


def _row(name: str, each: Difference, x: Scale, top: float) -> list[Html]:
    middle = top + ROW * 0.68
    parts = [label(LEFT, top + 13, _short(name))]
    if not math.isnan(each.low):
        whole = void("path", d=f"M{x(each.low):g} {middle:g}H{x(each.high):g}", class_="line stroke-0")
        parts.append(tag("g", tag("title", f"{name}: {each.low:+.4f} to {each.high:+.4f}"), whole))
    return [*parts, void("circle", cx=f"{x(each.value):g}", cy=f"{middle:g}", r=DOT, class_="fill-0")]


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"...{name[-37:]}"
