"""Answers in words: tags and entities, what is right for them, and how to get them with plain transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfft.data.checks import count_rows
from hfft.data.tags import OUTSIDE, SchemeName, Span, begins_inside, entities_of, tags_of_spans
from hfft.tasks.tagging.reading import Truth, without_overlaps
from hfft.tasks.task import Answer, Remarks

USE = """from bisect import bisect
from itertools import accumulate

from transformers import pipeline

tagger = pipeline("token-classification", model="path/to/model", ignore_labels=[])

words = ["...", "..."]  # the tag of a word is that of its first piece
starts = [0, *accumulate(len(word) + 1 for word in words)]
tags = ["O"] * len(words)
for piece in reversed(tagger([words], is_split_into_words=True)[0]):
    tags[bisect(starts, piece["start"]) - 1] = piece["entity"]

tagger("...", aggregation_strategy="first")  # the entities of a text, with their places in it"""


@dataclass(frozen=True)
class Document:
    """What was asked, and what is right for it.

    Attributes:
        given: Words, or a whole text.
        places: Of a text's words, the first character and the one behind the last; None for a list of words.
        truth: Tags, spans, or None.
    """

    given: Any
    places: list[tuple[int, int]] | None
    truth: Truth

    @property
    def raw_truth(self) -> list[Any] | None:
        """The truth as plain values: tags, or `{"start", "end", "label"}`."""
        if self.truth is None:
            return None
        return [_plain(part) if isinstance(part, Span) else part for part in self.truth]

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(self.given if self.places is None else self.places)

    def tags(self, scheme: SchemeName) -> list[str] | None:
        """The tags that are right for its words; None where these are not known."""
        if self.places is None or self.truth is None:
            return self.truth  # type: ignore[return-value]
        return tags_of_spans(self.places, without_overlaps(self.truth), scheme)[0]  # type: ignore[arg-type]

    def inexact(self, scheme: SchemeName) -> bool:
        """Whether there is a span that tags of words cannot say as it is."""
        if self.places is None or self.truth is None:
            return False
        spans = without_overlaps(self.truth)  # type: ignore[arg-type]
        return len(spans) < len(set(self.truth)) or tags_of_spans(self.places, spans, scheme)[1] > 0


def _plain(span: Span) -> dict[str, Any]:
    return {"start": span.start, "end": span.end, "label": span.label}


def _span(plain: dict[str, Any]) -> Span:
    return Span(plain["label"], plain["start"], plain["end"])


def worded(answer: Answer, document: Document, labels: Sequence[str]) -> Answer:
    """Puts the answer to a document in words.

    Args:
        answer: With `tags`, a number a word (-1 where the model did not see it), and `scores`, probabilities.
        document: What was asked.
        labels: The tags by number.

    Returns:
        For words `answer` (a tag a word, `O` for those that were not seen), for a text `answer` (a list of
        `{"start", "end", "label"}`) with `words` (their places) and `tags`; `entities`, each with `score`, the mean
        probability of its words' tags; and `scores`, a probability a word, None for those that were not seen.
    """
    tags: list[str] = [labels[int(number)] if number >= 0 else OUTSIDE for number in answer["tags"]]
    scores = [score if number >= 0 else None for number, score in zip(answer["tags"], answer["scores"], strict=True)]
    found, entities = [], []
    for span in entities_of(tags):
        seen = [score for score in scores[span.start : span.end] if score is not None]
        if document.places is None:
            place, text = span, " ".join(document.given[span.start : span.end])
        else:
            place = Span(span.label, document.places[span.start][0], document.places[span.end - 1][1])
            text = document.given[place.start : place.end]
        found.append(_plain(place))
        entities.append({**_plain(place), "text": text, "score": float(np.mean(seen))})
    if document.places is None:
        return {"answer": tags, "entities": entities, "scores": scores}
    places = [list(place) for place in document.places]
    return {"answer": found, "entities": entities, "words": places, "tags": tags, "scores": scores}


Counted = tuple[list[list[Span]], list[list[Span]], np.ndarray]


def counted(answers: Sequence[Answer], truths: Sequence[list[Any]], scheme: SchemeName) -> Counted:
    """What scores are made of.

    Args:
        answers: As `worded` gives them.
        truths: As `Document.raw_truth`.
        scheme: Of the tags.

    Returns:
        The entities answered, those that are there, and `(documents, 2)`: how many words have the right tag, and how
        many there are.
    """
    counts = _count_text if "words" in answers[0] else _count_words
    rows = [counts(answer, truth, scheme) for answer, truth in zip(answers, truths, strict=True)]
    return [row[0] for row in rows], [row[1] for row in rows], np.array([row[2] for row in rows])


def _count_words(answer: Answer, truth: list[Any], scheme: SchemeName) -> tuple[list[Span], list[Span], Any]:
    return entities_of(answer["answer"]), entities_of(truth), _right(answer["answer"], truth)


def _count_text(answer: Answer, truth: list[Any], scheme: SchemeName) -> tuple[list[Span], list[Span], Any]:
    mine, theirs = ([_span(part) for part in spans] for spans in (answer["answer"], truth))
    tags, _ = tags_of_spans(answer["words"], without_overlaps(theirs), scheme)
    return mine, theirs, _right(answer["tags"], tags)


def _right(tags: Sequence[str], truth: Sequence[str]) -> tuple[int, int]:
    return sum(mine == theirs for mine, theirs in zip(tags, truth, strict=True)), len(truth)


def remarks(split: str, answers: Sequence[Answer], scheme: SchemeName) -> Remarks:
    """Counts what is odd about answers."""
    tags = [answer.get("tags", answer["answer"]) for answer in answers]
    broken = (scheme == "BIO" and begins_inside(names) for names in tags)
    text = "have an answer with an I- behind no tag of its type, which is read as the beginning of an entity"
    findings = count_rows("no-begin", split, broken, len(tags), text)
    if tags and not any(answer["entities"] for answer in answers):
        everywhere = [True] * len(tags)
        findings += count_rows("no-entity", split, everywhere, len(tags), "have an answer without any entity")
    return Remarks(findings, {"entities": sum(len(answer["entities"]) for answer in answers)})
