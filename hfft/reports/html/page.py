"""The page of a report: its sections in order; those on the run itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfft.reports.html.curves import curves_section
from hfft.reports.html.markup import filled
from hfft.reports.html.numbers import NOTHING, flat, share_text
from hfft.reports.html.parts import Cell, Section, Table
from hfft.reports.html.scores import headline, scores_section, seeds_section
from hfft.reports.html.splits import split_sections

Facts = Mapping[str, Any]

SHOWN_LABELS = 12  # more labels than this are folded away

SHOWN_BLOCKS = 30

COUNTED = {
    "cut": "rows cut short",
    "source cut": "sources cut short",
    "target cut": "targets cut short",
    "in windows": "rows read in windows",
}
"""What counts of rows are called here, where data.json has a word alone."""


def render(facts: Mapping[str, Any]) -> str:
    """The report as one HTML file that needs nothing beside it.

    Args:
        facts: What report.json holds. What it does not hold is left out of the page.
    """
    sections = [
        scores_section(facts),
        seeds_section(facts),
        curves_section(facts),
        *split_sections(facts),
        checks_section(facts),
        parameters_section(facts),
        cost_section(facts),
        repeat_section(facts),
    ]
    checks = facts.get("checks", {})
    return filled(
        "report.html",
        title=str(facts.get("name", "A run")),
        kind=" · ".join(str(facts[key]) for key in ("task", "strategy") if facts.get(key)),
        lead=facts.get("summary", ""),
        sections=[section for section in sections if section is not None],
        cards=headline(facts),
        ended=facts.get("ended"),
        warnings=_warnings(checks),
        findings=checks.get("findings", ()),
        glance=[*facts.get("facts", ()), *([("Weights kept", facts["weights"])] if facts.get("weights") else [])],
    )


def checks_section(facts: Facts) -> Section | None:
    """What was looked for in the data, and what was found."""
    checks = facts.get("checks")
    if not checks:
        return None
    splits, findings = checks.get("splits", {}), checks.get("findings", ())
    said = _warnings(checks)
    content = {
        "said": said,
        "nothing": "findings" in checks and not (findings or said),
        "findings": _findings(findings) if findings else None,
        "splits": _split_table(splits) if splits else None,
        "labels": _label_counts(splits),
        "most_labels": SHOWN_LABELS,
    }
    return Section("checks", "Data checks", "checks", content)


def _warnings(checks: Facts) -> list[str]:
    """What is odd about the answers, then what is odd about the data or the recipe."""
    return [*checks.get("remarks", ()), *checks.get("warnings", ())]


def _findings(findings: Any) -> Table:
    """What was found, row counts first."""
    rows = [
        (
            Cell(finding["split"], badge=finding["kind"]),
            f"{finding['count']:,} of {finding['total']:,}",
            share_text(finding["count"] / finding["total"]) if finding["total"] else NOTHING,
            finding["text"],
        )
        for finding in findings
    ]
    return Table(("split", "rows", "share", "what they are"), rows, "What was found", words=(0, 3))


def _split_table(splits: Facts) -> Table:
    """The plain facts of each split, a column for each."""
    plain = {
        split: dict(flat({name: value for name, value in found.items() if name != "labels"}))
        for split, found in splits.items()
    }
    names = list(dict.fromkeys(name for found in plain.values() for name in found))
    rows = [(COUNTED.get(name, name), *(found.get(name, NOTHING) for found in plain.values())) for name in names]
    return Table(("", *splits), rows, "The splits")


def _label_counts(splits: Facts) -> Table | None:
    """How many examples each label has, by split."""
    counted = {split: found["labels"] for split, found in splits.items() if isinstance(found.get("labels"), Mapping)}
    names = list(dict.fromkeys(name for counts in counted.values() for name in counts))
    rows = [(name, *(_count(counts.get(name)) for counts in counted.values())) for name in names]
    return Table(("label", *counted), rows, "Examples of each label") if rows else None


def _count(count: Any) -> str:
    """A count of a label; a dash where the split has no such label."""
    return f"{count:,}" if isinstance(count, int) else NOTHING if count is None else str(count)


def parameters_section(facts: Facts) -> Section | None:
    """What moved, block by block; of many blocks the sum, and they are folded."""
    parameters = facts.get("parameters")
    if not parameters or not parameters["rows"]:
        return None
    columns, rows = parameters["columns"], parameters["rows"]
    many = len(rows) > SHOWN_BLOCKS
    content = {
        "blocks": Table(columns, rows, "Parameters by block", last_is_total=True),
        "total": Table(columns, rows[-1:], "All parameters", last_is_total=True) if many else None,
    }
    return Section("parameters", "Parameters", "parameters", content)


def cost_section(facts: Facts) -> Section | None:
    """Time and memory."""
    cost = facts.get("cost")
    return Section("cost", "Time and memory", "facts", flat(cost)) if cost else None


def repeat_section(facts: Facts) -> Section | None:
    """The command, the recipe, and where the run took place."""
    command, recipe, environment = (facts.get(name) for name in ("command", "recipe", "environment"))
    if not (command or recipe or environment):
        return None
    versions = Table(("", ""), flat(environment), "Versions and machine", words=(0, 1)) if environment else None
    content = {"command": "\n".join(command or ()), "recipe": recipe, "environment": versions}
    return Section("repeat", "How to repeat it", "repeat", content)
