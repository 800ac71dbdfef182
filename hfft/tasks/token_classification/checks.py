"""Which documents of a split are examples, and what was found in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hfft.data import checks
from hfft.errors import DataError
from hfft.tasks.token_classification.documents import Truth
from hfft.tasks.token_classification.postprocess import Document
from hfft.tasks.token_classification.schemes import Span, SpansOf


def document_findings(documents: Mapping[str, Sequence[Any]], truths: Sequence[Truth]) -> list[checks.Finding]:
    """Counts documents that stand twice or contradict one another.

    Args:
        documents: By split, lists of words or whole texts.
        truths: Of the training documents.

    Raises:
        DataError: One split has whole texts, and another lists of words.
    """
    kinds = {split: isinstance(given[0], str) for split, given in documents.items()}
    for split, whole in kinds.items():
        if whole != kinds["train"]:
            names = ("lists of words", "whole texts")
            raise DataError(
                f"task.tokens: the train split has {names[kinds['train']]}, but the {split} split {names[whole]}."
            )
    known = [None if truth is None else tuple(truth) for truth in truths]
    return checks.repeated(documents, _folded) + checks.contradictions(documents["train"], known, _exact)


def _folded(document: Any) -> str:
    return checks.folded(document if isinstance(document, str) else " ".join(document))


def _exact(document: Any) -> Any:
    return document if isinstance(document, str) else tuple(document)


def encoded_findings(
    split: str, documents: Sequence[Document], seen: Sequence[int], rows: np.ndarray
) -> list[checks.Finding]:
    """Counts what the tokenizer shows: documents without words, words without tokens, spans that words do not give.

    Args:
        split: Its name.
        documents: The examples.
        seen: Of each, how many of its words have a token.
        rows: Of each, its number in the file.
    """
    left, unread = ("are left out",) * 2 if split == "train" else ("have an empty answer", "have answers of O alone")
    inexact = (
        "have a span that begins or ends inside a word, or overlaps or touches another: tags cannot say it exactly"
    )
    flags = {
        "empty": ([not found and not document.words for found, document in zip(seen, documents, strict=True)],
                  f"have no words and {left}"),
        "unread": ([not found and document.words > 0 for found, document in zip(seen, documents, strict=True)],
                   f"have words, of none of which the tokenizer makes a token, and {unread}"),
        "unseen": ([0 < found < document.words for found, document in zip(seen, documents, strict=True)],
                   "have a word of which the tokenizer makes no token, whose answer is O"),
        "inexact": ([document.inexact for document in documents], inexact),
    }  # fmt: skip
    return [
        finding
        for kind, (holds, text) in flags.items()
        for finding in checks.count_rows(kind, split, holds, len(rows), text, rows)
    ]


def summary(documents: Sequence[Document], windows: Sequence[int], spans_of: SpansOf) -> dict[str, Any]:
    """What there is to know of a split, as plain values: entities by type, words, documents in several windows."""
    kinds = Counter(span.label for document in documents for span in _entities(document.truth, spans_of))
    return {
        "words": sum(document.words for document in documents),
        "labels": dict(sorted(kinds.items())),
        "in_windows": sum(count > 1 for count in windows),
    }


def _entities(truth: Truth, spans_of: SpansOf) -> Iterable[Span]:
    if not truth:
        return []
    return [part for part in truth if isinstance(part, Span)] or spans_of([str(part) for part in truth])
