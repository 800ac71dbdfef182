"""The picture of a comparison: speed on the left, from zero; the score with its interval on the right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparison import median, of_tool, score, tools_of
from measure import Outcome

FORMATS = (".png", ".svg")
COLOURS = {"hfft": "#1f6fb4", "Trainer": "#8a8f98"}


def draw(outcomes: Sequence[Outcome], place: Path, title: str) -> None:
    """Draws speed and score of each tool into a file whose name ends in one of FORMATS."""
    from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports]  # an extra of its own

    tools = tools_of(outcomes)
    figure = Figure(figsize=(10, 0.62 * len(tools) + 1.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_speed(left, outcomes, tools)
    _draw_score(right, outcomes, tools)
    left.set_yticks(range(len(tools)), tools, fontsize=11)
    left.set_ylim(len(tools) - 0.5, -0.6)  # the first tool on top
    right.tick_params(axis="y", length=0)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
    figure.suptitle(title, fontsize=12)
    figure.savefig(place, dpi=160)


def _draw_speed(axes: Any, outcomes: Sequence[Outcome], tools: Sequence[str]) -> None:
    for row, tool in enumerate(tools):
        speed = median([run.samples_per_second for run in of_tool(outcomes, tool)])
        axes.barh(row, speed.value, 0.55, color=COLOURS[tool.split()[0]])
        axes.plot([speed.low, speed.high], [row, row], color="black", linewidth=1.2, marker="|", markersize=9)
        axes.annotate(f"{speed.value:.0f}", (speed.high, row), (7, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, 1.15 * max(run.samples_per_second for run in outcomes))
    axes.set_xlabel("training samples per second\n(bar: median; line: slowest to fastest round)")


def _draw_score(axes: Any, outcomes: Sequence[Outcome], tools: Sequence[str]) -> None:
    for row, tool in enumerate(tools):
        found = score(outcomes, tool)
        value, low, high = 100 * found.value, 100 * found.low, 100 * found.high
        colour = COLOURS[tool.split()[0]]
        axes.plot([low, high], [row, row], color=colour, linewidth=2.5, solid_capstyle="butt")
        axes.plot(value, row, "o", color=colour, markersize=8)
        axes.annotate(f"{value:.1f}", (value, row), (0, 8), textcoords="offset points", ha="center")
    axes.margins(x=0.12)
    axes.set_xlabel(
        f"test {outcomes[0].scored.metric} in %, mean of the seeds\n(line: 95 % interval over test examples)"
    )
