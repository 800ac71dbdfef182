"""Signals: a flag while a run listens, and an end without a word for a process whose run is broken anyway."""

from __future__ import annotations

import os
import signal
import time
import warnings
from types import SimpleNamespace
from typing import Any

import pytest

from hfft.errors import Stopped
from hfft.training.callbacks.stop import listening


@pytest.fixture
def heard():
    """The signals that arrive outside of `listening`."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


def run_of(processes: int) -> Any:
    return SimpleNamespace(signal=0, waiting=False, accelerator=SimpleNamespace(num_processes=processes))


def end_after_a_signal(run: Any, error: Exception) -> None:
    with listening(run):
        signal.raise_signal(signal.SIGTERM)
        raise error


@pytest.mark.parametrize("processes", [1, 2])
def test_a_signal_is_noted_and_goes_no_further(heard, processes):
    run = run_of(processes)
    with pytest.raises(Stopped):
        end_after_a_signal(run, Stopped("with a checkpoint", signal.SIGTERM))
    assert (run.signal, heard) == (signal.SIGTERM, [])


@pytest.mark.parametrize(("processes", "arriving"), [(1, []), (2, [signal.SIGTERM])])
def test_a_launcher_that_ends_a_broken_run_is_obeyed(heard, processes, arriving):
    with pytest.raises(RuntimeError, match="Connection closed"):
        end_after_a_signal(run_of(processes), RuntimeError("Connection closed by peer"))
    assert heard == arriving


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_signal_to_a_worker_is_none_to_its_parent():
    """Ctrl-C goes to all processes of a terminal: to the parent it is one, and not the second that would end it."""
    run = run_of(1)
    with listening(run):
        signal.raise_signal(signal.SIGINT)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child makes no use of any
            child = os.fork()
        if child == 0:
            signal.raise_signal(signal.SIGINT)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        time.sleep(0.2)
    assert run.signal == signal.SIGINT
