"""Exact match and F1 of answers taken from a text, as SQuAD scores them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from hfft.metrics.weighing import Share, Weighted

ARTICLES = re.compile(r"\b(a|an|the)\b")

PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(text: str) -> str:
    """A text in lower case, without punctuation, English articles and further white space.

    As the evaluation script of Rajpurkar et al. 2016 (SQuAD 1.1) has it.
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(answer: str, reference: str) -> float:
    """1 where both are the same text once `normalized`, else 0."""
    return float(normalized(answer) == normalized(reference))


def word_f1(answer: str, reference: str) -> float:
    """The F1 of the words of an answer, as a bag; of a text without any word, 1 for the other without any, else 0."""
    mine, theirs = normalized(answer).split(), normalized(reference).split()
    if not mine or not theirs:
        return float(mine == theirs)
    same = sum((Counter(mine) & Counter(theirs)).values())
    return 2 * same / (len(mine) + len(theirs))


def answers_weighted(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Weighted:
    """`exact_match` and `f1`: the means over the answers, each with the reference that it fits best.

    Args:
        answers: Texts.
        references: Of each answer, the texts that are right: one or several.
    """
    pairs = list(zip(answers, references, strict=True))
    table = np.array([[max(score(a, text) for text in some) for score in SCORES.values()] for a, some in pairs])
    shares = {"exact_match": Share(float(table[:, 0].sum()), len(table))}
    return Weighted(len(table), partial(_means, table), shares, usual_bounds=(0.0, 1.0))


SCORES: dict[str, Callable[[str, str], float]] = {"exact_match": exact_match, "f1": word_f1}


def _means(table: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(SCORES, table.T @ weights / weights.sum(0), strict=True))
