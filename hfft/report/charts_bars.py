"""Bars: histograms of two kinds of examples, reliability diagrams, and small strips with intervals for tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfft.report.charts import (
    Box,
    Scale,
    Words,
    axes,
    drawing,
    label,
    legend,
    line,
    nice_bounds,
    path,
    sample,
    tick_text,
)
from hfft.report.page_html import Html, join, tag, void

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
