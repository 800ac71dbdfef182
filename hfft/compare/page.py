"""A comparison as a page of one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hfft.compare.forest import forest
from hfft.compare.shown import cost_rows, counts_said, difference_rows, worded
from hfft.compare.words import ALIKE, BETTER, UNKNOWN, WORSE
from hfft.report.charts_bars import strip
from hfft.report.page_html import Html, join, tag
from hfft.report.page_shell import Section, badge, figure, note, page, table
from hfft.score_table import interval_text

if TYPE_CHECKING:  # which imports this file
    from hfft.compare.result import Against, Comparison

KINDS = {BETTER: "good", WORSE: "bad", ALIKE: "plain", UNKNOWN: "plain", None: "plain"}


def comparison_page(found: Comparison) -> str:
    """The page of a comparison."""
    first = found.runs[0]
    names = [one.name for one in found.against]
    verdicts = [
        tag("p", badge(one.verdict or "no verdict", KINDS[one.verdict]), " ", tag("span", one.said, dir="auto"))
        for one in found.against
    ]
    notes = [note(text) for text in found.notes]
    lead = f"{', '.join(names)} beside {first.name}, on the same {found.examples} examples of the {found.split} split."
    sections = [_overview(found), *(_section(found, number) for number in range(len(found.against)))]
    return page("Comparison of runs", lead, [*sections, _cost(found)], join([*verdicts, *notes]), found.task)


def _overview(found: Comparison) -> Section:
    bars = [(one.name, one.differences[found.headline]) for one in found.against]
    chart = forest(bars, found.headline, found.runs[0].name, found.confidence)
    less = found.headline in found.lower_is_better
    caption = f"{found.headline} less that of {found.runs[0].name}{'; less is better' if less else ''}"
    rows = [
        [name, *(_number(side.scores[name]) for side in found.runs)]
        for name in sorted(found.runs[0].scores, key=lambda name: name != found.headline)
    ]
    scores = table(["", *(side.name for side in found.runs)], rows, caption=f"Scores of the {found.split} split")
    covers = [tag("p", text) for text in dict.fromkeys(one.covers for one in found.against)]
    return Section("overview", "Differences", join([figure(chart, caption), *covers, scores]))


def _section(found: Comparison, number: int) -> Section:
    one, first = found.against[number], found.runs[0].name
    columns = ["", first, one.name, "difference", f"{100 * found.confidence:g}% interval", "", "p"]
    rows = []
    for name, row in difference_rows(found, number).items():
        sides = (found.runs[0], found.runs[number + 1])
        values = [_marked(text, side.scores[name]) for text, side in zip(row[1:3], sides, strict=True)]
        rows.append([row[0], *values, *row[3:5], _strip(found, number, name), row[5]])
    tests = ", ".join(dict.fromkeys(each.test for each in one.differences.values()))
    body = [
        *(note(text, "warning") for text in one.warnings),
        table(columns, rows, caption=f"Scores of {one.name} less those of {first}; p values by {tests}, not corrected"),
        tag("p", counts_said(one.changed, first, one.name)),
        _pairs("Settings that differ", one.settings, first, one.name),
        _pairs("Versions and machine", one.machine, first, one.name),
    ]
    parts = [Section(f"run-{number}-examples", "Examples that changed", _examples(one, first))]
    shown = parts if one.changed.examples else []
    return Section(f"run-{number}", f"{one.name} beside {first}", join(body), one.said, shown)


def _strip(found: Comparison, number: int, metric: str) -> Html:
    """The difference as a strip, on the same scale for all runs; 0 lies in its middle."""
    all_of = [one.differences[metric] for one in found.against]
    reach = max((abs(end) for each in all_of for end in (each.low, each.high) if not math.isnan(end)), default=0.0)
    each = all_of[number]
    if not reach or math.isnan(each.low):
        return Html("")
    title = f"{metric}: {each.value:+.4f} ({each.low:+.4f} to {each.high:+.4f}); no difference is in the middle"
    return strip(title, each.value, (each.low, each.high), (-reach, reach))


def _pairs(caption: str, rows: Sequence[tuple[str, Any, Any]], first: str, other: str) -> Html:
    if not rows:
        return Html("")
    cells = [[key, *(worded(value) for value in values)] for key, *values in rows]
    return table(["", first, other], cells, caption=caption, words=(0, 1, 2))


def _examples(one: Against, first: str) -> Html:
    entries = []
    for example in one.changed.examples:
        better = one.name if example["better"] == "other" else first
        told = [("truth", example["truth"]), (first, example["first"]), (one.name, example["other"])]
        answers = (
            tag("span", tag("span", name, class_="what"), " ", tag("b", worded(value)), dir="auto")
            for name, value in told
        )
        asked = worded(example["input"]) if example["input"] is not None else ""
        heading = tag("p", asked, class_="example-text", dir="auto") if asked else ""
        under = tag("p", f"#{example['id']}; better in {better}", class_="under")
        entries.append(tag("li", heading, tag("p", *answers, class_="verdict"), under))
    return tag("ul", *entries, class_="examples")


def _cost(found: Comparison) -> Section:
    columns = ["", *(side.name for side in found.runs)]
    seeds = ["seeds", *(", ".join(map(str, side.seeds)) for side in found.runs)]
    return Section("cost", "Cost", table(columns, [seeds, *cost_rows(found.runs)], caption="What the runs took"))


def _number(entry: dict[str, Any]) -> Html:
    """A score with its interval, or the values of its seeds."""
    beside = ""
    if "values" in entry:
        beside = f" ({', '.join(f'{value:.4f}' for value in entry['values'])})"
    elif interval_text(entry):
        beside = f" ({interval_text(entry)})"
    return _marked(f"{entry['value']:.4f}{beside}", entry)


def _marked(text: str, entry: dict[str, Any]) -> Html:
    """A score as text, with a mark where weights or thresholds were chosen by it."""
    return join([text, *([" ", badge("selected", "warning")] if entry.get("selected") else [])])
