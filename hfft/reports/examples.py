"""Examples for people to look at: what an example shows, and how much of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

SHOWN = 12  # examples of a gallery

PICTURES = 24  # where they are pictures

LONGEST = 2000  # characters of a text

TEXTS = 3  # references of an answer, at most

SEED = 0  # the same file gives the same examples


def example(row: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An example as a gallery has it: id, input, answer, truth and score of a row of predictions, and what is added.

    Values that are None are left out.
    """
    made: dict[str, Any] = {"id": row["id"], "input": shown_input(row.get("input")), "answer": plain(row["answer"])}
    made |= {"truth": plain(row["truth"]), "score": row.get("score"), **more}
    return {name: value for name, value in made.items() if value is not None}


def shown_input(given: Any) -> str | list[str] | None:
    """A text, or two; inputs of another shape as one text. None where there is none."""
    if given is None or given == "":
        return None
    if isinstance(given, list) and len(given) == 2 and all(isinstance(text, str) for text in given):
        return [shortened(text) for text in given]
    return shortened(given if isinstance(given, str) else _lines(given))


def _lines(given: Any) -> str:
    """An input of somebody else's task as text: the parts of lists on lines of their own."""
    if isinstance(given, list):
        return "\n".join(_lines(part) for part in given)
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def plain(value: Any) -> Any:
    """An answer or a truth as it is shown: texts shortened, lists of texts too, what is no plain value as text."""
    if isinstance(value, str):
        return shortened(value)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return [shortened(part) for part in value]
    if isinstance(value, (bool, int, float, type(None))):
        return value
    if isinstance(value, list) and all(isinstance(part, (int, float)) for part in value):
        return value
    return shortened(json.dumps(value, ensure_ascii=False))


def shortened(text: str, longest: int = LONGEST) -> str:
    """A text of at most so many characters; what was cut off ends with a mark."""
    return text if len(text) <= longest else f"{text[: longest - 2]} …"


def gallery(
    title: str, note: str, kind: str, examples: Iterable[dict[str, Any]], open: bool = False, **more: Any
) -> list[dict[str, Any]]:
    """One gallery, or none where it would be empty.

    Args:
        title: Its heading.
        note: What it shows.
        kind: How its examples are shown: "texts", "writing", "tags", "pictures" or "numbers".
        examples: As `example` makes them.
        open: Whether it is to be seen at once: it shows what is wrong.
        more: What else is told of it.
    """
    found = {"title": title, "note": note, "kind": kind, "open": open, **more, "examples": list(examples)}
    return [found] if found["examples"] else []


def drawn(count: int, most: int) -> np.ndarray:
    """Which of `count` rows are looked at: all, or `most` of them drawn once and for all; in order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(SEED).permutation(count)[:most])


def histogram(columns: Mapping[str, Sequence[float] | np.ndarray], bins: int, whole: bool = False) -> dict[str, Any]:
    """Counts of several columns of numbers in the same bins: `edges` and `series`.

    Args:
        columns: By name.
        bins: At most so many; where they are all alike, one.
        whole: Whether the numbers are: edges then lie half way between two of them.
    """
    values = np.concatenate([np.asarray(column, dtype=np.float64) for column in columns.values()])
    low, high = float(values.min()), float(values.max())
    if whole:
        width = max(1, int(-(-(high - low + 1) // bins)))
        edges = np.arange(low, high + width + 1, width) - 0.5
        edges = edges[: int(np.searchsorted(edges, high)) + 1]
    else:
        edges = np.linspace(low, high, bins + 1) if high > low else np.array([low - 0.5, high + 0.5])
    series = [
        {"name": name, "counts": np.histogram(np.asarray(column, dtype=np.float64), edges)[0].tolist()}
        for name, column in columns.items()
    ]
    return {"edges": edges.tolist(), "series": series}
