"""Tables in Excel's files: the first sheet that is not hidden, as the csv that Excel would write of it."""

from __future__ import annotations

import warnings
import zlib
from datetime import datetime, time
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from hfft.data.findings import Finding
from hfft.data.formats.delimited import Fields, table_of_fields
from hfft.data.table import Table
from hfft.errors import DataError
from hfft.registry import require

BROKEN = (BadZipFile, zlib.error, EOFError, KeyError, IndexError, ValueError, TypeError, AttributeError, SyntaxError)
"""What a broken file ends in; the last is of its XML."""


def read_xlsx(path: Path) -> Table:
    """Reads the first sheet that is not hidden, every value as text, of formulas their result. Others are named.

    Raises:
        DataError: It is broken or locked, or its first row names no columns.
        SetupError: openpyxl is missing.
    """
    require("openpyxl", "xlsx", f"{path}: an Excel file")
    names, cells = _cells(path)
    rows = [[_text(value) for value in row] for row in cells]
    width = max((number for row in rows for number, value in enumerate(row, start=1) if value), default=0)
    rows = [[*row[:width], *[""] * (width - len(row))] for row in rows]
    if not rows or not any(rows[0]):
        raise DataError(f"{path}: the first row of the sheet '{names[0]}' is empty; it should name the columns.")
    fields = Fields(path, "", "", rows[0], [], [], [])
    for number, row in enumerate(rows[1:], start=2):
        fields.take(row if any(row) else [], (number, number + 1))
    what = f"of {path.name} are the sheet '{names[0]}'; not read: {', '.join(names[1:])}"
    remark = Finding("sheets", "", len(fields.rows), len(fields.rows), what)
    return table_of_fields(fields, [remark] if names[1:] else [])


def _cells(path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of all sheets, and the values of the first."""
    import openpyxl  # type: ignore[import-not-found]
    from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-not-found]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and forms that it does not know
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            sheets[0].reset_dimensions()  # which some programs write wrongly
            cells = list(sheets[0].iter_rows(values_only=True))
            book.close()
            return [sheet.title for sheet in sheets], cells
    except (*BROKEN, InvalidFileException) as error:
        raise DataError(
            f"{path} is not a readable Excel file: {error}. If a password locks it, save it without one."
        ) from error


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return str(value)
