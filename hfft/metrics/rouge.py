"""ROUGE (Lin 2004) as rouge-score has it, measured once an example.

rouge-score knows the letters a to z and digits only: texts in other scripts score 0.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import numpy as np

from hfft.metrics.scripts import latin_share

READ = 0.5  # of the letters

NAMES = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def measure(answers: tuple[str, ...], references: tuple[tuple[str, ...], ...]) -> tuple[str, np.ndarray]:
    """The F1 of each example and score, and a 1 that counts the examples.

    Returns:
        A signature like sacrebleu's, and `(examples, 5)`.
    """
    from rouge_score.rouge_scorer import RougeScorer

    evaluator = RougeScorer(NAMES, tokenizer=_Stemmed())
    rows = []
    for answer, texts in zip(answers, references, strict=True):
        found = evaluator.score_multi(texts, answer)
        rows.append([*(found[name].fmeasure for name in NAMES), 1])
    numbers = {len(texts) for texts in references}
    number = numbers.pop() if len(numbers) == 1 else "var"
    signature = f"nrefs:{number}|refs:best-f1|stem:porter|lsum:lines|version:rouge-score-{version('rouge-score')}"
    return signature, np.array(rows, dtype=np.float64)


def combine(sums: np.ndarray) -> dict[str, np.ndarray]:
    """The mean over examples, from sums of `measure` over examples: `(5, resamples)`."""
    return dict(zip(NAMES, sums[:-1] / sums[-1], strict=True))


def unread(text: str) -> bool:
    """Whether a text has letters, most of which ROUGE does not read: of what is left, a year may be all."""
    return latin_share(text) < READ


class _Stemmed:
    """The words that rouge-score takes by default with its stemmer on; each is stemmed once, which halves the time."""

    def __init__(self):
        from nltk.stem.porter import PorterStemmer

        self.stem = cache(PorterStemmer().stem)

    def tokenize(self, text: str) -> list[str]:
        from rouge_score.tokenize import tokenize

        return tokenize(text, self)
