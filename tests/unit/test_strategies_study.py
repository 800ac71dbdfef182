"""The study of ways of tuning: what it draws, chooses and says of runs made by hand; and a whole one, tiny."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import bert
from tests.tiny.files import write_csv
from tests.tiny.texts import labelled_texts

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
VERSIONS = dict.fromkeys(("python", "torch", "transformers", "peft", "accelerate"), "1.0")
ENVIRONMENT = {
    "processor": "a processor",
    "threads": 1,
    "versions": VERSIONS,
    "data": dict.fromkeys(("train", "eval", "test"), "0123456789abcdef"),
}
TESTS = 200
BEST = {"full": (0.80, 150), "head only": (0.70, 120), "LoRA": (0.85, 170), "soup": (0.80, 151)}  # of validation, test


@pytest.fixture(autouse=True)
def _scripts_on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)  # as where one of them is run


def script(name: str) -> Any:
    return importlib.import_module(name)


def study(**changes: Any) -> Any:
    plan = script("strategies_plan")
    given = {
        "methods": tuple(method for method in plan.METHODS if method.name in BEST),
        "model": "package://somewhere/model",
        "rows": 1000,
        "epochs": 10,
        "whole_epochs": 2,
        "batch_size": 32,
        "seeds": (1, 2, 3),
        "best": 2,
        "precision": "bf16",
        "at_once": 2,
    }
    return plan.Study(**{**given, **changes})


def done(job: Any) -> Any:
    """A run as if it had been done: the middle learning rate is best, and seeds differ by one test row."""
    rates = next(method.rates for method in script("strategies_plan").METHODS if method.name == job.method)
    validation, right = BEST[job.method]
    right += job.seed + (10 if job.rows is None else 0)
    return script("strategies_runs").Done(
        job=job,
        validation=validation - 0.1 * abs(rates.index(job.lr) - 1) - 0.001 * job.seed,
        right="" if job.stage == "choose" else "1" * right + "0" * (TESTS - right),
        trainable={"full": 22_000_000, "soup": 22_000_000, "LoRA": 300_000, "head only": 200_000}[job.method],
        steps=320,
        samples=10_000 if job.rows else 30_000,
        train_seconds=60.0 if job.method != "head only" else 20.0,
        whole_seconds={"full": 75.0, "soup": 150.0, "LoRA": 70.0, "head only": 35.0}[job.method] + job.seed,
        resident_bytes=2**30 if job.method != "LoRA" else 2**29,
        environment=ENVIRONMENT,
    )


def whole_study(tmp_path: Path, made: Any) -> list[Any]:
    return script("strategies").do_study(made, tmp_path / "runs.jsonl", done)


def test_labels_of_a_draw_differ_by_one_row_at_most():
    drawn = script("strategies").drawn
    rows = [{"text": f"{label} {number}", "label": label} for label in "abc" for number in range(10)]
    made = drawn(rows, 7, seed=0)
    assert sorted(Counter(row["label"] for row in made).values()) == [2, 2, 3]
    assert made == sorted(made, key=rows.index)
    assert made == drawn(rows, 7, seed=0) != drawn(rows, 7, seed=1)
    assert Counter(row["label"] for row in drawn(rows[8:], 16, seed=0)) == {"a": 2, "b": 7, "c": 7}  # a has no more


def test_the_rate_is_chosen_on_validation_and_of_equals_the_smallest():
    plan, runs = script("strategies_plan"), script("strategies_runs")
    jobs = plan.choosing_jobs(study())
    assert [(job.seed, job.rows, job.stage) for job in jobs] == 12 * [(0, 1000, "choose")]
    made = [done(job) for job in jobs]
    assert [plan.chosen_rate(made, name) for name in BEST] == [5e-4, 3e-3, 2.5e-3, 5e-4]
    alike = [runs.Done(**{**vars(one), "validation": 0.5}) for one in made]
    assert plan.chosen_rate(alike, "full") == 2e-4


def test_the_best_go_on_to_all_rows_beside_the_first(tmp_path):
    plan = script("strategies_plan")
    finished = whole_study(tmp_path, study())
    assert plan.best_methods(study(), finished) == ["LoRA", "soup"]
    on_all = [one.job for one in finished if one.job.stage == "all"]
    assert {(job.method, job.rows) for job in on_all} == {("full", None), ("LoRA", None), ("soup", None)}
    assert [job.seed for job in on_all] == 3 * [1] + 3 * [2] + 3 * [3]
    assert all("train.epochs=2" in job.overrides for job in on_all)


def test_a_study_that_was_stopped_goes_on_where_it_was(tmp_path):
    strategies = script("strategies")
    again: list[Any] = []

    def train(job: Any) -> Any:
        again.append(job)
        return done(job)

    first = whole_study(tmp_path, study())
    runs = tmp_path / "runs.jsonl"
    lines = runs.read_text(encoding="utf-8").splitlines()
    runs.write_text("\n".join([*lines[:-2], lines[-1][:100]]), encoding="utf-8")  # killed while it wrote
    assert strategies.do_study(study(), runs, train) == first
    assert len(again) == 2
    again.clear()
    assert strategies.do_study(study(epochs=5), runs, train) != first  # another study: all of it but what is alike
    assert len(again) == 12 + 12


def test_a_run_that_fails_ends_the_study_and_keeps_what_is_done(tmp_path):
    def train(job: Any) -> Any:
        if job.method == "soup":
            raise ValueError("no soup")
        return done(job)

    with pytest.raises(ValueError, match="no soup"):
        script("strategies").do_study(study(at_once=1), tmp_path / "runs.jsonl", train)
    assert len(script("strategies_runs").read_done(tmp_path / "runs.jsonl")) == 9
    with pytest.raises(SystemExit, match="lacks 3 of 12 runs"):
        script("strategies").read_study(study(), tmp_path / "runs.jsonl")


def test_the_page_says_what_was_found(tmp_path):
    page = script("strategies_page").page
    finished = whole_study(tmp_path, study())
    text = page(study(), finished, "clinc150")
    few = next(line for line in text.splitlines() if line.startswith("| LoRA | 0.0025 |"))
    cells = [cell.strip() for cell in few.strip("|").split("|")]
    assert cells[2].startswith("86.0 (")  # 171, 172, 173 of 200
    assert cells[3] == "85.5 86.0 86.5 (sd 0.50)"
    assert cells[4].startswith("+10.0, ")
    assert cells[5:] == ["better", "300,000", "60", "72", "512"]
    assert "- Better than full: LoRA (+10.0, " in text
    assert "- Not told apart from full: soup (+0.5, +0.0 to +" in text
    assert "- Worse than full: head only (-15.0, " in text
    assert "- Of those not worse than full, least time in all: LoRA (72 s; full 77 s)." in text
    assert "0.0002: 70.0 &nbsp; **0.0005: 80.0** &nbsp; 0.001: 70.0" in text
    assert "and so flatter: soup." in text
    assert "## All 15,000 rows, 2 epoch(s)" in text
    assert "clinc150; 1,000 training rows" in text
    assert str(tmp_path) not in text


def test_a_part_that_is_not_there_yet_is_told(tmp_path):
    few = [one for one in whole_study(tmp_path, study()) if one.job.stage != "all"]
    text = script("strategies_page").page(study(), few, "clinc150")
    assert "Not there yet: 0 of 9 runs are done." in text


def test_seeds_that_do_not_agree_are_not_told_apart(tmp_path):
    runs, page = script("strategies_runs"), script("strategies_page")
    made = [one for one in whole_study(tmp_path, study()) if one.job.stage == "few"]
    assert page.verdict(made, "LoRA", "full") == "better"
    odd = [
        runs.Done(**{**vars(one), "right": "1" * 140 + "0" * 60})
        if (one.job.method, one.job.seed) == ("LoRA", 2)
        else one
        for one in made
    ]
    assert page.score_difference([one.outcome for one in odd], "LoRA", "full").low > 0
    assert page.verdict(odd, "LoRA", "full") == "not told apart"


def test_best_rates_at_an_end_are_named(tmp_path):
    runs, page = script("strategies_runs"), script("strategies_page")
    made = [
        runs.Done(**{**vars(one), "validation": one.job.lr}) if one.job.method == "LoRA" else one
        for one in whole_study(tmp_path, study())
    ]
    assert "one beyond it may be better: LoRA (highest)." in page.rates(study(), made)


def test_a_tiny_study_writes_its_page(tmp_path, monkeypatch):
    bert(tmp_path / "model", positions=64)
    for seed, (split, rows) in enumerate({"train": 40, "validation": 12, "test": 10}.items()):
        write_csv(tmp_path / f"{split}.csv", labelled_texts(rows, seed))
    page, runs = tmp_path / "strategies.md", tmp_path / "runs.jsonl"
    counts = "--rows 16 --epochs 1 --whole-epochs 1 --batch-size 8 --seeds 1 --best 1 --at-once 1 --precision fp32"
    places = ("--data", str(tmp_path), "--model", str(tmp_path / "model"), "--runs", str(runs), "--page", str(page))
    arguments = [*places, *counts.split(), "--methods", "head only"]
    monkeypatch.setattr(sys, "argv", ["strategies.py", *arguments])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "cache"))
    script("strategies").main(lambda function, *given: function(*given))
    text = page.read_text(encoding="utf-8")
    finished = script("strategies_runs").read_done(runs)
    assert [one.job.stage for one in finished] == 6 * ["choose"] + 2 * ["few"] + 2 * ["all"]
    assert [len(one.right) for one in finished] == 6 * [0] + 4 * [10]
    assert [one.samples for one in finished] == 8 * [16] + 2 * [40]
    by_method = {one.job.method: one.trainable for one in finished}
    assert by_method["head only"] < by_method["full"]
    assert "`model`" in text
    assert str(tmp_path) not in text
    page.unlink()
    monkeypatch.setattr(sys, "argv", ["strategies.py", *arguments, "--page-only"])
    script("strategies").main(lambda function, *given: pytest.fail("a run is done anew"))
    assert page.read_text(encoding="utf-8") == text
