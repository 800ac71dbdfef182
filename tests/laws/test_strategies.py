"""Laws 2 to 6 for every strategy on every architecture: one run of each, looked at from all sides."""

from __future__ import annotations

import pytest
import torch

from hfft.io.run_folder import read_json
from hfft.tuning.blocks import plain_name
from tests.laws.kinds import assert_adapter_gives_what_merged_does, assert_alike, kind_of, questions
from tests.laws.runs import (
    STRATEGIC,
    STRATEGIES,
    assembled,
    cut,
    finished,
    keep_best,
    launch,
    losses,
    no_dropout,
    predictions,
    tensors,
    train,
    tuning,
)
from tests.laws.test_resuming import whole

STEPS = 10
LENGTH = ["train.epochs=null", f"train.steps={STEPS}", "train.checkpoint_every=1", "train.keep_checkpoints=99"]
CUTS = (4, 7)  # after the fourth step a phase begins, and after the seventh, of some strategies, none does
EMA = "train.ema=0.9"


def given(tiny, task, strategy):
    """A recipe and its overrides."""
    recipe = tiny(task)
    return recipe, [*LENGTH, "train.eval_every=2", keep_best(task, recipe), *tuning(task, strategy)]


TELLING = {
    "text-classification": tuple(STRATEGIES),
    "translation": ("freeze half", "decay and floor", "reinit", "unfreeze+decay", "dora"),
    "image-classification": ("decay and below", "probe", "rslora, lora+", "freeze+lora"),
    "conv": ("freeze half", "unfreeze", "ia3", "loha", "decay+lora"),
}
"""What is tried in every run of the tests: all strategies on one architecture; on each other one those whose code meets
something new there: two stacks, tables that are tied, convolutions. The others are `wide`."""
TRIED = [
    pytest.param(task, strategy, marks=[] if strategy in TELLING[task] else pytest.mark.wide)
    for task, strategy in STRATEGIC
]


@pytest.mark.parametrize(("task", "strategy"), TRIED)
def test_what_the_table_says_is_what_happens_and_the_run_goes_on_and_is_saved(tiny, plain, tmp_path, task, strategy):
    keeps_the_laws(tiny, plain, tmp_path, task, strategy)


@pytest.mark.wide
@pytest.mark.parametrize(("task", "strategy"), STRATEGIC)
def test_an_average_of_the_weights_goes_with_every_strategy(tiny, plain, tmp_path, task, strategy):
    keeps_the_laws(tiny, plain, tmp_path, task, strategy, EMA)


HERE = [("text-classification", "unfreeze+decay"), ("conv", "freeze+decay+lora")]
"""What is tried over processes in every run of the tests; the others are `wide`."""
SHARED = [pytest.param(*case, marks=[] if case in HERE else pytest.mark.wide) for case in STRATEGIC]


@pytest.mark.parametrize(("task", "strategy"), SHARED)
def test_two_processes_are_one_run_with_every_strategy(tiny, tmp_path, task, strategy):
    recipe, overrides = given(tiny, task, strategy)
    overrides += [*no_dropout(task), *(["tune.adapter.dropout=0"] if strategy == "lora" else [])]
    start = started(recipe, overrides)
    finished(launch(recipe, tmp_path / "run", *overrides, processes=2))
    moves_as_told(start, tmp_path / "run")
    cut(tmp_path / "run", tmp_path / "cut", CUTS[0])
    finished(launch(recipe, tmp_path / "cut", *overrides, processes=2))
    assert whole(tmp_path / "cut") == whole(tmp_path / "run")
    train(recipe, tmp_path / "one", *overrides)
    assert losses(tmp_path / "run") == pytest.approx(losses(tmp_path / "one"), rel=1e-5, abs=1e-5)


def keeps_the_laws(tiny, plain, place, task, strategy, *more):
    """Laws 3 to 6, of one process."""
    recipe, overrides = given(tiny, task, strategy)
    overrides += more
    start = started(recipe, overrides)
    train(recipe, place / "run", *overrides)
    moves_as_told(start, place / "run")
    goes_on(recipe, overrides, place)
    is_saved(task, recipe, plain, place)


def started(recipe, overrides):
    """Law 6, and the weights and buffers with which a run starts."""
    made = assembled(recipe, *overrides)
    model = made.run.accelerator.unwrap_model(made.run.model)
    names = {parameter: plain_name(name) for name, parameter in model.named_parameters()}
    in_blocks = [name for block in made.tuned.block_of.found for name in block.parameters]
    assert len(in_blocks) == len(set(in_blocks))
    told = {row.name: row for row in made.parameters}
    assert len(told) == len(made.parameters) == len(names)
    groups = [(parameter, group) for group in made.run.optimizer.param_groups for parameter in group["params"]]
    assert len(groups) == len({parameter for parameter, _ in groups})
    for parameter, group in groups:
        row = told[names[parameter]]
        peak = (group["initial_lr"], group["weight_decay"])
        assert (row.trainable, row.lr, row.weight_decay) == (True, *peak)
        assert parameter.requires_grad == (row.from_step == 1)
    for name in told.keys() - {names[parameter] for parameter, _ in groups}:
        row = told[name]
        assert (row.trainable, row.lr, row.weight_decay, row.from_step) == (False, 0, 0, 0)
    for parameter, name in names.items():
        assert parameter.requires_grad <= told[name].trainable
    return {
        name: tensor.detach().clone()
        for pairs in (model.named_parameters(), model.named_buffers())
        for name, tensor in pairs
    }


def moves_as_told(start, run):
    """Law 5: what the table calls frozen does not move by a bit; all else does, from its first step on, not before."""
    told = {row["name"]: row for row in read_json(run / "parameters.json")}
    for step in range(1, STEPS + 1):
        saved = tensors(run / "checkpoints" / f"step-{step:08d}" / "model.safetensors")
        for name, before in start.items():
            row = told.get(plain_name(name))
            if row is None:  # a buffer: no tiny example learns with statistics that move
                assert name not in saved or torch.equal(before, saved[name]), name
            elif step == STEPS or row["from_step"] == 0 or step < row["from_step"]:
                assert torch.equal(before, saved[name]) != (0 < row["from_step"] <= step), (name, step)


def goes_on(recipe, overrides, place):
    """Law 3: cut where a phase begins and amid one, a resumed run equals the unbroken one to the bit."""
    for step in CUTS:
        cut(place / "run", place / f"cut{step}", step)
        train(recipe, place / f"cut{step}", *overrides)
        assert whole(place / f"cut{step}") == whole(place / "run")


def is_saved(task, recipe, plain, place):
    """Law 4: plain transformers gives the same answers; an adapter by itself gives the logits of the merged model."""
    run, kind = place / "run", kind_of(task, recipe)
    said = plain(kind.asked, run / "model", questions(task, recipe, place))
    assert_alike(said, [{name: row[name] for name in said[0]} for row in predictions(run)])
    if (run / "adapter").exists():
        assert_adapter_gives_what_merged_does(task, recipe, run)
