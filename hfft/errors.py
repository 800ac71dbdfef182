"""The errors hfft raises for its users: each says what was found, what was expected, where, and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

SHORTEST_CUT = 2  # letters that may stand for a whole name


class HfftError(Exception):
    """Something the user can put right. The doors print its text without a traceback and exit with `exit_code`."""

    exit_code = 2


class RecipeError(HfftError):
    """A recipe, an override or a task option is wrong."""


class DataError(HfftError):
    """The data is missing, broken, or does not fit the recipe."""


class ModelError(HfftError):
    """The model is missing, broken, or does not fit the recipe."""


class SetupError(HfftError):
    """The machine, the installation or the output folder does not allow the run."""


class DiskError(SetupError):
    """A disk is full, read-only, or not this user's. What was whole before stays so."""


class TrainingError(HfftError):
    """Training went wrong, such as a run that diverges; the last good weights are kept."""


class Diverged(TrainingError):
    """The weights themselves are not worth keeping any more."""


class Stopped(HfftError):
    """A signal stopped the run after a checkpoint; `exit_code` is 128 + the signal's number, as shells have it."""

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.exit_code = 128 + signal_number


def near(name: str, names: Iterable[str]) -> str:
    """Suggests the nearest of `names`, as a sentence with a leading space, or nothing where none is near.

    A name cut short, or the initials of its words, come before one that is spelt alike.

    >>> near("optm", ["optim", "train"]), near("acc", ["mcc", "accuracy"]), near("bs", ["by", "batch_size"])
    (" Did you mean 'optim'?", " Did you mean 'accuracy'?", " Did you mean 'batch_size'?")
    """
    by_folded, given = {known.lower(): known for known in names}, name.lower()
    cut = [known for known in by_folded if given in (known, _initials(known)) or known.startswith(given)]
    matches = sorted(cut, key=len) if len(given) >= SHORTEST_CUT else []
    matches += difflib.get_close_matches(given, by_folded, n=1, cutoff=0.5)
    return f" Did you mean '{by_folded[matches[0]]}'?" if matches else ""


def shortened(text: str, longest: int = 60) -> str:
    """The text, cut where it is longer: no message holds a whole document.

    >>> shortened("a text of some length", 10)
    'a text ...'
    """
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def quoted(value: Any) -> str:
    """A value of the data as a message names it: as Python writes it, shortened.

    >>> quoted(["a"])
    "['a']"
    """
    return shortened(repr(value))


def _initials(name: str) -> str:
    return "".join(word[:1] for word in name.split("_"))
