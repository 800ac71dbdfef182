"""What a notebook shows of a run and its like: lines of text that fit a screen, and a piece of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from hfft.io.run_folder import RunFolder, read_json
from hfft.metrics import OTHER_AVERAGES
from hfft.reports.html.markup import filled
from hfft.reports.html.numbers import range_text, score_text
from hfft.reports.html.page import top_of
from hfft.reports.html.parts import Section
from hfft.reports.html.scores import scores_section

Facts = Mapping[str, Any]

LINES, WIDTH = 25, 100

WHOLE: Any = {"break_on_hyphens": False, "break_long_words": False}  # for names of folders, which people copy


def screenful(lines: Sequence[str]) -> str:
    """Lines of at most 100 characters, longer ones cut into three at most, and no more of them than a screen has."""
    shown = [
        part
        for line in lines
        for part in (wrap(line, WIDTH, subsequent_indent="    ", max_lines=3, placeholder=" ...", **WHOLE) or [""])
    ]
    if len(shown) > LINES:
        shown = [*shown[: LINES - 1], f"  ... and {len(shown) - LINES + 1} more lines"]
    return "\n".join(shown)


def headline_text(name: str, entry: Facts, examples: int | None) -> str:
    """A score with its interval, and of how many examples it is.

    >>> headline_text("f1", {"value": 0.5, "low": 0.25, "high": 0.75}, 1200)
    'f1 0.5000 (0.2500 to 0.7500), 1,200 examples'
    """
    between = range_text(entry)
    told = f"{name} {score_text(entry['value'])}{f' ({between})' if between else ''}"
    return f"{told}, {examples:,} examples" if examples else told


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines whose columns stand below each other.

    >>> aligned([("f1", "0.5"), ("accuracy", "0.75")])
    ['  f1        0.5', '  accuracy  0.75']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def score_lines(scores: Mapping[str, Facts]) -> list[str]:
    """A line for each score: split, metric, value, interval; averages of another kind are left out."""
    rows = [
        (f"{split} {metric}".strip(), score_text(entry["value"]), range_text(entry), _mark(entry))
        for split, found in scores.items()
        for metric, entry in found.items()
        if not metric.endswith(OTHER_AVERAGES)
    ]
    return aligned(rows) if rows else []


def _mark(entry: Facts) -> str:
    return "selected" if entry.get("selected") else ""


def warning_lines(warnings: Sequence[str], most: int = 3) -> list[str]:
    """The first warnings, and how many there are beside."""
    more = len(warnings) - most
    return [*(f"  warning: {text}" for text in warnings[:most]), *([f"  {more} more warnings"] if more > 0 else [])]


def fragment(
    title: str,
    kind: str,
    sections: Sequence[Section | None],
    top: Facts | None = None,
    verdicts: Sequence[tuple[str, str]] = (),
    place: tuple[str, str] | None = None,
) -> str:
    """A piece of HTML in a box of its own, of the parts that pages are made of.

    Args:
        title: What it is.
        kind: Stands above the title.
        sections: Without those that are None. They have templates.
        top: From `top_of`.
        verdicts: Words set apart, with what is said.
        place: What lies where.
    """
    known = [section for section in sections if section is not None]
    values = {"title": title, "kind": kind, "top": top, "verdicts": verdicts, "place": place}
    return filled("fragment.html", sections=known, **values)


def run_facts(folder: RunFolder, scores: Mapping[str, Any]) -> dict[str, Any]:
    """What report.json of a run says; where it cannot be read, its name and these scores alone."""
    try:
        return dict(read_json(folder.report_facts))
    except (OSError, ValueError, TypeError):
        return {"name": folder.path.name, "scores": scores}


def run_text(folder: RunFolder, scores: Mapping[str, Any]) -> str:
    """A finished run in a few lines: its headline, what is found, its scores, where it lies."""
    facts = run_facts(folder, scores)
    top, first = top_of(facts), facts.get("headline")
    about = ", ".join(str(facts[key]) for key in ("task", "strategy") if facts.get(key))
    lines = [f"{facts['name']}{f': {about}' if about else ''}"]
    if first is not None:
        lines.append(headline_text(f"{first['split']} {first['metric']}", first, first.get("examples")))
    lines += [" ".join(text for text, _ in top["in_short"])] if top["in_short"] else []
    lines.append(f"run folder {folder.path}")
    return screenful([*lines, *warning_lines(top["warnings"]), *score_lines(facts.get("scores", {}))])


def run_html(folder: RunFolder, scores: Mapping[str, Any]) -> str:
    """A finished run as the top of its report and its scores."""
    facts = run_facts(folder, scores)
    kind = " · ".join(str(facts[key]) for key in ("task", "strategy") if facts.get(key))
    place = ("Report:", str(folder.report)) if folder.report.is_file() else ("Run folder:", str(folder.path))
    return fragment(str(facts["name"]), kind, [scores_section(facts)], top_of(facts), place=place)
