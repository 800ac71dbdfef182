"""The curves of a report: loss, scores, learning rates and gradients over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import correlation
from typing import Any

from hfft.reports.html.chart_series import Line, Marks, line_chart
from hfft.reports.html.charts import Words
from hfft.reports.html.numbers import score_text
from hfft.reports.html.parts import Figure, Section, Table

Facts = Mapping[str, Any]

CHARTS = 4  # so many scores have a chart of their own, at most; the table has all

FEWEST = 3  # points that make a curve

ALIKE = 0.98  # scores whose curves correlate by as much look alike

ROWS = 25  # of the table of numbers below a chart

BELOW = 10.0  # and reaches this many times below the lowest peak

WIDE = 8.0  # where the highest is so many times the lowest, the axis goes by powers of ten


def curves_section(facts: Facts) -> Section | None:
    """All curves there are."""
    curves = facts.get("curves", {})
    scores = _scores(curves, facts)
    shown = [*_loss(curves), *scores[:1], *_rates(curves), *_gradients(curves), *scores[1:]]
    numbers = _score_numbers(curves)
    if not shown and numbers is None:
        return None
    content = {"figures": shown, "notes": curves.get("notes", ()), "scores": numbers}
    return Section("curves", "Curves", "curves", content, folded=True)


def _is_told(values: Sequence[float | None]) -> bool:
    """Whether a curve tells more than its numbers do: it has points enough and does not stay where it is."""
    there = [value for value in values if value is not None]
    return len(there) >= FEWEST and len(set(there)) > 1


def _marks(curves: Facts) -> Marks:
    """What happened on the way; the chosen step is marked where it was chosen, in the scores."""
    phases = [(phase["step"], phase["label"]) for phase in curves.get("phases", ())]
    return Marks(phases, curves.get("skips", ()))


def _loss(curves: Facts) -> list[Figure]:
    """The loss as it was, and smoothed."""
    loss = curves.get("loss")
    if not loss or not _is_told(loss["value"]):
        return []
    lines = [Line("loss", loss["step"], loss["value"], faint="smooth" in loss)]
    if "smooth" in loss:
        lines = [lines[0], Line("smoothed", loss["step"], loss["smooth"])]
    words = Words("curve-loss", "Training loss over the steps", _story("The loss", lines[-1]), "step")
    return [Figure(line_chart(words, lines, _marks(curves)), "Training loss", " by step", _numbers(lines))]


def _scores(curves: Facts, facts: Facts) -> list[Figure]:
    """A chart for each score that matters, with the chosen step."""
    scores = curves.get("scores", {})
    shown = []
    for number, metric in enumerate(_chosen(scores, facts)):
        found = scores[metric]
        lines = [Line(metric, found["step"], found["value"])]
        words = Words(f"curve-score-{number}", f"{metric} over the steps", _story(metric, lines[0]), "step")
        drawn = line_chart(words, lines, Marks(best=curves.get("best_step")))
        shown.append(Figure(drawn, metric, " as the model was scored on the way", _numbers(lines)))
    return shown


def _chosen(scores: Facts, facts: Facts) -> list[str]:
    """The scores that get a chart: the one at the top first, and none that moves as one before it does."""
    first = facts.get("headline", {}).get("metric")
    chosen: list[str] = []
    for metric in sorted(scores, key=lambda metric: metric != first):
        if _is_told(scores[metric]["value"]):
            alike = any(_move_alike(scores[metric], scores[other]) for other in chosen)
            chosen += [] if alike else [metric]
    return chosen[:CHARTS]


def _move_alike(one: Facts, other: Facts) -> bool:
    """Whether two scores rise and fall together at the same steps."""
    return one["step"] == other["step"] and correlation(one["value"], other["value"]) > ALIKE


def _rates(curves: Facts) -> list[Figure]:
    """The learning rate of each block, by powers of ten where the blocks differ much."""
    rates = [rate for rate in curves.get("lr", ()) if rate["step"]]
    if not any(_is_told(rate["value"]) for rate in rates):
        return []
    lines = [Line(rate["name"], rate["step"], rate["value"]) for rate in rates]
    peaks = [peak for line in lines if (peak := max(value or 0.0 for value in line.values)) > 0]
    log = len(peaks) > 1 and max(peaks) / min(peaks) > WIDE
    if log:  # rates that rise from 0 and fall to 0 have no end on such an axis
        floor = min(peaks) / BELOW
        lines = [Line(a.name, a.steps, [v if v and v >= floor else None for v in a.values]) for a in lines]
    told = ", ".join(f"{line.name} at most {score_text(max(value or 0.0 for value in line.values))}" for line in lines)
    words = Words("curve-lr", "Learning rate by block over the steps", f"{told}.", "step")
    caption = " by block" if len(lines) > 1 else " by step"
    return [Figure(line_chart(words, lines, _marks(curves), log=log), "Learning rate", caption, _numbers(lines))]


def _gradients(curves: Facts) -> list[Figure]:
    """The norm of the gradients before clipping."""
    norms = curves.get("gradient_norm")
    if not norms or not _is_told(norms["value"]):
        return []
    lines = [Line("gradient norm", norms["step"], norms["value"])]
    there = [value for value in norms["value"] if value]
    log = bool(there) and max(there) / min(there) > 100
    words = Words("curve-norm", "Gradient norm over the steps", _story("The norm", lines[0]), "step")
    drawn = line_chart(words, lines, Marks(skips=curves.get("skips", ())), log=log)
    return [Figure(drawn, "Gradient norm", " before clipping", _numbers(lines))]


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


def _numbers(lines: Sequence[Line]) -> Table:
    """The values as a table of at most some thirty rows, evenly chosen, the first and last among them."""
    steps = sorted({step for line in lines for step in line.steps})
    stride = max(1, -(-len(steps) // ROWS))
    kept = [*steps[::stride], *([steps[-1]] if steps and (len(steps) - 1) % stride else [])]
    values = [dict(zip(line.steps, line.values, strict=True)) for line in lines]
    rows = [(f"{step:,}", *(score_text(found.get(step)) for found in values)) for step in kept]
    return Table(("step", *(line.name for line in lines)), rows, "Values by step", words=())


def _score_numbers(curves: Facts) -> Table | None:
    """All scores on the way as one table."""
    scores = curves.get("scores", {})
    lines = [Line(name, found["step"], found["value"]) for name, found in scores.items()]
    if not any(line.steps for line in lines):
        return None
    return _numbers(lines)
