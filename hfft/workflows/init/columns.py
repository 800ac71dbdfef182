"""What stands in each column of a table: texts, labels, numbers, words, spans, images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from statistics import median
from typing import Any

from datasets import ClassLabel, Dataset, Image, Value

from hfft.data.checks import FILM_ENDINGS, SOUND_ENDINGS, is_sound
from hfft.data.folders import IMAGE_ENDINGS
from hfft.workflows.init.languages import language_of_name

KINDS = {
    "text": "texts",
    "class": "classes with names",
    "flag": "true or false",
    "whole": "whole numbers",
    "number": "numbers with decimals",
    "lists": "lists",
    "numbers": "lists of numbers",
    "spans": "spans of characters",
    "languages": "texts of a language",
    "image": "images",
    "sound": "sounds or films",
    "nothing": "nothing",
    "other": "something that hfft cannot learn from",
}
"""What a column may hold, and what people call it."""

SPAN_KEYS = {"start", "end", "label"}


@dataclass(frozen=True)
class Column:
    """A column of the rows that were looked at.

    Attributes:
        name: Its name; a dot leads into a nested one.
        kind: What it holds, one of `KINDS`.
        rows: How many rows there are.
        values: What is there, without missing and empty values; of images nothing.
        distinct: How many different values; 0 where that was not counted.
        words: Of a text, in the median.
    """

    name: str
    kind: str
    rows: int
    values: Sequence[Any] = field(default=(), repr=False)
    distinct: int = 0
    words: float = 0.0

    @property
    def repeats(self) -> bool:
        """Whether its values repeat enough to be labels: no more than a third of them are different, or just two."""
        return 2 <= self.distinct <= max(2, len(self.values) / 3) and self.distinct < len(self.values)

    def __str__(self) -> str:
        different = f", {self.distinct} of {len(self.values)} different" if self.distinct else ""
        return f"'{self.name}' ({KINDS[self.kind]}{different})"


def columns_of(rows: Dataset) -> dict[str, Column]:
    """Looks at every column; of one that holds texts by language, at each of these."""
    found = [column for name in rows.column_names for column in _columns(rows, name)]
    return {column.name: column for column in found}


def _columns(rows: Dataset, name: str) -> list[Column]:
    values = [value for value in rows[name] if value] if isinstance(rows.features[name], dict) else []
    keys = list(values[0]) if values else []
    if not keys or not all(isinstance(values[0][key], str | None) and language_of_name(key) for key in keys):
        return [_column(rows, name)]
    texts = {key: [value[key] for value in values if value[key]] for key in keys}
    return [Column(f"{name}.{key}", "languages", len(rows), texts[key], *_spread(texts[key])) for key in keys]


def _column(rows: Dataset, name: str) -> Column:
    feature = rows.features[name]
    if _is_image(feature):
        return Column(name, "image", len(rows))
    if is_sound(feature):
        return Column(name, "sound", len(rows))
    given = [value for value in rows[name] if value not in (None, "", [], {})]
    if not given:
        return Column(name, "nothing", len(rows))
    if isinstance(feature, ClassLabel):
        return Column(name, "class", len(rows), given, len(set(given)))
    first = given[0]
    if isinstance(first, dict):
        return Column(name, "spans" if set(first) >= SPAN_KEYS else "other", len(rows), given)
    if isinstance(first, (list, tuple)):
        return _lists(name, given, len(rows))
    if isinstance(first, str):
        return _texts(name, given, len(rows))
    kind = _kind_of_numbers(given)
    return Column(name, kind, len(rows), given, len(set(given)) if kind != "other" else 0)


def _is_image(feature: Any) -> bool:
    if isinstance(feature, dict):
        return {"path"} <= feature.keys() <= {"bytes", "path"}
    return isinstance(feature, Image) or (isinstance(feature, Value) and feature.dtype in ("binary", "large_binary"))


def _lists(name: str, given: list[Any], rows: int) -> Column:
    items = [item for value in given for item in value if item is not None]
    if items and isinstance(items[0], dict):
        return Column(name, "spans" if set(items[0]) >= SPAN_KEYS else "other", rows, given)
    if items and all(isinstance(item, float) for item in items):
        return Column(name, "numbers", rows, given)
    if not all(isinstance(item, (str, int)) for item in items):
        return Column(name, "other", rows, given)
    return Column(name, "lists", rows, given, len(set(items)))


def _texts(name: str, given: list[str], rows: int) -> Column:
    if all(PurePath(value).suffix.lower() in IMAGE_ENDINGS for value in given[:1000]):
        return Column(name, "image", rows, given)
    if all(PurePath(value).suffix.lower() in (*SOUND_ENDINGS, *FILM_ENDINGS) for value in given[:1000]):
        return Column(name, "sound", rows, given)
    distinct = len(set(given))
    if all(value.strip().lower() in ("true", "false") for value in given):
        return Column(name, "flag", rows, given, distinct)
    numbers = [_number(value) for value in given]
    if all(number is not None for number in numbers):
        return Column(name, _kind_of_numbers(numbers), rows, given, distinct)
    return Column(name, "text", rows, given, *_spread(given))


def _spread(texts: Sequence[str]) -> tuple[int, float]:
    """How many different ones there are, and their words in the median."""
    return len(set(texts)), median(len(text.split()) for text in texts) if texts else 0.0


def _number(text: str) -> float | None:
    if not re.fullmatch(r"\s*[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?\s*", text):
        return None
    return float(text)


def _kind_of_numbers(values: Sequence[Any]) -> str:
    if all(isinstance(value, bool) for value in values):
        return "flag"
    if not all(isinstance(value, (int, float)) for value in values):
        return "other"
    return "whole" if all(float(value).is_integer() for value in values) else "number"
