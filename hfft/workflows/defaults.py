"""What a recipe leaves open is chosen here, to suit its data and its model. Every number says where it comes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hfft.data.sampling import steps_per_epoch
from hfft.recipe import Recipe
from hfft.recipe.defaults import VERSION
from hfft.recipe.recipe import chose, is_open

BASE_WIDTH, BASE_RATE = 768, 5e-5
"""BERT-base's, of the four rates of Devlin et al. 2019, appendix A.3."""

LEAST, MOST = 1e-5, 2e-4  # rates of whole transformers: of widths that were measured or published, 384 and above

DECAY, WITH_DECAY = 0.8, 2.0
"""Layer decay, and the top rate with it beside that without: ELECTRA (Clark et al. 2020, table 7), and our study."""

ADAPTED = 10  # times the rate of the whole model: Schulman et al. 2025, "LoRA Without Regret"

T5_KIN = ("t5", "mt5", "umt5", "longt5", "switch_transformers")

HEAD, CONVOLUTIONS, T5, NEW = 3e-3, 1e-3, 3e-4, 5e-4  # rates

BATCH_SIZE, SMALL_BATCH, FEW = 32, 16, 1_000  # below so many rows the small one

MOST_EPOCHS = 100

OFTEN = 10  # epochs, above which a run is scored and saved so often rather than after each

SCORED = 1.5
"""Rows that are scored for each that is trained on, at most: half of the time, for a step takes three times as long."""

SURE = 500  # rows of eval, of which an accuracy has an interval of about 4 points each way at most

CUT_FROM = 100  # rows


@dataclass(frozen=True)
class Pace:
    """What a preset changes.

    Attributes:
        epochs: Of a run, at least.
        steps: Of a run, at least.
        image_steps: The same of images.
        steps_a_label: Of a run, at least, for each label.
        soup: `train.soup`.
    """

    epochs: int
    steps: int
    image_steps: int
    steps_a_label: int
    soup: int | None = None


PACES = {None: Pace(3, 100, 300, 5), "quick": Pace(1, 60, 100, 2), "best": Pace(5, 200, 900, 10, soup=5)}


@dataclass(frozen=True)
class Case:
    """What the choices go by.

    Attributes:
        strategy: What learns: full, adapter, head, biases or norms.
        images: Whether the inputs of the task are images.
        writes: Whether its answers are texts that are written.
        group_by_length: How the task groups its batches.
        rows: Training examples.
        labels: How many labels they have; 0 where there are none.
        eval_rows: Examples of the eval split; 0 where there is none.
        config: The model's configuration.
    """

    strategy: str
    images: bool
    writes: bool
    group_by_length: bool | str
    rows: int
    labels: int
    eval_rows: int
    config: Any

    @property
    def width(self) -> int | None:
        """The size of a transformer's hidden states; None where the model is none, or its configuration tells none."""
        named = (getattr(self.config, name, None) for name in ("vision_config", "encoder", "text_config"))
        part = next((part for part in named if hasattr(part, "model_type")), self.config)
        width = getattr(part, "hidden_size", None)
        return width if isinstance(width, int) and hasattr(part, "num_attention_heads") else None


@dataclass(frozen=True)
class Choice:
    """A value for a setting, and why it was chosen."""

    value: Any
    why: str


def choose(recipe: Recipe, case: Case, held_out: Choice | None) -> Recipe:
    """The recipe with a value for each setting that it leaves open; `defaults.chosen` says which, and why.

    What a recipe gives stays as it is, and decides what goes with it.

    Args:
        recipe: The recipe.
        case: What the choices go by. Of a stream, whose rows nobody knows, it has the first; `train.steps` is given.
        held_out: The share that was held out, where the recipe leaves that open.
    """
    if held_out is not None:
        recipe = chose(recipe, "data.holdout", held_out.value, held_out.why)
    for key, chooser in CHOOSERS.items():
        choice = chooser(recipe, case) if is_open(recipe, key) else None
        if choice is not None:
            recipe = chose(recipe, key, choice.value, choice.why)
    version = recipe.defaults.version or VERSION
    return recipe.model_copy(update={"defaults": recipe.defaults.model_copy(update={"version": version})})


def hold_out_share(recipe: Recipe, rows: int) -> Choice | None:
    """A share of the training rows to score, where no rows are given for that and there are enough of them."""
    data = recipe.data
    has_test = data.test is not None or "test" in (data.local or {})
    if data.holdout is not None or data.has_eval or has_test or data.streaming or rows < CUT_FROM:
        return None
    return Choice(share_of(rows), f"no rows are given to score; {rows:,} are there")


def share_of(rows: int) -> float:
    """The share of so many training rows that is held out to be scored."""
    return 0.2 if rows < 500 else 0.1 if rows < 50_000 else 0.05 if rows < 500_000 else 0.01


def batch_size_of(rows: int) -> int:
    """The samples of a step for so many training rows."""
    return SMALL_BATCH if rows < FEW else BATCH_SIZE


def _layer_decay(recipe: Recipe, case: Case) -> Choice:
    if recipe.optim.lr is not None:
        return Choice(1.0, "optim.lr is given, which goes for all blocks")
    if recipe.model.from_scratch or case.strategy == "head":
        return Choice(1.0, "there are no pretrained blocks that learn")
    if case.writes:
        return Choice(1.0, "it was not measured for texts that are written")
    if case.width is None:
        return Choice(1.0, "this model is no transformer, as far as its configuration tells")
    return Choice(DECAY, "lower blocks need less change (as ELECTRA; measured)")


def _rate(recipe: Recipe, case: Case) -> Choice:
    if recipe.model.from_scratch:
        return Choice(NEW, "all weights are new")
    if case.strategy == "head":
        return Choice(HEAD, "only the head learns (measured)")
    if case.width is None:
        rate, why = CONVOLUTIONS, "this model is no transformer, as far as its configuration tells (measured)"
    elif case.config.model_type in T5_KIN:
        rate, why = T5, "as Transformers advises for T5"
    else:
        rate = min(MOST, max(LEAST, BASE_RATE * (BASE_WIDTH / case.width) ** 2))
        why = f"{case.width} hidden units ({BASE_RATE:g} at {BASE_WIDTH}, by the inverse square, at most {MOST:g})"
    decay = recipe.tune.layer_decay
    if case.strategy != "full":
        rate, why = ADAPTED * rate, f"{why}; ten times that, as what learns is not the weights themselves"
    elif any(each != 1 for each in (decay.values() if isinstance(decay, dict) else [decay])):
        rate, why = WITH_DECAY * rate, f"{why}; twice that with layer decay"
    return Choice(float(f"{rate:.2g}"), why)


def _batch_size(recipe: Recipe, case: Case) -> Choice:
    size = batch_size_of(case.rows)
    less = ": smaller batches are more steps" if size < BATCH_SIZE else ""
    return Choice(size, f"{case.rows:,} training rows{less}")


def _epochs(recipe: Recipe, case: Case) -> Choice:
    pace = PACES[recipe.defaults.preset]
    of_run = pace.image_steps if case.images else pace.steps
    least = max(of_run, pace.steps_a_label * case.labels)
    steps = steps_per_epoch(case.rows, recipe.train.rows_a_step)
    epochs = min(max(pace.epochs, math.ceil(least / steps)), MOST_EPOCHS)
    why = f"{epochs * steps:,} steps"
    if epochs > pace.epochs:
        why += f": at least {of_run} in all" if least == of_run else f": at least {pace.steps_a_label} a label"
    return Choice(epochs, why)


def _eval_every(recipe: Recipe, case: Case) -> Choice | None:
    epochs = _chosen_epochs(recipe)
    if epochs is None or not case.eval_rows:
        return None
    often = max(1, min(epochs, OFTEN, int(SCORED * epochs * case.rows / case.eval_rows)))
    if often == epochs:
        return None
    why = f"{case.eval_rows:,} rows of eval beside {case.rows:,} of train" if often < min(epochs, OFTEN) else ""
    return _times(often, epochs, recipe, case, why or f"rather than after each of {epochs} short epochs")


def _checkpoint_every(recipe: Recipe, case: Case) -> Choice | None:
    epochs = _chosen_epochs(recipe)
    if epochs is None or epochs <= OFTEN:
        return None
    return _times(OFTEN, epochs, recipe, case, f"rather than after each of {epochs} short epochs")


def _chosen_epochs(recipe: Recipe) -> int | None:
    """The epochs of a run; None where the recipe gives its length, and with it how long an epoch is."""
    chosen = recipe.train.epochs if "train.epochs" in recipe.defaults.chosen else None
    return None if chosen is None else int(chosen)


def _times(often: int, epochs: int, recipe: Recipe, case: Case, why: str) -> Choice:
    """The steps between what comes so often in a run."""
    steps = math.ceil(epochs * steps_per_epoch(case.rows, recipe.train.rows_a_step) / often)
    return Choice(steps, f"{often} times in all: {why}")


def _keep_best(recipe: Recipe, case: Case) -> Choice | None:
    if not case.eval_rows or recipe.data.streaming:
        return None
    if case.eval_rows < SURE:
        return Choice(False, f"eval has {case.eval_rows:,} rows: by so few the best evaluation is hardly told")
    return Choice(True, f"eval has {case.eval_rows:,} rows")


def _soup(recipe: Recipe, case: Case) -> Choice | None:
    soup = PACES[recipe.defaults.preset].soup
    return Choice(soup, "defaults.preset is best") if soup and recipe.train.keep_best else None


def _grouping(recipe: Recipe, case: Case) -> Choice | None:
    return None if case.images else Choice(case.group_by_length, "as the task has it")


CHOOSERS: dict[str, Callable[[Recipe, Case], Choice | None]] = {
    "tune.layer_decay": _layer_decay,
    "optim.lr": _rate,
    "train.batch_size": _batch_size,
    "train.epochs": _epochs,
    "train.eval_every": _eval_every,
    "train.checkpoint_every": _checkpoint_every,
    "train.keep_best": _keep_best,
    "train.soup": _soup,
    "train.group_by_length": _grouping,
}
"""Each setting that is chosen, in the order in which it is: what goes with another comes behind it."""
