"""Where a run starts: in a new folder, after a checkpoint, or not at all because it is finished or another's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfft.errors import DataError, SetupError
from hfft.folder import RunFolder, read_json
from hfft.hooks.checkpoint import fault_of, newest_whole
from hfft.recipe import Recipe, differences

MAY_DIFFER = ("train.seeds", "train.epochs", "train.steps", "train.micro_batch_size", "train.time_limit")
MAY_DIFFER_WITHIN = ("eval.", "track.", "publish.")
WHERE_TO = tuple(f"publish.{key}" for key in ("to", "when", "private", "revision", "adapter", "overwrite"))


@dataclass(frozen=True)
class Start:
    """Where a run starts.

    Attributes:
        checkpoint: The checkpoint to go on from; None from the beginning.
        finished: Whether there is nothing left to do.
        continues: Whether the folder holds this run already.
        warnings: Damaged checkpoints that were passed over.
    """

    checkpoint: Path | None = None
    finished: bool = False
    continues: bool = False
    warnings: list[str] = field(default_factory=list)


def find_start(folder: RunFolder, recipe: Recipe, resume: str) -> Start:
    """Looks into the output folder. The main process alone calls it and tells the others.

    Args:
        folder: The output folder; it is there.
        recipe: The complete recipe of the run to come.
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
    changed = [row for row in differences(old, recipe) if row[0] not in WHERE_TO]  # what is published stays the same
    refused = of_another_run(old, recipe)
    if recipe.train.keep_best is not None:  # scores of other rows cannot be compared with the best so far
        refused += [row for row in changed if row[0] == "eval.while_training"]
    if refused:
        listed = "; ".join(f"{key} is {new!r}, there {old!r}" for key, old, new in refused)
        raise SetupError(
            f"The folder {folder.path} holds a run of another recipe: {listed}. Choose another folder with --output, "
            "or give the same recipe to go on."
        )
    if not changed and folder.results.exists() and resume == "auto":
        return Start(finished=True, continues=True)
    if resume == "auto":
        checkpoint, warnings = newest_whole(folder)
        if checkpoint is None and folder.results.exists() and recipe.train.seeds is None:
            raise SetupError(
                f"The run in {folder.path} is finished, but has no whole checkpoint left to go on from. Choose another "
                "folder with --output."
            )
        return Start(checkpoint, continues=True, warnings=warnings)
    return Start(_named(folder, resume), continues=True)


def of_another_run(old: Recipe, new: Recipe) -> list[tuple[str, Any, Any]]:
    """The settings, as `hfft.recipe.differences` gives them, that make two recipes those of different runs."""
    changed = differences(old, new)
    refused = [row for row in changed if row[0] not in MAY_DIFFER and not row[0].startswith(MAY_DIFFER_WITHIN)]
    return refused + [row for row in changed if row[0] == "train.seeds" and None in row[1:]]  # one run or several


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
    step = int(start.checkpoint.name.rpartition("-")[2]) if start.checkpoint is not None else 0
    if step > total_steps:
        raise SetupError(
            f"The checkpoint {start.checkpoint} is one of step {step}, but the recipe ends at step {total_steps}. "
            "A run can be made longer, not shorter: choose another folder with --output."
        )


def check_data(folder: RunFolder, start: Start, fingerprints: dict[str, str]) -> None:
    """Raises DataError where a run would go on with other rows than it began with."""
    if not start.continues or not folder.environment.exists():
        return
    before = read_json(folder.environment)["data"]
    changed = [split for split in {**before, **fingerprints} if before.get(split) != fingerprints.get(split)]
    if changed:
        raise DataError(
            f"The rows of {', '.join(changed)} are not those that the run in {folder.path} began with. Give it the "
            "same data, or choose another folder with --output."
        )
