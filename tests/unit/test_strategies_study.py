"""The study of ways of tuning: what it draws, chooses and writes of runs made by hand; and a whole one, tiny."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas
import pytest

from hfft.io.run_folder import read_json
from tests.tiny import bert
from tests.tiny.files import write_csv
from tests.tiny.texts import labelled_texts

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
BEST = {"full": 0.80, "head only": 0.70, "LoRA": 0.85, "soup": 0.80}  # of validation, with the middle learning rate


@pytest.fixture(autouse=True)
def _scripts_on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)  # as where one of them is run


def script(name: str) -> Any:
    return importlib.import_module(name)


def study(tmp_path: Path, call: Any, **changes: Any) -> Any:
    given = {
        "methods": list(BEST),
        "runs": tmp_path,
        "data": tmp_path,
        "model": "package://somewhere/model",
        "rows": 1000,
        "epochs": 10,
        "whole_epochs": 2,
        "batch_size": 32,
        "seeds": [1, 2, 3],
        "best": 2,
        "precision": "fp32",
        "at_once": 1,
    }
    return script("strategies").Study(argparse.Namespace(**{**given, **changes}), call)


def done(_: Any, job: Any, *given: Any) -> None:
    """Leaves of a run what the choices read: the middle learning rate is best."""
    name, rate = job.folder.name.partition(",")[0], float(setting(job, "optim.lr"))
    rates = script("strategies").METHODS[name].rates
    job.folder.mkdir(parents=True, exist_ok=True)
    value = BEST[name] - 0.1 * abs(rates.index(rate) - 1)
    (job.folder / "results.json").write_text(json.dumps({"eval": {"accuracy": {"value": value}}}))
    (job.folder / "cost.json").write_text(json.dumps({"overrides": job.overrides}))


def setting(job: Any, name: str) -> str:
    return next(given.partition("=")[2] for given in job.overrides if given.startswith(f"{name}="))


def test_labels_of_a_draw_differ_by_one_row_at_most():
    drawn = script("strategies").drawn
    rows = pandas.DataFrame([{"text": f"{label} {number}", "label": label} for label in "abc" for number in range(10)])
    made = drawn(rows, 7, seed=0)
    assert sorted(Counter(made["label"]).values()) == [2, 2, 3]
    assert made.index.is_monotonic_increasing
    assert made.equals(drawn(rows, 7, seed=0))
    assert not made.equals(drawn(rows, 7, seed=1))
    assert Counter(drawn(rows[8:], 16, seed=0)["label"]) == {"a": 2, "b": 7, "c": 7}  # a has no more


def test_the_rate_is_chosen_on_validation_and_of_equals_the_smallest(tmp_path):
    made = study(tmp_path, done)
    made.train()
    choosing = sorted(place.name for place in (tmp_path / "choose").iterdir())
    assert len(choosing) == 12
    assert [made.chosen(name) for name in BEST] == [5e-4, 3e-3, 2.5e-3, 5e-4]
    jobs = [made.job("choose", "full", rate) for rate in (2e-4, 5e-4, 1e-3)]
    assert {setting(job, "train.seeds") for job in jobs} == {"[0]"}
    assert all("test" not in json.loads(setting(job, "data.files")) for job in jobs)
    for job in jobs:
        (job.folder / "results.json").write_text('{"eval": {"accuracy": {"value": 0.5}}}')
    assert made.chosen("full") == 2e-4


def test_the_best_go_on_to_all_rows_beside_the_first(tmp_path):
    made = study(tmp_path, done)
    made.train()
    assert made.best() == ["full", "LoRA", "soup"]
    assert {place.name for place in (tmp_path / "all").iterdir()} == {"full", "LoRA", "soup"}
    job = made.job("all", "LoRA", 2.5e-3)
    assert json.loads(setting(job, "data.files")) == {
        "train": "train.csv",
        "eval": "validation.csv",
        "test": "test.csv",
    }
    assert (setting(job, "train.seeds"), setting(job, "train.epochs")) == ("[1, 2, 3]", "2")


def test_a_study_that_was_stopped_goes_on_where_it_was(tmp_path):
    again: list[str] = []

    def train(function: Any, job: Any, *given: Any) -> None:
        again.append(job.folder.name)
        if job.folder.name == "soup" and len(again) < 17:
            raise ValueError("no soup")
        done(function, job, *given)

    with pytest.raises(ValueError, match="no soup"):
        study(tmp_path, train).train()
    assert again == [*again[:12], "full", "head only", "LoRA", "soup"]
    study(tmp_path, train, best=0).train()
    assert again[16:] == ["soup", "full"]
    study(tmp_path, train, best=0).train()
    assert len(again) == 18
    study(tmp_path, train, best=0, epochs=5).train()  # another study: all of it but what is alike
    assert len(again) == 18 + 12 + 4


def test_settings_follow_the_epochs_of_their_part(tmp_path):
    made = study(tmp_path, done, whole_epochs=1)
    few, whole = (made.job(part, "soup", 5e-4) for part in ("few", "all"))
    assert (setting(few, "train.epochs"), setting(whole, "train.epochs")) == ("10", "1")
    assert (few.overrides[-1], whole.overrides[-1]) == ("train.eval_every=null", "train.eval_every=0.1")
    assert "tune.adapter={name: lora}" in made.job("few", "LoRA", 1e-3).overrides


def test_best_rates_at_an_end_are_named(tmp_path):
    made = study(tmp_path, done)
    made.train()
    job = made.job("choose", "LoRA", 6e-3)
    (job.folder / "results.json").write_text('{"eval": {"accuracy": {"value": 0.9}}}')
    text = made.rates()
    assert r"0.001: 75.0 &nbsp; 0.0025: 85.0 &nbsp; **0.006: 90.0**\*" in text
    assert "| full | 0.0002: 70.0 &nbsp; **0.0005: 80.0** &nbsp; 0.001: 70.0 | 80.0 |" in text


def test_a_tiny_study_writes_its_page(tmp_path, monkeypatch):
    bert(tmp_path / "model", positions=64)
    for seed, (split, rows) in enumerate({"train": 40, "validation": 12, "test": 30}.items()):
        write_csv(tmp_path / f"{split}.csv", labelled_texts(rows, seed))
    page, runs = tmp_path / "strategies.md", tmp_path / "runs"
    counts = "--rows 16 --epochs 1 --whole-epochs 1 --batch-size 8 --seeds 1 --best 1 --at-once 1 --precision fp32"
    places = ("--data", str(tmp_path), "--model", str(tmp_path / "model"), "--runs", str(runs), "--page", str(page))
    arguments = [*places, *counts.split(), "--methods", "head only", "--note", "All alone."]
    monkeypatch.setattr(sys, "argv", ["strategies.py", *arguments])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        script("strategies"),
        "METHODS",
        {
            name: script("strategies").Method(one.rates[:1], one.overrides)
            for name, one in script("strategies").METHODS.items()
        },
    )
    script("strategies").main(lambda function, *given: function(*given))
    text = page.read_text(encoding="utf-8")
    assert [place.name for place in sorted((runs / "all").iterdir())] == ["full", "head only"]
    assert read_json(runs / "few" / "full" / "seed-1" / "results.json")["samples"] == 16
    assert read_json(runs / "all" / "full" / "seed-1" / "results.json")["samples"] == 40
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(("| full", "| head only"))]
    trainable = {row[0].strip("| "): int(row[6].replace(",", "")) for row in rows if len(row) == 10}
    assert trainable["head only"] < trainable["full"]
    assert "All alone." in text
    differ = next(line for line in text.splitlines() if line.startswith("- full and head only differ in "))
    assert "`tune.freeze" in differ
    assert "`optim.lr` 0.0002 and 0.001" in differ
    assert "`optim.warmup=0.1`" in text
    assert text.count("these 30 examples can show: accuracy") + text.count("better: accuracy") >= 1
    assert str(tmp_path) not in text
    monkeypatch.setattr(sys, "argv", ["strategies.py", *arguments])
    page.unlink()
    script("strategies").main(lambda function, *given: pytest.fail("a run is done anew"))
    assert page.read_text(encoding="utf-8") == text
