"""A process that knows transformers and not hfft: says what a saved model says, in the words of predictions files.

It reads lines of JSON, each the name of a function here, a model's folder and the inputs of many rows, and answers each
by a line that begins with `answers`. Where the model's card has code, it is the card's code that runs.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # not where tests are looked for in this file
    sys.modules["hfft"] = None  # type: ignore[assignment]  # importing it now fails

from transformers import pipeline

Rows = list[list[Any]]
Answers = list[dict[str, Any]]


def classified(place: str, rows: Rows) -> Answers:
    """By its pipeline: the probabilities of all labels, the most probable one, and its probability."""
    return [_best(place, said) for said in _read(place, rows)]


def labelled(place: str, rows: Rows) -> Answers:
    """The probabilities alone: which labels apply is decided by a threshold that the pipeline does not know."""
    return [{"probabilities": _ordered(place, said)} for said in _read(place, rows)]


def measured(place: str, rows: Rows) -> Answers:
    """Numbers."""
    return [{"answer": _ordered(place, said)} for said in _read(place, rows)]


def seen(place: str, rows: Rows) -> Answers:
    """By the pipeline for images, which are named by their files."""
    made = pipeline("image-classification", model=place)
    return [_best(place, made(file, top_k=None)) for (file,) in rows]


def written(place: str, rows: Rows) -> Answers:
    """By the card's code: tokens, without the one that begins them."""
    return [{"tokens": known["tokens"][0].tolist()[1:]} for known in _asked(place, 'text = "..."', ["text"], rows)]


def tagged(place: str, rows: Rows) -> Answers:
    """By the card's code: a tag for each word; and the probabilities of their first pieces' tags."""
    opening, asking = re.split(r"^words = .*$", _card(place).rpartition("\n\n")[0], flags=re.MULTILINE)
    known: dict[str, Any] = {}
    exec(opening, known)
    found = []
    for (known["words"],) in rows:
        exec(asking, known)
        scores = [0.0] * len(known["words"])
        for piece in reversed(known["tagger"]([known["words"]], is_split_into_words=True)[0]):
            scores[known["bisect"](known["starts"], piece["start"]) - 1] = float(piece["score"])
        found.append({"answer": known["tags"], "scores": scores})
    return found


def found(place: str, rows: Rows) -> Answers:
    """By the last line of the card: the entities of a text."""
    opening = re.split(r"^words = |^# The entities", _card(place), flags=re.MULTILINE)[0]
    known: dict[str, Any] = {}
    exec(opening, known)
    asking = _card(place).strip().rpartition("\n")[2].replace('"..."', "text")
    answers = []
    for (text,) in rows:
        groups = [part for part in eval(asking, {**known, "text": text}) if part["entity_group"] != "O"]
        names = {"start": "start", "end": "end", "label": "entity_group"}
        answers.append({"answer": [{name: part[theirs] for name, theirs in names.items()} for part in groups]})
    return answers


def chosen(place: str, rows: Rows) -> Answers:
    """By the card's code: a probability for each ending."""
    marker = 'context, endings = "...", ["...", "..."]'
    found = _asked(place, marker, ["context", "endings"], rows)
    return [{"probabilities": known["probabilities"].tolist()} for known in found]


def answered(place: str, rows: Rows) -> Answers:
    """By the card's code: the answer."""
    found = _asked(place, 'question, context = "...", "..."', ["question", "context"], rows)
    return [{"answer": known["answer"]} for known in found]


def _asked(place: str, marker: str, names: list[str], rows: Rows) -> Iterator[dict[str, Any]]:
    """Runs the card's code for each row, whose inputs stand under these names where the marker stands in it."""
    opening, asking = _card(place).split(marker)
    known: dict[str, Any] = {}
    exec(opening, known)
    for row in rows:
        known.update(zip(names, row, strict=True))
        exec(asking, known)
        yield known


def _card(place: str) -> str:
    """The code of the model's card, for the model at a place."""
    found = re.search("```python\n(.*?)```", Path(place, "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1).replace("path/to/model", place)


def _read(place: str, rows: Rows) -> list[list[dict[str, Any]]]:
    made = pipeline("text-classification", model=place)
    return [made(dict(zip(("text", "text_pair"), row, strict=False)), top_k=None) for row in rows]


def _best(place: str, said: list[dict[str, Any]]) -> dict[str, Any]:
    best = max(said, key=lambda part: part["score"])
    return {"probabilities": _ordered(place, said), "answer": best["label"], "score": best["score"]}


def _ordered(place: str, said: list[dict[str, Any]]) -> list[float]:
    """What the pipeline said of each label, in the order of the labels' numbers."""
    labels = json.loads(Path(place, "config.json").read_text(encoding="utf-8"))["id2label"]
    scores = {part["label"]: part["score"] for part in said}
    return [scores[labels[str(number)]] for number in range(len(labels))]


if __name__ == "__main__":
    for line in sys.stdin:
        how, *given = json.loads(line)
        print("answers " + json.dumps(globals()[how](*given)), flush=True)
