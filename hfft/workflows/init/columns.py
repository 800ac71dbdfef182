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

LOOKED_AT = 1000  # rows, to tell names of files from texts

NUMBER = re.compile(r"\s*[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?\s*")


@dataclass(frozen=True)
class Column:
    """A column of the rows that were looked at.

    Attributes:
        name: Its name; a dot leads into a nested one.
        kind: What it holds, one of `KINDS`.
        values: What is there, without missing and empty values; of images nothing.
        distinct: How many different values, or items of lists; 0 where that was not counted.
        words: Of a text, in the median.
    """

    name: str
    kind: str
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
    found = [column for name in rows.column_names for column in _columns(name, rows.features[name], rows[name])]
    return {column.name: column for column in found}


def _columns(name: str, feature: Any, values: Any) -> list[Column]:
    if _is_image(feature) or is_sound(feature):
        return [Column(name, "sound" if is_sound(feature) else "image")]
    given = [value for value in values[:] if value not in (None, "", [], {})]
    held = _by_language(given) if isinstance(feature, dict) else {}
    if held:
        return [_texts(f"{name}.{language}", texts, "languages") for language, texts in held.items()]
    return [_column(name, feature, given)]


def _by_language(given: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """The texts of each language, where all keys are languages; else nothing."""
    held = {key: [value[key] for value in given if value[key]] for key in (given[0] if given else ())}
    texts = all(language_of_name(key) and isinstance(given[0][key], str | None) for key in held)
    return held if texts else {}


def _column(name: str, feature: Any, given: list[Any]) -> Column:
    if not given:
        return Column(name, "nothing")
    if isinstance(feature, ClassLabel):
        return Column(name, "class", given, len(set(given)))
    if isinstance(given[0], str):
        return _written(name, given)
    if isinstance(given[0], (dict, list, tuple)):
        return _nested(name, given)
    kind = _kind_of_numbers(given)
    return Column(name, kind, given, len(set(given)) if kind != "other" else 0)


def _is_image(feature: Any) -> bool:
    if isinstance(feature, dict):
        return {"path"} <= feature.keys() <= {"bytes", "path"}
    return isinstance(feature, Image) or (isinstance(feature, Value) and feature.dtype in ("binary", "large_binary"))


def _nested(name: str, given: list[Any]) -> Column:
    items = given if isinstance(given[0], dict) else [item for value in given for item in value if item is not None]
    if items and isinstance(items[0], dict):
        return Column(name, "spans" if items[0].keys() >= SPAN_KEYS else "other", given)
    if items and all(isinstance(item, float) for item in items):
        return Column(name, "numbers", given)
    if not all(isinstance(item, (str, int)) for item in items):
        return Column(name, "other", given)
    return Column(name, "lists", given, len(set(items)))


def _written(name: str, given: list[str]) -> Column:
    """What texts say: names of files, numbers, true and false, or nothing but themselves."""
    endings = {PurePath(value).suffix.lower() for value in given[:LOOKED_AT]}
    if endings <= {*IMAGE_ENDINGS}:
        return Column(name, "image", given)
    if endings <= {*SOUND_ENDINGS, *FILM_ENDINGS}:
        return Column(name, "sound", given)
    if all(value.strip().lower() in ("true", "false") for value in given):
        return Column(name, "flag", given, len(set(given)))
    if all(NUMBER.fullmatch(value) for value in given):
        return Column(name, _kind_of_numbers([float(value) for value in given]), given, len(set(given)))
    return _texts(name, given)


def _texts(name: str, given: list[str], kind: str = "text") -> Column:
    words = median(len(text.split()) for text in given) if given else 0.0
    return Column(name, kind, given, len(set(given)), words)


def _kind_of_numbers(values: Sequence[Any]) -> str:
    if all(isinstance(value, bool) for value in values):
        return "flag"
    if not all(isinstance(value, (int, float)) for value in values):
        return "other"
    return "whole" if all(float(value).is_integer() for value in values) else "number"
