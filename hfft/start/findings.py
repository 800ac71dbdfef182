"""What was found in the data, in words: for the screen, and for the head of the recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hfft.start.facts import Facts
from hfft.start.guessing import Guess
from hfft.start.known_models import Model
from hfft.start.languages import factor, shown
from hfft.start.reading import Split
from hfft.start.sources import Source

SHOWN = 8  # labels
PROBLEMS = {
    "single": "one label a row",
    "multi": "any number of labels a row",
    "regression": "numbers to predict",
    "entities": "entities",
    "words": "a tag for every word",
}


def told(guess: Guess, facts: Facts, splits: Mapping[str, Split], source: Source) -> Iterator[str]:
    """Lines about the splits, the texts and the labels."""
    for name, split in splits.items():
        found = " (found beside it)" if name in source.beside else ""
        yield f"{name}: {_rows(split)}, {split.place}{found}"
        yield from map(str, split.findings)
    for option, lengths in facts.lengths.items():
        columns = guess.options[option]
        shown_columns = " with ".join(columns) if isinstance(columns, list) else columns
        yield (
            f"{shown_columns}: {lengths.words:g} words in the median, {lengths.longest} at most; 99 of 100 have "
            f"{lengths.tokens} tokens at most, {factor(lengths.language)}; {shown(lengths.language)}"
        )
    if facts.side is not None:
        yield f"{guess.options['image']}: images of {facts.side[0]:g} x {facts.side[1]:g} pixels in the median"
    if facts.span is not None:
        yield f"{_label(guess)}: numbers from {facts.span[0]:g} to {facts.span[1]:g}"
    elif facts.labels:
        yield f"{_label(guess)}: {PROBLEMS[facts.problem]}; {_counts(facts)}"
    if facts.unanswered:
        yield f"{facts.unanswered:,} training rows have no answer and are left out"


def _rows(split: Split) -> str:
    if split.total is None:
        return f"of the rows the first {len(split.rows):,} were looked at"
    looked = "" if split.whole else f", of which the first {len(split.rows):,} were looked at"
    return f"{'' if split.exact else 'about '}{split.total:,} rows{looked}"


def _label(guess: Guess) -> str:
    columns = guess.options.get("label") or guess.options["tags"]
    return ", ".join(columns) if isinstance(columns, list) else columns


def _counts(facts: Facts) -> str:
    most = facts.labels.most_common()
    if len(most) <= SHOWN:
        return ", ".join(f"{name} ({count:,})" for name, count in most)
    (common, many), (rare, few) = most[0], most[-1]
    if many == few:
        return f"{len(most)} labels, {many:,} of each"
    return f"{len(most)} labels, from {few:,} ({rare}) to {many:,} ({common})"


def about(model: Model) -> str:
    """What is known of a model, in words."""
    size = None if model.millions is None else f"{model.millions:,.3g} million parameters"
    limit = None if model.limit is None else f"reads {model.limit:,} tokens at most"
    facts = [fact for fact in (size, model.languages, limit, model.note) if fact]
    if model.new_head:
        facts.append("its own head answers something else, so it gets a new one")
    return "; ".join(facts) or "nothing is known here of its size"
