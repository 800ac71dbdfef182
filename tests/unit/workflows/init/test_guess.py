"""What `hfft init` takes columns for, by their names and what stands in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from datasets import Dataset

from hfft.errors import DataError
from hfft.workflows.init.columns import columns_of
from hfft.workflows.init.guess import Guess, guess
from hfft.workflows.init.options import InitOptions

ROWS = 24

Fill = Callable[[int], Any]


def words_of(words: str, count: int = 9) -> Fill:
    """Texts of some of the words, all different."""
    known = words.split()
    return lambda row: " ".join([*(known[(row * 3 + place * 5) % len(known)] for place in range(count)), f"n{row}"])


ENGLISH = "the and of in is to a house river stone green under never bright window forty quickly paper"
GERMAN = "der und die ist das nicht Haus Fluss Stein grün unter niemals hell Fenster vierzig schnell Papier"

en, long, short, de = words_of(ENGLISH), words_of(ENGLISH, 60), words_of(ENGLISH, 2), words_of(GERMAN)
none = words_of("zork blip quux frob gnarl plorf wibble")
few: Fill = lambda row: "abc"[row % 3]  # noqa: E731
marks: Fill = lambda row: row % 2  # noqa: E731
name: Fill = lambda row: f"row{row}"  # noqa: E731


def guessed(columns: dict[str, Fill], **flags: Any) -> Guess:
    rows = [{column: fill(row) for column, fill in columns.items()} for row in range(ROWS)]
    return guess(columns_of(Dataset.from_list(rows)), InitOptions(**flags))


def summary(source: str, target: str) -> tuple[str, dict[str, Any]]:
    return "summarization", {"source": source, "target": target}


CASES: dict[str, tuple[dict[str, Fill], tuple[str, dict[str, Any]], list[str]]] = {
    "languages unknown": ({"source": none, "target": none}, summary("source", "target"), ["task"]),
    "one language": ({"source": en, "target": en}, summary("source", "target"), []),
    "two languages": ({"src": de, "tgt": en}, ("translation", {"source": "src", "target": "tgt"}), []),
    "free target": ({"target": en, "text": en}, summary("text", "target"), []),
    "target of classes": (
        {"text": en, "target": few},
        ("text-classification", {"label": "target", "text": "text"}),
        [],
    ),
    "answers": ({"question": en, "answer": short}, summary("question", "answer"), []),
    "answers of classes": (
        {"question": en, "answer": few},
        ("text-classification", {"label": "answer", "text": "question"}),
        [],
    ),
    "answers about texts": (
        {"question": en, "context": long, "answer": en},
        summary("context", "answer"),
        ["source"],
    ),
    "answers with a label": (
        {"question": en, "answer": en, "label": marks},
        ("text-classification", {"label": "label", "text": ["question", "answer"]}),
        ["task"],
    ),
    "as long as its text": ({"text": en, "summary": en}, summary("text", "summary"), []),
    "headlines and classes": (
        {"text": long, "headline": en, "category": few},
        ("text-classification", {"label": "category", "text": "text"}),
        ["task"],
    ),
    "nothing tells": ({"one": long, "two": en}, summary("one", "two"), ["task", "source"]),
    "three languages": (
        {"en": en, "de": de, "fr": none},
        ("translation", {"source": "en", "target": "de"}),
        ["target"],
    ),
    "id is no Indonesian": (
        {"id": name, "en": en, "de": de},
        ("translation", {"source": "en", "target": "de"}),
        [],
    ),
    "one nested column": (
        {"translation": lambda row: {"de": de(row), "id": en(row)}},
        ("translation", {"source": "translation.de", "target": "translation.id"}),
        [],
    ),
    "languages beside a class": (
        {"de": de, "en": en, "domain": few},
        ("translation", {"source": "de", "target": "en"}),
        [],
    ),
    "two labels": (
        {"text": en, "coarse_label": few, "fine_label": marks},
        ("text-classification", {"label": "coarse_label", "text": "text"}),
        ["label"],
    ),
    "spans and a label": (
        {"text": en, "spans": lambda row: [{"start": 0, "end": 3, "label": "A"}], "kind": few},
        ("token-classification", {"tokens": "text", "tags": "spans"}),
        [],
    ),
    "several lists of tags": (
        {
            "tokens": lambda row: en(row).split(),
            "pos_tags": lambda row: ["N", "V"] * 5,
            "ner_tags": lambda row: ["O", "B-X"] * 5,
        },
        ("token-classification", {"tokens": "tokens", "tags": "ner_tags"}),
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_columns_are_taken_by_their_roles(case):
    columns, (task, options), asked = CASES[case]
    made = guessed(columns)
    assert (made.task, made.options) == (task, options)
    assert [question.field for question in made.questions] == asked
    assert all(question.default in question.choices for question in made.questions)


def test_texts_that_are_all_different_are_no_label():
    with pytest.raises(DataError, match="No column looks like something to learn"):
        guessed({"number": lambda row: row, "answer": en})


def test_named_columns_are_out_of_the_other_roles():
    made = guessed({"en": en, "de": de, "fr": none}, source="de", target="fr")
    assert made.options == {"source": "de", "target": "fr"}
    assert made.questions == []
    made = guessed({"text": en, "note": en, "label": few}, label=("note",))
    assert made.options == {"label": "note", "text": "text"}
