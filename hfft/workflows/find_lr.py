"""The learning rate range test (Smith 2017, section 3.3): the rate rises with every step, the loss tells how far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas

from hfft.errors import RecipeError, TrainingError
from hfft.io.console import Console
from hfft.reports.html.chart_series import Line, line_chart
from hfft.reports.html.charts import Words
from hfft.reports.html.markup import filled
from hfft.reports.html.parts import Figure, Section
from hfft.training.loop import Run, StepReport, fit, over_processes
from hfft.training.optim import move_to
from hfft.workflows.build import Setup

LOWEST, HIGHEST = 1e-6, 1.0  # peak rates: what fine-tunes models of any size and strategy lies between

FEWEST = 20  # steps: each raises the rate by half, then

SMOOTHING = 0.95  # how much of the mean of the losses before stays with each step

TOO_HIGH = 4.0  # times the lowest smoothed loss: there the test ends

FALLEN = 0.98  # of the first loss: where the lowest is above, it has not fallen

BACK = 10  # how many times below the rate of the lowest loss the suggestion lies

RULE = "a tenth of the rate at which the smoothed loss was lowest"

ROWS, NARROW, WIDE, BESIDE = 12, 40, 86, 14  # of the picture in a terminal, and what stands beside it


@dataclass(frozen=True)
class RangeTest:
    """The losses of a few steps whose learning rate rises.

    Attributes:
        name: Of the recipe.
        strategy: What learns.
        lr: The peak learning rate that the recipe has.
        rates: The peak learning rate of each step, rising by the same factor.
        losses: Of each step, before the weights moved.
        smoothed: Their exponentially weighted mean.
        suggestion: A peak learning rate by `RULE`; None where the loss has not fallen.
    """

    name: str
    strategy: str
    lr: float
    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    suggestion: float | None

    @property
    def said(self) -> str:
        """What comes of it, in a sentence."""
        if self.suggestion is None:
            return (
                f"No rate is suggested, for the loss has not fallen from {self.smoothed[0]:.4g}, whatever the rate: "
                "look at the data (hfft plan), or give it more --steps."
            )
        ends = np.argmin(self.smoothed) == len(self.rates) - 1
        beyond = " It was still falling there: a higher rate may do better." if ends else ""
        return f"optim.lr={self.suggestion:.2g}: {RULE}, {BACK * self.suggestion:.2g}.{beyond}"

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "rule": RULE}

    def show(self, console: Console) -> None:
        """Prints the curve, and what comes of it."""
        console.say(f"{self.name}: {len(self.rates)} steps, {self.strategy}; the recipe has optim.lr={self.lr:.2g}")
        columns = min(WIDE, max(NARROW, console.rich.width - BESIDE))
        for line in drawn(self.rates, self.losses, self.smoothed, self.suggestion, columns):
            console.say(line)
        console.say(self.said)

    def page(self) -> str:
        """The curve as an HTML page that needs nothing beside it."""
        lowest, highest = min(self.smoothed), max(value for value in _cut(self.losses) if value is not None)
        lines = [
            Line("loss", self.rates, _cut(self.losses), faint=True),
            Line("smoothed", self.rates, _cut(self.smoothed)),
        ]
        if self.suggestion is not None:
            lines.append(Line(f"suggested: {self.suggestion:.2g}", [self.suggestion] * 2, [lowest, highest]))
        words = Words("range-test", "Training loss by learning rate", self.said, "peak learning rate")
        figure = Figure(line_chart(words, lines, log_x=True), "Training loss", " by learning rate, a step each")
        content = {"figures": [figure], "notes": (), "scores": None}
        section = Section("rates", "Loss by learning rate", "curves", content)
        return filled("page.html", title=self.name, kind="learning rate range test", lead=self.said, sections=[section])


def find_rate(setup: Setup, steps: int) -> RangeTest:
    """Takes steps on the training rows, each with a higher learning rate than the last. The model is spoilt by it.

    All that learns at the end of the run does so from the first step on, with the rates that blocks have beside each
    other; there is no warm-up. All processes call it.

    Args:
        setup: A run ready to go.
        steps: At most so many; the test ends before where the loss has risen far, or is not finite.

    Raises:
        RecipeError: There are too few steps to tell anything.
        TrainingError: No loss is finite.
    """
    if steps < FEWEST:
        raise RecipeError(f"--steps is {steps}, but fewer than {FEWEST} do not tell a rate.")
    run, peak = setup.run, setup.recipe.optim.lr or 0.0
    setup.tuned.enter(setup.tuned.phases[-1])
    factor = (HIGHEST / LOWEST) ** (1 / (steps - 1))
    run.schedule.lr_lambdas = [lambda step: LOWEST * factor**step / peak] * len(run.schedule.lr_lambdas)
    move_to(run.schedule, 0)
    run.total_steps = steps
    losses: list[float] = []

    def note(run: Run, report: StepReport) -> None:
        loss = float(over_processes(report.loss, run.accelerator))
        if math.isfinite(loss):
            losses.append(loss)
        smoothed = smooth(losses)
        if not math.isfinite(loss) or smoothed[-1] > TOO_HIGH * min(smoothed):
            run.progress.ended = "the loss has risen"

    run.callbacks = [note]
    fit(run)
    if not losses:
        raise TrainingError("The loss of the first batch is not finite: look at the data with hfft plan.")
    rates, smoothed = [LOWEST * factor**step for step in range(len(losses))], smooth(losses)
    return RangeTest(setup.recipe.name, setup.strategy, peak, rates, losses, smoothed, suggested(rates, smoothed))


def smooth(losses: Sequence[float]) -> list[float]:
    """The exponentially weighted mean of the losses up to each.

    >>> [round(value, 4) for value in smooth([1.0, 3.0])]
    [1.0, 2.0256]
    """
    return pandas.Series(losses, dtype=float).ewm(alpha=1 - SMOOTHING).mean().tolist()


def suggested(rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """A learning rate by `RULE`, to two digits; None where the loss has not fallen.

    >>> suggested([1e-4, 1e-3, 1e-2, 1e-1], [2.0, 1.5, 1.0, 7.0]), suggested([1e-4, 1e-3], [2.0, 2.5])
    (0.001, None)
    """
    lowest = int(np.argmin(smoothed))
    return None if smoothed[lowest] > FALLEN * smoothed[0] else float(f"{rates[lowest] / BACK:.2g}")


def drawn(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    suggestion: float | None,
    columns: int,
) -> list[str]:
    """The curve in letters, so many wide: a dot for each loss, a ring for their mean, a line at the suggestion."""
    shown = [_cut(losses), _cut(smoothed)]
    known = [value for values in shown for value in values if value is not None]
    low, high = min(known), max(known)
    left, right = math.log10(LOWEST), math.log10(HIGHEST)
    cells = [[" "] * columns for _ in range(ROWS)]

    def place(rate: float) -> int:
        return round((math.log10(rate) - left) / (right - left) * (columns - 1))

    if suggestion is not None:
        for row in cells:
            row[place(suggestion)] = "|"
    for letter, values in zip(".o", shown, strict=True):
        for rate, value in zip(rates, values, strict=True):
            if value is not None:
                height = (high - value) / (high - low) if high > low else 0.5
                cells[round(height * (ROWS - 1))][place(rate)] = letter
    names = [f"{high:.3g}", *[""] * (ROWS - 2), f"{low:.3g}"]
    lines = [f"{name:>8} {''.join(row).rstrip()}".rstrip() for name, row in zip(names, cells, strict=True)]
    ticks = [" "] * (columns + 4)
    for power in range(round(left), round(right) + 1):
        text = f"1e{power}"
        at = min(place(10.0**power), columns)
        ticks[at : at + len(text)] = text
    return [*lines, f"{'':>8} {''.join(ticks).rstrip()}"]


def _cut(values: Sequence[float]) -> list[float | None]:
    """The values that a picture shows: those far above the first are where the run has broken off."""
    return [value if value <= 1.5 * values[0] else None for value in values]
