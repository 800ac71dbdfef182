"""Answers in words: tags and entities, what is right for them, and how to get them with plain transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hfft.data.checks import count_rows
from hfft.tasks.task import Answer, Notes
from hfft.tasks.token_classification.documents import Truth, without_overlaps
from hfft.tasks.token_classification.schemes import (
    BARE,
    OUTSIDE,
    SchemeName,
    Span,
    SpansOf,
    begins_inside,
    entities_of,
    tags_of_spans,
)

WORDS = """
words = ["...", "..."]  # the tag of a word is that of its first piece
starts = [0, *accumulate(len(word) + 1 for word in words)]
tags = ["O"] * len(words)
for piece in reversed(tagger([words], is_split_into_words=True)[0]):
    tags[bisect(starts, piece["start"]) - 1] = piece["entity"]
"""

TEXTS = """
# The entities of a text, with their places in it; ModernBERT's and GPT-2's begin at the space before. To have longer
# texts read in windows that share {stride} tokens, add stride={stride}.
tagger("...", aggregation_strategy="first")"""


def usage(max_length: int, overlap: int, words: bool, labels: Sequence[str]) -> str:
    """How plain transformers is asked.

    Args:
        max_length: Tokens that it reads at once.
        overlap: How many of them windows share.
        words: Whether it reads lists of words as hfft does.
        labels: The tags. Those without a type are no entities to its pipeline.
    """
    opening = (
        "from bisect import bisect\nfrom itertools import accumulate\n\n" if words else "",
        "from transformers import pipeline\n\n",
        f"# It reads {max_length} tokens, special ones counted, and leaves out the rest; hfft predict reads all.\n",
        'tagger = pipeline("token-classification", model="path/to/model", ignore_labels=[])\n',
    )
    texts = not any(label in BARE for label in labels)
    return "".join([*opening, WORDS * words, TEXTS.format(stride=overlap) * texts]).rstrip()


@dataclass(frozen=True)
class Document:
    """What was asked, and what is right for it.

    Attributes:
        words: How many words it has.
        places: Of a text's words, the first character and the one behind the last; None for a list of words.
        truth: Tags, spans, or None.
        scheme: Of the tags.
        given: The words, or the whole text; None where nobody asks.
    """

    words: int
    places: list[tuple[int, int]] | None
    truth: Truth
    scheme: SchemeName
    given: Any = None

    @property
    def tags(self) -> list[str] | None:
        """The tags that are right for its words; None where these are not known."""
        return self._tagged[0]

    @property
    def inexact(self) -> bool:
        """Whether there is a span that tags of words cannot say as it is."""
        return self._tagged[1]

    @cached_property
    def _tagged(self) -> tuple[list[str] | None, bool]:
        if self.places is None or self.truth is None:
            return self.truth, False  # type: ignore[return-value]
        spans = without_overlaps(self.truth)  # type: ignore[arg-type]
        tags, unsaid = tags_of_spans(self.places, spans, self.scheme)
        return tags, unsaid > 0 or len(spans) < len(set(self.truth))


def plain_truth(truth: Truth) -> list[Any] | None:
    """A truth as plain values: tags, or `{"start", "end", "label"}`."""
    return None if truth is None else [_plain(part) if isinstance(part, Span) else part for part in truth]


def _plain(span: Span) -> dict[str, Any]:
    return {"start": span.start, "end": span.end, "label": span.label}


def _span(plain: dict[str, Any]) -> Span:
    return Span(plain["label"], plain["start"], plain["end"])


def telling(scores: Mapping[str, Any], spans_of: SpansOf) -> dict[str, Any]:
    """The scores that say something of their own.

    Where each word is a span, precision, recall and F1 of all are the accuracy.
    """
    alike = () if spans_of is entities_of else ("precision", "recall", "f1")
    return {name: value for name, value in scores.items() if name not in alike}


def in_words(answer: Answer, document: Document, labels: Sequence[str], spans_of: SpansOf) -> Answer:
    """Puts the answer to a document in words.

    Args:
        answer: With `tags`, a number a word (-1 where the model did not see it), and `scores`, probabilities.
        document: What was asked.
        labels: The tags by number.
        spans_of: Reads them.

    Returns:
        For words `answer` (a tag a word, `O` for those that were not seen), for a text `answer` (a list of
        `{"start", "end", "label"}`) with `words` (their places) and `tags`; `entities`, each with `score`, the mean
        probability of its words' tags; and `scores`, a probability a word, None for those that were not seen.
    """
    tags: list[str] = [labels[int(number)] if number >= 0 else OUTSIDE for number in answer["tags"]]
    scores = [score if number >= 0 else None for number, score in zip(answer["tags"], answer["scores"], strict=True)]
    found, entities = [], []
    for span in spans_of(tags):
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


def counted(answers: Sequence[Answer], truths: Sequence[list[Any]], scheme: SchemeName, spans_of: SpansOf) -> Counted:
    """What scores are made of.

    Args:
        answers: As `in_words` gives them.
        truths: As `plain_truth` gives them.
        scheme: Of the tags.
        spans_of: Reads them.

    Returns:
        The entities answered, those that are there, and `(documents, 2)`: how many words have the right tag, and how
        many there are.
    """
    if "words" in answers[0]:
        rows = [_count_text(answer, truth, scheme) for answer, truth in zip(answers, truths, strict=True)]
    else:
        rows = [_count_words(answer, truth, spans_of) for answer, truth in zip(answers, truths, strict=True)]
    return [row[0] for row in rows], [row[1] for row in rows], np.array([row[2] for row in rows])


def _count_words(answer: Answer, truth: list[Any], spans_of: SpansOf) -> tuple[list[Span], list[Span], Any]:
    return spans_of(answer["answer"]), spans_of(truth), _right(answer["answer"], truth)


def _count_text(answer: Answer, truth: list[Any], scheme: SchemeName) -> tuple[list[Span], list[Span], Any]:
    mine, theirs = ([_span(part) for part in spans] for spans in (answer["answer"], truth))
    tags, _ = tags_of_spans(answer["words"], without_overlaps(theirs), scheme)
    return mine, theirs, _right(answer["tags"], tags)


def _right(tags: Sequence[str], truth: Sequence[str]) -> tuple[int, int]:
    return sum(mine == theirs for mine, theirs in zip(tags, truth, strict=True)), len(truth)


def notes(split: str, answers: Sequence[Answer], scheme: SchemeName) -> Notes:
    """Counts what is odd about answers."""
    tags = [answer.get("tags", answer["answer"]) for answer in answers]
    broken = (scheme == "BIO" and begins_inside(names) for names in tags)
    text = "have an answer with an I- behind no tag of its type, which is read as the beginning of an entity"
    findings = count_rows("no-begin", split, broken, len(tags), text)
    if tags and not any(answer["entities"] for answer in answers):
        everywhere = [True] * len(tags)
        findings += count_rows("no-entity", split, everywhere, len(tags), "have an answer without any entity")
    return Notes(findings, {"entities": sum(len(answer["entities"]) for answer in answers)})
