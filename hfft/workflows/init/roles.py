"""The roles that columns have in a task: what fits them, what their names say, and in points how much that counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hfft.data.label_warnings import WORDS
from hfft.workflows.init.columns import Column
from hfft.workflows.init.languages import language_of_name

Columns = Mapping[str, Column]

TOLD, HINTED = 3.0, 1.5  # points of a name that says the role, and of one that may

CLEAR = 2.0  # points, from which on a column is taken without a question, where no other is as good

STRONG = 4.0  # points, from which on a role is as good as certain

AHEAD = 1.0  # points that a column needs more than the next

IDS = re.compile(r"(id|idx|index|guid|uuid|key|url|date|time|timestamp|unnamed.*|.*[ _\-]id|)", re.IGNORECASE)
"""Names of columns that tell rows apart, and have nothing to learn from."""

SUMMARIES = "summary|summaries|highlights|abstract|tldr|headline"


def _as_is(column: Column, columns: Columns, points: float) -> float:
    return points


@dataclass(frozen=True)
class Role:
    """What a column is for a task.

    Attributes:
        what: For people, behind "the column".
        only: The reason to take it where no other column fits.
        kinds: Points by what the column holds; other kinds do not fit.
        best: The reason where others fit too, and its name says nothing; the same where it is empty.
        told: Names that say so, in small letters and without signs.
        hinted: Names that may say so.
        weigh: Changes the points by what stands in the column and in the others; 0: it does not fit.
    """

    what: str
    only: str
    kinds: Mapping[str, float]
    best: str = ""
    told: str = ""
    hinted: str = ""
    weigh: Callable[[Column, Columns, float], float] = _as_is

    def named(self, column: Column) -> float:
        """Points of its name."""
        plain = re.sub(r"[^a-z]", "", column.name.lower())
        told, hinted = (bool(plain) and re.fullmatch(names, plain) for names in (self.told, self.hinted))
        return TOLD if told else HINTED if hinted else 0.0

    def score(self, column: Column, columns: Columns) -> float:
        """How much speaks for a column; 0 where it does not fit."""
        if column.kind not in self.kinds or IDS.fullmatch(column.name):
            return 0.0
        return self.weigh(column, columns, self.kinds[column.kind] + self.named(column))


def ranked(option: str, columns: Columns, taken: Sequence[str]) -> list[tuple[float, Column]]:
    """The columns that fit a role and are not taken, the likeliest first, then the longest; each with its points."""
    found = [(ROLES[option].score(column, columns), column) for column in columns.values() if column.name not in taken]
    return sorted((pair for pair in found if pair[0] > 0), key=lambda pair: (-pair[0], -pair[1].words))


def _label(column: Column, columns: Columns, points: float) -> float:
    named = ROLES["label"].named(column)
    if column.kind in ("class", "numbers", "number", "flag"):
        return points
    if column.kind == "text" and column.words >= WORDS and not named:
        return 0.0
    if column.repeats or (column.kind == "lists" and column.distinct > 1):
        return points
    free = column.kind == "text" and column.distinct == len(column.values)
    return 0.0 if free and named < TOLD else named  # with such a name it is taken, to be told that it is no label


def _text(column: Column, columns: Columns, points: float) -> float:
    """What has half as many words as the longest may be meant as well; what has no more than a label is less of one."""
    longest = max(other.words for other in columns.values() if other.kind == "text")
    return points + 2 * AHEAD * column.words / max(longest, 1) + (AHEAD if column.words >= WORDS else 0)


def _source(column: Column, columns: Columns, points: float) -> float:
    sides = named_by_language(columns)
    return max(points, (STRONG if column.name == sides[0] else CLEAR + AHEAD) if column.name in sides else 0.0)


def _target(column: Column, columns: Columns, points: float) -> float:
    """Texts that are written differ, but for a few."""
    if column.name in named_by_language(columns):
        return STRONG
    return points if column.distinct > len(column.values) / 2 else 0.0


def named_by_language(columns: Columns) -> list[str]:
    """Columns of texts that are named by a language each, two or more; none where two of them name the same."""
    texts = [column for column in columns.values() if column.kind in ("text", "languages")]
    if any(column.kind == "languages" for column in texts):
        return [column.name for column in texts if column.kind == "languages"]
    named = {column.name: language_of_name(column.name) for column in texts if not IDS.fullmatch(column.name)}
    found = {name: language for name, language in named.items() if language is not None}
    return list(found) if len(found) == len(set(found.values())) > 1 else []


PAIRS = (
    ("premise", "hypothesis"),
    ("question", "sentence"),
    ("question", "passage"),
    ("question", "context"),
    ("question", "answer"),
    ("query", "passage"),
    ("query", "document"),
)

FIRST, SECOND = (re.compile(rf"(.*?)[ _\-]?({ends})", re.IGNORECASE) for ends in ("1|a|one", "2|b|two"))


def pair_of(names: Sequence[str]) -> tuple[str, str] | None:
    """The two columns whose names say that they belong together; None where there are none."""
    lower = {name.lower(): name for name in names}
    for first, second in PAIRS:
        if first in lower and second in lower:
            return lower[first], lower[second]
    firsts = {found[1].lower(): name for name in names if (found := FIRST.fullmatch(name))}
    seconds = {found[1].lower(): name for name in names if (found := SECOND.fullmatch(name))}
    return next(((firsts[stem], seconds[stem]) for stem in firsts if stem in seconds), None)


def _tokens(column: Column, columns: Columns, points: float) -> float:
    """Texts beside spans, or words that have tags: of lists of like lengths, those of which most differ."""
    if column.kind == "text":
        spans = any(other.kind == "spans" for other in columns.values())
        return _text(column, columns, points) if spans else 0.0
    beside = _beside(column, columns)
    words = _holds_words(column) and all(other.distinct <= column.distinct for other in beside)
    return points if beside and words else 0.0


def _tags(column: Column, columns: Columns, points: float) -> float:
    words = [other for other in _beside(column, columns) if _holds_words(other)]
    fits = column.kind == "spans" or any(other.distinct >= column.distinct for other in words)
    return points if fits else 0.0


def _holds_words(column: Column) -> bool:
    return isinstance(column.values[0][0], str)


def _beside(column: Column, columns: Columns) -> list[Column]:
    """Columns whose lists are as long, in every row."""
    lists = [other for other in columns.values() if other.kind == column.kind == "lists" and other is not column]
    return [other for other in lists if [*map(len, other.values)] == [*map(len, column.values)]]


ROLES = {
    "image": Role(
        what="of the image",
        only="the only column of images",
        best="the first",
        kinds={"image": STRONG},
        told="image|img|picture|photo",
    ),
    "label": Role(
        what="of the label",
        only="the only column that can be a label",
        best="by its values",
        kinds={"class": 3, "numbers": 3, "text": 2, "lists": 2, "flag": 2, "whole": 1.5, "number": 1},
        told="labels?|class|classes|category|categories|intent|sentiment|emotions?|topics?|gold|y|entailment|.*label",
        hinted="target|tags?|rating|stars|score|similarity|genres?|type|polarity|stance|spam|toxic|team|department|"
        "relation|answer|price|language|gender|tone|style|priority|status",
        weigh=_label,
    ),
    "text": Role(
        what="of the text",
        only="the only column of texts",
        best="the longest texts",
        kinds={"text": 1},
        told="text|sentence",
        weigh=_text,
    ),
    "tokens": Role(
        what="of the words, or texts",
        only="words, or texts, that are tagged",
        kinds={"lists": STRONG, "text": 1},
        told="tokens|words|text|sentence",
        weigh=_tokens,
    ),
    "tags": Role(
        what="of their tags, or spans",
        only="a tag for each word, or spans of the texts",
        kinds={"spans": STRONG, "lists": STRONG},
        told="(ner)?tags|ner|labels|entities",
        weigh=_tags,
    ),
    "source": Role(
        what="that is read",
        only="the longer texts",
        kinds={"text": 1, "languages": 1},
        told="document|article|dialogue|report|transcript|conversation|content|body|text|(source|src|input)(text)?|"
        "original|question|context|passage|prompt|instruction|query",
        weigh=_source,
    ),
    "target": Role(
        what="that is to be written",
        only="the other texts",
        kinds={"text": 1, "languages": 1},
        told=f"{SUMMARIES}|(target|tgt|trg|output)(text)?|simplified|answer|response|reply|completion",
        weigh=_target,
    ),
}
"""By the option of a task that names the column."""
