"""Differences with their intervals as a chart: a line each, and where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hfft.reports.compare.statistics import Difference
from hfft.reports.html.charts import Box, Chart, Plot, Scale, Words, nice_bounds

ROW = 38.0  # units of a drawing that is 400 wide


def forest(rows: Sequence[tuple[str, Difference]], metric: str, first: str, confidence: float) -> Chart:
    """Draws differences below each other, on one scale that holds 0.

    Args:
        rows: Names of runs, and how far they lie from the first.
        metric: What differs.
        first: The name of the first run.
        confidence: Of the intervals.
    """
    ends = [end for _, each in rows for end in (each.low, each.high, each.value) if not math.isnan(end)]
    box = Box(14, 8, 386, 8 + ROW * len(rows))
    x = Scale(*nice_bounds(min([0.0, *ends]), max([0.0, *ends])), box.left, box.right)
    told = "; ".join(f"{name}: {each.value:+.4f} ({each.low:+.4f} to {each.high:+.4f})" for name, each in rows)
    title = f"{metric} of each run less that of {first}, with {100 * confidence:g}% intervals"
    said = f"{told}. The dashed line is no difference."
    words = Words("differences", title, said, f"{metric} less that of {_short(first)}")
    plot = Plot(words, box, x, Scale(0, len(rows), box.top, box.bottom))
    return Chart("forest", plot, {"rows": [_row(name, each, x) for name, each in rows]})


def _row(name: str, each: Difference, x: Scale) -> tuple[str, str, float, tuple[float, float] | None]:
    """The name of a run, its interval as text, and the places of its difference and of the interval's ends."""
    ends = None if math.isnan(each.low) else (x(each.low), x(each.high))
    return _short(name), f"{name}: {each.low:+.4f} to {each.high:+.4f}", x(each.value), ends


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"...{name[-37:]}"
