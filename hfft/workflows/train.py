"""One training from beginning to end in a run folder: start or go on, fit, finish."""

from __future__ import annotations

from typing import Any

from accelerate import Accelerator

from hfft.data.loaders import told_of_workers
from hfft.errors import DiskError, TrainingError
from hfft.hub.repository import check_rows_before_training
from hfft.io.console import Screen
from hfft.io.run_folder import RunFolder, write_json
from hfft.reports.facts import Pictures, write_own_report
from hfft.reports.run_files import read_results
from hfft.training.callbacks.checkpoint import restore
from hfft.training.callbacks.stop import Preempt, listening
from hfft.training.distributed import settle_buckets
from hfft.training.evaluation import Interrupted
from hfft.training.loop import fit
from hfft.training.processes import on_main
from hfft.workflows.build import Assembly, Company, Draft, assemble, attach_hooks
from hfft.workflows.environment import describe, keep_freed_memory
from hfft.workflows.finish import closing_line, finish
from hfft.workflows.plan import SHOWN, show_parameters, show_splits, show_warnings
from hfft.workflows.publish_best import PublishBest
from hfft.workflows.resume import Start, check_beginning, check_length, extension, find_start, jumps
from hfft.workflows.samples import pictures_of
from hfft.workflows.sizes import checkpoint_bytes, require_room


def train_in(folder: RunFolder, drafted: Draft, accelerator: Accelerator, resume: str, screen: Screen) -> None:
    """Trains in a folder that is this run's alone, or goes on there. All processes call it.

    Raises:
        HfftError: As `hfft.train`.
    """
    start = on_main(accelerator, lambda: find_start(folder, drafted.recipe, resume))
    if start.finished:
        ended = on_main(accelerator, lambda: read_results(folder.results).get("ended"))
        how = f"It ended early: {ended}." if ended else "Train longer with a larger train.epochs or train.steps."
        screen.say(f"The run in {folder.path} is finished already. {how}")
        return
    if accelerator.device.type == "cpu":
        keep_freed_memory()
    assembly = assemble(drafted, accelerator)
    extended: list[dict[str, Any]] = []

    def look() -> None:
        check_length(start, assembly.run.total_steps)
        assembly.warnings.extend([*start.warnings, *check_beginning(folder, start, assembly)])
        require_room(assembly, folder)
        check_rows_before_training(assembly.recipe, assembly.fingerprints)
        extended.extend(extension(folder, start, assembly))
        assembly.warnings.extend(jumps(extended))

    on_main(accelerator, look)
    _introduce(assembly, screen)
    on_main(accelerator, lambda: _write_beginning(folder, assembly, drafted.trust, extended))
    _train(assembly, folder, start, screen)


def _train(assembly: Assembly, folder: RunFolder, start: Start, screen: Screen) -> None:
    run = assembly.run
    company = attach_hooks(assembly, folder, screen)
    published = _publishing(assembly, folder, company, screen)
    checkpoint = company.checkpoint
    if start.checkpoint is not None:
        settle_buckets(run)
        restore(run, start.checkpoint)
        if company.phases is not None:
            company.phases.catch_up(run)
        checkpoint.saved_step = run.progress.step
        screen.say(f"Going on after step {run.progress.step}, from {start.checkpoint}")
        if run.progress.ended is not None:
            screen.say(f"This run has ended early ({run.progress.ended}): there is nothing left to train.")
    for warning in company.log.go_back(run.progress.step, run.progress.evaluated_step):
        assembly.warnings.append(warning)
        screen.say(f"warning: {warning}")
    with listening(run), told_of_workers():
        try:
            if company.evaluate is not None:
                company.evaluate.catch_up(run)
            if published is not None:
                published.catch_up(run)
            Preempt(checkpoint).stop_if_asked(run)
            fit(run)
            company.log.end_progress()
            finish(assembly, folder, company, screen)
            if run.accelerator.is_main_process:
                _close(assembly, folder, screen)
        except Interrupted:
            Preempt(checkpoint).stop_if_asked(run)
        except DiskError as error:
            size = checkpoint_bytes(assembly) / 2**20
            raise DiskError(f"{error} A checkpoint takes {size:,.1f} MiB.") from error
        except TrainingError as error:
            raise TrainingError(f"{error} {checkpoint.last_good(run, error)}") from None
        finally:
            company.log.close()


def _publishing(assembly: Assembly, folder: RunFolder, company: Company, screen: Screen) -> PublishBest | None:
    """Gives the run the hook that publishes each best evaluation, where the recipe asks for it."""
    if assembly.recipe.publish.when != "best" or company.evaluate is None:
        return None
    hooks, hook = assembly.run.hooks, PublishBest(assembly, folder, company, screen)
    hooks.insert(hooks.index(company.evaluate) + 1, hook)  # before the checkpoint, which says that this is done
    return hook


def report_on(folder: RunFolder, screen: Screen, pictures: Pictures | None = None) -> None:
    """Writes the report of a finished run; where that fails, says so: it must not make a finished run a failed one."""
    try:
        screen.say(f"Report: {write_own_report(folder, pictures)}")
    except Exception as error:
        screen.say(f"No report: {type(error).__name__}: {error}. 'hfft report {folder.path}' tries again.")


def _close(assembly: Assembly, folder: RunFolder, screen: Screen) -> None:
    """Writes the report, and ends with a line that says what happened."""
    report_on(folder, screen, pictures_of(assembly))
    screen.say(closing_line(read_results(folder.results), assembly.recipe.train.best_metric, folder.path))


def _introduce(assembly: Assembly, screen: Screen) -> None:
    recipe, run = assembly.recipe, assembly.run
    screen.say(f"{recipe.name}: {recipe.task.name} with {recipe.model.shown}")
    show_splits(assembly.prepared.summary, screen)
    show_parameters(assembly.parameters, screen)
    screen.say(
        f"{run.total_steps} steps of {recipe.train.batch_size} samples; peak learning rate {recipe.optim.lr:g} "
        f"({assembly.strategy})"
    )
    for line in assembly.rates:
        screen.say(line)
    show_warnings(assembly.warnings, screen)
    if screen.verbose:
        first = next(iter(run.batches(0, 1))).micro_batches[0].batch
        screen.say("A batch as the model reads it:")
        for line in assembly.task.decoded(first)[:SHOWN]:
            screen.say(f"  {line}")
        versions = describe(run.accelerator, recipe.train.seed, {})["versions"]
        screen.say("Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()))


def _write_beginning(folder: RunFolder, assembly: Assembly, trust: bool, extended: list[dict[str, Any]]) -> None:
    """Writes what is known before the first step. An old result goes: the run is not finished any more."""
    folder.remove_unfinished()
    for old in (folder.results, folder.report, folder.report_facts):
        old.unlink(missing_ok=True)
    assembly.recipe.save(folder.recipe)  # first: a folder with files and no recipe is taken for somebody else's
    accelerator, seed = assembly.run.accelerator, assembly.recipe.train.seed
    described = describe(accelerator, seed, assembly.fingerprints, trust, assembly.origin)
    write_json(folder.environment, {**described, **({"extended": extended} if extended else {})})
    write_json(folder.parameters, [row.as_json() for row in assembly.parameters])
    findings = [finding.as_json() for finding in assembly.prepared.findings]
    write_json(folder.data, {"splits": assembly.prepared.summary, "findings": findings})
