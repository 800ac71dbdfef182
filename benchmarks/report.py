"""The options of the comparisons with transformers.Trainer, and what they print, write and draw."""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from measure import Outcome, Tool

from hfft.io.run_folder import write_text
from hfft.reports.compare import compare

PICTURES = (".png", ".svg")
COLOURS = {"hfft": "#1f6fb4", "Trainer": "#8a8f98"}
Pairs = Sequence[tuple[str, str]]


def parser_of(description: str, files: Sequence[str], rows: int | None, epochs: int | None) -> argparse.ArgumentParser:
    """The options that all comparisons have; `files` are those of the data folder, None is the recipe's own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {' and '.join(files)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="each tool trains once with each")
    parser.add_argument("--rows", type=int, default=rows, help="training rows, the first of the file")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--output", type=Path, help="a JSON file for everything, each answer of each training included")
    parser.add_argument("--plot", type=Path, help="a PNG or SVG file for a picture of speed and scores")
    return parser


def parsed(parser: argparse.ArgumentParser, files: Sequence[str]) -> argparse.Namespace:
    """Reads the command line, and makes sure now that what was measured can be written later."""
    options = parser.parse_args()
    for name in files:
        if not (options.data / name).is_file():
            parser.error(f"--data is {options.data}, which has no {name}; it must hold {' and '.join(files)}.")
    if options.plot is not None and options.plot.suffix not in PICTURES:
        parser.error(f"--plot is {options.plot}; its name must end in {' or '.join(PICTURES)}.")
    if options.plot is not None and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib. Install it: pip install 'hfft[bench]'")
    for place in (options.output, options.plot):
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
    return options


def median(values: Sequence[float]) -> dict[str, float]:
    """The median, with the smallest and the largest value."""
    return {"value": statistics.median(values), "low": min(values), "high": max(values)}


def spread(values: Sequence[float], form: str) -> str:
    """The median and the ends of some values as text, such as `130 (122-131)`."""
    found = {end: format(value, form) for end, value in median(values).items()}
    return f"{found['value']} ({found['low']}-{found['high']})"


def of_tool(outcomes: Sequence[Outcome], tool: str) -> list[Outcome]:
    """The trainings of one tool, in the order of their seeds."""
    return sorted((outcome for outcome in outcomes if outcome.tool == tool), key=lambda outcome: outcome.seed)


def tools_of(outcomes: Sequence[Outcome]) -> list[str]:
    """The tools that have trainings, in the order in which they first took their turn."""
    return list(dict.fromkeys(outcome.tool for outcome in outcomes))


def speed_ratios(
    outcomes: Sequence[Outcome], tool: str, other: str, seconds: Callable[[Outcome], float]
) -> list[float]:
    """How many times faster `tool` is than `other`, round by round.

    Both trainings of a round have the same seed and are near each other in time, so a machine that grows slower over
    the hours does not count.
    """
    pairs = zip(of_tool(outcomes, tool), of_tool(outcomes, other), strict=True)
    return [seconds(theirs) / seconds(ours) for ours, theirs in pairs]


def comparison(outcomes: Sequence[Outcome], tool: str, other: str, runs: Path) -> dict[str, Any]:
    """All that is said of one tool beside another, as JSON has it; `scores` is what `hfft compare` finds."""
    return {
        "tool": tool,
        "beside": other,
        "speed_ratio": median(speed_ratios(outcomes, tool, other, lambda one: one.times.seconds)),
        "whole_speed_ratio": median(speed_ratios(outcomes, tool, other, lambda one: one.times.whole_seconds)),
        "scores": compare([runs / other, runs / tool], "test").as_json(),
    }


def closing_line(found: dict[str, Any]) -> str:
    """What one comparison says."""
    ratio = "{value:.2f} ({low:.2f}-{high:.2f})".format(**found["speed_ratio"])
    whole = f"({found['whole_speed_ratio']['value']:.2f} with hfft's saving)"
    said = found["scores"]["against"][0]["said"]
    return f"{found['tool']} / {found['beside']}: {ratio} times the samples/s {whole}. {said}"


def show(outcomes: Sequence[Outcome]) -> None:
    """Prints a table of the tools: medians, smallest and largest; of the score the mean over the seeds."""
    columns = ("samples/s", "seconds", "of them steps", "whole call, s", "peak MiB", outcomes[0].metric)
    print("".ljust(24), *(column.rjust(18) for column in columns))
    for tool in tools_of(outcomes):
        mine = of_tool(outcomes, tool)
        scores = [100 * one.score for one in mine]
        deviation = f" (sd {statistics.stdev(scores):.2f})" if len(scores) > 1 else ""
        cells = [
            spread([one.samples_per_second for one in mine], ".0f"),
            *(spread([asdict(one.times)[clock] for one in mine], ".1f") for clock in asdict(mine[0].times)),
            spread([(one.device_bytes or one.resident_bytes) / 2**20 for one in mine], ".0f"),
            f"{statistics.fmean(scores):.1f}{deviation}",
        ]
        print(tool.ljust(24), *(cell.rjust(18) for cell in cells))


def report(
    outcomes: Sequence[Outcome], pairs: Pairs, setup: dict[str, Any], runs: Path, options: argparse.Namespace
) -> None:
    """Shows what was measured, and writes what was asked for.

    Args:
        outcomes: Of all tools and seeds.
        pairs: Which tools are compared, where both have trainings.
        setup: What the file says of them, `title` among it.
        runs: Holds a run folder for each tool.
        options: As `parsed` gives them.
    """
    machine, present = outcomes[0].environment, tools_of(outcomes)
    title = f"{setup['title']}\n{', '.join(machine['devices']) or machine['processor']}, {machine['threads']} thread(s)"
    found = [comparison(outcomes, *pair, runs) for pair in pairs if set(pair) <= set(present)]
    print(f"\n{title}\n")
    show(outcomes)
    print("", *map(closing_line, found), sep="\n")
    if options.output is not None:
        made = [{**asdict(one), "samples_per_second": one.samples_per_second} for one in outcomes]
        everything = {**setup, "title": title, "comparisons": found, "runs": made}
        write_text(options.output, json.dumps(everything) + "\n")
    if options.plot is not None:
        draw(outcomes, options.plot, title)


def settings_of(tools: Sequence[Tool], options: argparse.Namespace) -> dict[str, Any]:
    """What the file says of how it was made: the options, and the settings of each tool."""
    given = {name: value for name, value in vars(options).items() if not isinstance(value, Path)}
    return {**given, "settings": {tool.name: tool.settings for tool in tools}}


def draw(outcomes: Sequence[Outcome], place: Path, title: str) -> None:
    """Draws each tool's speed, from zero, and its score into a file whose name ends in one of PICTURES."""
    from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports]  # an extra of its own

    tools = tools_of(outcomes)
    figure = Figure(figsize=(10, 0.62 * len(tools) + 1.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for row, tool in enumerate(tools):
        mine, colour = of_tool(outcomes, tool), COLOURS[tool.split()[0]]
        speed = median([one.samples_per_second for one in mine])
        scores = [100 * one.score for one in mine]
        left.bar_label(left.barh(row, speed["value"], 0.55, color=colour), fmt="%.0f", padding=8)
        left.plot([speed["low"], speed["high"]], [row, row], color="black", marker="|")
        right.plot(scores, [row] * len(scores), "|", color=colour, markersize=12)
        right.plot(statistics.fmean(scores), row, "o", color=colour)
    left.set_yticks(range(len(tools)), tools)
    left.invert_yaxis()  # the first tool on top
    left.set_xlabel("training samples per second\n(bar: median; line: slowest to fastest round)")
    right.set_xlabel(f"test {outcomes[0].metric} in %\n(dot: mean of the seeds; lines: each of them)")
    figure.suptitle(title)
    figure.savefig(place, dpi=160)
