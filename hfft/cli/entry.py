"""The one way in: runs the command line, and says with which exit code it ends."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time

from hfft.cli.app import app
from hfft.errors import DiskError, HfftError, Stopped
from hfft.io.run_folder import FULL, refusal


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 2 the user's to mend, 130 or 143 stopped by a signal, 1 anything else.

    HFFT_TRACEBACK=1 shows the traceback of errors that are the user's to mend.
    """
    _write_utf8()
    try:
        app(args=arguments, prog_name="hfft")
    except KeyboardInterrupt:
        sys.exit(130)
    except HfftError as error:
        together = isinstance(error, Stopped)  # all processes have agreed on it
        if not together:
            _let_others_speak_first()
        if os.environ.get("HFFT_TRACEBACK") == "1":
            raise
        if _is_first():
            sys.stderr.write(f"{'' if together else 'Error: '}{error}\n")
        elif not together:
            sys.stderr.write(f"process {os.environ['RANK']}: Error: {error}\n")
        sys.exit(error.exit_code)
    except Exception as error:
        _let_others_speak_first()
        if refusal(error) not in FULL:
            raise
        with contextlib.suppress(OSError):  # standard error may be a file on that very disk
            sys.stderr.write(f"Error: A disk is full: {error}\n")
        sys.exit(DiskError.exit_code)


def _write_utf8() -> None:
    """Has pipes and files get UTF-8, whatever letters are in it: Windows has a code page for them that lacks most."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=stream.encoding if stream.isatty() else "utf-8", errors="backslashreplace")


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _let_others_speak_first() -> None:
    """Waits a few seconds in a process that failed, where there are several, before it says so and ends.

    The first process that ends makes the launcher end all others at once. So what all of them have to say is said once,
    by the main one, whose turn comes first. What befell another alone is said by that one: until its turn the others
    wait for it in vain, and what they would say of its end they have no time to say.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        time.sleep(2 if _is_first() else 4 + int(os.environ.get("LOCAL_RANK", "0")))
