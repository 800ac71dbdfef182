"""Labels and numbers as a model learns them: which names there are, and values by name."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset, Features

from hfft.data.checks import row_of
from hfft.data.columns import distinct, pieces, values_of
from hfft.data.decimals import has_decimal_comma, is_written_so
from hfft.data.label_values import GENERIC, unknown_of
from hfft.errors import DataError, near, quoted, shortened

NEW_ROWS = "data"  # the split of rows that a finished model is asked about


def normal_name(text: str) -> str:
    """A label as it is compared: without white space at its ends, in Unicode's composed form (NFC), 1.0 as 1."""
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    text = text.strip()
    return text[: text.index(".")] if WHOLE.fullmatch(text) else text


WHOLE = re.compile(r"-?[0-9]+\.0+")  # as pandas writes whole numbers of which some are missing


def as_known(known: Sequence[str]) -> Callable[[str], str]:
    """Gives a function that spells a label as it is known; one that is not known in its normal form."""
    return partial(_spelled, {**{normal_name(name): name for name in known}, **{name: name for name in known}})


def _spelled(spelled: dict[str, str], text: str) -> str:
    if text not in spelled:
        normal = normal_name(text)
        spelled[text] = spelled.get(normal, normal)
    return spelled[text]


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
    spell = as_known(())
    names = list(given or found)
    if not given and isinstance(feature, ClassLabel):
        names = list(dict.fromkeys(map(spell, feature.names)))
    if len(names) < 2:
        if given:
            raise DataError(f"task.labels is {names}; at least two labels are needed.")
        hint = " '-1' is read as 'no label'; if it is one, name it in task.labels."
        raise DataError(f"The training rows have the labels {names}; at least two are needed.{hint}")
    if checkpoint is None:
        return names
    generic = all(name.startswith(GENERIC) for name in checkpoint)
    if generic and len(checkpoint) != len(names):
        return names  # a new head, as `hfft.models.pretrained.head_is_new` has it
    folded = {spell(name).casefold(): name for name in names}  # MNLI's heads say ENTAILMENT, its data entailment
    if len(folded) == len(names) and {spell(label).casefold() for label in checkpoint} == set(folded):
        checkpoint = [folded[spell(label).casefold()] for label in checkpoint]
    if set(checkpoint) == set(names):
        if given and list(checkpoint) != list(given):
            raise DataError(
                f"task.labels is {list(given)}, but the checkpoint's head answers in the order {list(checkpoint)}. "
                "Give that order, leave task.labels out, or start a new head with model.new_head=true."
            )
        return list(checkpoint)
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
    found = np.fromiter((-1 if name is None else numbers.get(name, -2) for name in names), np.int64, len(names))
    for row in np.flatnonzero(found == -2).tolist():
        _known(names[row] or "", numbers, row, split)
    return found.tolist()


def encode_sets(sets: Sequence[Sequence[str] | None], known: Sequence[str], split: str) -> list[list[int]]:
    """Turns sets of names, one a row, into marks: for each of `known` 1 if it applies, else 0; -1 if nobody knows.

    Raises:
        DataError: A name is not known, with its row.
    """
    numbers = {name: number for number, name in enumerate(known)}
    rows = []
    for row, names in enumerate(sets):
        applying = {_known(name, numbers, row, split) for name in names or ()}
        unknown = set(numbers.values()) if names is None else {numbers[name] for name in unknown_of(names)}
        rows.append([-1 if number in unknown else int(number in applying) for number in range(len(known))])
    return rows


def _known(name: str, numbers: dict[str, int], row: int, split: str) -> int:
    if name not in numbers:
        known = list(numbers)
        hint = "" if split == NEW_ROWS else " All labels of a new model can be given in task.labels."
        raise DataError(
            f"task.label: {row_of(row, split)} has the label '{shortened(name)}', which is not one of "
            f"{_listed(known)}.{near(name, known)}{hint}"
        )
    return numbers[name]


def _natural(name: str) -> tuple[int, int, str]:
    """Sorts whole numbers as numbers, before words."""
    return (0, int(name), name) if re.fullmatch(r"-?[0-9]+", name) else (1, 0, name)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{shortened(name)}'" for name in names[:10])
    return f"{shown}, ... ({len(names)} labels)" if len(names) > 10 else shown


def read_numbers(dataset: Dataset, columns: Sequence[str], split: str) -> list[list[float] | None]:
    """Reads one or several numbers a row; None where a row has none (null, an empty text, not a number).

    Args:
        dataset: The rows.
        columns: The columns, or one column of lists.
        split: The split's name, for messages.

    Raises:
        DataError: A value is no number, a row has some of its numbers only, or lists differ in length; with the row.
    """
    read = zip(*(values_of(dataset, column) for column in columns), strict=True)
    found = [_row(values, columns, row, split, dataset) for row, values in enumerate(read)]
    sizes = {len(numbers) for numbers in found if numbers is not None}
    if len(sizes) > 1:
        first = next(len(numbers) for numbers in found if numbers is not None)
        row = next(row for row, numbers in enumerate(found) if numbers is not None and len(numbers) != first)
        raise DataError(
            f"task.label: in {row_of(row, split)} the column '{columns[0]}' holds {len(found[row] or [])} "
            f"numbers, in earlier rows {first}."
        )
    return found


def _row(values: Sequence[Any], columns: Sequence[str], row: int, split: str, dataset: Dataset) -> list[float] | None:
    if len(values) == 1 and isinstance(values[0], (list, tuple)):
        columns, values = [*columns] * len(values[0]), values[0]
    numbers = [_number(value, column, row, split, dataset) for value, column in zip(values, columns, strict=True)]
    missing = [column for column, number in zip(columns, numbers, strict=True) if number is None]
    if missing and len(missing) < len(numbers):
        raise DataError(
            f"task.label: {row_of(row, split)} has a number in some columns and none in '{missing[0]}'. Give "
            "all of a row's numbers, or none of them."
        )
    return None if missing or not numbers else [number for number in numbers if number is not None]


def _number(value: Any, column: str, row: int, split: str, dataset: Dataset) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = _parsed(value)
    if number is None or math.isinf(number):
        advice = _about_commas(value, dataset[column][:]) if isinstance(value, str) and "," in value else ""
        raise DataError(
            f"task.label: in {row_of(row, split)} the column '{column}' is {quoted(value)}, which is no number.{advice}"
        )
    return None if math.isnan(number) else number


def _about_commas(value: str, values: Sequence[Any]) -> str:
    """What to do about a number with a comma, which the files' reader has not taken for one before decimals."""
    odd = next((one for one in values if isinstance(one, str) and one.strip() and not is_written_so(one)), value)
    if has_decimal_comma(value) and odd != value:
        return f" The column holds {quoted(odd)} too. Write a point before the decimals in all rows."
    if re.search(r",[0-9]{3}(?![0-9])", value):
        return " Write thousands without a comma (4221), and a point before decimals (4.221)."
    return " Write a point before the decimals."


def _parsed(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def are_lists_of_numbers(features: Features, column: str) -> bool:
    """Whether each value of a column is a list of numbers with decimals."""
    inner = getattr(features[column], "feature", None)
    return str(getattr(inner, "dtype", "")).startswith("float")


def have_decimals(dataset: Dataset, column: str) -> bool:
    """Whether the values of a column are numbers, and at least one is not whole: numbers, rather than labels.

    Raises:
        DataError: Most values are such numbers, but some are not; with the first such row.
    """
    feature = dataset.features[column]
    if isinstance(feature, ClassLabel):
        return False
    if str(getattr(feature, "dtype", "")).startswith("float"):
        return any(_are_partly_broken(piece.to_numpy(zero_copy_only=False)) for piece in pieces(dataset, column))
    found = distinct(dataset, column)
    held = zip(found.values, found.first.tolist(), found.counts.tolist(), strict=True)
    values = [(value, row, count) for value, row, count in held if value is not None and value != ""]
    numbers = [_parsed(value) if not isinstance(value, (bool, list, dict)) else None for value, _, _ in values]
    if not any(number is not None and math.isfinite(number) and number % 1 for number in numbers):
        return False
    others = [one for one, number in zip(values, numbers, strict=True) if number is None]
    if others and 2 * sum(count for _, _, count in others) < sum(count for _, _, count in values):
        value, row, _ = others[0]
        raise DataError(
            f"task.label: most values of the column '{column}' are numbers, but in row {row} it is "
            f"{quoted(value)}. Mend the row; or if all of them are labels, say so: task.problem=single."
        )
    return not others


def _are_partly_broken(numbers: np.ndarray) -> bool:
    """Whether some have decimals; what is missing is not a number here."""
    return bool((numbers[np.isfinite(numbers)] % 1).any())
