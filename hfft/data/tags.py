"""Tags of words: their schemes, the entities they say, and how pieces, words and spans of characters lie together.

Tags say where entities are. In BIO (also called IOB2) `B-PER` begins a person and `I-PER` goes on with it; in IO the
name alone (`PER` or `I-PER`) does, and neighbours of one type are one entity. `O` is no entity.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from hfft.errors import DataError, near

OUTSIDE = "O"
PREFIXES = ("B-", "I-")
OTHER_PREFIXES = ("E-", "S-", "L-", "U-", "M-")  # of schemes with more letters: BIOES, BILOU, BMES

SchemeName = Literal["BIO", "IO"]


class Span(NamedTuple):
    """An entity: its type, its first word or character, and the one behind its last."""

    label: str
    start: int
    end: int


def split_tag(tag: str) -> tuple[str, str]:
    """Splits a tag into its letter and its type. A name without a letter is one of IO: `PER` is `I` and `PER`."""
    if tag == OUTSIDE:
        return "O", ""
    return (tag[0], tag[2:]) if tag.startswith(PREFIXES) else ("I", tag)


def entities_of(tags: Sequence[str]) -> list[Span]:
    """The entities that tags say, in words.

    As conlleval reads them (Tjong Kim Sang and De Meulder 2003), and seqeval in its default mode: an `I-` behind
    nothing, or behind another type, begins an entity.
    """
    found: list[Span] = []
    start, open_type = 0, ""
    for word, tag in enumerate([*tags, OUTSIDE]):
        letter, kind = split_tag(tag)
        if letter == "I" and kind == open_type:
            continue
        if open_type:
            found.append(Span(open_type, start, word))
        start, open_type = word, kind
    return found


def begins_inside(tags: Sequence[str]) -> bool:
    """Whether some `I-` stands behind no tag of its type, which is no valid BIO."""
    pairs = zip([OUTSIDE, *tags], tags, strict=False)
    return any(tag.startswith("I-") and split_tag(tag)[1] != split_tag(before)[1] for before, tag in pairs)


def scheme_of(names: Iterable[str]) -> SchemeName:
    """Finds the scheme of tags by their names.

    Raises:
        DataError: They are of several schemes, or of one that is not read.
    """
    names = sorted({name for name in names if name != OUTSIDE})
    prefixed = [name for name in names if name.startswith(PREFIXES)]
    rest = [name for name in names if not name.startswith(PREFIXES)]
    if prefixed and rest:
        hint = near(rest[0], prefixed)
        if rest[0].startswith(OTHER_PREFIXES):
            hint = " BIOES and its kin are not read: write S- as B- and E- as I- first."
        raise DataError(
            f"task.tags: there are tags as '{prefixed[0]}' and tags as '{rest[0]}', which belong to different schemes: "
            f"with prefixes every tag but '{OUTSIDE}' has B- or I-.{hint}"
        )
    return "BIO" if any(name.startswith("B-") for name in names) else "IO"


def whole_scheme(names: Sequence[str]) -> list[str]:
    """Adds to tags of BIO those that are not there: every type has a `B-` and an `I-`. New ones stand at the end."""
    kinds = dict.fromkeys(split_tag(name)[1] for name in names if name != OUTSIDE)
    wanted = [f"{prefix}{kind}" for kind in kinds for prefix in PREFIXES]
    return [*names, *(name for name in wanted if name not in names)]


def in_order(names: Iterable[str]) -> list[str]:
    """`O` first, then by type, `B-` before `I-`."""
    return sorted(set(names), key=lambda name: (name != OUTSIDE, split_tag(name)[1], split_tag(name)[0]))


def tags_of_types(kinds: Iterable[str], scheme: SchemeName) -> list[str]:
    """All tags that entities of these types need."""
    prefixes = PREFIXES if scheme == "BIO" else ("I-",)
    return [OUTSIDE, *(f"{prefix}{kind}" for kind in sorted(set(kinds)) for prefix in prefixes)]


def tags_of_spans(words: Sequence[tuple[int, int]], spans: Sequence[Span], scheme: SchemeName) -> tuple[list[str], int]:
    """Tags words with the spans of characters that lie on them; a span covers every word that it touches.

    Args:
        words: First character, and the one behind the last, of each word in order.
        spans: Not overlapping one another.
        scheme: Of the tags. In IO neighbours of one type become one.

    Returns:
        A tag a word, and how many spans these do not give back as they were: spans that begin or end inside a word,
        touch none, or touch neighbours that they cannot be told from.
    """
    tags, word = [OUTSIDE] * len(words), 0
    for span in sorted(spans, key=lambda span: span.start):
        while word < len(words) and words[word][1] <= span.start:
            word += 1
        first = True
        while word < len(words) and words[word][0] < span.end:
            tags[word] = f"{'B' if first and scheme == 'BIO' else 'I'}-{span.label}"
            first, word = False, word + 1
    back = {Span(found.label, words[found.start][0], words[found.end - 1][1]) for found in entities_of(tags)}
    return tags, sum(span not in back for span in spans)


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The same part of a text without the white space at its ends; empty at `end` where it is nothing else."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def words_of_text(
    text: str, word_ids: Sequence[int | None], offsets: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Finds the words of a text from a tokenizer's pieces.

    A word is the tokenizer's own, and ends besides at white space and at punctuation, for to some tokenizers words are
    all that stands between spaces, or whole texts. White space, which many tokenizers count to the word behind it,
    belongs to none.

    Args:
        text: The text.
        word_ids: Of each piece, as the tokenizer numbers words.
        offsets: Of each piece: its first character, and the one behind its last.

    Returns:
        Of each word, its first character and the one behind its last; and of each piece the number of its word, -1
        for pieces of white space alone.
    """
    words: list[tuple[int, int]] = []
    numbers: list[int] = []
    last: int | None = None
    waiting: list[int] = []  # pieces of white space that stand in front of their word
    for piece, (word, (start, end)) in enumerate(zip(word_ids, offsets, strict=True)):
        start, end = trimmed(text, start, end)
        numbers.append(-1)
        if start == end:
            waiting.append(piece)
            continue
        if words and word == last and not _apart(text, words[-1][1], start):
            words[-1] = words[-1][0], max(words[-1][1], end)
        else:
            words.append((start, end))
        for number in [*(before for before in waiting if word_ids[before] == word), piece]:
            numbers[number] = len(words) - 1
        last, waiting = word, []
    return words, numbers


def _apart(text: str, end: int, start: int) -> bool:
    """Whether two pieces of a tokenizer's word, one up to `end` and one from `start`, belong to two words."""
    if start < end:  # bytes of one character
        return False
    return end != start or any(unicodedata.category(text[place])[0] in "PS" for place in (end - 1, start))


@dataclass(frozen=True)
class Cut:
    """How a row of pieces is cut into windows.

    Attributes:
        room: Pieces of a window.
        overlap: How many of them neighbours share.
    """

    room: int
    overlap: int

    def windows(self, count: int) -> list[tuple[slice, slice]]:
        """Cuts `count` pieces: of each window its pieces, and those of them that belong to it.

        Each piece belongs to one window, that in which more pieces stand on its shorter side: what two windows share
        is split in the middle. The windows are those of a tokenizer's `stride`.
        """
        step = self.room - self.overlap
        starts = range(0, max(count - self.overlap, 1), step)
        mine = [0, *(start + (self.overlap + 1) // 2 for start in starts[1:]), count]
        pieces = (slice(start, min(start + self.room, count)) for start in starts)
        return list(zip(pieces, (slice(*ends) for ends in pairwise(mine)), strict=True))
