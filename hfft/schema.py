"""The recipe language for machines and people: the JSON schema of recipes, the options of each task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def describe_tasks() -> Iterator[str]:
    """Yields lines that list every task with its options, their defaults and what they mean."""
    for name in TASKS:
        kind = find_task(name, trust=False)
        yield f"{name}: {(kind.__doc__ or '').splitlines()[0]}"
        for option, field in kind.Options.model_fields.items():
            default = "required" if field.is_required() else f"default {field.default!r}"
            yield f"  {option} ({default}){': ' + field.description if field.description else ''}"
