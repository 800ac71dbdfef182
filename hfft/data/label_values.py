"""Labels as values: names that say nothing, and labels of a row of which some are unknown. Needs no data set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

GENERIC = "LABEL_"  # transformers' names where none were given: they say nothing


class Applying(list[str]):
    """The labels that apply to a row, where of some nobody knows whether they do: these are `unknown`."""

    def __init__(self, names: Iterable[str], unknown: Iterable[str] = ()):
        super().__init__(names)
        self.unknown = tuple(unknown)


def unknown_of(truth: Any) -> tuple[str, ...]:
    """The labels of which nobody knows whether they apply to a row; none of a plain list."""
    return truth.unknown if isinstance(truth, Applying) else ()
