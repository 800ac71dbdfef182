"""Examples of a comparison for people: what was asked, what is true, what each run answered, right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hfft.reports.compare.result import Side


def shown_example(example: dict[str, Any], sides: Sequence[Side], exact: bool) -> dict[str, Any]:
    """An example with its truth and both answers, of several seeds one each; right and wrong ones are marked.

    Args:
        example: As a comparison has it.
        sides: The two runs.
        exact: Whether answers are right or wrong, and nothing between; else the better one is marked too.
    """
    asked, truth = example["input"], example["truth"]
    answers: list[dict[str, Any]] = [{"name": "truth", "given": [(None, _by_words(truth, asked))], "better": False}]
    for key, side in zip(("first", "other"), sides, strict=True):
        each = example[key] if len(side.seeds) > 1 else [example[key]]
        given = [(value == truth if exact or _is_listed(value) else None, _by_words(value, asked)) for value in each]
        answers.append({"name": side.name, "given": given, "better": not exact and example["better"] == key})
    shown = " ".join(asked) if _has_tags(truth, asked) else worded(asked) if asked is not None else ""
    return {"input": shown, "answers": answers, "about": f"#{example['id']}"}


def _is_listed(value: Any) -> bool:
    """Whether an answer is right as a whole or not at all: a list of tags, labels or entities, not of numbers."""
    return isinstance(value, list) and not any(isinstance(part, (int, float)) for part in value)


def _has_tags(value: Any, words: Any) -> bool:
    """Whether an answer has a tag for each word of its input."""
    lists = isinstance(words, list) and isinstance(value, list) and len(words) == len(value)
    return lists and all(isinstance(part, str) for part in [*words, *value])


def _by_words(value: Any, asked: Any) -> str:
    """An answer for people: of tags those that say something, each with its word."""
    if not _has_tags(value, asked):
        return worded(value)
    return ", ".join(f"{word} {tag}" for word, tag in zip(asked, value, strict=True) if tag != "O") or "no tag but O"


def worded(value: Any) -> str:
    """A plain value for people, on one line: a text as it is, several inputs one after the other."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return " | ".join(" ".join(part.split()) for part in value)
    if value is None:
        return "-"
    return " ".join(str(value).split())
