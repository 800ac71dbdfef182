"""One trial: the recipe with its settings, trained in a folder of its own, and what came of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from hfft.errors import DataError, DiskError, HfftError, Stopped, TrainingError
from hfft.io.console import Console
from hfft.io.run_files import read_environment, read_results
from hfft.io.run_folder import RunFolder
from hfft.recipe import Recipe
from hfft.recipe.space import with_settings, without_test
from hfft.recipe.sweep import SweepSection
from hfft.tasks.scores import Scored
from hfft.training.loop import Run
from hfft.training.processes import on_main
from hfft.workflows.resolve import ResolvedRecipe, resolve
from hfft.workflows.sweep.told import Measure
from hfft.workflows.train import train_in

Report = Callable[[int, float, bool], bool]
"""Given a step, its score and whether it is the last, says whether the trial is to end."""


@dataclass(frozen=True)
class Work:
    """What a worker has to do, and with what.

    Attributes:
        place: The sweep's folder; others may be at work in it.
        recipe: With its `sweep` section.
        given: The same, resolved, with tables in memory where it has such.
        accelerator: What to run on.
        console: What people see.
    """

    place: Path
    recipe: Recipe
    given: ResolvedRecipe
    accelerator: Accelerator
    console: Console

    @property
    def section(self) -> SweepSection:
        """What is tried."""
        return self.recipe.sweep or SweepSection()


class Pruned(Exception):
    """The trial is not worth going on with."""


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        state: complete, pruned or failed.
        score: Of the whole eval split.
        told: What else sweep.json says.
        error: What it failed with.
    """

    state: str
    score: float | None = None
    told: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None


class Silent(Console):
    """Prints nothing, no warnings either: those of a trial are in its results.json."""

    def __init__(self):
        super().__init__(quiet=True)

    def warn(self, text: str) -> None:
        """Nothing."""


def of_trial(work: Work, settings: Mapping[str, Any], name: str) -> ResolvedRecipe:
    """The recipe of a trial, resolved: nothing is published, and no test split is there to be scored."""
    given, data = work.given, without_test(work.given.recipe.data)
    tables = {split: table for split, table in given.tables.items() if split in (data.local or {})}
    made = resolve(with_settings(work.recipe, settings), given.trust)
    alone = {"data": data, "publish": made.recipe.publish.only_card, "name": f"{work.recipe.name}-{name}"}
    if work.section.keep == "best":
        alone["train"] = made.recipe.train.model_copy(update={"keep_checkpoints": 0})
    return replace(made, recipe=made.recipe.model_copy(update=alone), tables=tables)


def run_trial(
    folder: RunFolder, resolved: ResolvedRecipe, measure: Measure, accelerator: Accelerator, report: Report
) -> Outcome:
    """Trains in a trial's folder, or goes on there. All processes call it, and get the same.

    Raises:
        Stopped: A signal came.
        DiskError: Nothing can be written.
    """

    def watch(run: Run, scored: Scored) -> None:
        value, step = scored.scores.get(measure.metric), run.progress.step
        last = step >= run.total_steps or run.progress.ended is not None
        if value is not None and on_main(accelerator, lambda: report(step, value, last)):
            raise Pruned

    try:
        train_in(folder, resolved, accelerator, "auto", Silent(), watch)
        return on_main(accelerator, lambda: _outcome(folder, measure))
    except Pruned:
        return Outcome("pruned")
    except (Stopped, DiskError):
        raise
    except Exception as error:
        if accelerator.num_processes > 1 and not isinstance(error, HfftError):
            raise  # the others know nothing of it, and wait
        error.__context__ = error.__cause__ = None
        return Outcome("failed", error=error.with_traceback(None))  # whose frames would hold the model
    finally:
        accelerator.free_memory()


def _outcome(folder: RunFolder, measure: Measure) -> Outcome:
    results = read_results(folder.results)
    if read_environment(folder.environment)["data"]["eval"] != measure.rows:
        raise DataError("The rows of eval are not those that other trials were scored on: the data have changed.")
    found, examples = results.get("eval", {}).get(measure.metric), results.get("eval_examples")
    told = {"steps": results["steps"]}
    if examples != measure.examples:
        raise TrainingError(
            f"It was scored on {examples} rows of eval, but others on {measure.examples}: they cannot be compared."
        )
    if found is None:
        raise TrainingError(f"Its eval has no {measure.metric}.")
    return Outcome("complete", found["value"], {**told, "low": found["low"], "high": found["high"]})


def drop_weights(folder: Path) -> None:
    """Deletes what a trial leaves that takes room: checkpoints, and its model."""
    run = RunFolder(folder)
    for place in (run.checkpoints, run.model, run.adapter):
        shutil.rmtree(place, ignore_errors=True)
