"""The errors hfft raises for its users: each says what was found, what was expected, where, and the fix."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

SHORTEST_CUT = 2  # letters that may stand for a whole name

MOST_TOLD = 40  # names in a message

UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode's categories of what a terminal obeys or does not show

OF_TEXT = "\n\t\u200c\u200d"  # those of them that texts need: the last two join letters, or keep them apart


class HfftError(Exception):
    """Something the user can put right. The doors print its text without a traceback and exit with `exit_code`."""

    exit_code = 2

    def __str__(self) -> str:
        return visible(super().__str__())


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
    return f" Did you mean '{shortened(by_folded[matches[0]])}'?" if matches else ""


def alternatives(name: str, names: Sequence[str]) -> str:
    """Suggests the nearest of `names`, as `near`, and tells them: all, but none whole that is long, nor hundreds.

    >>> alternatives("lable", ["text", "label"])
    " Did you mean 'label'? It has: text, label."
    """
    told = ", ".join(map(shortened, names[:MOST_TOLD])) or "none"
    return f"{near(name, names)} It has: {told}{', ...' if len(names) > MOST_TOLD else ''}."


def shortened(text: str, longest: int = 60) -> str:
    """The text, cut where it is longer: no message holds a whole document.

    >>> shortened("a text of some length", 10)
    'a text ...'
    """
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def visible(text: str) -> str:
    """The text with what cannot be seen written out, so that a name from a file neither hides nor steers a terminal.

    >>> print(visible("caf\\u00e9 \\ufeffid \\x1b[2J"))
    café \\ufeffid \\x1b[2J
    """
    if text.isprintable():
        return text
    unseen = (each not in OF_TEXT and unicodedata.category(each) in UNSEEN for each in text)
    return "".join(ascii(each)[1:-1] if hidden else each for each, hidden in zip(text, unseen, strict=True))


def quoted(value: Any) -> str:
    """A value of the data as a message names it: as Python writes it, shortened.

    >>> quoted(["a"])
    "['a']"
    """
    return shortened(repr(value))


def _initials(name: str) -> str:
    return "".join(word[:1] for word in name.split("_"))
