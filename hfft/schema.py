"""The recipe language for machines and people: the JSON schema of recipes, the options of each task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from hfft.adapter_section import PASSED
from hfft.recipe import Recipe
from hfft.tasks import TASKS, find_task


def recipe_schema() -> dict[str, Any]:
    """The JSON schema of recipes. `task` takes the options of the task it names; others' names are free."""
    schema = Recipe.model_json_schema()
    known = []
    for name in TASKS:
        options = find_task(name, trust=False).Options.model_json_schema()
        schema["$defs"] |= options.pop("$defs", {})
        properties = {"name": {"const": name}, **options["properties"]}
        required = ["name", *options.get("required", [])]
        known.append({**options, "title": name, "properties": properties, "required": required})
    other = {"properties": {"name": {"type": "string", "pattern": ":"}}, "required": ["name"], "type": "object"}
    schema["$defs"]["TaskSection"] = {"anyOf": [*known, other]}
    shorthand = schema["properties"]["model"]
    schema["properties"]["model"] = {"anyOf": [{"type": "string"}, shorthand]}
    schema["$defs"]["TuneSection"]["properties"]["adapter"]["anyOf"].append({"enum": ["lora", "ia3", *PASSED]})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def describe_tasks() -> Iterator[str]:
    """Yields lines that list every task with its options, their defaults and what they mean."""
    for name in TASKS:
        kind = find_task(name, trust=False)
        yield f"{name}: {(kind.__doc__ or '').splitlines()[0]}"
        yield from _described(kind.Options, "  ")


def _described(options: type[BaseModel], before: str) -> Iterator[str]:
    for option, field in options.model_fields.items():
        meaning = f": {field.description}" if field.description else ""
        if isinstance(field.default, BaseModel):
            yield f"{before}{option}{meaning}"
            yield from _described(type(field.default), f"{before}{option}.")
        else:
            default = "required" if field.is_required() else f"default {field.default!r}"
            yield f"{before}{option} ({default}){meaning}"
