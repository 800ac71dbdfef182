"""One label for each text: sentiment, topic, intent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from datasets import Dataset
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from hfft.backbone import Backbone
from hfft.data import checks
from hfft.data.labels import choose_names, encode, label_names
from hfft.data.loaders import Batch, Examples
from hfft.data.text import longest_input, pad, token_counts, tokenize
from hfft.errors import DataError, RecipeError, near
from hfft.metrics.classification import classification_intervals, classification_scores
from hfft.metrics.intervals import Intervals, Scores
from hfft.tasks.task import Answer, Prepared

CUT_SHARE = 0.01  # more cut texts than this share of a split are worth a warning


class Options(BaseModel):
    """Options of `text-classification`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(default="text", description="The column of the text.")
    label: str = Field(
        default="label", description="The column of the label: text, whole number, boolean or ClassLabel."
    )
    labels: list[str] | None = Field(default=None, description="The label names, in order. Default: found in the data.")
    max_length: Annotated[int, Field(ge=3)] | None = Field(
        default=None, description="Tokens a text is cut to. Default, and limit: what the model can take."
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        default=None, description="Weights by label name, or 'balanced': rows / (labels x rows of the label)."
    )


class TextClassification:
    """Cross entropy over labels (see `hfft.tasks.task.Task` for what each method promises)."""

    Options: ClassVar[type[BaseModel]] = Options
    lower_is_better: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options):
        self.options = options
        self.processor: Any = None
        self.labels: list[str] = []
        self.class_weights: Tensor | None = None

    def strata(self, train: Dataset) -> Sequence[Any] | None:
        checks.require_columns({"train": train}, {"task.label": self.options.label})
        return label_names(train, self.options.label, self.options.labels)

    def prepare(self, splits: Mapping[str, Dataset], backbone: Backbone) -> Prepared:
        options = self.options
        checks.require_rows(splits)
        checks.require_columns(splits, {"task.text": options.text, "task.label": options.label})
        checks.require_texts(splits, options.text, "task.text")
        names = {split: label_names(rows, options.label, options.labels) for split, rows in splits.items()}
        feature = splits["train"].features[options.label]
        self.labels = choose_names(names["train"], feature, options.labels, backbone.labels)
        self.processor = backbone.tokenizer()
        if self.processor.pad_token_id is None:  # GPT-like models were not made for batches of unlike lengths
            self.processor.pad_token = self.processor.eos_token
        prepared = Prepared({}, _text_findings(splits, names, options.text))
        for split, rows in splits.items():
            numbers = np.array(encode(names[split], self.labels, split))
            self._prepare_split(split, rows, numbers, backbone, prepared)
        train_rows = prepared.summary["train"]["labels"]
        self.class_weights = _class_weights(options.class_weights, self.labels, train_rows)
        return prepared

    def _prepare_split(
        self, split: str, rows: Dataset, numbers: np.ndarray, backbone: Backbone, prepared: Prepared
    ) -> None:
        """Tokenizes one split and puts it, its findings and its summary into `prepared`."""
        unlabelled = checks.count_rows("unlabelled", split, numbers < 0, len(rows), "have no label and are left out")
        ids = np.flatnonzero(numbers >= 0)
        if not len(ids):
            raise DataError(f"task.label: no row of the {split} split has a label in '{self.options.label}'.")
        kept = rows.select_columns(self.options.text).rename_columns({self.options.text: "text"}).select(ids)
        max_length = longest_input(self.processor, backbone.config, self.options.max_length)
        encoded, cut = tokenize(kept, self.processor, max_length)
        lengths = token_counts(encoded)
        cut_text = f"are cut to {max_length} tokens"
        cut_findings = checks.count_rows("cut", split, cut, len(ids), cut_text) if cut.mean() > CUT_SHARE else []
        counts, balance = checks.balance(split, (self.labels[n] for n in numbers[ids]), self.labels)
        prepared.splits[split] = Examples(encoded.add_column("labels", numbers[ids].tolist()), ids, lengths)
        prepared.findings.extend([*unlabelled, *cut_findings, *balance])
        prepared.summary[split] = {
            "rows": len(ids),
            "labels": counts,
            "tokens": {"median": float(np.median(lengths)), "longest": int(lengths.max())},
            "cut": int(cut.sum()),
        }

    def model(self, backbone: Backbone) -> tuple[PreTrainedModel, list[str]]:
        numbers = {label: number for number, label in enumerate(self.labels)}
        return backbone.load(
            AutoModelForSequenceClassification,
            num_labels=len(self.labels),
            id2label={number: label for label, number in numbers.items()},
            label2id=numbers,
            problem_type="single_label_classification",
            pad_token_id=self.processor.pad_token_id,
        )

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        return {**pad(rows, self.processor), "labels": torch.tensor([row["labels"] for row in rows])}

    def loss(self, model: Any, batch: Batch) -> Tensor:
        logits, labels = _logits(model, batch), batch["labels"]
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        return cross_entropy(logits, labels, weights, label_smoothing=self.options.label_smoothing)

    def weight(self, batch: Batch) -> float:
        # cross_entropy's mean divides by the sum of the targets' class weights
        labels = batch["labels"]
        return float(len(labels) if self.class_weights is None else self.class_weights[labels].sum())

    def answers(self, model: Any, batch: Batch) -> list[Answer]:
        rows = _logits(model, batch).softmax(-1).cpu()
        best = rows.argmax(-1).tolist()
        return [
            {"answer": self.labels[number], "score": row[number], "probabilities": row}
            for number, row in zip(best, rows.tolist(), strict=True)
        ]

    def truths(self, batch: Batch) -> list[str]:
        return [self.labels[number] for number in batch["labels"].tolist()]

    def decoded(self, batch: Batch) -> list[str]:
        texts = self.processor.batch_decode(batch["input_ids"])
        return [f"{truth}: {text}" for truth, text in zip(self.truths(batch), texts, strict=True)]

    def score(self, answers: Sequence[Answer], truths: Sequence[str]) -> Scores:
        return classification_scores(*_columns(answers, truths), self.labels)

    def intervals(self, answers: Sequence[Answer], truths: Sequence[str], confidence: float) -> Intervals:
        return classification_intervals(*_columns(answers, truths), self.labels, confidence)


def _logits(model: Any, batch: Batch) -> Tensor:
    """`(batch, labels)`, in float32 whatever the forward pass was computed in."""
    return model(**{name: tensor for name, tensor in batch.items() if name != "labels"}).logits.float()


def _columns(answers: Sequence[Answer], truths: Sequence[str]) -> tuple[list[str], Sequence[str], np.ndarray]:
    return [answer["answer"] for answer in answers], truths, np.array([answer["probabilities"] for answer in answers])


def _text_findings(
    splits: Mapping[str, Dataset], names: Mapping[str, Sequence[str | None]], column: str
) -> list[checks.Finding]:
    texts = {split: list(rows[column]) for split, rows in splits.items()}
    findings = []
    for split, values in texts.items():
        findings += checks.count_rows("empty", split, (not text.strip() for text in values), len(values), "are empty")
    findings += checks.repeated(texts, _folded)
    return findings + checks.contradictions(texts["train"], names["train"], _folded)


def _folded(text: str) -> str:
    """What makes two texts the same: their words, whatever case and spacing."""
    return " ".join(text.lower().split())


def _class_weights(
    wanted: Literal["balanced"] | dict[str, float] | None, labels: Sequence[str], rows: Mapping[str, int]
) -> Tensor | None:
    if wanted is None:
        return None
    if wanted == "balanced":  # as scikit-learn's; a label without a training row has no say
        total = sum(rows.values())
        return torch.tensor([total / (len(labels) * rows[label]) if rows[label] else 1.0 for label in labels])
    for name in wanted:
        if name not in labels:
            raise RecipeError(
                f"task.class_weights names '{name}', which is no label of the data.{near(name, labels)} "
                f"Labels: {', '.join(labels)}. Labels that are not named weigh 1."
            )
    return torch.tensor([wanted.get(label, 1.0) for label in labels])
