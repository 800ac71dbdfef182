"""Tables in JSON files: a list of objects, or an object a line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hfft.data.checks import Finding, named_rows
from hfft.data.formats.text import MARK, read_text
from hfft.data.table import Table, table_of
from hfft.errors import DataError, quoted, shortened

HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character that is written as two (a surrogate)

TOO_DEEP = "lists or objects lie too deep in one another to be read"


class _Twice(ValueError):
    """A key stands twice in an object; `object_number` counts the objects by their ends."""

    def __init__(self, key: str, object_number: int):
        super().__init__(f"an object names '{shortened(key)}' twice")
        self.object_number = object_number


def read_json(path: Path) -> Table:
    """Reads a list of objects, or one object with a single list, as many exports have it.

    Raises:
        DataError: It is no such file; with the line, as far as it is known.
    """
    text = read_text(path)
    try:
        rows = _parsed(text)
    except json.JSONDecodeError as error:
        lines = " It looks like an object a line: name the file .jsonl." if error.msg == "Extra data" else ""
        raise DataError(f"{path}, line {error.lineno}: not valid JSON: {error.msg}.{lines}") from None
    except _Twice as error:
        raise DataError(f"{path}, line {_line_of_end(text, error.object_number)}: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {TOO_DEEP if isinstance(error, RecursionError) else error}.") from None
    if isinstance(rows, dict) and len(lists := [value for value in rows.values() if isinstance(value, list)]) == 1:
        rows = lists[0]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path} should hold a list of objects, one a row.")
    return _table(path, text, rows)


def read_jsonl(path: Path) -> Table:
    """Reads an object a line.

    Raises:
        DataError: It is no such file; with the line.
    """
    text = read_text(path)
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip().removeprefix(MARK)
        if not line:
            continue
        place = f"{path}, line {number}"
        try:
            row = _parsed(line)
        except json.JSONDecodeError as error:
            hint = " A line has no comma behind it." if line.endswith(",") else ""
            hint = " One list of all objects goes into a file named .json." if line in ("[", "[{", "{") else hint
            raise DataError(f"{place}: not valid JSON: {error.msg}.{hint}") from None
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place}: {TOO_DEEP if isinstance(error, RecursionError) else error}.") from None
        if not isinstance(row, dict):
            raise DataError(f"{place}: {quoted(row)} is no object; each line should be one, with names.")
        rows.append(row)
    return _table(path, text, rows)


def _parsed(text: str) -> Any:
    """The value of a text; NaN, which is not JSON but what Python and pandas write for nothing, is null."""
    ends = 0

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal ends
        ends += 1
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise _Twice(next(name for name in names if names.count(name) > 1), ends)
        return found

    return json.loads(text, object_pairs_hook=made, parse_constant=lambda name: None if name == "NaN" else float(name))


def _line_of_end(text: str, number: int) -> int:
    """The line in which an object ends."""
    found = (match for match in re.finditer(r'"(?:[^"\\]|\\.)*"|\}', text) if match[0] == "}")
    end = next(match.start() for count, match in enumerate(found, start=1) if count == number)
    return text.count("\n", 0, end) + 1


def _table(path: Path, text: str, rows: list[dict[str, Any]]) -> Table:
    halved = []
    if HALF.search(text):
        try:
            whole = [_whole(row) for row in rows]
        except RecursionError:
            raise DataError(f"{path}: {TOO_DEEP}.") from None
        halved = [row for row, (new, old) in enumerate(zip(whole, rows, strict=True)) if new != old]
        rows = whole
    names = dict.fromkeys(name for row in rows for name in row)
    what = f"of {path.name} hold halves of characters (such as \\ud83d), which are read as U+FFFD: {named_rows(halved)}"
    remarks = [Finding("half-character", "", len(halved), len(rows), what)] if halved else []
    return table_of(str(path), {name: [row.get(name) for row in rows] for name in names}, remarks)


def _whole(value: Any) -> Any:
    """The value with U+FFFD in the place of surrogates that stand alone, which no file can hold."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(part) for part in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(part) for name, part in value.items()}
    return value
