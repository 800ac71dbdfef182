"""What a frozen trunk makes of examples is computed once: what is learnt stays as it is, whatever befalls the files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hfft
from hfft.testing import assert_same_run, check_cache, check_resume, losses, tensors
from tests.laws.runs import LAWFUL, finished, launch, train, trusted, tuning
from tests.product import first_of_all
from tests.tiny import VARIANTS

EPOCHS = ["train.epochs=3", "train.eval_every=1.0", "train.log_every=1"]
LENGTH = {"streaming": ["train.steps=24", "train.eval_every=8"]}

NOT_KEPT = {
    ("streaming", "freeze"): None,
    ("streaming", "head"): None,
    ("mixed-images", "freeze"): "mixed ones cannot be kept",
    ("mixed-images", "head"): "mixed ones cannot be kept",
    ("outside", "freeze"): "a batch has other rows than its examples",
    ("outside", "head"): "a batch has other rows than its examples",
    **{(task, "freeze"): "dropout in front of them" for task in ("summarization", "translation", "references")},
}
"""Where it is computed each time, and what the plan says then."""
FROZEN = [(task, strategy) for task in (*LAWFUL, *VARIANTS) for strategy in ("freeze", "head")]
EVERY_RUN = [
    *(("text-classification", strategy) for strategy in ("freeze", "head")),
    *((task, "head") for task in ("translation", "streaming", "outside", "windows", "question-answering")),
    *((task, "freeze") for task in ("summarization", "mixed-images", "conv", "image-folder", "decoder")),
]


def frozen(task: str, recipe: dict[str, Any], strategy: str, *overrides: str) -> hfft.Recipe:
    """A recipe that freezes blocks. Images are shown by two views in turn where they are not mixed."""
    views = ["task.augment.views=1"] if recipe["task"]["name"] == "image-classification" else []
    return hfft.Recipe.from_dict(recipe, *LENGTH.get(task, EPOCHS), *views, *tuning(task, strategy), *overrides)


def state_files() -> list[Path]:
    return sorted(Path(os.environ["HFFT_CACHE"], "states").glob("*.arrow"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own for each test."""
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(("task", "strategy"), first_of_all(FROZEN, EVERY_RUN))
def test_what_is_kept_changes_nothing_that_is_learnt(tiny, tmp_path, task, strategy):
    recipe = frozen(task, tiny(task), strategy)
    said = hfft.plan(recipe, trust=trusted(tiny(task))).cache
    if (task, strategy) in NOT_KEPT:
        reason = NOT_KEPT[task, strategy]
        assert said == reason or (reason and said and reason in said)
        return
    assert said is not None
    assert said.startswith("Kept: what ")
    check_cache(recipe, tmp_path, trusted(tiny(task)))
    assert len(state_files()) == 2  # of train and eval


@pytest.mark.usefixtures("cache")
def test_half_an_encoder_without_dropout_is_kept_but_for_blocks_that_share_a_bias(tiny, tmp_path):
    t5, m2m = (frozen(task, tiny(task), "freeze", "model.dropout=0") for task in ("summarization", "translation"))
    assert "the bias of positions" in (hfft.plan(t5).cache or "")
    assert (hfft.plan(m2m).cache or "").startswith("Kept: what the lowest 1 of ")
    check_cache(m2m, tmp_path)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    "task", first_of_all(["text-classification", "image-classification", "translation"], ["image-classification"])
)
def test_a_run_goes_on_exactly_where_what_was_kept_is_gone(tiny, tmp_path, monkeypatch, task):
    recipe = frozen(task, tiny(task), "head", "train.checkpoint_every=2", "train.keep_checkpoints=99")
    whole = hfft.train(recipe, output=tmp_path / "whole", quiet=True).folder
    assert state_files()
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "another"))
    check_resume(recipe, tmp_path, [10], whole)
    assert state_files()


@pytest.mark.usefixtures("cache")
def test_images_are_shown_by_so_many_views_in_turn_whether_they_are_kept_or_not(tiny, tmp_path):
    recipe = frozen(
        "image-classification", tiny("image-classification"), "head", "train.epochs=4", "task.augment.views=2"
    )
    check_cache(recipe, tmp_path)
    assert len(state_files()) == 3  # two views, and eval


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("harm", ["a bit", "the end", "all of it"])
def test_a_damaged_file_is_made_again(tiny, tmp_path, harm):
    recipe = frozen("text-classification", tiny("text-classification"), "freeze")
    first = hfft.train(recipe, output=tmp_path / "first", quiet=True).folder
    file = max(state_files(), key=lambda each: each.stat().st_size)
    content = file.read_bytes()
    half = len(content) // 2
    flipped = content[:half] + bytes([content[half] ^ 64]) + content[half + 1 :]
    file.write_bytes({"a bit": flipped, "the end": content[:half], "all of it": b"no table"}[harm])
    second = hfft.train(recipe, output=tmp_path / "second", quiet=True).folder
    assert_same_run(first, second)
    assert file.read_bytes() == content


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("change", ["model", "rows"])
def test_what_another_run_kept_is_taken_only_where_all_is_the_same(tiny, tmp_path, change):
    given = tiny("text-classification")
    train(given, tmp_path / "first", *EPOCHS, *tuning("text-classification", "freeze"))
    known = set(state_files())
    train(
        given, tmp_path / "longer", *EPOCHS, *tuning("text-classification", "freeze"), "optim.lr=1e-3", "train.seed=3"
    )
    assert set(state_files()) == known
    more = {"model": ["model.dropout=0.2"], "rows": [f"data.files.train={given['data']['files']['test']}"]}[change]
    train(given, tmp_path / "other", *EPOCHS, *tuning("text-classification", "freeze"), *more)
    assert set(state_files()) > known


@pytest.mark.usefixtures("cache")
def test_it_is_kept_until_a_part_of_it_begins_to_learn(tiny, tmp_path):
    recipe = hfft.Recipe.from_dict(tiny("text-classification"), *EPOCHS, "tune.probe={epochs: 2}")
    assert (hfft.plan(recipe).cache or "").startswith("Kept up to step 16: what all blocks (encoder)")
    check_cache(recipe, tmp_path)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    "task", first_of_all(["text-classification", "image-classification", "translation"], ["text-classification"])
)
def test_several_processes_share_what_they_keep(tiny, tmp_path, task):
    overrides = [*EPOCHS, *tuning(task, "head"), "model.dropout=0"]
    overrides += ["task.augment.views=1"] if task == "image-classification" else []
    finished(launch(tiny(task), tmp_path / "two", *overrides, processes=2))
    assert len(state_files()) == 4  # each process has a part of train and of eval
    train(tiny(task), tmp_path / "one", *overrides, "tune.cache=off")
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), 1e-4, 1e-4)
    one, two = (tensors(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two"))
    for name, tensor in one.items():
        np.testing.assert_allclose(tensor, two[name], 1e-3, 1e-4, err_msg=name)


def test_nothing_is_kept_where_it_does_not_pay_or_is_not_wanted(tiny):
    given = tiny("text-classification")
    for more in (["train.epochs=1"], ["train.epochs=3", "tune.cache=off"], ["train.epochs=3", "tune.freeze=null"]):
        assert hfft.plan(hfft.Recipe.from_dict(given, "tune.freeze.blocks=1", *more)).cache is None
    dropped = hfft.plan(hfft.Recipe.from_dict(given, "train.epochs=3", "tune.freeze={blocks: 1, dropout: true}")).cache
    assert dropped is not None
    assert "a part of it is in training mode" in dropped
