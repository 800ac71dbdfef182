"""Stops a run, with a checkpoint of its last step, when the machine is taken away or a person presses Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hfft.errors import Stopped
from hfft.training.callbacks.checkpoint import Checkpoint
from hfft.training.evaluation import Interrupted
from hfft.training.loop import STOP_CHECK_STEPS, Run, StepReport

HEARD = (signal.SIGTERM, signal.SIGINT)

_pipes: list[socket.socket] = []  # open ones


class StopOnSignal:
    """Looks after each step whether a signal came; with several processes every few steps, all of them together.

    Args:
        checkpoint: Saves the run.
    """

    def __init__(self, checkpoint: Checkpoint):
        self.checkpoint = checkpoint

    def __call__(self, run: Run, report: StepReport) -> None:
        """Raises Stopped after a checkpoint of this very step, where a signal came."""
        if run.accelerator.num_processes == 1 or report.step % STOP_CHECK_STEPS == 0:
            self.stop_if_asked(run)

    def stop_if_asked(self, run: Run) -> None:
        """Saves and raises Stopped where a signal came. All processes call it."""
        number = run.asked_to_stop()
        if number:
            self.checkpoint.save(run)
            place = self.checkpoint.folder.checkpoint(run.progress.step)
            name = signal.Signals(number).name
            raise Stopped(
                f"Stopped by {name} after step {run.progress.step}. Checkpoint: {place}. The same command goes on from "
                "there.",
                number,
            )


@contextmanager
def listening(run: Run) -> Iterator[None]:
    """Turns SIGTERM and SIGINT into a flag of the run while inside; a second one of the same kind ends the process.

    Where one of several processes fails, its launcher ends the others by SIGTERM. That is no wish for a checkpoint,
    which takes all of them: a process that breaks off with the flag up ends by the signal, and so without a word.

    Does nothing in threads other than the main one, which cannot listen.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: Any) -> None:
        run.signal = number
        if run.waiting and run.accelerator.num_processes == 1:
            run.waiting = False
            raise Interrupted  # the batch may never come; the run stands at a step's end

    before = {number: signal.signal(number, note) for number in HEARD}
    abandoned = False
    try:
        with _ending_at_the_second():
            yield
    except Exception as error:
        abandoned = (
            not isinstance(error, Stopped) and run.signal == signal.SIGTERM and run.accelerator.num_processes > 1
        )
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if abandoned:
            signal.raise_signal(signal.SIGTERM)


@contextmanager
def _ending_at_the_second() -> Iterator[None]:
    """Ends the process at once, as the signal would, when one of HEARD comes a second time, whatever it is doing.

    Python calls its handlers between two steps of Python alone, and a process that waits for others in a collective
    operation makes none. A thread is told of each signal by a pipe that the system's own handler writes to.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    replaced = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    _pipes.append(writer)
    threading.Thread(target=_count, args=(reader,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(replaced)
        _pipes.remove(writer)
        writer.close()  # which ends the thread


def _say_nothing_in_workers() -> None:
    """A loader's process gets Ctrl-C too: by the pipe it has from its parent that would hear of a second one."""
    if _pipes:
        signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_say_nothing_in_workers)


def _count(reader: socket.socket) -> None:
    seen: set[int] = set()
    with reader:
        while told := reader.recv(1):
            number = told[0]
            if number in seen:
                os._exit(128 + number)  # as shells have it
            seen |= {number} & set(HEARD)
