"""Examples side by side: texts, what was written, tagged sentences, pictures, numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hfft.reports.html.numbers import score_text, value_text
from hfft.reports.html.parts import Cell, Section, Table

Example = Mapping[str, Any]

TINTS = 6

NO_LABEL = "(none)"


def gallery(found: Mapping[str, Any], id_: str, labels: Sequence[str] = ()) -> Section:
    """Some examples under one heading, in the form of their kind.

    Args:
        found: `title`, `note`, `kind` and `examples`.
        id_: The section's anchor.
        labels: Names of spans, so that a label has the same colour in all galleries.
    """
    kind = found.get("kind", "texts")
    examples = [{**example, "about": _about(example, kind)} for example in found["examples"]]
    content = {"kind": kind, "note": found.get("note", ""), "examples": examples}
    pairs = found.get("pairs", ())
    if pairs and kind != "tags":
        content["groups"] = [
            {**pair, "id": _pair_id(id_, number), "examples": [one for one in examples if number in one["pairs"]]}
            for number, pair in enumerate(pairs)
        ]
    if kind == "numbers":
        content["table"] = _numbers(examples)
    if kind == "tags":
        tints = {name: number % TINTS for number, name in enumerate(labels)}
        content["examples"] = [_tagged(example, tints) for example in _anchored(examples, id_)]
    return Section(id_, found["title"], "examples", content)


def pair_links(galleries: Iterable[tuple[Mapping[str, Any], str]]) -> dict[tuple[str, str], str]:
    """Links to the first examples of what is taken for what, by truth and answer.

    Args:
        galleries: As in report.json, with the anchor of each.
    """
    links: dict[tuple[str, str], str] = {}
    for found, id_ in galleries:
        shown = {number for example in found["examples"] for number in example.get("pairs", ())}
        for number in sorted(shown):
            pair = found["pairs"][number]
            links.setdefault((pair["truth"], pair["answer"]), f"#{_pair_id(id_, number)}")
    return links


def _pair_id(id_: str, number: int) -> str:
    return f"{id_}-pair-{number}"


def _anchored(examples: Iterable[Example], id_: str) -> Iterator[Example]:
    """The examples, with the anchors of the pairs of which they are the first."""
    seen: set[int] = set()
    for example in examples:
        fresh = [number for number in example.get("pairs", ()) if number not in seen]
        seen.update(fresh)
        yield {**example, "anchors": [_pair_id(id_, number) for number in fresh]}


def span_labels(splits: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of all spans in the galleries of all splits."""
    examples = [example for found in splits for shown in found.get("galleries", ()) for example in shown["examples"]]
    sides = [span for example in examples for side in ("truth", "answer") for span in _spans(example, side)]
    return sorted({span["label"] for span in sides})


def answer_text(value: Any) -> str:
    """An answer or a truth as text: labels with commas, numbers rounded, with semicolons, nothing as `(none)`."""
    if value is None or value == []:
        return NO_LABEL
    if isinstance(value, float):
        return score_text(value)
    if isinstance(value, (list, tuple)):
        numbers = any(isinstance(part, (int, float)) for part in value)  # 1,250 has a comma of its own
        return ("; " if numbers else ", ").join(answer_text(part) for part in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else value_text("", value)


def texts(value: Any) -> list[str]:
    """What was written, or should have been: a text, or several that are all right."""
    return [answer_text(part) for part in value] if isinstance(value, (list, tuple)) else [answer_text(value)]


def inputs(example: Example) -> list[str]:
    """What was given: a text, a pair of texts, or words."""
    given = example.get("input")
    if given is None:
        return []
    if isinstance(given, (list, tuple)) and len(given) != 2:
        return [" ".join(map(str, given))]
    return texts(given)


def probability_text(probability: float | None) -> str:
    """A probability as people read it beside an answer: of two digits; nothing where there is none."""
    if probability is None:
        return ""
    if 0.995 <= probability < 1:
        return ">0.99"
    return "<0.01" if 0 < probability < 0.01 else score_text(probability, 2)


def is_right(example: Example) -> bool | None:
    """Whether answer and truth are the same; None where there is no truth, or none that could be the same."""
    truth, answer = example.get("truth"), example.get("answer")
    if truth is None or isinstance(truth, float):
        return None
    if isinstance(truth, list) and isinstance(answer, list):
        return sorted(map(str, truth)) == sorted(map(str, answer))
    return truth == answer


def _about(example: Example, kind: str) -> str:
    """An example's number, as the files of predictions have it, what there is to add, and why it is here."""
    named = kind == "pictures" and example.get("input") is not None
    name = answer_text(example["input"]) if named else ""
    scores = (f"{metric} {score_text(value, 3)}" for metric, value in example.get("scores", {}).items())
    return " · ".join(part for part in (f"#{example['id']}", name, *scores, example.get("note")) if part)


def _tagged(example: Example, tints: Mapping[str, int]) -> dict[str, Any]:
    """A sentence twice, with its spans as they should be and as they were answered."""
    given = example.get("input") or []
    words = _spaced(given.split() if isinstance(given, str) else given, example.get("tight", ()))
    truth, answer = _spans(example, "truth"), _spans(example, "answer")
    lines = [
        ("truth", _sentence(words, truth, answer, tints)),
        ("answer", _sentence(words, answer, truth, tints)),
    ]
    differs = any(part.get("differs") for _, parts in lines for part in parts)
    return {**example, "lines": lines, "differs": differs}


def _spaced(words: Sequence[str], tight: Sequence[int]) -> list[str]:
    """The words with a space before each but the first and those that follow without one."""
    close = {0, *tight}
    return [word if number in close else f" {word}" for number, word in enumerate(words)]


def _sentence(
    words: Sequence[str], spans: Sequence[Example], others: Sequence[Example], tints: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The parts of a sentence: texts, and marked spans with their labels; of spans that overlap the first is marked.

    Args:
        words: Each with the space before it.
        spans: To mark.
        others: Those of the other line, so that a span that it has not is known by `differs`.
        tints: Colours by label.
    """
    known = {(span["start"], span["end"], span["label"]) for span in others}
    parts: list[dict[str, Any]] = []
    at = 0
    for span in sorted(spans, key=lambda span: (span["start"], -span["end"])):
        start, end, label = span["start"], span["end"], span["label"]
        if start < at:
            continue
        inside = "".join(words[start:end])
        space = " " if inside.startswith(" ") else ""
        differs = (start, end, label) not in known
        parts.append({"text": "".join(words[at:start]) + space})
        parts.append({"text": inside.removeprefix(" "), "label": label, "tint": tints[label], "differs": differs})
        at = end
    return [*parts, {"text": "".join(words[at:])}]


def _numbers(examples: Sequence[Example]) -> Table:
    """Numbers with their truths and how far they are off."""
    rows = []
    for example in examples:
        truth, answer = example.get("truth"), example.get("answer")
        off = example.get("note", "")
        if isinstance(truth, (int, float)) and isinstance(answer, (int, float)):
            off = score_text(answer - truth)
        given = Cell(texts=inputs(example))
        rows.append((given, answer_text(truth), answer_text(answer), off, f"#{example['id']}"))
    return Table(("input", "truth", "answer", "answer less truth", "example"), rows)


def _spans(example: Example, side: str) -> Sequence[Example]:
    """The spans of one side."""
    return example.get("spans", {}).get(side, ())
