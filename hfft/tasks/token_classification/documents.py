"""Rows as documents: words with a tag each, or whole texts with spans of characters."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from datasets import ClassLabel, Dataset

from hfft.data.checks import Finding, count_rows, require_columns, row_of
from hfft.data.labels import as_known
from hfft.errors import DataError, near, shortened
from hfft.tasks.token_classification.schemes import OUTSIDE, Span, begins_inside
from hfft.tasks.token_classification.words import trimmed

KEYS = ("start", "end", "label")

Truth = list[str] | list[Span] | None  # the tags of words, or the spans of a text; None where there are none


@dataclass(frozen=True)
class Columns:
    """Where documents stand, and how tags are read.

    Attributes:
        tokens: The column of the documents.
        tags: The column of their tags or spans.
        labels: The recipe's tags: tags that are numbers are positions in them.
        known: The tags of a finished model: what is spelled so stays so.
    """

    tokens: str
    tags: str
    labels: Sequence[str] | None
    known: Sequence[str] = ()

    @cached_property
    def spell(self) -> Callable[[str], str]:
        """Spells a tag, or the type of a span, as it is known, or else without white space at its ends."""
        return as_known((*(self.labels or ()), *self.known))


@dataclass(frozen=True)
class Documents:
    """A split, read.

    Attributes:
        whole: Whether documents are whole texts; else they are lists of words.
        given: The documents.
        truths: What is right for each.
    """

    whole: bool
    given: list[Any]
    truths: list[Truth]


def read_documents(rows: Dataset, split: str, columns: Columns) -> Documents:
    """Reads the documents of a split, without what is right for them.

    Raises:
        DataError: There is no such column, or a row of it is no text and no list of texts; the message names the row.
    """
    if rows.column_names == ["text"] != [columns.tokens]:
        raise DataError(
            f"task.tokens is '{columns.tokens}', but the {split} split has lines of text alone. If a line holds a word "
            "and its tag (CoNLL), name the file .conll; else write .jsonl, with a list of words and one of tags a row."
        )
    require_columns({split: rows}, {"task.tokens": [columns.tokens]})
    given, column = rows[columns.tokens][:], columns.tokens
    whole = any(isinstance(value, str) for value in given)
    for row, value in enumerate(given):
        if whole and not isinstance(value, str):
            raise _odd("tokens", row, split, column, value, "a text, as other rows have it")
        if not whole and not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
            raise _odd("tokens", row, split, column, value, "a list of texts (words), or one text")
    return Documents(whole, given, [None] * len(given))


def read_answered(rows: Dataset, split: str, columns: Columns) -> Documents:
    """Reads documents with their tags or spans; the truth is None where a row has none.

    Raises:
        DataError: As `read_documents`; tags are unlike words in number, or are none; spans lie outside their text.
    """
    documents = read_documents(rows, split, columns)
    require_columns({split: rows}, {"task.tags": [columns.tags]})
    values, feature = rows[columns.tags][:], _inner(rows.features[columns.tags])
    read = _spans if documents.whole else _tags
    truths = [
        None if value is None else read(document, value, feature, row, split, columns)
        for row, (document, value) in enumerate(zip(documents.given, values, strict=True))
    ]
    return Documents(documents.whole, documents.given, truths)


def named_classes(rows: Dataset, columns: Columns) -> list[str] | None:
    """The names that the column of the tags, or the label of its spans, brings in order; None where it brings none."""
    feature = _inner(rows.features[columns.tags])
    if isinstance(feature, dict):
        feature = _inner(feature.get("label"))
    return list(dict.fromkeys(map(columns.spell, feature.names))) if isinstance(feature, ClassLabel) else None


def scheme_findings(split: str, truths: Sequence[Truth]) -> list[Finding]:
    """Counts the documents whose tags are no valid BIO."""
    text = "have an I- behind no tag of its type, which is read as the beginning of an entity"
    flags = (truth is not None and begins_inside([str(tag) for tag in truth]) for truth in truths)
    return count_rows("no-begin", split, flags, len(truths), text)


def without_overlaps(spans: Sequence[Span]) -> list[Span]:
    """The spans that can be learnt together: of those that overlap one another the longest stay."""
    kept: list[Span] = []  # by their places
    for span in sorted(set(spans), key=lambda span: (span.start - span.end, span)):
        place = bisect(kept, span.start, key=lambda other: other.start)
        neighbours = kept[max(place - 1, 0) : place + 1]
        if all(span.end <= other.start or other.end <= span.start for other in neighbours):
            kept.insert(place, span)
    return kept


def _inner(feature: Any) -> Any:
    return getattr(feature, "feature", feature)


def _tags(words: list[str], value: Any, feature: Any, row: int, split: str, columns: Columns) -> list[str]:
    if not isinstance(value, list):
        raise _odd("tags", row, split, columns.tags, value, f"a list of tags, one for each word{_as_text(value)}")
    if len(value) != len(words):
        raise DataError(
            f"task.tags: {row_of(row, split)} has {len(words)} words in '{columns.tokens}', but {len(value)} "
            f"tags in '{columns.tags}'. There must be a tag for each word."
        )
    return [_tag(tag, feature, row, split, columns) for tag in value]


def _tag(tag: Any, feature: Any, row: int, split: str, columns: Columns) -> str:
    names = feature.names if isinstance(feature, ClassLabel) else columns.labels
    if isinstance(tag, str) and tag.strip():
        return columns.spell(tag)
    if isinstance(tag, int) and not isinstance(tag, bool):
        if names is None:
            raise DataError(
                f"task.tags: the column '{columns.tags}' holds numbers ({tag} in {row_of(row, split)}). Say "
                "what they mean in task.labels: the tags, in order."
            )
        if 0 <= tag < len(names):
            return columns.spell(names[tag])
        hint = " -100 is for pieces of words: give the tags of whole words." if tag == -100 else ""
        raise DataError(
            f"task.tags: {row_of(row, split)} has the tag {tag}, but there are {len(names)} tags, numbered "
            f"from 0.{hint}"
        )
    raise _odd("tags", row, split, columns.tags, tag, "a tag (a text, or a number)")


def _spans(text: str, value: Any, feature: Any, row: int, split: str, columns: Columns) -> list[Span]:
    if isinstance(value, dict) and all(isinstance(value.get(key), list) for key in KEYS):  # as older data sets have it
        lists = [value[key] for key in KEYS]
        if len({len(parts) for parts in lists}) > 1:
            raise _odd("tags", row, split, columns.tags, value, f"as many of each: {', '.join(KEYS)}")
        value = [dict(zip(KEYS, parts, strict=True)) for parts in zip(*lists, strict=True)]
    if not isinstance(value, list) or not all(isinstance(span, dict) for span in value):
        wanted = f"a list of {{start, end, label}}, for these are whole texts{_as_text(value)}"
        raise _odd("tags", row, split, columns.tags, value, wanted)
    return [_span(text, span, feature, row, split, columns) for span in value]


def _as_text(value: Any) -> str:
    """What to do where a list came as a text."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return ""
    return "; this is a list written as text, as csv has it: only json, jsonl and parquet files hold lists"


def _span(text: str, span: dict[str, Any], feature: Any, row: int, split: str, columns: Columns) -> Span:
    missing = [key for key in KEYS if key not in span]
    if missing:
        hint = near(missing[0], span)
        raise DataError(
            f"task.tags: a span in {row_of(row, split)} ('{columns.tags}') has no '{missing[0]}'.{hint} It "
            f"has: {', '.join(span)}."
        )
    start, end, label = (span[key] for key in KEYS)
    inner = _inner(feature.get("label")) if isinstance(feature, dict) else None
    if isinstance(inner, ClassLabel) and isinstance(label, int) and 0 <= label < len(inner.names):
        label = inner.int2str(label)
    label = columns.spell(label) if isinstance(label, str) else label
    if not isinstance(label, str) or not label or label == OUTSIDE:
        raise _odd("tags", row, split, columns.tags, label, "the type of an entity, a text")
    if not all(type(place) is int for place in (start, end)) or not 0 <= start < end <= len(text):
        raise DataError(
            f"task.tags: {row_of(row, split)} has a span from {start!r} to {end!r} ('{shortened(label)}'), but its "
            f"text has {len(text)} characters: 'start' counts from 0, and 'end' is the character behind the last."
        )
    first, behind = trimmed(text, start, end)
    if first == behind:
        raise DataError(
            f"task.tags: {row_of(row, split)} has a span from {start} to {end} ('{shortened(label)}') that holds "
            "nothing but white space."
        )
    return Span(label, first, behind)


def _odd(option: str, row: int, split: str, column: str, value: Any, wanted: str) -> DataError:
    found = "missing" if value is None else f"{value!r:.80}"
    return DataError(
        f"task.{option}: in {row_of(row, split)} the column '{column}' is or holds {found}; it should be {wanted}."
    )
