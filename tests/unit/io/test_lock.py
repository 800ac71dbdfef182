"""The lock of a run folder: for one run at a time, and gone with it."""

from __future__ import annotations

import os
import socket

import pytest

import hfft
from hfft.errors import HfftError, SetupError
from hfft.io.run_folder import RunFolder, alone_in, read_json


def test_the_lock_names_its_holder_while_it_is_held_and_leaves_nothing(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "first")
    for _ in range(2):
        with alone_in(folder):
            told = read_json(folder.holder)
            assert (told["process"], told["host"]) == (os.getpid(), socket.gethostname())
        assert list(folder.path.iterdir()) == []


def test_who_comes_second_is_told_who_is_there(tmp_path):
    folder = RunFolder(tmp_path)
    with alone_in(folder):
        with (
            pytest.raises(SetupError, match=rf"Another run is at work in .*: process {os.getpid()} on .*, since 2"),
            alone_in(RunFolder(tmp_path)),
        ):
            pytest.fail("both are in")
        folder.holder.write_text("{")
        with pytest.raises(SetupError, match=r"at work in [^:]*\. Wait for its end"), alone_in(folder):
            pytest.fail("both are in")


def test_an_error_gives_the_folder_free(tmp_path):
    folder = RunFolder(tmp_path)
    with pytest.raises(KeyboardInterrupt), alone_in(folder):
        raise KeyboardInterrupt
    with alone_in(folder):
        pass


def test_a_run_that_failed_can_be_made_again_in_the_same_process(tiny, tmp_path):
    recipe = tiny("text-classification")
    wrong = hfft.Recipe.from_dict(recipe, "data.files.train=missing.csv")
    with pytest.raises(HfftError, match=r"missing\.csv"):
        hfft.train(wrong, output=tmp_path / "run", quiet=True)
    right = hfft.Recipe.from_dict(recipe, "train.epochs=1")
    first = hfft.train(right, output=tmp_path / "run", quiet=True)
    assert hfft.train(right, output=tmp_path / "run", quiet=True).scores == first.scores
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]
