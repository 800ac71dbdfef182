"""Writes recipe_reference.md, beside this file, from the schema of recipes: make docs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hfft.workflows.describe import recipe_schema

PAGE = Path(__file__).with_name("recipe_reference.md")
HEAD = """# Recipe reference

Every section and every setting of a recipe: what it may be, what it is where a recipe says nothing, and what it means.

Written by `make docs` from the schema of recipes, which `hfft schema` prints for editors; do not edit. Settings may be
changed on the command line by their dotted names, such as `optim.lr=3e-5`, and taken back with `null`.
"""
SEVERAL = ("anyOf", "oneOf")
WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
NAMED = {"adapter": ", or a name alone"}
NOTES = {
    "adapter": "What stands here depends on `name`: `lora` (where none is given), `ia3`, or another method of PEFT. A "
    "name alone, such as `adapter: ia3`, is short for `{name: ia3}`."
}


def page() -> str:
    """The whole page, as Markdown."""
    schema = recipe_schema()
    known = schema["$defs"]
    parts = [HEAD, _sections(schema)]
    for name, field in schema["properties"].items():
        if name == "task":
            tasks = [kind for kind in known["TaskSection"]["anyOf"] if "title" in kind]
            parts += [_task(task, known) for task in tasks]
        elif _models(field, known):
            parts += _section(name, _models(field, known)[0], known)
    return "\n".join(parts)


def _sections(schema: dict[str, Any]) -> str:
    known = schema["$defs"]
    lines = ["| section | |", "| --- | --- |"]
    for name, field in schema["properties"].items():
        models = _models(field, known)
        if name == "task":
            listed = [kind["title"] for kind in known["TaskSection"]["anyOf"] if "title" in kind]
            meaning = "the kind of problem: " + ", ".join(f"[{task}](#task-{task})" for task in listed)
        elif models:
            meaning = f"[{_meaning(known[models[0]]['description'])}](#{name})"
        else:
            meaning = f"{_kinds(field, known)}. {field.get('description', '')}"
        lines.append(f"| `{name}` | {meaning} |")
    return "\n".join([*lines, ""])


def _task(task: dict[str, Any], known: dict[str, Any]) -> str:
    page = _page_of(task["title"])
    heading = PAGE.with_name(page).read_text("utf-8").partition("\n")[0].removeprefix("# ")
    lines = [f"## task: {task['title']}", "", f"Page: [{heading}]({page}).", ""]
    settings = {name: field for name, field in task["properties"].items() if name != "name"}
    return "\n".join([*lines, *_table(settings, task.get("required", []), known), ""])


def _page_of(task: str) -> str:
    names = {"summarization": "summarization_translation", "translation": "summarization_translation"}
    return f"{names.get(task, task.replace('-', '_'))}.md"


def _section(path: str, model: str, known: dict[str, Any]) -> list[str]:
    """A heading and a table for a section, and for each section within it."""
    section = known[model]
    title = f"{'#' * (2 + path.count('.'))} {path}"
    made = ["\n".join([title, "", _sentence(section["description"]), "", *_own_table(section, known, path), ""])]
    for name, field in section["properties"].items():
        inner = _models(field, known)
        if len(inner) == 1:
            made += _section(f"{path}.{name}", inner[0], known)
        elif inner:
            made += _choices(f"{path}.{name}", inner, known)
    return made


def _choices(path: str, models: list[str], known: dict[str, Any]) -> list[str]:
    """A heading, and a table for each of several sections of which one stands there."""
    title = f"{'#' * (2 + path.count('.'))} {path}"
    made = ["\n".join([title, "", NOTES[path.rpartition(".")[2]], ""])]
    for model in models:
        section = known[model]
        made.append("\n".join([_sentence(section["description"]), "", *_own_table(section, known, path), ""]))
    return made


def _own_table(section: dict[str, Any], known: dict[str, Any], path: str) -> list[str]:
    lines = _table(section["properties"], section.get("required", []), known)
    for number, (name, field) in enumerate(section["properties"].items(), 2):
        if _models(field, known) and not _is_option(field, known) and field.get("type") != "array":
            described = f"Described [below](#{path.replace('.', '')}{name})."
            lines[number] = f"| `{name}` | settings{NAMED.get(name, '')} | `null` | {described} |"
    return lines


def _table(settings: dict[str, Any], required: list[str], known: dict[str, Any], before: str = "") -> list[str]:
    lines = [] if before else ["| setting | what it may be | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in settings.items():
        default = "**required**" if name in required else _default(field)
        kinds, meaning = (_cell(text) for text in (_kinds(field, known), field.get("description", "")))
        lines.append(f"| `{before}{name}` | {kinds} | {default} | {meaning} |")
        for model in _models(field, known) if _is_option(field, known) else ():
            lines += _table(known[model]["properties"], [], known, f"{before}{name}.")
    return lines


def _is_option(field: dict[str, Any], known: dict[str, Any]) -> bool:
    """Whether it is a part of a task's options, which are described in the lines below it and not in a section."""
    return all("Section" not in model and "Rule" not in model for model in _models(field, known))


def _models(field: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """The sections that may stand in a place of the schema."""
    if "$ref" in field:
        return [field["$ref"].rpartition("/")[2]]
    parts = [part for key in SEVERAL for part in field.get(key, ())]
    return [model for part in parts for model in _models(part, known)]


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return "`{}`" if field.get("type") == "object" else "`[]`" if field.get("type") == "array" else ""
    value = field["default"]
    if isinstance(value, dict) and value:  # a section, whose own lines have its defaults
        return ""
    return f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _kinds(field: dict[str, Any], known: dict[str, Any]) -> str:
    """What a value may be, in words."""
    parts = [part for key in SEVERAL for part in field.get(key, ())]
    if parts:
        words = [_kinds(part, known) for part in parts if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    if "$ref" in field:
        model = field["$ref"].rpartition("/")[2]
        return "settings" if "properties" in known[model] else _kinds(known[model], known)
    if "const" in field or "enum" in field:
        return ", ".join(f"`{_yaml(value)}`" for value in field.get("enum", [field.get("const")]))
    return _plain_kind(field, known)


def _plain_kind(field: dict[str, Any], known: dict[str, Any]) -> str:
    kind = field.get("type")
    if kind == "array":
        items = [field["items"]] if "items" in field else field.get("prefixItems", [])
        exactly = "two: " if field.get("minItems") == field.get("maxItems") == 2 else ""
        return f"list of {exactly}{' or '.join(dict.fromkeys(_kinds(item, known) for item in items)) or 'anything'}"
    if kind == "object":
        values = field.get("additionalProperties")
        return f"by name: {_kinds(values, known)}" if isinstance(values, dict) else "settings"
    if kind == "string" and "%" in field.get("pattern", ""):
        return "share such as `50%`"
    bounds = " and ".join(f"{sign} {field[key]:g}" for key, sign in BOUNDS.items() if key in field)
    return f"{WORDS.get(str(kind), 'anything')} {bounds}".rstrip()


def _meaning(text: str) -> str:
    """A section's docstring without its name, on one line."""
    told = text.partition("\n\n")[0].replace("\n", " ")
    return told.partition(": ")[2].rstrip(".") if told.startswith("`") and ": " in told else told.rstrip(".")


def _sentence(text: str) -> str:
    meaning = _meaning(text)
    return f"{meaning[0].upper()}{meaning[1:]}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
