"""What was found and chosen, in words, and the recipe's lines: settings as YAML, with comments that fit their line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from hfft.workflows.init.facts import Facts
from hfft.workflows.init.languages import factor, shown
from hfft.workflows.init.models import Model
from hfft.workflows.init.settings import Found, Setting, number
from hfft.workflows.init.sources import Split

SHOWN = 8  # labels

PROBLEMS = {
    "single": "one label a row",
    "multi": "any number of labels a row",
    "entities": "entities",
    "words": "a tag for every word",
}

WIDTH = 118

INDENT = "  "


def told(found: Found) -> Iterator[str]:
    """Lines about the splits, the texts and the labels."""
    guess, facts = found.guess, found.facts
    for name, split in found.splits.items():
        yield f"{name}: {_rows(split)}, {split.place}{' (found beside it)' if name in found.source.beside else ''}"
        yield from map(str, split.findings)
    for option, lengths in facts.lengths.items():
        yield (
            f"{' with '.join(guess.named(option))}: {lengths.words:g} words in the median, {lengths.longest} at most; "
            f"99 of 100 have {lengths.tokens} tokens at most, {factor(lengths.language)}; {shown(lengths.language)}"
        )
    if facts.side is not None:
        yield f"{guess.options['image']}: images of {facts.side[0]:g} x {facts.side[1]:g} pixels in the median"
    answers = ", ".join(guess.named("label") or guess.named("tags"))
    if facts.span is not None:
        yield f"{answers}: numbers from {facts.span[0]:g} to {facts.span[1]:g}"
    elif facts.labels:
        yield f"{answers}: {PROBLEMS[facts.problem]}; {_counts(facts)}"
    if facts.unanswered:
        yield f"{facts.unanswered:,} training rows have no answer and are left out"


def _rows(split: Split) -> str:
    if split.total is None:
        return f"of the rows the first {len(split.rows):,} were looked at"
    looked = "" if split.whole else f", of which the first {len(split.rows):,} were looked at"
    return f"{'' if split.exact else 'about '}{split.total:,} rows{looked}"


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
    head = "its own head answers something else, so it gets a new one" if model.new_head else None
    note = "its tokenizer needs: pip install 'hfft[sentencepiece]'" if model.family in ("marian", "mt5") else None
    facts = [fact for fact in (size, model.languages, limit, note, head) if fact]
    return "; ".join(facts) or "nothing is known here of its size"


def section(name: str, settings: Sequence[Setting]) -> Iterator[str]:
    """The lines of a section; none where it has no settings."""
    if settings:
        yield f"{name}:"
    for setting in settings:
        line, why = f"{INDENT}{setting.name}: {flow(setting.value)}", plain(setting.why)
        if not why:
            yield line
        elif len(line) + len(why) + 4 <= WIDTH:
            yield f"{line}  # {why}"
        else:
            yield from comment(why, f"{INDENT}# ")
            yield line


def comment(text: str, before: str) -> list[str]:
    """A text as lines of comment, each with `before`, which ends in `# `, in front."""
    wrapper = textwrap.TextWrapper(WIDTH, before, before, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(plain(text))


def plain(text: str) -> str:
    """A text in one line, without characters that a line of comment cannot hold."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


class _OneLine(yaml.SafeDumper):
    """Writes numbers as recipes have them, and texts with line ends in one line."""

    def number(self, value: float) -> yaml.Node:
        text = number(value)
        return self.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)

    def text(self, value: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=None if value.isprintable() else '"')


_OneLine.add_representer(float, _OneLine.number)
_OneLine.add_representer(str, _OneLine.text)


def flow(value: Any) -> str:
    """A value as YAML in one line."""
    text = yaml.dump(value, Dumper=_OneLine, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False)
    return text.removesuffix("...\n").strip()
