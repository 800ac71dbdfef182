"""One training from beginning to end in a run folder: start or go on, fit, finish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from accelerate import Accelerator

from hfft.data.loaders import told_of_workers
from hfft.errors import DiskError, TrainingError
from hfft.hub.repository import check_rows_before_training
from hfft.io.console import Console
from hfft.io.run_files import read_results
from hfft.io.run_folder import RunFolder, mib, write_json
from hfft.recipe import Recipe
from hfft.reports.facts import Pictures, write_own_report
from hfft.tasks.scores import Scored
from hfft.training.callbacks.checkpoint import restore, tidy
from hfft.training.callbacks.stop import StopOnSignal, listening
from hfft.training.distributed import settle_buckets
from hfft.training.evaluation import Interrupted
from hfft.training.loop import Run, fit
from hfft.training.processes import on_main
from hfft.workflows.build import Callbacks, Setup, attach_callbacks, build
from hfft.workflows.environment import describe, keep_freed_memory, versions
from hfft.workflows.finish import closing_line, finish
from hfft.workflows.plan import SHOWN, show_parameters, show_splits, show_warnings, shown
from hfft.workflows.publish_best import PublishBest
from hfft.workflows.resolve import ResolvedRecipe
from hfft.workflows.resume import Start, check_beginning, check_length, extension, find_start, jumps
from hfft.workflows.samples import pictures_of
from hfft.workflows.sizes import checkpoint_bytes, require_room


def train_in(
    folder: RunFolder,
    resolved: ResolvedRecipe,
    accelerator: Accelerator,
    resume: str,
    console: Console,
    watch: Callable[[Run, Scored], None] | None = None,
) -> None:
    """Trains in a folder that is this run's alone, or goes on there. All processes call it.

    Args:
        folder: It is there.
        resolved: What to learn.
        accelerator: What to run on.
        resume: As for `hfft.train`.
        console: What people see.
        watch: Is given each evaluation while training, in all processes; what it raises ends the run.

    Raises:
        HfftError: As `hfft.train`.
    """
    start = on_main(accelerator, lambda: find_start(folder, resolved.recipe, resume))
    if start.finished:
        ended = on_main(accelerator, lambda: read_results(folder.results).get("ended"))
        how = f"It ended early: {ended}." if ended else "Train longer with a larger train.epochs or train.steps."
        console.say(f"The run in {folder.path} is finished already. {how}")
        on_main(accelerator, lambda: tidy_up(folder, resolved.recipe, console))
        return
    resolved = replace(resolved, recipe=start.settled(resolved.recipe))
    if accelerator.device.type == "cpu":
        keep_freed_memory()
    setup = build(resolved, accelerator)
    extended: list[dict[str, Any]] = []

    def look() -> None:
        check_length(start, setup.run.total_steps)
        setup.warnings.extend([*start.warnings, *check_beginning(folder, start, setup)])
        require_room(setup, folder)
        check_rows_before_training(setup.recipe, setup.fingerprints)
        extended.extend(extension(folder, start, setup))
        setup.warnings.extend(jumps(extended))

    on_main(accelerator, look)
    _introduce(setup, console)
    on_main(accelerator, lambda: _write_beginning(folder, setup, resolved.trust, extended))
    _train(setup, folder, start, console, watch)


def _train(
    setup: Setup, folder: RunFolder, start: Start, console: Console, watch: Callable[[Run, Scored], None] | None
) -> None:
    run = setup.run
    callbacks = attach_callbacks(setup, folder, console)
    if callbacks.evaluate is not None:
        callbacks.evaluate.watch = watch
    published = _publishing(setup, folder, callbacks, console)
    checkpoint = callbacks.checkpoint
    if start.checkpoint is not None:
        settle_buckets(run)
        restore(run, start.checkpoint)
        if callbacks.phases is not None:
            callbacks.phases.catch_up(run)
        checkpoint.saved_step = run.progress.step
        checkpoint.save_best_again(run)
        console.say(f"Going on after step {run.progress.step}, from {start.checkpoint}")
        if run.progress.ended is not None:
            console.say(f"This run has ended early ({run.progress.ended}): there is nothing left to train.")
    for warning in callbacks.log.go_back(run.progress.step, run.progress.evaluated_step):
        setup.warnings.append(warning)
        console.say(f"warning: {warning}")
    with listening(run), told_of_workers():
        try:
            if setup.trunk is not None:
                setup.trunk.attach(setup.fingerprints, callbacks.evaluate)
            if callbacks.evaluate is not None:
                callbacks.evaluate.catch_up(run)
            if published is not None:
                published.catch_up(run)
            StopOnSignal(checkpoint).stop_if_asked(run)
            fit(run)
            callbacks.log.end_progress()
            finish(setup, folder, callbacks, console)
            if run.accelerator.is_main_process:
                _close(setup, folder, console)
        except Interrupted:
            StopOnSignal(checkpoint).stop_if_asked(run)
        except DiskError as error:
            raise DiskError(f"{error} A checkpoint takes {mib(checkpoint_bytes(setup))}.") from error
        except TrainingError as error:
            raise TrainingError(f"{error} {checkpoint.last_good(run, error)}") from None
        finally:
            callbacks.log.close()


def _publishing(setup: Setup, folder: RunFolder, callbacks: Callbacks, console: Console) -> PublishBest | None:
    """Gives the run the callback that publishes each best evaluation, where the recipe asks for it."""
    if setup.recipe.publish.when != "best" or callbacks.evaluate is None:
        return None
    publish, called = PublishBest(setup, folder, callbacks, console), setup.run.callbacks
    called.insert(called.index(callbacks.evaluate) + 1, publish)  # before the checkpoint, which says that this is done
    return publish


def report_on(folder: RunFolder, console: Console, pictures: Pictures | None = None) -> None:
    """Writes the report of a finished run; where that fails, says so: it must not make a finished run a failed one."""
    try:
        console.say(f"Report: {write_own_report(folder, pictures)}")
    except Exception as error:
        console.say(f"No report: {type(error).__name__}: {error}. 'hfft report {folder.path}' tries again.")


def _close(setup: Setup, folder: RunFolder, console: Console) -> None:
    """Deletes what is needed no more, writes the report, and ends with a line that says what happened."""
    tidy_up(folder, setup.recipe, console)
    report_on(folder, console, pictures_of(setup))
    console.say(closing_line(read_results(folder.results), setup.recipe.train.best_metric, folder.path))


def tidy_up(folder: RunFolder, recipe: Recipe, console: Console) -> None:
    """Deletes checkpoints that a finished run needs no more, and says how large the others are."""
    left = tidy(folder, recipe.train.keep_checkpoints)
    if left:
        console.say(
            f"{folder.checkpoints} takes {mib(left)}, to train longer from; train.keep_checkpoints=0 deletes it."
        )


def _introduce(setup: Setup, console: Console) -> None:
    recipe, run = setup.recipe, setup.run
    console.say(f"{recipe.name}: {recipe.task.name} with {recipe.model.shown}")
    show_splits(setup.prepared.summary, console)
    show_parameters(setup.parameters, console)
    console.say(
        f"{run.total_steps} steps of {recipe.train.batch_size} samples; peak learning rate {recipe.optim.lr:g} "
        f"({setup.strategy})"
    )
    chosen = ", ".join(f"{key}={shown(choice.value)}" for key, choice in recipe.defaults.chosen.items())
    if chosen:
        console.say(f"Chosen where the recipe leaves it open (hfft plan says why): {chosen}")
    for line in (*setup.rates, *([setup.trunk_said] if setup.trunk_said else [])):
        console.say(line)
    show_warnings(setup.warnings, console)
    if console.verbose:
        first = next(iter(run.batches(0, 1))).micro_batches[0].batch
        console.say("A batch as the model reads it:")
        for line in setup.task.show(first)[:SHOWN]:
            console.say(f"  {line}")
        console.say("Versions: " + ", ".join(f"{name} {version}" for name, version in versions().items()))


def _write_beginning(folder: RunFolder, setup: Setup, trust: bool, extended: list[dict[str, Any]]) -> None:
    """Writes what is known before the first step. An old result goes: the run is not finished any more."""
    folder.remove_unfinished()
    folder.remove_results()
    setup.recipe.save(folder.recipe)  # first: a folder with files and no recipe is taken for somebody else's
    accelerator, seed = setup.run.accelerator, setup.recipe.train.seed
    described = describe(accelerator, seed, setup.fingerprints, trust, setup.origin)
    write_json(folder.environment, {**described, **({"extended": extended} if extended else {})})
    write_json(folder.parameters, [row.as_json() for row in setup.parameters])
    findings = [finding.as_json() for finding in setup.prepared.findings]
    write_json(folder.data, {"splits": setup.prepared.summary, "findings": findings})
