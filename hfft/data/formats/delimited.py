"""Tables in csv and tsv files.

They are read by the standard library, every value as text: type guessing turns the text "NA" into nothing and "007"
into 7 (pandas, and `datasets` on top of it, do both).
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from datasets import Dataset

from hfft.data.checks import SHOWN, Finding
from hfft.data.formats.text import MARK, read_text
from hfft.data.table import Table, require_unlike
from hfft.errors import DataError, quoted

ADVICE = "A field that holds a quote must stand in quotes, with that inside it doubled."


@dataclass
class _Fields:
    """A file, cut into fields.

    Attributes:
        path: The file.
        text: What is in it.
        delimiter: Between fields.
        header: The names of the columns.
        rows: The fields of each row.
        lines: The line in which each row begins, and the one behind it, from 1.
        headers: The lines that are the header again, which are no rows.
    """

    path: Path
    text: str
    delimiter: str
    header: list[str]
    rows: list[list[str]]
    lines: list[tuple[int, int]]
    headers: list[int]

    @cached_property
    def known(self) -> list[set[str]]:
        """What stands in each column, in rows of one line."""
        single = [row for row, (first, behind) in zip(self.rows, self.lines, strict=True) if behind - first == 1]
        return [{row[column] for row in single} for column in range(len(self.header))]

    @cached_property
    def own_lines(self) -> list[list[str]]:
        """The fields of each line, as if quotes were letters."""
        return [line.rstrip("\r\n").split(self.delimiter) for line in io.StringIO(self.text, newline="")]

    def over_lines(self) -> list[tuple[int, list[list[str]]]]:
        """The rows that run over lines each of which has as many fields as a row, with the fields of these lines."""
        width = len(self.header)
        long = [row for row, (first, behind) in enumerate(self.lines) if behind - first > 1 < width]
        found = [(row, self.own_lines[self.lines[row][0] - 1 : self.lines[row][1] - 1]) for row in long]
        return [(row, lines) for row, lines in found if all(len(fields) == width for fields in lines)]


def read_csv(path: Path) -> Table:
    """Reads a file of commas, with quotes around what holds a comma, a quote or a line end.

    Raises:
        DataError: It is no such file; with the line.
    """
    fields = _cut(path, read_text(path), ",", csv.QUOTE_MINIMAL)
    doubtful = [row for row, lines in fields.over_lines() if _like_rows(lines, fields)]
    text = "run within quotes over lines that look like rows of their own. A quote that is a letter must be doubled"
    return _table(fields, _found("quotes", fields, [fields.lines[row][0] for row in doubtful], text))


def read_tsv(path: Path) -> Table:
    """Reads a file of tabs, with quotes as in csv; or, as GLUE has it, with quotes that are letters as any other.

    They are letters in all of the file, which is said, where they do not stand around whole fields, or where a field in
    quotes would run over lines that are rows by themselves.

    Raises:
        DataError: It is no such file; with the line.
    """
    text = read_text(path)
    try:
        fields = _cut(path, text, "\t", csv.QUOTE_MINIMAL)
        hiding = fields.over_lines()
        if not hiding:
            return _table(fields, [])
        fault = DataError(
            f"{path}, line {fields.lines[hiding[0][0]][0]}: a quote begins a field that runs over lines which are rows "
            f"by themselves. {ADVICE}"
        )
    except DataError as error:
        fault = error
    try:
        fields = _cut(path, text, "\t", csv.QUOTE_NONE)
    except DataError:
        raise fault from None
    quoted = [
        line for row, (line, _) in zip(fields.rows, fields.lines, strict=True) if any('"' in part for part in row)
    ]
    text = "hold quotes, not all of them around whole fields: in the whole file they are letters"
    return _table(fields, _found("quotes", fields, quoted, text))


def _cut(path: Path, text: str, delimiter: str, quoting: Literal[0, 3]) -> _Fields:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a document is one field; the library's own limit is 128 KiB
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    fields = _Fields(path, text, delimiter, [], [], [], [])
    start = 1
    try:
        fields.header[:] = next(reader, [])
        if not fields.header:
            raise DataError(f"{path} is empty, or its first line is; that line should name the columns.")
        start = reader.line_num + 1
        for row in reader:
            _take(fields, row, (start, reader.line_num + 1))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {start}: not valid csv: {error}. {ADVICE}") from None
    return fields


def _take(fields: _Fields, row: list[str], lines: tuple[int, int]) -> None:
    header = fields.header
    if not row:
        return
    if len(row) != len(header):
        raise DataError(
            f"{fields.path}, line {lines[0]}: {len(row)} fields ({quoted(row)}), but the first line names "
            f"{len(header)} columns. A field that holds '{fields.delimiter}' or a quote must stand in double quotes."
        )
    names = [row[0].removeprefix(MARK), *row[1:]]
    if len(header) > 1 and names == header:
        fields.headers.append(lines[0])
    elif len(header) > 1 and sorted(names) == sorted(header):
        raise DataError(
            f"{fields.path}, line {lines[0]} names the columns again, and in another order: {quoted(row)}. Two "
            "files were put together: name both in the recipe, and they are joined by the names of their columns."
        )
    else:
        fields.rows.append(row)
        fields.lines.append(lines)


def _table(fields: _Fields, remarks: list[Finding]) -> Table:
    header, rows = fields.header, fields.rows
    # Spreadsheets write columns that hold nothing, and have no name.
    kept = [number for number, name in enumerate(header) if name.strip() or any(row[number] for row in rows)]
    names = [header[number] for number in kept]
    require_unlike(names, f"{fields.path}, in its first line,")
    again = _found("header", fields, fields.headers, "are the names of the columns again, and are left out")
    columns = {name: [row[number] for row in rows] for name, number in zip(names, kept, strict=True)}
    return Table(Dataset.from_dict(columns), remarks=[*remarks, *again])


def _like_rows(lines: list[list[str]], fields: _Fields) -> bool:
    """Whether in a column all of these lines hold what other rows hold there: one of their values, or numbers as they.

    The field in quotes begins in the first of the lines and ends in the last, so each of the two is a row in part.
    """
    open_quotes = [number for number, part in enumerate(lines[0]) if part.startswith('"') and not part.endswith('"')]
    if not open_quotes:
        return False
    for column, known in enumerate(fields.known):
        whole = lines[:-1] if column > open_quotes[-1] else lines[1:]
        values = {line[column] for line in whole}
        if column != open_quotes[-1] and (values <= known or all(map(_is_number, values | known))):
            return True
    return False


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _found(kind: str, fields: _Fields, lines: Sequence[int], text: str) -> list[Finding]:
    """One finding about the rows that begin in some lines, or none."""
    if not lines:
        return []
    named = ", ".join(map(str, lines[:SHOWN])) + (", ..." if len(lines) > SHOWN else "")
    total = len(fields.rows) + len(fields.headers)
    text = f"of {fields.path.name} {text}: {'line' if len(lines) == 1 else 'lines'} {named}"
    return [Finding(kind, "", len(lines), total, text)]
