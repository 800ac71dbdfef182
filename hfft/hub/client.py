"""The Hub's client, kept calm: what it raises becomes an error in plain words, and it says nothing of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from huggingface_hub.utils import logging as client_logging

from hfft.errors import HfftError
from hfft.hub_access import FAILURES, plainly


@contextmanager
def told(doing: str, repo: str, revision: str | None = None) -> Iterator[None]:
    """Turns what the client raises inside into a SetupError in plain words."""
    try:
        yield
    except HfftError:
        raise
    except FAILURES as error:
        raise plainly(error, doing, repo, revision) from error


@contextmanager
def calm() -> Iterator[None]:
    """The client says nothing of its own while inside, and shows progress to people only.

    It names signed addresses in its warnings; what fails in the end is said in plain words.
    """
    level, shown = client_logging.get_verbosity(), not are_progress_bars_disabled()
    client_logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield
    finally:
        client_logging.set_verbosity(level)
        if shown:
            enable_progress_bars()
