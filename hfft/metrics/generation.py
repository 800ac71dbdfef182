"""Scores of written answers, as rouge-score and sacrebleu define them, for many resamples at once.

Each of these scores follows from a few numbers an example, which are measured once and added up: the text of a resample
is never read again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Literal, get_args

import numpy as np

from hfft.errors import DataError, RecipeError, near
from hfft.metrics import bleu, rouge
from hfft.metrics.classification import quotient
from hfft.metrics.scripts import CJK, bleu_tokenizer, unspaced
from hfft.metrics.weighing import Weighted

GenerationMetric = Literal["rouge", "bleu", "chrf", "ter"]

BOUNDS = {
    **dict.fromkeys(("bleu", "chrf"), (0.0, 100.0)),
    **dict.fromkeys(("ter", "length_ratio"), (0.0, math.inf)),
}  # of ROUGE: 0 and 1

LONGEST_REPEATED = 8  # words

REPETITIONS = 4  # three in a row are still said on purpose: "no, no, no"

FEWEST_COPIED = 4  # words

References = tuple[tuple[str, ...], ...]  # of each example, one at least

Combine = Callable[[np.ndarray], dict[str, np.ndarray]]  # sums of `(numbers, resamples)` to values of `(resamples,)`


def generation_weighted(
    answers: Sequence[str], truths: Sequence[str | Sequence[str]], metrics: Sequence[str], tokenize: str | None = None
) -> Weighted:
    """The scores of each of `metrics`, and always `length_ratio`.

    - `rouge`: `rouge1`, `rouge2`, `rougeL` and `rougeLsum`, F1 of 0 to 1, the mean over examples (Lin 2004), with
      Porter's stemmer; for the last, sentences are lines. Of several references the best counts, for each score.
    - `bleu` (Papineni et al. 2002), `chrf` (chrF2, without words: Popović 2015) and `ter` (Snover et al. 2006, less is
      better): of the whole corpus, 0 to 100; `ter` may pass 100.
    - `length_ratio`: words of all answers by words of the references, of several the closest in length, and of two as
      close the shorter. Words are what white space parts, or letters where a language has no spaces between words.
      Left out where the references have none.

    Args:
        answers: Texts; one at least.
        truths: A reference for each answer, or several; their number may differ between answers.
        metrics: From `GenerationMetric`.
        tokenize: What parts words for BLEU, as sacrebleu names it: `13a`, `zh`, `char`, ...; None for what reads the
            references (see `hfft.metrics.scripts.bleu_tokenizer`).

    Raises:
        DataError: An answer has no reference.
        RecipeError: A metric or a tokenizer is unknown, or the tokenizer needs a package or file that is not there.
    """
    assert len(answers) == len(truths) > 0, f"{len(answers)} answers for {len(truths)} truths"
    texts, references = tuple(answers), _references(truths)
    parts: list[tuple[Combine, np.ndarray]] = []
    for name in metrics:
        _, statistics = _measured(_known(name), texts, references, tokenize)
        parts.append((rouge.combine if name == "rouge" else partial(bleu.combine, name), statistics))
    parts.append((_length_ratio, _lengths(texts, references)))
    return Weighted(len(texts), partial(_scores, parts), bounds=BOUNDS, usual_bounds=(0, 1))


def signatures(
    answers: Sequence[str], truths: Sequence[str | Sequence[str]], metrics: Sequence[str], tokenize: str | None = None
) -> dict[str, str]:
    """How each of `metrics` was computed, to be told beside its value: sacrebleu's signature; one like it for ROUGE.

    The number of references, `nrefs`, is part of it, or `var` where it differs between answers.
    """
    texts, references = tuple(answers), _references(truths)
    return {name: _measured(_known(name), texts, references, tokenize)[0] for name in metrics}


def repeating(text: str) -> bool:
    """Whether a text repeats itself: 1 to 8 words that stand four times in direct succession, whatever their case.

    Words are what white space parts, punctuation included: in scripts without spaces nothing is found.

    >>> repeating("the cat sat and sat and sat and sat and")
    True
    >>> repeating("no, no, no")
    False
    """
    words = text.casefold().split()
    for length in range(1, LONGEST_REPEATED + 1):
        same = 0  # words in succession that equal the one `length` before
        for earlier, word in zip(words, words[length:], strict=False):
            same = same + 1 if word == earlier else 0
            if same == length * (REPETITIONS - 1):
                return True
    return False


def copied(answer: str, source: str) -> bool:
    """Whether an answer stands word for word in its source, whatever case and spacing.

    Four words at least, or the whole source. Words are what white space parts, punctuation included.

    >>> copied("The cat sat  down", "And so the cat sat down.")
    False
    >>> copied("The cat sat  down.", "And so the cat sat down.")
    True
    """
    words, source_words = answer.casefold().split(), source.casefold().split()
    if len(words) < FEWEST_COPIED:
        return bool(words) and words == source_words
    return f" {' '.join(words)} " in f" {' '.join(source_words)} "


def _scores(parts: Sequence[tuple[Combine, np.ndarray]], counts: np.ndarray) -> dict[str, np.ndarray]:
    """All scores for weights of `(examples, resamples)`: arrays of `(resamples,)`."""
    scores = {}
    for combine, statistics in parts:
        scores |= combine(statistics.T @ counts)
    return scores


def _known(metric: str) -> str:
    names = get_args(GenerationMetric)
    if metric not in names:
        raise RecipeError(f"'{metric}' is no metric of written text.{near(metric, names)} Use {', '.join(names)}.")
    return metric


def _references(truths: Sequence[str | Sequence[str]]) -> References:
    rows = tuple((truth,) if isinstance(truth, str | None) else tuple(truth) for truth in truths)
    for number, row in enumerate(rows):
        if not row or not all(isinstance(text, str) for text in row):
            raise DataError(
                f"Example {number} (from 0) has the references {list(row)}; expected a text or a list of one or more. "
                "Leave the example out, or give it a reference."
            )
    return rows


@lru_cache(maxsize=len(get_args(GenerationMetric)))  # scores, resamples and signatures of one set follow one another
def _measured(
    metric: str, answers: tuple[str, ...], references: References, tokenize: str | None
) -> tuple[str, np.ndarray]:
    """The signature, and `(examples, numbers)`."""
    if metric == "rouge":
        return rouge.measure(answers, references)
    texts = [text for row in references for text in row]
    if metric == "ter":
        return bleu.measure_ter(answers, references, unspaced(texts) in CJK)
    return bleu.measure(metric, answers, references, tokenize or bleu_tokenizer(texts))


def _lengths(answers: tuple[str, ...], references: References) -> np.ndarray:
    """Words of each answer and of the reference closest in length, `(examples, 2)`; letters of unspaced languages."""
    spaced = unspaced(text for row in references for text in row) is None
    split = str.split if spaced else _letters
    rows = []
    for answer, texts in zip(answers, references, strict=True):
        words = len(split(answer))
        rows.append([words, min((len(split(text)) for text in texts), key=lambda n: (abs(n - words), n))])
    return np.array(rows, dtype=np.float64)


def _letters(text: str) -> list[str]:
    return [letter for letter in text if not letter.isspace()]


def _length_ratio(sums: np.ndarray) -> dict[str, np.ndarray]:
    answered, referred = sums
    return {"length_ratio": np.where(referred > 0, quotient(answered, referred), np.nan)}
