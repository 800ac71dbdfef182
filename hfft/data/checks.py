"""Checks of data that tasks share: required columns, rows and texts; repeated, contradicting and rare ones; sounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow
from datasets import Audio, Dataset, Video

from hfft.data.columns import pieces
from hfft.data.findings import Finding as Finding
from hfft.errors import DataError, alternatives, quoted

# Columns of sounds and films are never decoded, and a task that is given one says that it takes none.
SOUND_ENDINGS = (".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma")

FILM_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm")

NO_TASK = "no task takes sounds or films yet: they take texts, words and images"


def is_sound(feature: Any) -> bool:
    """Whether a column holds sounds or films."""
    return isinstance(feature, (Audio, Video))


def undecoded(rows: Any) -> Any:
    """The same rows, a data set or a stream, of whose sounds and films the bytes are given as they are."""
    for name, feature in (rows.features or {}).items():
        if is_sound(feature) and feature.decode:
            rows = rows.cast_column(name, replace(feature, decode=False))
    return rows


SHOWN = 3  # rows named in a message

UNLABELLED = "unlabelled"  # the kind of finding that goes without saying of rows that are only to be answered


_UNCUT: ContextVar[Mapping[str, Sequence[int]] | None] = ContextVar("uncut", default=None)  # of the parts of a hold-out


@contextmanager
def rows_named_as_in_train(parts: Mapping[str, Sequence[int]]) -> Iterator[None]:
    """Within, messages name the rows of a hold-out's parts by their numbers in the training rows before the cut.

    Args:
        parts: By split, these numbers, one a row.
    """
    token = _UNCUT.set(parts)
    try:
        yield
    finally:
        _UNCUT.reset(token)


def row_of(row: int, split: str) -> str:
    """Names a row of a split, counted from 0: `row 3 of the eval split`; of a hold-out's part as the data has it."""
    uncut = (_UNCUT.get() or {}).get(split)
    return f"row {row} of the {split} split" if uncut is None else f"row {uncut[row]} of data.train ({split} split)"


def named_rows(rows: Sequence[int], split: str = "") -> str:
    """Names the first few rows, of a split as `row_of`, or as a file has them: `rows 3, 17, 20, ...`."""
    uncut = (_UNCUT.get() or {}).get(split)
    shown = ", ".join(str(row if uncut is None else uncut[row]) for row in rows[:SHOWN])
    named = f"{'row' if len(rows) == 1 else 'rows'} {shown}{', ...' if len(rows) > SHOWN else ''}"
    return named if uncut is None else f"{named} of data.train"


def require_columns(splits: Mapping[str, Dataset], columns: Mapping[str, Sequence[str]]) -> None:
    """Raises DataError where a split lacks a column.

    Args:
        splits: The data.
        columns: Lists of column names by the setting that names them (`task.text`).
    """
    for split, dataset in splits.items():
        for setting, column in ((setting, column) for setting, names in columns.items() for column in names):
            if column not in dataset.column_names:
                raise DataError(
                    f"{setting} is '{column}', but the {split} split has no such column."
                    f"{alternatives(column, dataset.column_names)}"
                )
            if is_sound(dataset.features[column]):
                raise DataError(
                    f"{setting} is '{column}', a column of sounds or films in the {split} split, but {NO_TASK}."
                )


def require_apart(read: str, columns: Sequence[str], asked: str, others: Sequence[str]) -> None:
    """Raises ValueError, for a validator of options, where what is read and what is asked is one column."""
    for column in columns:
        if column in others:
            raise ValueError(
                f"'{read}' and '{asked}' name the same column, '{column}': the answer would stand in what is read"
            )


def require_rows(splits: Mapping[str, Dataset]) -> None:
    """Raises DataError where a split is empty."""
    for split, dataset in splits.items():
        if len(dataset) == 0:
            raise DataError(f"The {split} split (data.{split}) has no rows.")


def require_texts(values: Iterable[Any], split: str, column: str, setting: str, first: int = 0) -> None:
    """Raises DataError where a text is missing or is no text, naming the row, which is `first` of the first value."""
    for row, value in enumerate(values, start=first):
        if not isinstance(value, str):
            found = "missing" if value is None else f"{quoted(value)}, which is no text"
            raise DataError(f"{setting}: in {row_of(row, split)} the column '{column}' is {found}.")


def require_text_column(rows: Dataset, split: str, column: str, setting: str) -> None:
    """As `require_texts`, of a whole column, of which only what is wrong is made a Python value."""
    first = 0
    for piece in pieces(rows, column):
        if piece.null_count or not (pyarrow.types.is_string(piece.type) or pyarrow.types.is_large_string(piece.type)):
            require_texts(piece.to_pylist(), split, column, setting, first)
        first += len(piece)


def folded(text: str) -> str:
    """What makes two texts the same: their words, whatever case and spacing."""
    return " ".join(text.lower().split())


def hashable(truth: Any) -> Hashable:
    """A truth as a value that can be compared and hashed: sets of labels without their order."""
    if isinstance(truth, list):
        return tuple(sorted(truth)) if all(isinstance(part, str) for part in truth) else tuple(truth)
    return truth


def read_column(rows: Dataset, split: str, setting: str, name: str) -> list[Any]:
    """The values of a column, or of a nested one, such as `translation.en`.

    Raises:
        DataError: There is none of that name, which `setting` gives.
    """
    outer, _, inner = name.partition(".")
    if name in rows.column_names or not inner or outer not in rows.column_names:
        require_columns({split: rows}, {setting: [name]})
        return rows[name][:]
    values = rows[outer][:]
    first = next((value for value in values if value is not None), None)
    inside = sorted(f"{outer}.{key}" for key in first) if isinstance(first, dict) else []
    if name not in inside:
        raise DataError(
            f"{setting} is '{name}', but the column '{outer}' of the {split} split has no such part."
            f"{alternatives(name, inside)}"
        )
    return [None if value is None else value[inner] for value in values]


def count_rows(
    kind: str, split: str, flags: Iterable[bool], total: int, text: str, ids: Sequence[int] | np.ndarray | None = None
) -> list[Finding]:
    """One finding about the flagged rows, or none.

    Args:
        kind: Of finding.
        split: The split's name.
        flags: One a row.
        total: Out of how many rows.
        text: What they are.
        ids: The rows' numbers in the file, where some were left out before.
    """
    held = flags if isinstance(flags, np.ndarray) else np.fromiter(map(bool, flags), dtype=bool)
    rows = np.flatnonzero(held)
    named = [int(row if ids is None else ids[row]) for row in rows[: SHOWN + 1]]  # one more: are there more than shown?
    return [Finding(kind, split, len(rows), total, f"{text}: {named_rows(named, split)}")] if named else []


def hashes(values: Iterable[Any], key: Callable[[Any], Hashable]) -> np.ndarray:
    """`(values,)`, a number of 64 bits for what makes each value the same as another one.

    Among ten million values two that differ have the same one with a probability of 3e-6.
    """
    return np.fromiter((hash(key(value)) for value in values), dtype=np.int64)


def repeated(splits: Mapping[str, Iterable[Any] | np.ndarray], key: Callable[[Any], Hashable]) -> list[Finding]:
    """Finds inputs that stand twice in a split, and inputs of eval and test that stand in train as well.

    Args:
        splits: The inputs by split, train among them; or what `hashes` makes of them, as arrays.
        key: Maps an input to what makes it the same as another one.
    """
    findings = []
    keys = {split: _hashed(values, key) for split, values in splits.items()}
    for split, values in keys.items():
        flags = np.ones(len(values), dtype=bool)
        flags[np.unique(values, return_index=True)[1]] = False
        findings += count_rows("duplicate", split, flags, len(values), "repeat an earlier one")
    for split, values in keys.items():
        if split != "train":
            flags = np.isin(values, keys.get("train", []))
            text = "stand in train as well, so the score is partly one of memory"
            findings += count_rows("shared", split, flags, len(values), text)
    return findings


def contradictions(
    values: Iterable[Any] | np.ndarray, labels: Sequence[Any], key: Callable[[Any], Hashable]
) -> list[Finding]:
    """Finds training inputs, or hashes of them, that carry different labels in different rows; None is no label."""
    keys = _hashed(values, key)
    labelled = np.flatnonzero(np.fromiter((label is not None for label in labels), dtype=bool))
    _, first, same = np.unique(keys[labelled], return_index=True, return_inverse=True)
    earlier = labelled[first][same]
    again = earlier != labelled
    flags = np.zeros(len(keys), dtype=bool)
    for row, before in zip(labelled[again].tolist(), earlier[again].tolist(), strict=True):
        flags[row] = labels[row] != labels[before]
    return count_rows("contradiction", "train", flags, len(flags), "repeat an earlier one with another label")


def _hashed(values: Iterable[Any] | np.ndarray, key: Callable[[Any], Hashable]) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else hashes(values, key)


def balance(split: str, labels: Iterable[str], names: Sequence[str]) -> tuple[dict[str, int], list[Finding]]:
    """Counts the labels of a split, and finds labels without a row and labels far rarer than the commonest.

    Args:
        split: The split's name.
        labels: Its labels.
        names: All labels.
    """
    counts = Counter(labels)
    table = {name: counts[name] for name in names}
    most = max(table.values(), default=0)
    none = [name for name, count in table.items() if count == 0]
    rare = sorted((name for name, count in table.items() if 0 < count * RARE < most), key=lambda name: table[name])
    beside = f"have a {RARE}th of the commonest label's {most} rows or less: {listed(rare, table)}"
    texts = {"no-example": (none, f"have no rows: {listed(none)}"), "rare-label": (rare, beside)}
    return table, [
        Finding(kind, split, len(found), len(table), text, "labels") for kind, (found, text) in texts.items() if found
    ]


RARE = 20  # a label this many times rarer than the commonest is worth a warning


def listed(names: Sequence[str], counts: Mapping[str, int] | None = None) -> str:
    """The first few names in quotes, each with its number of rows where `counts` gives it."""
    shown = (f"'{name:.60}'{f' ({counts[name]})' if counts else ''}" for name in names[:SHOWN])
    return f"{', '.join(shown)}{', ...' if len(names) > SHOWN else ''}"
