"""Tries out before training what will be scored, so that no run breaks at its first evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from accelerate import Accelerator

from hfft.errors import RecipeError, near
from hfft.metrics.further import EvaluateModule, refuse_same_names
from hfft.scoring import Scored, Scorer


def try_scores(
    scorers: Mapping[str, Scorer],
    keep_best: str | None,
    metrics: Sequence[str],
    model: Any,
    accelerator: Accelerator,
) -> list[str]:
    """Scores the model's first few answers as if they were those to the whole eval split.

    Args:
        scorers: By split.
        keep_best: The metric that decides which weights are kept.
        metrics: The further metrics, as the recipe names them.
        model: The prepared model.
        accelerator: Its accelerator.

    Returns:
        Warnings.

    Raises:
        RecipeError: `keep_best` is no score, or a further metric fails or gives what is no score.
    """
    if keep_best is not None and "eval" not in scorers:
        raise RecipeError(
            f"train.keep_best is '{keep_best}', but there is no eval split to take it from. Give data.eval, "
            "data.files.eval or data.holdout."
        )
    if not scorers or (keep_best is None and not metrics):
        return []
    scorer = scorers["eval"] if "eval" in scorers else next(iter(scorers.values()))
    try:
        tried = scorer.trial(model, accelerator)
        scores, given = tried.scores, _names_given(tried, metrics)
    except Exception as error:
        if not metrics:
            raise
        raise RecipeError(f"eval.metrics: a metric failed when tried: {type(error).__name__}: {error}") from error
    refuse_same_names(given)
    broken = [name for name, value in scores.items() if not math.isfinite(value)]
    if broken:
        raise RecipeError(f"eval.metrics: '{broken[0]}' is {scores[broken[0]]} when tried; give finite numbers.")
    if keep_best is not None and keep_best not in scores:
        known = [name for name in scores if "/" not in name]
        raise RecipeError(f"train.keep_best is '{keep_best}'.{near(keep_best, known)} Known: {', '.join(known)}.")
    return [text for metric in scorer.extra if isinstance(metric, EvaluateModule) for text in metric.warnings()]


def _names_given(tried: Scored, settings: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Who gives which scores: the task, and each further metric."""
    answers, truths = tried.labelled
    if not truths:
        return []
    plain = [answer["answer"] for answer in answers]
    further = [
        (f"'{setting}'", list(metric(plain, truths))) for setting, metric in zip(settings, tried.extra, strict=True)
    ]
    return [("the task itself", list(tried.task.score(answers, truths))), *further]
