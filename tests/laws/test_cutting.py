"""Laws 1, 2 and 8: how a batch is cut, into micro-batches and over processes, does not matter."""

from __future__ import annotations

from typing import Any

import pytest

import hfft
from hfft.data.sampling import epoch_batches
from hfft.io.run_folder import read_json
from hfft.tasks import TASKS
from hfft.testing import assembled, check_batch_size, check_micro_batches, losses, predictions
from tests.laws.runs import CASES, LAWFUL, OWN_BATCHES, finished, launch, no_dropout, train, trusted, tuning, unscored
from tests.tiny import EXAMPLES, VARIANTS

SHORT = ["train.epochs=null", "train.steps=12", "train.log_every=1"]  # of 61 rows: the last of epoch 1 is a short one
SAVED_ONCE = ["train.checkpoint_every=12"]
ONCE = [*SAVED_ONCE, "train.eval_every=12"]
"""Scored and saved at the end alone."""


def test_every_task_has_a_tiny_example():
    from tests.tiny import TASKS as TINY

    assert set(TINY) == set(TASKS)


ON_GRADIENTS = ("biases", "unfreeze+decay", "probe", "l2_sp", "dora")
"""Strategies that change what is summed up over micro-batches, or when."""


@pytest.mark.parametrize(
    ("task", "strategy"), [*CASES, *(("text-classification", strategy) for strategy in ON_GRADIENTS)]
)
def test_micro_batches_do_not_change_the_losses(tiny, tmp_path, task, strategy):
    overrides = [*SHORT, *SAVED_ONCE, *no_dropout(task), *tuning(task, strategy)]
    if "lora" in strategy:
        overrides.append("tune.adapter.dropout=0")

    # Single rows are the slowest of cuts, and no strategy knows how large a part is: they are tried without one.
    sizes = (3, 1) if strategy == "full" else (3,)
    recipe = hfft.Recipe.from_dict(unscored(tiny(task)), *overrides)
    check_micro_batches(recipe, tmp_path, sizes, trusted(tiny(task)))
    assert len(losses(tmp_path / "of_None")) == 12


def test_class_weights_and_smoothing_are_cut_right_too(tiny, tmp_path):
    weighted = ["task.class_weights=balanced", "task.label_smoothing=0.1"]
    overrides = [*SHORT, *SAVED_ONCE, *no_dropout("text-classification"), *weighted]
    check_micro_batches(hfft.Recipe.from_dict(unscored(tiny("text-classification")), *overrides), tmp_path, (3,))


@pytest.mark.parametrize("grouping", [False, "micro", True])
def test_how_batches_are_grouped_is_a_setting_and_breaks_no_law(tiny, tmp_path, grouping):
    given = f"train.group_by_length={str(grouping).lower()}"
    values, overrides = unscored(tiny("text-classification")), [*no_dropout("text-classification"), given]
    recipe = hfft.Recipe.from_dict(values, *overrides)
    made = assembled(recipe)
    lengths = made.prepared.splits["train"].lengths
    wanted = [batch.tolist() for epoch in (0, 1) for batch in epoch_batches(61, 8, 0, epoch, lengths, grouping)]
    found = [[row for part in step.micro_batches for row in part.ids] for step in made.run.batches(0, 16)]
    assert found == wanted
    check_batch_size(recipe, tmp_path)
    check_micro_batches(hfft.Recipe.from_dict(values, *SHORT, *overrides), tmp_path, (3,))


def test_rows_without_a_length_cannot_be_grouped_by_it(tiny):
    recipe = hfft.Recipe.from_dict(tiny("image-classification"), "train.group_by_length=true")
    assert "train.group_by_length has no effect: these rows have no length." in assembled(recipe).warnings


# Processes, and rows to score: fewer than processes, not a multiple of them, and many batches.
SHARED: list[Any] = [("text-classification", 3, 1, 41), ("summarization", 3, 7, 41), ("several-labels", 3, 7, 41)]
SHARED += [("mixed-images", 3, 7, 41), ("conv", 2, 41, 7), ("long-documents", 3, 41, 7)]
SHARED += [("translation", 2, 41, 1), ("outside", 2, 41, 1)]
MORE = [(task, 2, 41, 1) for task in LAWFUL if task not in ("translation", "outside")]
MORE += [(task, 3, 7, 101) for task in LAWFUL]
SHARED += [pytest.param(*case, marks=pytest.mark.wide) for case in MORE]


@pytest.mark.parametrize(("task", "processes", "eval_rows", "test_rows"), SHARED)
def test_processes_do_not_change_losses_and_scores(tiny, tmp_path, task, processes, eval_rows, test_rows):
    recipe = tiny(task)
    files = {"train": recipe["data"]["files"]["train"], "test": list(recipe["data"]["files"].values())}
    data = {**recipe["data"], "files": files, "eval": f"test[:{eval_rows}]", "test": f"test[-{test_rows}:]"}
    overrides = [*SHORT, *ONCE, *no_dropout(task), "train.micro_batch_size=2"]
    one = train({**recipe, "data": data}, tmp_path / "one", *overrides)
    printed = finished(launch({**recipe, "data": data}, tmp_path / "more", *overrides, processes=processes))
    assert printed.startswith(f"{processes} process(es)")
    assert printed.count("run folder") == 1
    assert losses(tmp_path / "more") == pytest.approx(losses(tmp_path / "one"), rel=1e-5, abs=1e-5)
    results = read_json(tmp_path / "more" / "results.json")
    for split, rows in (("eval", eval_rows), ("test", test_rows)):
        alone, together = predictions(tmp_path / "one", split), predictions(tmp_path / "more", split)
        assert [row["id"] for row in together] == list(range(rows))
        assert [row["answer"] for row in together] == [row["answer"] for row in alone]
        values = {name: entry["value"] for name, entry in one.scores[split].items()}  # ranks of near ties may turn
        assert {name: entry["value"] for name, entry in results[split].items()} == pytest.approx(values, abs=1e-3)


# Of a stream nobody counts the rows. Whom an image is mixed with hangs on its batch, and so what it contributes; all
# other views are functions of (seed, epoch, id), and an epoch shows the same ones however it is batched.
HANGS_ON_BATCHES = ("streaming", "mixed-images")


BATCHED: list[Any] = [
    pytest.param(task, marks=pytest.mark.wide if task in VARIANTS and task not in OWN_BATCHES else [])
    for task in [*EXAMPLES, "outside"]
    if task not in HANGS_ON_BATCHES
]


@pytest.mark.parametrize("task", BATCHED)
def test_an_epoch_of_grouped_batches_weighs_every_sample_once(tiny, tmp_path, task):
    recipe = hfft.Recipe.from_dict(unscored(tiny(task)), *no_dropout(task))
    check_batch_size(recipe, tmp_path, trusted(tiny(task)))
