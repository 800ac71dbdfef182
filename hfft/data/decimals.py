"""Numbers with a comma before their decimals, as most of Europe writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from datasets import Dataset

from hfft.data.findings import Finding
from hfft.data.table import Table
from hfft.errors import quoted

NUMBER = re.compile(r"[-+]?(?:[0-9]{1,3}(?:[. \u00a0\u202f][0-9]{3})+|[0-9]+)(?:,[0-9]+)?(?:[eE][-+]?[0-9]+)?")
"""With points or blanks between thousands, or without: 1.234,5 or 1234,5 or 12."""


def is_written_so(text: str) -> bool:
    """Whether a text is a number without a comma, or with one that stands before its decimals."""
    return NUMBER.fullmatch(text.strip()) is not None


def has_decimal_comma(text: str) -> bool:
    """Whether a text is a number with a comma before its decimals.

    >>> [has_decimal_comma(text) for text in ("3,5", "1.234,5", "3", "1,2,3")]
    [True, True, False, False]
    """
    return "," in text and is_written_so(text)


def with_points(table: Table, name: str, columns: Sequence[str] | None) -> Table:
    """Writes points before the decimals of columns of numbers, and nothing between thousands, which a finding says.

    Args:
        table: A table whose columns no comma parts: others are returned as they are.
        name: The file's, for the finding.
        columns: Those to look at, of which all values must be such numbers, and one have a comma; None for all.
    """
    if not table.decimal_commas:
        return table
    rows, found = table.rows, []
    changed = {}
    for column in rows.column_names if columns is None else [one for one in columns if one in rows.column_names]:
        texts = rows[column][:]
        commas = [text for text in texts if has_decimal_comma(text)]
        if not commas or not all(is_written_so(text) for text in texts if text.strip()):
            continue
        changed[column] = [re.sub(r"[.\s]", "", text).replace(",", ".") for text in texts]
        first = quoted(commas[0]), changed[column][texts.index(commas[0])]
        what = (
            f"of {name} have a comma before the decimals of '{column}', which is read as such: {first[0]} is {first[1]}"
        )
        found.append(Finding("decimal-comma", "", len(commas), len(rows), what))
    if not changed:
        return table
    rows = Dataset.from_dict({column: changed.get(column, rows[column][:]) for column in rows.column_names})
    return replace(table, rows=rows, remarks=[*table.remarks, *found])
