"""Finished runs, read from their folders: what each answered, how it is scored, and whether examples are the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfft.data.label_values import Applying
from hfft.errors import DataError, RecipeError, SetupError
from hfft.io.run_files import finished_results, read_data, read_environment
from hfft.io.run_folder import RunFolder, scored_splits
from hfft.metrics.custom import find_metric, load_modules, number_labels
from hfft.metrics.intervals import Interval
from hfft.models.pretrained import PretrainedSource
from hfft.recipe import Recipe
from hfft.reports.compare.statistics import Values
from hfft.reports.predictions import answer_lines, prediction_lines
from hfft.tasks import find_task
from hfft.tasks.prepare import restore
from hfft.tasks.problems import OF_MODEL
from hfft.tasks.problems.single_label import label_settings
from hfft.tasks.scores import OWN, ExtraMetric, Scored
from hfft.tasks.task import Task, is_answered

NOT_THE_ANSWER = ("id", "input", "truth", "unknown", "row")


@dataclass(frozen=True)
class Member:
    """One training: a run, or one seed of it.

    Attributes:
        folder: Its folder.
        seed: Its seed.
        results: As results.json has them.
        environment: As environment.json has it.
    """

    folder: RunFolder
    seed: int
    results: dict[str, Any]
    environment: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        name: What it is called beside the others.
        folder: Its folder.
        recipe: As it was trained.
        results: As results.json has them; of several seeds, what they come to.
        members: Its trainings: one, or one a seed.
    """

    name: str
    folder: RunFolder
    recipe: Recipe
    results: dict[str, Any]
    members: list[Member]

    @property
    def seeds(self) -> list[int]:
        """The seeds of its trainings."""
        return [member.seed for member in self.members]

    @property
    def splits(self) -> list[str]:
        """The splits that were scored."""
        return scored_splits(self.results)


@dataclass(frozen=True)
class Answered:
    """What one training answered to a split.

    Attributes:
        scored: Answers and truths of the examples that have a truth, in the order of their ids.
        inputs: What was asked, an example each; None where the file does not say.
        intervals: Of the scores.
    """

    scored: Scored
    inputs: list[Any]
    intervals: dict[str, Interval]


@dataclass(frozen=True)
class Read:
    """A run with its answers, and the scores of each training by metric."""

    run: Run
    task: Task
    answered: list[Answered]
    scores: list[dict[str, Values]]


def open_runs(places: Sequence[str | os.PathLike[str]]) -> list[Run]:
    """Opens finished runs.

    Raises:
        SetupError: One is no folder of a finished run.
        RecipeError: They are of different tasks.
    """
    if len(places) < 2:
        raise SetupError(f"Comparing takes two runs or more, and {len(places)} is given: hfft compare RUN RUN...")
    folders = [RunFolder(place) for place in places]
    runs = [_open(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]
    for run in runs[1:]:
        if run.recipe.task.name != runs[0].recipe.task.name:
            raise RecipeError(
                f"{runs[0].name} does {runs[0].recipe.task.name} and {run.name} does {run.recipe.task.name}: only runs "
                "of one task can be compared."
            )
    return runs


def _open(folder: RunFolder, name: str) -> Run:
    results, recipe = finished_results(folder), Recipe.load(folder.recipe)
    seeds = results.get("seeds")
    if seeds is None:
        return Run(name, folder, recipe, results, [_member(folder, recipe.train.seed, results)])
    if not any(folder.seed(seed).path.is_dir() for seed in seeds):
        raise SetupError(
            f"{name} was pulled, as it seems: it has no predictions of its seeds ({', '.join(map(str, seeds))}), which "
            f"are needed to compare them, nor a {folder.seed(seeds[0]).path.name}/. Compare the folder that it was "
            "trained in."
        )
    members = [_member(folder.seed(seed), seed, finished_results(folder.seed(seed))) for seed in seeds]
    return Run(name, folder, recipe, results, members)


def _member(folder: RunFolder, seed: int, results: dict[str, Any]) -> Member:
    return Member(folder, seed, results, read_environment(folder.environment))


def _names(folders: Sequence[RunFolder]) -> list[str]:
    """A name for each folder, each once: its own, with as much of those around it as tells it from the others."""
    parts = [Path(os.path.abspath(folder.path)).parts for folder in folders]  # noqa: PTH100 (links stay as they are)
    deepest = max(map(len, parts))
    names = [parts[number][-1] for number in range(len(parts))]
    for depth in range(1, deepest + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(set(parts)):
            break
    return [
        f"{name} ({names[: number + 1].count(name)})" if name in names[:number] else name
        for number, name in enumerate(names)
    ]


def task_of(run: Run, trust: bool) -> Task:
    """The task of a run, ready to score answers. No weights are loaded.

    Raises:
        RecipeError: Its code is not trusted.
        SetupError: What it needs of the model is not there.
    """
    kind = find_task(run.recipe.task.name, trust)
    task = kind(run.recipe.task_options(kind.Options))
    restore(task, _backbone(run, trust))
    return task


def extra_of(run: Run, settings: Sequence[str], trust: bool) -> list[ExtraMetric]:
    """The further metrics of these settings of `eval.metrics`, ready for a run's answers.

    Raises:
        RecipeError: They are not trusted.
    """
    extra = [find_metric(setting, trust) for setting in settings]
    load_modules(extra)
    if extra:
        number_labels(extra, _backbone(run, trust).config.label2id)
    return extra


def _backbone(run: Run, trust: bool) -> PretrainedSource:
    """What the task takes labels and the like from: the run's model, or the base of an adapter that is not merged."""
    if run.folder.model.is_dir():
        return PretrainedSource(str(run.folder.model), trust=trust)
    model, told = run.recipe.model, run.members[0].folder.data
    if model.name is None or not told.is_file():
        raise SetupError(
            f"{run.name} has no {run.folder.model.name}/, whose configuration is needed to score its answers: keep "
            "that folder; its weights may go."
        )
    pretrained = PretrainedSource(model.name, model.revision, trust=trust)
    train = read_data(told).get("splits", {}).get("train", {})
    types = {problem: kind for kind, problem in OF_MODEL.items()}
    if train.get("problem") in types:
        names = list(train.get("labels") or train.get("numbers") or ())
        for name, value in label_settings(names, types[train["problem"]]).items():
            setattr(pretrained.config, name, value)
    return pretrained


def answered(
    run: Run, member: Member, split: str, task: Task, extra: Sequence[ExtraMetric], confidence: float
) -> Answered:
    """Reads what one training answered to a split, and scores it with intervals of this confidence.

    Raises:
        DataError: The file of predictions is not there, or its answers cannot be scored.
        SetupError: A line of it cannot be read.
    """
    file = member.folder.predictions(split)
    rows = [row for row in _read(file, run) if row.get("truth") is not None]
    rows.sort(key=lambda row: row["id"])
    if not rows:
        raise DataError(f"{run.name} has no example with a truth in its {split} split: there is nothing to compare.")
    answers = [{key: value for key, value in row.items() if key not in NOT_THE_ANSWER} for row in rows]
    truths = [Applying(row["truth"], row["unknown"]) if row.get("unknown") else row["truth"] for row in rows]
    scored = Scored(task, [row["id"] for row in rows], answers, truths, extra)
    intervals = scored.intervals(confidence)
    _require_scores(scored, file, run)
    return Answered(scored, [row.get("input") for row in rows], intervals)


def _require_scores(scored: Scored, file: Path, run: Run) -> None:
    """Refuses answers that the task could not score, with intervals or without."""
    failed = next((why for what, why in scored.measured.failed.items() if what.startswith(OWN)), None)
    if failed is not None:
        raise DataError(
            f"The answers in {file} cannot be scored as those of {run.recipe.task.name} ({failed}): the file was "
            "changed after the run, or is another's."
        )


def _read(file: Path, run: Run) -> list[dict[str, Any]]:
    if not file.is_file():
        raise DataError(
            f"{run.name} has no {file.parent.name}/{file.name}: its answers are needed to compare them. A run that was "
            "pulled has none; compare the folder that it was trained in."
        )
    own = ":" in run.recipe.task.name  # a task of somebody's own may have nothing to say
    rows = [row for _, row in (prediction_lines if own else answer_lines)(file)]
    lacking = next((row["id"] for row in rows if "answer" not in row), None)
    if lacking is not None:
        raise DataError(f"Row {lacking} of {file} has no answer. The file was changed after the run.")
    without = [row for row in rows if not is_answered(row)]
    if without:
        raise DataError(
            f"{len(without)} of {len(rows)} rows of {file} have no answer, such as row {without[0]['id']} "
            f"({without[0]['error']}): its scores are not those of all rows, and no match for those of another run."
        )
    return rows
