"""A tag for each word: names of persons and places, parts of speech, spans of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from datasets import Dataset
from pydantic import BaseModel
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForTokenClassification, PreTrainedModel

from hfft.data import checks
from hfft.data.label_columns import Reading
from hfft.data.label_warnings import spelling_findings
from hfft.data.labels import NEW_ROWS
from hfft.data.loaders import Batch, Examples
from hfft.data.tokenization import longest_input, token_counts
from hfft.errors import DataError
from hfft.metrics.entities import entity_scores, entity_weighted
from hfft.metrics.weighing import Scores, Weighted
from hfft.models.pretrained import Pretrained, labels_of
from hfft.tasks.task import Answer, Notes, Plain, Prepared
from hfft.tasks.token_classification import encoding
from hfft.tasks.token_classification import postprocess as wording
from hfft.tasks.token_classification.checks import answered_rows, document_findings, encoded_findings, summary
from hfft.tasks.token_classification.documents import Columns, Documents, read_answered, read_documents
from hfft.tasks.token_classification.encoding import IGNORED
from hfft.tasks.token_classification.labels import encode_tags, learn, scheme_of_model, weights_of
from hfft.tasks.token_classification.options import Options
from hfft.tasks.token_classification.schemes import SchemeName, Span, SpansOf, entities_of, how_read

NOT_FOR_THE_MODEL = ("labels", "windows", "first", "word_count")


class TokenClassification(Plain):
    """A classification head on each token of a text encoder (see `hfft.tasks.task.Task` for what methods promise)."""

    Options: ClassVar[type[BaseModel]] = Options
    usage = ""  # known when the model is

    def __init__(self, options: Options):
        super().__init__(options)
        self.columns = Columns(options.tokens, options.tags, options.labels)
        self.max_length = 0
        self.labels: list[str] = []
        self.scheme: SchemeName = "BIO"
        self.class_weights: Tensor | None = None

    @property
    def inputs(self) -> list[str]:
        return [self.options.tokens]

    def strata(self, train: Dataset) -> Sequence[Any] | None:
        if self.options.labels:
            return None
        truths = read_answered(train, "train", self.columns).truths
        return [[part.label if isinstance(part, Span) else part for part in truth or ()] for truth in truths]

    def prepare(self, splits: Mapping[str, Dataset], pretrained: Pretrained) -> Prepared:
        checks.require_rows(splits)
        read = {split: self._read(rows, split) for split, rows in splits.items()}
        whole = read["train"].whole
        for split, documents in read.items():
            if documents.whole != whole:
                kinds = ("whole texts", "lists of words") if whole else ("lists of words", "whole texts")
                raise DataError(f"task.tokens: the train split has {kinds[0]}, but the {split} split {kinds[1]}.")
        self.labels, self.scheme = learn(self.options, read["train"], splits["train"], self.columns, pretrained.labels)
        self._open(pretrained, whole)
        prepared = Prepared({}, document_findings(read, self.scheme))
        prepared.findings.extend(self._spelling(splits))
        for split, documents in read.items():
            self._put(split, documents, prepared, predict=split != "train" and self.options.unlabelled == "predict")
        self.class_weights = weights_of(self.options.class_weights, self.labels, prepared.splits["train"].rows["tags"])
        return prepared

    def reopen(self, pretrained: Pretrained) -> None:
        self.labels = labels_of(pretrained.config)
        self.columns = replace(self.columns, known=self.labels)
        self.scheme = scheme_of_model(self.labels, self.options.scheme, pretrained.name)
        self._open(pretrained, whole=True)  # the saved tokenizer is as training left it

    def questions(self, rows: Dataset, answered: bool) -> Prepared:
        if not len(rows):
            raise DataError("There are no rows to answer.")
        documents = self._read(rows, NEW_ROWS) if answered else read_documents(rows, NEW_ROWS, self.columns)
        prepared = Prepared({}, self._spelling({NEW_ROWS: rows}) if answered else [])
        self._put(NEW_ROWS, documents, prepared, not answered or self.options.unlabelled == "predict", keep=False)
        return prepared

    def _read(self, rows: Dataset, split: str) -> Documents:
        if self.options.unlabelled == "predict" and split != "train" and self.options.tags not in rows.column_names:
            return read_documents(rows, split, self.columns)
        return read_answered(rows, split, self.columns)

    def _spelling(self, splits: Mapping[str, Dataset]) -> list[checks.Finding]:
        column, reading = self.options.tags, Reading(known=(*(self.options.labels or ()), *self.columns.known))
        there = {split: rows for split, rows in splits.items() if column in rows.column_names}
        return [one for split, rows in there.items() for one in spelling_findings(split, rows, column, reading)]

    def _open(self, pretrained: Pretrained, whole: bool) -> None:
        self.pretrained = pretrained
        self.processor = encoding.open_tokenizer(pretrained, words=not whole)
        self.max_length = longest_input(self.processor, pretrained.config, self.options.max_length)
        self.processor.model_max_length = self.max_length  # plain transformers then cuts where we do
        self.cut = encoding.cut_of(self.processor, self.max_length, self.options.overlap)
        words = not whole or encoding.reads_words_as_texts(self.processor)
        self.usage = wording.usage(self.max_length, self.cut.overlap, words, self.labels)

    def _put(self, split: str, read: Documents, prepared: Prepared, predict: bool, keep: bool = True) -> None:
        """Encodes one split and puts it, its findings and its summary into `prepared`."""
        ids, findings = answered_rows(split, read, self.options.tags, predict)
        tokenizer = self.processor if read.whole else encoding.for_words(self.processor, self.pretrained)
        rows = encoding.encode_documents([read.given[row] for row in ids], read.whole, tokenizer, self.cut, keep)
        found = [[(start, end) for start, end in places] if read.whole else None for places in rows["places"]]
        documents = [
            wording.Document(read.given[row], places, read.truths[row], self.scheme)
            for row, places in zip(ids.tolist(), found, strict=True)
        ]
        seen = [len({word for window in windows for word in window} - {-1}) for windows in rows["word_of_piece"]]
        findings += encoded_findings(split, documents, seen, ids)
        columns = {
            "tags": encode_tags(documents, ids.tolist(), self.labels, split),
            "word_count": [document.words for document in documents],
        }
        for name, values in columns.items():
            rows = rows.add_column(name, values)
        kept = np.flatnonzero(seen) if split == "train" else np.arange(len(ids))
        if not len(kept):
            raise DataError(f"task.tokens: the tokenizer makes no token of any word of the {split} split.")
        rows = rows.remove_columns("places").select(kept)
        lengths, windows = token_counts(rows), np.array([len(parts) for parts in rows["input_ids"]])
        # Batches of like length were learnt worse: on WNUT17 they cost two points of entity F1.
        learnt = [documents[row] for row in kept]
        labels = [document.raw_truth for document in learnt]
        prepared.splits[split] = Examples(rows, ids[kept], lengths, alike=False, labels=labels, inputs=learnt)
        prepared.findings.extend(findings)
        prepared.summary[split] = summary(learnt, windows, lengths, self._spans_of)

    def model(self, pretrained: Pretrained) -> tuple[PreTrainedModel, list[str]]:
        numbered = dict(enumerate(self.labels))
        settings = {"num_labels": len(numbered), "id2label": numbered, "label2id": {v: k for k, v in numbered.items()}}
        pad = self.processor.pad_token_id
        return pretrained.load(AutoModelForTokenClassification, **settings, pad_token_id=pad)

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        inside = encoding.inside_tags(self.labels) if self.options.pieces == "all" else None
        counts = torch.tensor([row["word_count"] for row in rows])
        return {**encoding.pad_documents(rows, self.processor, inside), "word_count": counts}

    def loss(self, model: Any, batch: Batch) -> Tensor:
        logits, labels = _logits(model, batch).flatten(0, 1), batch["labels"].flatten()
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
        return encoding.answers_of(_logits(model, batch), batch)

    def postprocess(self, answers: Sequence[Answer], examples: Examples) -> list[Answer]:
        asked = zip(answers, examples.inputs, strict=True)
        return [wording.in_words(answer, document, self.labels, self._spans_of) for answer, document in asked]

    def show(self, batch: Batch) -> list[str]:
        return encoding.shown(batch, self.processor, self.labels)

    def score(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Scores:
        counted = wording.counted(answers, truths, self.scheme, self._spans_of)
        return wording.telling(entity_scores(*counted), self._spans_of)

    def weighted(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Weighted:
        counted = wording.counted(answers, truths, self.scheme, self._spans_of)
        found = entity_weighted(*counted)
        return replace(found, values=lambda weights: wording.telling(found.values(weights), self._spans_of))

    def notes(self, split: str, answers: Sequence[Answer], truths: Sequence[Any]) -> Notes:
        return wording.notes(split, answers, self.scheme) if self._spans_of is entities_of else Notes()

    @property
    def _spans_of(self) -> SpansOf:
        return how_read(self.labels, self.options.scheme)


def _logits(model: Any, batch: Batch) -> Tensor:
    """`(windows of all rows, length, tags)`, in float32 whatever the forward pass was computed in."""
    return model(**{name: tensor for name, tensor in batch.items() if name not in NOT_FOR_THE_MODEL}).logits.float()
