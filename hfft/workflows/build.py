"""Where everything meets: a Recipe becomes a Run. Below this package only `recipe` knows a Recipe.

In order: task, data, model, tuning (adapter, freeze, groups: always in this order), optimizer, schedule, prepare.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from accelerate import Accelerator
from datasets import Dataset

from hfft.data.checks import rows_named_as_in_train
from hfft.data.fingerprint import fingerprint, fingerprint_of_first
from hfft.data.loaders import Cut, Examples, train_batches, worker_warnings
from hfft.data.sampling import Budget, smallest_part, steps_per_epoch
from hfft.data.streaming import Stream, stream_batches
from hfft.errors import RecipeError
from hfft.io.console import Console
from hfft.io.run_folder import RunFolder
from hfft.metrics.custom import load_modules, number_labels
from hfft.models.computing import recompute_activations, set_attention
from hfft.models.encoder_decoder import EncoderDecoder
from hfft.models.origin import origin_of
from hfft.models.pretrained import Pretrained, PretrainedSource
from hfft.recipe import Recipe
from hfft.recipe.recipe import chose
from hfft.recipe.sections import ModelSection
from hfft.tasks.prepare import Prepared, prepare
from hfft.tasks.slices import check_columns
from hfft.tasks.task import Pictured, Task
from hfft.training.callbacks.cadence import Cadence
from hfft.training.callbacks.checkpoint import Checkpoint
from hfft.training.callbacks.ema import Average
from hfft.training.callbacks.evaluate import Evaluate
from hfft.training.callbacks.log import Log, Track
from hfft.training.callbacks.stop import StopOnSignal
from hfft.training.callbacks.time_limit import TimeLimit
from hfft.training.callbacks.unfreeze import Unfreeze
from hfft.training.distributed import let_some_go_unreached
from hfft.training.evaluation import Evaluator
from hfft.training.loop import Run, on_device, plain_model, seed_everything
from hfft.training.optim import Ahead, make_optimizer, make_schedule, warmup_steps
from hfft.training.preflight import require_memory, try_one_row, try_scores
from hfft.training.processes import main_process_first, on_main
from hfft.training.weights import digests
from hfft.tuning.apply import Length, Tuned, apply, steps_of
from hfft.tuning.param_groups import parameter_groups
from hfft.tuning.parameter_table import ParameterRow
from hfft.tuning.train_mode import batch_norm_warnings, moving_norms, slow_down
from hfft.workflows.defaults import Case, choose
from hfft.workflows.environment import precision_warnings, require_compiler
from hfft.workflows.no_effect import new_head, ungrouped, without_effect
from hfft.workflows.resolve import ResolvedRecipe, strategy_of
from hfft.workflows.splits import Data, read_splits
from hfft.workflows.trunk import KeptTrunk, keep_trunk


@dataclass
class Setup:
    """A run ready to go, and what people want to know of it."""

    recipe: Recipe
    task: Task
    prepared: Prepared
    fingerprints: dict[str, str]  # of the rows of each split; in the main process alone
    run: Run
    tuned: Tuned
    evaluators: dict[str, Evaluator]
    rows: dict[str, Dataset]  # of the scored splits, as they were read; the ids of examples are their numbers
    uncut: dict[str, list[int]]  # of the parts of a hold-out, the numbers that their rows had in data.train
    strategy: str
    base: str | None  # the name under which others find the pretrained model too
    origin: dict[str, str]  # what its files are known by; in the main process alone
    rates: list[str] = field(default_factory=list)  # what settings of dropout and of computing do to this model
    trunk: KeptTrunk | None = None
    trunk_said: str | None = None  # what is said of it, or of why there is none
    warnings: list[str] = field(default_factory=list)

    @property
    def parameters(self) -> list[ParameterRow]:
        """What happens to each parameter."""
        return self.tuned.rows


@dataclass(frozen=True)
class Callbacks:
    """The callbacks of a run that are spoken to outside the loop too."""

    log: Log
    evaluate: Evaluate | None
    checkpoint: Checkpoint
    phases: Unfreeze | None


def build(resolved: ResolvedRecipe, accelerator: Accelerator) -> Setup:
    """Reads data and model and puts a run together. All processes call it, the main one goes first.

    Raises:
        HfftError: Data, model and recipe do not fit together.
    """
    recipe, task = resolved.recipe, resolved.task
    with main_process_first(accelerator):
        load_modules(resolved.extra_metrics)
    seed_everything(recipe.train.seed)  # a new head's weights
    pretrained = open_pretrained(recipe.model, resolved.trust)
    with main_process_first(accelerator):
        read = read_splits(recipe, task, resolved.tables)
        splits, stream = read.splits, read.stream
        with rows_named_as_in_train(read.uncut):
            prepared = prepare(task, splits, pretrained)
        head = pretrained.labels
        model, new = task.model(pretrained)
    told = [*pretrained.rates, *_computing(recipe, model)]
    scored_rows = {split: rows for split, rows in splits.items() if split != "train"}
    check_columns(scored_rows, recipe.eval.slices)
    prepared.findings[:0] = read.findings
    if stream is not None:
        prepared.summary["train"]["stream"] = True
    number_labels(resolved.extra_metrics, model.config.label2id)
    source = stream or prepared.splits["train"]
    recipe = choose(recipe, case_of(recipe, task, prepared, model.config), read.held_out)
    resolved = replace(resolved, recipe=recipe)
    length = length_of(recipe, source)
    made = apply(recipe.tune, model, new, recipe.optim.lr or 0.0, recipe.optim.weight_decay, length)
    model, warnings = made.model, list(made.warnings)
    rows_at_once = _rows_at_once(recipe, accelerator.num_processes)
    hasty, still = slow_down(model), recipe.tune.batch_norm == "eval"
    smallest = _smallest_part(recipe, source, length, accelerator.num_processes)
    warnings += batch_norm_warnings(model, hasty, still, rows_at_once, smallest, recipe.train.rows_a_step)
    cut = _cut(recipe, accelerator)
    run = _run(resolved, accelerator, made, source, cut, length, smallest)
    trunk, trunk_said = keep_trunk(recipe, run, made, source, cut, _budget(recipe, accelerator))
    evaluators = _evaluators(resolved, prepared, accelerator)
    setup = Setup(
        recipe=recipe,
        task=task,
        prepared=prepared,
        fingerprints=_fingerprints(read, task) if accelerator.is_main_process else {},
        run=run,
        tuned=made,
        evaluators=evaluators,
        rows=scored_rows,
        uncut=read.uncut,
        strategy=strategy_of(recipe),
        base=pretrained.public_name,
        origin=origin_of(pretrained) if accelerator.is_main_process else {},
        rates=told,
        trunk=trunk,
        trunk_said=trunk_said,
        warnings=[
            *resolved.warnings,
            *precision_warnings(accelerator),
            *warnings,
            *without_effect(recipe, evaluators, pretrained, length),
            *worker_warnings(recipe.data.workers),
            *ungrouped(recipe, task, source),
            *new_head(head, model.config),
            *map(str, prepared.findings),
        ],
    )
    require_memory(evaluators, run.model, accelerator)
    train = recipe.train
    less, wanted = train.less_is_better(task.lower_is_better), train.best_metric or train.keep_best
    tried = partial(try_scores, evaluators, wanted, less, recipe.eval.metrics, run.model, accelerator)
    best, warnings = on_main(accelerator, tried)
    setup.warnings += warnings
    if train.keep_best is True:
        setup.recipe = recipe.model_copy(update={"train": train.model_copy(update={"keep_best": best})})
        choice = recipe.defaults.chosen.get("train.keep_best")
        if choice is not None:
            setup.recipe = chose(setup.recipe, "train.keep_best", best, choice.why)
    return setup


def case_of(recipe: Recipe, task: Task, prepared: Prepared, config: Any) -> Case:
    """What the choices of settings that the recipe leaves open go by."""
    scored = prepared.splits["eval"].labels if "eval" in prepared.splits else ()
    return Case(
        strategy=strategy_of(recipe),
        images=isinstance(task, Pictured),
        writes=bool(config.is_encoder_decoder),
        group_by_length=task.group_by_length,
        rows=len(prepared.splits["train"]),
        labels=len(prepared.summary["train"].get("labels", ())),
        eval_rows=sum(label is not None for label in scored),
        config=config,
    )


def _computing(recipe: Recipe, model: Any) -> Iterator[str]:
    """Sets how the model computes, as the recipe says, and yields what people are told of it."""
    if recipe.model.attention is not None:
        yield set_attention(model, recipe.model.attention)
    if recipe.train.gradient_checkpointing:
        yield recompute_activations(model)
    if recipe.train.compile:
        require_compiler()
        yield "Compiled by torch.compile (train.compile): the first steps take longer"


def _fingerprints(read: Data, task: Task) -> dict[str, str]:
    return {
        split: fingerprint_of_first(rows)
        if read.stream is not None and split == "train"
        else fingerprint(rows, task.file_columns)
        for split, rows in read.splits.items()
    }


def open_pretrained(section: ModelSection, trust: bool) -> Pretrained:
    """The weights that `model` names: one checkpoint, or a pair of two."""
    given = section.model_dump(exclude={"name", "encoder", "decoder", "attention"})
    if section.name is not None:
        return PretrainedSource(section.name, **given, trust=trust)
    assert section.encoder is not None  # the recipe has seen to it
    assert section.decoder is not None
    return EncoderDecoder(
        PretrainedSource(section.encoder, **given, trust=trust), PretrainedSource(section.decoder, **given, trust=trust)
    )


def attach_callbacks(setup: Setup, folder: RunFolder, console: Console) -> Callbacks:
    """Gives the run its callbacks, in the order in which they are called."""
    run, train = setup.run, setup.recipe.train
    settings = setup.recipe.track
    track = None
    if settings.to:
        track = Track(run.accelerator, settings.to, settings.project, folder.track, setup.recipe.flat())
    log = Log(folder.metrics if run.accelerator.is_main_process else None, train.log_every, console, track)
    cadence = Cadence(train.checkpoint_every, run.steps_per_epoch, run.total_steps)
    still: dict[str, str] = {}
    if run.accelerator.is_main_process:  # which alone saves
        still = digests(plain_model(run.model, run.accelerator), setup.tuned.as_loaded)
    checkpoint = Checkpoint(folder, cadence, train.checkpoints_meanwhile, log, still)
    evaluate, again = None, train.best_metric is not None  # the last weights may not be those scored at the end
    if "eval" in setup.evaluators:
        evaluate = Evaluate(
            setup.evaluators["eval"].some(_rows_while_training(setup.recipe)),
            Cadence(train.eval_every, run.steps_per_epoch, run.total_steps),
            keep_best=train.best_metric,
            lower_is_better=train.less_is_better(setup.task.lower_is_better),
            patience=train.early_stop,
            patient_from=setup.tuned.phases[-1].first_step,
            keep=train.soup or 1,
            rows_at_end=sum(len(each.examples) for split, each in setup.evaluators.items() if split != "eval" or again),
            save_best=checkpoint.save_best,
            log=log,
            console=console,
        )
    average = [Average(run, train.ema)] if train.ema is not None else []
    made, phases = setup.tuned, None
    if len(made.phases) > 1:
        phases = Unfreeze(run, made.phases, made.enter, log)
    run.callbacks = [log, *average, TimeLimit(train.time_limit)]
    run.callbacks += [
        callback for callback in (phases, evaluate, checkpoint, StopOnSignal(checkpoint)) if callback is not None
    ]
    return Callbacks(log, evaluate, checkpoint, phases)


def length_of(recipe: Recipe, source: Examples | Stream) -> Length:
    """How long the run is. Nobody knows how many rows a stream has: the run counts as one epoch."""
    train = recipe.train
    if isinstance(source, Stream):
        assert train.steps is not None  # the recipe has seen to it
        return Length(train.steps, train.steps)
    per_epoch = steps_per_epoch(len(source), train.rows_a_step)
    return Length(per_epoch, steps_of(train.steps, train.epochs, per_epoch))


def part_ahead(recipe: Recipe, per_epoch: int) -> Ahead | None:
    """What the schedule must know of the part in which the head learns alone."""
    probe, tune, lr = recipe.tune.probe, recipe.tune, recipe.optim.lr or 0.0
    return (
        None
        if probe is None
        else Ahead(steps_of(probe.steps, probe.epochs, per_epoch), probe.lr / (lr * tune.head_scale))
    )


def _smallest_part(recipe: Recipe, source: Examples | Stream, length: Length, processes: int) -> int:
    """The fewest rows that a process holds at once; of a stream those of a whole batch, for nobody knows its end."""
    train = recipe.train
    count = train.rows_a_step
    if not isinstance(source, Stream) and length.total >= length.per_epoch:
        count = len(source)  # else the last batch of an epoch never comes
    return smallest_part(count, train.rows_a_step, train.micro_batch_size, processes)


def _cut(recipe: Recipe, accelerator: Accelerator) -> Cut:
    train = recipe.train
    return Cut(
        batch_size=train.rows_a_step,
        micro_batch_size=train.micro_batch_size,
        seed=train.seed,
        rank=accelerator.process_index,
        processes=accelerator.num_processes,
        workers=recipe.data.workers,
        group_by_length=train.group_by_length or False,
    )


def _run(
    resolved: ResolvedRecipe,
    accelerator: Accelerator,
    made: Tuned,
    source: Examples | Stream,
    cut: Cut,
    length: Length,
    smallest: int,
) -> Run:
    recipe, model = resolved.recipe, made.model
    train, total = recipe.train, length.total
    ahead = part_ahead(recipe, length.per_epoch)
    _check_warmup(recipe.optim.warmup, total, ahead)
    model.to(accelerator.device)
    groups = parameter_groups(model, made.rows)
    optimizer = make_optimizer(recipe.optim.name, groups, accelerator.device, recipe.optim.options, resolved.trust)
    schedule = make_schedule(recipe.optim.schedule, optimizer, recipe.optim.warmup, total, ahead)
    if isinstance(source, Stream):
        batches = partial(stream_batches, source, cut)
    else:
        batches = partial(train_batches, source, resolved.task.collate, cut)
        if moving_norms(model) and smallest == 1:
            try_one_row(resolved.task, model, source, train.seed, accelerator)
    made.enter(made.phases[0])
    if accelerator.num_processes > 1:
        part = next(iter(batches(0, 1))).micro_batches[0]
        let_some_go_unreached(resolved.task, model, on_device(part.batch, accelerator), accelerator)
    model, prepared_optimizer = accelerator.prepare(model, optimizer)
    if train.compile:
        plain_model(model, accelerator).compile(dynamic=True)  # in place: its weights keep their names
    return Run(
        task=resolved.task,
        model=model,
        optimizer=prepared_optimizer,
        schedule=schedule,
        accelerator=accelerator,
        batches=batches,
        total_steps=total,
        steps_per_epoch=length.per_epoch,
        clip=recipe.optim.clip,
        seed=train.seed,
        counts_epochs=not isinstance(source, Stream),
        penalty=made.anchor,
    )


def _check_warmup(warmup: float, total: int, ahead: Ahead | None) -> None:
    parts = {"the run": total}
    if ahead is not None:
        parts = {"tune.probe": ahead.steps, "the run after tune.probe": total - ahead.steps}
    for part, steps in parts.items():
        if warmup_steps(warmup, steps) > steps:
            raise RecipeError(f"optim.warmup is {warmup:g} steps, but {part} has {steps}.")


def _evaluators(resolved: ResolvedRecipe, prepared: Prepared, accelerator: Accelerator) -> dict[str, Evaluator]:
    recipe, task = resolved.recipe, resolved.task
    budget = _budget(recipe, accelerator)
    return {
        split: Evaluator(
            task,
            examples,
            budget,
            recipe.data.workers,
            resolved.extra_metrics,
            tunes_threshold=task.tunes_threshold and split == "eval",
        )
        for split, examples in prepared.splits.items()
        if split != "train"
    }


def _budget(recipe: Recipe, accelerator: Accelerator) -> Budget:
    if recipe.eval.batch_tokens is not None:
        return Budget(None, recipe.eval.batch_tokens)
    return Budget(recipe.eval.batch_size or _rows_at_once(recipe, accelerator.num_processes))


def _rows_at_once(recipe: Recipe, processes: int) -> int:
    """The most training rows that a process holds at once."""
    share = math.ceil(recipe.train.rows_a_step / processes)
    return min(recipe.train.micro_batch_size or share, share)


def _rows_while_training(recipe: Recipe) -> int | None:
    rows = recipe.eval.while_training
    return None if rows == "all" else rows
