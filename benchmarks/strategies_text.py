"""Small pieces of text that the parts of the page of benchmarks/strategies.py share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from comparison import Spread


def points(less: Spread) -> str:
    """A difference in points of accuracy, with its interval."""
    return f"{100 * less.value:+.1f}, {100 * less.low:+.1f} to {100 * less.high:+.1f}"


def span(low: float, high: float, form: Callable[[float], str]) -> str:
    """Two ends as "a to b", or one where both read alike."""
    return form(low) if form(low) == form(high) else f"{form(low)} to {form(high)}"


def shown(model: str) -> str:
    """A model's name without a path of the machine."""
    return Path(model).name if Path(model).is_absolute() or Path(model).exists() else model


def listed(values: Iterable[object]) -> str:
    """Several things in a row of words."""
    return ", ".join(map(str, values))


def distinct(values: Iterable[object]) -> str:
    """What runs have in common, or all of it where they differ."""
    found = sorted(map(str, set(values)))
    return found[0] if len(found) == 1 else f"{' and '.join(found)} (runs differ)"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
