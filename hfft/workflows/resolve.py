"""A recipe, checked as far as its own words go, with every default written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hfft.data.fingerprint import fingerprint
from hfft.data.table import Table
from hfft.metrics.custom import find_metric
from hfft.recipe import Recipe
from hfft.recipe.recipe import still_chosen
from hfft.recipe.sections import MemoryTable
from hfft.registry import find, require
from hfft.tasks import find_task
from hfft.tasks.scores import ExtraMetric
from hfft.tasks.task import Task
from hfft.training.optim import OPTIMIZERS
from hfft.tuning.adapter_settings import peft_section
from hfft.tuning.section import OtherSection
from hfft.workflows.inputs.tables import split_of


@dataclass(frozen=True)
class ResolvedRecipe:
    """A recipe whose own words have been checked: the task is made, nothing is read or downloaded yet."""

    recipe: Recipe
    task: Task
    extra_metrics: list[ExtraMetric]
    trust: bool
    tables: Mapping[str, Table] = field(default_factory=dict)  # by split, where data are given in memory
    warnings: list[str] = field(default_factory=list)


def resolve(recipe: Recipe, trust: bool) -> ResolvedRecipe:
    """Checks all that can be checked without data and model, and writes out every default but those that go by them.

    Raises:
        RecipeError: An option is wrong, or a name is not known or not trusted.
    """
    kind = find_task(recipe.task.name, trust)
    options = recipe.task_options(kind.Options)
    find(recipe.optim.name, OPTIMIZERS, where="optim.name", trust=trust, group="hfft.optimizers")
    for name in recipe.track.to:
        require(name, name, f"track.to '{name}'")
    extra = [find_metric(name, trust) for name in recipe.eval.metrics]
    complete = _with_adapter(recipe.complete(options))
    update = {
        "eval": complete.eval.with_defaults(**vars(kind.scoring)),
        "defaults": still_chosen(recipe),
    }
    complete = complete.model_copy(update=update)
    warnings = []
    if recipe.eval.while_training is not None and not recipe.data.has_eval:
        warnings.append("eval.while_training has no effect: there is no eval split.")
    return ResolvedRecipe(complete, kind(options), extra, trust, warnings=warnings)


def with_tables(resolved: ResolvedRecipe, data: Mapping[str, Any]) -> ResolvedRecipe:
    """The same with tables in memory, by split; its recipe says of them what can be said.

    Raises:
        DataError: One of them is no table.
    """
    task, section = resolved.task, resolved.recipe.data
    tables = {split: split_of(task, split, table) for split, table in data.items()}
    memory = {
        split: MemoryTable(
            kind=type(data[split]).__name__,
            rows=len(table.rows),
            columns=table.rows.column_names,
            fingerprint=fingerprint(table.rows, task.file_columns),
        )
        for split, table in tables.items()
    }
    recipe = resolved.recipe.model_copy(update={"data": section.model_copy(update={"memory": memory})})
    return replace(resolved, recipe=recipe, tables=tables)


def _with_adapter(recipe: Recipe) -> Recipe:
    """The recipe with every setting of its adapter written out, PEFT's defaults too."""
    adapter = recipe.tune.adapter
    if not isinstance(adapter, OtherSection):
        return recipe
    settings = recipe.adapter_settings(peft_section(adapter.name))
    tune = recipe.tune.model_copy(update={"adapter": adapter.model_copy(update=settings.model_dump())})
    return recipe.model_copy(update={"tune": tune})


def strategy_of(recipe: Recipe) -> str:
    """What learns, in a word."""
    freeze = recipe.tune.freeze
    if recipe.tune.adapter is not None:
        return "adapter"
    if freeze is None or freeze.blocks != "all" or freeze.patterns:
        return "full"
    return freeze.kept[0] if freeze.kept else "head"
