"""Scales, ticks and paths of charts, in units of the drawing; `templates/charts.html` draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MINUS = "\N{MINUS SIGN}"

LETTER = 6.6  # units of a drawing that a letter takes, at most on average


@dataclass(frozen=True)
class Words:
    """What a chart says of itself.

    Attributes:
        id: Each once in a page; the ids of the title and the description are made of it.
        title: What is shown, in a phrase.
        description: What there is to see, for whom sees it not.
        x: The name of the horizontal axis, with its unit.
        y: The name of the vertical axis.
    """

    id: str
    title: str
    description: str
    x: str = ""
    y: str = ""


@dataclass(frozen=True)
class Scale:
    """Maps values to places: `low` to `start`, `high` to `end`, evenly or by powers of ten.

    `whole` says that there is nothing between whole numbers, such as steps, so that ticks are whole too.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value, to a tenth of a unit."""
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        share = ((math.log10(value) if self.log else value) - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, count: int) -> list[float]:
        """Round values within the scale, about `count` of them."""
        if self.log:
            return log_ticks(self.low, self.high)
        ticks = nice_ticks(self.low, self.high, count)
        return [tick for tick in ticks if tick == round(tick)] if self.whole else ticks

    def marks(self, count: int) -> list[tuple[float, str]]:
        """The places of the ticks, and what stands there."""
        ticks = self.ticks(count)
        step = ticks[1] - ticks[0] if len(ticks) > 1 else 0.0
        return [(self(tick), tick_text(tick, 0.0 if self.log else step or abs(tick))) for tick in ticks]


@dataclass(frozen=True)
class Choices:
    """Maps the numbers of names, from 0, to places at even distances from `start` to `end`.

    Names that have no room beside each other are shown by their numbers, from 1.
    """

    names: Sequence[str]
    start: float
    end: float

    def __call__(self, number: float) -> float:
        """The place of a name."""
        return round(self.start + (number + 0.5) * (self.end - self.start) / max(len(self.names), 1), 1)

    @property
    def key(self) -> list[str]:
        """What each number stands for; empty where the names themselves have room."""
        room = abs(self.end - self.start) / max(len(self.names), 1)
        crowded = max(map(len, self.names), default=0) * LETTER > room
        return [f"{number}: {name}" for number, name in enumerate(self.names, 1)] if crowded else []

    def marks(self, count: int) -> list[tuple[float, str]]:
        """The places of the names, and what stands there: all names, or numbers, at most three times `count`."""
        numbered = bool(self.key)
        stride = math.ceil(len(self.names) / (3 * count)) if numbered else 1
        shown = list(enumerate(self.names))[::stride]
        return [(self(number), str(number + 1) if numbered else name) for number, name in shown]


@dataclass(frozen=True)
class Box:
    """Where the plot stands within the drawing, in units from its left and upper edge."""

    left: float = 46
    top: float = 32
    right: float = 388
    bottom: float = 212


@dataclass(frozen=True)
class Plot:
    """What charts with two axes have in common."""

    words: Words
    box: Box
    x: Scale | Choices
    y: Scale


@dataclass(frozen=True)
class Chart:
    """A chart as a macro of `templates/charts.html` draws it.

    Attributes:
        kind: The macro's name.
        plot: The axes.
        shapes: What the macro draws there, as places, by the names it knows.
    """

    kind: str
    plot: Plot
    shapes: Mapping[str, Any]


def nice_step(span: float, count: int) -> float:
    """The distance between ticks: 1, 2 or 5 times a power of ten, so that about `count` of them fit.

    >>> nice_step(1.0, 5), nice_step(97, 5), nice_step(0.03, 4)
    (0.2, 20.0, 0.01)
    """
    rough = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    factor = next((factor for factor in (1, 2, 5) if rough <= factor * power * (1 + 1e-9)), 10)
    return float(f"{factor * power:.12g}")


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values from `low` to `high`.

    >>> nice_ticks(0, 1), nice_ticks(3, 98)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [20.0, 40.0, 60.0, 80.0])
    """
    if not high > low:
        return [low]
    step = nice_step(high - low, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def nice_bounds(low: float, high: float) -> tuple[float, float]:
    """The range widened to round values, so that the axis begins and ends with a tick.

    >>> nice_bounds(0.37, 2.48), nice_bounds(4, 4)
    ((0.0, 2.5), (3.0, 5.0))
    """
    if not high > low:
        margin = abs(low) / 4 or 1.0
        return low - margin, high + margin
    step = nice_step(high - low, 5)
    return (
        float(f"{math.floor(low / step + 1e-9) * step:.12g}"),
        float(f"{math.ceil(high / step - 1e-9) * step:.12g}"),
    )


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten from `low` to `high`; where there are few, 2 and 5 times them as well; thinned where many.

    >>> log_ticks(1e-5, 1e-3), log_ticks(2, 9)
    ([1e-05, 2e-05, 5e-05, 0.0001, 0.0002, 0.0005, 0.001], [2.0, 5.0])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if math.log10(high / low) <= 2 else (1,)
    ticks = [float(f"{factor}e{power}") for power in powers for factor in factors]
    inside = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
    return inside[:: math.ceil(len(inside) / 7)] if inside else [low, high]


def tick_text(value: float, step: float = 0.0) -> str:
    """A tick as short text, with as many decimals as the distance between ticks asks for.

    >>> tick_text(0.4, 0.2), tick_text(1500, 500), tick_text(20000, 5000), tick_text(1e-4, 2e-5)
    ('0.4', '1500', '20k', '1e-4')
    """
    size = abs(value)
    if not value:
        words = "0"
    elif size < 1e-3 or (step and step < 1e-3 and size <= 20 * step):
        words = f"{float(f'{value:.2g}') * 10.0 ** -(power := math.floor(math.log10(size) + 1e-9)):.2g}e{power}"
    elif size >= 1e6 or (size >= 1e4 and step >= 100):
        words = f"{value / 1e6:g}M" if size >= 1e6 else f"{value / 1e3:g}k"
    else:
        decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step else 0
        words = f"{value:.{decimals}f}" if step else f"{value:g}"
    return words.replace("-", MINUS, 1) if words.startswith("-") else words


def path(points: Sequence[tuple[float, float] | None]) -> str:
    """The way through points as SVG writes it; None is a gap, a point between two gaps is drawn as a dot."""
    words, pen = [], "M"
    for place, point in enumerate(points):
        if point is None:
            pen = "M"
            continue
        alone = pen == "M" and (place + 1 == len(points) or points[place + 1] is None)
        words.append(f"{pen}{point[0]:g} {point[1]:g}{'h0' if alone else ''}")
        pen = "L"
    return "".join(words)
