"""Which tags there are, in which order, and what each weighs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from datasets import ClassLabel, Dataset
from torch import Tensor

from hfft.data.labels import choose_names
from hfft.data.tags import SchemeName, Span, in_order, scheme_of, tags_of_types, whole_scheme
from hfft.errors import DataError, near
from hfft.tasks.tagging.encoding import IGNORED
from hfft.tasks.tagging.options import Options
from hfft.tasks.tagging.reading import Columns, Documents, named_classes
from hfft.tasks.tagging.wording import Document
from hfft.tasks.targets.one_label import check_names


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
        DataError: The tags are of several schemes, not of the scheme wanted, or not those of the checkpoint.
    """
    classes = named_classes(rows, columns)
    if train.whole:
        scheme = options.scheme or scheme_of(options.labels or ["B-"])
        names = tags_of_types(classes or (span.label for spans in train.truths for span in _spans(spans)), scheme)
    else:
        names = classes or in_order(str(tag) for tags in train.truths for tag in tags or ())
        found = scheme_of([*names, *(options.labels or ())])
        scheme = options.scheme or found
        _require_scheme(names, found, scheme)
        if scheme == "BIO":
            names = whole_scheme(names) if classes else in_order(whole_scheme(names))
    if options.labels is None and checkpoint and set(names) < set(checkpoint):
        names = list(checkpoint)
    return choose_names(names, ClassLabel(names=names), options.labels, checkpoint), scheme


def _spans(truth: Any) -> list[Span]:
    return truth or []


def _require_scheme(names: Sequence[str], found: SchemeName, wanted: SchemeName) -> None:
    odd = [name for name in names if name.startswith("B-")] if wanted == "IO" else []
    if wanted == "BIO" and found == "IO":
        odd = [name for name in names if name != "O" and not name.startswith("I-")]
    if odd:
        raise DataError(
            f"task.scheme is {wanted}, but there are tags such as '{odd[0]}', which are {found}: leave task.scheme out."
        )


def encode_tags(
    documents: Sequence[Document], rows: Sequence[int], labels: Sequence[str], scheme: SchemeName, split: str
) -> list[list[int]]:
    """Numbers the tags of documents, a word each: IGNORED where none is known.

    Raises:
        DataError: A tag is not known; the message names it and its row, of `rows`.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    encoded = []
    for row, document in zip(rows, documents, strict=True):
        tags = document.tags(scheme)
        unknown = [tag for tag in tags or () if tag not in numbers]
        if unknown:
            raise DataError(
                f"task.tags: row {row} of the {split} split has the tag '{unknown[0]}', which is not one of "
                f"{', '.join(labels)}.{near(unknown[0], labels)} All tags of a new model can be given in task.labels."
            )
        encoded.append([IGNORED] * document.words if tags is None else [numbers[tag] for tag in tags])
    return encoded


def weights_of(wanted: Any, labels: Sequence[str], encoded: Iterable[Sequence[int]]) -> Tensor | None:
    """The weights of `task.class_weights` by tag, in order; None for equal ones."""
    if wanted is None:
        return None
    if wanted == "balanced":  # as scikit-learn's; a tag without a word in train has no say
        flat = np.array([tag for tags in encoded for tag in tags if tag != IGNORED])
        counts = np.bincount(flat, minlength=len(labels))
        return torch.tensor([len(flat) / (len(labels) * count) if count else 1.0 for count in counts.tolist()])
    check_names("task.class_weights", wanted, labels, "Tags that are not named weigh 1.")
    return torch.tensor([wanted.get(label, 1.0) for label in labels])
