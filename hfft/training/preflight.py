"""Tries out before training what would break a run later: its scores, its memory, a single row."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from hfft.data.loaders import Examples, load
from hfft.data.sampling import Part
from hfft.errors import RecipeError, near
from hfft.metrics.custom import EvaluateModule, refuse_same_names
from hfft.tasks.scores import Scored, headline_metric
from hfft.tasks.task import Task
from hfft.training.evaluation import Evaluator
from hfft.training.loop import on_device, plain_model
from hfft.tuning.train_mode import batch_norms


def try_scores(
    evaluators: Mapping[str, Evaluator],
    keep_best: str | bool | None,
    less_is_better: bool,
    metrics: Sequence[str],
    model: Any,
    accelerator: Accelerator,
) -> tuple[str | None, list[str]]:
    """Scores the model's first few answers as if they were those to the whole eval split.

    Args:
        evaluators: By split.
        keep_best: The metric that decides which weights are kept; true for the one that counts most.
        less_is_better: Whether less of it is better.
        metrics: The further metrics, as the recipe names them.
        model: The prepared model.
        accelerator: Its accelerator.

    Returns:
        The metric that decides, if any, and warnings.

    Raises:
        RecipeError: `keep_best` is no score, or a further metric fails or gives what is no score.
    """
    if keep_best and "eval" not in evaluators:
        raise RecipeError(
            f"train.keep_best is {keep_best!r}, but there is no eval split to take it from. Give data.eval, "
            "data.files.eval or data.holdout."
        )
    if not evaluators or not (keep_best or metrics):
        return None, []
    evaluator = evaluators["eval"] if "eval" in evaluators else next(iter(evaluators.values()))
    try:
        tried = evaluator.trial(model, accelerator)
        own = tried.task.compute_metrics(*tried.labelled) if tried.labelled[1] else {}
        further = _further(tried, metrics)
    except Exception as error:
        if not metrics:
            raise
        raise RecipeError(f"eval.metrics: a metric failed when tried: {type(error).__name__}: {error}") from error
    if not tried.labelled[1]:
        raise RecipeError("train.keep_best and eval.metrics score the eval split, in which no row has a label.")
    refuse_same_names([("the task itself", own), *further])
    broken = [(name, value) for _, values in further for name, value in values.items() if not math.isfinite(value)]
    if broken:
        raise RecipeError(f"eval.metrics: '{broken[0][0]}' is {broken[0][1]} when tried; give finite numbers.")
    scores = [name for name, value in own.items() if math.isfinite(value) and name not in evaluator.task.unranked]
    scores += [name for _, values in further for name in values]
    if isinstance(keep_best, bool):
        keep_best = headline_metric(scores) if keep_best else None
    if keep_best is not None and keep_best not in scores:
        known = [name for name in scores if "/" not in name]
        raise RecipeError(f"train.keep_best is '{keep_best}'.{near(keep_best, known)} Known: {', '.join(known)}.")
    warnings = [text for metric in evaluator.extra if isinstance(metric, EvaluateModule) for text in metric.warnings()]
    if not less_is_better and any(keep_best in values for _, values in further):
        taken = f"train.keep_best is '{keep_best}', of which more is taken to be better"
        warnings.append(f"{taken}; write '-{keep_best}' where less is.")
    return keep_best, warnings


def _further(tried: Scored, settings: Sequence[str]) -> list[tuple[str, Mapping[str, float]]]:
    """What each entry of eval.metrics gives."""
    answers, truths = tried.labelled
    plain = [answer["answer"] for answer in answers]
    if not truths:
        return []
    return [(f"'{setting}'", metric(plain, truths)) for setting, metric in zip(settings, tried.extra, strict=True)]


def require_memory(evaluators: Mapping[str, Evaluator], model: Any, accelerator: Accelerator) -> None:
    """Looks whether the largest batch of each split can be answered in the memory that is free.

    Raises:
        RecipeError: It takes more.
    """
    free = _free_memory(accelerator.device)
    plain = plain_model(model, accelerator)
    for split, evaluator in evaluators.items():
        needed, rows, length = max((evaluator.task.answer_bytes(plain, *shape), *shape) for shape in evaluator.shapes)
        if free is not None and needed > free:
            raise RecipeError(
                f"Answering {rows} rows of the {split} split at once, the longest of {length} tokens, takes about "
                f"{needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free. Lower eval.batch_tokens, "
                "task.generation.num_beams or task.max_target_length."
            )


def _free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where nobody knows."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    told = Path("/proc/meminfo")
    if device.type != "cpu" or not told.is_file():
        return None
    found = re.search(r"^MemAvailable: *([0-9]+) kB$", told.read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def try_one_row(task: Task, model: Any, train: Examples, seed: int, accelerator: Accelerator) -> None:
    """Computes a loss as training does, of a batch of one row, where BatchNorm may need more; its statistics stay.

    Raises:
        RecipeError: It does need more.
    """
    first = np.zeros(1, dtype=int)
    batch = next(load(train, [(Part(first, True, first), (seed, 0))], task.collate, workers=0)).batch
    kept = [(buffer, buffer.clone()) for norm in batch_norms(model) for buffer in norm.buffers()]
    try:
        with torch.no_grad():
            task.loss(model, on_device(batch, accelerator))
    except ValueError as error:
        raise RecipeError(
            "A batch, or what one process holds of it at once, has a single row, and this model's BatchNorm cannot "
            f"learn from one: {error}. Give another train.batch_size or train.micro_batch_size, such that no "
            "remainder of one row is left, or tune.batch_norm=eval."
        ) from error
    finally:
        for buffer, before in kept:
            buffer.copy_(before)
