"""Settings of PEFT's methods: those of its configs, checked before there is a model, and completed."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import hfft
from hfft.errors import RecipeError
from hfft.tuning.section import PASSED
from hfft.workflows.resolve import resolve

RECIPE: dict[str, Any] = {"task": {"name": "text-classification"}, "data": {"hub": "rows"}, "model": "bert"}


def complete(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of an adapter as the recipe of a run has them."""
    recipe = hfft.Recipe.from_dict({**RECIPE, "tune": {"adapter": {"name": name, **settings}}})
    adapter: Any = resolve(recipe, trust=False).recipe.tune.adapter
    return adapter.model_dump(exclude={"name"})


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        (
            "loha",
            {"alhpa": 3},
            "tune.adapter.alhpa is not a known key. Did you mean 'alpha'? Known here: name, blocks, t",
        ),
        ("loha", {"rank": 4}, "'rank' is not a setting here: where one of PEFT's methods has a rank, it is called 'r'"),
        ("loha", {"target_modules": ["query"]}, "'target_modules' is not a setting here: write 'targets'"),
        ("oft", {"bias": "all"}, "only the adapter and the head learn"),
        ("adamss", {"use_asa": True}, "needs a call in each step"),
        ("adamss", {"init_warmup": 3}, "'init_warmup' is not a setting here: it goes with use_asa"),
        ("osf", {"target_svd_config": {}}, "'target_svd_config' is not a setting here: PEFT reads it"),
        ("oft", {"r": 3, "oft_block_size": 5}, "tune.adapter does not fit: You can only specify either r"),
        ("psoft", {"num_cayley_neumann_terms": 3}, "does not fit: a setting has no effect: `num_cayley_neumann_te"),
        ("loha", {"r": "x"}, "tune.adapter.r is 'x', but should be a valid integer."),
        ("loha", {"r": 1.5}, "tune.adapter.r is 1.5, but should be a valid integer."),
        ("loha", {"r": True}, "tune.adapter.r is True, but should be a valid integer."),
        ("loha", {"r": None}, "tune.adapter.r is None, but should be a valid integer."),
        (
            "loha",
            {"alpha": float("nan")},
            "tune.adapter.alpha is nan, but should be a finite number or should be a valid integer.",
        ),
        ("boft", {"boft_dropout": float("inf")}, "tune.adapter.boft_dropout is inf, but should be a finite number."),
        ("loha", {"init_weights": 1}, "tune.adapter.init_weights is 1, but should be a valid boolean."),
        ("loha", {"rank_pattern": [1]}, "tune.adapter.rank_pattern is [1], but should be a valid dictionary."),
        (
            "loha",
            {"rank_pattern": {"key": 1.5}},
            "tune.adapter.rank_pattern.key is 1.5, but should be a valid integer.",
        ),
        (
            "osf",
            {"rank_pattern": {"key": "x"}},
            "rank_pattern.key is 'x', but should be a valid integer or should be a",
        ),
        (
            "miss",
            {"init_weights": "bt"},
            "init_weights is 'bt', but should be a valid boolean or should be 'bat' or 'm",
        ),
        (
            "deft",
            {"alpha": "x"},
            "tune.adapter.alpha is 'x', but should be a valid number or should be a valid integer.",
        ),
        ("peanut", {"act_fn": 3}, "tune.adapter.act_fn is 3, but should be a text."),
    ],
)
def test_what_a_method_does_not_take_is_refused_before_there_is_a_model(name, settings, told):
    with pytest.raises(RecipeError) as caught:
        complete(name, settings)
    assert told in str(caught.value)


def test_messages_name_the_line(tmp_path):
    written = {**RECIPE, "tune": {"adapter": {"name": "vera", "r": "many"}}}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    with pytest.raises(RecipeError, match=r"one.yaml, line 9: tune.adapter.r is 'many', but should be a valid integer"):
        resolve(hfft.Recipe.load(tmp_path / "one.yaml"), trust=False)


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("loha", {"r": 1e3, "rank_pattern": {"key": 1e1}}, {"r": 1000, "rank_pattern": {"key": 10}}),
        ("delora", {"delora_lambda": 0.1}, {"delora_lambda": 0.1}),
        ("osf", {"effective_rank": 1.0}, {"effective_rank": 1.0}),
        ("osf", {"effective_rank": 1}, {"effective_rank": 1}),
        ("deft", {"alpha": None}, {"alpha": None}),
    ],
)
def test_numbers_are_of_the_kind_that_peft_wants(name, given, wanted):
    made = complete(name, given)
    for key, value in wanted.items():
        assert repr(made[key]) == repr(value)


def test_settings_are_completed_with_the_defaults_of_peft_and_complete_ones_stay_as_they_are():
    assert complete("oft", {"oft_block_size": 4, "blocks": 1}) == {
        **{"blocks": 1, "targets": None},
        **{"r": 0, "oft_block_size": 4, "module_dropout": 0.0, "init_weights": True, "coft": False},
        **{"eps": 6e-05, "block_share": False, "use_cayley_neumann": True, "num_cayley_neumann_terms": 5},
    }
    for name in PASSED:
        made = complete(name, {})
        assert complete(name, yaml.safe_load(yaml.safe_dump(made))) == made
