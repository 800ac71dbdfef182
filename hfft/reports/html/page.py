"""The page of a report: its sections in order; those on the run itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfft.reports.html.curves import curves_section
from hfft.reports.html.markup import filled
from hfft.reports.html.numbers import NOTHING, flat, share_text
from hfft.reports.html.parts import Cell, Section, Table
from hfft.reports.html.scores import headline, scores_section, seeds_section
from hfft.reports.html.splits import in_short, split_sections

Facts = Mapping[str, Any]

SHOWN_LABELS = 12  # more labels than this are folded away

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
    splits = split_sections(facts)
    sections = [
        *splits[:1],
        scores_section(facts),
        seeds_section(facts),
        curves_section(facts),
        *splits[1:],
        checks_section(facts),
        parameters_section(facts),
        run_section(facts),
        repeat_section(facts),
    ]
    return filled(
        "report.html",
        title=str(facts.get("name", "A run")),
        kind=" · ".join(str(facts[key]) for key in ("task", "strategy") if facts.get(key)),
        lead="",
        sections=[section for section in sections if section is not None],
        top=top_of(facts, splits[0] if splits else None),
    )


def top_of(facts: Facts, split: Section | None = None) -> dict[str, Any]:
    """What stands above all sections.

    Args:
        facts: As for `render`.
        split: The section that the findings lead into, where it is in the same page.
    """
    checks = facts.get("checks", {})
    name, found = next(iter(facts.get("splits", {}).items()), ("", {}))
    return {
        "split": name,
        "in_short": in_short(found if name else facts, split.parts if split is not None else ()),
        "summary": facts.get("summary", ""),
        "cards": headline(facts),
        "ended": facts.get("ended"),
        "warnings": _warnings(checks),
        "findings": checks.get("findings", ()),
    }


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
    return Section("checks", "Data checks", "checks", content, folded=True)


def _warnings(checks: Facts) -> list[str]:
    """What is odd about the answers, then what is odd about the data or the recipe."""
    return [*checks.get("remarks", ()), *checks.get("warnings", ())]


def _findings(findings: Any) -> Table:
    """What was found, that of the largest share first."""
    shares = [(found["count"] / found["total"] if found["total"] else 0.0, found) for found in findings]
    rows = [
        (
            Cell(found["split"], badge=found["kind"]),
            Cell(f"{found['count']:,} of {found['total']:,}", small=share_text(share)),
            found["text"],
        )
        for share, found in sorted(shares, key=lambda pair: -pair[0])
    ]
    return Table(("split", "rows", "what they are"), rows, "What was found", words=(0, 2))


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
    """What moved, block by block."""
    parameters = facts.get("parameters")
    if not parameters or not parameters["rows"]:
        return None
    columns, rows = parameters["columns"], parameters["rows"]
    return Section(
        "parameters", "Parameters", "table", Table(columns, rows, "By block", last_is_total=True), folded=True
    )


def run_section(facts: Facts) -> Section | None:
    """What was trained how, and what it took."""
    kept = [("Weights kept", facts["weights"])] if facts.get("weights") else []
    pairs = [*facts.get("facts", ()), *kept, *flat(facts.get("cost", {}))]
    return Section("run", "The run", "facts", pairs, folded=True) if pairs else None


def repeat_section(facts: Facts) -> Section | None:
    """The command, the recipe, and where the run took place."""
    command, recipe, environment = (facts.get(name) for name in ("command", "recipe", "environment"))
    if not (command or recipe or environment):
        return None
    versions = Table(("", ""), flat(environment), "Versions and machine", words=(0, 1)) if environment else None
    content = {"command": "\n".join(command or ()), "recipe": recipe, "environment": versions}
    return Section("repeat", "How to repeat it", "repeat", content, folded=True)
