"""What the pages speak of, made small: models, data, recipes, finished runs; each is there when it is first named."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

import hfft
from tests.docs.blocks import ROOT, recipes_of_pages
from tests.docs.rows import write_data, write_rows
from tests.recipes.small import FAMILIES, WRITING, tiny_data

RUN = re.compile(r"\bruns/(\w+)")
BLOCKS = 4  # of each stack of a model, of those that write fewer
WRITERS = ("t5", "bart", "pegasus", "opus", "nllb", "led")
REQUESTS = "recipes/data/home_requests"
FEW = "train[:100]"  # of the rows of these data
SHIPPED = {"quickstart": "recipes/quickstart.yaml"}
"""Recipes of the project of which the pages name the run."""


class World:
    """Tiny stand-ins, made once for all pages.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.recipes = recipes_of_pages()
        self.models: dict[str, str] = {}

    def furnish(self, workspace: Path) -> None:
        """Puts into a page's workspace what a checkout of the project has."""
        (workspace / "accelerate_configs").symlink_to(ROOT / "accelerate_configs")
        (workspace / "tests").symlink_to(ROOT / "tests")
        (workspace / "recipes").mkdir(parents=True)
        (workspace / "recipes" / "data").symlink_to(ROOT / "recipes" / "data")

    def small(self, text: str) -> str:
        """The text with the models that it names replaced by tiny ones of the same family."""
        for name in sorted(FAMILIES, key=len, reverse=True):
            text = re.sub(rf"(?<![\w/]){re.escape(name)}(?![\w/-])", lambda found: self._model(found[0]), text)
        return text

    def as_written(self, text: str) -> str:
        """The text with the names that the pages have for what is here."""
        for name, place in self.models.items():
            text = text.replace(place, name)
        return text

    def _model(self, name: str) -> str:
        if name not in self.models:
            place = self.folder / "models" / re.sub(r"\W+", "_", name)
            place.parent.mkdir(parents=True, exist_ok=True)
            layers = 2 if any(writer in name for writer in WRITERS) else BLOCKS
            FAMILIES[name](place, layers=layers, positions=512)
            self.models[name] = str(place)
        return self.models[name]

    def provide(self, text: str, workspace: Path) -> None:
        """Puts the recipes, data and finished runs that a text names into a workspace, where they are not there yet."""
        for name in re.findall(r"\brecipes/(\w+)\.yaml", text):
            (workspace / "recipes" / f"{name}.yaml").write_text(
                self.small((ROOT / "recipes" / f"{name}.yaml").read_text("utf-8")), "utf-8"
            )
        for name in re.findall(r"(?<!/)\b(\w+)\.yaml", text):
            if name in self.recipes and not (workspace / f"{name}.yaml").exists():
                self.write_recipe(name, workspace)
        for name in RUN.findall(text):
            if (name in self.recipes or name in SHIPPED) and not (workspace / "runs" / name).exists():
                trained = self._trained(name)
                if name not in SHIPPED:
                    self.write_recipe(name, workspace)
                shutil.copytree(trained / "runs" / name, workspace / "runs" / name)
        for name, place in self.models.items() if "hf://" in text else ():  # of a local model a published recipe
            if name in "".join(block.text for block in self.recipes.values()):  # has the last part of its name
                (workspace / Path(place).name).symlink_to(place)

    def write_recipe(self, name: str, workspace: Path) -> hfft.Recipe:
        """Writes a recipe of a page, and the data that it names."""
        (workspace / f"{name}.yaml").write_text(self.small(self.recipes[name].text), "utf-8")
        recipe = hfft.Recipe.load(workspace / f"{name}.yaml")
        write_data(recipe, workspace)
        return recipe

    def write_input(self, run: str, file: str, workspace: Path) -> None:
        """Writes a file of new rows for a finished run, where it is not there yet."""
        write_rows(hfft.Recipe.load(workspace / run / "recipe.yaml"), workspace / file)

    def overrides(self, recipe: str, workspace: Path) -> list[str]:
        """What makes a recipe quick that a command names: few rows, rows for data on the Hub, and short answers."""
        loaded = hfft.Recipe.load(workspace / recipe)
        made = ["task.max_target_length=8"] if loaded.task.name in WRITING else []
        made += [f"data.train={FEW}"] if loaded.data.root == REQUESTS else []
        if loaded.data.hub is None:
            return made
        place = self.folder / "hub" / loaded.name
        place.mkdir(parents=True, exist_ok=True)
        return [f"data={tiny_data(loaded, place)}", *made]

    def _trained(self, name: str) -> Path:
        """A folder that holds the finished run of a recipe, with the recipe and its data; trained once."""
        place = self.folder / "trained" / name
        if place.exists():
            return place
        place.mkdir(parents=True)
        file = SHIPPED.get(name, f"{name}.yaml")
        self.furnish(place)
        self.provide(file, place)
        with contextlib.chdir(place):
            loaded = hfft.Recipe.load(file, *self.overrides(file, place))
            hfft.train(loaded, output=place / "runs" / name, quiet=True)
        return place
