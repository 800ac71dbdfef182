"""Trainings in processes of their own that cost no imports: forked from one that has imported everything, once.

A process that starts from nothing spends seconds on importing torch and its company; a forked one is the same process
without them. Several are started as `torchrun` starts them, and all end when one has failed. How real launchers pass on
signals and messages is another matter: laws that speak of that start theirs as users do.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import wait
from pathlib import Path

from hfft.tasks import TASKS

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["hfft.api", "hfft.cli", *{place.partition(":")[0] for place in TASKS.values()}])


class Forked:
    """A training of one or several processes, with the methods of `subprocess.Popen` that the laws use.

    Args:
        arguments: Of the command.
        environments: The whole environment of each process.
        folder: Where they work, and where what they print is kept.
        command: Of hfft.
    """

    def __init__(
        self, arguments: Sequence[str], environments: Sequence[dict[str, str]], folder: Path, command: str = "train"
    ):
        number = len(list(folder.glob("printed-*.out")))
        self.printed = folder / f"printed-{number}.out", folder / f"printed-{number}.err"
        for file in self.printed:
            file.touch()
        printed = [str(file) for file in self.printed]
        self.processes = [
            FORKING.Process(target=_run, args=([command, *arguments], environment, str(folder), printed))
            for environment in environments
        ]
        for process in self.processes:
            process.start()

    @property
    def pid(self) -> int:
        """Of the first process."""
        return self.processes[0].pid or 0

    @property
    def returncode(self) -> int | None:
        """None while one of them lives; that of the first that failed; 0."""
        codes = [process.exitcode for process in self.processes]
        return None if None in codes else next((code for code in codes if code), 0)

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends all of them a signal."""
        for process in self.processes:
            os.kill(process.pid or 0, number)

    def kill(self) -> None:
        """Kills all that live."""
        for process in self.processes:
            process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for the end and returns what was printed. All end when one has failed, or when the time is over."""
        end = None if timeout is None else time.monotonic() + timeout
        while alive := [process.sentinel for process in self.processes if process.exitcode is None]:
            ended = wait(alive, None if end is None else max(end - time.monotonic(), 0))
            if not ended or any(process.exitcode for process in self.processes):
                self.kill()
            if not ended:
                raise subprocess.TimeoutExpired("hfft train", timeout or 0.0, *self._read())
        return self._read()

    def _read(self) -> tuple[str, str]:
        out, err = (file.read_text(encoding="utf-8") for file in self.printed)
        return out, err


def _run(arguments: list[str], environment: dict[str, str], folder: str, printed: list[str]) -> None:
    """What the forked process does: `python -m hfft.cli` with these arguments, there and with this environment."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.stdout, sys.stderr = (open(file, "a", encoding="utf-8", buffering=1) for file in printed)  # noqa: SIM115
    os.dup2(sys.stdout.fileno(), 1)
    os.dup2(sys.stderr.fileno(), 2)
    from hfft.cli import main

    # multiprocessing has set that of this process itself, for workers of its own too
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    try:
        main(arguments)
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)  # else multiprocessing prints it its own way
        sys.exit(1)
