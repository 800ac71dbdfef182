"""What comparisons of one recipe, on the CPU and seed by seed, have in common: options, tools, the report."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from measure import Outcome, Tool, Trained, train_hfft
from vs_trainer import accelerate_settings, show, write

PRECISIONS = ("bf16", "fp32")


def tools_for(precision: str, train_trainer: Callable[..., Trained]) -> tuple[Tool, Tool]:
    """Hfft and Trainer, both in one of PRECISIONS.

    Args:
        precision: Of training.
        train_trainer: How Trainer trains on the recipe's kind of data.
    """
    bf16 = precision == "bf16"
    config = "cpu_bf16.yaml" if bf16 else "cpu.yaml"
    return (
        Tool("hfft", train_hfft, accelerate_settings(config)),
        Tool("Trainer", train_trainer, {"use_cpu": True, "bf16": bf16}),
    )


def seeded_parser(description: str, files: Sequence[str]) -> argparse.ArgumentParser:
    """The options that all of them have; `files` are those of the data folder."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {' and '.join(files)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="each tool trains once with each")
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16", help="of training")
    parser.add_argument("--output", type=Path, help="a JSON file for everything, each example of each run included")
    return parser


def seeded_options(parser: argparse.ArgumentParser, files: Sequence[str]) -> argparse.Namespace:
    """Reads the command line, and makes sure now that what was measured can be written later."""
    options = parser.parse_args()
    for name in files:
        if not (options.data / name).is_file():
            parser.error(f"--data is {options.data}, which has no {name}; it must hold {' and '.join(files)}.")
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
    return options


def report_seeded(
    outcomes: Sequence[Outcome],
    pairs: Sequence[tuple[str, str]],
    title: str,
    setup: dict[str, Any],
    options: argparse.Namespace,
) -> None:
    """Shows what was measured, and writes what was asked for.

    Args:
        outcomes: Of all tools and seeds.
        pairs: Which tools are compared.
        title: What was trained, in a line.
        setup: What else the file says of it.
        options: As `seeded_options` gives them.
    """
    machine = outcomes[0].environment
    title = f"{title}; {machine['processor']}, {machine['threads']} thread(s)"
    print(f"\n{title}")
    show(outcomes, pairs)
    if options.output is not None:
        write(outcomes, pairs, {"title": title, "precision": options.precision, **setup}, options.output)
