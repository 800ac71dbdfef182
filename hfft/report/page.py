"""report.html of one run: what report.json says, as a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfft.report.page_curves import curves_section
from hfft.report.page_html import EMPTY, Html, join, tag
from hfft.report.page_run import checks_section, cost_section, parameters_section, repeat_section
from hfft.report.page_scores import headline, scores_section, seeds_section, selected_note
from hfft.report.page_shell import WIDE_FACT, facts_list, note, page
from hfft.report.page_split import split_sections

WARNINGS = 3  # so many stand at the top; the data checks have them all


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
    top = join([headline(facts), selected_note(facts), *_alerts(facts), _glance(facts)])
    kind = " · ".join(str(facts[key]) for key in ("task", "strategy") if facts.get(key))
    shown = [section for section in sections if section is not None]
    return page(str(facts.get("name", "A run")), facts.get("summary", ""), shown, top, kind)


def _alerts(facts: Mapping[str, Any]) -> list[Html]:
    """What a reader must know before the numbers: an early end, odd answers, warnings, examples of train in test."""
    checks = facts.get("checks", {})
    alerts = []
    if facts.get("finished") is False:
        alerts.append(note("This run has not finished.", "warning"))
    if facts.get("ended"):
        alerts.append(note(f"The run ended early: {facts['ended']}", "warning"))
    warnings = [*checks.get("remarks", ()), *checks.get("warnings", ())]
    alerts += [note(warning, "warning") for warning in warnings[:WARNINGS]]
    if len(warnings) > WARNINGS:
        more = tag("a", f"{len(warnings) - WARNINGS} more warnings", href="#checks")
        alerts.append(note(more, "warning"))
    findings = checks.get("findings", ())
    for finding in findings:
        if finding["kind"] == "shared":
            told = f"{finding['split']}: {finding['count']:,} of {finding['total']:,} rows {finding['text']}"
            alerts.append(note(told, "warning"))
    others = sum(finding["kind"] != "shared" for finding in findings)
    if others:
        words = "1 thing that is" if others == 1 else f"{others} things that are"
        alerts.append(note(tag("a", f"The data checks found {words} worth a look.", href="#checks")))
    return alerts


def _glance(facts: Mapping[str, Any]) -> Html:
    """The facts of the run at a glance."""
    pairs = [(name, value) for name, value in facts.get("facts", ())]
    if facts.get("weights"):
        pairs.append(("Weights kept", facts["weights"]))
    pairs.sort(key=lambda pair: len(str(pair[1])) > WIDE_FACT)  # those that fill a line of their own come last
    return facts_list(pairs) if pairs else EMPTY
