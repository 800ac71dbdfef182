"""How a page looks and how it says numbers: contrast in both modes, scores, shares, durations, sizes."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from hfft.reports.html.examples import answer_text
from hfft.reports.html.numbers import axis_of, bytes_text, duration_text, flat, range_text, score_text
from hfft.reports.html.parts import Axis
from hfft.reports.html.splits import FULL, shade


def test_numbers_as_people_read_them() -> None:
    assert [score_text(value) for value in (None, float("nan"), -0.5, 1 + 1e-12)] == ["–", "–", "−0.5000", "1.0000"]  # noqa: RUF001
    assert range_text({"value": 1, "low": None, "high": None}) == ""
    assert [duration_text(seconds) for seconds in (0.04, 59.96, 60, 86400)] == [
        "0.0 s",
        "60.0 s",
        "1 min 0 s",
        "24 h 0 min",
    ]
    assert bytes_text(2**50) == "1024.0 TiB"
    assert flat({"a_b": [1, 2.5], "c": True, "d": None}) == [("a b", "1, 2.5"), ("c", "yes"), ("d", "–")]  # noqa: RUF001
    assert [answer_text(value) for value in (None, [], ["a", "b"], [1.5, 2], {"a": 1})] == [
        "(none)",
        "(none)",
        "a, b",
        "1.50; 2",
        '{"a": 1}',
    ]


def test_an_axis_is_cut_where_that_shows_more_and_says_so() -> None:
    assert axis_of([{"value": 1 + 1e-12, "low": 0.91, "high": 1.0}]) == Axis(0.9, 1.0)
    assert axis_of([{"value": -0.2, "low": -0.4, "high": 0.1}]) == Axis(-0.4, 0.1)
    assert axis_of([{"value": 0.2}, {"value": 0.95}, None]) == Axis(0.0, 1.0)
    assert axis_of([None, {"value": None}]) is None
    assert [axis.cut for axis in (Axis(0.9, 1.0), Axis(0.0, 1.0), Axis(-0.4, 0.1), Axis(-3, -1))] == [
        True,
        False,
        False,
        True,
    ]
    assert Axis(0.75, 0.9).ends == ("0.75", "0.90")


def _luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mixed(first: str, second: str, share: float) -> str:
    """`color-mix(in srgb, first share, second)`."""
    pairs = [(int(first[at : at + 2], 16), int(second[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(one * share + two * (1 - share)):02x}" for one, two in pairs)


def _contrast(one: str, two: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_contrast_is_enough_to_read(mode: str) -> None:
    templates = files("hfft.reports.html").joinpath("templates")
    sheets = (templates.joinpath(f"{name}.css").read_text(encoding="utf-8") for name in ("light", "dark"))
    roots = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", sheet)) for sheet in sheets]
    colours = (roots[0] if mode == "light" else roots[0] | roots[1]).__getitem__
    on_paper = ("ink", "quiet", "accent", "good", "bad", "warning", "s0", "s1", "s2", "s3", "s4", "s5")
    for name in on_paper:
        assert _contrast(colours(name), colours("paper")) >= 4.5, name
    for number in range(6):  # the label of a span stands on a tint of its own colour
        tint = colours(f"s{number}")
        assert _contrast(tint, _mixed(tint, colours("paper"), 0.16)) >= 4.5, number
    for name in ("ink", "quiet"):
        assert _contrast(colours(name), colours("soft")) >= 4.5, name
    for name in ("ink", "warning"):
        assert _contrast(colours(name), colours("warning-paper")) >= 4.5, name
    for share in range(101):  # the text of the confusion matrix turns light in the middle
        ink = colours("heat-ink" if share / 100 >= FULL else "ink")
        assert _contrast(ink, _mixed(colours("heat"), colours("soft"), shade(share / 100))) >= 4.5, share
