"""Which documents of a split are examples, and what was found in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hfft.data import checks
from hfft.data.tokenization import told_lengths
from hfft.errors import DataError
from hfft.tasks.token_classification.documents import Documents, Truth, scheme_findings
from hfft.tasks.token_classification.postprocess import Document
from hfft.tasks.token_classification.schemes import SchemeName, Span, SpansOf


def document_findings(read: Mapping[str, Documents], scheme: SchemeName) -> list[checks.Finding]:
    """Counts documents that stand twice or contradict one another, and tags that are no valid BIO."""
    inputs = {split: documents.given for split, documents in read.items()}
    findings = checks.repeated(inputs, _folded)
    truths = [None if truth is None else tuple(truth) for truth in read["train"].truths]
    findings += checks.contradictions(inputs["train"], truths, _exact)
    for split, documents in read.items():
        if not documents.whole and scheme == "BIO":
            findings += scheme_findings(split, documents.truths)
    return findings


def _folded(document: Any) -> str:
    return checks.folded(document if isinstance(document, str) else " ".join(document))


def _exact(document: Any) -> Any:
    return document if isinstance(document, str) else tuple(document)


def answered_rows(split: str, read: Documents, tags: str, predict: bool) -> tuple[np.ndarray, list[checks.Finding]]:
    """The numbers of the rows that are examples, and how many have no tags.

    Raises:
        DataError: There is no row.
    """
    without = np.array([truth is None for truth in read.truths])
    done = "are answered and not scored" if predict else "are left out"
    findings = checks.count_rows(checks.UNLABELLED, split, without, len(without), f"have no tags and {done}")
    rows = np.arange(len(without)) if predict else np.flatnonzero(~without)
    if not len(rows):
        hint = "" if split == "train" else " To have its rows answered: task.unlabelled=predict."
        raise DataError(f"task.tags: no row of the {split} split has any in the column '{tags}'.{hint}")
    return rows, findings


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


def summary(
    documents: Sequence[Document], windows: np.ndarray, lengths: np.ndarray, spans_of: SpansOf
) -> dict[str, Any]:
    """What there is to know of a split, as plain values: entities by type, words, tokens."""
    kinds = Counter(span.label for document in documents for span in _entities(document.truth, spans_of))
    return {
        "rows": len(documents),
        "words": sum(document.words for document in documents),
        "labels": dict(sorted(kinds.items())),
        "tokens": told_lengths(lengths),
        "in_windows": int((windows > 1).sum()),
    }


def _entities(truth: Truth, spans_of: SpansOf) -> Iterable[Span]:
    if not truth:
        return []
    return [part for part in truth if isinstance(part, Span)] or spans_of([str(part) for part in truth])
