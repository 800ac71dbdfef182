"""The recipe as a text: sections, a setting a line with its reason behind it, and what was found in front."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from hfft.start.settings import Setting, number

WIDTH = 118
INDENT = "  "


def section(name: str, settings: Sequence[Setting]) -> Iterator[str]:
    """The lines of a section; none where it has no settings."""
    if settings:
        yield f"{name}:"
    for setting in settings:
        line, why = f"{INDENT}{setting.name}: {flow(setting.value)}", plain(setting.why)
        if not why:
            yield line
        elif len(line) + len(why) + 4 <= WIDTH:
            yield f"{line}  # {why}"
        else:
            yield from comment(why, f"{INDENT}# ")
            yield line


def comment(text: str, before: str) -> Iterator[str]:
    """A text as lines of comment, each with `before`, which ends in `# `, in front."""
    line = ""
    for word in plain(text).split(" "):
        if line and len(before) + len(line) + len(word) + 1 > WIDTH:
            yield before + line
            line = ""
        line = f"{line} {word}" if line else word
    yield before + line


def plain(text: str) -> str:
    """A text in one line, without characters that a line of comment cannot hold."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def flow(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow(key)}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, str):
        return _quoted(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """A text as YAML, in quotes only where it needs them."""
    bare = text and not set(text) & set(",[]{}#\"'\\|>&*!%@`") and ": " not in text and not text.endswith(":")
    try:
        same = bare and text.isprintable() and yaml.safe_load(text) == text and yaml.safe_load(f"[{text}]") == [text]
    except (yaml.YAMLError, ValueError):  # a date that no calendar has
        same = False
    return text if same else json.dumps(text, ensure_ascii=not text.isprintable())
