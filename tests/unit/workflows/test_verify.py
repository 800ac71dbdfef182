"""The saved model is opened again, and answers as the trained one did."""

from __future__ import annotations

import json

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors import safe_open
from transformers import BertForSequenceClassification

import hfft
from hfft.errors import ModelError
from tests.laws.runs import train

SHORT = ["train.epochs=null", "train.steps=2"]


def test_a_model_that_loses_weights_between_saving_and_loading_is_told(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(BertForSequenceClassification, "_keys_to_ignore_on_save", ["classifier.weight"])
    with pytest.raises(
        ModelError, match=r"opened again, answers 8 of 8 rows otherwise than the model that was trained"
    ):
        train(tiny("text-classification"), tmp_path / "run", *SHORT)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert any("opened again" in remark for remark in results["remarks"])
    assert list((tmp_path / "run" / "checkpoints").iterdir())


@pytest.fixture
def compiling(monkeypatch):
    """An accelerator that wraps the model to compile it; Accelerate keeps that for a process, and it is taken back.

    What is wrapped runs as it is: compiling takes minutes, and no name depends on it.
    """
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "eager")
    AcceleratorState._reset_state(reset_partial_state=True)
    with torch.compiler.set_stance("force_eager"):
        yield Accelerator(cpu=True)
    AcceleratorState._reset_state(reset_partial_state=True)


def test_a_compiled_model_is_saved_under_its_own_names(tiny, tmp_path, compiling):
    overrides = [*SHORT, "train.keep_best=accuracy", "train.ema=0.9"]
    recipe = hfft.Recipe.from_dict(tiny("text-classification"), *overrides)
    hfft.train(recipe, output=tmp_path / "run", quiet=True, accelerator=compiling)
    files = list((tmp_path / "run").rglob("*.safetensors"))
    assert len(files) >= 4
    for file in files:
        with safe_open(file, "pt") as opened:
            assert not [name for name in opened.keys() if "_orig_mod" in name], file  # noqa: SIM118
    assert "_orig_mod" not in (tmp_path / "run" / "parameters.json").read_text()
