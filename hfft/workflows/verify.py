"""The saved model is opened again: it must give the answers that the run has scored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from hfft.data.loaders import Batch, load
from hfft.data.sampling import Part
from hfft.errors import ModelError
from hfft.models.pretrained import quiet
from hfft.tasks.task import Answer
from hfft.training.evaluation import evaluating
from hfft.training.loop import on_device
from hfft.workflows.build import Setup

ROWS = 8  # of the batch that both answer

KEPT = "Its weights are whole in checkpoints/; try another version of transformers."

TOLERANCE = 1e-4  # absolute, and of the larger number; in float32 the two differ by far less


def require_same_answers(setup: Setup, model: Any, place: Path) -> list[str]:
    """Looks whether plain transformers gets from a folder the model that was saved there.

    Args:
        setup: The run, its task finished with the model.
        model: As it was saved.
        place: The folder.

    Returns:
        What people should know, where there was no memory to look.

    Raises:
        ModelError: It cannot be opened, or it answers otherwise: the scores of the run are those of another model.
    """
    batch = _first_rows(setup)
    device = setup.run.accelerator.device
    try:
        with quiet():
            opened = type(model).from_pretrained(place)
        told, found = (_answers(setup, each, batch) for each in (model, opened.to(device)))
    except torch.OutOfMemoryError:
        return [f"{place} was not opened again to compare its answers: there was no memory for a second model."]
    except Exception as error:  # whatever transformers raises of its own files
        raise ModelError(
            f"The saved model in {place} cannot be opened again ({type(error).__name__}: {error}). {KEPT}"
        ) from error
    wrong = [row for row, pair in enumerate(zip(told, found, strict=True)) if not _alike(*pair)]
    if wrong:
        raise ModelError(
            f"The saved model in {place}, opened again, answers {len(wrong)} of {len(told)} rows otherwise than the "
            f"model that was trained (its first answer: {found[wrong[0]]}, where {told[wrong[0]]} was expected): "
            f"transformers {transformers.__version__} has not saved or not loaded all of its weights. The scores in "
            f"results.json are those of the model as it was trained. {KEPT}"
        )
    return []


def _first_rows(setup: Setup) -> Batch:
    splits = setup.prepared.splits
    examples = next((splits[split] for split in setup.evaluators), splits["train"])
    part = Part(np.arange(min(ROWS, len(examples))), counts=True)
    return next(load(examples, [(part, None)], setup.task.collate, workers=0)).batch


def _answers(setup: Setup, model: Any, batch: Batch) -> list[Answer]:
    with _in_float32(model), evaluating(model):
        return setup.task.predict(model, on_device(batch, setup.run.accelerator))


@contextmanager
def _in_float32(model: Any) -> Iterator[None]:
    """Has a model answer by the forward pass of its class: Accelerate's runs in the precision of training."""
    prepared = vars(model).pop("forward", None)
    try:
        yield
    finally:
        if prepared is not None:
            model.forward = prepared


def _alike(one: Any, other: Any) -> bool:
    """Whether two values of any depth are equal: numbers with a point nearly, all else exactly."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        unknown = math.isnan(one) and math.isnan(other)
        return unknown or math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return one == other
