"""Which tags there are, in which order, and what each weighs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset
from torch import Tensor

from hfft.data.checks import row_of
from hfft.data.label_values import GENERIC
from hfft.data.labels import NEW_ROWS, choose_names
from hfft.errors import DataError, ModelError, near
from hfft.tasks.problems.single_label import class_weights
from hfft.tasks.task import IGNORED
from hfft.tasks.token_classification.documents import Columns, Documents, named_classes
from hfft.tasks.token_classification.options import Options
from hfft.tasks.token_classification.postprocess import Document
from hfft.tasks.token_classification.schemes import (
    OUTSIDE,
    SchemeName,
    Span,
    in_order,
    refuse_misspelled,
    scheme_of,
    tags_of_types,
    whole_scheme,
)


def learn(
    options: Options, train: Documents, rows: Dataset, columns: Columns, checkpoint: Sequence[str] | None
) -> tuple[list[str], SchemeName]:
    """Decides the tags and their scheme: the recipe's, else the checkpoint's, else the data's.

    Args:
        options: The task's.
        train: The training documents.
        rows: The same, raw; their columns may bring names in order.
        columns: Where they stand.
        checkpoint: The tags of the checkpoint's trained head, if any. It may know more than the data has.

    Raises:
        DataError: There is nothing to learn; the tags are of several schemes, not of the scheme wanted, or not those
            of the checkpoint.
    """
    found = sorted({part.label if isinstance(part, Span) else part for truth in train.truths for part in truth or ()})
    _require_some(found, train.whole, columns.tags)
    classes = named_classes(rows, columns)
    if train.whole:
        scheme = options.scheme or scheme_of(options.labels or ["B-X"])
        names = tags_of_types(classes or found, scheme)
    else:
        names = classes or in_order(found)
        refuse_misspelled(names)
        scheme = scheme_of([*names, *(options.labels or ())])
        _require_scheme(scheme, options.scheme)
        # A trained head that knows all of them is kept as it is, even one that never goes on with some type.
        if scheme == "BIO" and (options.labels is not None or not set(names) <= set(checkpoint or ())):
            names = whole_scheme(names) if classes else in_order(whole_scheme(names))
    if options.labels is None and checkpoint and set(names) < set(checkpoint):
        names = list(checkpoint)
    if options.labels is None and len(names) < 2:
        raise DataError(
            f"task.tags: every word of the train split has the tag '{names[0]}' (column '{columns.tags}'), so there is "
            "nothing to tell apart. Give rows with others, or all tags in task.labels."
        )
    labels = choose_names(names, ClassLabel(names=names), options.labels, checkpoint)
    _require_agreement(labels, scheme, "task.labels" if options.labels else "the checkpoint's trained head")
    return labels, scheme


def scheme_of_model(labels: Sequence[str], wanted: SchemeName | None, name: str) -> SchemeName:
    """The scheme of a finished model's tags, as `learn` found it.

    Args:
        labels: Its tags.
        wanted: The recipe's scheme, if it names one.
        name: The model's.

    Raises:
        ModelError: They are of a scheme that is not read.
        DataError: They are not of the scheme wanted.
    """
    if all(label.startswith(GENERIC) for label in labels):
        return wanted or "IO"
    try:
        scheme = scheme_of(labels)
    except DataError as error:
        raise ModelError(f"model '{name}' answers {', '.join(labels)}, which hfft cannot read. {error}") from error
    _require_scheme(scheme, wanted)
    return scheme


def _require_some(found: Sequence[str], whole: bool, column: str) -> None:
    if not [name for name in found if name != OUTSIDE]:
        nothing = "no span" if whole else f"no tag beside {OUTSIDE}" if found else "no tag"
        raise DataError(
            f"task.tags: there is nothing to learn, for the train split has {nothing} in the column '{column}'. Give "
            "rows with entities, or name the column that has them."
        )


def _require_scheme(found: SchemeName, wanted: SchemeName | None) -> None:
    if wanted not in (None, found):
        which = "there are tags that begin with B" if found == "BIO" else "no tag begins with B"
        raise DataError(f"task.scheme is {wanted}, but {which}: they are {found}. Leave task.scheme out.")


def _require_agreement(labels: Sequence[str], scheme: SchemeName, source: str) -> None:
    """What a model is trained on must be what its tags say later, without the data."""
    answers = f"{source} has {', '.join(labels)}"
    fix = "Say them alike" if source == "task.labels" else "Start a new head with model.new_head=true"
    try:
        found = scheme_of(labels)
    except DataError as error:
        raise DataError(f"task.tags: {answers}, which hfft cannot read: {error} {fix}.") from error
    if found != scheme:
        raise DataError(f"task.tags: the training rows have tags of {scheme}, but {answers}, which are {found}. {fix}.")


def encode_tags(
    documents: Sequence[Document], rows: Sequence[int], labels: Sequence[str], split: str
) -> list[list[int]]:
    """Numbers the tags of documents, a word each: IGNORED where none is known.

    Raises:
        DataError: A tag is not known; the message names it and its row, of `rows`.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    encoded = []
    for row, document in zip(rows, documents, strict=True):
        tags = document.tags
        unknown = [tag for tag in tags or () if tag not in numbers]
        if unknown:
            hint = "" if split == NEW_ROWS else " All tags of a new model can be given in task.labels."
            raise DataError(
                f"task.tags: {row_of(row, split)} has the tag '{unknown[0]}', which is not one of "
                f"{', '.join(labels)}.{near(unknown[0], labels)}{hint}"
            )
        encoded.append([IGNORED] * document.words if tags is None else [numbers[tag] for tag in tags])
    return encoded


def weights_of(wanted: Any, labels: Sequence[str], encoded: Iterable[Sequence[int]]) -> Tensor | None:
    """The weights of `task.class_weights` by tag, in order; None for equal ones."""
    if wanted is None:  # most often: nothing is counted then
        return None
    flat = np.array([tag for tags in encoded for tag in tags if tag != IGNORED], dtype=int)
    words = np.bincount(flat, minlength=len(labels)).tolist()
    return class_weights(wanted, labels, dict(zip(labels, words, strict=True)), "Tags")
