"""The runs below a folder, a line each: what `hfft list` shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hfft.errors import HfftError, SetupError
from hfft.io.run_files import read_results
from hfft.io.run_folder import RunFolder, mib
from hfft.recipe import Recipe
from hfft.reports.facts import headline_of
from hfft.reports.html.numbers import range_text, score_text
from hfft.reports.overview import model_name

COLUMNS = ("run", "task", "model", "score", "trained in", "size")

DEPTH = 2  # folders below the one that is listed


@dataclass(frozen=True)
class Listed:
    """A run, in a line.

    Attributes:
        path: The run folder.
        task: What was learnt.
        model: The pretrained model.
        score: The one that counts most, with its interval; or how far a run has come that is not finished.
        seconds: Of training; None where that is not known.
        size: Bytes on the disk, checkpoints included.
    """

    path: Path
    task: str
    model: str
    score: str
    seconds: float | None
    size: int

    def cells(self) -> tuple[str, ...]:
        """As a row of a table with `COLUMNS`."""
        trained = "" if self.seconds is None else str(timedelta(seconds=round(self.seconds)))
        return (str(self.path), self.task, self.model, self.score, trained, mib(self.size))


def list_runs(folder: Path) -> list[Listed]:
    """The runs in a folder and in those inside it, newest first.

    Raises:
        SetupError: There is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise SetupError(f"There is no folder {folder}. hfft list DIR lists the runs of another one.")
    found = sorted(_runs(folder, DEPTH), key=lambda path: (path / "recipe.yaml").stat().st_mtime, reverse=True)
    if not found:
        raise SetupError(f"There is no run in {folder}. hfft list DIR lists the runs of another folder.")
    return [_listed(RunFolder(path)) for path in found]


def _runs(folder: Path, depth: int) -> Iterator[Path]:
    for path in folder.iterdir():
        if (path / "recipe.yaml").is_file():
            yield path
        elif depth > 1 and path.is_dir():
            yield from _runs(path, depth - 1)


def _listed(folder: RunFolder) -> Listed:
    size = sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file())
    try:
        recipe = Recipe.load(folder.recipe)
        score, seconds = _score(folder, recipe)
        model = model_name(recipe).removeprefix("package://")
        return Listed(folder.path, recipe.task.name, model, score, seconds, size)
    except HfftError:  # one damaged run hides no others
        return Listed(folder.path, "", "", "cannot be read", None, size)


def _score(folder: RunFolder, recipe: Recipe) -> tuple[str, float | None]:
    if not folder.results.is_file():
        steps = folder.checkpoint_steps()
        return (f"not finished: step {steps[-1]:,}" if steps else "not finished"), None
    results = read_results(folder.results)
    found = headline_of(results, recipe.train.best_metric).get("headline")
    if found is None:
        return "no score", results.get("train_seconds")
    between = range_text(found, 3)
    told = f"{found['split']} {found['metric']} {score_text(found['value'], 3)}{f' ({between})' if between else ''}"
    return told, results.get("train_seconds")
