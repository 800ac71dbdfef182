"""Which columns are words and their tags, or texts and their spans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hfft.errors import DataError
from hfft.start.columns import Column
from hfft.start.guessing_texts import text_columns
from hfft.start.wishes import GIVEN, Doubt, Wishes

if TYPE_CHECKING:
    from hfft.start.guessing import Guess

NAMED = ("ner_tags", "tags", "ner", "labels", "entities")


def word_columns(columns: Mapping[str, Column]) -> tuple[list[str], list[str]] | None:
    """Columns of documents and of what tags them; None where there are none.

    Words and tags are lists of equal length in every row, and the words those of which more differ.
    """
    spans = [column.name for column in columns.values() if column.kind == "spans"]
    if spans:
        return [column.name for column in text_columns(columns)], spans
    lists = [column for column in columns.values() if column.kind == "lists"]
    for words in sorted(lists, key=lambda column: -column.distinct):
        if isinstance(words.values[0][0], str):
            tags = [column.name for column in lists if column is not words and _aligned(words, column)]
            if tags:
                return [words.name], sorted(tags, key=lambda name: (name not in NAMED, name))
    return None


def _aligned(words: Column, tags: Column) -> bool:
    same = len(words.values) == len(tags.values) and tags.distinct <= words.distinct
    return same and all(len(one) == len(other) for one, other in zip(words.values, tags.values, strict=True))


def guess_words(columns: Mapping[str, Column], wishes: Wishes, made: Guess) -> None:
    """Takes the columns of documents and of their tags.

    Raises:
        DataError: There are none.
    """
    found = word_columns(columns)
    documents, tags = found or ([], [])
    for option, given, names, what in (
        ("tokens", wishes.tokens, documents, "the words, or texts"),
        ("tags", wishes.tags, tags, "their tags, or spans"),
    ):
        if given is not None:
            made.take(option, given, GIVEN)
            continue
        names = [name for name in names if name not in (wishes.tokens, wishes.tags)]
        if not names:
            raise DataError(
                f"No column looks like {what}. The data has: {'; '.join(map(str, columns.values()))}. Lists come from "
                f"json, jsonl and parquet files, and have one tag for each word. Name the column with --{option}."
            )
        unclear = len(names) > 1 and names[0] not in NAMED
        made.take(option, names[0], _reason(option, columns[names[0]]), "unclear" if unclear else "certain")
        if unclear:
            why = f"it may be {' or '.join(names)}"
            made.doubts.append(Doubt(option, f"The column of {what}", names[0], tuple(names), why))


def _reason(option: str, column: Column) -> str:
    if column.kind in ("text", "spans"):
        return "texts" if option == "tokens" else "spans of characters in them"
    return "lists of words" if option == "tokens" else "lists of as many tags as there are words"
