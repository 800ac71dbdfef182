"""The recipe language for machines and people: the JSON schema of recipes, the options of each task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from hfft.recipe import Recipe
from hfft.tasks import TASKS, find_task
from hfft.tuning.section import PASSED


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
    values = schema["$defs"]["SweepSection"]["properties"]["space"]
    values["additionalProperties"] = {"anyOf": [{"type": "string"}, {"type": "array"}, values["additionalProperties"]]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def describe_tasks(name: str | None = None) -> Iterator[str]:
    """Yields lines about every task, or one: what it is for, its columns, an example, and its options.

    Args:
        name: A task's; None for all that hfft brings.

    Raises:
        RecipeError: There is no such task.
    """
    for number, known in enumerate(TASKS if name is None else [name]):
        kind = find_task(known, trust=False)
        if number:
            yield ""
        purpose = kind.purpose
        yield f"{known}: {purpose.sentence if purpose else (kind.__doc__ or '').splitlines()[0]}"
        if purpose is not None:
            yield f"  columns: {purpose.columns}"
            yield f"  example: {purpose.example}"
            yield "  options of task, beside name:"
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
