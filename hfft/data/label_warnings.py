"""What is odd about labels: two spellings of one, too many, texts of another kind. Each is a counted warning."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset

from hfft.data.checks import Finding, count_rows, listed
from hfft.data.columns import Distinct, distinct
from hfft.data.decimals import has_decimal_comma
from hfft.data.label_columns import MISSING, Reading
from hfft.errors import DataError, quoted

DELIMITERS = ("|", ";", ",")

SEVERAL = 0.05  # of the rows, at least, hold more than one label where a delimiter stands between labels

WORDS = 5  # in the median: labels have fewer

LOOKS = {
    "numbers": re.compile(r"[-+]?[0-9]+([.,][0-9]+)*"),
    "numbers with a sign": re.compile(r"[$€£¥]\s*[0-9][0-9.,]*|[0-9][0-9.,]*\s*([$€£¥%]|EUR|USD)"),
    "dates": re.compile(r"([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4})([ T].*)?"),
}


def spelling_findings(split: str, rows: Dataset, column: str, reading: Reading) -> list[Finding]:
    """Counts the rows whose labels are not read as they are written, and those in which -1 is read as no label."""
    feature, held = rows.features[column], distinct(rows, column)  # a copy at each call
    texts = [_texts(value, feature) for value in held.values]
    written = {text for row in texts for text in row} - set(reading.known)
    spaced = {text for text in written if text != text.strip() and text.strip()}
    formed = {text for text in written if not unicodedata.is_normalized("NFC", text)}
    found = []
    for kind, odd, what in (
        ("label-space", spaced, "have a label with white space at its ends, which is taken off"),
        ("label-form", formed, "have a label in another Unicode form, which is read in the composed one (NFC)"),
    ):
        if odd:
            shown = ", ".join(sorted(ascii(text) for text in odd)[:3])
            flags = np.array([not odd.isdisjoint(each) for each in texts])[held.places]
            found += count_rows(kind, split, flags, len(flags), f"{what}: {shown}")
    return found + _minus_one(split, feature, held, reading)


def _texts(value: Any, feature: Any) -> list[str]:
    """The texts of a cell, as they are written."""
    if isinstance(feature, ClassLabel):
        return [feature.names[value]] if value is not None and 0 <= value < len(feature.names) else []
    if isinstance(value, dict):  # a span of a text, or a list of its spans
        return _texts(value.get("label"), feature.get("label") if isinstance(feature, dict) else None)
    inner = getattr(feature, "feature", None)
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _texts(item, inner)]
    return [value] if isinstance(value, str) else []


def _minus_one(split: str, feature: Any, held: Distinct, reading: Reading) -> list[Finding]:
    if reading.minus_one or isinstance(feature, ClassLabel):
        return []
    none = [value == -1 or (isinstance(value, str) and value.strip() in (MISSING, "-1.0")) for value in held.values]
    text = "have -1, which is read as no label; if it is one, name all labels in task.labels"
    return count_rows("minus-one", split, np.array(none, dtype=bool)[held.places], len(held.places), text)


def name_findings(split: str, counts: Mapping[str, int]) -> list[Finding]:
    """What is odd about the labels of a split, each with its number of rows."""
    return [*_alike(split, list(counts)), *_alone(split, counts)]


def _alike(split: str, names: Sequence[str]) -> list[Finding]:
    """Counts the labels that are the same as another one but for case, white space or Unicode form."""
    groups = defaultdict(list)
    for name in names:
        groups[_bare(name)].append(name)
    twins = [group for group in groups.values() if len(group) > 1]
    if not twins:
        return []
    pairs = "; ".join(listed(group) for group in twins[:3])
    text = f"differ only in case, white space or Unicode form from another: {pairs}{'; ...' if len(twins) > 3 else ''}"
    return [Finding("alike-labels", split, sum(map(len, twins)), len(names), text, "labels")]


def _bare(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(sign for sign in folded if not sign.isspace() and unicodedata.category(sign) != "Cf") or name


def _alone(split: str, counts: Mapping[str, int]) -> list[Finding]:
    """Counts labels that stand in one row each, where these are most; and says what labels look like, if not labels."""
    there = [name for name, count in counts.items() if count]
    alone = [name for name in there if counts[name] == 1]
    found, look = [], look_of(there)
    if 2 * len(alone) > len(there):
        text = f"stand in one row each, where labels repeat: {listed(alone)}{_advice(look)}"
        found.append(Finding("lone-label", split, len(alone), len(there), text, "labels"))
    elif look == "dates":
        found.append(
            Finding("date-label", split, len(there), len(there), f"look like dates: {listed(there)}", "labels")
        )
    return found


def look_of(names: Sequence[str]) -> str | None:
    """What most of some labels look like, if not like labels."""
    for look, pattern in LOOKS.items():
        if 2 * sum(bool(pattern.fullmatch(name)) for name in names) > len(names) > 2:
            return look
    return "free text" if names and median(len(name.split()) for name in names) >= WORDS else None


def _advice(look: str | None) -> str:
    if look is None:
        return ""
    more = {
        "numbers": "; to predict numbers: task.problem=regression",
        "free text": "; is task.label the right column?",
    }
    return f". They look like {look}{more.get(look, '')}"


def delimiter_of(values: Iterable[str]) -> tuple[str, int] | None:
    """What stands between labels, where texts look like several labels in one, and how many labels these are."""
    counts = Counter(values)
    for delimiter in DELIMITERS:
        several = sum(count for value, count in counts.items() if delimiter in value)
        if several < max(SEVERAL * counts.total(), 1) or (delimiter == "," and have_decimal_commas(counts)):
            continue
        parts = {part.strip() for value in counts for part in value.split(delimiter) if part.strip()}
        fewer = len(parts) < len(counts) or (delimiter == "|" and len(parts) == len(counts))
        if fewer and all(len(part.split()) <= 3 for part in parts):
            return delimiter, len(parts)
    return None


def delimiter_findings(split: str, names: Sequence[str | None]) -> list[Finding]:
    """Counts the labels that look like several in one text."""
    found = delimiter_of(name for name in names if name)
    if found is None:
        return []
    delimiter, parts = found
    text = (
        f"have a label that looks like several, for '{delimiter}' stands in it; task.delimiter='{delimiter}' reads "
        f"{parts} labels, any number of them a row"
    )
    return count_rows(
        "several-labels", split, (bool(name) and delimiter in str(name) for name in names), len(names), text
    )


def have_decimal_commas(texts: Mapping[str, int]) -> bool:
    """Whether most texts are numbers with a comma before their decimals; `texts` says how often each is there."""
    return 2 * sum(count for text, count in texts.items() if has_decimal_comma(text)) > sum(texts.values())


def refuse_decimal_commas(train: Dataset, column: str) -> None:
    """Raises DataError where most values of a column are such numbers."""
    held = distinct(train, column)
    counted = zip(held.values, held.counts.tolist(), strict=True)
    texts = {value: count for value, count in counted if isinstance(value, str) and value.strip()}
    if not texts or not have_decimal_commas(texts):
        return
    shown = next(text for text in texts if has_decimal_comma(text))
    raise DataError(
        f"task.label: most values of the column '{column}' look like numbers with a comma, such as {quoted(shown)}. To "
        "predict numbers, write a point before the decimals, and nothing between thousands. If they are labels: "
        "task.problem=single; if they are several labels in one text: task.delimiter=','."
    )
