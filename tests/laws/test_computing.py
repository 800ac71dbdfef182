"""How a model computes (attention, checkpointing, compilation) changes nothing that is learnt, nor weights' names."""

from __future__ import annotations

import numpy as np
import pytest

import hfft
from hfft.errors import ModelError, SetupError
from hfft.io.run_folder import RunFolder
from hfft.testing import assert_same_run, cut_off, losses, tensors
from tests.laws.runs import ARCHITECTURES, NOT_FOR, STRATEGIES, no_dropout, train, tuning
from tests.product import first_of_all

COMPILED = "train.compile=true"
STEPS = [
    "train.epochs=null",
    "train.steps=6",
    "train.log_every=1",
    "train.checkpoint_every=3",
    "train.keep_checkpoints=9",
]
WAYS = {"checkpointing": STRATEGIES["checkpointing"], "attention": STRATEGIES["attention"], "compiled": [COMPILED]}
COMPILED_ON = ("text-classification",)  # to compile takes a minute
ON = [
    (task, way)
    for task in ARCHITECTURES
    for way in WAYS
    if way not in NOT_FOR.get(task, ()) and (way != "compiled" or task in COMPILED_ON)
]
EVERY_RUN = [
    ("text-classification", "checkpointing"),
    ("translation", "attention"),
    ("image-classification", "checkpointing"),
]


@pytest.mark.parametrize(("task", "way"), first_of_all(ON, EVERY_RUN))
@pytest.mark.parametrize("strategy", ["full", "freeze+decay+lora"])
def test_what_is_learnt_stays_as_it_is(tiny, tmp_path, task, way, strategy):
    overrides = [*STEPS, *no_dropout(task), *tuning(task, strategy)]
    train(tiny(task), tmp_path / "plain", *overrides)
    train(tiny(task), tmp_path / "other", *overrides, *WAYS[way])
    np.testing.assert_allclose(losses(tmp_path / "other"), losses(tmp_path / "plain"), 1e-4, 1e-4)
    plain, other = ({file.name: set(tensors(file)) for file in _files(tmp_path / run)} for run in ("plain", "other"))
    assert plain
    assert plain == other


def _files(run):
    return RunFolder(run).checkpoint(3).glob("*.safetensors")


@pytest.mark.wide
def test_a_compiled_run_goes_on_exactly_with_dropout_on(tiny, tmp_path):
    train(tiny("text-classification"), tmp_path / "whole", *STEPS, COMPILED)
    cut_off(tmp_path / "whole", tmp_path / "cut", 3)
    train(tiny("text-classification"), tmp_path / "cut", *STEPS, COMPILED)
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def test_the_plan_says_how_the_model_computes(tiny):
    overrides = ["model.attention=eager", "train.gradient_checkpointing=true", "tune.freeze.blocks=1", "train.epochs=3"]
    said = hfft.plan(hfft.Recipe.from_dict(tiny("text-classification"), *overrides))
    assert "Attention is computed by eager (model.attention); transformers would take sdpa" in said.rates
    assert "What blocks hold is computed once more in the backward pass (train.gradient_checkpointing)" in said.rates
    assert (said.cache or "").startswith("Kept: ")


@pytest.mark.parametrize(
    ("task", "override", "said"),
    [
        (
            "conv",
            "model.attention=sdpa",
            "model.attention is 'sdpa', which ResNetForImageClassification cannot use here",
        ),
        ("conv", "train.gradient_checkpointing=true", "transformers has none for ResNetForImageClassification"),
        (
            "text-classification",
            "model.attention=flash_attention_2",
            "model.attention is 'flash_attention_2', which Bert",
        ),
    ],
)
def test_what_a_model_cannot_do_is_refused(tiny, task, override, said):
    with pytest.raises(ModelError, match=said):
        hfft.plan(hfft.Recipe.from_dict(tiny(task), override))


def test_compiling_without_a_compiler_is_refused(tiny, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(SetupError, match=r"needs a C\+\+ compiler"):
        hfft.plan(hfft.Recipe.from_dict(tiny("text-classification"), COMPILED))
