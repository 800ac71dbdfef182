"""What a report says of the run itself: the data's checks, the parameters, time and memory, how to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfft.report.page_html import EMPTY, Html, join, tag
from hfft.report.page_numbers import NOTHING, flat, share_text
from hfft.report.page_shell import Section, badge, code, details, facts_list, note, table

Facts = Mapping[str, Any]
SHOWN_LABELS = 12  # more labels than this are folded away
SHOWN_BLOCKS = 30


def checks_section(facts: Facts) -> Section | None:
    """What was looked for in the data, and what was found."""
    checks = facts.get("checks")
    if not checks:
        return None
    body = [note(warning, "warning") for warning in checks.get("warnings", ())]
    body += [note(remark) for remark in checks.get("remarks", ())]
    body.append(_findings(checks))
    if checks.get("splits"):
        body += [_split_table(checks["splits"]), _label_counts(checks["splits"])]
    return Section("checks", "Data checks", join(body))


def parameters_section(facts: Facts) -> Section | None:
    """What moved, block by block."""
    parameters = facts.get("parameters")
    if not parameters or not parameters["rows"]:
        return None
    rows = parameters["rows"]
    whole = table(parameters["columns"], rows, caption="Parameters by block", last_is_total=True)
    if len(rows) > SHOWN_BLOCKS:
        total = table(parameters["columns"], rows[-1:], caption="All parameters", last_is_total=True)
        whole = join([total, details(f"All {len(rows) - 1} blocks", whole)])
    return Section("parameters", "Parameters", whole)


def cost_section(facts: Facts) -> Section | None:
    """Time and memory."""
    cost = facts.get("cost")
    return Section("cost", "Time and memory", facts_list(flat(cost))) if cost else None


def repeat_section(facts: Facts) -> Section | None:
    """The command, the recipe, and where the run took place."""
    body = []
    if facts.get("command"):
        body.append(code("\n".join(facts["command"])))
    if facts.get("recipe"):
        body.append(details("The recipe, with every default", code(facts["recipe"])))
    if facts.get("environment"):
        rows = flat(facts["environment"])
        body.append(details("The environment", table(("", ""), rows, caption="Versions and machine", words=(0, 1))))
    lead = "The same recipe, data and environment give the same run."
    return Section("repeat", "How to repeat it", join(body), lead) if body else None


def _findings(checks: Facts) -> Html:
    """What was found, row counts first."""
    findings = checks.get("findings", ())
    if not findings:
        quiet = "findings" in checks and not checks.get("warnings") and not checks.get("remarks")
        return tag("p", "Nothing was found that needs a look.") if quiet else EMPTY
    rows = [
        (
            join([finding["split"], badge(finding["kind"])], " "),
            f"{finding['count']:,} of {finding['total']:,}",
            share_text(finding["count"] / finding["total"]) if finding["total"] else NOTHING,
            finding["text"],
        )
        for finding in findings
    ]
    return table(("split", "rows", "share", "what they are"), rows, caption="What was found", words=(0, 3))


def _split_table(splits: Facts) -> Html:
    """The plain facts of each split, a column for each."""
    plain = {
        split: dict(flat({name: value for name, value in found.items() if name != "labels"}))
        for split, found in splits.items()
    }
    names = list(dict.fromkeys(name for found in plain.values() for name in found))
    rows = [(name, *(found.get(name, NOTHING) for found in plain.values())) for name in names]
    return table(("", *splits), rows, caption="The splits")


def _label_counts(splits: Facts) -> Html:
    """How many examples each label has, by split; folded where there are many labels."""
    counted = {split: found["labels"] for split, found in splits.items() if isinstance(found.get("labels"), Mapping)}
    names = list(dict.fromkeys(name for counts in counted.values() for name in counts))
    if not names:
        return EMPTY
    rows = [(name, *(_count(counts.get(name)) for counts in counted.values())) for name in names]
    drawn = table(("label", *counted), rows, caption="Examples of each label")
    return (
        drawn
        if len(names) <= SHOWN_LABELS
        else details(f"Examples of each of the {len(names)} labels", drawn, printed=False)
    )


def _count(count: Any) -> str:
    """A count of a label; a dash where the split has no such label."""
    return f"{count:,}" if isinstance(count, int) else NOTHING if count is None else str(count)
