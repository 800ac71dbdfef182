"""Warnings of what a recipe asks for and this run does not do."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hfft.data.loaders import Examples
from hfft.data.streaming import Stream
from hfft.models.pretrained import Pretrained, head_is_new
from hfft.recipe import Recipe
from hfft.tasks.task import Task
from hfft.training.callbacks.cadence import Cadence
from hfft.training.soup import soup_warnings
from hfft.tuning.apply import Length


def new_head(head: list[str] | None, config: Any) -> list[str]:
    """Warns where a trained head is not used though nobody said so, for its labels say nothing."""
    if head is None or not head_is_new(head, config.num_labels):
        return []
    return [
        f"The checkpoint's trained head has {len(head)} labels that are placeholders ({', '.join(head[:2])}"
        f"{', ...' if len(head) > 2 else ''}), where {config.num_labels} are needed: a new head is trained."
    ]


def ungrouped(recipe: Recipe, task: Task, source: Examples | Stream) -> list[str]:
    """Warns where rows are to be grouped by a length that they do not have."""
    wanted = recipe.train.group_by_length not in (False, task.group_by_length)
    if wanted and not isinstance(source, Stream) and source.lengths is None:
        return ["train.group_by_length has no effect: these rows have no length."]
    return []


def without_effect(recipe: Recipe, scored: Collection[str], pretrained: Pretrained, length: Length) -> list[str]:
    """Warns of settings that do nothing in this run."""
    warnings = []
    if not scored:
        warnings.append("There is neither an eval nor a test split: the run will end without a score.")
    if recipe.eval.metrics and not scored:
        warnings.append("eval.metrics has no effect: there is nothing to score.")
    if recipe.eval.slices and not scored:
        warnings.append("eval.slices has no effect: there is nothing to score.")
    if recipe.train.soup is not None and "eval" in scored:
        warnings += soup_warnings(recipe.train.soup, Cadence(recipe.train.eval_every, length.per_epoch, length.total))
    if recipe.train.eval_every is not None and "eval" not in scored:
        warnings.append("train.eval_every has no effect: there is no eval split.")
    if recipe.model.new_head and not pretrained.has_head:
        warnings.append("model.new_head has no effect: the checkpoint has no trained head.")
    return warnings
