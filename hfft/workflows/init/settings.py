"""The recipe's sections, as they follow from data and model, each setting with its reason.

What `hfft.workflows.defaults` chooses when the run begins, such as rates and epochs, is left open.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfft.workflows.defaults import batch_size_of, share_of
from hfft.workflows.init.facts import Facts, Lengths
from hfft.workflows.init.guess import Guess
from hfft.workflows.init.languages import UNSPACED, factor
from hfft.workflows.init.models import Model
from hfft.workflows.init.options import COLUMNS, WRITING
from hfft.workflows.init.sources import Source, Split, shown_files

STEPS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192)  # lengths to choose from

MARGIN = 1.25  # the estimate is coarse

SPECIAL = 2  # tokens that stand around a text

SKEWED = 3.0  # times as many rows of the commonest label as there would be if all were alike

LARGE = 300  # millions of parameters, from which on an adapter saves most of the memory

SMALL_IMAGE = 64  # pixels, at most, of the longer side

TOKENS_AT_ONCE = 8192


@dataclass(frozen=True)
class Found:
    """All that was found and chosen."""

    source: Source
    splits: dict[str, Split]
    guess: Guess
    facts: Facts
    model: Model


@dataclass(frozen=True)
class Setting:
    """A line of the recipe, and why it is there."""

    name: str
    value: Any
    why: str = ""


def sections_of(found: Found) -> dict[str, list[Setting]]:
    """Chooses the settings, by section in the order of a recipe."""
    task, facts, model = found.guess.task, found.facts, found.model
    return {
        "task": [*_columns(found.guess, facts, model), *_lengths(task, facts, model), *_images(facts, model)],
        "data": [*_data(found.source, found.splits), *_holdout(facts)],
        "model": [Setting("name", model.name), *([Setting("new_head", True)] if model.new_head else [])],
        "tune": list(_tune(task, model)),
        "train": list(_train(task, facts, model)),
        "eval": [Setting("while_training", 200, "answers take long to write; at the end all rows are scored")]
        if task in WRITING
        else [],
    }


def _columns(guess: Guess, facts: Facts, model: Model) -> Iterator[Setting]:
    """The options that were guessed, and what else says how to read the columns."""
    yield Setting("name", guess.task, guess.reasons["name"])
    for name in dict.fromkeys((*COLUMNS[guess.task], *guess.options)):
        yield Setting(name, guess.options[name], guess.reasons[name])
    for name, value in model.options:
        yield Setting(name, value, "as the model calls the language")
    if facts.unlike:
        names = sorted({*facts.labels, *facts.unlike})
        yield Setting("labels", names, f"'{facts.unlike[0]}' is in eval or test, but in no training row")


def _lengths(task: str, facts: Facts, model: Model) -> Iterator[Setting]:
    for option, texts in facts.lengths.items():
        name, counted = (f"max_{option}_length", "those that are cut") if task in WRITING else ("max_length", "them")
        why = (
            f"tokens: of 100 texts 99 have {texts.tokens} at most, {factor(texts.language)}; hfft plan counts {counted}"
        )
        yield Setting(name, _most(texts, model), why)
    if task == "summarization":
        search = {"num_beams": 4, "no_repeat_ngram_size": 3}
        yield Setting("generation", search, "four ways followed at once, and no three words twice")
    windows = _windows(task, facts, model)
    if windows > 1:
        why = f"longer texts are read in windows instead of being cut: {windows:.2g} a text in the mean, estimated"
        yield Setting("windows", {"overlap": _overlap(_most(facts.lengths["text"], model))}, why)


def _most(texts: Lengths, model: Model) -> int:
    """The next of STEPS with room for special tokens, and at most what the model can take."""
    needed = MARGIN * texts.tokens + 4
    return min(model.limit or 1024, next((step for step in STEPS if step >= needed), STEPS[-1]))


def _overlap(most: int) -> int:
    return min(64, most // 4)


def _windows(task: str, facts: Facts, model: Model) -> float:
    """How many windows a text fills in the mean; 1 where nearly all fit into one, or are cut."""
    if task != "text-classification":
        return 1.0
    texts, most = facts.lengths["text"], _most(facts.lengths["text"], model)
    if texts.tokens <= most:
        return 1.0
    room, overlap = most - SPECIAL, _overlap(most)
    return float(np.mean(1 + np.ceil(np.maximum(0, texts.counts - room) / (room - overlap))))


def _images(facts: Facts, model: Model) -> Iterator[Setting]:
    if facts.side is None:
        return
    small, (height, width) = max(facts.side) <= SMALL_IMAGE, facts.side
    if small and model.family == "conv":
        yield Setting("image_size", 96, f"images of {height:g} x {width:g} pixels gain nothing from 224")
    augment: dict[str, Any] = {"crop": [0.6 if small else 0.3, 1.0]}
    if facts.labels and all(len(label) == 1 for label in facts.labels):
        yield Setting("augment", {**augment, "flip": 0}, "random crops; letters and digits are not mirrored")
    else:
        yield Setting("augment", augment, "random crops and mirror images")


def _data(source: Source, splits: dict[str, Split]) -> Iterator[Setting]:
    if source.hub:
        yield Setting("hub", source.hub)
        if source.config:
            yield Setting("config", source.config)
        for name, split in splits.items():
            yield Setting(name, split.place)
        return
    root, files = shown_files({name: source.files[name] for name in splits})
    from_here = "seen from the folder in which hfft is called"
    if root is not None:
        absolute = os.path.isabs(root)  # noqa: PTH117
        yield Setting("root", root, f"where the files lie, {'as found on this machine' if absolute else from_here}")
    yield Setting("files", files, from_here if root is None else "")


def _holdout(facts: Facts) -> Iterator[Setting]:
    if "eval" not in facts.rows:
        share = share_of(facts.train_rows)
        why = "no eval file was found: this share of train is cut off for it, the same rows each time"
        yield Setting("holdout", share, why)


def _tune(task: str, model: Model) -> Iterator[Setting]:
    if model.family == "nllb" or (model.size >= LARGE and model.family != "conv" and task != "image-classification"):
        adapter = {"name": "lora", "rank": 16, "alpha": 32, "targets": "attention"}
        why = f"{model.size:,.0f} million parameters: only small matrices beside them learn (LoRA)"
        yield Setting("adapter", adapter, why)


def _train(task: str, facts: Facts, model: Model) -> Iterator[Setting]:
    batch = batch_size_of(facts.train_rows)
    budget = TOKENS_AT_ONCE if model.size < LARGE else TOKENS_AT_ONCE // 4
    longest = max((_most(texts, model) for texts in facts.lengths.values()), default=0)
    length = math.ceil(longest * _windows(task, facts, model))
    if length * batch > budget:
        at_once = 2 ** int(math.log2(max(1, budget / length)))
        why = "rows a process holds at once: with much memory more; the losses are the same"
        yield Setting("micro_batch_size", min(batch, at_once), why)
    elif task == "token-classification":
        why = "rows a process holds at once, of like length: less padding; the losses are the same"
        yield Setting("micro_batch_size", 8, why)
    yield Setting("keep_best", *_best(task, facts))


def _best(task: str, facts: Facts) -> tuple[str, str]:
    if task == "summarization":
        return "rougeL", "the weights of the epoch that scores best in it are kept"
    if task == "translation" and facts.languages[1] in UNSPACED:
        return "chrf", "counts letters, where words are not told apart"
    if task == "translation":
        return "bleu", "the weights of the epoch that scores best are kept"
    if task == "token-classification":
        return ("f1", "of whole entities") if facts.problem == "entities" else ("accuracy", "of words")
    if facts.problem == "regression":
        return "rmse", "the least is the best"
    if facts.problem == "multi":
        return "f1", "the mean over labels"
    most, least, mean = max(facts.labels.values()), min(facts.labels.values()), np.mean([*facts.labels.values()])
    if most >= SKEWED * mean or most > 20 * least:
        return "f1", "the mean over labels: they are of unlike size, and accuracy looks at the large ones alone"
    return "accuracy", "labels are of like size; else f1, the mean over labels"


def next_steps(facts: Facts, sections: dict[str, list[Setting]]) -> Iterator[tuple[str, str]]:
    """What to try next: overrides, and why."""
    tuned = [setting.name for setting in sections["tune"]]
    if not tuned:
        yield "tune.freeze.blocks=50%", "the lower half of the model stays as it is: faster, often no worse"
        yield "tune.adapter.name=lora", "an adapter: less memory"
    if facts.problem == "single" and max(facts.labels.values()) > 5 * min(facts.labels.values()):
        yield "task.class_weights=balanced", "rare labels count as much as common ones"
    if 0 < facts.train_rows < 10_000:
        yield "--seeds 0,1,2", "with few rows seeds differ: mean and spread of three"


def number(value: float) -> str:
    """A number as recipes have it: 2.0e-5, 0.05, 3. Without the point YAML 1.1 takes it for a text."""
    text = f"{value:.1e}" if value and abs(value) < 1e-2 else f"{value:g}"
    mantissa, e, exponent = text.partition("e")
    return f"{float(mantissa)}e{int(exponent):+d}" if e else text
