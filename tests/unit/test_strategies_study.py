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
VERSIONS = dict.fromkeys(("python", "hfft", "torch", "transformers", "peft", "accelerate"), "1.0")
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
    assert "- Better than full on these rows, with these 3 seeds: LoRA (+10.0, " in text
    assert "- Not told apart from full on these rows, with these 3 seeds: soup (+0.5, +0.0 to +" in text
    assert "- Worse than full on these rows, with these 3 seeds: head only (-15.0, " in text
    assert "- That is 3 comparison(s), corrected together" in text
    assert "  - least time in all: LoRA (71 to 73 s); full (76 to 78 s)." in text
    assert "  - least peak memory: LoRA (512 MiB); full (1,024 MiB)." in text
    assert "0.0002: 70.0 &nbsp; **0.0005: 80.0** &nbsp; 0.001: 70.0" in text
    assert "This order flatters soup, whose weights the same validation rows choose: it is among them" in text
    assert "| soup \\* | 0.0005 |" in text
    assert "- \\* soup: the validation rows choose its weights out of 10 evaluations" in text
    assert "after a few trial runs with seed 0 on the validation rows" in text
    assert "## All 15,000 rows, 2 epoch(s)" in text
    assert "clinc150; 1,000 training rows" in text
    assert str(tmp_path) not in text


def test_a_part_that_is_not_there_yet_is_told(tmp_path):
    few = [one for one in whole_study(tmp_path, study()) if one.job.stage != "all"]
    text = script("strategies_page").page(study(), few, "clinc150")
    assert "Not there yet: 0 of 9 runs are done." in text


def test_seeds_that_do_not_agree_are_not_told_apart(tmp_path):
    runs = script("strategies_runs")
    made = [one for one in whole_study(tmp_path, study()) if one.job.stage == "few"]
    assert verdict(made, "LoRA").said == "better"
    odd = [
        runs.Done(**{**vars(one), "right": "1" * 140 + "0" * 60})
        if (one.job.method, one.job.seed) == ("LoRA", 2)
        else one
        for one in made
    ]
    assert verdict(odd, "LoRA").less.low > 0
    assert verdict(odd, "LoRA").said == "not told apart"


def verdict(runs: Any, name: str) -> Any:
    return next(one for one in script("strategies_verdicts").verdicts(runs, "full") if one.name == name)


def of_rights(**rights: tuple[str, ...]) -> list[Any]:
    """Runs with these marks, a seed each."""
    runs = script("strategies_runs")
    return [
        runs.Done(runs.Job("few", name, 1e-3, seed, 9, (), "fp32"), 0.5, right, 1, 1, 9, 1.0, 1.0, 1, ENVIRONMENT)
        for name, marks in rights.items()
        for seed, right in enumerate(marks)
    ]


def test_chances_are_corrected_together_as_holm_does():
    told_apart = script("strategies_verdicts").told_apart
    assert told_apart([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]  # up to 0.05 / 4, 0.05 / 3; not 0.05 / 2
    assert told_apart([0.04]) == [True]
    assert told_apart([0.02, 0.001, 0.03]) == [True, True, True]
    assert told_apart([]) == []


def test_the_chance_of_a_difference_is_that_of_a_paired_z_test():
    chance = script("strategies_verdicts").chance
    runs = of_rights(full=("0" * 10 + "1" * 90,) * 2, more=("1" * 100,) * 2, half=("1" * 100, "0" * 10 + "1" * 90))
    # 10 of 100 rows differ by 1: mean 0.1, deviation sqrt(0.1 * 0.9 * 100 / 99), z = 0.1 / 0.030151 = 3.3166
    assert chance(runs, "more", "full") == pytest.approx(0.000911, abs=1e-6)
    assert chance(runs, "half", "full") == pytest.approx(0.000911, abs=1e-6)  # by 0.5: as unlikely
    assert chance(runs, "full", "full") == 1


def test_what_is_better_alone_may_not_be_so_beside_nine_others():
    base = "1" * 100 + "0" * 100
    better = "1" * 105 + "0" * 95  # 5 rows of 200: z = 2.26, a chance of 0.024
    alone = of_rights(full=(base,) * 3, better=(better,) * 3)
    assert verdict(alone, "better").said == "better"
    among = of_rights(full=(base,) * 3, better=(better,) * 3, **{f"like {n}": (base,) * 3 for n in range(8)})
    assert verdict(among, "better").said == "not told apart"
    assert verdict(among, "better").less == verdict(alone, "better").less
    assert verdict(among, "better").less.low > 0


def test_lora_with_decay_is_compared_with_lora_too():
    runs = of_rights(**{"full": ("0" * 50,) * 2, "LoRA": ("1" * 50,) * 2, "LoRA + decay 0.9": ("1" * 50,) * 2})
    found = script("strategies_verdicts").verdicts(runs, "full")
    assert [(one.name, one.other, one.said) for one in found] == [
        ("LoRA", "full", "better"),
        ("LoRA + decay 0.9", "full", "better"),
        ("LoRA + decay 0.9", "LoRA", "not told apart"),
    ]


def test_all_that_the_seeds_do_not_tell_apart_take_least():
    runs = script("strategies_runs")
    seconds = {"a": (70.0, 80.0), "b": (79.0, 90.0), "c": (81.0, 85.0), "d": (60.0, 100.0)}
    made = [
        runs.Done(**{**vars(one), "whole_seconds": seconds[one.job.method][one.job.seed]})
        for one in of_rights(**dict.fromkeys(seconds, ("1", "1")))
    ]
    least = script("strategies_verdicts").least
    assert least(made, list(seconds), lambda one: one.whole_seconds) == ["a", "b", "d"]  # c begins above 80
    assert least(made, ["b", "c"], lambda one: one.whole_seconds) == ["c", "b"]


def test_methods_that_answer_as_the_first_does_are_named():
    runs = of_rights(full=("110", "101"), soup=("110", "111"), other=("011", "011"))
    assert script("strategies_verdicts").same_answers(runs, "full") == {"soup": [0]}


def test_where_runs_differ_in_machine_or_rows_the_page_lists_all(tmp_path):
    runs, page = script("strategies_runs"), script("strategies_page").page
    made = whole_study(tmp_path, study())
    other = {
        "processor": "another",
        "threads": 1,
        "versions": {**VERSIONS, "torch": "2.0"},
        "data": {**ENVIRONMENT["data"], "eval": "fedcba9876543210"},
    }
    made[-1] = runs.Done(**{**vars(made[-1]), "environment": other})
    text = page(study(), made, "clinc150", "Other work ran too:\nseconds are upper bounds.")
    assert "- Machine: a processor and another (runs differ); bf16; python 1.0, hfft 1.0, torch 1.0 and 2.0" in text
    assert "torch 1.0 and 2.0 (runs differ), transformers 1.0" in text
    assert "0123456789ab and fedcba987654 (runs differ) (validation), 0123456789ab (test)" in text
    assert "1 thread(s), 2 run(s) at a time. Other work ran too: seconds are upper bounds.\n" in text
    plain = page(study(), made[:-1], "clinc150")
    assert "1 thread(s), 2 run(s) at a time.\n" in plain
    assert "runs differ" not in plain


def test_settings_of_both_parts_are_there_where_they_differ(tmp_path):
    made = study(whole_epochs=1)
    text = script("strategies_settings").overrides(made, whole_study(tmp_path, made))
    assert "`optim.warmup=0.1`; on all rows `train.epochs=1`" in text
    assert "- soup: `train.soup=5` `train.keep_best=accuracy` `train.eval_every=null`; on all rows " in text
    assert text.endswith("; on all rows `train.eval_every=0.1`")
    assert "- LoRA: `tune.adapter={name: lora}`\n" in text
    fewer = study(whole_epochs=1, best=1)  # soup does not go on
    assert (
        script("strategies_settings").overrides(fewer, whole_study(tmp_path, fewer)).endswith("`train.eval_every=null`")
    )


def test_the_page_says_where_the_defaults_lie(tmp_path):
    settings = script("strategies_settings")
    text = settings.defaults(study(), whole_study(tmp_path, study()))
    assert "- `full` (full, soup): 2e-05, below all rates tried (0.0002 to 0.001), so what it gives was not" in text
    assert "Chosen: 0.0005, 25 times the default." in text
    assert (
        "- `head` (head only): 0.001, within the rates tried (0.001 to 0.01), at their lower end. Chosen: 0.003" in text
    )
    assert settings.beside(0.02, (0.001, 0.01)).startswith("above all rates tried (0.001 to 0.01)")
    assert settings.beside(0.002, (0.001, 0.01)) == "within the rates tried (0.001 to 0.01)"


def test_an_order_that_helps_soup_says_so_where_it_is_left_out(tmp_path):
    made = study(best=1)
    text = script("strategies_settings").ranking(made, whole_study(tmp_path, made))
    assert text.startswith("Highest mean validation accuracy above, full aside: LoRA. ")
    assert text.endswith("it is not among them even so.")


def test_best_rates_at_an_end_are_named(tmp_path):
    runs, page = script("strategies_runs"), script("strategies_settings")
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
    arguments = [*places, *counts.split(), "--methods", "head only", "--note", "All alone."]
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
    assert "1 run(s) at a time. All alone." in text
    assert str(tmp_path) not in text
    page.unlink()
    monkeypatch.setattr(sys, "argv", ["strategies.py", *arguments, "--page-only"])
    script("strategies").main(lambda function, *given: pytest.fail("a run is done anew"))
    assert page.read_text(encoding="utf-8") == text
