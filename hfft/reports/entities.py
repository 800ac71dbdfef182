"""What the report shows of tagged texts: entities right and wrong, and the sentences that they stand in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfft.io.run_files import Row
from hfft.reports.calibration import calibration
from hfft.reports.examples import LONGEST, SHOWN, drawn, gallery
from hfft.reports.in_short import share
from hfft.reports.labels import confused, confusion, label_rows
from hfft.reports.predictions import About, Predictions
from hfft.tasks.token_classification.schemes import Span, SpansOf, how_read

ERRORS = "Sentences with most errors"


@dataclass(frozen=True)
class Sentence:
    """A text with its entities: those answered, with their scores, and those that are there.

    Attributes:
        row: Of the predictions.
        answered: By entity, the score.
        truth: The entities, in words or, for whole texts, in characters.
    """

    row: Row
    answered: dict[Span, float]
    truth: set[Span]

    @property
    def errors(self) -> int:
        """Entities that are there and not answered, or answered and not there."""
        return len(self.truth ^ set(self.answered))

    @property
    def typed(self) -> list[tuple[str, str]]:
        """True and answered type of each entity whose place is right."""
        truth = {(span.start, span.end): span.label for span in self.truth}
        places = [((span.start, span.end), span.label) for span in self.answered]
        return [(truth[place], label) for place, label in places if place in truth]


def tag_facts(found: Predictions, about: About) -> dict[str, Any]:
    """Scores by type, what type is taken for which, calibration of entities, and sentences."""
    spans_of = _reading(found, about)
    sentences = [_sentence(row, spans_of) for row in found.rows]
    counts = Counter(span.label for sentence in sentences for span in sentence.truth)
    pairs = [pair for sentence in sentences for pair in sentence.typed]
    made: dict[str, Any] = {
        "in_short": _in_short(sentences),
        "labels": label_rows(about.label_scores(found.split), counts, sorted(counts)),
    }
    if pairs:
        truths, answers = zip(*pairs, strict=True)
        note = "Of entities whose first and last word are right; those that were missed or invented are not in it."
        made["confusion"] = {**confusion(truths, answers, sorted(counts)), "note": note}
    made |= _calibration(sentences, found.split, about)
    return {**made, "galleries": _galleries(sentences)}


def _in_short(sentences: Sequence[Sentence]) -> list[dict[str, str]]:
    """How many entities were missed, how many answered ones are wrong, and in how many texts."""
    there, answered = sum(len(s.truth) for s in sentences), sum(len(s.answered) for s in sentences)
    right = sum(len(sentence.truth & set(sentence.answered)) for sentence in sentences)
    with_errors = sum(bool(sentence.errors) for sentence in sentences)
    return [
        *share(there - right, there, "entities", "is missed", "are missed", ERRORS),
        *share(answered - right, answered, "answered entities", "is wrong", "are wrong", ERRORS),
        *share(with_errors, len(sentences), "texts", "has an error", "have an error", ERRORS),
    ]


def _reading(found: Predictions, about: About) -> SpansOf:
    """How tags are read: as the task did, by what tags there are."""
    said = (tag for row in found.rows for tag in [*row.get("tags", row["answer"]), *row["truth"]])
    return how_read(sorted({tag for tag in said if isinstance(tag, str)}), about.options.get("scheme"))


def _sentence(row: Row, spans_of: SpansOf) -> Sentence:
    answered = {_span(entity): float(entity["score"]) for entity in row["entities"]}
    truth = row["truth"]
    whole = "words" in row  # a text, whose truth is spans of characters
    return Sentence(row, answered, {_span(part) for part in truth} if whole else set(spans_of(truth)))


def _span(part: dict[str, Any]) -> Span:
    return Span(part["label"], part["start"], part["end"])


def _calibration(sentences: Sequence[Sentence], split: str, about: About) -> dict[str, Any]:
    cells = [
        (score, span in sentence.truth, number)
        for number, sentence in enumerate(sentences)
        for span, score in sentence.answered.items()
    ]
    if not cells:
        return {}
    scores, right, numbers = (np.array(column) for column in zip(*cells, strict=True))
    kind = "the score of an entity: the mean probability of its words' tags"
    return {"calibration": calibration(scores, right, kind, about.confidence, numbers, about.selected(split))}


def _galleries(sentences: Sequence[Sentence]) -> list[dict[str, Any]]:
    shown = [sentence for sentence in sentences if sentence.row.get("input") is not None]
    wrong = sorted((s for s in shown if s.errors), key=lambda s: -s.errors)
    pairs = confused(*([pair[side] for s in shown for pair in s.typed] for side in (0, 1)))
    numbers = {(pair["truth"], pair["answer"]): number for number, pair in enumerate(pairs)}
    found = [{numbers[pair] for pair in s.typed if pair in numbers} for s in wrong]
    first = {min(place for place, inside in enumerate(found) if number in inside) for number in numbers.values()}
    kept = [place for place in range(len(wrong)) if place < SHOWN or place in first]
    examples = [{**_example(wrong[place]), "pairs": sorted(found[place])} for place in kept]
    note = "By the number of entities that were missed or that are not there."
    made = gallery(ERRORS, note, "tags", examples, open=True, pairs=pairs)
    surest = [(*found, s) for s in wrong for found in _surest(s)]
    surest.sort(key=lambda entry: -entry[1])
    examples = [_example(s, f"{span.label} at {score:.2f}, which is wrong") for span, score, s in surest[:SHOWN]]
    note = "With the wrong entity that has the highest score."
    made += gallery("Most confident mistakes", note, "tags", examples)
    right = [s for s in shown if s.truth and not s.errors]
    some = drawn(len(right), SHOWN).tolist()
    note = f"{len(some)} of {len(right)} sentences whose entities were all found."
    return made + gallery("Sentences without an error", note, "tags", [_example(right[number]) for number in some])


def _surest(sentence: Sentence) -> list[tuple[Span, float]]:
    """The wrong entity with the highest score, if any."""
    wrong = [(span, score) for span, score in sentence.answered.items() if span not in sentence.truth]
    return sorted(wrong, key=lambda pair: -pair[1])[:1]


def _example(sentence: Sentence, note: str | None = None) -> dict[str, Any]:
    words, places = _words(sentence.row)
    spans = {
        name: _in_words(found, places, len(words))
        for name, found in (("answer", sentence.answered), ("truth", sentence.truth))
    }
    errors = sentence.errors
    made = {
        "id": sentence.row["id"],
        "input": words,
        "answer": [span["label"] for span in spans["answer"]],
        "truth": [span["label"] for span in spans["truth"]],
        "spans": spans,
        "tight": _tight(places, len(words)),
        "note": note or (f"{errors} error{'s' if errors > 1 else ''}" if errors else None),
    }
    return {name: value for name, value in made.items() if value is not None}


def _words(row: Row) -> tuple[list[str], list[list[int]] | None]:
    """The words, no more than a gallery may show; and their places in a whole text."""
    places, given = row.get("words"), row["input"]
    if places is not None and isinstance(given, str):
        words = [given[start:end] for start, end in places]
    else:
        words = list(given) if isinstance(given, list) else str(given).split()
    lengths = np.cumsum([len(word) + 1 for word in words])
    return words[: int(np.searchsorted(lengths, LONGEST, "right"))], places


def _tight(places: list[list[int]] | None, count: int) -> list[int] | None:
    """Words of a whole text that follow the one before without a space; None where nothing is known of spaces."""
    if places is None:
        return None
    return [number for number in range(1, count) if places[number][0] == places[number - 1][1]]


def _in_words(spans: Any, places: list[list[int]] | None, count: int) -> list[dict[str, Any]]:
    """Spans by the words that they touch; those beyond `count` words are left out."""
    made = []
    for span in sorted(spans, key=lambda span: (span.start, span.end, span.label)):
        start, end = span.start, span.end
        if places is not None:
            touched = [number for number, (low, high) in enumerate(places) if high > span.start and low < span.end]
            start, end = (touched[0], touched[-1] + 1) if touched else (count, count)
        if start < count:
            made.append({"start": start, "end": min(end, count), "label": span.label})
    return made
