"""The files of a run folder, read as plain values and checked; and whether a folder holds a finished run.

All readers raise SetupError where a file is no JSON, or not what `hfft.io.run_models` says that a run writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, NoReturn

from pydantic import FiniteFloat, TypeAdapter, ValidationError

from hfft.errors import SetupError, near
from hfft.io.run_folder import RunFolder, scored_splits
from hfft.io.run_models import OF_SPLIT, Data, Environment, Event, Parameter, Results, Table

Row = dict[str, Any]

HALVES = re.compile("[\ud800-\udfff]")  # of characters, as JSON can write them alone; no file can hold them

HALVES_WRITTEN = re.compile(r"\\u[dD][89a-fA-F]")

FIX = "The file was changed or cut after the run"

KINDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
}
"""What a value of JSON is, for people."""

WANTED = {
    "model_type": "an object",
    "dict_type": "an object",
    "list_type": "a list",
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a whole number or a number",
}
"""The same, by what pydantic calls a value that is something else."""

LISTED = 3  # names of what a folder holds, in a message


def require_finished(folder: RunFolder) -> None:
    """Looks whether a folder holds a finished run.

    Raises:
        SetupError: It does not; the message says what there is.
    """
    path = folder.path
    if not path.is_dir():
        siblings = [place.name for place in path.parent.iterdir()] if path.parent.is_dir() else []
        raise SetupError(f"There is no run folder {path}.{near(path.name, siblings)}")
    if not folder.recipe.is_file():
        if any((path / name).is_file() for name in ("config.json", "adapter_config.json")):
            raise SetupError(f"{path} is a model and no run: give the run folder, the one above it.")
        names = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
        holds = f"holds {', '.join(names[:LISTED])}{', ...' if len(names) > LISTED else ''}" if names else "is empty"
        raise SetupError(f"{path} is no run folder: it has no {folder.recipe.name}. It {holds}.")
    if not folder.results.is_file():
        steps = folder.checkpoint_steps()
        stands = f"its newest checkpoint is of step {steps[-1]}" if steps else "it has no checkpoint yet"
        raise SetupError(
            f"The run in {path} is not finished: it has no {folder.results.name} yet. `hfft train` with the same "
            f"recipe and --output {path} goes on with it: {stands}."
        )


def finished_results(folder: RunFolder) -> Row:
    """Reads results.json of a folder that is to hold a finished run, as `require_finished` has it."""
    require_finished(folder)
    return read_results(folder.results)


def read_results(path: Path) -> Row:
    """Reads results.json; every score of it is a number, and there is a count of the examples of each split."""
    found = _read(path, Results)
    splits = scored_splits(found)
    for ending, kind in OF_SPLIT.items():
        names = [f"{split}{ending}" for split in splits]
        require({name: found[name] for name in names if name in found}, dict[str, kind], str(path))
    without = [split for split in splits if split not in found]
    if without:
        raise SetupError(f"{path} is not what a run writes: it has no {without[0]}. {FIX}, or is another's.")
    for name, value in found.items():
        if name not in splits and isinstance(value, dict) and value and _is_table(value):
            raise SetupError(f"{path} has scores of {name}, and no {name}_examples. {FIX}.")
    return found


def read_environment(path: Path) -> Row:
    """Reads environment.json; an empty object where there is none."""
    return _read(path, Environment) if path.is_file() else {}


def read_data(path: Path) -> Row:
    """Reads data.json; an empty object where there is none."""
    return _read(path, Data) if path.is_file() else {}


def read_parameters(path: Path) -> list[Row]:
    """Reads parameters.json; an empty list where there is none."""
    return _read(path, list[Parameter]) if path.is_file() else []


def read_events(path: Path) -> tuple[list[Row], list[int]]:
    """The rows of metrics.jsonl, and the numbers of the lines that are none; nothing where there is no file.

    Half a row at the end, as a run that is killed may leave it, is no damage.
    """
    events, broken = [], []
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        try:
            events.append(_event(line, f"Line {number} of {path}"))
        except SetupError:
            broken += [number] if line.endswith(b"\n") else []
    return events, broken


def _event(line: bytes, where: str) -> Row:
    event = read_line(line, where)
    require(event, Event, where)
    if event["event"] == "eval":
        scores = {name: value for name, value in event.items() if name != "event"}
        require(scores, dict[str, FiniteFloat | None], where)
    return event


def read_labels(path: Path) -> list[str]:
    """The labels that the config.json of a model names, in order; none where it names none, or is not there."""
    config = parsed(path.read_bytes(), str(path), constant=float) if path.is_file() else {}  # which may have Infinity
    require(config, dict, str(path))
    names = config.get("id2label") or {}
    require(names, dict, f"id2label of {path}")
    known = all(key.isdigit() and isinstance(name, str) for key, name in names.items())
    return [names[key] for key in sorted(names, key=int)] if known else []


def read_lines(path: Path) -> Iterator[tuple[int, Row]]:
    """Reads objects of JSON, one a line, with the numbers of their lines, from 1."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            yield number, read_line(line, f"Line {number} of {path}")


def read_line(line: bytes, where: str) -> Row:
    """Reads an object of JSON; messages begin with `where`."""
    row = parsed(line, where)
    require(row, dict, where)
    return row


def parsed(content: bytes, where: str, constant: Callable[[str], Any] | None = None) -> Any:
    """Reads JSON; half a character becomes a mark.

    Args:
        content: In UTF-8.
        where: How the message begins.
        constant: Gives the value of NaN and the infinities, which JSON has not; None refuses them.
    """
    try:
        text = content.decode("utf-8")
        value = json.loads(text, parse_constant=constant or _no_number)
    except UnicodeDecodeError as error:
        raise SetupError(f"{where} is no text in UTF-8 ({error.reason}). {FIX}.") from error
    except ValueError as error:
        raise SetupError(f"{where} is no JSON ({error}). {FIX}.") from error
    return _mended(value) if HALVES_WRITTEN.search(text) else value


def require(value: Any, kind: Any, where: str) -> None:
    """Checks what was read against a model or a type; the message begins with `where`."""
    try:
        _adapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        raise SetupError(
            f"{where} is not what a run writes: {_misfit(error, value)}. {FIX}, or is another's."
        ) from error


_adapter = cache(TypeAdapter)


def _read(path: Path, kind: Any) -> Any:
    value = parsed(path.read_bytes(), str(path))
    require(value, kind, str(path))
    return value


def _is_table(value: Any) -> bool:
    try:
        _adapter(Table).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _misfit(error: ValidationError, value: Any) -> str:
    """Says what is the first thing in a value that is not as it is to be."""
    first, *others = error.errors(include_url=False)
    place, depth = "", 0
    for part in first["loc"]:  # which goes on, behind the place, with one of several types that it may have
        try:
            value, depth = value[part], depth + 1
        except (LookupError, TypeError):
            break
        place += f"[{part}]" if isinstance(part, int) else f"{'.' * bool(place)}{part}"
    if first["type"] == "missing":
        return f"{place or 'it'} has no {first['loc'][-1]}"
    if first["type"] == "finite_number":
        return f"{place} is no finite number"
    here = [first, *(other for other in others if other["loc"][:depth] == first["loc"][:depth])]
    wanted = " or ".join(dict.fromkeys(WANTED.get(each["type"], "something else") for each in here))
    return f"{place or 'it'} is {KINDS.get(type(value), 'odd')}, expected {wanted}"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _mended(value: Any) -> Any:
    """The same with a mark in the place of each half of a character."""
    if isinstance(value, str):
        return HALVES.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, Mapping):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value
