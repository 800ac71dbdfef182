"""What the report shows of answers that are texts: how long they are, what each is worth, and some side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hfft.errors import RecipeError
from hfft.metrics.answers import word_f1
from hfft.metrics.bleu import bleu_scorer
from hfft.metrics.scripts import bleu_tokenizer
from hfft.reports.examples import SHOWN, TEXTS, drawn, example, gallery, histogram
from hfft.reports.html.numbers import score_text
from hfft.reports.in_short import said, share
from hfft.reports.predictions import About, Predictions

SCORED = 2000  # single answers, at most: ROUGE takes a millisecond each

BINS = 20

WORST, BEST = "Worst answers", "Best answers"

SPACED = 15  # characters a word beyond which texts are taken to have no spaces between words

Scored = Callable[[str, Sequence[str]], float]

MOST = {"BLEU": 100.0, "chrF": 100.0, "ROUGE-L": 1.0, "F1": 1.0}

FLAGGED = {"copied": "copied from the source", "repeating": "repeats itself", "common": "given to other sources too"}
"""What flags of answers say; the others are words already."""


def writing_facts(found: Predictions, about: About) -> dict[str, Any]:
    """Lengths, the worth of single answers, and the worst, middling and best of them."""
    references = [_references(row["truth"]) for row in found.rows]
    exact = sum(answer in texts for answer, texts in zip(found.answers, references, strict=True))
    made: dict[str, Any] = {
        "in_short": share(exact, len(references), "answers", "is exactly right", "are exactly right", BEST),
        "distributions": [_lengths(found.answers, [texts[0] for texts in references])],
    }
    known = single_score(about, [text for texts in references for text in texts])
    if known is None:
        return made
    name, score = known
    some = drawn(len(found.rows), SCORED)
    values = np.array([score(found.answers[row], references[row]) for row in some.tolist()])
    values = np.minimum(values, MOST[name])  # sacrebleu's best is 100 and a rounding error
    edges = np.linspace(0, MOST[name], BINS + 1)
    counts = np.histogram(values, edges)[0].tolist()
    shown = {"name": f"{name} of single answers", "unit": name, "edges": edges.tolist()}
    shown["series"] = [{"name": "answers", "counts": counts}]
    part = f" Of {len(found.rows)} answers {SCORED} were drawn and measured." if len(some) < len(found.rows) else ""
    made["distributions"].append({**shown, **({"note": part.strip()} if part else {})})
    low, half = np.quantile(values, (0.1, 0.5))
    more = f", half of them {score_text(half, 2)} or less" if half < MOST[name] else ""
    if low < MOST[name]:
        made["in_short"].append(said(f"One answer in ten has a {name} of {score_text(low, 2)} or less{more}.", WORST))
    return {**made, "galleries": _galleries(found, some, values, name, part)}


def single_score(about: About, references: Sequence[str]) -> tuple[str, Scored] | None:
    """What a single answer is measured by, and its name: ROUGE-L, BLEU, chrF or F1, the first that the task has.

    The one by which the weights were chosen comes before the others.

    Args:
        about: The run.
        references: What was to be written: BLEU takes the tokenizer that reads them, unless one is named.
    """
    wanted = about.options.get("metrics") or ["f1"]
    order = sorted(MADE, key=lambda metric: not (about.watched or "").startswith(metric))
    found = (MADE[metric](about, references) for metric in order if metric in wanted)
    return next((made for made in found if made is not None), None)


def _bleu(about: About, references: Sequence[str]) -> tuple[str, Scored] | None:
    """BLEU of a sentence, over the n-grams that it is long enough for: sacrebleu's `effective_order`."""
    from sacrebleu.metrics.bleu import BLEU

    tokenize = about.options.get("bleu_tokenize") or bleu_tokenizer(references)
    try:
        bleu_scorer(tokenize)
    except RecipeError:  # the run was made where its package is installed
        return None
    evaluator = BLEU(tokenize=tokenize, effective_order=True)
    return "BLEU", lambda answer, references: evaluator.sentence_score(answer, references).score


def _chrf(about: About, references: Sequence[str]) -> tuple[str, Scored]:
    from sacrebleu.metrics.chrf import CHRF

    evaluator = CHRF()
    return "chrF", lambda answer, references: evaluator.sentence_score(answer, references).score


def _rouge(about: About, references: Sequence[str]) -> tuple[str, Scored]:
    from rouge_score.rouge_scorer import RougeScorer

    evaluator = RougeScorer(["rougeL"], use_stemmer=True)
    return "ROUGE-L", lambda answer, references: evaluator.score_multi(references, answer)["rougeL"].fmeasure


def _f1(about: About, references: Sequence[str]) -> tuple[str, Scored]:
    return "F1", lambda answer, references: max(word_f1(answer, reference) for reference in references)


MADE: dict[str, Callable[[About, Sequence[str]], tuple[str, Scored] | None]] = {
    "rouge": _rouge,
    "bleu": _bleu,
    "chrf": _chrf,
    "f1": _f1,
}


def _galleries(found: Predictions, some: np.ndarray, values: np.ndarray, name: str, part: str) -> list[Any]:
    order = np.argsort(values, kind="stable")
    middle = max((len(order) - SHOWN) // 2, 0)
    parts = (
        (WORST, "lowest", order[:SHOWN]),
        ("Middling answers", "middle", order[middle : middle + SHOWN]),
        (BEST, "highest", order[::-1][:SHOWN]),
    )
    made, seen = [], set()
    for title, place, rows in parts:
        fresh = [row for row in rows.tolist() if row not in seen]  # of few answers one is the worst and the best
        seen.update(fresh)
        examples = [_example(found.rows[some[row]], name, float(values[row])) for row in fresh]
        note = f"By {name} of the answer alone, the {place} of all.{part}"
        made += gallery(title, note, "writing", examples, open=title == WORST)
    return made


def _example(row: dict[str, Any], name: str, value: float) -> dict[str, Any]:
    texts = _references(row["truth"])
    shown = row if len(texts) <= TEXTS else {**row, "truth": texts[:TEXTS]}
    flags = ", ".join(FLAGGED.get(flag, str(flag)) for flag in row.get("flags") or ())
    return example(shown, scores={name: value}, note=flags or None)


def _lengths(answers: Sequence[str], truths: Sequence[str]) -> dict[str, Any]:
    """How long answers and first references are: in words, or in characters where texts have no spaces."""
    words = sum(len(text.split()) for text in truths)
    spaced = sum(map(len, truths)) <= SPACED * max(words, 1)
    count: Callable[[str], int] = (lambda text: len(text.split())) if spaced else len
    columns = {"answers": [count(text) for text in answers], "right answers": [count(text) for text in truths]}
    unit = "words" if spaced else "characters"
    return {"name": "Length of answers", "unit": unit, **histogram(columns, BINS, whole=True)}


def _references(truth: Any) -> list[str]:
    return [truth] if isinstance(truth, str) else [str(text) for text in truth]
