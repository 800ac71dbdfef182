"""Which column is the label, and how it is to be read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hfft.data.label_doubts import WORDS, delimiter_of
from hfft.errors import DataError
from hfft.start.columns import IDS, Column
from hfft.start.guessing_texts import pair_of, text_columns
from hfft.start.wishes import GIVEN, Doubt, Wishes

if TYPE_CHECKING:
    from hfft.start.guessing import Guess

STRONG = re.compile(
    "labels?|class|classes|category|categories|intent|sentiment|emotions?|topics?|gold|y|entailment|.*label"
)
WEAK = re.compile(
    "target|tags?|rating|stars|score|similarity|genres?|type|polarity|stance|spam|toxic|team|department|relation|answer|"
    "price|language|gender|tone|style|priority|status"
)


def label_candidates(columns: Mapping[str, Column], taken: Sequence[str]) -> list[tuple[float, Column]]:
    """Columns that may be the label, the likeliest first, each with its score; from 4 on it is as good as certain."""
    found = []
    for column in columns.values():
        score = 0.0 if column.name in taken or IDS.fullmatch(column.name) else _score(column)
        if score > 0:
            found.append((score, column))
    return sorted(found, key=lambda pair: -pair[0])


def _score(column: Column) -> float:
    named = _named(column)
    if column.kind in ("nothing", "other", "image", "languages", "spans"):
        return 0
    if column.kind == "text" and column.words >= WORDS and not named:
        return 0
    if column.kind in ("class", "numbers"):
        return named + 3
    if column.kind == "number":
        return named + 1
    if column.kind == "flag" or column.repeats or (column.kind == "lists" and column.distinct > 1):
        return named + (1.5 if column.kind == "whole" else 2)
    return named  # all different, or all the same: only where its name says so, to be told that


def _named(column: Column) -> float:
    """How much the name says that it is a label: 3, 1.5 or nothing."""
    plain = re.sub(r"[^a-z]", "", column.name.lower())
    return 3 if STRONG.fullmatch(plain) else 1.5 if WEAK.fullmatch(plain) else 0


def guess_label(columns: Mapping[str, Column], wishes: Wishes, made: Guess, taken: Sequence[str]) -> list[str]:
    """Takes the column, or columns, of the label. Gives their names.

    Raises:
        DataError: There is none.
    """
    if wishes.label:
        names = list(wishes.label)
        made.take("label", names[0] if len(names) == 1 else names, GIVEN)
        if len(names) == 1:
            _read_delimiter(columns[names[0]], made)
        return names
    found = label_candidates(columns, taken)
    flags = _marks([column for _, column in found])
    if len(flags) >= 3 and found[0][0] < 4:
        made.take("label", flags, f"{len(flags)} columns of 0 and 1: each is a label", "unclear")
        why = f"{', '.join(flags)} hold nothing but 0 and 1"
        question = "The column of the label, or several with commas"
        made.doubts.append(Doubt("label", question, ",".join(flags), tuple(columns), why, True))
        return flags
    if not found:
        raise DataError(
            f"No column looks like a label. The data has: {'; '.join(map(str, columns.values()))}. Name it with "
            "--label."
        )
    score, best = found[0]
    rivals = [column.name for other, column in found if other > score - 1]
    vague = _why_vague(best, columns)
    unclear = score < 2 or (len(rivals) > 1 and score < 4) or bool(vague)
    sure = "unclear" if unclear else "certain" if score >= 4 and len(rivals) == 1 else "likely"
    made.take("label", best.name, _why(best, len(found)), sure)
    if unclear:
        why = f"it may be {' or '.join(rivals)}" if len(rivals) > 1 else f"only {best} could be one{vague}"
        choices = tuple(column.name for _, column in found)
        made.doubts.append(Doubt("label", "The column of the label", best.name, choices, why))
    _read_delimiter(best, made)
    return [best.name]


def _why_vague(best: Column, columns: Mapping[str, Column]) -> str:
    """Why a column of texts without a label's name may just repeat, as the titles of articles do; empty if it may not.

    So it is where something else seems to be the answer: one that cannot be learnt from, or one about two texts.
    """
    if best.kind != "text" or _named(best):
        return ""
    lost = [column.name for column in columns.values() if column.kind == "other" and not IDS.fullmatch(column.name)]
    if lost:
        return f", but its name does not say so, and '{lost[0]}', which may be the answer, cannot be learnt from"
    pair = pair_of([column.name for column in text_columns(columns, [best.name])])
    return f", but its name does not say so beside the texts {' and '.join(pair)}" if pair else ""


def _marks(found: Sequence[Column]) -> list[str]:
    return [
        column.name
        for column in found
        if column.kind == "flag"
        or (column.kind == "whole" and {str(value).strip() for value in column.values} <= MARKS)
    ]


MARKS = {"0", "1", "0.0", "1.0"}


def _why(column: Column, candidates: int) -> str:
    if column.kind == "class":
        return "a class with names"
    alone = "the only column that can be a label" if candidates == 1 else "by its name and its values"
    return f"{alone}: {column.distinct} different values" if column.distinct else alone


def _read_delimiter(column: Column, made: Guess) -> None:
    """Takes a delimiter where texts look like several labels in one."""
    if column.kind != "text":
        return
    found = delimiter_of(column.values)
    if found is not None:
        made.take("delimiter", found[0], f"{found[1]} labels stand between them, several in some rows", "likely")
