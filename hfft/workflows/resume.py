"""Where a run starts: in a new folder, after a checkpoint, or not at all because it is finished or another's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hfft.errors import DataError, HfftError, ModelError, SetupError
from hfft.io.run_files import read_environment
from hfft.io.run_folder import RunFolder
from hfft.recipe import Recipe
from hfft.recipe.recipe import as_begun, differences, of_another_run
from hfft.training.callbacks.checkpoint import fault_of, newest_whole
from hfft.training.optim import make_schedule, move_to
from hfft.tuning.apply import steps_of
from hfft.workflows.build import Setup, part_ahead

MODEL = ("model.name", "model.encoder", "model.decoder")

MAY_MOVE = (*MODEL, "data.root")  # and the files of a split, where rows and model are the same

NOTABLE = 0.01  # share of a learning rate

WHERE_TO = tuple(f"publish.{key}" for key in ("to", "when", "private", "revision", "adapter", "overwrite"))

KEPT = "train.keep_checkpoints"


@dataclass(frozen=True)
class Start:
    """Where a run starts.

    Attributes:
        checkpoint: The checkpoint to go on from; None from the beginning.
        finished: Whether there is nothing left to do.
        continues: Whether the folder holds this run already.
        warnings: Damaged checkpoints that were passed over.
        recipe: Of the run that the folder holds.
        moved: Settings, as `hfft.recipe.recipe.differences` gives them, that name another place for data or model.
    """

    checkpoint: Path | None = None
    finished: bool = False
    continues: bool = False
    warnings: list[str] = field(default_factory=list)
    recipe: Recipe | None = None
    moved: list[tuple[str, Any, Any]] = field(default_factory=list)

    def settled(self, recipe: Recipe) -> Recipe:
        """The recipe, with what it leaves open as it was chosen for the run that the folder holds, if any."""
        return recipe if self.recipe is None else as_begun(recipe, self.recipe)

    @property
    def step(self) -> int:
        """The step of the checkpoint; 0 where there is none."""
        return int(self.checkpoint.name.rpartition("-")[2]) if self.checkpoint is not None else 0


def find_start(folder: RunFolder, recipe: Recipe, resume: str) -> Start:
    """Looks into the output folder. The main process alone calls it and tells the others.

    Args:
        folder: The output folder; it is there.
        recipe: The recipe of the run to come; what it leaves open is taken from a run that is there.
        resume: "auto", "never", or a checkpoint's name or path.

    Raises:
        SetupError: The folder holds another run, or has no such checkpoint.
    """
    if not folder.recipe.exists():
        foreign = sorted(path.name for path in folder.path.iterdir() if not path.name.startswith("."))
        if foreign:
            raise SetupError(
                f"The output folder {folder.path} holds other files ({', '.join(foreign[:3])}) and no run. "
                "Choose another with --output."
            )
        if resume not in ("auto", "never"):
            raise SetupError(f"--resume {resume}: the folder {folder.path} holds no run to go on with.")
        return Start()
    if resume == "never":
        raise SetupError(f"The folder {folder.path} holds a run already. Choose another with --output.")
    old = Recipe.load(folder.recipe)
    recipe = as_begun(recipe, old)
    # What is published, and what was learnt, stay the same.
    changed = [row for row in differences(old, recipe) if row[0] not in (*WHERE_TO, KEPT)]
    refused, moved = of_another_run(old, recipe), [row for row in changed if _is_place(*row)]
    refused = [row for row in refused if row not in moved]
    if recipe.train.best_metric is not None:  # scores of other rows cannot be compared with the best so far
        refused += [row for row in changed if row[0] == "eval.while_training"]
    if refused:
        raise SetupError(_another_recipe(folder, refused))
    if len(changed) == len(moved) and folder.results.exists() and resume == "auto":
        return Start(finished=True, continues=True)
    if resume == "auto":
        checkpoint, warnings = newest_whole(folder)
        if checkpoint is None and folder.results.exists() and recipe.train.seeds is None:
            raise SetupError(
                f"The run in {folder.path} is finished, but has no whole checkpoint left to go on from "
                f"({KEPT}=0 keeps none). Choose another folder with --output; model={folder.model} starts there from "
                "the weights of this run."
            )
        return Start(checkpoint, continues=True, warnings=warnings, recipe=old, moved=moved)
    return Start(_named(folder, resume), continues=True, recipe=old, moved=moved)


def _is_place(key: str, old: Any, new: Any) -> bool:
    """Whether a setting says where data or model lie, and says so in both recipes."""
    return (key in MAY_MOVE or key.startswith(("data.files.", "data.memory."))) and None not in (old, new)


def _another_recipe(folder: RunFolder, rows: list[tuple[str, Any, Any]]) -> str:
    listed = "; ".join(f"{key} is {'not given' if new is None else repr(new)}, there {old!r}" for key, old, new in rows)
    return (
        f"The folder {folder.path} holds a run of another recipe: {listed}. Choose another folder with --output, "
        "or give the same recipe to go on."
    )


def _named(folder: RunFolder, name: str) -> Path:
    known = [folder.checkpoint(step) for step in folder.checkpoint_steps()]
    for place in known:
        if place.name == name or place.resolve() == Path(name).resolve():
            fault = fault_of(folder, place)
            if fault is not None:
                raise SetupError(f"The checkpoint {place} is damaged: {fault}.")
            return place
    listed = ", ".join(place.name for place in known) or "none"
    raise SetupError(f"--resume is '{name}', which is no checkpoint of {folder.path}. There: {listed}.")


def what_is_whole(folder: RunFolder) -> str:
    """Says where a run will go on that could not write; of several seeds, the last of them."""
    folders = [folder, *map(RunFolder, folder.path.glob("seed-*"))]
    found = [place for place, _ in map(newest_whole, folders) if place is not None]
    if not found:
        return "There is no checkpoint yet: when that is mended, the same command begins anew."
    last = max(found, key=lambda place: place.stat().st_mtime)
    return f"The last whole checkpoint is {last}: when that is mended, the same command goes on from there."


def check_length(start: Start, total_steps: int) -> None:
    """Raises SetupError where the checkpoint lies behind the end of the run."""
    if start.step > total_steps:
        raise SetupError(
            f"The checkpoint {start.checkpoint} is of step {start.step}, but the recipe ends at step {total_steps}. "
            "A run can be made longer, not shorter: choose another folder with --output."
        )


def check_beginning(folder: RunFolder, start: Start, setup: Setup) -> list[str]:
    """Looks whether a run goes on with the rows and the pretrained model that it began with.

    Returns:
        Warnings.

    Raises:
        DataError: The rows are others.
        ModelError: The model is another.
        SetupError: Data or model were moved, and nobody knows whether they are the same.
    """
    if not start.continues or (not folder.environment.exists() and start.step == 0):
        return []
    before, fault = began_with(folder)
    if fault is not None:
        return _unknown(folder, start, f"{folder.environment} cannot be read ({fault})")
    rows, model = before["data"], before.get("base", {})
    other = [split for split in {**rows, **setup.fingerprints} if rows.get(split) != setup.fingerprints.get(split)]
    if other:
        raise DataError(
            f"The rows of {', '.join(other)} are not those that the run in {folder.path} began with. Give it the "
            f"same data, or choose another folder with --output. {_if_the_same(folder)}"
        )
    if not model and any(key in MODEL for key, _, _ in start.moved):
        return _unknown(folder, start, f"{folder.environment} is of a version of hfft that did not note the model")
    other = [name for name in {**model, **setup.origin} if model.get(name) != setup.origin.get(name)]
    if model and other:
        raise ModelError(
            f"model is {setup.recipe.model.shown}, which is not as it was when the run in {folder.path} began: its "
            f"{', '.join(other[:4])} {'differ' if len(other) > 1 else 'differs'}. Give the model as it was"
            f"{_commit_before(model)}, or choose another folder with --output. {_if_the_same(folder)}"
        )
    return []


def _if_the_same(folder: RunFolder) -> str:
    return f"If nothing has changed, {folder.environment.name} is damaged: without that file the run goes on."


def _commit_before(model: dict[str, str]) -> str:
    return f" (model.revision={model['commit']})" if "commit" in model else ""


def began_with(folder: RunFolder) -> tuple[dict[str, Any], str | None]:
    """What environment.json says of the beginning of a run; or what is wrong with it."""
    try:
        found = read_environment(folder.environment)
    except (OSError, SetupError) as error:
        return {}, str(error)
    return (found, None) if "data" in found else ({}, "it is not there, or says nothing of the data")


def _unknown(folder: RunFolder, start: Start, why: str) -> list[str]:
    """What is to be said where a run goes on and nobody knows what it began with."""
    if start.moved:
        raise SetupError(_another_recipe(folder, start.moved))
    return [f"{why}: nobody can tell whether data and model are those that the run began with. It is written anew."]


def extension(folder: RunFolder, start: Start, setup: Setup) -> list[dict[str, Any]]:
    """How often a run was made longer such that its learning rate jumped, this time too: as environment.json has it."""
    known = began_with(folder)[0].get("extended", []) if folder.environment.exists() else []
    if not start.step or start.recipe is None:
        return known
    train, total, step = start.recipe.train, setup.run.total_steps, start.step
    before = steps_of(train.steps, train.epochs, setup.run.steps_per_epoch)
    if before == total:
        return known
    old, new = _rate(setup, before, min(step, before - 1)), _rate(setup, total, step)
    jumps = step < total and abs(new - old) > NOTABLE * old
    return [
        *known,
        *([{"from_steps": before, "to_steps": total, "at_step": step, "lr_before": old, "lr_after": new}] * jumps),
    ]


def jumps(extended: list[dict[str, Any]]) -> list[str]:
    """A warning for each time that a run was made longer such that its learning rate jumped."""
    return [
        "The run was made longer, from {from_steps} steps to {to_steps}: at step {at_step} the learning rate goes from "
        "{lr_before:.2g} to {lr_after:.2g}, for its schedule is now that of all steps. It is not the run that had as "
        "many from the beginning; optim.schedule=constant can be made longer without this.".format(**entry)
        for entry in extended
    ]


def resume_warnings(folder: RunFolder, setup: Setup) -> list[str]:
    """Warnings of a learning rate that would jump if the run in a folder went on; none where it would not."""
    if not folder.recipe.exists():
        return []
    try:
        start = find_start(folder, setup.recipe, "auto")
    except HfftError:  # another run's: `train` says so
        return []
    return jumps(extension(folder, start, setup))


def _rate(setup: Setup, total: int, step: int) -> float:
    """The largest learning rate after `step` steps, were the run `total` steps long."""
    recipe, run = setup.recipe, setup.run
    groups = [{"params": [torch.nn.Parameter(torch.zeros(()))], "lr": peak} for peak in run.schedule.base_lrs]
    ahead = part_ahead(recipe, run.steps_per_epoch)
    schedule = make_schedule(recipe.optim.schedule, torch.optim.SGD(groups), recipe.optim.warmup, total, ahead)
    move_to(schedule, step)
    return max(group["lr"] for group in schedule.optimizer.param_groups)
