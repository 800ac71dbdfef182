"""Parts of pages: escaped HTML, tables, lists, notes, figures, and the page around them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any


class Html(str):
    """Text that is markup already. Whatever else the builders are given is a value, and is escaped."""

    __slots__ = ()


EMPTY = Html()


def text(value: Any) -> Html:
    """The value as escaped text; markup stays as it is.

    >>> text("a < b"), text(Html("<b>a</b>"))
    ('a &lt; b', '<b>a</b>')
    """
    return value if isinstance(value, Html) else Html(escape(str(value)))


def join(parts: Iterable[Any], between: str = "") -> Html:
    """The parts one after another, those that are no markup escaped.

    Args:
        parts: Markup or values; None and empty texts are left out.
        between: Markup or a value to stand between them.
    """
    return Html(text(between).join(text(part) for part in parts if part is not None and part != ""))


def tag(name: str, *children: Any, **attributes: Any) -> Html:
    """An element.

    >>> tag("p", "1 < 2", class_="note", aria_label="a note")
    '<p class="note" aria-label="a note">1 &lt; 2</p>'

    Args:
        name: Of the element.
        children: Markup or values.
        attributes: By name: a trailing underscore falls away, others become hyphens; None and False leave the
            attribute out, True gives it without a value.
    """
    return Html(f"<{name}{_attributes(attributes)}>{join(children)}</{name}>")


def void(name: str, **attributes: Any) -> Html:
    """An element that has no content, such as an image; SVG's are closed too.

    >>> void("circle", cx=1.50, r=2)
    '<circle cx="1.5" r="2"/>'
    """
    return Html(f"<{name}{_attributes(attributes)}/>")


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


def _attributes(attributes: dict[str, Any]) -> str:
    """The attributes of an element, with a leading space each."""
    words = []
    for key, value in attributes.items():
        name = key.removesuffix("_").replace("_", "-")
        if value is True:
            words.append(f" {name}")
        elif value is not None and value is not False:
            words.append(f' {name}="{escape(str(value))}"')
    return "".join(words)


SHORT = 22  # letters

WIDE_FACT = 90  # letters: such a fact has a line of its own

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        id: Its anchor; each once in a page.
        title: Its heading, as plain text.
        body: What stands in it.
        lead: A sentence below the heading.
        parts: Sections within it, one deep.
        mark: Stands beside the heading, such as a badge.
    """

    id: str
    title: str
    body: Html = EMPTY
    lead: str | Html = ""
    parts: Sequence[Section] = ()
    mark: Html = EMPTY


def page(title: str, lead: str, sections: Sequence[Section], top: Html = EMPTY, kind: str = "") -> str:
    """A whole page as text: one file that opens offline, light and dark, on a phone and in print.

    Args:
        title: Its heading, and the window's.
        lead: One sentence that says what it shows.
        sections: In order; the contents list names them where there are several.
        top: What a reader is to see before the contents: the numbers that matter, warnings.
        kind: A few words above the title, such as the task's name.
    """
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<meta name="color-scheme" content="light dark">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
            Html('<link rel="icon" href="data:,">'),
            tag("title", title),
            tag("style", Html(files("hfft.reports.html").joinpath("style.css").read_text(encoding="utf-8"))),
        ],
        Html("\n"),
    )
    header = tag(
        "header",
        tag("p", kind, class_="kind") if kind else "",
        tag("h1", title, dir="auto"),
        tag("p", lead, class_="lead", dir="auto") if lead else "",
        top,
    )
    body = tag("main", *(_section(section) for section in sections), tag("footer", "Made by hfft."))
    contents = _contents(sections)
    frame = tag("div", header, contents, body, class_="frame with-contents" if contents else "frame")
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{frame}\n</body>\n</html>\n'


def table(
    columns: Sequence[Any],
    rows: Sequence[Sequence[Any]],
    *,
    caption: str = "",
    words: Collection[int] = (0,),
    last_is_total: bool = False,
) -> Html:
    """A table in a box of its own, in which it scrolls sideways where it is too wide.

    Args:
        columns: The headings; values or markup.
        rows: Of cells; values or markup. The first cell of a row is its heading.
        caption: Says what the table shows; also names the box for screen readers.
        words: The columns that read from the left; the others hold numbers and end at the right.
        last_is_total: Whether the last row sums up the others.
    """
    sides = ["words" if column in words else "number" for column in range(len(columns))]
    head = (tag("th", column, scope="col", class_=side) for column, side in zip(columns, sides, strict=True))
    lines = [
        tag(
            "tr",
            *(_cell(cell, side, place == 0) for place, (cell, side) in enumerate(zip(row, sides, strict=True))),
            class_="total" if last_is_total and row is rows[-1] else None,
        )
        for row in rows
    ]
    inside = [tag("caption", caption) if caption else "", tag("thead", tag("tr", *head)), tag("tbody", *lines)]
    return scroll_box(tag("table", *inside), caption or f"Table: {columns[0] or columns[-1]}")


def _cell(value: Any, side: str, heading: bool) -> Html:
    """A cell of a table; a short text in it stays on one line."""
    short = " short" if side == "words" and not isinstance(value, Html) and len(str(value)) <= SHORT else ""
    scope = "row" if heading else None
    return tag("th" if heading else "td", value, class_=f"{side}{short}", dir="auto", scope=scope)


def scroll_box(inside: Html, label: str) -> Html:
    """A box that scrolls sideways on its own, by keyboard too, so that the page does not."""
    return tag("div", inside, class_="scroll", role="region", aria_label=label, tabindex="0")


def facts_list(pairs: Sequence[tuple[Any, Any]]) -> Html:
    """Names and what they stand for, in as many columns as there is room for."""
    entries = (
        tag(
            "div", tag("dt", name), tag("dd", value, dir="auto"), class_="wide" if len(str(value)) > WIDE_FACT else None
        )
        for name, value in pairs
    )
    return tag("dl", *entries)


def details(summary: Any, body: Any, *, opened: bool = False, printed: bool = True) -> Html:
    """Something that is unfolded by a click.

    Args:
        summary: What stands there before.
        body: What is unfolded.
        opened: Whether it is unfolded from the start.
        printed: Whether it stands on paper (unfolded), too.
    """
    kind = None if printed else "screen-only"
    return tag("details", tag("summary", summary), tag("div", body, class_="inside"), open=opened, class_=kind)


def note(message: Any, kind: str = "note") -> Html:
    """A remark set off from the text.

    Args:
        message: What it says.
        kind: `note`, or `warning` for what may make the reader doubt the numbers.
    """
    name = {"note": "Note", "warning": "Warning"}[kind]
    return tag("p", tag("strong", name), " ", tag("span", message, dir="auto"), class_=f"remark {kind}")


def figure(drawing: Html, caption: Any, numbers: Html = EMPTY) -> Html:
    """A drawing with its caption and, folded away, the numbers it shows.

    Args:
        drawing: SVG, with its legend.
        caption: What it shows, in a phrase.
        numbers: The same as a table.
    """
    folded = details("Numbers", numbers, printed=False) if numbers else ""
    return tag("figure", tag("figcaption", caption), drawing, folded)


def figures(drawings: Sequence[Html]) -> Html:
    """Figures side by side, as many as there is room for."""
    return tag("div", *drawings, class_="figures")


def code(lines: str) -> Html:
    """Lines of a command or a file, as they are."""
    return tag("pre", tag("code", lines), tabindex="0")


def badge(word: str, kind: str = "plain") -> Html:
    """A word set apart, such as `selected`; `kind` is plain, good, bad or warning."""
    return tag("span", word, class_=f"badge {kind}")


def _section(section: Section, level: int = 2) -> Html:
    """A section with its heading and its parts."""
    lead = tag("p", section.lead, class_="section-lead") if section.lead else ""
    heading = tag(f"h{level}", section.title, join([" ", section.mark]) if section.mark else "", dir="auto")
    parts = join(_section(part, level + 1) for part in section.parts)
    return tag("section", heading, lead, section.body, parts, id=section.id)


def _contents(sections: Sequence[Section]) -> Html:
    """The list of sections with links; nothing where one section is all there is."""
    if len(sections) < 2:
        return EMPTY
    return tag("nav", tag("p", "Contents"), _links(sections), aria_label="Contents")


def _links(sections: Sequence[Section]) -> Html:
    """Links to sections and, below each, to its parts."""
    entries = (
        tag(
            "li",
            tag("a", section.title, href=f"#{section.id}"),
            _links(section.parts) if len(section.parts) > 1 else "",
        )
        for section in sections
    )
    return tag("ul", *entries)
