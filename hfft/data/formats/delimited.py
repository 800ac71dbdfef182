"""Tables in csv and tsv files, whatever stands between their columns.

They are read by the standard library, every value as text: type guessing turns the text "NA" into nothing and "007"
into 7 (pandas, and `datasets` on top of it, do both).
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

from datasets import Dataset

from hfft.data.checks import SHOWN, Finding
from hfft.data.formats.text import MARK, read_text_of_any_program
from hfft.data.table import Table, require_unlike
from hfft.errors import DataError, quoted

DELIMITERS = {",": "','", ";": "';'", "\t": "tabs", "|": "'|'"}
"""What may stand between columns, and how it is called."""

FIRST_ROWS = 20  # that tell which it is

ADVICE = "A field that holds a quote must stand in quotes, with that inside it doubled."


@dataclass
class Fields:
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

    def take(self, row: list[str], lines: tuple[int, int]) -> None:
        """Adds a row, unless it is the header again.

        Raises:
            DataError: It has more or fewer fields than there are columns, or names the columns in another order.
        """
        header = self.header
        if not row:
            return
        if len(row) != len(header):
            raise DataError(
                f"{self.path}, line {lines[0]}: {len(row)} fields ({quoted(row)}), but the first line names "
                f"{len(header)} columns. A field that holds '{self.delimiter}' or a quote must stand in double quotes."
            )
        names = [row[0].removeprefix(MARK), *row[1:]]
        if len(header) > 1 and names == header:
            self.headers.append(lines[0])
        elif len(header) > 1 and sorted(names) == sorted(header):
            raise DataError(
                f"{self.path}, line {lines[0]} names the columns again, and in another order: {quoted(row)}. Two "
                "files were put together: name both in the recipe, and they are joined by the names of their columns."
            )
        else:
            self.rows.append(row)
            self.lines.append(lines)


def read_csv(path: Path) -> Table:
    """Reads a file of commas, or else of what stands between its columns in their place, which is said.

    Raises:
        DataError: It is no such file; with the line.
    """
    return _read(path, ",")


def read_tsv(path: Path) -> Table:
    """Reads a file of tabs, or else of what stands between its columns in their place, which is said.

    Raises:
        DataError: It is no such file; with the line.
    """
    return _read(path, "\t")


def _read(path: Path, usual: str) -> Table:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a document is one field; the library's own limit is 128 KiB
    text, remarks = read_text_of_any_program(path)
    delimiter = _delimiter(text, usual)
    fields, doubts = _in_tabs(path, text) if delimiter == "\t" else _in_quotes(path, text, delimiter)
    if delimiter != usual:
        what = f"of {path.name} are read with {DELIMITERS[delimiter]} between columns, and not {DELIMITERS[usual]}"
        remarks = [Finding("delimiter", "", len(fields.rows), len(fields.rows), what), *remarks]
    return replace(table_of_fields(fields, [*remarks, *doubts]), decimal_commas=delimiter != ",")


def _delimiter(text: str, usual: str) -> str:
    """What stands between columns, by the header and the first rows: what is usual, unless that cannot be.

    It cannot where the rows differ in their number of fields, or have but one, and with another delimiter all of these
    rows have as many fields as the header, and more than one. Where the usual one gives a header of one field and rows
    of more, it is enough that most rows agree: the others are named as faulty.
    """
    first = _widths(text, usual)
    if not first or (first[0] > 1 and len(set(first)) == 1):  # as nearly all files: the others are not tried
        return usual
    widths = {delimiter: _widths(text, delimiter) for delimiter in DELIMITERS}
    share = {delimiter: found.count(found[0]) / len(found) for delimiter, found in widths.items() if found}
    enough = 0.5 if widths[usual][0] == 1 and share[usual] < 1 else 1
    others = [delimiter for delimiter in share if widths[delimiter][0] > 1 and share[delimiter] >= enough]
    return max(others, key=lambda delimiter: (share[delimiter], widths[delimiter][0]), default=usual)


def _widths(text: str, delimiter: str) -> list[int]:
    """How many fields the header and the first rows have."""
    rows = filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    return [len(row) for row in islice(rows, 1 + FIRST_ROWS)]


def _in_quotes(path: Path, text: str, delimiter: str) -> tuple[Fields, list[Finding]]:
    """Cuts a file that has quotes around what holds a delimiter, a quote or a line end."""
    fields = _cut(path, text, delimiter, csv.QUOTE_MINIMAL)
    doubtful = [row for row, lines in fields.over_lines() if _like_rows(lines, fields)]
    what = "run within quotes over lines that look like rows of their own. A quote that is a letter must be doubled"
    return fields, _found("quotes", fields, [fields.lines[row][0] for row in doubtful], what)


def _in_tabs(path: Path, text: str) -> tuple[Fields, list[Finding]]:
    """Cuts a file of tabs, with quotes as in csv; or, as GLUE has it, with quotes that are letters as any other.

    They are letters in all of the file, which is said, where they do not stand around whole fields, or where a field in
    quotes would run over lines that are rows by themselves.
    """
    try:
        fields = _cut(path, text, "\t", csv.QUOTE_MINIMAL)
        hiding = fields.over_lines()
        if not hiding:
            return fields, []
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
    what = "hold quotes, not all of them around whole fields: in the whole file they are letters"
    return fields, _found("quotes", fields, quoted, what)


def _cut(path: Path, text: str, delimiter: str, quoting: Literal[0, 3]) -> Fields:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    fields = Fields(path, text, delimiter, [], [], [], [])
    start = 1
    try:
        fields.header[:] = next(reader, [])
        if not fields.header:
            raise DataError(f"{path} is empty, or its first line is; that line should name the columns.")
        start = reader.line_num + 1
        for row in reader:
            fields.take(row, (start, reader.line_num + 1))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {start}: not valid csv: {error}. {ADVICE}") from None
    return fields


def table_of_fields(fields: Fields, remarks: list[Finding]) -> Table:
    """Makes a table of texts, without columns that have neither a name nor a value.

    Raises:
        DataError: Two columns have one name.
    """
    header, rows = fields.header, fields.rows
    # Spreadsheets write columns that hold nothing, and have no name.
    kept = [number for number, name in enumerate(header) if name.strip() or any(row[number] for row in rows)]
    names = [header[number] for number in kept]
    require_unlike(names, f"{fields.path}, in its first line,")
    again = _found("header", fields, fields.headers, "are the names of the columns again, and are left out")
    columns = {name: [row[number] for row in rows] for name, number in zip(names, kept, strict=True)}
    return Table(Dataset.from_dict(columns), remarks=[*remarks, *again])


def _like_rows(lines: list[list[str]], fields: Fields) -> bool:
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


def _found(kind: str, fields: Fields, lines: Sequence[int], text: str) -> list[Finding]:
    """One finding about the rows that begin in some lines, or none."""
    if not lines:
        return []
    named = ", ".join(map(str, lines[:SHOWN])) + (", ..." if len(lines) > SHOWN else "")
    total = len(fields.rows) + len(fields.headers)
    text = f"of {fields.path.name} {text}: {'line' if len(lines) == 1 else 'lines'} {named}"
    return [Finding(kind, "", len(lines), total, text)]
