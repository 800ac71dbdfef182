"""hfft beside transformers.Trainer on the CPU: the same model, rows, hyperparameters, batch size and seeds, in one run.

    make bench DATA=path/to/sst2
    python benchmarks/vs_trainer.py --data path/to/sst2 --output vs_trainer.json --plot vs_trainer.png

The folder holds train.csv and test.csv with the columns sentence,label (label 0 or 1), as recipes/minilm_sst2.yaml
wants them. Each round trains once with every tool, with the round's number as the seed, each in a fresh process; the
tool that begins moves on from round to round.

    hfft fp32         with the settings of accelerate_configs/cpu.yaml
    hfft bf16         with those of accelerate_configs/cpu_bf16.yaml
    Trainer defaults  float32; all that the recipe does not say is left as Trainer has it
    Trainer best      bf16=True, train_sampling_strategy="group_by_length", optim="adamw_torch_fused" (which is its
                      default already): texts of like length together, as hfft does unasked

The seconds that speed is reckoned by start after all imports and a first look at the model, and end with the last
step: reading the csv file, tokenizing (from nothing: hfft gets an empty cache), loading the model and making the
optimizer count. Scoring does not: afterwards plain transformers scores each saved model on test.csv, in float32, by the
same lines.

What differs, and whom it helps:

- Saving. hfft leaves a run folder with a checkpoint and the model; it cannot be told not to. `seconds` leaves that out,
  `whole_seconds` has it. Trainer is told not to save, so it has no such work in either clock.
- Logging. Within its clock hfft writes loss and gradient norm of every step, checks that the gradient is finite, and
  checks and fingerprints the data. Trainer is told to log nothing.
- Batches. Trainer's defaults mix texts of all lengths. Its grouped batches go from long to short within each large
  pool; hfft's are shuffled again. Lengths could be handed to Trainer as a column, but transformers 5.23 drops the
  column before its sampler looks for it; counting them anew takes it 0.1 s for 4,000 rows.
- A seed stands for other random numbers: for the new head, the order of the rows, dropout.
- One step of the schedule: hfft's warm-up starts above 0, Trainer's first step has a learning rate of 0.

Intervals of accuracy come of the test examples alone, with the seeds as they are: they say nothing of other seeds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from comparison import comparison, of_tool, summary, tools_of
from measure import Outcome, Tool, apart, measured, train_hfft, train_trainer
from picture import FORMATS, draw

from hfft.recipe import Recipe

ROOT = Path(__file__).parents[1]
PAIRS = (("hfft bf16", "Trainer defaults"), ("hfft bf16", "Trainer best"), ("hfft fp32", "Trainer defaults"))


def accelerate_settings(name: str) -> dict[str, Any]:
    """What a file of accelerate_configs/ says, in the words of `Accelerator`."""
    config = yaml.safe_load((ROOT / "accelerate_configs" / name).read_text(encoding="utf-8"))
    return {"mixed_precision": config["mixed_precision"], "cpu": config["use_cpu"]}


GROUPED_BF16 = {"bf16": True, "train_sampling_strategy": "group_by_length", "optim": "adamw_torch_fused"}
TOOLS = (
    Tool("hfft fp32", train_hfft, accelerate_settings("cpu.yaml")),
    Tool("hfft bf16", train_hfft, accelerate_settings("cpu_bf16.yaml")),
    Tool("Trainer defaults", train_trainer, {"use_cpu": True}),
    Tool("Trainer best", train_trainer, {"use_cpu": True, **GROUPED_BF16}),
)


def recipe_for(data: Path, options: argparse.Namespace, *overrides: str) -> Recipe:
    """recipes/minilm_sst2.yaml on rows of another folder, with nothing to score: the benchmark does that itself."""
    return Recipe.load(
        ROOT / "recipes" / "minilm_sst2.yaml",
        f"data.root={json.dumps(str(data.absolute()))}",
        "data.files={train: train.csv}",
        f"data.train='train[:{options.rows}]'",
        "data.eval=null",
        f"train.epochs={options.epochs}",
        f"train.batch_size={options.batch_size}",
        *overrides,
    )


def train_all(
    tools: Sequence[Tool],
    recipe: Recipe,
    seeds: Iterable[int],
    train: Callable[[Tool, Recipe], list[Outcome]] = measured,
) -> list[Outcome]:
    """Trains with each tool and seed, in turn, and checks that the tools did the same amount of the same work.

    Args:
        tools: The one that begins moves on from seed to seed.
        recipe: What to learn.
        seeds: A round for each.
        train: What a tool does with a seeded recipe, in a fresh process: the same number of outcomes for every tool.
    """
    rounds: list[list[Outcome]] = []
    for place, seed in enumerate(seeds):
        seeded = with_seed(recipe, seed)
        first = place % len(tools)
        for tool in (*tools[first:], *tools[:first]):
            rounds.append(apart(train, tool, seeded))
            for outcome, wanted in zip(rounds[-1], rounds[0], strict=True):
                say_and_check(outcome, wanted)
    return [outcome for outcomes in rounds for outcome in outcomes]


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The same recipe with another seed."""
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": seed})})


def say_and_check(outcome: Outcome, wanted: Outcome) -> None:
    """Prints a line of one run; one of other steps or samples than `wanted` ends everything."""
    print(
        f"seed {outcome.seed}, {outcome.tool}: {outcome.seconds:.1f} s, {outcome.samples_per_second:.0f} samples/s, "
        f"{outcome.scored.metric} {outcome.scored.value:.4f}",
        flush=True,
    )
    if (outcome.steps, outcome.samples) != (wanted.steps, wanted.samples):
        raise SystemExit(
            f"{outcome.tool} took {outcome.steps} steps over {outcome.samples} samples, {wanted.tool} "
            f"{wanted.steps} over {wanted.samples}: they cannot be compared."
        )


def show(outcomes: Sequence[Outcome], pairs: Sequence[tuple[str, str]]) -> None:
    """Prints a table of the tools and a line for each pair."""
    rounds, metric = len(of_tool(outcomes, outcomes[0].tool)), outcomes[0].scored.metric
    print(f"\nMedians of {rounds} round(s), smallest and largest; {metric}: mean, 95 % interval over test examples.")
    print("Peak: of the process, or of the tensors on the device where there is one.\n")
    columns = ("samples/s", "seconds", "of them steps", "whole call, s", "peak MiB", metric)
    print("".ljust(18), *(column.rjust(18) for column in columns), "sd of seeds".rjust(12))
    for tool in tools_of(outcomes):
        row = (cell.rjust(18) for cell in cells(outcomes, tool))
        print(tool.ljust(18), *row, seed_spread(outcomes, tool).rjust(12))
    print()
    for tool, other in pairs:
        print(closing_line(comparison(outcomes, tool, other)))


def cells(outcomes: Sequence[Outcome], tool: str) -> list[str]:
    """A tool's row of the table."""
    found = summary(outcomes, tool)
    memory = found["device_bytes"] or found["resident_bytes"]
    mebibytes = {end: value / 2**20 for end, value in memory.items()}
    return [
        spread(found["samples_per_second"], ".0f"),
        *(spread(found[clock], ".1f") for clock in ("seconds", "train_seconds", "whole_seconds")),
        spread(mebibytes, ".0f"),
        spread({end: 100 * value for end, value in found["score"].items()}, ".1f"),
    ]


def spread(found: dict[str, float], form: str) -> str:
    """A value and its ends as text, such as `130 (122-131)`."""
    return f"{found['value']:{form}} ({found['low']:{form}}-{found['high']:{form}})"


def seed_spread(outcomes: Sequence[Outcome], tool: str) -> str:
    """The standard deviation of the score over seeds, in points."""
    values = [100 * run.scored.value for run in of_tool(outcomes, tool)]
    return f"{statistics.stdev(values):.2f}" if len(values) > 1 else "-"


def closing_line(found: dict[str, Any]) -> str:
    """What one comparison says."""
    points = {end: 100 * value for end, value in found["score_difference"].items()}
    whole = found["whole_speed_ratio"]["value"]
    verdict = "worse" if points["high"] < 0 else "not worse"
    return (
        f"{found['tool']} / {found['beside']}: {spread(found['speed_ratio'], '.2f')} times the samples/s "
        f"({whole:.2f} with hfft's saving); {found['metric']} {points['value']:+.2f} points, 95 % interval "
        f"{points['low']:+.2f} to {points['high']:+.2f}: {verdict} beyond the interval."
    )


def write(outcomes: Sequence[Outcome], pairs: Sequence[tuple[str, str]], setup: dict[str, Any], place: Path) -> None:
    """Writes everything as JSON, each example of each run included."""
    found = {
        **setup,
        "tools": [summary(outcomes, tool) for tool in tools_of(outcomes)],
        "comparisons": [comparison(outcomes, tool, other) for tool, other in pairs],
        "runs": [
            {**asdict(outcome), "samples_per_second": outcome.samples_per_second, "score": outcome.scored.value}
            for outcome in outcomes
        ],
    }
    place.write_text(json.dumps(found) + "\n", encoding="utf-8")


def parser_of(description: str, tools: Sequence[Tool], rows: int, batch_size: int) -> argparse.ArgumentParser:
    """The options that all comparisons have."""
    names = [tool.name for tool in tools]
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.csv and test.csv")
    parser.add_argument("--config", nargs="+", choices=names, default=names, help="the tools to compare")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each tool, with the seeds 0, 1, ...")
    parser.add_argument("--rows", type=int, default=rows, help="training rows, the first of the file")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=batch_size, help="rows of one step")
    parser.add_argument("--output", type=Path, help="a JSON file for everything, each example of each run included")
    parser.add_argument("--plot", type=Path, help="a PNG or SVG file for a picture of speed and accuracy")
    return parser


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Reads the command line, and makes sure now that what was measured can be written later."""
    options = parser.parse_args()
    for name in ("train.csv", "test.csv"):
        if not (options.data / name).is_file():
            parser.error(f"--data is {options.data}, which has no {name}; it must hold train.csv and test.csv.")
    if min(options.rounds, options.rows, options.epochs, options.batch_size) < 1:
        parser.error("--rounds, --rows, --epochs and --batch-size must be at least 1.")
    if options.plot is not None:
        if options.plot.suffix not in FORMATS:
            parser.error(f"--plot is {options.plot}; its name must end in {' or '.join(FORMATS)}.")
        if importlib.util.find_spec("matplotlib") is None:
            parser.error("--plot needs matplotlib. Install it: pip install 'hfft[bench]'")
    for place in (options.output, options.plot):
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
    return options


def report(outcomes: list[Outcome], pairs: Sequence[tuple[str, str]], setup: dict[str, Any], options: Any) -> None:
    """Shows what was measured, and writes what was asked for."""
    present = tools_of(outcomes)
    pairs = [pair for pair in pairs if set(pair) <= set(present)]
    show(outcomes, pairs)
    if options.output is not None:
        write(outcomes, pairs, setup, options.output)
    if options.plot is not None:
        draw(outcomes, options.plot, setup["title"])


def main() -> None:
    """Reads the options, trains, compares."""
    options = parsed(parser_of("hfft beside transformers.Trainer, on the CPU.", TOOLS, rows=4000, batch_size=32))
    recipe = recipe_for(options.data, options)
    outcomes = train_all([tool for tool in TOOLS if tool.name in options.config], recipe, range(options.rounds))
    machine = outcomes[0].environment
    title = (
        f"all-MiniLM-L6-v2 on {outcomes[0].samples:,} samples of SST-2, batch {options.batch_size}, "
        f"{options.rounds} round(s)\n{machine['processor']}, {machine['threads']} thread(s)"
    )
    setup = {
        "title": title,
        "rows": options.rows,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "settings": {tool.name: tool.settings for tool in TOOLS},
    }
    report(outcomes, PAIRS, setup, options)


if __name__ == "__main__":
    main()
