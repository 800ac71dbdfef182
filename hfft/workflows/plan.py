"""The plan: everything a run will do, found out without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hfft.io.console import Console
from hfft.recipe.space import as_yaml
from hfft.reports.html.page import checks_section, parameters_section, top_of
from hfft.reports.html.parts import Section
from hfft.reports.notebook import fragment, screenful, warning_lines
from hfft.training.callbacks.cadence import Cadence
from hfft.training.optim import numbers_of
from hfft.tuning.parameter_table import ParameterRow, count, parameter_lines
from hfft.workflows.build import Setup, part_ahead
from hfft.workflows.sizes import checkpoint_bytes, disk_bytes, memory, memory_saved

PROBLEMS = {"single": "one label a row", "multi": "any number of labels a row", "regression": "numbers to predict"}

SHOWN = 3  # examples of the decoded batch


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    `phases` tells what learns from which step on: `first_step`, `parameters` (how many) and `lr` (the peak rate).
    `memory` is in bytes, for one process; its parts are None where they cannot be known. `memory_saved` is what the
    gradients and the optimizer would take beyond that if everything learnt. `disk` is in bytes too: one checkpoint, and
    all files of the run at their most. `rates` says what settings of dropout, attention, checkpointing and compilation
    do to this model; `cache` that what frozen blocks make of the examples is kept, or why not, if any are frozen.
    `chosen` has each setting that the recipe leaves open, with its `value`, and `why` it was chosen.
    """

    name: str
    task: str
    model: str
    strategy: str
    processes: int
    device: str
    splits: dict[str, dict[str, Any]]
    batch: list[str]
    parameters: list[dict[str, Any]]
    trainable_parameters: int
    total_parameters: int
    phases: list[dict[str, Any]]
    chosen: dict[str, dict[str, Any]]
    lr: float
    optimizer: str
    steps: int
    steps_per_epoch: int
    samples_per_step: int
    seeds: list[int]
    micro_batch_size: int
    evaluations: int
    memory: dict[str, int | None]
    memory_saved: int | None
    disk: dict[str, int]
    rates: list[str]
    cache: str | None
    warnings: list[str]

    def as_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        return asdict(self)

    def __repr__(self) -> str:
        learning = f"{self.trainable_parameters:,} of {self.total_parameters:,} parameters learn"
        room = (f"{name}: {told}" for name, told in self._room())
        return screenful(
            [self._what(), *split_lines(self.splits), learning, self._length(), *room, *warning_lines(self.warnings)]
        )

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        columns, rows = parameter_lines([_row(row) for row in self.parameters])
        chosen = [(key, f"{shown(told['value'])}: {told['why']}") for key, told in self.chosen.items()]
        sections = [
            Section("length", "", "facts", [("Length", self._length()), *chosen, *self._room()]),
            parameters_section({"parameters": {"columns": columns, "rows": rows}}),
            checks_section({"checks": {"splits": self.splits}}),
        ]
        return fragment(self._what(), "plan", sections, top_of({"checks": {"warnings": self.warnings}}))

    def _what(self) -> str:
        return f"{self.name}: {self.task} with {self.model}, {self.processes} process(es) on {self.device}"

    def _length(self) -> str:
        return (
            f"{self.steps} steps of {self.samples_per_step} samples ({self.micro_batch_size} at once in a process), "
            f"{self.steps_per_epoch} an epoch; {self.evaluations} evaluations; peak learning rate {self.lr:g} "
            f"({self.strategy}); {self.optimizer}"
        )

    def _room(self) -> list[tuple[str, str]]:
        """What memory and disk are estimated at."""
        parts = ", ".join(f"{name} {_megabytes(size)}" for name, size in self.memory.items() if size != 0)
        saved = f"; {_megabytes(self.memory_saved)} saved by what does not learn" if self.memory_saved else ""
        disk = ", ".join(f"{name} {_megabytes(size)}" for name, size in self.disk.items())
        return [
            ("Memory of one process, in MiB, estimated", f"{parts}{saved}"),
            ("Room on the disk, in MiB, estimated", disk),
        ]

    def show(self, console: Console) -> None:
        """Prints the plan."""
        console.say(self._what())
        show_splits(self.splits, console)
        console.say("\nA batch as the model reads it:")
        for line in self.batch:
            console.say(f"  {line}")
        console.say()
        show_parameters([_row(row) for row in self.parameters], console)
        for phase in self.phases if len(self.phases) > 1 else []:
            console.say("From step {first_step} {parameters:,} parameters learn, at {lr:g} at most".format(**phase))
        console.say(f"\n{self._length()}")
        show_chosen(self.chosen, console)
        if len(self.seeds) > 1:
            console.say(f"All of it {len(self.seeds)} times, with the seeds {', '.join(map(str, self.seeds))}")
        for line in (*self.rates, *([self.cache] if self.cache else [])):
            console.say(line)
        for name, told in self._room():
            console.say(f"{name}: {told}")
        show_warnings(self.warnings, console)


def make_plan(setup: Setup) -> Plan:
    """Finds out what a run will do. Computes one forward pass of the widest micro-batch to measure memory."""
    run, recipe, rows = setup.run, setup.recipe, setup.parameters
    cadence = Cadence(recipe.train.eval_every, run.steps_per_epoch, run.total_steps)
    first = next(iter(run.batches(0, 1)))
    return Plan(
        name=recipe.name,
        task=recipe.task.name,
        model=recipe.model.shown,
        strategy=setup.strategy,
        processes=run.accelerator.num_processes,
        device=run.accelerator.device.type,
        splits=setup.prepared.summary,
        batch=setup.task.show(first.micro_batches[0].batch)[:SHOWN],
        parameters=[row.as_json() for row in rows],
        trainable_parameters=count(row for row in rows if row.trainable),
        total_parameters=count(rows),
        phases=_phases(setup),
        chosen={key: choice.model_dump() for key, choice in recipe.defaults.chosen.items()},
        lr=recipe.optim.lr or 0.0,
        optimizer=f"{recipe.optim.name}, {numbers_of(run.optimizer.optimizer)}".removesuffix(", "),
        steps=run.total_steps,
        steps_per_epoch=run.steps_per_epoch,
        samples_per_step=recipe.train.rows_a_step,
        seeds=recipe.train.seeds or [recipe.train.seed],
        micro_batch_size=max(len(part.ids) for part in first.micro_batches),
        evaluations=cadence.left(0) if "eval" in setup.evaluators else 0,
        memory=memory(setup, max(len(part.ids) for part in first.micro_batches)),
        memory_saved=memory_saved(run, rows),
        disk={"checkpoint": checkpoint_bytes(setup), "total": disk_bytes(setup)},
        rates=setup.rates,
        cache=setup.trunk_said,
        warnings=setup.warnings,
    )


def _phases(setup: Setup) -> list[dict[str, Any]]:
    ahead, found = part_ahead(setup.recipe, setup.run.steps_per_epoch), []
    for phase in setup.tuned.phases:
        learning = [row for row in setup.parameters if row.trainable and row.name not in phase.closed]
        share = ahead.share if ahead is not None and phase.closed else 1.0
        lr = share * max(row.lr for row in learning)
        found.append({"first_step": phase.first_step, "parameters": count(learning), "lr": lr})
    return found


def show_splits(splits: dict[str, dict[str, Any]], console: Console) -> None:
    """Prints the size of each split, and the labels where there are not too many."""
    for line in split_lines(splits):
        console.say(line)


def split_lines(splits: dict[str, dict[str, Any]]) -> list[str]:
    """The size of each split, and the labels where there are not too many, a line each."""
    lines = []
    for split, summary in splits.items():
        rows = f"{summary['rows']} rows"
        facts = [f"a stream, of which the first {rows} were looked at" if summary.get("stream") else rows]
        if "tokens" in summary:
            facts.append(
                f"{summary['tokens']['median']:g} tokens in the median, {summary['tokens']['longest']} at most"
            )
        if "words" in summary:
            facts.append(f"{summary['words']} words")
        if summary.get("in_windows"):
            facts.append(f"{summary['in_windows']} rows are read in windows")
        if "images" in summary:
            height, width = summary["images"]["seen"]
            median = "{height:g} x {width:g}".format(**summary["images"])
            facts.append(f"images of {median} pixels in the median, seen as {height} x {width}")
        if "problem" in summary and split == "train":
            facts.append(PROBLEMS[summary["problem"]])
        labels = summary.get("labels", {})
        if labels:
            listed = ", ".join(f"{name} {count}" for name, count in labels.items())
            facts.append(listed if len(labels) <= 12 else f"{len(labels)} labels")
        for name, values in summary.get("numbers", {}).items():
            facts.append(f"{name} {values['least']:g} to {values['most']:g}, {values['mean']:.4g} in the mean")
        lines.append(f"  {split}: {'; '.join(facts)}")
    return lines


def show_chosen(chosen: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """Prints the settings that the recipe leaves open, if any: what was chosen, and why."""
    if chosen:
        console.say("Chosen, for the recipe leaves it open:")
    for key, told in chosen.items():
        console.say(f"  {key}={shown(told['value'])}: {told['why']}")


def shown(value: Any) -> str:
    """The value of a setting that was chosen, as a recipe may have it."""
    return f"{value:g}" if isinstance(value, float) else as_yaml(value)


def show_parameters(rows: Sequence[ParameterRow], console: Console) -> None:
    """Prints the parameters, a line a block: how many, which share learns, at which peak rate and weight decay.

    Where an adapter adds some, or some learn later than others, that too.
    """
    console.table("What learns", *parameter_lines(rows))


def show_warnings(warnings: Sequence[str], console: Console) -> None:
    """Prints the warnings, counted."""
    console.say(f"{len(warnings)} warning(s){':' if warnings else ''}")
    for warning in warnings:
        console.say(f"  {warning}")


def _row(values: dict[str, Any]) -> ParameterRow:
    return ParameterRow(**{**values, "shape": tuple(values["shape"])})


def _megabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**20:.0f}"
