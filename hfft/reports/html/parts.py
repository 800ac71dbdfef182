"""What pages are made of, as plain values: sections, tables, figures. `templates/parts.html` makes HTML of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hfft.reports.html.chart_series import Strip
from hfft.reports.html.charts import Chart, nice_step, tick_text


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        id: Its anchor; each once in a page.
        title: Its heading.
        template: Of what stands in it, in `templates/sections`; empty where its parts are all there is.
        content: What the template shows.
        parts: Sections within it, one deep.
        selected: Whether something was chosen on the split that it is of.
        folded: Whether a click unfolds it.
    """

    id: str
    title: str
    template: str = ""
    content: Any = None
    parts: Sequence[Section] = ()
    selected: bool = False
    folded: bool = False


@dataclass(frozen=True)
class Axis:
    """What the width of a column of dots stands for, from its left to its right end."""

    low: float
    high: float

    @property
    def cut(self) -> bool:
        """Whether 0 lies beyond its ends."""
        return not self.low <= 0 <= self.high

    @property
    def ends(self) -> tuple[str, str]:
        """Both ends as text."""
        step = nice_step(self.high - self.low, 5)
        return tick_text(self.low, step), tick_text(self.high, step)


@dataclass(frozen=True)
class Cell:
    """A cell of a table in which more stands than a value.

    Attributes:
        text: The value.
        link: Where the text leads.
        badge: A word beside the text, set apart.
        small: Stands below it.
        strip: Is all there is in the cell.
        axis: Of the strips below, as the heading of their column.
        key: The number of a series in the strips, whose dots have its colour.
        code: Whether the text is to be read by machines.
        texts: Of an example.
    """

    text: str = ""
    link: str = ""
    badge: str = ""
    small: str = ""
    strip: Strip | None = None
    axis: Axis | None = None
    key: int | None = None
    code: bool = False
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """A table in a box of its own, in which it scrolls sideways where it is too wide.

    Attributes:
        columns: The headings.
        rows: Of values or cells. The first cell of a row is its heading.
        caption: Says what the table shows; also names the box for screen readers.
        words: The columns that read from the left; the others hold numbers and end at the right.
        last_is_total: Whether the last row sums up the others.
    """

    columns: Sequence[str | Cell]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    words: Collection[int] = (0,)
    last_is_total: bool = False

    @property
    def axis(self) -> Axis | None:
        """That of a column of dots, where there is one."""
        return next((column.axis for column in self.columns if isinstance(column, Cell) and column.axis), None)


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption and, folded away, the numbers it shows.

    Attributes:
        chart: The drawing.
        title: What it shows, in a word or two.
        caption: The rest of the phrase.
        numbers: The same as a table.
    """

    chart: Chart
    title: str = ""
    caption: str = ""
    numbers: Table | None = None


def slugs(names: Iterable[str], prefix: str = "") -> list[str]:
    """Anchors for names: each once, of letters, digits and hyphens.

    >>> slugs(["Test set", "test-set", "???"])
    ['test-set', 'test-set-2', 'part']
    """
    taken: dict[str, int] = {}
    found = []
    for name in names:
        slug = prefix + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "part")
        taken[slug] = taken.get(slug, 0) + 1
        found.append(slug if taken[slug] == 1 else f"{slug}-{taken[slug]}")
    return found
