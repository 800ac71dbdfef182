"""Names of labels: which there are, in which order, and names as numbers.

Names decide: data, recipe and checkpoint are matched by name, never by position. (transformers #10401: matching by
position gave 4.28 % on MNLI, by name 90.6 %.)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from datasets import ClassLabel

from hfft.data.checks import row_of
from hfft.errors import DataError, near, shortened

GENERIC = "LABEL_"  # transformers' names where none were given: they say nothing
NEW_ROWS = "data"  # the split of rows that a finished model is asked about


def normal_name(text: str) -> str:
    """A label as it is compared: without white space at its ends, in Unicode's composed form (NFC), 1.0 as 1."""
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    text = text.strip()
    return text[: text.index(".")] if WHOLE.fullmatch(text) else text


WHOLE = re.compile(r"-?[0-9]+\.0+")  # as pandas writes whole numbers of which some are missing


def as_known(known: Sequence[str]) -> Callable[[str], str]:
    """Gives a function that spells a label as it is known; one that is not known in its normal form."""
    spelled = {**{normal_name(name): name for name in known}, **{name: name for name in known}}

    def spell(text: str) -> str:
        if text not in spelled:
            normal = normal_name(text)
            spelled[text] = spelled.get(normal, normal)
        return spelled[text]

    return spell


class Applying(list[str]):
    """The labels that apply to a row, where of some nobody knows whether they do: these are `unknown`."""

    def __init__(self, names: Iterable[str], unknown: Iterable[str] = ()):
        super().__init__(names)
        self.unknown = tuple(unknown)


def unknown_of(truth: Any) -> tuple[str, ...]:
    """The labels of which nobody knows whether they apply to a row; none of a plain list."""
    return truth.unknown if isinstance(truth, Applying) else ()


def choose_names(
    train: Sequence[str | None], feature: Any, given: Sequence[str] | None, checkpoint: Sequence[str] | None
) -> list[str]:
    """Decides the labels and their order: the recipe's, else the checkpoint's, else the data's.

    Args:
        train: The names in the training rows.
        feature: The column's feature; a ClassLabel brings an order.
        given: `task.labels`.
        checkpoint: The labels of the checkpoint's trained head; None where it has none, or where it is not to be used.

    Raises:
        DataError: Fewer than two labels, or a checkpoint whose head answers other labels.
    """
    found = sorted({name for name in train if name is not None}, key=_natural)
    if given and len(set(given)) < len(given):
        raise DataError(f"task.labels names a label twice: {list(given)}.")
    spell = as_known(())
    names = list(given or found)
    if not given and isinstance(feature, ClassLabel):
        names = list(dict.fromkeys(map(spell, feature.names)))
    if len(names) < 2:
        if given:
            raise DataError(f"task.labels is {names}; at least two labels are needed.")
        hint = " '-1' is read as 'no label'; if it is one, name it in task.labels."
        raise DataError(f"The training rows have the labels {names}; at least two are needed.{hint}")
    if checkpoint is None:
        return names
    generic = all(name.startswith(GENERIC) for name in checkpoint)
    if generic and len(checkpoint) != len(names):
        return names  # a new head, as `hfft.backbone.head_is_new` has it
    folded = {spell(name).casefold(): name for name in names}  # MNLI's heads say ENTAILMENT, its data entailment
    if len(folded) == len(names) and {spell(label).casefold() for label in checkpoint} == set(folded):
        checkpoint = [folded[spell(label).casefold()] for label in checkpoint]
    if set(checkpoint) == set(names):
        if given and list(checkpoint) != list(given):
            raise DataError(
                f"task.labels is {list(given)}, but the checkpoint's head answers in the order {list(checkpoint)}. "
                "Give that order, leave task.labels out, or start a new head with model.new_head=true."
            )
        return list(checkpoint)
    if generic and (given or names == [str(i) for i in range(len(checkpoint))]):
        return names  # LABEL_0 and 0 mean the same; otherwise the recipe says what LABEL_0 means
    how = "give their order in task.labels" if generic else "rename the labels in the data"
    raise DataError(
        f"The checkpoint's trained head answers {_listed(checkpoint)}, but the data has {_listed(names)}. If they mean "
        f"the same, {how}; else start a new head with model.new_head=true."
    )


def encode(names: Sequence[str | None], known: Sequence[str], split: str) -> list[int]:
    """Turns names, one a row, into positions in `known`; -1 where there is no label.

    Raises:
        DataError: A name is not known, with its row.
    """
    numbers = {name: number for number, name in enumerate(known)}
    return [-1 if name is None else _known(name, numbers, row, split) for row, name in enumerate(names)]


def encode_sets(sets: Sequence[Sequence[str] | None], known: Sequence[str], split: str) -> list[list[int]]:
    """Turns sets of names, one a row, into marks: for each of `known` 1 if it applies, else 0; -1 if nobody knows.

    Raises:
        DataError: A name is not known, with its row.
    """
    numbers = {name: number for number, name in enumerate(known)}
    rows = []
    for row, names in enumerate(sets):
        applying = {_known(name, numbers, row, split) for name in names or ()}
        unknown = set(numbers.values()) if names is None else {numbers[name] for name in unknown_of(names)}
        rows.append([-1 if number in unknown else int(number in applying) for number in range(len(known))])
    return rows


def _known(name: str, numbers: dict[str, int], row: int, split: str) -> int:
    if name not in numbers:
        known = list(numbers)
        hint = "" if split == NEW_ROWS else " All labels of a new model can be given in task.labels."
        raise DataError(
            f"task.label: {row_of(row, split)} has the label '{shortened(name)}', which is not one of "
            f"{_listed(known)}.{near(name, known)}{hint}"
        )
    return numbers[name]


def _natural(name: str) -> tuple[int, int, str]:
    """Sorts whole numbers as numbers, before words."""
    return (0, int(name), name) if re.fullmatch(r"-?[0-9]+", name) else (1, 0, name)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{shortened(name)}'" for name in names[:10])
    return f"{shown}, ... ({len(names)} labels)" if len(names) > 10 else shown
