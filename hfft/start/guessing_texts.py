"""Which column, or pair of columns, is the text to be classified."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hfft.errors import DataError
from hfft.start.columns import IDS, Column
from hfft.start.wishes import GIVEN, Doubt, Wishes

if TYPE_CHECKING:
    from hfft.start.guessing import Guess

CERTAIN = ("text", "sentence")
PAIRS = (
    ("premise", "hypothesis"),
    ("question", "sentence"),
    ("question", "passage"),
    ("question", "context"),
    ("query", "passage"),
    ("query", "document"),
)
FIRST, SECOND = (re.compile(rf"(.*?)[ _\-]?({ends})", re.IGNORECASE) for ends in ("1|a|one", "2|b|two"))
MUCH = 0.5  # of the words of the longest text: what has as many may be meant as well


def text_columns(columns: Mapping[str, Column], taken: Sequence[str] = ()) -> list[Column]:
    """Columns of texts, the longest first, but for those of ids."""
    found = [
        column
        for column in columns.values()
        if column.kind == "text" and column.name not in taken and not IDS.fullmatch(column.name)
    ]
    return sorted(found, key=lambda column: -column.words)


def guess_texts(columns: Mapping[str, Column], wishes: Wishes, made: Guess, taken: Sequence[str]) -> None:
    """Takes the column of the text, or two.

    Raises:
        DataError: There is none, or one that was named holds images.
    """
    for name in wishes.text:
        if name in columns and columns[name].kind == "image":
            raise DataError(f"--text is {columns[name]}: that is to be named with --image.")
    if wishes.text:
        made.take("text", wishes.text[0] if len(wishes.text) == 1 else list(wishes.text), GIVEN)
        return
    found = text_columns(columns, taken)
    if not found:
        raise DataError(
            f"No column is left for the text beside the label {' and '.join(taken)}. The data has: "
            f"{'; '.join(map(str, columns.values()))}. Name it with --text."
        )
    pair = pair_of([column.name for column in found])
    if pair is not None:
        made.take("text", list(pair), "a pair, by their names", "likely")
        return
    named = [column for column in found if column.name.lower() in CERTAIN]
    best = named[0] if named else found[0]
    rivals = [column.name for column in found if column.words >= MUCH * best.words]
    alone = "the only column of texts" if len(found) == 1 else "by its name" if named else "the longest texts"
    unclear = not named and len(rivals) > 1
    made.take("text", best.name, alone, "unclear" if unclear else "certain" if len(found) == 1 else "likely")
    if unclear:
        question = "The column of the text, or the two of a pair with a comma"
        why = f"there are several columns of texts: {', '.join(rivals)}"
        made.doubts.append(Doubt("text", question, best.name, tuple(column.name for column in found), why, True))


def pair_of(names: Sequence[str]) -> tuple[str, str] | None:
    """The two columns whose names say that they belong together; None where there are none."""
    lower = {name.lower(): name for name in names}
    for first, second in PAIRS:
        if first in lower and second in lower:
            return lower[first], lower[second]
    firsts = {found[1].lower(): name for name in names if (found := FIRST.fullmatch(name))}
    seconds = {found[1].lower(): name for name in names if (found := SECOND.fullmatch(name))}
    return next(((firsts[stem], seconds[stem]) for stem in firsts if stem in seconds), None)
