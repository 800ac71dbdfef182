"""Labels of every kind (strings, integers of any range, booleans, ClassLabel) as names, and names as numbers.

Names decide: data, recipe and checkpoint are matched by name, never by position. (transformers #10401: matching by
position gave 4.28 % on MNLI, by name 90.6 %.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from datasets import ClassLabel, Dataset

from hfft.errors import DataError, near, quoted

GENERIC = "LABEL_"  # transformers' names where none were given: they say nothing
NEW_ROWS = "data"  # the split of rows that a finished model is asked about


def label_names(dataset: Dataset, column: str, given: Sequence[str] | None) -> list[str | None]:
    """Reads a column as label names; None where a row has no label (null, an empty text, -1 unless it is given).

    Args:
        dataset: The rows.
        column: The column of the labels.
        given: The names of the recipe, if any. Integers from 0 that are no names themselves are positions in it.

    Raises:
        DataError: A value is of a kind that cannot be a label, with its row.
    """
    feature = dataset.features[column]
    from_class = feature.int2str if isinstance(feature, ClassLabel) else None
    names = []
    for row, value in enumerate(dataset[column]):
        if from_class and value not in (None, -1):
            names.append(from_class(value))
            continue
        name = _name(value)
        if name is _NO_LABEL_KIND:
            raise DataError(
                f"task.label: in row {row} the column '{column}' is {quoted(value)}; a label is a text, a whole "
                "number or a boolean."
            )
        names.append(None if name in ("-1", "-1.0") and name not in (given or ()) else name)
    return _by_position(names, given)


_NO_LABEL_KIND = "\0"


def _name(value: Any) -> str | None:
    if value is None or value == "" or value != value:  # the last: not a number, as pandas writes a missing value
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return value if isinstance(value, str) else _NO_LABEL_KIND


def label_sets(
    dataset: Dataset, columns: Sequence[str], delimiter: str | None, given: Sequence[str] | None
) -> list[list[str] | None]:
    """Reads the labels that apply to each row, in any order; None where that is not known.

    One column holds lists, or texts of labels between delimiters (an empty text: none applies); of several columns,
    each is a label and says whether it applies.

    Args:
        dataset: The rows.
        columns: One column, or one for each label.
        delimiter: What stands between labels, where one text holds them.
        given: The names of the recipe, if any, as for `label_names`.

    Raises:
        DataError: A value is of a kind that cannot be labels, with its row.
    """
    if len(columns) > 1:
        return _marked(dataset, columns)
    column, feature = columns[0], dataset.features[columns[0]]
    inner = getattr(feature, "feature", None)
    sets: list[list[Any] | None] = [
        _split(value, column, row, delimiter, inner) for row, value in enumerate(dataset[column])
    ]
    flat = _by_position([name for names in sets for name in names or ()], given)
    rest = iter(flat)
    return [None if names is None else list(dict.fromkeys(next(rest) or "" for _ in names)) for names in sets]


def _split(value: Any, column: str, row: int, delimiter: str | None, inner: Any) -> list[Any] | None:
    if value is None or value in (-1, "-1", "-1.0", [-1]):
        return None
    if isinstance(value, str) and delimiter is not None:
        value = [part.strip() for part in value.split(delimiter) if part.strip()]
    if not isinstance(value, (list, tuple)):
        hint = " Texts with several labels need task.delimiter." if isinstance(value, str) else ""
        raise DataError(f"task.label: in row {row} the column '{column}' is {quoted(value)}, which is no list.{hint}")
    names = [inner.int2str(item) if isinstance(inner, ClassLabel) else _name(item) for item in value]
    bad = [item for item, name in zip(value, names, strict=True) if name is None or name == _NO_LABEL_KIND]
    if bad:
        raise DataError(
            f"task.label: in row {row} the column '{column}' holds {quoted(bad[0])}; a label is a text, a whole "
            "number or a boolean."
        )
    return names


APPLIES = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def _marked(dataset: Dataset, columns: Sequence[str]) -> list[list[str] | None]:
    sets: list[list[str] | None] = []
    for row, values in enumerate(zip(*(dataset[column] for column in columns), strict=True)):
        names = [_name(value) for value in values]
        if all(name in (None, "-1", "-1.0") for name in names):
            sets.append(None)
            continue
        wrong = [number for number, name in enumerate(names) if (name or "").lower() not in APPLIES]
        if wrong:
            raise DataError(
                f"task.label: in row {row} the column '{columns[wrong[0]]}' is {quoted(values[wrong[0]])}; with one "
                "column a label each says 1 or 0, true or false, or all of a row say nothing."
            )
        sets.append([column for column, name in zip(columns, names, strict=True) if APPLIES[(name or "").lower()]])
    return sets


def _by_position(names: list[str | None], given: Sequence[str] | None) -> list[str | None]:
    if not given or any(name in given for name in names if name):
        return names
    positions = {str(index): name for index, name in enumerate(given)}
    if all(name is None or name in positions for name in names):
        return [None if name is None else positions[name] for name in names]
    return names


def choose_names(
    train: Sequence[str | None], feature: Any, given: Sequence[str] | None, checkpoint: Sequence[str] | None
) -> list[str]:
    """Decides the labels and their order: the recipe's, else the checkpoint's, else the data's.

    Args:
        train: The names in the training rows.
        feature: The column's feature; a ClassLabel brings an order.
        given: `task.labels`.
        checkpoint: The labels of the checkpoint's trained head; None where it has none, or where it is not to be used.

    Raises:
        DataError: Fewer than two labels, or a checkpoint whose head answers other labels.
    """
    found = sorted({name for name in train if name is not None}, key=_natural)
    if given and len(set(given)) < len(given):
        raise DataError(f"task.labels names a label twice: {list(given)}.")
    names = list(given) if given else list(feature.names) if isinstance(feature, ClassLabel) else found
    if len(names) < 2:
        if given:
            raise DataError(f"task.labels is {names}; at least two labels are needed.")
        hint = " '-1' is read as 'no label'; if it is one, name it in task.labels."
        raise DataError(f"The training rows have the labels {names}; at least two are needed.{hint}")
    if checkpoint is None:
        return names
    folded = {name.strip().lower(): name for name in names}  # MNLI's heads say ENTAILMENT, its data entailment
    if len(folded) == len(names) and {label.strip().lower() for label in checkpoint} == set(folded):
        checkpoint = [folded[label.strip().lower()] for label in checkpoint]
    if set(checkpoint) == set(names):
        if given and list(checkpoint) != list(given):
            raise DataError(
                f"task.labels is {list(given)}, but the checkpoint's head answers in the order {list(checkpoint)}. "
                "Give that order, leave task.labels out, or start a new head with model.new_head=true."
            )
        return list(checkpoint)
    generic = all(name.startswith(GENERIC) for name in checkpoint) and len(checkpoint) == len(names)
    if generic and (given or names == [str(i) for i in range(len(checkpoint))]):
        return names  # LABEL_0 and 0 mean the same; otherwise the recipe says what LABEL_0 means
    how = "give their order in task.labels" if generic else "rename the labels in the data"
    raise DataError(
        f"The checkpoint's trained head answers {_listed(checkpoint)}, but the data has {_listed(names)}. If they mean "
        f"the same, {how}; else start a new head with model.new_head=true."
    )


def encode(names: Sequence[str | None], known: Sequence[str], split: str) -> list[int]:
    """Turns names, one a row, into positions in `known`; -1 where there is no label.

    Raises:
        DataError: A name is not known, with its row.
    """
    numbers = {name: number for number, name in enumerate(known)}
    return [-1 if name is None else _known(name, numbers, row, split) for row, name in enumerate(names)]


def encode_sets(sets: Sequence[Sequence[str] | None], known: Sequence[str], split: str) -> list[list[int]]:
    """Turns sets of names, one a row, into marks: for each of `known` 1 if it applies, else 0; -1 where nobody knows.

    Raises:
        DataError: A name is not known, with its row.
    """
    numbers = {name: number for number, name in enumerate(known)}
    rows = []
    for row, names in enumerate(sets):
        applying = {_known(name, numbers, row, split) for name in names or ()}
        rows.append([-1 if names is None else int(number in applying) for number in range(len(known))])
    return rows


def _known(name: str, numbers: dict[str, int], row: int, split: str) -> int:
    if name not in numbers:
        known = list(numbers)
        hint = "" if split == NEW_ROWS else " All labels of a new model can be given in task.labels."
        raise DataError(
            f"task.label: row {row} of the {split} split has the label '{name}', which is not one of "
            f"{_listed(known)}.{near(name, known)}{hint}"
        )
    return numbers[name]


def _natural(name: str) -> tuple[int, int, str]:
    """Sorts whole numbers as numbers, before words."""
    return (0, int(name), name) if re.fullmatch(r"-?[0-9]+", name) else (1, 0, name)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:10])
    return f"{shown}, ... ({len(names)} labels)" if len(names) > 10 else shown
