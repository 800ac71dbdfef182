"""A disk that is full: one message, nothing half, and the same command goes on."""

from __future__ import annotations

import re
import resource
from contextlib import contextmanager

import pytest

import hfft
from hfft.errors import DiskError
from hfft.testing import assert_same_run
from tests.laws.runs import launch, train
from tests.laws.test_resuming import wait_for

EVERY_TWO = ["train.epochs=null", "train.steps=6", "train.checkpoint_every=2", "train.eval_every=6"]
EVERY_TWO += ["train.keep_checkpoints=2"]


@contextmanager
def no_file_above(size):
    """This process may write no larger file: what a writer sees of it is what a full disk shows."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_at_a_checkpoint_loses_nothing_that_was_whole(tiny, tmp_path):
    recipe = tiny("text-classification")
    train(recipe, tmp_path / "whole", *EVERY_TWO)
    planned = hfft.plan(hfft.Recipe.from_dict(recipe, *EVERY_TWO), output=tmp_path / "other").disk
    saved = [file.stat().st_size for file in (tmp_path / "whole").rglob("*.safetensors")]
    assert sum(saved) < planned["total"] < 1.5 * sum(saved)  # one more checkpoint may be there while it is written
    weights = next((tmp_path / "whole").glob("checkpoints/*/model.safetensors")).stat().st_size
    with (
        no_file_above(weights + 100),
        pytest.raises(
            DiskError, match=r"checkpoints/step-00000002 cannot be written: File too large.*no checkpoint yet"
        ),
    ):
        train(recipe, tmp_path / "run", *EVERY_TWO)
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []
    train(recipe, tmp_path / "run", *EVERY_TWO)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_a_disk_on_which_the_run_has_no_room_is_told_before_it_begins(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("hfft.workflows.sizes.room_at", lambda path: (tmp_path, 100_000))
    recipe, told = (
        tiny("text-classification"),
        r"The run needs about .* MiB on the disk of .* of which 0.1 MiB are free",
    )
    with pytest.raises(DiskError, match=rf"{told}.*There is no checkpoint yet"):
        train(recipe, tmp_path / "run")
    assert [text for text in hfft.plan(hfft.Recipe.from_dict(recipe)).warnings if re.match(told, text)]


def test_all_processes_end_with_the_message_of_the_one_that_cannot_write(tiny, tmp_path):
    overrides = ["train.epochs=400", "train.eval_every=3200", "train.checkpoint_every=4"]
    process = launch(tiny("text-classification"), tmp_path / "run", *overrides, processes=2)
    wait_for(lambda: len(list((tmp_path / "run" / "checkpoints").glob("step-*"))) >= 1, process)
    for each in process.processes:
        resource.prlimit(each.pid or 0, resource.RLIMIT_FSIZE, (20_000, 20_000))
    for each in process.processes:
        each.join(60)
    assert [each.exitcode for each in process.processes] == [2, 2]
    _, err = process.communicate()
    assert "Traceback" not in err
    assert err.count("cannot be written: File too large") == 2
    assert err.count("The last whole checkpoint is") == 2
