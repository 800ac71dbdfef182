"""The one way in: runs the command line, and says with which exit code it ends."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import sys
import time

from hfft.cli.app import app
from hfft.errors import DiskError, HfftError, Stopped
from hfft.io.run_folder import FULL, refusal

READER_GONE = 141  # as shells have it of a program that SIGPIPE ended


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 2 the user's to mend, 130 or 143 stopped by a signal, 1 anything else.

    141 where nobody reads what is printed any more, as behind `| head -1`. HFFT_TRACEBACK=1 shows the traceback of
    errors that are the user's to mend.
    """
    _write_utf8()
    # Python looks through all objects for cycles as it ends: of torch and transformers 2 s after the last line.
    # Handlers run in the reverse order: this one behind those of the libraries, which have cleaned up by then.
    atexit.register(gc.freeze)
    try:
        try:
            app(args=arguments, prog_name="hfft")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python tries once more as it ends
        sys.exit(READER_GONE)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # typer and rich leave with 1
            sys.exit(READER_GONE)
        raise
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
