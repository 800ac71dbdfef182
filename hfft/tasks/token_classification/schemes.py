"""Tags of words: their schemes, the entities they say, and how words and spans of characters lie together.

Tags say where entities are. In BIO (also called IOB2) `B-PER` begins a person and `I-PER` goes on with it; in IO the
name alone (`PER` or `I-PER`) does, and neighbours of one type are one entity. `O` is no entity. Where there is but one
type, data of phrases often leave it out: `B` and `I`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from hfft.data.label_values import GENERIC
from hfft.errors import DataError, near, shortened

OUTSIDE = "O"

PREFIXES = ("B-", "I-")

BARE = ("B", "I")

UNNAMED = "entity"  # the type of tags that are but a letter

OTHER_LETTERS = ("E", "S", "L", "U", "M")  # of schemes with more of them: BIOES, BILOU, BMES

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
    if tag in BARE:
        return tag, UNNAMED
    return (tag[0], tag[2:]) if tag.startswith(PREFIXES) else ("I", tag)


def is_marked(tag: str) -> bool:
    """Whether a tag says by a letter of BIO or IO how entities lie: `O`, `B-PER`, `I-PER`, `B`, `I`."""
    return tag == OUTSIDE or tag in BARE or tag.startswith(PREFIXES)


def inside_of(tag: str) -> str:
    """The tag of a word that goes on with what this tag says: `I-PER` of `B-PER`, else the same."""
    return _other_letter(tag) if split_tag(tag)[0] == "B" else tag


def _other_letter(tag: str) -> str:
    """`I-PER` of `B-PER`, `B` of `I`, and so on."""
    return ("I" if tag[0] == "B" else "B") + tag[1:]


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
    return any(split_tag(tag)[0] == "I" and split_tag(tag)[1] != split_tag(before)[1] for before, tag in pairs)


def scheme_of(names: Iterable[str]) -> SchemeName:
    """Finds the scheme of tags by their names.

    Raises:
        DataError: They are of several schemes, or of one that is not read.
    """
    names = sorted({name for name in names if name != OUTSIDE})
    for name in names:
        _require_known(name)
    marked, rest = [name for name in names if is_marked(name)], [name for name in names if not is_marked(name)]
    bare, typed = [name for name in marked if name in BARE], [name for name in marked if name not in BARE]
    if marked and rest:
        hint = f" {OTHERS}" if rest[0] in OTHER_LETTERS else near(rest[0], marked)
        raise DataError(
            f"task.tags: there are tags as '{marked[0]}' and tags as '{rest[0]}', which belong to different schemes: "
            f"with prefixes every tag but '{OUTSIDE}' has B- or I-.{hint}"
        )
    if bare and typed:
        raise DataError(
            f"task.tags: there are tags as '{typed[0]}' and tags as '{bare[0]}', which name no type. Write B-X and "
            "I-X, where X is the type."
        )
    return "BIO" if any(split_tag(name)[0] == "B" for name in names) else "IO"


OTHERS = "BIOES and its kin are not read: write S- and U- as B-, and E-, L- and M- as I- first."


def _require_known(name: str) -> None:
    """Raises DataError where a tag is of no scheme that is read."""
    kind, _, letter = name.rpartition("-")
    shown = shortened(name)
    if name in PREFIXES:
        raise DataError(f"task.tags: the tag '{shown}' names no type. Write B-X and I-X, where X is the type.")
    if is_marked(name):
        return
    if name.startswith(tuple(f"{other}-" for other in OTHER_LETTERS)):
        raise DataError(f"task.tags: there are tags as '{shown}'. {OTHERS} If it is a type, write I-{shown}.")
    if kind and letter in BARE:
        raise DataError(
            f"task.tags: there are tags as '{shown}', but the letter should stand in front: write "
            f"{letter}-{shortened(kind)}. If it is a type, write I-{shown}."
        )


LETTER_FIRST, LETTER_LAST = re.compile(r"([BIbi])[-_:./ ]+(.+)"), re.compile(r"(.+)[_:./ ]+([BI])")


def refuse_misspelled(names: Iterable[str]) -> None:
    """Raises DataError where tags of data say B and I in a way that would be taken for types: B_PER, b-per, PER:B."""
    names = sorted(set(names))
    unknown = [name for name in names if not is_marked(name)]
    spelled = {name: found.groups() for name in unknown if (found := LETTER_FIRST.fullmatch(name))}
    spelled |= {name: found.groups()[::-1] for name in unknown if (found := LETTER_LAST.fullmatch(name))}
    letters = [(letter.upper(), kind) for letter, kind in spelled.values()]
    both = any(("B", kind) in letters and ("I", kind) in letters for _, kind in letters)
    if spelled and (both or 2 * len(spelled) > len([name for name in names if name != OUTSIDE])):
        name, (letter, kind) = next(iter(spelled.items()))
        raise DataError(
            f"task.tags: there are tags as '{shortened(name)}': write {letter.upper()}-{shortened(kind)}. If it is a "
            f"type, write I-{shortened(name)}."
        )
    small = [name for name in names if name in ("o", "0")]
    if small and OUTSIDE not in names and any(name.startswith(PREFIXES) for name in names):
        raise DataError(f"task.tags: there is a tag '{small[0]}': write {OUTSIDE} where there is no entity.")


def whole_scheme(names: Sequence[str]) -> list[str]:
    """Adds to tags of BIO those that are not there: every type has a `B-` and an `I-`. New ones stand at the end."""
    others = dict.fromkeys(_other_letter(name) for name in names if name != OUTSIDE)
    return [*names, *(name for name in others if name not in names)]


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


SpansOf = Callable[[Sequence[str]], list[Span]]
"""Reads the tags of words as spans of words: `entities_of` or `words_alone`."""


def words_alone(tags: Sequence[str]) -> list[Span]:
    """Reads each tag by itself: the word that has it is a span."""
    return [Span(tag, word, word + 1) for word, tag in enumerate(tags) if tag != OUTSIDE]


def how_read(labels: Sequence[str], scheme: SchemeName | None) -> SpansOf:
    """How tags are to be read.

    Those without `O`, `B-` and `I-`, which name every word as parts of speech do, are no entities where no scheme is
    asked for.
    """
    marked = any(is_marked(label) or label.startswith(GENERIC) for label in labels)
    return entities_of if marked or scheme is not None else words_alone
