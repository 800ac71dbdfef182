"""A recipe as text: YAML with its line numbers, overrides, and messages that point at the fault."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Discriminator, Tag, ValidationError
from pydantic.fields import FieldInfo

from hfft.errors import RecipeError, near

OF_DATA = (".csv", ".tsv", ".jsonl", ".parquet", ".txt", ".xlsx", ".conll")
"""Endings of files of data, which are given in the place of recipes."""

KeyPath = tuple[str | int, ...]

TAG = re.compile("<.*>")  # how the members of tagged unions are called in this project, apart from any key


@dataclass(frozen=True)
class Source:
    """Where a recipe was written: its name, the line of each key (1 is the first), and overrides by their key.

    Sources do not count when recipes are compared: all are equal.
    """

    name: str = field(compare=False)
    lines: Mapping[KeyPath, int] = field(compare=False)
    overrides: Mapping[KeyPath, str] = field(default_factory=dict, compare=False)

    def at(self, path: KeyPath) -> str:
        """Names the place of a key, for messages: `recipe.yaml, line 3`, or the override that set it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.overrides:
                return f"override {self.overrides[path[:length]]}"
        if path in self.lines:
            return f"{self.name}, line {self.lines[path]}"
        inside = [text for key, text in self.overrides.items() if key[: len(path)] == path]
        return f"override {inside[0]}" if inside else self.name

    def overridden(self, text: str) -> Source:
        """The source with one more override."""
        return replace(self, overrides={**self.overrides, tuple(text.partition("=")[0].split(".")): text})


def read_source(path: Path) -> tuple[dict[str, Any], Source]:
    """Reads a YAML file as a dictionary and the lines of its keys.

    Raises:
        RecipeError: The file is not there, is not text, is not YAML, repeats a key, or is not a mapping.
    """
    if path.suffix.lower() in OF_DATA and path.exists():
        raise RecipeError(f"{path} is a file of data, and no recipe. hfft init --data {path} writes a recipe for it.")
    try:
        text = path.read_bytes().decode("utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = dict(_lines(node, (), path.name)) if node else {}
        data = yaml.safe_load(text)
    except FileNotFoundError:
        siblings = [file.name for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise RecipeError(f"There is no recipe {path}.{near(path.name, siblings)}") from None
    except OSError as error:
        raise RecipeError(f"The recipe {path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, yaml.reader.ReaderError):
        raise RecipeError(f"{path} is not a text file; a recipe is a YAML file in UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        raise RecipeError(_not_yaml(path, error)) from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:  # no such day, a mapping for a key, ...
        raise RecipeError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        found = "nothing" if data is None else type(data).__name__
        raise RecipeError(f"{path} holds {found}; a recipe is a mapping with the sections task, data, model, ...")
    return data, Source(path.name, lines)


def _not_yaml(path: Path, error: yaml.MarkedYAMLError) -> str:
    """Why and where a file is not YAML; and where what is open there began."""
    at, began, context = error.problem_mark, error.context_mark, error.context or ""
    where = f" in line {at.line + 1}, column {at.column + 1}" if at else ""
    if not context.startswith("while"):
        return f"{path} is not valid YAML: {', '.join(filter(None, (context, error.problem)))}{where}."
    inside = f" ({context}, which begins in line {began.line + 1})" if began else ""
    return f"{path} is not valid YAML: {error.problem}{where}{inside}."


def _lines(node: yaml.Node, path: KeyPath, name: str) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), item.start_mark.line + 1
            yield from _lines(item, (*path, index), name)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, item in node.value:
        line = key.start_mark.line + 1
        if key.value in seen:
            dotted = ".".join(map(str, (*path, key.value)))
            raise RecipeError(f"{name}, line {line}: the key '{dotted}' stands in line {seen[key.value]} already.")
        seen[key.value] = line
        yield (*path, key.value), line
        yield from _lines(item, (*path, key.value), name)


def override(data: dict[str, Any], text: str) -> dict[str, Any]:
    """Returns `data` with one override such as `optim.lr=3e-5` applied; the value is read as YAML.

    Raises:
        RecipeError: The text is no `key=value`, or its value is not YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise RecipeError(f"The override '{text}' is not of the form section.key=value, such as optim.lr=3e-5.")
    try:
        return _with(data, key.split("."), yaml.safe_load(value))
    except (yaml.YAMLError, ValueError):
        raise RecipeError(f"The value of the override '{text}' is not valid YAML.") from None


def _with(data: Any, keys: list[str], value: Any) -> dict[str, Any]:
    if isinstance(data, str):  # `model: NAME` is short for `model: {name: NAME}`
        data = {"name": data}
    inner = data if isinstance(data, dict) else {}
    return {**inner, keys[0]: value if len(keys) == 1 else _with(inner.get(keys[0]), keys[1:], value)}


def explain(error: ValidationError, schema: type[BaseModel], data: Any, source: Source, within: KeyPath = ()) -> str:
    """Turns pydantic's findings into one message: a line for each fault, with place, key, fault and near names.

    Args:
        error: What pydantic found.
        schema: The model that was validated.
        data: What was validated.
        source: Where it was written.
        within: Where in the recipe `data` stands.
    """
    faults: dict[KeyPath, list[str]] = {}
    for detail in error.errors(include_url=False):
        path = _existing(detail["loc"], data, detail["type"])
        faults.setdefault(path, []).append(_fault(detail, path, schema, data))
    lines = []
    for path, texts in faults.items():
        whole = (*within, *path)
        key = ".".join(map(str, whole)) or "the recipe"
        lines.append(f"{source.at(whole)}: {key} {_joined(texts)}")
    return "\n".join(lines)


def _joined(texts: list[str]) -> str:
    """Joins what the members of a union say: `is 3, but should be 'all' or should be text.`, for example."""
    texts = list(dict.fromkeys(texts))
    if len(texts) == 1:
        return texts[0]
    found, but, _ = texts[0].partition(", but ")
    if not all(text.startswith(found + but) for text in texts):
        return " Or: ".join(texts)
    return found + but + " or ".join(text.removeprefix(found + but).rstrip(".") for text in texts) + "."


def _existing(loc: KeyPath, data: Any, kind: str) -> KeyPath:
    """Cuts what pydantic adds to a location (names of union members) off the path of a key in `data`."""
    path: list[str | int] = []
    loc = tuple(part for part in loc if not TAG.fullmatch(str(part)))
    for part in loc:
        held = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if part not in held:
            break
        path.append(part)
        data = data[part]  # type: ignore[index]
    return (*path, loc[len(path)]) if kind == "missing" and len(path) < len(loc) else tuple(path)


def _fault(detail: Any, path: KeyPath, schema: type[BaseModel], data: Any) -> str:
    if detail["type"] == "extra_forbidden":
        known = _keys(schema, path[:-1], data)
        return f"is not a known key.{near(str(path[-1]), known)} Known here: {', '.join(known)}."
    if detail["type"] == "missing":
        return "is missing."
    if detail["type"] == "value_error":
        return f"does not fit: {detail['ctx']['error']!s}."
    found = detail["input"]
    hint = _switch_hint(found, detail["type"], path, schema, data) if isinstance(found, bool) else ""
    message = detail["msg"].replace("Input should be", "should be").replace("valid string", "text")
    return f"is {found!r}, but {message[0].lower()}{message[1:]}{hint}."


def _switch_hint(found: bool, kind: str, path: KeyPath, schema: type[BaseModel], data: Any) -> str:
    """What to write in the place of true or false: a word in quotes where words are expected; null, where it may be."""
    if kind in ("string_type", "literal_error", "enum"):
        return " (quote it: YAML reads the bare word as true or false)"
    field = None if found else _field(schema, path, data)
    nullable = field is not None and types.NoneType in typing.get_args(field.annotation)
    return " (null, not false, stands for none)" if nullable else ""


def _keys(schema: type[BaseModel], path: KeyPath, data: Any) -> list[str]:
    """The keys that may stand at `path` of a schema."""
    inner = _section(schema, path, data)
    return list(inner.model_fields) if inner else []


def _field(schema: type[BaseModel], path: KeyPath, data: Any) -> FieldInfo | None:
    """What a schema has at `path`; None where it knows nothing of it."""
    inner = _section(schema, path[:-1], data)
    return inner.model_fields.get(str(path[-1])) if inner and path else None


def _section(schema: type[BaseModel], path: KeyPath, data: Any) -> type[BaseModel] | None:
    """The section at `path` of a schema; `data` says which one of a tagged union is meant."""
    inner: type[BaseModel] | None = schema
    by_name: type[BaseModel] | None = None
    for part in path:
        if isinstance(part, int) and isinstance(data, list):  # one of a list of sections
            data = data[part]
            continue
        if by_name is not None:  # one of several sections, each under a name
            inner, by_name = by_name, None
            continue
        field = inner.model_fields.get(str(part)) if inner else None
        data = data.get(part) if isinstance(data, dict) else None
        inner = _model_of(field.annotation, data, field.metadata) if field else None
        by_name = _model_of(typing.get_args(field.annotation)[-1], None) if field and _is_dict(field) else None
    return inner


def _is_dict(field: FieldInfo) -> bool:
    return typing.get_origin(field.annotation) is dict


def _model_of(annotation: Any, data: Any, metadata: typing.Sequence[Any] = ()) -> type[BaseModel] | None:
    """The section that an annotation names, among others perhaps; of a tagged union, the one that `data` chooses."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *metadata = typing.get_args(annotation)
    holds_others = typing.get_origin(annotation) in (typing.Union, types.UnionType, list)
    options = typing.get_args(annotation) if holds_others else ()
    for told in (told.discriminator for told in metadata if isinstance(told, Discriminator)):
        tag = told(data) if callable(told) else None
        options = [option for option in options if Tag(str(tag)) in typing.get_args(option)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((inner for option in options if (inner := _model_of(option, data)) is not None), None)
