"""Checkpoints: safetensors and JSON, whole or absent, from which a run goes on as if it had never stopped.

Random state, the data's position and the schedule are arithmetic of the step, so they are not in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from hfft.errors import Diverged, SetupError, TrainingError
from hfft.io.run_folder import RunFolder, damage, read_json, whole_folder, write_json, write_manifest
from hfft.training.callbacks.cadence import Cadence
from hfft.training.callbacks.divergence import require_finite
from hfft.training.callbacks.ema import average_of, averaged
from hfft.training.callbacks.log import Log
from hfft.training.callbacks.time_limit import TimeLimit
from hfft.training.loop import Progress, Run, StepReport, over_processes, plain_model
from hfft.training.optim import move_to
from hfft.training.processes import on_main
from hfft.training.weights import load_weights, save_weights

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"

AVERAGE = "ema.safetensors"  # where the run keeps one; model.safetensors has the plain weights


class Checkpoint:
    """Saves the run when it is due, and keeps the newest few checkpoints.

    Args:
        folder: The run's folder.
        cadence: When to save.
        keep: How many to keep.
        log: Flushed first, so that no row is lost.
        as_loaded: The SHA-256 of weights that do not learn, as `hfft.training.weights.digests` gives them: they are
            not saved while they are so.
    """

    def __init__(
        self, folder: RunFolder, cadence: Cadence, keep: int, log: Log, as_loaded: Mapping[str, str] | None = None
    ):
        self.folder, self.cadence, self.keep, self.log = folder, cadence, keep, log
        self.as_loaded = as_loaded or {}
        self.saved_step = -1

    def __call__(self, run: Run, report: StepReport) -> None:
        """Saves where it is due, and where the run ends."""
        if self.cadence.due(report.step) or run.progress.ended:
            self.save(run)

    def save(self, run: Run) -> None:
        """Saves the run as it stands, unless this step is saved already. All processes call it.

        Raises:
            Diverged: A weight is not finite.
        """
        step = run.progress.step
        if step == self.saved_step:
            return
        with run.paused():
            self.log.flush(run)
            require_finite(run)
            progress = summed(run)
            on_main(run.accelerator, lambda: self._save(run, progress))
        self.saved_step = step

    def _save(self, run: Run, progress: Progress) -> None:
        with whole_folder(self.folder.checkpoint(progress.step)) as place:
            _write(run, progress, place, self.as_loaded)
        if progress.skipped_from is None:  # else those from before may be the last good ones
            self._prune(progress)

    def save_best(self, run: Run) -> None:
        """Saves the weights alone, as one of the best so far. Others go when no checkpoint speaks of them any more."""
        require_finite(run)
        on_main(run.accelerator, lambda: self._save_best(run))

    def _save_best(self, run: Run) -> None:
        with whole_folder(self.folder.best(run.progress.step)) as place:
            save_weights(plain_model(run.model, run.accelerator), place / MODEL, self.as_loaded)
            write_manifest(place)
        self._prune_best(run.progress)

    def save_best_again(self, run: Run) -> None:
        """Saves the best weights once more where those of the step just restored were deleted as `tidy` does."""
        step = run.progress.step
        is_best = step in _best_steps(asdict(run.progress))
        if is_best and on_main(run.accelerator, lambda: step not in self.folder.best_steps()):
            with averaged(run):
                self.save_best(run)

    def last_good(self, run: Run, error: TrainingError) -> str:
        """Says where a run that breaks off has its last weights; saves these, unless it diverged. All call it."""
        with suppress(Diverged):
            if not isinstance(error, Diverged):
                self.save(run)
        steps, best = self.folder.checkpoint_steps(), run.progress.best_step
        said = f"The last checkpoint is {self.folder.checkpoint(steps[-1])}." if steps else "There is no checkpoint."
        return said + (f" The best weights so far are in {self.folder.best(best)}." if best is not None else "")

    def load_best(self, run: Run, step: int) -> None:
        """Puts the best weights into the model."""
        _load_weights(run, self.weights(step))

    def weights(self, step: int) -> Path:
        """The file of the weights that were saved as one of the best, after `step`."""
        return self.folder.best(step) / MODEL

    def _prune(self, progress: Progress) -> None:
        """Deletes old checkpoints, those behind this step (damaged, or of a course that was left), and old bests."""
        steps = self.folder.checkpoint_steps()
        kept = [step for step in steps if step <= progress.step][-self.keep :]
        for step in set(steps) - set(kept):
            shutil.rmtree(self.folder.checkpoint(step))
        self._prune_best(progress)

    def _prune_best(self, progress: Progress) -> None:
        needed = _best_steps(asdict(progress))
        needed.update(*(_best_steps_of(self.folder.checkpoint(step)) for step in self.folder.checkpoint_steps()))
        for step in set(self.folder.best_steps()) - needed:
            shutil.rmtree(self.folder.best(step))


def _best_steps(progress: dict[str, Any]) -> set[int]:
    """The steps whose weights are kept, of a progress as `asdict` gives it."""
    best = progress["best_step"]
    return {step for step, _ in progress.get("kept", [])} | ({best} if best is not None else set())


def _best_steps_of(place: Path) -> set[int]:
    """The steps whose weights were kept when a checkpoint was taken; none where it cannot be read."""
    try:
        return _best_steps(read_json(place / STATE)["progress"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def fault_of(folder: RunFolder, place: Path) -> str | None:
    """Says what is wrong with a checkpoint, or with the best weights it speaks of; None where all is well."""
    fault = damage(place)
    if fault is not None:
        return fault
    own = int(place.name.rpartition("-")[2])
    for best in (folder.best(step) for step in sorted(_best_steps_of(place))):
        fault = damage(best) if best != folder.best(own) or best.exists() else None  # its own are in it
        if fault is not None:
            return f"in its best weights, {best.name}, {fault}"
    return None


def tidy(folder: RunFolder, keep: int | None) -> int:
    """Deletes what a finished run needs no more: all but the newest checkpoints, and best weights that others spoke of.

    Args:
        folder: Of the run.
        keep: How many checkpoints to keep. None keeps what training longer takes: the last one, and best weights that
            are not in it; of its own step they are, and `Checkpoint.save_best_again` has them from there.

    Returns:
        The bytes of what is left.
    """
    steps = folder.checkpoint_steps()
    kept = steps[-(1 if keep is None else keep) :] if keep != 0 else []
    for step in set(steps) - set(kept):
        shutil.rmtree(folder.checkpoint(step))
    needed = {best for step in kept for best in _best_steps_of(folder.checkpoint(step))}
    needed -= set(kept) if keep is None else set()
    for step in set(folder.best_steps()) - needed:
        shutil.rmtree(folder.best(step))
    if not kept and folder.checkpoints.is_dir() and not any(folder.checkpoints.iterdir()):
        folder.checkpoints.rmdir()
    return sum(file.stat().st_size for file in folder.checkpoints.rglob("*") if file.is_file())


def newest_whole(folder: RunFolder) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that is as it was written, and a warning for each damaged one passed over."""
    warnings = []
    for step in reversed(folder.checkpoint_steps()):
        place = folder.checkpoint(step)
        fault = fault_of(folder, place)
        if fault is None:
            return place, warnings
        warnings.append(f"The checkpoint {place.name} is damaged and passed over: {fault}.")
    return None, warnings


def restore(run: Run, place: Path) -> None:
    """Puts a run, its callbacks attached, where the checkpoint left it. All processes call it.

    Raises:
        SetupError: The checkpoint is not one of this run's model and optimizer.
    """
    state = read_json(place / STATE)
    try:
        _load_weights(run, place / MODEL)
        run.optimizer.load_state_dict(_optimizer_state(place, state))
        average = average_of(run)
        if average is not None:
            average.load(place / AVERAGE)
    except (RuntimeError, ValueError, KeyError, FileNotFoundError, SafetensorError) as error:
        raise SetupError(
            f"The checkpoint {place} does not fit the model and optimizer of the recipe: {error}"
        ) from error
    if run.optimizer.scaler is not None and state["scaler"]:
        run.optimizer.scaler.load_state_dict(state["scaler"])
    for name, value in state["progress"].items():
        setattr(run.progress, name, value)
    if not run.accelerator.is_main_process:  # the saved counts are those of all processes together
        run.progress.tokens = run.progress.cells = 0
    move_to(run.schedule, run.progress.step)
    for callback in run.callbacks:
        if isinstance(callback, TimeLimit):
            callback.look_again(run)


def summed(run: Run) -> Progress:
    """The progress with the tokens of all processes."""
    counts = torch.tensor([run.progress.tokens, run.progress.cells], device=run.accelerator.device)
    tokens, cells = over_processes(counts, run.accelerator).tolist()
    return replace(run.progress, tokens=tokens, cells=cells)


def _write(run: Run, progress: Progress, place: Path, as_loaded: Mapping[str, str]) -> None:
    saved = run.optimizer.state_dict()
    tensors: dict[str, torch.Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for index, values in saved["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{name}"] = value.contiguous()
            else:
                numbers.setdefault(str(index), {})[name] = value
    save_weights(plain_model(run.model, run.accelerator), place / MODEL, as_loaded)
    save_file(tensors, str(place / OPTIMIZER))
    average = average_of(run)
    if average is not None:
        average.save(place / AVERAGE)
    scaler = run.optimizer.scaler
    state = {
        "progress": asdict(progress),
        "optimizer": {"groups": saved["param_groups"], "numbers": numbers},
        "scaler": scaler.state_dict() if scaler is not None else None,
    }
    write_json(place / STATE, state)
    write_manifest(place)


def _optimizer_state(place: Path, state: dict[str, Any]) -> dict[str, Any]:
    values: dict[int, dict[str, Any]] = {}
    for name, tensor in load_file(str(place / OPTIMIZER)).items():
        index, _, key = name.partition(".")
        values.setdefault(int(index), {})[key] = tensor.clone()  # else it stays mapped from the file
    for index, numbers in state["optimizer"]["numbers"].items():
        values.setdefault(int(index), {}).update(numbers)
    groups = state["optimizer"]["groups"]
    for group in groups:  # JSON has no tuples
        group.update({key: tuple(value) for key, value in group.items() if key == "betas"})
    return {"state": values, "param_groups": groups}


def _load_weights(run: Run, file: Path) -> None:
    device = run.accelerator.device  # cpu:1 in the second of several processes, which safetensors does not know
    name = "cpu" if device.type == "cpu" else str(device)
    load_weights(plain_model(run.model, run.accelerator), file, name)
