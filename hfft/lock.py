"""One run at a time in a folder: two that write the same files would make neither's."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from hfft.errors import SetupError
from hfft.folder import RunFolder, read_json, write_json


@contextlib.contextmanager
def alone_in(folder: RunFolder) -> Iterator[None]:
    """Keeps other runs out of a run folder while inside; makes the folder. For the main process alone.

    The operating system holds the lock and drops it with the process, however that ends: a killed run locks nobody out.
    Nothing is left in the folder, except by a kill.

    Raises:
        SetupError: Another run is in the folder, or the folder cannot be written to.
    """
    folder.create()
    lock = FileLock(folder.lock, fallback_to_soft=False)  # a soft one would outlive a killed run
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise SetupError(
            f"Another run is at work in {folder.path}{_described(folder.holder)}. Wait for its end, or choose another "
            "folder with --output."
        ) from None
    except (OSError, NotImplementedError) as error:  # Timeout is an OSError too
        warnings.warn(f"{folder.path} cannot be locked ({error}): start no second run there.", stacklevel=2)
        yield
        return
    try:
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(folder.holder, {"process": os.getpid(), "host": socket.gethostname(), "since": since})
        yield
    finally:
        folder.holder.unlink(missing_ok=True)
        with contextlib.suppress(PermissionError):  # Windows removes it itself, after the release
            folder.lock.unlink(missing_ok=True)  # while it is held: who has opened it sees that it is gone, and retries
        lock.release()


def _described(holder: Path) -> str:
    """Who is in the folder; nothing where that cannot be read, because it comes or goes at this very moment."""
    try:
        told = read_json(holder)
        return f": process {told['process']} on {told['host']}, since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
