"""Columns of labels: what their values mean is decided once, by the training rows or by a finished model's labels."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from datasets import ClassLabel, Dataset

from hfft.data.checks import row_of
from hfft.data.columns import Distinct, distinct, values_of
from hfft.data.label_values import Applying
from hfft.data.labels import as_known
from hfft.errors import DataError, quoted

KINDS = "a label is a text, a whole number or a boolean."

WHOLE = re.compile("-?[0-9]+")

MISSING = "-1"  # is no label where the file has classes of its own, or whole numbers from 0


class Cell(NamedTuple):
    """Where a value stands, for messages."""

    row: int
    split: str
    column: str

    def __str__(self) -> str:
        return f"in {row_of(self.row, self.split)} the column '{self.column}'"


def _cells(dataset: Dataset, column: str, split: str) -> Iterator[tuple[Any, Cell]]:
    return ((value, Cell(row, split, column)) for row, value in enumerate(values_of(dataset, column)))


def _first_cells(found: Distinct, column: str, split: str) -> Iterator[tuple[Any, Cell]]:
    """Each value of a column once, with where it first stands."""
    rows = found.first.tolist()
    return ((value, Cell(row, split, column)) for value, row in zip(found.values, rows, strict=True))


@dataclass(frozen=True)
class Reading:
    """How the columns of a label are read.

    Attributes:
        given: The labels of the recipe. Integers from 0 that are no names themselves are positions in them.
        known: These, or a finished model's: what is spelled so stays so.
        minus_one: Whether -1 is a label, rather than none.
        marks: The labels, where a list says of each by 0 and 1 whether it applies; empty where lists hold labels; None
            where the labels that are known say so.
    """

    given: Sequence[str] = ()
    known: Sequence[str] = ()
    minus_one: bool = False
    marks: Sequence[str] | None = None

    @classmethod
    def of_one_label(cls, train: Dataset, column: str, given: Sequence[str] | None) -> Reading:
        """How a column of one label a row is read.

        Raises:
            DataError: Whether -1 is a label cannot be told, or lists are written as text.
        """
        _refuse_written_lists(train, column)
        return cls(given or (), given or (), _has_minus_one(train, column, given))

    @classmethod
    def of_several_labels(
        cls, train: Dataset, columns: Sequence[str], delimiter: str | None, given: Sequence[str] | None
    ) -> Reading:
        """How columns of any number of labels a row are read.

        Raises:
            DataError: Whether lists hold labels or marks cannot be told, or they are written as text.
        """
        if len(columns) > 1:
            return cls(given or (), given or (), marks=())
        _refuse_written_lists(train, columns[0])
        marks = () if delimiter is not None else marks_in_lists(train, columns[0], given or ())
        return cls(given or (), given or (), marks=marks)

    @classmethod
    def of_model(cls, labels: Sequence[str], given: Sequence[str] | None) -> Reading:
        """How columns are read for a finished model."""
        return cls(given or (), labels, MISSING in labels)


def label_names(dataset: Dataset, column: str, reading: Reading, split: str) -> list[str | None]:
    """Reads a column as label names; None where a row has no label (null, an empty text, -1 unless it is one).

    Raises:
        DataError: A value is of a kind that cannot be a label, or beyond the names of its class, with its row.
    """
    feature, spelled, found = dataset.features[column], as_known(reading.known), distinct(dataset, column)
    cells = _first_cells(found, column, split)
    if isinstance(feature, ClassLabel):
        return found.spread([_class(value, feature, spelled, cell) for value, cell in cells])
    names = []
    for value, cell in cells:
        name = _name(value)
        if name is _NO_LABEL_KIND:
            raise DataError(f"task.label: {cell} is {quoted(value)}; {KINDS}")
        name = name and (spelled(name) or None)
        names.append(None if name == MISSING and not reading.minus_one else name)
    return found.spread(_by_position(names, reading.given))


_NO_LABEL_KIND = "\0"


def _name(value: Any) -> str | None:
    """A value as text; None where there is none."""
    if value is None or value == "" or value != value:  # the last: not a number, as pandas writes a missing value
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return value if isinstance(value, str) else _NO_LABEL_KIND


def _class(value: Any, feature: ClassLabel, spelled: Any, cell: Cell) -> str | None:
    if value is None or value == -1:
        return None
    if not 0 <= value < len(feature.names):
        raise DataError(
            f"task.label: {cell} has the class {value}, but there are "
            f"{len(feature.names)}, numbered from 0: {', '.join(feature.names[:10])}"
            f"{', ...' if len(feature.names) > 10 else ''}."
        )
    return spelled(feature.names[value])


def _has_minus_one(train: Dataset, column: str, given: Sequence[str] | None) -> bool:
    """Whether -1 is a label. Raises DataError where that is a guess."""
    if given:
        return MISSING in given
    if isinstance(train.features[column], ClassLabel):
        return False
    found, spelled = distinct(train, column), as_known(())
    counts: Counter[str] = Counter()
    for value, count in zip(found.values, found.counts.tolist(), strict=True):
        name = _name(value)
        if name is not None and name != _NO_LABEL_KIND:
            counts[spelled(name)] += count
    others = sorted(set(counts) - {MISSING, ""})
    if MISSING not in counts or not others:
        return False
    whole = all(WHOLE.fullmatch(name) for name in others)
    if whole and (len(others) == 1 or any(name.startswith("-") for name in others)):
        return True
    if whole and others != ["0", "1"]:
        return False
    raise DataError(
        f"task.label: {counts[MISSING]} of {len(train)} training rows have -1 in the column '{column}', beside "
        f"{', '.join(others[:5])}{', ...' if len(others) > 5 else ''}: is it a label, or does it say that there "
        f"is none? Name the labels, with -1 or without it, such as task.labels=[-1, {', '.join(others[:2])}]."
    )


def label_sets(
    dataset: Dataset, columns: Sequence[str], delimiter: str | None, reading: Reading, split: str
) -> list[list[str] | None]:
    """Reads the labels that apply to each row, in any order; None where that is not known.

    One column holds lists of labels, or of 0 and 1 for each label (see `Reading`), or texts of labels between
    delimiters (an empty text: none applies); of several columns, each is a label and says whether it applies.

    Args:
        dataset: The rows.
        columns: One column, or one for each label.
        delimiter: What stands between labels, where one text holds them.
        reading: How.
        split: The split's name, for messages.

    Raises:
        DataError: A value is of a kind that cannot be labels, with its row.
    """
    if len(columns) > 1:
        return _marked(dataset, columns, split)
    column = columns[0]
    inner = getattr(dataset.features[column], "feature", None)
    marks = reading.marks
    if marks is None:
        marks = () if delimiter is not None else marks_in_lists(dataset, column, reading.known)
    if marks:
        return [_applying(value, marks, cell) for value, cell in _cells(dataset, column, split)]
    sets: list[list[Any] | None] = [
        _split(value, delimiter, inner, cell) for value, cell in _cells(dataset, column, split)
    ]
    spelled = as_known(reading.known)
    flat = _by_position([spelled(name) for names in sets for name in names or ()], reading.given)
    rest = iter(flat)
    return [None if names is None else list(dict.fromkeys(next(rest) or "" for _ in names)) for names in sets]


def _split(value: Any, delimiter: str | None, inner: Any, cell: Cell) -> list[Any] | None:
    if value is None or value in (-1, "-1", "-1.0", [-1]):
        return None
    if isinstance(value, str) and delimiter is not None:
        value = [part.strip() for part in value.split(delimiter) if part.strip()]
    if not isinstance(value, (list, tuple)):
        hint = " Texts with several labels need task.delimiter." if isinstance(value, str) else ""
        raise DataError(f"task.label: {cell} is {quoted(value)}, which is no list.{hint}")
    if isinstance(inner, ClassLabel):
        names = [_class(item, inner, lambda name: name, cell) for item in value]
    else:
        names = [_name(item) for item in value]
    bad = [item for item, name in zip(value, names, strict=True) if name in (None, _NO_LABEL_KIND)]
    if bad:
        raise DataError(f"task.label: {cell} holds {quoted(bad[0])}; {KINDS}")
    return names


APPLIES = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}

UNKNOWN = (None, "-1", "-1.0")


def _is_mark(value: Any) -> bool:
    """Whether a value says that something applies or not, or that nobody knows."""
    name = None if isinstance(value, (list, dict)) else _name(value)
    return not isinstance(value, (list, dict)) and (name in UNKNOWN or (name or "").lower() in APPLIES)


def are_marks(dataset: Dataset, columns: Sequence[str]) -> bool:
    """Whether columns say of each row whether something applies (0 and 1, true and false), rather than how much."""
    return all(_is_mark(value) for column in columns for value in distinct(dataset, column).values)


def marks_in_lists(dataset: Dataset, column: str, known: Sequence[str]) -> list[str]:
    """The labels of lists that say by 0 and 1 of each label whether it applies; empty where they hold labels.

    They are marks where all are as long and a value stands twice in one. Where the labels are known, lists are marks
    that are as long as these, and hold none of them.

    Raises:
        DataError: Both readings are possible, or there are as many labels as no list is long.
    """
    feature = dataset.features[column]
    lists = [value for value in values_of(dataset, column) if value] if hasattr(feature, "feature") else []
    size = len(lists[0]) if lists else 0
    if size < 2 or isinstance(getattr(feature, "feature", None), ClassLabel):
        return []
    if not all(len(value) == size and all(map(_is_mark, value)) for value in lists):
        return []
    twice = any(len(set(map(_name, value))) < size for value in lists)
    if known and {_name(item) for value in lists for item in value} - {None} <= set(known):
        return []
    if len(known) == size:
        return list(known)
    if known and twice:
        raise DataError(
            f"task.label: the lists in the column '{column}' are of 0 and 1, {size} in each row, but there are "
            f"{len(known)} labels: {', '.join(known[:10])}. There must be one for each label, in their order."
        )
    if twice:
        return [f"{column}_{number}" for number in range(size)]
    if known:
        return []
    raise DataError(
        f"task.label: each list in the column '{column}' has one 0 and one 1. If they say which of two labels apply, "
        "name these: task.labels=[a, b]. If the labels are called so: task.labels=['0', '1']. If they are numbers to "
        "predict: task.problem=regression."
    )


def _applying(value: Any, marks: Sequence[str], cell: Cell) -> list[str] | None:
    """The labels that a list of marks says to apply."""
    if not value:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != len(marks):
        raise DataError(
            f"task.label: {cell} is {quoted(value)}; it should be a list of 0 and 1, one "
            f"for each of {len(marks)} labels."
        )
    return _known_to_apply(value, marks, cell)


def _marked(dataset: Dataset, columns: Sequence[str], split: str) -> list[list[str] | None]:
    rows = enumerate(zip(*(values_of(dataset, column) for column in columns), strict=True))
    return [_known_to_apply(values, columns, Cell(row, split, columns[0])) for row, values in rows]


def _known_to_apply(values: Sequence[Any], names: Sequence[str], cell: Cell) -> list[str] | None:
    """The labels that marks say to apply, one each; None where they say nothing."""
    wrong = [number for number, value in enumerate(values) if not _is_mark(value)]
    if wrong:
        raise DataError(
            f"task.label: {row_of(cell.row, cell.split)} has {quoted(values[wrong[0]])} for '{names[wrong[0]]}'; a "
            "mark is 1 or 0, true or false, or empty where nobody knows."
        )
    said = {name: APPLIES.get((_name(value) or "").lower()) for name, value in zip(names, values, strict=True)}
    applying = [name for name, applies in said.items() if applies]
    unknown = [name for name, applies in said.items() if applies is None]
    return None if len(unknown) == len(said) else Applying(applying, unknown) if unknown else applying


def _by_position(names: list[str | None], given: Sequence[str]) -> list[str | None]:
    if not given or any(name in given for name in names if name):
        return names
    positions = {str(index): name for index, name in enumerate(given)}
    if all(name is None or name in positions for name in names):
        return [None if name is None else positions[name] for name in names]
    return names


LOOKED_AT = 1000  # rows

ROW_OF_NUMBERS = re.compile(r"\[[0-9.,\s]*\]")


def _refuse_written_lists(train: Dataset, column: str) -> None:
    """Raises DataError where most texts of a column are lists that were written as text."""
    texts = [value.strip() for value in train[column][:LOOKED_AT] if isinstance(value, str) and value.strip()]
    lists = [text for text in texts if _is_written_list(text)]
    if lists and 2 * len(lists) >= len(texts):
        raise DataError(
            f"task.label: the column '{column}' has lists written as text, such as {quoted(lists[0])}, as a csv file "
            "has them: only json, jsonl and parquet files hold lists. In pandas, where they were lists: "
            "rows.to_json('train.jsonl', orient='records', lines=True). Or write 'a|b' and task.delimiter='|'."
        )


def _is_written_list(text: str) -> bool:
    if text[0] not in "[({" or text[-1] not in "])}":
        return False
    try:
        return isinstance(ast.literal_eval(text), (list, tuple, set))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return bool(ROW_OF_NUMBERS.fullmatch(text))
