"""Laws 2 to 6 for every strategy on every architecture: one run of each, looked at from all sides."""

from __future__ import annotations

import pytest

from hfft.testing import assert_alike, assert_same_run, check_groups, check_moves, cut_off, losses, predictions
from tests.laws.kinds import assert_adapter_gives_what_merged_does, kind_of, questions
from tests.laws.runs import STRATEGIC, STRATEGIES, assembled, finished, keep_best, launch, no_dropout, train, tuning
from tests.product import first_of_all

STEPS = 10
LENGTH = ["train.epochs=null", f"train.steps={STEPS}", "train.checkpoint_every=1", "train.keep_checkpoints=99"]
CUTS = (4, 7)  # after the fourth step a phase begins, and after the seventh, of some strategies, none does
CHANGING = ("unfreeze", "probe", "unfreeze+decay", "soup")
"""Strategies of which one step is not like another: they are cut in both places, the others in one; all of them in both
with an average of the weights."""
EMA = "train.ema=0.9"


def given(tiny, task, strategy):
    """A recipe and its overrides."""
    recipe = tiny(task)
    return recipe, [*LENGTH, "train.eval_every=2", keep_best(task, recipe), *tuning(task, strategy)]


TELLING = {
    "translation": ("freeze half", "decay and floor", "reinit", "unfreeze+decay", "dora"),
    "image-classification": ("decay and below", "probe", "rslora, lora+", "freeze+lora"),
    "conv": ("freeze half", "unfreeze", "ia3", "loha", "decay+lora"),
}
"""Strategies whose code meets something new in an architecture: two stacks, tables that are tied, convolutions."""
TRIED_ON = {**TELLING, "text-classification": set(STRATEGIES) - {name for names in TELLING.values() for name in names}}
"""What is tried in every run of the tests: each strategy on one architecture or two. The others are `wide`."""
TRIED = first_of_all(STRATEGIC, [case for case in STRATEGIC if case[1] in TRIED_ON[case[0]]])


@pytest.mark.parametrize(("task", "strategy"), TRIED)
def test_what_the_table_says_is_what_happens_and_the_run_goes_on_and_is_saved(tiny, plain, tmp_path, task, strategy):
    keeps_the_laws(tiny, plain, tmp_path, task, strategy)


@pytest.mark.wide
@pytest.mark.parametrize(("task", "strategy"), STRATEGIC)
def test_an_average_of_the_weights_goes_with_every_strategy(tiny, plain, tmp_path, task, strategy):
    keeps_the_laws(tiny, plain, tmp_path, task, strategy, EMA)


HERE = [("text-classification", "unfreeze+decay"), ("conv", "freeze+decay+lora")]
"""What is tried over processes in every run of the tests; the others are `wide`."""
SHARED = first_of_all(STRATEGIC, HERE)


@pytest.mark.parametrize(("task", "strategy"), SHARED)
def test_two_processes_are_one_run_with_every_strategy(tiny, tmp_path, task, strategy):
    recipe, overrides = given(tiny, task, strategy)
    overrides += [*no_dropout(task), *(["tune.adapter.dropout=0"] if strategy == "lora" else [])]
    start = check_groups(assembled(recipe, *overrides))
    finished(launch(recipe, tmp_path / "run", *overrides, processes=2))
    assert check_moves(start, tmp_path / "run") == STEPS
    cut_off(tmp_path / "run", tmp_path / "cut", CUTS[0] if strategy in CHANGING else CUTS[1])
    finished(launch(recipe, tmp_path / "cut", *overrides, processes=2))
    assert_same_run(tmp_path / "cut", tmp_path / "run")
    train(recipe, tmp_path / "one", *overrides)
    assert losses(tmp_path / "run") == pytest.approx(losses(tmp_path / "one"), rel=1e-5, abs=1e-5)


def keeps_the_laws(tiny, plain, place, task, strategy, *more):
    """Laws 3 to 6, of one process."""
    recipe, overrides = given(tiny, task, strategy)
    overrides += more
    start = check_groups(assembled(recipe, *overrides))
    train(recipe, place / "run", *overrides)
    assert check_moves(start, place / "run") == STEPS
    goes_on(recipe, overrides, place, CUTS if more or strategy in CHANGING else CUTS[1:])
    is_saved(task, recipe, plain, place)


def goes_on(recipe, overrides, place, cuts):
    """Law 3: cut where a phase begins and amid one, a resumed run equals the unbroken one to the bit."""
    for step in cuts:
        cut_off(place / "run", place / f"cut{step}", step)
        train(recipe, place / f"cut{step}", *overrides)
        assert_same_run(place / f"cut{step}", place / "run")


def is_saved(task, recipe, plain, place):
    """Law 4: plain transformers gives the same answers; an adapter by itself gives the logits of the merged model."""
    run, kind = place / "run", kind_of(task, recipe)
    said = plain(kind.asked, run / "model", questions(task, recipe, place))
    assert_alike(said, [{name: row[name] for name in said[0]} for row in predictions(run)])
    if (run / "adapter").exists():
        assert_adapter_gives_what_merged_does(task, recipe, run)
