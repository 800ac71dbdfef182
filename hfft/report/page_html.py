"""The smallest parts of an HTML text: what is markup already, and what has still to be escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
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
