"""Exact match and F1 of answers taken from a text, as SQuAD scores them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

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


def answer_scores(answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """`(answers, 2)`: exact match and F1 of each answer with the reference that it fits best.

    Args:
        answers: Texts.
        references: Of each answer, the texts that are right: one or several.
    """
    return np.array(
        [
            [max(score(answer, reference) for reference in some) for score in (exact_match, word_f1)]
            for answer, some in zip(answers, references, strict=True)
        ]
    ).reshape(-1, 2)
