"""The space of a sweep: put together from a recipe, a file and the command line, and checked key by key."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hfft.errors import RecipeError, near
from hfft.recipe.parsing import Source, explain, read_source
from hfft.recipe.recipe import Recipe
from hfft.recipe.sections import DataSection
from hfft.recipe.sweep import SweepSection, Values

Space = Mapping[str, Any] | str | os.PathLike[str]

SAME_ROWS = "all trials are scored on the same rows and in the same way"

LEARNS_NOTHING = "nothing that is learnt hangs on it"

NOT_TRIED = {
    "name": LEARNS_NOTHING,
    "data": SAME_ROWS,
    "eval": SAME_ROWS,
    "task.name": SAME_ROWS,
    "train.seed": "a seed is luck and no setting. sweep.seeds trains the best trials with several",
    "train.seeds": "a trial has one seed. sweep.seeds trains the best trials with several",
    "train.keep_best": "it is what all trials are compared by",
    "train.keep_checkpoints": LEARNS_NOTHING,
    "train.checkpoint_every": LEARNS_NOTHING,
    "train.log_every": LEARNS_NOTHING,
    "track": LEARNS_NOTHING,
    "publish": LEARNS_NOTHING,
    "sweep": LEARNS_NOTHING,
}
"""What no trial may differ in, and why."""


def with_space(recipe: Recipe, space: Space | None, sets: Sequence[str], settings: Mapping[str, Any]) -> Recipe:
    """The recipe with a whole and checked `sweep` section.

    Args:
        recipe: It may have such a section already.
        space: More of the space: values by setting, or the name of a YAML file of such.
        sets: More of it, as `optim.lr=log:1e-5..1e-3`.
        settings: Of the section, such as trials, in the place of the recipe's.

    Raises:
        RecipeError: The space is empty, gives a setting twice, or one that no recipe has or may not have.
    """
    section = recipe.sweep or SweepSection()
    given = _of_space(space)
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise RecipeError(f"--set {text} is not of the form KEY=VALUES, such as optim.lr=log:1e-5..1e-3.")
        if key in given:
            raise RecipeError(f"--set {text}: the values of {key} are given already.")
        given[key] = _section({"space": {key: value}}, Source(f"--set {text}", {})).space[key]
    values = {**section.model_dump(), **settings, "space": {**section.space, **given}}
    made = _section(values, recipe.source)
    if not made.space:
        raise RecipeError(
            "There is nothing to try: give a sweep.space in the recipe, --space FILE, or --set such as "
            "optim.lr=log:1e-5..1e-3."
        )
    whole = recipe.model_copy(update={"sweep": made})
    check_space(whole, lambda tried: tried)
    return whole


def _section(values: dict[str, Any], source: Source) -> SweepSection:
    try:
        return SweepSection.model_validate(values)
    except ValidationError as error:
        raise RecipeError(explain(error, SweepSection, values, source, ("sweep",))) from None


def _of_space(space: Space | None) -> dict[str, Values]:
    if space is None:
        return {}
    if isinstance(space, Mapping):
        return _section({"space": dict(space)}, Source("space", {})).space
    path = Path(space)
    if not path.is_file():
        siblings = [file.name for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise RecipeError(f"There is no file {path} with a space.{near(path.name, siblings)}")
    data, source = read_source(path)
    lines = {("sweep", "space", *key): line for key, line in source.lines.items()}
    return _section({"space": data}, Source(source.name, lines)).space


def check_space(recipe: Recipe, check: Callable[[Recipe], Any]) -> None:
    """Tries the ends of each range and each choice in the recipe; the other settings have their first or last values.

    Args:
        recipe: With its `sweep` section.
        check: Raises RecipeError where a recipe is none.

    Raises:
        RecipeError: A setting may not be tried, is not known, or never fits with one of its values.
    """
    assert recipe.sweep is not None
    space = recipe.sweep.space
    for key in space:
        why = next((why for fixed, why in NOT_TRIED.items() if f"{key}.".startswith(f"{fixed}.")), None)
        if why is not None:
            raise RecipeError(f"sweep.space: {key} cannot be tried: {why}.")
    probes = {key: values.probes for key, values in space.items()}
    for key, values in probes.items():
        for value in values:
            faults = []
            for other in (0, -1):
                settings = {**{name: found[other] for name, found in probes.items()}, key: value}
                try:
                    check(with_settings(recipe, settings))
                    break
                except RecipeError as error:
                    faults.append(error)
            else:
                whole = space[key].kind == "float" and "integer" in str(faults[0])
                hint = f" Of whole numbers: int:{values[0]:g}..{values[1]:g}." if whole else ""
                raise RecipeError(f"sweep.space: {key} cannot be {as_yaml(value)}.\n{faults[0]}{hint}")


def first_settings(recipe: Recipe) -> dict[str, Any]:
    """One combination of the space: the first values of each setting."""
    assert recipe.sweep is not None
    return {key: values.probes[0] for key, values in recipe.sweep.space.items()}


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with other settings and without `sweep`: what follows by default follows from these settings.

    Raises:
        RecipeError: They do not fit.
    """
    given = recipe.model_dump(mode="json", exclude_unset=True, exclude={"sweep"})
    return Recipe.from_dict(given, *(f"{key}={as_yaml(value)}" for key, value in settings.items()))


def as_yaml(value: Any) -> str:
    """A value as an override has it.

    >>> as_yaml(1e-5), as_yaml([1, None]), as_yaml("linear")
    ('1.0e-05', '[1, null]', 'linear')
    """
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=sys.maxsize)
    return text.removesuffix("...\n").strip()


def without_test(data: DataSection) -> DataSection:
    """The same data without the splits that are scored at the end alone."""
    if data.local is None:
        return data.model_copy(update={"test": None})
    wanted = {"train", "eval"}
    wanted |= {
        text.partition("[")[0]
        for split, text in data.expressions().items()
        if text and split.partition("-")[0] != "test"
    }
    left = {name: given for name, given in data.local.items() if name in wanted}
    return data.model_copy(update={"test": None, "memory" if data.files is None else "files": left})
