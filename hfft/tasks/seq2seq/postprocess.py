"""Generated answers in words, and what people should know of them beside their scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from transformers import GenerationConfig

from hfft.data.checks import Finding, count_rows
from hfft.metrics.generation import copied, repeating
from hfft.metrics.rouge import unread
from hfft.metrics.scripts import CJK, PLAIN, bleu_tokenizer, unspaced
from hfft.tasks.seq2seq.generation import ends
from hfft.tasks.seq2seq.options import WritingOptions
from hfft.tasks.task import Answer, Notes

USE = """from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/model")
model = AutoModelForSeq2SeqLM.from_pretrained("path/to/model")
text = "..."
inputs = tokenizer({text}, return_tensors="pt")
{first}tokens = model.generate(**inputs)
tokenizer.decode(tokens[0], skip_special_tokens=True)"""

FIRST = """inputs["global_attention_mask"] = inputs["input_ids"].new_zeros(inputs["input_ids"].shape)
inputs["global_attention_mask"][:, 0] = 1
"""

FLAGS = {
    "empty": "have an empty answer",
    "cut off": "have an answer that ends where it may have no more tokens (task.max_target_length)",
    "copied": "have an answer that stands word for word in the source",
    "repeating": "have an answer that repeats itself",
    "common": "have an answer that other sources get too: the model may not look at what it is asked",
}

BY_SPACES = (PLAIN, "intl", "none")  # tokenizers of BLEU that want spaces between words


def unread_findings(split: str, targets: Sequence[str | None], options: WritingOptions) -> list[Finding]:
    """What there is to say of targets whose words a metric reads otherwise than those of English, or not at all."""
    total, found = len(targets), list[Finding]()
    if "rouge" in options.metrics:
        flags = (target is not None and unread(target) for target in targets)
        text = "have a target most of whose letters are not a to z, and ROUGE reads no others: take chrf"
        found += count_rows("unread", split, flags, total, text)
    texts = [target for target in targets if target is not None]
    language = unspaced(texts)
    if language is None:
        return found
    flags = [target is not None and unspaced([target]) is not None for target in targets]
    written = f"have a target in {language}, without spaces between words"
    if "bleu" in options.metrics:
        given, fitting = options.bleu_tokenize, bleu_tokenizer(texts)
        said = f"BLEU reads them by the tokenizer '{fitting}' (task.bleu_tokenize names another)"
        if given in BY_SPACES:
            said = f"task.bleu_tokenize '{given}' takes whole sentences for words: leave it out for '{fitting}'"
        if given is None or given in BY_SPACES:
            found += count_rows("unspaced", split, flags, total, f"{written}: {said}")
    if "ter" in options.metrics and language not in CJK:
        text = f"{written}, and TER takes whole sentences for words: take chrf"
        found += count_rows("unspaced", split, flags, total, text)
    return found


def in_words(
    answers: Sequence[Answer], sources: Sequence[str], tokenizer: Any, settings: GenerationConfig
) -> list[Answer]:
    """Puts token ids in words.

    Args:
        answers: With `tokens`.
        sources: What each answers.
        tokenizer: Decodes, without its special tokens.
        settings: Of the search.

    Returns:
        For each, `answer` (a text), `flags` (names of FLAGS that hold) and `tokens`.
    """
    decoded = tokenizer.batch_decode([answer["tokens"] for answer in answers], skip_special_tokens=True)
    texts = [text.strip() for text in decoded]
    given: dict[str, set[str]] = {}  # to which sources each answer
    for text, source in zip(texts, sources, strict=True):
        given.setdefault(text, set()).add(source)
    most = settings.max_new_tokens or (settings.max_length or 21) - 1  # without any, transformers writes 20
    forced = settings.forced_eos_token_id is not None  # then what is cut off has an end too, in the last place
    last, made = ends(settings), []
    for answer, source, text in zip(answers, sources, texts, strict=True):
        tokens = answer["tokens"]
        held = {
            "empty": not text,
            "cut off": not tokens or tokens[-1] not in last or (forced and len(tokens) >= most),
            "copied": copied(text, source),
            "repeating": repeating(text),
            "common": bool(text) and len(given[text]) > 1,
        }
        made.append({"answer": text, "flags": [name for name, holds in held.items() if holds], "tokens": tokens})
    return made


def notes(split: str, answers: Sequence[Answer], truths: Sequence[Any], facts: dict[str, Any]) -> Notes:
    """Counts the flags of a split's answers, and adds how long answers and truths are to the facts."""
    found: list[Finding] = []
    for flag, text in FLAGS.items():
        found += count_rows(flag, split, (flag in answer["flags"] for answer in answers), len(answers), text)
    first = (truth if isinstance(truth, str) else truth[0] for truth in truths)
    words = {"answers": _lengths(answer["answer"] for answer in answers), "truths": _lengths(first)}
    return Notes(found, {**facts, "words": words})


def usage(prefix: str, looks_from_the_first: bool) -> str:
    """How to ask the saved model with plain transformers, as Python code."""
    text = f"{prefix!r} + text" if prefix else "text"
    return USE.format(text=text, first=FIRST if looks_from_the_first else "")


def _lengths(texts: Iterable[str]) -> dict[str, float]:
    """How many words texts have: in the mean, in the median, at most."""
    counts = np.array([len(text.split()) for text in texts])
    return {"mean": float(counts.mean()), "median": float(np.median(counts)), "longest": int(counts.max())}
