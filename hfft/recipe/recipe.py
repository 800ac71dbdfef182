"""A recipe: loaded, overridden, completed, saved; what makes two recipes two runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, PrivateAttr, ValidationError, model_validator

from hfft.errors import RecipeError
from hfft.io.run_folder import write_text
from hfft.recipe.defaults import Chosen, DefaultsSection
from hfft.recipe.parsing import Source, explain, override, read_source
from hfft.recipe.publish import PublishSection
from hfft.recipe.sections import (
    DataSection,
    EvalSection,
    ModelSection,
    OptimSection,
    TaskSection,
    TrackSection,
    TrainSection,
)
from hfft.recipe.sweep import SweepSection
from hfft.section import Section
from hfft.tuning.section import TuneSection

MAY_DIFFER = (
    *("train.seeds", "train.epochs", "train.steps", "train.micro_batch_size", "train.time_limit"),
    "train.keep_checkpoints",
)

MAY_DIFFER_WITHIN = ("eval.", "track.", "publish.")


def of_another_run(old: Recipe, new: Recipe) -> list[tuple[str, Any, Any]]:
    """The settings, as `hfft.recipe.recipe.differences` gives them, that make two recipes those of different runs.

    What the new one leaves open, and was chosen for the old one, is no difference.
    """
    changed = differences(old, as_begun(new, old))
    refused = [row for row in changed if row[0] not in MAY_DIFFER and not row[0].startswith(MAY_DIFFER_WITHIN)]
    return refused + [row for row in changed if row[0] == "train.seeds" and None in row[1:]]  # one run or several


class Recipe(Section):
    """A whole recipe: validated, frozen, every default filled in.

    >>> Recipe.from_dict({"task": {"name": "text-classification"}, "data": {"hub": "imdb"}, "model": "bert"}).optim.name
    'adamw'
    """

    name: str = Field(default="run", min_length=1, pattern=r"^[^/\\.][^/\\]*$", description="Default: the file's stem.")
    task: TaskSection
    data: DataSection
    model: ModelSection
    tune: TuneSection = TuneSection()
    optim: OptimSection = OptimSection()
    train: TrainSection = TrainSection()
    eval: EvalSection = EvalSection()
    track: TrackSection = TrackSection()
    publish: PublishSection = PublishSection()
    defaults: DefaultsSection = DefaultsSection()
    sweep: SweepSection | None = Field(default=None, exclude_if=lambda sweep: sweep is None)

    _source: Source = PrivateAttr(default_factory=lambda: Source("recipe", {}))

    @model_validator(mode="after")
    def _sections_fit(self) -> Recipe:
        if self.data.streaming and self.train.steps is None:
            raise ValueError(
                "with data.streaming nobody knows how long an epoch is before it was read: give train.steps "
                "instead of train.epochs"
            )
        if self.model.from_scratch and self.tune.reinit is not None:
            raise ValueError("tune.reinit has no effect with model.from_scratch, where all starts anew: leave one out")
        for name in ("unfreeze", "probe"):
            lasting = getattr(self.tune, name)
            if self.data.streaming and lasting is not None and lasting.epochs is not None:
                raise ValueError(
                    f"tune.{name} counts epochs, but with data.streaming nobody knows how long one is: give "
                    f"tune.{name}.steps"
                )
        for name in ("eval_every", "checkpoint_every"):
            every = getattr(self.train, name)
            if self.data.streaming and every is not None and every < 1:
                raise ValueError(
                    f"train.{name} is {every}, a share of an epoch, but with data.streaming nobody knows how long an "
                    "epoch is: give steps"
                )
        if self.publish.when == "best" and (not self.train.keep_best or self.train.seeds is not None):
            raise ValueError(
                "publish.when is 'best', the best by train.keep_best of one run: give train.keep_best and no "
                "train.seeds, or leave publish.when out"
            )
        if self.publish.adapter and self.tune.adapter is None:
            raise ValueError("publish.adapter has no effect without tune.adapter: leave one out or give the other")
        return self

    @property
    def source(self) -> Source:
        """Where it was written."""
        return self._source

    @classmethod
    def load(cls, path: str | os.PathLike[str], *overrides: str) -> Recipe:
        """Reads a recipe file and applies overrides such as `"optim.lr=3e-5"`.

        Args:
            path: A file, or `hf://USER/NAME[@REVISION]`, the recipe of a run that hfft published.
            overrides: Settings to change.

        Raises:
            RecipeError: The file is not there, is not YAML, or does not fit; every fault is named with its line.
            SetupError: The Hub cannot be reached, or has no such recipe.
        """
        file = Path(path)
        if os.fspath(path).startswith("hf:/"):
            from hfft.io.hub_client import local_recipe  # which brings the Hub's client

            file = local_recipe(os.fspath(path))
        data, source = read_source(file)
        data.setdefault("name", file.stem)
        return cls._build(data, source, overrides)

    @classmethod
    def from_dict(cls, data: dict[str, Any], *overrides: str) -> Recipe:
        """Makes a recipe from plain values and overrides. Raises RecipeError as `load` does."""
        return cls._build(data, Source("recipe", {}), overrides)

    @classmethod
    def _build(cls, data: dict[str, Any], source: Source, overrides: tuple[str, ...]) -> Recipe:
        data = {key: value for key, value in data.items() if value is not None}  # a section with nothing in it
        for text in overrides:
            data, source = override(data, text), source.overridden(text)
        try:
            recipe = cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError(explain(error, cls, data, source)) from None
        recipe._source = source
        return recipe

    def task_options(self, options: type[BaseModel]) -> BaseModel:
        """Validates the task's own options. Raises RecipeError with lines, as `load` does."""
        return self._validated(options, self.task.options, "task")

    def adapter_settings(self, settings: type[BaseModel]) -> BaseModel:
        """Validates the adapter's own settings. Raises RecipeError with lines, as `load` does."""
        assert self.tune.adapter is not None
        return self._validated(settings, self.tune.adapter.model_dump(), "tune", "adapter")

    def _validated(self, schema: type[BaseModel], data: dict[str, Any], *within: str) -> BaseModel:
        try:
            return schema.model_validate(data)
        except ValidationError as error:
            raise RecipeError(explain(error, schema, data, self._source, within)) from None

    def complete(self, task_options: BaseModel) -> Recipe:
        """The same recipe with the task's defaults written out."""
        task = TaskSection.model_validate({"name": self.task.name, **task_options.model_dump(mode="json")})
        recipe = self.model_copy(update={"task": task})
        recipe._source = self._source
        return recipe

    def flat(self) -> dict[str, Any]:
        """All settings by their dotted keys, as plain values."""
        return dict(flattened(self.model_dump(mode="json")))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the recipe as YAML with every default."""
        text = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
        write_text(Path(path), text)


def differences(old: Recipe, new: Recipe) -> list[tuple[str, Any, Any]]:
    """Lists the settings in which two recipes differ, as (dotted key, old value, new value)."""
    before, after = old.flat(), new.flat()
    keys = [*before, *(key for key in after if key not in before)]
    keys = [key for key in keys if not key.startswith("defaults.chosen")]  # reasons, of values that stand elsewhere
    found = [(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]
    for key in ("rates", "blocks"):  # of which the order counts
        one, other = ([*(getattr(recipe.tune, key) or ())] for recipe in (old, new))
        if one != other and set(one) == set(other):
            found.append((f"tune.{key}", one, other))
    return found


def is_open(recipe: Recipe, key: str) -> bool:
    """Whether a recipe leaves a setting, such as `optim.lr`, to be chosen."""
    section, name = key.split(".")
    return getattr(getattr(recipe, section), name) is None and (key != "train.epochs" or recipe.train.steps is None)


def chose(recipe: Recipe, key: str, value: Any, why: str) -> Recipe:
    """The recipe with a setting that was chosen, and why it was."""
    section, name = key.split(".")
    chosen = {**recipe.defaults.chosen, key: Chosen(value=value, why=why)}
    defaults = recipe.defaults.model_copy(update={"chosen": chosen})
    changed = getattr(recipe, section).model_copy(update={name: value})
    return recipe.model_copy(update={section: changed, "defaults": defaults})


def as_begun(recipe: Recipe, begun: Recipe) -> Recipe:
    """The recipe with what it leaves open as it was chosen for a run of it that has begun.

    Args:
        recipe: The recipe.
        begun: That run's.
    """
    defaults, train = recipe.defaults, recipe.train
    update: dict[str, Any] = {}
    if defaults.version is None:
        update["defaults"] = defaults.model_copy(update={"version": begun.defaults.version})
    if train.keep_best is True:  # the one that counts most, which the run has found
        update["train"] = train.model_copy(update={"keep_best": begun.train.keep_best})
    recipe = recipe.model_copy(update=update)
    for key, choice in begun.defaults.chosen.items():
        if is_open(recipe, key):
            recipe = chose(recipe, key, choice.value, choice.why)
    return recipe


def still_chosen(recipe: Recipe) -> DefaultsSection:
    """Its `defaults` with what was chosen as far as the recipe still has it: a setting may have been changed since."""
    flat = recipe.flat()
    kept = {key: choice for key, choice in recipe.defaults.chosen.items() if flat.get(key) == choice.value}
    return recipe.defaults.model_copy(update={"chosen": kept})


def flattened(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields what lies in nested mappings, by dotted key."""
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from flattened(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item
