"""Numbers as people read them: scores, intervals, shares, durations, sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from hfft.reports.html.chart_series import Strip, strip
from hfft.reports.html.charts import MINUS, nice_bounds, tick_text
from hfft.reports.html.parts import Axis, Cell

Entry = Mapping[str, Any]

ONE = 1 + 1e-9  # correlations of rounded numbers can be a hair above 1

NOTHING = "\N{EN DASH}"


def score_text(value: float | None, decimals: int = 4) -> str:
    """A score with as many decimals as its size asks for; a dash where there is none.

    >>> score_text(0.91111), score_text(31.234), score_text(0.00002), score_text(0.00221582, 2)
    ('0.9111', '31.23', '2e-5', '0.0022')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if 0 < abs(value) < 10.0**-decimals:
        return tick_text(float(f"{value:.2g}"))
    words = f"{value:.{decimals}f}" if abs(value) <= ONE else f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}"
    return words.replace("-", MINUS, 1)


def range_text(entry: Entry, decimals: int = 4) -> str:
    """The interval of an entry, or nothing where it has none.

    >>> range_text({"value": 0.5, "low": 0.25, "high": 0.75}, 2)
    '0.25 to 0.75'
    >>> range_text({"value": 1.45, "low": 0.5645, "high": 3.67})  # both ends have as many decimals
    '0.56 to 3.67'
    """
    low, high = entry.get("low"), entry.get("high")
    if low is None or high is None:
        return ""
    decimals = decimals if max(abs(low), abs(high)) <= ONE else min(decimals, 2)
    return f"{score_text(low, decimals)} to {score_text(high, decimals)}"


def entry_cell(entry: Entry | None, decimals: int = 4) -> Cell | str:
    """A value with its interval below, for the cell of a table."""
    if entry is None:
        return NOTHING
    return Cell(score_text(entry["value"], decimals), small=range_text(entry, 3))


def entry_strip(title: str, entries: Mapping[str, Entry | None], axis: Axis, zero: bool = False) -> Strip:
    """Values with their intervals on an axis, below each other.

    Args:
        title: Of what.
        entries: By what each is of.
        axis: From `axis_of`.
        zero: Whether 0 has a mark.
    """
    told, values = [], []
    for name, entry in entries.items():
        value, low, high = (None if entry is None else entry.get(key) for key in ("value", "low", "high"))
        values.append((value, low, high))
        if entry is not None:
            between = range_text(entry)
            told.append(f"{name}{' ' if name else ''}{score_text(value)}{f' ({between})' if between else ''}")
    return strip(f"{title}: {', '.join(told)}", values, (axis.low, axis.high), zero)


def axis_of(entries: Iterable[Entry | None]) -> Axis | None:
    """The axis for values and their intervals: it begins at 0 only where that costs little; None where there are none.

    >>> axis_of([{"value": 0.83, "low": 0.76, "high": 0.9}]), axis_of([{"value": 0.2}, {"value": 0.8}])
    (Axis(low=0.75, high=0.9), Axis(low=0.0, high=0.8))
    >>> axis_of([{"value": 31.2, "low": 29.5, "high": 33}])
    Axis(low=29.0, high=33.0)
    """
    known = list(entries)
    ends = _ends(known)
    if not ends:
        return None
    low, high = nice_bounds(min(ends), max(ends))
    limit = limit_of(known)
    if limit is not None:
        low, high = max(low, 0.0 if min(ends) >= 0 else -limit), min(high, limit)
    return Axis(0.0 if 0 < low < high / 3 else low, high)


def limit_of(entries: Iterable[Entry | None]) -> float | None:
    """What values and their intervals go up to, up and down: 1 or 100; None where it is neither.

    >>> limit_of([{"value": 0.4}, {"value": -0.5}]), limit_of([{"value": 31.2}]), limit_of([{"value": 250}])
    (1.0, 100.0, None)
    """
    most = max(map(abs, _ends(entries)), default=None)
    return None if most is None else 1.0 if most <= ONE else 100.0 if most <= 100 else None


def _ends(entries: Iterable[Entry | None]) -> list[float]:
    """All values and ends of intervals."""
    known = [entry for entry in entries if entry]
    return [end for entry in known for key in ("value", "low", "high") if (end := entry.get(key)) is not None]


def share_text(share: float) -> str:
    """A share in percent.

    >>> share_text(0.1234), share_text(1.0)
    ('12.3%', '100%')
    """
    return f"{100 * share:.3g}%"


def count_text(count: float) -> str:
    """A count, in groups of three digits.

    >>> count_text(22713216), count_text(81.25)
    ('22,713,216', '81.25')
    """
    return f"{count:,}" if isinstance(count, int) else f"{count:,.4g}" if abs(count) < 1000 else f"{count:,.0f}"


def duration_text(seconds: float) -> str:
    """A time as people say it.

    >>> duration_text(4.21), duration_text(192), duration_text(7325)
    ('4.2 s', '3 min 12 s', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"


def bytes_text(count: float) -> str:
    """A size in memory.

    >>> bytes_text(512), bytes_text(3 * 2**20), bytes_text(2.5 * 2**30)
    ('512 B', '3.0 MiB', '2.5 GiB')
    """
    if count < 1024:
        return f"{count:g} B"
    power = min(int(math.log(count, 1024)), 4)
    return f"{count / 1024**power:.1f} {('KiB', 'MiB', 'GiB', 'TiB')[power - 1]}"


def value_text(name: str, value: Any) -> str:
    """Any plain value by what its name says it is: seconds, bytes, a share, a count; lists with commas."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: NOTHING}[value]
    if isinstance(value, (list, tuple)):
        return ", ".join(value_text(name, part) for part in value) or NOTHING
    if isinstance(value, (int, float)):
        if not math.isfinite(value):
            return NOTHING
        if name.endswith("seconds"):
            return duration_text(value)
        if name.endswith("bytes"):
            return bytes_text(value)
        return share_text(value) if name.endswith("share") else count_text(value)
    return str(value)


def flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Nested values as pairs of a readable name and a text.

    >>> flat({"tokens": {"median": 9, "longest": 30}, "train_seconds": 4.0})
    [('tokens: median', '9'), ('tokens: longest', '30'), ('train time', '4.0 s')]
    >>> flat({"base": {"special_tokens_map.json": "303df4"}})  # the name of a file is left as it is
    [('base: special_tokens_map.json', '303df4')]
    """
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        words = name if "." in name else name.removesuffix("_share").removesuffix("_bytes").replace("_", " ")
        shown = before + (f"{words.removesuffix('seconds')}time" if name.endswith("seconds") else words)
        if isinstance(value, Mapping):
            pairs += flat(value, f"{shown}: ")
        else:
            pairs.append((shown, value_text(name, value)))
    return pairs
