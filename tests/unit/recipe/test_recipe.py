"""Recipes: what is read, what is filled in, and what is said of each fault, with its line."""

from __future__ import annotations

import re
from typing import Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hfft.errors import RecipeError
from hfft.recipe import Recipe
from hfft.recipe.recipe import differences

BASE = """\
task: {name: text-classification, text: sentence}
data: {hub: nyu-mll/glue, config: sst2}
model: bert
"""  # three lines; what a test adds begins on the fourth
DATA = {"task": {"name": "text-classification"}, "data": {"hub": "imdb"}, "model": "bert"}


class Inner(BaseModel):
    crop: tuple[float, float] | None = None


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str = "text"
    labels: list[str] | None = None
    max_length: int | None = None
    weights: Literal["balanced"] | dict[str, float] | None = None
    share: tuple[float, float] = (0.1, 1.0)
    change: Inner | None = Inner()


@pytest.fixture
def load(tmp_path):
    """Writes a recipe and loads it."""

    def give(text: str, *overrides: str) -> Recipe:
        (tmp_path / "sst2.yaml").write_text(text, encoding="utf-8")
        return Recipe.load(tmp_path / "sst2.yaml", *overrides)

    return give


def setting(recipe, key):
    value = recipe
    for part in key.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


def test_a_recipe_is_filled_in_and_named_after_its_file(load):
    recipe = load(BASE)
    assert (recipe.name, recipe.model.name, recipe.task.options) == ("sst2", "bert", {"text": "sentence"})
    assert (recipe.optim.name, recipe.optim.lr, recipe.train.epochs, recipe.train.batch_size) == (
        "adamw",
        None,
        None,
        None,
    )


def test_a_recipe_does_not_change(load):
    with pytest.raises(ValidationError, match="frozen"):
        load(BASE).train.epochs = 4


@pytest.mark.parametrize("written", ["2e-5", "2.0e-5", "0.00002", "'2e-5'"])
def test_numbers_that_yaml_reads_as_texts_are_mended(load, written):
    assert load(f"{BASE}optim: {{lr: {written}}}\n").optim.lr == 2e-5


@pytest.mark.parametrize("override", [(), ("optim.options.eps=1e-8",)])
def test_numbers_among_the_options_of_the_optimizer_are_mended_too(load, override):
    assert load(f"{BASE}optim: {{options: {{eps: 1e-8}}}}\n", *override).optim.options["eps"] == 1e-8


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("optim.lr=3e-5", "optim.lr", 3e-5),
        ("tune.freeze.blocks=all", "tune.freeze.blocks", "all"),
        ("tune.adapter={rank: 4, targets: [query, 'k*']}", "tune.adapter.targets", ["query", "k*"]),
        ("tune.adapter={rank: 4}", "tune.adapter.rank", 4),
        ("model.dropout=0", "model.name", "bert"),
        ("model=other", "model.name", "other"),
        ("task.label=mood", "task.options", {"text": "sentence", "label": "mood"}),
        ("optim.clip=null", "optim.clip", None),
        ("optim.clip=", "optim.clip", None),
        ("name=a=b", "name", "a=b"),
    ],
)
def test_an_override_sets_one_value_and_leaves_the_rest(load, override, key, value):
    recipe = load(BASE, override)
    assert setting(recipe, key) == value
    assert recipe.data.config == "sst2"


def test_the_last_override_holds_and_the_given_data_stay_as_they_were():
    given = {**DATA, "optim": {"lr": 0.1}}
    recipe = Recipe.from_dict(given, "optim.lr=1", "optim.weight_decay=0", "optim.lr=2")
    assert (recipe.optim.lr, recipe.optim.weight_decay) == (2, 0)
    assert given["optim"] == {"lr": 0.1}


@pytest.mark.parametrize("text", ["optim.lr", "=3", "optim..lr=3", ".lr=3", "optim.=3"])
def test_an_override_of_another_form_is_refused(text):
    with pytest.raises(RecipeError, match=rf"The override '{re.escape(text)}' is not of the form section.key=value"):
        Recipe.from_dict(DATA, text)


@pytest.mark.parametrize(
    "value",
    [
        "[1",
        pytest.param("2024-13-45"),
    ],
)
def test_a_value_of_an_override_that_is_no_yaml_is_refused(value):
    with pytest.raises(RecipeError, match=re.escape(f"The value of the override 'optim.lr={value}' is not valid YAML")):
        Recipe.from_dict(DATA, f"optim.lr={value}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optm: {lr: 1}", "line 4: optm is not a known key. Did you mean 'optim'? Known here: name, task, data, "),
        ("optim:\n  lr: 1\n  warmpu: 0", "line 6: optim.warmpu is not a known key. Did you mean 'warmup'?"),
        ("tune: {adapter: {rnk: 2}}", "line 4: tune.adapter.rnk is not a known key. Did you mean 'rank'? Known here: "),
        ("optim: {schedule: lin}", "optim.schedule is 'lin', but should be 'linear', 'cosine', 'constant' or 'slanted"),
        ("optim: {lr: -1}", "line 4: optim.lr is -1, but should be greater than 0."),
        ("optim: {lr: .nan}", "line 4: optim.lr is nan, but should be "),
        ("train: {seed: 1.5}", "train.seed is 1.5, but should be a valid integer"),
        ("train:\n  seed: x", "line 5: train.seed is 'x', but should be a valid integer"),
        ("tune: {freeze: {blocks: some}}", "tune.freeze.blocks does not fit: it is 'some': give a number of blocks"),
        ("tune: {freeze: {}}", "line 4: tune.freeze does not fit: give 'blocks' or 'patterns', or leave 'freeze' out."),
        ("name: on", "name is True, but should be a text (quote it: YAML reads the bare word as true or false)."),
        ("eval: {metrics: [1]}", "line 4: eval.metrics.0 is 1, but should be a text."),
        ("train: {steps: 3, epochs: 2}", "line 4: train does not fit: 'epochs' and 'steps' both say how long"),
        ("train: {keep_best: 3}", "train.keep_best is 3, but should be "),
        ("defaults: 2026-11", "line 4: defaults is '2026-11', but should be '2026-12'."),
        ("defaults: {preset: fast}", "line 4: defaults.preset is 'fast', but should be 'quick' or 'best'."),
        ("train: {early_stop: 2}", "'early_stop' watches the metric of 'keep_best': name one"),
        ("train: {eval_every: 2.5}", "'eval_every' is 2.5: give whole steps, or a share of an epoch below 1"),
        ("train: {checkpoint_every: 1.5}", "'checkpoint_every' is 1.5: give whole steps"),
        ("model: other", "line 4: the key 'model' stands in line 3 already."),
        ("optim:\n  lr: 1\n  lr: 2", "line 6: the key 'optim.lr' stands in line 5 already."),
        ("eval:\n  metrics:\n  - {a: 1,\n     a: 2}", "line 7: the key 'eval.metrics.0.a' stands in line 6 already."),
    ],
)
def test_a_fault_is_told_with_its_line_its_key_and_what_would_do(load, text, message):
    with pytest.raises(RecipeError) as caught:
        load(f"{BASE}{text}\n")
    assert str(caught.value).startswith("sst2.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{}", "give either 'hub' (a data set on the Hub) or 'files' (local files), exactly one of them"),
        ("{hub: imdb, files: {train: a.csv}}", "exactly one of them"),
        ("{files: {eval: a.csv}}", "'files' has no 'train'"),
        ("{files: {train: a.csv}, config: sst2}", "'config' and 'revision' belong to 'hub'"),
        ("{hub: imdb, eval: test, holdout: 0.1}", "'holdout' cuts an eval split, and 'eval' names one"),
        ("{files: {train: a.csv, eval: b.csv}, holdout: 0.1}", "give only one of them"),
        (
            "{files: {train: a.csv, validation: b.csv}}",
            "'files' has 'validation'; a split is 'train', 'eval' or 'test', or is named by",
        ),
        ("{hub: imdb, holdout: 1}", "data.holdout is 1, but should be less than 1"),
    ],
)
def test_data_come_from_one_place(load, data, message):
    with pytest.raises(RecipeError, match=r"sst2.yaml, line 2: data") as caught:
        load(f"task: {{name: text-classification}}\ndata: {data}\nmodel: bert\n")
    assert message in str(caught.value)


def test_all_faults_are_told_at_once(load):
    with pytest.raises(RecipeError) as caught:
        load("data: {hub: imdb}\noptim:\n  lr: 0\n  clip: -1\n")
    told = [line.partition(" is ")[0] for line in str(caught.value).splitlines()]
    assert sorted(told) == [
        "sst2.yaml, line 3: optim.lr",
        "sst2.yaml, line 4: optim.clip",
        "sst2.yaml: model",
        "sst2.yaml: task",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"holds nothing; a recipe is a mapping with the sections task, data, model"),
        (b"- a\n", "holds list; a recipe is a mapping"),
        (b"\xff\xfe\x00a", "is not a text file; a recipe is a YAML file in UTF-8"),
        (b"\x00\x01", "is not a text file"),
        (b"task: [1\n", "is not valid YAML: .*line 1"),
        (b"a: 1\n---\nb: 2\n", "is not valid YAML: expected a single document"),
        (b"name: !mine x\n", "is not valid YAML"),
        (b"name: 2024-13-45\n", "is not valid YAML"),
        (b"model: {{ model }}\n", "is not valid YAML"),
    ],
)
def test_what_is_no_recipe_is_refused_in_one_sentence(tmp_path, content, message):
    (tmp_path / "sst2.yaml").write_bytes(content)
    with pytest.raises(RecipeError, match=rf"sst2.yaml {message}"):
        Recipe.load(tmp_path / "sst2.yaml")


def test_a_recipe_that_is_not_there_is_named_with_the_nearest_one(tmp_path):
    (tmp_path / "bert_sst2.yaml").touch()
    with pytest.raises(RecipeError, match=r"There is no recipe .*bert_sst.yaml. Did you mean 'bert_sst2.yaml'\?"):
        Recipe.load(tmp_path / "bert_sst.yaml")
    with pytest.raises(RecipeError, match=r"cannot be read: Is a directory"):
        Recipe.load(tmp_path)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lr=fast", "override optim.lr=fast: optim.lr is 'fast', but should be a valid number"),
        ("optim={lr: fast}", "override optim={lr: fast}: optim.lr is 'fast', but should be"),
        ("optm.lr=1", "override optm.lr=1: optm is not a known key. Did you mean 'optim'?"),
        ("optim.rl=1", "override optim.rl=1: optim.rl is not a known key. Did you mean 'lr'?"),
    ],
)
def test_a_fault_of_an_override_is_told_with_the_override_and_no_line(load, override, message):
    with pytest.raises(RecipeError) as caught:
        load(f"{BASE}optim: {{lr: 2e-5}}\n", override)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_is_the_name_of_a_folder_of_its_own(name):
    with pytest.raises(RecipeError, match=r"name is '\.+'"):
        Recipe.from_dict({**DATA, "name": name})


@pytest.mark.parametrize(
    "overrides", [(), ("train.steps=50",), ("tune.freeze.blocks=all", "optim.options.nesterov=true")]
)
def test_a_saved_recipe_holds_every_default_and_reads_back_the_same(load, tmp_path, overrides):
    recipe = load(BASE, *overrides)
    recipe.save(tmp_path / "out" / "recipe.yaml")
    again = Recipe.load(tmp_path / "out" / "recipe.yaml")
    assert differences(again, recipe) == []
    written = yaml.safe_load((tmp_path / "out" / "recipe.yaml").read_text(encoding="utf-8"))
    assert written["train"].keys() == type(recipe.train).model_fields.keys()


def test_recipes_are_equal_where_their_settings_are(load, tmp_path):
    recipe = load(BASE)
    recipe.save(tmp_path / "again.yaml")
    assert Recipe.load(tmp_path / "again.yaml") == recipe


def test_steps_take_the_place_of_the_default_epochs(load):
    recipe = load(f"{BASE}train: {{steps: 50}}\n")
    assert (recipe.train.steps, recipe.train.epochs) == (50, None)


def test_differences_are_listed_by_key():
    old = Recipe.from_dict(DATA)
    new = Recipe.from_dict(DATA, "optim.lr=1", "tune.freeze.blocks=2", "task.text=body")
    assert differences(old, old) == []
    assert sorted(differences(old, new)) == [
        ("optim.lr", None, 1.0),
        ("task.text", None, "body"),
        ("tune.freeze.blocks", None, 2),
        ("tune.freeze.dropout", None, False),
        ("tune.freeze.patterns", None, []),
    ]


def test_the_options_of_a_task_are_validated_and_written_out(load):
    recipe = load(BASE)
    options = recipe.task_options(Options)
    assert options == Options(text="sentence")
    assert recipe.complete(options).task.options == {
        "text": "sentence",
        "labels": None,
        "max_length": None,
        "weights": None,
        "share": [0.1, 1.0],
        "change": {"crop": None},
    }


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("max_lenght: 3", "line 3: task.max_lenght is not a known key. Did you mean 'max_length'? Known here: text, "),
        ("max_length: long", "line 3: task.max_length is 'long', but should be a valid integer"),
        ("labels: [no, yes]", "line 3: task.labels.0 is False, but should be a text (quote it: YAML reads"),
        ("weights: {good: heavy}", "is 'heavy', but should be a valid number"),
        ("share: [0.5]", "task.share.1 is missing."),
        ("share: []", "task.share.0 is missing."),
        ("change: {crop: [0.5]}", "task.change.crop.1 is missing."),
        (
            "change: false",
            "task.change is False, but should be a valid dictionary or instance of Inner (null, not false, ",
        ),
        (
            "change: {crop: off}",
            "task.change.crop is False, but should be a valid tuple (null, not false, stands for none)",
        ),
        ("share: true", "task.share is True, but should be a valid tuple."),
    ],
)
def test_a_fault_in_the_options_of_a_task_is_told_with_its_line(load, option, message):
    recipe = load(f"task:\n  name: text-classification\n  {option}\ndata: {{hub: imdb}}\nmodel: bert\n")
    with pytest.raises(RecipeError) as caught:
        recipe.task_options(Options)
    assert message in str(caught.value)
