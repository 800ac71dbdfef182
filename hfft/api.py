"""What Python users call: `train` and `plan`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from hfft.assemble import Assembly, assemble, attach_hooks, draft
from hfft.environment import check_accelerator, describe, make_accelerator
from hfft.errors import TrainingError
from hfft.finish import finish
from hfft.folder import RunFolder, read_json, write_json
from hfft.hooks.checkpoint import restore
from hfft.hooks.preempt import Preempt, listening
from hfft.loop import fit
from hfft.planning import Plan, make_plan, show_parameters, show_splits, show_warnings
from hfft.recipe import Recipe
from hfft.resume import Start, check_data, check_length, find_start
from hfft.scoring import Interrupted
from hfft.screen import Screen, quiet_libraries


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        folder: The run folder.
        scores: By split, then metric: `{"value", "low", "high"}`, as results.json has it.
    """

    folder: Path
    scores: dict[str, dict[str, dict[str, Any]]]


def train(
    recipe: Recipe,
    output: str | os.PathLike[str] | None = None,
    resume: str = "auto",
    trust: bool = False,
    accelerator: Accelerator | None = None,
    quiet: bool = False,
) -> Result:
    """Fine-tunes as the recipe says and leaves a run folder.

    With several processes all of them call it; the main one writes and prints.

    Args:
        recipe: What to learn.
        output: The run folder; by default `runs/NAME`.
        resume: "auto" goes on from the newest whole checkpoint of the folder; "never" wants a new folder; else the
            name or path of a checkpoint of the folder.
        trust: Whether code named by the recipe, or brought by the model, may run.
        accelerator: What to run on; by default what the launcher asked for.
        quiet: Print nothing.

    Raises:
        HfftError: A recipe, data, model or setup error; nothing that was there is lost.
        Stopped: A signal came; the folder has a checkpoint of that very step.
    """
    quiet_libraries()
    drafted = draft(recipe, trust)
    accelerator = check_accelerator(accelerator) if accelerator else make_accelerator()
    main = accelerator.is_main_process
    screen = Screen(quiet=quiet or not main)
    screen.say(f"{accelerator.num_processes} process(es) on {accelerator.device.type}")
    folder = RunFolder(output or Path("runs", drafted.recipe.name))
    start = find_start(folder, drafted.recipe, resume)
    accelerator.wait_for_everyone()
    if start.finished:
        screen.say(f"The run in {folder.path} is finished already. Train longer with a larger train.epochs.")
        return _result(folder)
    assembly = assemble(drafted, accelerator)
    check_data(folder, start, assembly.fingerprints)
    check_length(start, assembly.run.total_steps)
    assembly.warnings.extend(start.warnings)
    _introduce(assembly, screen)
    if main:
        _write_beginning(folder, assembly)
    _train(assembly, folder, start, screen)
    return _result(folder)


def plan(recipe: Recipe, trust: bool = False, accelerator: Accelerator | None = None) -> Plan:
    """Does everything but training: reads and checks the data, loads and tunes the model, measures memory.

    Raises:
        HfftError: As `train` would.
    """
    quiet_libraries()
    drafted = draft(recipe, trust)
    return make_plan(assemble(drafted, check_accelerator(accelerator) if accelerator else make_accelerator()))


def _train(assembly: Assembly, folder: RunFolder, start: Start, screen: Screen) -> None:
    run = assembly.run
    company = attach_hooks(assembly, folder, screen)
    checkpoint = company.checkpoint
    if start.checkpoint is not None:
        restore(run, start.checkpoint)
        checkpoint.saved_step = run.progress.step
        screen.say(f"Going on after step {run.progress.step}, from {start.checkpoint}")
        if run.progress.ended is not None:
            screen.say(f"This run has ended early ({run.progress.ended}): there is nothing left to train.")
    company.log.go_back(run.progress.step, run.progress.evaluated_step)
    with listening(run):
        try:
            if company.evaluate is not None:
                company.evaluate.catch_up(run)
            Preempt(checkpoint).stop_if_asked(run)
            fit(run)
            company.log.end_progress()
            finish(assembly, folder, company, screen)
        except Interrupted:
            Preempt(checkpoint).stop_if_asked(run)
        except TrainingError as error:
            checkpoint.save(run)
            raise TrainingError(f"{error} They are in {folder.checkpoint(run.progress.step)}.") from None
        finally:
            company.log.close()


def _introduce(assembly: Assembly, screen: Screen) -> None:
    recipe, run = assembly.recipe, assembly.run
    screen.say(f"{recipe.name}: {recipe.task.name} with {recipe.model.name}")
    show_splits(assembly.prepared.summary, screen)
    show_parameters(assembly.parameters, screen)
    screen.say(
        f"{run.total_steps} steps of {recipe.train.batch_size} samples; peak learning rate {recipe.optim.lr:g} "
        f"({assembly.strategy})"
    )
    show_warnings(assembly.warnings, screen)


def _write_beginning(folder: RunFolder, assembly: Assembly) -> None:
    """Writes what is known before the first step. An old result goes: the run is not finished any more."""
    folder.remove_unfinished()
    folder.results.unlink(missing_ok=True)
    assembly.recipe.save(folder.recipe)  # first: a folder with files and no recipe is taken for somebody else's
    write_json(
        folder.environment, describe(assembly.run.accelerator, assembly.recipe.train.seed, assembly.fingerprints)
    )
    write_json(folder.parameters, [row.as_json() for row in assembly.parameters])
    findings = [finding.as_json() for finding in assembly.prepared.findings]
    write_json(folder.data, {"splits": assembly.prepared.summary, "findings": findings})


def _result(folder: RunFolder) -> Result:
    results = read_json(folder.results)
    return Result(folder.path, {split: results[split] for split in ("eval", "test") if split in results})
