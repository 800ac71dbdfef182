"""The runs of benchmarks/strategies.py: what one is, what it gave, and the file of finished ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measure import Outcome, Scored


@dataclass(frozen=True)
class Job:
    """One run, by all that decides what comes of it but the data.

    Attributes:
        stage: "choose" a learning rate, test on "few" rows, test on "all" rows.
        method: Its name.
        lr: Peak learning rate.
        seed: Of the run.
        rows: Training rows; None for all.
        overrides: Changes to the recipe, those of the method included.
        precision: "bf16" or "fp32".
    """

    stage: str
    method: str
    lr: float
    seed: int
    rows: int | None
    overrides: tuple[str, ...]
    precision: str


@dataclass(frozen=True)
class Done:
    """What a run gave.

    Attributes:
        job: The run.
        validation: Accuracy on the validation rows.
        right: A "1" for each test row that the answer was right for, a "0" for each other; "" where not scored.
        trainable: Parameters that learn.
        steps: Optimizer steps.
        samples: Rows the model has seen, over all epochs.
        train_seconds: Of the steps alone.
        whole_seconds: Of all: reading, tokenizing, steps, scoring on the way and at the end, saving.
        resident_bytes: The process at its largest.
        environment: As environment.json of the run has it.
    """

    job: Job
    validation: float
    right: str
    trainable: int
    steps: int
    samples: int
    train_seconds: float
    whole_seconds: float
    resident_bytes: int
    environment: dict[str, Any]

    @property
    def outcome(self) -> Outcome:
        """As comparisons have it."""
        return Outcome(
            tool=self.job.method,
            seed=self.job.seed,
            steps=self.steps,
            samples=self.samples,
            seconds=self.whole_seconds,
            train_seconds=self.train_seconds,
            whole_seconds=self.whole_seconds,
            resident_bytes=self.resident_bytes,
            device_bytes=None,
            scored=Scored("accuracy", [int(mark) for mark in self.right], [1] * len(self.right)),
            environment=self.environment,
        )


def read_done(runs: Path) -> list[Done]:
    """The finished runs of a file; half a line at the end, of a study that was killed, is none."""
    made = []
    for line in runs.read_text(encoding="utf-8").splitlines() if runs.exists() else []:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        made.append(Done(**{**row, "job": Job(**{**row["job"], "overrides": tuple(row["job"]["overrides"])})}))
    return made


def add_done(runs: Path, one: Done) -> None:
    """Writes a finished run behind the others."""
    with open(runs, "a+b") as file:
        file.seek(max(file.tell() - 1, 0))
        start = b"" if file.read(1) in (b"", b"\n") else b"\n"
        file.write(start + json.dumps(asdict(one)).encode() + b"\n")


def found(jobs: Sequence[Job], runs: Path) -> list[Done]:
    """The finished runs of some jobs, in their order."""
    by_job = {one.job: one for one in read_done(runs)}
    return [by_job[job] for job in jobs if job in by_job]


def of_stage(done: Iterable[Done], stage: str, method: str | None = None) -> list[Done]:
    """Finished runs of a stage, of one method or of all."""
    return [one for one in done if one.job.stage == stage and method in (None, one.job.method)]


def of_method(done: Iterable[Done], method: str) -> list[Done]:
    """Finished runs of a method, in the order of their seeds."""
    return sorted((one for one in done if one.job.method == method), key=lambda one: one.job.seed)


def unlike(jobs: Sequence[Job], done: Iterable[Done]) -> list[Job]:
    """The jobs that are not done."""
    finished = {one.job for one in done}
    return [job for job in jobs if job not in finished]
