"""`tune.adapter` in a recipe: three kinds of sections, told apart by their name, and messages that know which one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import hfft
from hfft.errors import RecipeError
from hfft.tuning.section import Ia3Section, LoraSection, OtherSection
from hfft.workflows.describe import recipe_schema

RECIPE: dict[str, Any] = {"task": {"name": "text-classification"}, "data": {"hub": "rows"}, "model": "bert"}


def section(text: str) -> Any:
    return hfft.Recipe.from_dict(RECIPE, f"tune.adapter={text}").tune.adapter


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{}", LoraSection()),
        ("lora", LoraSection()),
        ("ia3", Ia3Section()),
        ("loha", OtherSection(name="loha")),
        ("{rank: 4, blocks: 2}", LoraSection(rank=4, blocks=2)),
        ("{name: lora, init: pissa, blocks: 50%}", LoraSection(init="pissa", blocks="50%")),
        ("{lr_ratio: 16, rslora: true}", LoraSection(lr_ratio=16, rslora=True)),
        ("{name: ia3}", Ia3Section()),
        ("{name: ia3, targets: [key], feedforward: []}", Ia3Section(targets=["key"], feedforward=[])),
        (
            "{name: vera, blocks: {encoder: 2, decoder: 25%}}",
            OtherSection(name="vera", blocks={"encoder": 2, "decoder": "25%"}),
        ),
    ],
)
def test_the_name_says_which_section_it_is(text, wanted):
    assert section(text) == wanted


def test_settings_of_another_method_go_on_as_they_are_and_numbers_are_read_as_elsewhere():
    found = section("{name: delora, r: 4, delora_lambda: 1e-1, rank_pattern: {query: 2}}")
    assert found.model_extra == {"r": 4, "delora_lambda": 0.1, "rank_pattern": {"query": 2}}


@pytest.mark.parametrize("text", ["{}", "{name: ia3, blocks: 1}", "{name: oft, oft_block_size: 4}"])
def test_a_saved_recipe_is_read_again_as_the_same(text, tmp_path):
    recipe = hfft.Recipe.from_dict(RECIPE, f"tune.adapter={text}")
    recipe.save(tmp_path / "recipe.yaml")
    assert hfft.Recipe.load(tmp_path / "recipe.yaml").tune.adapter == recipe.tune.adapter


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{rnk: 2}", "rnk is not a known key. Did you mean 'rank'? Known here: name, blocks, rank, alpha"),
        ("{name: ia3, rank: 2}", "rank is not a known key. Known here: name, blocks, targets, feedforward."),
        ("{name: ia3, feedforwrd: [x]}", "tune.adapter.feedforwrd is not a known key. Did you mean 'feedforward'?"),
        ("{name: ia3, feedforward: [x]}", "with 'feedforward' give 'targets' too"),
        ("{name: lorra}", "'lorra' is no adapter. Did you mean 'lora'? There are: lora,"),
        ("{name: adalora}", "'adalora' is not for here: it gives and takes ranks in each step"),
        ("{name: prompt_tuning}", "'prompt_tuning' is not for here: it changes what the model reads"),
        ("{name: xlora}", "it mixes adapters that were trained before"),
        ("{name: 3}", "tune.adapter.name is 3, but should be a text."),
        ("{name: no}", "tune.adapter.name is False, but should be a text (quote it"),
        ("{name: ia3, feedforward: no}", "feedforward is False, but should be a valid list (null, not false"),
        ("{dora: true, init: pissa}", "'dora' keeps the weight's length and 'init: pissa' takes the weight apart"),
        ("{rank: 0}", "tune.adapter.rank is 0, but should be greater than or equal to 1."),
        ("{targets: query}", "is 'query', but should be 'attention' or 'all-linear' or should be a valid list."),
        ("{targets: []}", "is [], but should be 'attention' or 'all-linear' or list should have at least 1"),
        ("{blocks: 0}", "does not fit: 0 is no block: give a number from 1 on or a share, or leave it out for all."),
        ("{blocks: 0%}", "'0%' is no block"),
        ("{blocks: {encoder: true}}", "blocks.encoder does not fit: it is True: give a number of blocks"),
        ("{blocks: {}}", "{} is no block"),
        ("lorra", "tune.adapter does not fit: 'lorra' is no adapter. Did you mean 'lora'?"),
        ("3", "tune.adapter is 3, but should be a valid dictionary"),
    ],
)
def test_what_does_not_fit_is_said_of_the_section_it_is(text, told):
    with pytest.raises(RecipeError) as caught:
        section(text)
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"override tune.adapter={text}: ")


def test_a_text_can_be_overridden_as_the_name_that_it_is():
    recipe = hfft.Recipe.from_dict(RECIPE, "tune.adapter=lora", "tune.adapter.rank=4")
    assert recipe.tune.adapter == LoraSection(rank=4)


FITS = Draft202012Validator(recipe_schema())


RECIPES = sorted((Path(__file__).resolve().parents[3] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_schema_takes_every_recipe_of_the_project(path):
    FITS.validate(yaml.safe_load(path.read_text("utf-8")))  # as YAML 1.1 has it, where 3e-5 is a text


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("{}", True),
        ("lora", True),
        ("loha", True),
        ("null", True),
        ("{name: lora, rank: 8}", True),
        ("{name: ia3}", True),
        ("{name: ia3, targets: [key], feedforward: []}", True),
        ("{name: loha, r: 4, blocks: {encoder: 2}}", True),
        ("{rank: 8, blocks: 50%}", True),
        ("{name: lora, rnk: 8}", False),
        ("{rnk: 8}", False),
        ("{name: ia3, rank: 8}", False),
        ("{name: nonsense}", False),
        ("nonsense", False),
        ("{name: prefix_tuning}", False),
        ("{name: loha, targets: query}", False),
    ],
)
def test_the_schema_takes_the_adapters_that_recipes_take(text, fits):
    assert FITS.is_valid({**RECIPE, "tune": {"adapter": yaml.safe_load(text)}}) == fits
    if not fits:
        with pytest.raises(RecipeError):
            section(text)
