"""The study of the defaults: what it draws and tells of batches; and a whole one, tiny."""

from __future__ import annotations

import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas
import pytest

from tests.tiny import bert
from tests.tiny.files import write_csv
from tests.tiny.texts import labelled_texts

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)  # as where it is run
    return importlib.import_module("defaults")


def worded(counts: list[int]) -> pandas.DataFrame:
    """Rows with so many words, half of them of each label in turn."""
    return pandas.DataFrame([{"text": "word " * count, "label": "01"[n % 2]} for n, count in enumerate(counts)])


def test_the_length_tells_nine_of_ten_labels(script):
    rows = script.of_length(worded([n // 2 % 50 + 1 for n in range(2000)]), 200)
    long = rows["text"].str.split().str.len() > 25
    assert len(rows) == 200
    assert (long == (rows["label"] == "1")).sum() == 180


def test_batches_of_like_length_are_pure_where_the_length_tells_the_label(script):
    rows = worded([5 + 20 * (n % 2) for n in range(640)])
    assert script.pure(rows, True) == 1.0
    assert script.pure(rows, False) == script.pure(rows, "micro") == 0.0


def test_a_whole_study_writes_its_page_and_goes_on_where_it_was(script, tmp_path, monkeypatch):
    case = ("sst2", 24)
    monkeypatch.setattr(
        script, "CASES", {case: [script.Tried("full", 1e-3, 1, 2, 8), script.Tried("LoRA", 1e-2, 1, 2, 8)]}
    )
    for name in ("ITSELF", "GROUPED"):
        monkeypatch.setattr(script, name, (case,))
    monkeypatch.setattr(script, "SEEDS", [1, 2])
    monkeypatch.setattr(script, "KINDS", {"sst2": (script.TEXTS, "model", "csv", script.text_trainer)})
    monkeypatch.setattr(script, "apart", lambda function, *given: function(*given))
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "cache"))
    rows = [{"sentence": row["text"], "label": row["label"]} for row in labelled_texts(48, seed=1)]
    for split in ("train", "validation", "test"):
        write_csv(tmp_path / "sst2" / f"{split}.csv", rows)
    bert(tmp_path / "model")
    given = ["--data", str(tmp_path), "--runs", str(tmp_path / "runs"), "--page", str(tmp_path / "page.md")]
    monkeypatch.setattr(sys, "argv", ["defaults.py", *given, "--precision", "fp32", "--at-once", "1"])
    script.main(ThreadPoolExecutor)
    text = (tmp_path / "page.md").read_text()
    for name in ("nothing set", "Trainer's", "example scripts", "best tried (", "random", "micro", "Trainer itself"):
        assert f"\n| {name}" in text
    assert "Chosen: `tune.layer_decay=0.8`" in text
    monkeypatch.setattr(script, "train_job", None)  # nothing is done again
    script.main(ThreadPoolExecutor)
    assert (tmp_path / "page.md").read_text() == text
