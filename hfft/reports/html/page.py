"""The page: its sections in order; those on the run itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfft.reports.html.chart_series import Line, Marks, line_chart
from hfft.reports.html.charts import Words
from hfft.reports.html.components import (
    EMPTY,
    WIDE_FACT,
    Html,
    Section,
    badge,
    code,
    details,
    facts_list,
    figure,
    figures,
    join,
    note,
    page,
    table,
    tag,
)
from hfft.reports.html.numbers import NOTHING, flat, score_text, share_text
from hfft.reports.html.scores import headline, scores_section, seeds_section, selected_note
from hfft.reports.html.splits import split_sections

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


CHARTS = 4  # so many scores have a chart of their own; the table has all

ROWS = 25  # of the table of numbers below a chart

BELOW = 10.0  # and reaches this many times below the lowest peak

WIDE = 8.0  # where the highest is so many times the lowest, the axis goes by powers of ten


def curves_section(facts: Facts) -> Section | None:
    """All curves there are."""
    curves = facts.get("curves", {})
    scores = _scores(curves, facts)
    shown = [*_loss(curves), *scores[:1], *_rates(curves), *_gradients(curves), *scores[1:]]
    if not shown:
        return None
    notes = (tag("p", note, class_="quiet small") for note in curves.get("notes", ()))
    return Section("curves", "Curves", join([figures(shown), *notes, _score_numbers(curves)]))


def _marks(curves: Facts) -> Marks:
    """What happened on the way; the chosen step is marked where it was chosen, in the scores."""
    phases = [(phase["step"], phase["label"]) for phase in curves.get("phases", ())]
    return Marks(phases, curves.get("skips", ()))


def _loss(curves: Facts) -> list[Html]:
    """The loss as it was, and smoothed."""
    loss = curves.get("loss")
    if not loss or not loss["step"]:
        return []
    lines = [Line("loss", loss["step"], loss["value"], faint="smooth" in loss)]
    if "smooth" in loss:
        lines = [lines[0], Line("smoothed", loss["step"], loss["smooth"])]
    words = Words("curve-loss", "Training loss over the steps", _story("The loss", lines[-1]), "step")
    caption = join([tag("strong", "Training loss"), Html(" by step")])
    return [figure(line_chart(words, lines, _marks(curves)), caption, _numbers(lines))]


def _scores(curves: Facts, facts: Facts) -> list[Html]:
    """A chart for each score that matters, with the chosen step."""
    scores = curves.get("scores", {})
    shown = []
    for number, metric in enumerate(_chosen(scores, facts)):
        found = scores[metric]
        lines = [Line(metric, found["step"], found["value"])]
        words = Words(f"curve-score-{number}", f"{metric} over the steps", _story(metric, lines[0]), "step")
        caption = join([tag("strong", metric), Html(" as the model was scored on the way")])
        shown.append(figure(line_chart(words, lines, Marks(best=curves.get("best_step"))), caption, _numbers(lines)))
    return shown


def _chosen(scores: Facts, facts: Facts) -> list[str]:
    """The scores that get a chart: the one at the top first, no other averages of the same, none of one point."""
    several = (metric for metric, found in scores.items() if len(found["step"]) > 1)
    metrics = [metric for metric in several if not metric.endswith(("_micro", "_weighted"))]
    first = facts.get("headline", {}).get("metric")
    return sorted(metrics, key=lambda metric: metric != first)[:CHARTS]


def _rates(curves: Facts) -> list[Html]:
    """The learning rate of each block, by powers of ten where the blocks differ much."""
    rates = [rate for rate in curves.get("lr", ()) if rate["step"]]
    if not rates:
        return []
    lines = [Line(rate["name"], rate["step"], rate["value"]) for rate in rates]
    peaks = [peak for line in lines if (peak := max(value or 0.0 for value in line.values)) > 0]
    log = len(peaks) > 1 and max(peaks) / min(peaks) > WIDE
    if log:  # rates that rise from 0 and fall to 0 have no end on such an axis
        floor = min(peaks) / BELOW
        lines = [Line(a.name, a.steps, [v if v and v >= floor else None for v in a.values]) for a in lines]
    told = ", ".join(f"{line.name} at most {score_text(max(value or 0.0 for value in line.values))}" for line in lines)
    words = Words("curve-lr", "Learning rate by block over the steps", f"{told}.", "step")
    caption = join([tag("strong", "Learning rate"), Html(" by block" if len(lines) > 1 else " by step")])
    return [figure(line_chart(words, lines, _marks(curves), log=log), caption, _numbers(lines))]


def _gradients(curves: Facts) -> list[Html]:
    """The norm of the gradients before clipping."""
    norms = curves.get("gradient_norm")
    if not norms or not norms["step"]:
        return []
    lines = [Line("gradient norm", norms["step"], norms["value"])]
    there = [value for value in norms["value"] if value]
    log = bool(there) and max(there) / min(there) > 100
    words = Words("curve-norm", "Gradient norm over the steps", _story("The norm", lines[0]), "step")
    caption = join([tag("strong", "Gradient norm"), Html(" before clipping")])
    return [figure(line_chart(words, lines, Marks(skips=curves.get("skips", ())), log=log), caption, _numbers(lines))]


def _story(name: str, line: Line) -> str:
    """What a line does, in a sentence, for whom sees it not."""
    there = [(step, value) for step, value in zip(line.steps, line.values, strict=True) if value is not None]
    if not there:
        return f"{name} has no values."
    (first, start), (last, end) = there[0], there[-1]
    low, high = min(there, key=lambda pair: pair[1]), max(there, key=lambda pair: pair[1])
    return (
        f"{name} goes from {score_text(start)} at step {first} to {score_text(end)} at step {last}; "
        f"lowest {score_text(low[1])} at step {low[0]}, highest {score_text(high[1])} at step {high[0]}."
    )


def _numbers(lines: Sequence[Line]) -> Html:
    """The values as a table of at most some thirty rows, evenly chosen, the first and last among them."""
    steps = sorted({step for line in lines for step in line.steps})
    stride = max(1, -(-len(steps) // ROWS))
    kept = [*steps[::stride], *([steps[-1]] if steps and (len(steps) - 1) % stride else [])]
    values = [dict(zip(line.steps, line.values, strict=True)) for line in lines]
    rows = [(f"{step:,}", *(score_text(found.get(step)) for found in values)) for step in kept]
    return table(("step", *(line.name for line in lines)), rows, caption="Values by step", words=())


def _score_numbers(curves: Facts) -> Html:
    """All scores on the way as one table."""
    scores = curves.get("scores", {})
    lines = [Line(name, found["step"], found["value"]) for name, found in scores.items()]
    if len(lines) < 2 or not any(line.steps for line in lines):
        return EMPTY
    return details("All scores on the way", _numbers(lines), printed=False)
