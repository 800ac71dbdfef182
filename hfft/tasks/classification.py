"""The half of a task that depends on what is asked of the model, and not on what the model reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel

from hfft.data import checks
from hfft.data.columns import chosen
from hfft.data.loaders import Batch, Examples
from hfft.data.streaming import require_known_labels
from hfft.data.tokenization import pad
from hfft.metrics.weighing import Weighted
from hfft.models.pretrained import Pretrained
from hfft.tasks.answers import Output
from hfft.tasks.problems import problem_of_data, problem_of_model
from hfft.tasks.problems.problem import Problem
from hfft.tasks.task import Answer, Task


class Classification(Task):
    """Asks one label, several labels or numbers of a model with a head on its encoder, be it of texts or of images.

    What is left to the task: reading its inputs, making batches of them, and `logits`. A batch has the encoded labels
    as `labels`; where examples were mixed, those of their partners as `partner_labels`, and in `shares` how much of
    each example is its own.
    """

    problem: Problem

    @property
    def output(self) -> Output:  # type: ignore[override]
        return self.problem.output

    @property
    def tunes_threshold(self) -> bool:  # type: ignore[override]
        return self.problem.tunes_threshold

    @property
    def fitted(self) -> dict[str, Any]:  # type: ignore[override]
        return self.problem.fitted

    @property
    def label_columns(self) -> dict[str, list[str]]:
        """The columns of the label, by their setting."""
        return {"task.label": self.options.columns}

    @property
    def number_columns(self) -> list[str]:
        options = self.options
        named = options.problem not in (None, "regression") or options.delimiter or options.labels
        return [] if named else options.columns

    def look(self, train: Dataset) -> None:
        checks.require_columns({"train": train}, self.label_columns)
        self.problem = problem_of_data(self.options, train)

    def labels(self, rows: Dataset, split: str) -> list[Any]:
        if self.options.unlabelled == "predict" and not any(name in rows.column_names for name in self.options.columns):
            return [None] * len(rows)
        checks.require_columns({split: rows}, self.label_columns)
        return self.problem.read(rows, split)

    def label_findings(self, rows: Dataset, split: str) -> list[checks.Finding]:
        there = all(name in rows.column_names for name in self.options.columns)
        return self.problem.label_findings(rows, split) if there else []

    def fit(self, rows: Dataset, labels: Sequence[Any], learnt: Sequence[bool], pretrained: Pretrained) -> None:
        trained = [label if known else None for label, known in zip(labels, learnt, strict=True)]
        self.problem.learn(rows, labels, pretrained, trained)

    def restore(self, pretrained: Pretrained) -> None:
        self.problem = problem_of_model(self.options, pretrained)

    def strata(self, train: Dataset) -> Sequence[Any] | None:
        self.look(train)
        kind = self.problem.name
        if kind == "regression" or (kind == "multi" and self.options.labels):
            return None  # with all labels known, a row may be held out that is the only one of its label
        return self.problem.read(train, "train")

    def check_stream(self, first: Dataset) -> list[checks.Finding]:
        checks.require_columns({"train": first}, self.label_columns)
        if problem_of_data(self.options, first).name == "regression":
            text = "give the mean and the spread by which the numbers are scaled, for the whole stream is not known"
            return [checks.Finding("scale", "train", len(first), len(first), text)]
        require_known_labels(first, self.options.columns, self.options.labels, self.options.class_weights)
        return []

    def encode_labels(self, labels: Sequence[Any], split: str) -> Sequence[Any]:
        return self.problem.encode(labels, split)

    def shown_labels(self, labels: Sequence[Any], rows: Dataset) -> Sequence[Any]:
        return self.problem.truths(self.problem.tensor(rows["labels"][:]))

    def describe(
        self, split: str, inputs: Dataset, labels: Sequence[Any], examples: Examples
    ) -> tuple[dict[str, Any], list[checks.Finding]]:
        known = [label for label in chosen(labels, examples.ids) if label is not None]
        told, findings = self.problem.summary(split, known) if known else ({}, [])
        return {"problem": self.problem.name, **told}, findings

    def model(self, pretrained: Pretrained) -> tuple[PreTrainedModel, list[str]]:
        settings = {**self.problem.settings(), **self.model_settings()}
        model, new = pretrained.load(self.auto_class, **settings)
        self.problem.attach(model)
        return model, new

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        return {**pad(rows, self.processor), "labels": self.problem.tensor([row["labels"] for row in rows])}

    def loss(self, model: Any, batch: Batch) -> Tensor:
        logits = self.logits(model, batch)
        if "shares" not in batch:
            return self.problem.loss(logits, batch["labels"])
        return self.problem.loss(torch.cat([logits, logits]), *_both(batch))

    def weight(self, batch: Batch) -> float:
        return self.problem.weight(*_both(batch)) if "shares" in batch else self.problem.weight(batch["labels"])

    def predict(self, model: Any, batch: Batch) -> list[Answer]:
        return self.problem.predict(self.logits(model, batch))

    def show(self, batch: Batch) -> list[str]:
        labels = self.problem.truths(batch["labels"])
        return [f"{label}: {text}" for label, text in zip(labels, super().show(batch), strict=True)]

    def tune_threshold(self, answers: Sequence[Answer], labels: Sequence[Any]) -> list[Answer]:
        return self.problem.tune_threshold(answers, labels)

    def fuse_scale(self, model: Any) -> None:
        self.problem.fuse_scale(model)

    def weighted(self, answers: Sequence[Answer], labels: Sequence[Any]) -> Weighted:
        return self.problem.weighted(answers, labels)


def _both(batch: Batch) -> tuple[Tensor, Tensor]:
    """The truths of mixed examples and of their partners, one below the other, and how much each counts.

    A loss that is a weighted sum of the two is that of the mixed truth (Zhang et al. 2018, section 2), up to what does
    not depend on the model.
    """
    truths = torch.cat([batch["labels"], batch["partner_labels"]])
    return truths, torch.cat([batch["shares"], 1 - batch["shares"]])
