"""A tag for each word: names of persons and places, parts of speech, spans of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from datasets import Dataset
from pydantic import BaseModel
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForTokenClassification

from hfft.data import checks
from hfft.data.columns import with_column
from hfft.data.label_columns import Reading
from hfft.data.label_warnings import spelling_findings
from hfft.data.loaders import Batch, Examples
from hfft.data.tokenization import longest_input
from hfft.metrics.entities import entity_weighted
from hfft.metrics.weighing import Weighted
from hfft.models.pretrained import Pretrained, labels_of
from hfft.tasks.answers import Purpose
from hfft.tasks.task import IGNORED, Answer, Notes, Task
from hfft.tasks.token_classification import encoding, postprocess
from hfft.tasks.token_classification.checks import document_findings, encoded_findings, summary
from hfft.tasks.token_classification.documents import Columns, Documents, read_answered, read_documents, scheme_findings
from hfft.tasks.token_classification.labels import encode_tags, learn, scheme_of_model, weights_of
from hfft.tasks.token_classification.options import Options
from hfft.tasks.token_classification.postprocess import Document
from hfft.tasks.token_classification.schemes import SchemeName, Span, SpansOf, entities_of, how_read
from hfft.tasks.token_classification.words import READING

NOT_FOR_THE_MODEL = ("labels", "windows", "first", "word_count")

DOCUMENT = "document"  # the column of what was read


class TokenClassification(Task):
    """A classification head on each token of a text encoder (see `hfft.tasks.task.Task` for what methods promise)."""

    Options: ClassVar[type[BaseModel]] = Options
    auto_class = AutoModelForTokenClassification
    output = "spans"
    purpose = Purpose(
        "A tag for each word, or spans in a text: names, places, parts of speech.",
        "tokens (lists of words, or texts), tags (as many tags, or {start, end, label})",
        "task: {name: token-classification, tokens: words, tags: ner_tags}",
    )
    group_by_length = "micro"  # batches of like length were learnt worse: on WNUT17 they cost two points of entity F1
    streams = False
    for_answers: ClassVar[frozenset[str]] = frozenset({"places"})
    label_option = "tags"

    def __init__(self, options: Options):
        super().__init__(options)
        self.inputs = [options.tokens]
        self.columns = Columns(options.tokens, options.tags, options.labels)
        self.tags: list[str] = []
        self.scheme: SchemeName = "BIO"
        self.class_weights: Tensor | None = None

    def setup(self, pretrained: Pretrained) -> None:
        self.pretrained = pretrained  # its tokenizer is opened when it is known whether it reads words or texts

    def _open(self, words: bool) -> None:
        self.processor = encoding.open_tokenizer(self.pretrained, words)
        self.max_length = longest_input(self.processor, self.pretrained.config, self.options.max_length)
        self.processor.model_max_length = self.max_length  # plain transformers then cuts where we do
        self.cut = encoding.cut_of(self.processor, self.max_length, self.options.overlap)
        read = words or encoding.reads_words_as_texts(self.processor)
        self.usage = postprocess.usage(self.max_length, self.cut.overlap, read, self.tags)

    def read(self, rows: Dataset, split: str) -> Dataset:
        documents = read_documents(rows, split, self.columns)
        return Dataset.from_dict({DOCUMENT: documents.given})

    def labels(self, rows: Dataset, split: str) -> list[Any]:
        lacking = split != "train" and self.options.tags not in rows.column_names
        if lacking and self.options.unlabelled == "predict":
            return [None] * len(rows)
        return read_answered(rows, split, self.columns).truths

    def fit(self, rows: Dataset, labels: Sequence[Any], learnt: Sequence[bool], pretrained: Pretrained) -> None:
        whole = isinstance(rows[0][self.options.tokens], str)  # `read` has seen that all are alike
        train = Documents(whole, [], list(labels))
        self.tags, self.scheme = learn(self.options, train, rows, self.columns, pretrained.labels)
        self._open(words=not whole)

    def fit_examples(self, train: Examples) -> None:
        self.class_weights = weights_of(self.options.class_weights, self.tags, train.rows["tags"])

    def restore(self, pretrained: Pretrained) -> None:
        self.tags = labels_of(pretrained.config)
        self.columns = replace(self.columns, known=self.tags)
        self.scheme = scheme_of_model(self.tags, self.options.scheme, pretrained.name)
        self._open(words=False)  # the saved tokenizer is as training left it

    def strata(self, train: Dataset) -> Sequence[Any] | None:
        if self.options.labels:
            return None
        truths = self.labels(train, "train")
        return [[part.label if isinstance(part, Span) else part for part in truth or ()] for truth in truths]

    def preprocess(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        documents = batch[DOCUMENT]
        whole = isinstance(documents[0], str)
        return encoding.encode_documents(documents, whole, self.processor if whole else self._of_words, self.cut)

    @cached_property
    def _of_words(self) -> Any:
        """The tokenizer that reads lists of words: of a model that was trained on whole texts it may be another."""
        return encoding.for_words(self.processor, self.pretrained)

    def preprocess_settings(self) -> list[Any]:
        return [READING, self.cut.room, self.cut.overlap]

    def add_labels(self, rows: Dataset, labels: Sequence[Any], ids: np.ndarray, split: str) -> Dataset:
        documents = self._documents(rows, [labels[row] for row in ids.tolist()])
        return with_column(rows, "tags", encode_tags(documents, ids.tolist(), self.tags, split))

    def _documents(self, rows: Dataset, truths: Sequence[Any], given: Sequence[Any] | None = None) -> list[Document]:
        found = zip(rows["word_count"][:], rows["places"][:], truths, given or [None] * len(rows), strict=True)
        return [
            Document(words, None if places is None else [tuple(place) for place in places], truth, self.scheme, text)
            for words, places, truth, text in found
        ]

    def shown_labels(self, labels: Sequence[Any], rows: Dataset) -> Sequence[Any]:
        return [postprocess.plain_truth(truth) for truth in labels]

    def findings(self, inputs: Mapping[str, Dataset], labels: Sequence[Any]) -> list[checks.Finding]:
        return document_findings({split: rows[DOCUMENT][:] for split, rows in inputs.items()}, labels)

    def label_findings(self, rows: Dataset, split: str) -> list[checks.Finding]:
        column, reading = self.options.tags, Reading(known=(*(self.options.labels or ()), *self.columns.known))
        return spelling_findings(split, rows, column, reading) if column in rows.column_names else []

    def describe(
        self, split: str, inputs: Dataset, labels: Sequence[Any], examples: Examples
    ) -> tuple[dict[str, Any], list[checks.Finding]]:
        rows, ids = examples.rows, examples.ids
        documents = self._documents(rows, [labels[row] for row in ids.tolist()])
        seen = [len({word for window in windows for word in window} - {-1}) for windows in rows["word_of_piece"][:]]
        findings = scheme_findings(split, labels) if self.scheme == "BIO" and _are_words(inputs) else []
        findings += encoded_findings(split, documents, seen, ids)
        kept = [number for number, found in enumerate(seen) if found or split != "train"]
        windows = [len(row) for row in rows.select(kept)["input_ids"]]
        return summary([documents[number] for number in kept], windows, self._spans_of), findings

    def model_settings(self) -> dict[str, Any]:
        numbered = dict(enumerate(self.tags))
        named = {"id2label": numbered, "label2id": {tag: number for number, tag in numbered.items()}}
        return {"num_labels": len(numbered), **named, "pad_token_id": self.processor.pad_token_id}

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        inside = encoding.inside_tags(self.tags) if self.options.pieces == "all" else None
        counts = torch.tensor([row["word_count"] for row in rows])
        return {**encoding.pad_documents(rows, self.processor, inside), "word_count": counts}

    def logits(self, model: Any, batch: Batch) -> Tensor:
        """`(windows of all rows, length, tags)`, in float32 whatever the forward pass was computed in."""
        inputs = {name: tensor for name, tensor in batch.items() if name not in NOT_FOR_THE_MODEL}
        return model(**inputs).logits.float()

    def loss(self, model: Any, batch: Batch) -> Tensor:
        logits, labels = self.logits(model, batch).flatten(0, 1), batch["labels"].flatten()
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        smoothing: dict[str, Any] = {"label_smoothing": self.options.label_smoothing, "ignore_index": IGNORED}
        total = cross_entropy(logits, labels, weights, reduction="sum", **smoothing)
        return total / self._weight(labels).clamp(min=torch.finfo(total.dtype).tiny)  # 0 where nothing is learnt

    def weight(self, batch: Batch) -> float:
        return float(self._weight(batch["labels"]))

    def _weight(self, labels: Tensor) -> Tensor:
        learnt = labels != IGNORED
        if self.class_weights is None:
            return learnt.sum().float()
        return (self.class_weights.to(labels.device)[labels.clamp(min=0)] * learnt).sum()

    def predict(self, model: Any, batch: Batch) -> list[Answer]:
        return encoding.answers_of(self.logits(model, batch), batch)

    def postprocess(self, answers: Sequence[Answer], examples: Examples) -> list[Answer]:
        asked = self._documents(examples.rows, examples.labels, examples.inputs[DOCUMENT][:])
        found = zip(answers, asked, strict=True)
        return [postprocess.in_words(answer, document, self.tags, self._spans_of) for answer, document in found]

    def show(self, batch: Batch) -> list[str]:
        return encoding.shown(batch, self.processor, self.tags)

    def weighted(self, answers: Sequence[Answer], labels: Sequence[Any]) -> Weighted:
        counted = postprocess.counted(answers, labels, self.scheme, self._spans_of)
        found = entity_weighted(*counted)
        return replace(found, values=lambda weights: postprocess.telling(found.values(weights), self._spans_of))

    def notes(self, split: str, answers: Sequence[Answer], labels: Sequence[Any]) -> Notes:
        return postprocess.notes(split, answers, self.scheme) if self._spans_of is entities_of else Notes()

    @property
    def _spans_of(self) -> SpansOf:
        return how_read(self.tags, self.options.scheme)


def _are_words(inputs: Dataset) -> bool:
    return not isinstance(inputs[0][DOCUMENT], str)
