"""Charts: ticks and places against values worked by hand, and what is said of a chart beside drawing it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hfft.reports.html.chart_series import Line, Marks, histogram, line_chart, reliability, scatter, strip
from hfft.reports.html.charts import Scale, Words, log_ticks, nice_bounds, nice_ticks, path, tick_text
from hfft.reports.html.markup import environment

WORDS = Words("c", "A <title>", "What is & what is not.", "step", "loss")


def svg(chart: Any, kind: str = "") -> str:
    """A chart as it stands in a page."""
    macros = environment().get_template("charts.html").module
    return str(getattr(macros, kind or chart.kind)(chart))


@pytest.mark.parametrize(
    ("low", "high", "count", "ticks"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.37, 2.48, 5, [0.5, 1, 1.5, 2]),
        (-3, 7, 5, [-2, 0, 2, 4, 6]),
        (0, 100, 4, [0, 50, 100]),  # 25 is no round distance: 1, 2 and 5 are
        (0, 3e-4, 3, [0, 1e-4, 2e-4, 3e-4]),
        (5, 5, 5, [5]),
    ],
)
def test_ticks_are_round(low: float, high: float, count: int, ticks: list[float]) -> None:
    assert nice_ticks(low, high, count) == pytest.approx(ticks)


def test_bounds_hold_the_range_and_stand_on_ticks() -> None:
    assert nice_bounds(0.37, 2.48) == (0.0, 2.5)
    assert nice_bounds(-0.1, 0.1) == (-0.1, 0.1)
    assert nice_bounds(0, 0) == (-1.0, 1.0)


def test_ticks_by_powers_of_ten() -> None:
    assert log_ticks(1e-6, 1e-2) == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3, 1e-2])
    assert log_ticks(3e-5, 4e-4) == pytest.approx([5e-5, 1e-4, 2e-4])
    assert log_ticks(3, 4) == [3, 4], "where no round value is within, the ends are"


def test_the_words_of_ticks() -> None:
    assert [tick_text(value, 2e-5) for value in (0, 2e-5, 1e-4)] == ["0", "2e-5", "1e-4"]
    assert [tick_text(value, 0.005) for value in (0.98, 0.985)] == ["0.980", "0.985"]
    assert [tick_text(value, 500) for value in (1500, 12500, 2e6)] == ["1500", "12.5k", "2M"]
    assert tick_text(-0.5, 0.5) == "\N{MINUS SIGN}0.5"


def test_scales() -> None:
    even, log = Scale(0, 10, 100, 200), Scale(0.01, 100, 0, 40, log=True)
    assert [even(0), even(2.5), even(10)] == [100, 125, 200]
    assert [log(0.01), log(0.1), log(100)] == [0, 10, 40]
    assert Scale(3, 3, 0, 10)(3) == 5, "a single value stands in the middle"
    assert Scale(1, 3, 0, 10, whole=True).ticks(6) == [1, 2, 3]


def test_paths_have_gaps() -> None:
    assert path([(0, 1), (2, 3), None, (4, 5), None, (6, 7), (8, 9)]) == "M0 1L2 3M4 5h0M6 7L8 9"


def test_a_line_chart_by_hand() -> None:
    # The plot reaches from 46 to 388 and from 212 up to 32; the axis from 0 to 2.
    drawn = svg(line_chart(WORDS, [Line("loss", [1, 2, 3], [2.0, 1.0, 0.0])]))
    assert 'd="M46 32L217 122L388 212"' in drawn
    assert re.findall(r'text-anchor="middle">([^<]+)<', drawn) == ["1", "2", "3"]
    assert '<title id="c-title">A &lt;title&gt;</title>' in drawn
    assert 'aria-labelledby="c-title c-desc"' in drawn
    assert "legend" not in drawn, "one line that the title names needs none"


def test_lines_differ_without_colour() -> None:
    drawn = svg(line_chart(WORDS, [Line(f"block {number}", [1, 2], [1.0, 2.0]) for number in range(12)]))
    styles = re.findall(r'<path d="M1 6H27" class="line (stroke-\d)"(?: stroke-dasharray="([^"]+)")?', drawn)
    assert len(set(styles)) == 12
    assert len({dash for _, dash in styles}) == 4


def test_marks_of_a_line_chart() -> None:
    marks = Marks([(2, "encoder 2 learns"), (3, "all <learn>")], skips=[1, 3], best=2)
    lines = [Line("raw", [1, 2, 3], [3, 2, 1], faint=True), Line("smooth", [1, 2, 3], [3, 2, 1])]
    drawn = svg(line_chart(WORDS, lines, marks))
    assert "best: step 2" in drawn
    assert drawn.count('class="ring stroke-0"') == 1, "the faint line has no ring, and the other one its colour"
    assert "1: from step 2, encoder 2 learns" in drawn
    assert "2: from step 3, all &lt;learn&gt;" in drawn
    assert "2 skipped steps" in drawn
    assert drawn.count('class="skip"') == 3, "two marks, and their sample in the legend"


def test_what_has_no_place_on_an_axis_is_a_gap() -> None:
    drawn = svg(line_chart(WORDS, [Line("lr", [1, 2, 3, 4, 5], [0.0, 0.1, 1.0, None, float("nan")])], log=True))
    assert 'd="M131.5 212L217 32"' in drawn
    assert "nan" not in drawn.lower()
    assert "<svg" in svg(line_chart(WORDS, [Line("nothing", [], [])]))


def test_a_score_that_stays_has_an_axis_of_scores() -> None:
    drawn = svg(line_chart(WORDS, [Line("f1", [1, 2], [1.0, 1.0])]))
    assert ">1.0</text>" in drawn
    assert ">1.2</text>" not in drawn


def test_a_histogram_by_hand() -> None:
    drawn = svg(histogram(WORDS, [0, 1, 2], [("answers", [4, 2]), ("right answers", [2, 0])]))
    # 171 units for each bin, with half a unit of air on both sides; the axis reaches to 4, 45 units for one.
    assert '<rect x="46.5" y="32" width="170" height="180" class="bar fill-0"/>' in drawn
    assert '<rect x="217.5" y="122" width="170" height="90" class="bar fill-0"/>' in drawn
    assert 'd="M46 212L46 122L217 122L217 212L388 212L388 212"' in drawn
    assert "right answers" in drawn


def test_counts_have_whole_ticks() -> None:
    drawn = svg(histogram(WORDS, [0, 1], [("answers", [1])]))
    assert re.findall(r'text-anchor="end">([\d.]+)<', drawn) == ["0", "1"]


def test_a_reliability_diagram_by_hand() -> None:
    full = {"low": 0.5, "high": 1.0, "confidence": 0.75, "accuracy": 0.5, "examples": 8}
    empty = {"low": 0.0, "high": 0.5, "confidence": None, "accuracy": None, "examples": 0}
    drawn = svg(reliability(WORDS, [empty, full]))
    assert 'cx="302.5" cy="142"' in drawn
    assert ">8</text>" in drawn
    assert drawn.count('class="bar fill-0"') == 2, "one bar, and its sample"


def test_a_strip_stays_within_its_axis() -> None:
    drawn = svg(strip("f1 <0.5>", [(0.75, 0.25, 2.0), (None, None, None), (0.5, None, None)], (0.5, 1)), "strip")
    # Three rows of 16 units by 3: the first and the third have a value.
    assert re.findall(r'd="M(\S+) (\S+)H(\S+)" class="range', drawn) == [("0", "2.66666666667", "100")]
    assert re.findall(r'd="M(\S+) (\S+)h0" class="value (\S+)"', drawn) == [
        ("50", "2.66666666667", "stroke-0"),
        ("0", "13.3333333333", "stroke-2"),
    ]
    assert "<title>f1 &lt;0.5&gt;</title>" in drawn
    assert "zero" not in drawn
    assert 'd="M50 0V16" class="zero"' in svg(strip("gain", [(0.1, None, None)], (-1, 1), zero=True), "strip")


def test_a_scatter_has_axes_alike() -> None:
    drawn = svg(scatter(WORDS, [0, 4], [1, 5]))
    assert 'x1="46" y1="306" x2="388" y2="32" class="diagonal"' in drawn
    assert drawn.count('class="dot fill-0"') == 2
