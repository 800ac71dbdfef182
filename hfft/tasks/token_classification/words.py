"""The words of a text, found from a tokenizer's pieces, and how pieces are cut into windows."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

READING = 1  # raise it where `words_of_text` comes to read texts in another way: what is kept on disk is then made anew


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The same part of a text without the white space at its ends; empty at `end` where it is nothing else."""
    while start < end and _is_blank(text[start]):
        start += 1
    while end > start and _is_blank(text[end - 1]):
        end -= 1
    return start, end


# Spaces without a width, and marks of the direction of writing
UNSEEN = frozenset(map(chr, (0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)))


def _is_blank(character: str) -> bool:
    return character.isspace() or character in UNSEEN


def _goes_on(character: str) -> bool:
    """Whether it changes or joins the character before: accents, vowel signs, variation selectors, joiners."""
    category = unicodedata.category(character)
    return category[0] == "M" or (category == "Cf" and character not in UNSEEN)


# What the names of characters begin with in Unicode, of scripts that put no space between words
UNSPACED = ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


def _ends_words(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS" or unicodedata.name(character, "").startswith(UNSPACED)


def words_of_text(
    text: str, word_ids: Sequence[int | None], offsets: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Finds the words of a text from a tokenizer's pieces.

    A word is the tokenizer's own, and ends besides at white space and at punctuation, for to some tokenizers words are
    all that stands between spaces, or whole texts. In scripts without spaces each piece is a word. White space, which
    many tokenizers count to the word behind it, belongs to none; accents and the like, which some leave out, belong to
    the word before.

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
    given = zip(word_ids, offsets, _next_starts(offsets, len(text)), strict=True)
    for piece, (word, (start, end), limit) in enumerate(given):
        start, end = trimmed(text, start, end)
        while start < end < limit and _goes_on(text[end]):
            end += 1
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


def _next_starts(offsets: Sequence[tuple[int, int]], length: int) -> list[int]:
    """Of each piece, where the next one begins that is not empty; behind the last, the length of the text."""
    starts, following = [], length
    for start, end in reversed(offsets):
        starts.append(following)
        following = start if start < end else following
    return starts[::-1]


def _apart(text: str, end: int, start: int) -> bool:
    """Whether two pieces of a tokenizer's word, one up to `end` and one from `start`, belong to two words."""
    if start < end:  # bytes of one character
        return False
    if end != start:
        return True
    return not _goes_on(text[start]) and (_ends_words(text[end - 1]) or _ends_words(text[start]))


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
