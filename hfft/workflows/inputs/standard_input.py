"""What is asked on the command line as bytes: the lines of standard input, and arguments that may be no UTF-8."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from hfft.errors import DataError
from hfft.tasks.task import Task


def read_lines(task: Task, data: bytes) -> list[Any]:
    """Reads what stands on standard input: a line each, a text; of a task that sees, the name of a file.

    Of pairs and the like the texts of a line stand apart by tabs, or it is a list or an object in JSON.

    Raises:
        DataError: It is not UTF-8, or a line has another number of texts.
    """
    lines = _decoded(data).replace("\r\n", "\n").removesuffix("\n").split("\n") if data else []
    if task.file_columns:
        return lines
    return [_line(task.inputs, line, number) for number, line in enumerate(lines, 1)]


def require_unicode(arguments: Iterable[str]) -> None:
    """Raises DataError where an argument of the command line is not UTF-8."""
    for number, argument in enumerate(arguments):
        given = os.fsencode(argument)
        try:
            given.decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"Input {number} (from 0) is not UTF-8: the byte 0x{given[error.start]:02x} stands in {given!r}. Give "
                "it in UTF-8; of a text in latin1: iconv -f latin1 -t utf-8 FILE | hfft predict RUN -"
            ) from None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"Standard input, line {line}: the byte 0x{data[error.start]:02x} is not UTF-8. Convert it first, for "
            "example: iconv -f latin1 -t utf-8"
        ) from None


def _line(columns: Sequence[str], line: str, number: int) -> dict[str, Any]:
    if len(columns) == 1:
        return {columns[0]: line}
    parts: Any = line.split("\t")
    if line[:1] in ("[", "{"):
        try:
            parts = json.loads(line)
        except ValueError as error:
            raise DataError(f"Standard input, line {number}: not valid JSON: {error}.") from None
    if isinstance(parts, dict):
        return parts
    if len(parts) != len(columns):
        raise DataError(
            f"Standard input, line {number} holds {len(parts)} text(s), but this model reads {len(columns)} together "
            f"({', '.join(columns)}): put a tab between them, or write the line in JSON."
        )
    return dict(zip(columns, parts, strict=True))
