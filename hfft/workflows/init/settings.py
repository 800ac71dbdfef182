"""What follows from data and model: lengths, batches, epochs, rates, what chooses the weights; each with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hfft.workflows.init.facts import Facts
from hfft.workflows.init.languages import UNSPACED, factor
from hfft.workflows.init.models import Model
from hfft.workflows.init.state import Guess

STEPS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192)  # lengths to choose from

MARGIN = 1.25  # the estimate is coarse

SPECIAL = 2  # tokens that stand around a text

SKEWED = 3.0  # times as many rows of the commonest label as there would be if all were alike

LARGE = 300  # millions of parameters, from which on an adapter saves most of the memory

DECAYED = 80  # millions, from which on layers learn at different rates

TOKENS_AT_ONCE = 8192

ORDER = ("text", "image", "label", "delimiter", "source", "target", "tokens", "tags")  # of options in a recipe

WRITING = ("summarization", "translation")


@dataclass(frozen=True)
class Setting:
    """A line of the recipe, and why it is there."""

    name: str
    value: Any
    why: str = ""


@dataclass
class Settings:
    """The sections of the recipe, and what to try next: pairs of overrides and why."""

    task: list[Setting] = field(default_factory=list)
    tune: list[Setting] = field(default_factory=list)
    optim: list[Setting] = field(default_factory=list)
    train: list[Setting] = field(default_factory=list)
    eval: list[Setting] = field(default_factory=list)
    holdout: Setting | None = None
    next: list[tuple[str, str]] = field(default_factory=list)


def settings_of(guess: Guess, facts: Facts, model: Model) -> Settings:
    """Chooses the settings."""
    made = Settings()
    made.task += [Setting("name", guess.task, guess.reasons["name"])]
    options = sorted(guess.options, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    made.task += [Setting(name, guess.options[name], guess.reasons[name]) for name in options]
    made.task += [Setting(name, value, "as the model calls the language") for name, value in model.options]
    if facts.unlike:
        names = sorted({*facts.labels, *facts.unlike})
        made.task.append(Setting("labels", names, f"'{facts.unlike[0]}' is in eval or test, but in no training row"))
    length = _lengths(guess.task, facts, model, made)
    _images(guess.task, facts, model, made)
    if "eval" not in facts.rows:
        made.holdout = _holdout(facts)
    _tuning(guess.task, model, made)
    _rates(guess.task, model, made)
    _training(guess.task, facts, length, model, made)
    if guess.task in WRITING:
        made.eval.append(Setting("while_training", 200, "answers take long to write; at the end all rows are scored"))
    _next(guess, facts, model, made)
    return made


def _lengths(task: str, facts: Facts, model: Model, made: Settings) -> int:
    """Takes the lengths in tokens; gives how many a row holds: the longer one, and of windows all together."""
    if task == "image-classification":
        return 0
    if task in WRITING:
        source, target = facts.lengths["source"], facts.lengths["target"]
        most = [_rounded(side.tokens, model.limit or 1024) for side in (source, target)]
        why = "tokens: of 100 texts 99 have {} at most, {}; hfft plan counts those that are cut"
        made.task.append(Setting("max_source_length", most[0], why.format(source.tokens, factor(source.language))))
        made.task.append(Setting("max_target_length", most[1], why.format(target.tokens, factor(target.language))))
        if task == "summarization":
            search = {"num_beams": 4, "no_repeat_ngram_size": 3}
            made.task.append(Setting("generation", search, "four ways followed at once, and no three words twice"))
        return max(most)
    texts = facts.lengths["text" if task == "text-classification" else "tokens"]
    most_tokens = _rounded(texts.tokens, model.limit or 1024)
    why = f"tokens: of 100 texts 99 have {texts.tokens} at most, {factor(texts.language)}; hfft plan counts them"
    made.task.append(Setting("max_length", most_tokens, why))
    if task != "text-classification" or texts.tokens <= most_tokens:
        return most_tokens
    overlap = min(64, most_tokens // 4)
    windows = _windows(texts.counts, most_tokens - SPECIAL, overlap)
    why = f"longer texts are read in windows instead of being cut: {windows:.2g} a text in the mean, estimated"
    made.task.append(Setting("windows", {"overlap": overlap}, why))
    return math.ceil(windows * most_tokens)


def _windows(counts: np.ndarray, room: int, overlap: int) -> float:
    """How many windows texts of so many tokens fill in the mean, each with room for some and sharing `overlap`."""
    return float(np.mean(1 + np.ceil(np.maximum(0, counts - room) / (room - overlap))))


def _rounded(tokens: int, limit: int) -> int:
    """The next of STEPS with room for special tokens, and at most what the model can take."""
    needed = MARGIN * tokens + 4
    return min(limit, next((step for step in STEPS if step >= needed), STEPS[-1]))


def _images(task: str, facts: Facts, model: Model, made: Settings) -> None:
    if task != "image-classification" or facts.side is None:
        return
    height, width = facts.side
    if max(facts.side) <= 64 and model.family == "conv":
        made.task.append(Setting("image_size", 96, f"images of {height:g} x {width:g} pixels gain nothing from 224"))
    augment: dict[str, Any] = {"crop": [0.6, 1.0]} if max(facts.side) <= 64 else {"crop": [0.3, 1.0]}
    why = "random crops and mirror images"
    if facts.labels and all(len(label) == 1 for label in facts.labels):
        augment["flip"] = 0
        why = "random crops; letters and digits are not mirrored"
    made.task.append(Setting("augment", augment, why))


def _holdout(facts: Facts) -> Setting:
    rows = facts.train_rows
    share = 0.2 if 0 < rows < 500 else 0.1 if rows < 50_000 else 0.05 if rows < 500_000 else 0.01
    return Setting(
        "holdout", share, "no eval file was found: this share of train is cut off for it, the same rows each time"
    )


def _tuning(task: str, model: Model, made: Settings) -> None:
    size = f"{model.size:,.0f} million parameters"
    if model.family == "nllb" or (model.size >= LARGE and model.family != "conv" and task != "image-classification"):
        adapter = {"name": "lora", "rank": 16, "alpha": 32, "targets": "attention"}
        made.tune.append(Setting("adapter", adapter, f"{size}: only small matrices beside them learn (LoRA)"))
    elif task == "image-classification" and model.family == "transformer" and model.size >= DECAYED:
        made.tune.append(Setting("layer_decay", 0.75, "each block learns at this times the rate of the next"))
    elif task not in WRITING and model.family == "encoder" and model.size >= DECAYED and model.millions is not None:
        made.tune.append(Setting("layer_decay", 0.9, "each block learns at this times the rate of the next"))


def _rates(task: str, model: Model, made: Settings) -> None:
    lr, why = _rate(task, model, bool(made.tune and made.tune[0].name == "adapter"))
    made.optim.append(Setting("lr", lr, why))
    if task == "image-classification":
        made.optim.append(Setting("schedule", "cosine"))


def _rate(task: str, model: Model, adapter: bool) -> tuple[float, str]:
    if adapter:
        return 2e-4, "usual for adapters"
    if task == "image-classification":
        return (
            (1e-3 if model.size < 10 else 5e-4, "usual for convolutions")
            if model.family == "conv"
            else (
                2e-4,
                "usual with layer decay",
            )
        )
    if model.family == "t5":
        return 3e-4, "usual for T5 and its kin"
    if task in WRITING:
        return (5e-4, "usual for models this small") if model.size < 20 else (3e-5, "usual for models of this kind")
    if model.size < 40:
        return (2e-4 if task == "token-classification" else 1e-4), "small models learn faster than the usual 2e-5"
    return (5e-5, "usual for models of this size") if model.size < DECAYED else (2e-5, "usual for base-sized models")


def _training(task: str, facts: Facts, length: int, model: Model, made: Settings) -> None:
    rows = facts.train_rows
    epochs = 3 if not rows else next(epochs for most, epochs in EPOCHS if rows < most)
    epochs = epochs * 2 if task == "image-classification" and rows >= 10_000 else epochs
    made.train.append(
        Setting("epochs", epochs, f"for {rows:,} rows" if rows else "how many rows there are is not known")
    )
    batch = 16 if rows < 2_000 else 32 if rows < 50_000 else 64
    made.train.append(Setting("batch_size", batch, "rows an optimizer step, over all processes"))
    budget = TOKENS_AT_ONCE if model.size < LARGE else TOKENS_AT_ONCE // 4
    if length * batch > budget:
        at_once = max(1, 2 ** int(budget // length).bit_length() // 2)
        why = "rows a process holds at once: with much memory more; the losses are the same"
        made.train.append(Setting("micro_batch_size", min(batch, at_once), why))
    elif task == "token-classification":
        why = "rows a process holds at once, of like length: less padding; the losses are the same"
        made.train.append(Setting("micro_batch_size", 8, why))
    metric, why = _best(task, facts)
    made.train.append(Setting("keep_best", metric, why))


EPOCHS = ((500, 15), (2_000, 10), (10_000, 5), (100_000, 3), (500_000, 2), (10**12, 1))
"""Epochs by rows: the first whose number is above theirs. Few rows are seen often, so that there are enough steps."""


def _best(task: str, facts: Facts) -> tuple[str, str]:
    if task == "summarization":
        return "rougeL", "the weights of the epoch that scores best in it are kept"
    if task == "translation":
        unspaced = facts.lengths["target"].language in UNSPACED
        return (
            ("chrf", "counts letters, where words are not told apart")
            if unspaced
            else ("bleu", "the weights of the epoch that scores best are kept")
        )
    if task == "token-classification":
        return ("f1", "of whole entities") if facts.problem == "entities" else ("accuracy", "of words")
    if facts.problem == "regression":
        return "rmse", "the least is the best"
    if facts.problem == "multi":
        return "f1", "the mean over labels"
    if skew(facts) >= SKEWED or max(facts.labels.values()) > 20 * min(facts.labels.values()):
        return "f1", "the mean over labels: they are of unlike size, and accuracy looks at the large ones alone"
    return "accuracy", "labels are of like size; else f1, the mean over labels"


def skew(facts: Facts) -> float:
    """How many times as many rows the commonest label has as it would if all had as many."""
    return max(facts.labels.values()) * len(facts.labels) / sum(facts.labels.values()) if facts.labels else 0.0


def _next(guess: Guess, facts: Facts, model: Model, made: Settings) -> None:
    lr = next(setting.value for setting in made.optim if setting.name == "lr")
    found = [(f"optim.lr={number(3 * lr)}", "the learning rate decides most: try a third and three times of it")]
    if not made.tune:
        found.append(("tune.freeze.blocks=50%", "the lower half of the model stays as it is: faster, often no worse"))
    elif made.tune[0].name == "layer_decay":
        found.append(("tune.layer_decay=1 tune.adapter.name=lora optim.lr=2e-4", "an adapter: less memory"))
    single = guess.task in ("text-classification", "image-classification") and facts.problem == "single"
    if single and facts.labels and max(facts.labels.values()) > 5 * min(facts.labels.values()):
        found.append(("task.class_weights=balanced", "rare labels count as much as common ones"))
    if facts.train_rows and facts.train_rows < 10_000:
        found.append(("--seeds 0,1,2", "with few rows seeds differ: mean and spread of three"))
    made.next = found


def number(value: float) -> str:
    """A number as recipes have it: 2.0e-5, 0.05, 3. Without the point YAML 1.1 takes it for a text."""
    text = f"{value:.1e}" if value and abs(value) < 1e-2 else f"{value:g}"
    mantissa, e, exponent = text.partition("e")
    return f"{float(mantissa)}e{int(exponent):+d}" if e else text
