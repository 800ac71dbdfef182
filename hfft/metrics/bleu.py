"""BLEU, chrF and TER as sacrebleu has them, measured once an example and computed for many sums at once."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from hfft.errors import RecipeError, near
from hfft.metrics.classification import quotient

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric
    from sacrebleu.metrics.bleu import BLEU

PLAIN_TOKENIZERS = "13a, intl, zh, char, none"  # those that need neither package nor file


def bleu_scorer(tokenize: str) -> BLEU:
    """Sacrebleu's BLEU with this tokenizer; made early, it shows before a training that the tokenizer is there.

    Raises:
        RecipeError: There is none of this name, or it needs a package or a file that is not there.
    """
    from sacrebleu.metrics.bleu import BLEU

    if tokenize not in BLEU.TOKENIZERS:
        known = ", ".join(BLEU.TOKENIZERS)
        raise RecipeError(
            f"task.bleu_tokenize is {tokenize!r}, which sacrebleu does not know.{near(tokenize, BLEU.TOKENIZERS)} "
            f"Use one of {known}."
        )
    try:
        return BLEU(tokenize=tokenize)
    except (RuntimeError, ImportError) as error:
        package = {"ja-mecab": "sacrebleu[ja]", "ko-mecab": "sacrebleu[ko]"}.get(tokenize, "sentencepiece")
        raise RecipeError(
            f"task.bleu_tokenize is '{tokenize}', which needs a package that is not installed: "
            f"pip install '{package}', or use one that needs none: {PLAIN_TOKENIZERS}."
        ) from error
    except OSError as error:
        raise RecipeError(
            f"task.bleu_tokenize is '{tokenize}', whose model sacrebleu could not download ({error}): run once with "
            f"network, or use one that needs no model: {PLAIN_TOKENIZERS}."
        ) from error


def measure(
    metric: str, answers: tuple[str, ...], references: tuple[tuple[str, ...], ...], tokenize: str
) -> tuple[str, np.ndarray]:
    """What `bleu` or `chrf` needs to know of each example, to be added up and given to `combine`.

    Returns:
        sacrebleu's signature, and `(examples, numbers)`.

    Raises:
        RecipeError: From `bleu_scorer`, for `bleu`.
    """
    from sacrebleu.metrics.chrf import CHRF

    return _measured(bleu_scorer(tokenize) if metric == "bleu" else CHRF(), answers, references)


def measure_ter(
    answers: tuple[str, ...], references: tuple[tuple[str, ...], ...], asian: bool
) -> tuple[str, np.ndarray]:
    """The same for `ter`.

    Args:
        answers: Texts.
        references: Of each.
        asian: Whether Chinese characters and the like are words of their own, as sacrebleu parts them.
    """
    from sacrebleu.metrics.ter import TER

    return _measured(TER(normalized=asian, asian_support=asian), answers, references)


def _measured(
    evaluator: Metric, answers: tuple[str, ...], references: tuple[tuple[str, ...], ...]
) -> tuple[str, np.ndarray]:
    streams = list(zip_longest(*references))  # None, not "", is a reference that is not there
    # Not public, but what sacrebleu's own bootstrap adds up: `corpus_score` for each resample would read every text a
    # thousand times. The version is bounded below 3 for it.
    statistics = evaluator._extract_corpus_statistics(answers, streams)
    return evaluator.get_signature().format(), np.array(statistics, dtype=np.float64)


def combine(metric: str, sums: np.ndarray) -> dict[str, np.ndarray]:
    """The values of `bleu`, `chrf` or `ter`, `(resamples,)`, from sums of `measure`: `(numbers, resamples)`."""
    return {metric: {"bleu": _bleu, "chrf": _chrf, "ter": _ter}[metric](sums)}


def _bleu(sums: np.ndarray) -> np.ndarray:
    """BLEU with exponential smoothing (Chen and Cherry 2014, method 3), as sacrebleu's `compute_bleu` has it.

    Args:
        sums: `(10, resamples)`: words of answers and of references; n-grams found, of 1 to 4 words; n-grams in all.
    """
    answered, referred, found, total = sums[0], sums[1], sums[2:6], sums[6:]
    # The first length of which none is found counts as half an n-gram, the next as a quarter, ...
    precision = 100 * quotient(np.where(found == 0, 0.5 ** np.cumsum(found == 0, axis=0), found), total)
    positive = found.any(0) & total.all(0)
    brevity = np.exp(np.minimum(0, 1 - quotient(referred, answered)))
    return np.where(positive, brevity * np.exp(np.log(np.where(positive, precision, 1)).mean(0)), 0)


def _chrf(sums: np.ndarray) -> np.ndarray:
    """The F-score, recall counting twice as much, of precision and recall, each a mean over lengths that occur.

    Args:
        sums: `(18, resamples)`: for n-grams of 1 to 6 characters, those in answers, in references, in both.
    """
    answered, referred, both = sums[0::3], sums[1::3], sums[2::3]
    orders = ((answered > 0) & (referred > 0)).sum(0)
    precision = quotient(quotient(both, answered).sum(0), orders)
    recall = quotient(quotient(both, referred).sum(0), orders)
    return 100 * quotient(5 * precision * recall, 4 * precision + recall)


def _ter(sums: np.ndarray) -> np.ndarray:
    """Edits by words of references; where these have none, any edit counts as 100."""
    edits, words = sums
    return 100 * np.where(words > 0, quotient(edits, words), edits > 0)
