"""Tiny models, tokenizers and data, made on the spot: one example for each task, for the laws to run on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tiny.answers import asked, long_contexts, question_answering
from tests.tiny.encoders import DEBERTA_3, bert, deberta, gpt2, modernbert, roberta, roberta_bytes
from tests.tiny.files import write_csv, write_json, write_jsonl
from tests.tiny.pictures import (
    conv,
    image_classification,
    image_folder,
    mixed_images,
    pictures,
    resized,
    write_pictures,
)
from tests.tiny.tags import long_documents, spanned_texts, spans, tagged_words, token_classification
from tests.tiny.texts import (
    decoder,
    labelled_texts,
    numbers,
    pairs,
    several_labels,
    signs,
    streaming,
    text_classification,
    unknown_marks,
    windows,
)
from tests.tiny.tokenizers import SPECIAL, tokenizer
from tests.tiny.vision import beit, convnext, deit, dinov2, efficientnet, mobilenet_v2, regnet, resnet, swin, vit
from tests.tiny.words import FILLERS, GERMAN, SIGNS
from tests.tiny.writers import bart, led, m2m100, marian, mbart, mbart50, mt5, nllb, pegasus, t5
from tests.tiny.writing import references, summaries, summarization, translation, translations, warm_start

TASKS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "text-classification": text_classification,
    "summarization": summarization,
    "translation": translation,
    "image-classification": image_classification,
    "token-classification": token_classification,
    "question-answering": question_answering,
}
"""A recipe for each task, as plain values, by the task's name; the function writes model and data into a folder."""

VARIANTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "pairs": pairs,
    "several-labels": several_labels,
    "unknown-marks": unknown_marks,
    "numbers": numbers,
    "windows": windows,
    "decoder": decoder,
    "streaming": streaming,
    "warm-start": warm_start,
    "references": references,
    "image-folder": image_folder,
    "mixed-images": mixed_images,
    "resized": resized,
    "conv": conv,
    "spans": spans,
    "long-documents": long_documents,
    "long-contexts": long_contexts,
}
"""Further shapes of these tasks, for which the laws hold too."""

EXAMPLES: dict[str, Callable[[Path], dict[str, Any]]] = {**TASKS, **VARIANTS}

__all__ = [
    "DEBERTA_3",
    "EXAMPLES",
    "FILLERS",
    "GERMAN",
    "SIGNS",
    "SPECIAL",
    "TASKS",
    "VARIANTS",
    "asked",
    "bart",
    "beit",
    "bert",
    "conv",
    "convnext",
    "deberta",
    "decoder",
    "deit",
    "dinov2",
    "efficientnet",
    "gpt2",
    "image_classification",
    "image_folder",
    "labelled_texts",
    "led",
    "long_documents",
    "m2m100",
    "marian",
    "mbart",
    "mbart50",
    "mixed_images",
    "mobilenet_v2",
    "modernbert",
    "mt5",
    "nllb",
    "numbers",
    "pairs",
    "pegasus",
    "pictures",
    "references",
    "regnet",
    "resized",
    "resnet",
    "roberta",
    "roberta_bytes",
    "several_labels",
    "signs",
    "spanned_texts",
    "spans",
    "streaming",
    "summaries",
    "summarization",
    "swin",
    "t5",
    "tagged_words",
    "text_classification",
    "token_classification",
    "tokenizer",
    "translation",
    "translations",
    "unknown_marks",
    "vit",
    "warm_start",
    "windows",
    "write_csv",
    "write_json",
    "write_jsonl",
    "write_pictures",
]
