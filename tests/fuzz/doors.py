"""The command line in this process, watched: what it prints, how it ends, and that it ends at all."""

from __future__ import annotations

import io
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import FrameType

from hfft.cli import main
from hfft.errors import visible

SECONDS = 60  # what a command on tiny data takes at most; the slowest seen took four
LEFT_OUT = re.compile(r"^([\w-]*): ([0-9]+) of ([0-9]+) rows .*left out", re.MULTILINE)


def run(*arguments: str) -> tuple[int, str, str]:
    """Runs a command: exit code, standard output, standard error. Whatever else it raises is raised here too."""
    out, err = io.StringIO(), io.StringIO()
    with _within(SECONDS), redirect_stdout(out), redirect_stderr(err):
        try:
            main(list(arguments))
        except SystemExit as stop:
            return int(stop.code or 0), out.getvalue(), err.getvalue()
    raise AssertionError("the command did not exit")


def sound_or_refused(*arguments: str) -> str | None:
    """Runs a command that has to end well, whose output is given, or be refused with one message: then None."""
    code, out, err = run(*arguments)
    assert "Traceback" not in out + err, err
    if code == 0:
        return out
    assert code == 2, f"exit code {code}: {err}"
    assert err.startswith("Error: "), err
    assert visible(err) == err, repr(err)
    assert len(err) < 3000, f"a message of {len(err)} characters: {err[:300]}"
    return None


def left_out(warnings: list[str], split: str) -> int:
    """How many rows of a split are named as left out."""
    found = LEFT_OUT.findall("\n".join(warnings))
    return sum(int(count) for name, count, _ in found if name == split)


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in what takes longer."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
