"""One label for each input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from hfft.data import checks
from hfft.data.label_columns import Reading, label_names
from hfft.data.label_warnings import delimiter_findings, name_findings, spelling_findings
from hfft.data.labels import choose_names, encode
from hfft.errors import RecipeError, near
from hfft.metrics.classification import classification_weighted
from hfft.metrics.weighing import Weighted
from hfft.models.pretrained import Pretrained, labels_of
from hfft.tasks.problems.problem import Answer, MeanLoss, Output, ProblemName, ProblemOptions

LEAST = 1e-8  # of 1 - p in the focal loss, whose gradient at 0 is infinite for a gamma below 1


class SingleLabel(MeanLoss):
    """Softmax and cross entropy, or the focal loss (see `Problem` for what each method promises)."""

    uses: ClassVar[frozenset[str]] = frozenset({"labels", "class_weights", "label_smoothing"})
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy", "focal")
    name: ProblemName = "single"
    output: ClassVar[Output] = "label"

    def __init__(self, options: ProblemOptions):
        self.options = options
        self.column = options.columns[0]
        self.reading = Reading()
        self.labels: list[str] = []
        self.class_weights: Tensor | None = None
        self.fitted: dict[str, Any] = {}

    def look(self, train: Dataset) -> None:
        self.reading = Reading.of_one_label(train, self.column, self.options.labels)

    def read(self, rows: Dataset, split: str) -> list[str | None]:
        return label_names(rows, self.column, self.reading, split)

    def label_findings(self, rows: Dataset, split: str) -> list[checks.Finding]:
        return spelling_findings(split, rows, self.column, self.reading)

    def learn(
        self,
        rows: Dataset,
        truths: Sequence[str | None],
        pretrained: Pretrained,
        trained: Sequence[str | None] | None = None,
    ) -> None:
        self.labels = choose_names(truths, rows.features[self.column], self.options.labels, pretrained.labels)
        counts, _ = checks.balance("train", (name for name in trained or truths if name is not None), self.labels)
        self.class_weights = class_weights(self.options.class_weights, self.labels, counts)

    def restore(self, config: Any) -> None:
        self.labels = labels_of(config)
        self.reading = Reading.of_model(self.labels, self.options.labels)

    def settings(self) -> dict[str, Any]:
        return label_settings(self.labels, "single_label_classification")

    def encode(self, truths: Sequence[str | None], split: str) -> list[int]:
        return encode(truths, self.labels, split)

    def summary(self, split: str, truths: Sequence[str]) -> tuple[dict[str, Any], list[checks.Finding]]:
        counts, findings = checks.balance(split, truths, self.labels)
        if split == "train":
            findings += [*name_findings(split, counts), *delimiter_findings(split, truths)]
        return {"labels": counts}, findings

    def attach(self, model: Any) -> None:
        """Nothing to look for."""

    def tensor(self, encoded: Sequence[int]) -> Tensor:
        return torch.tensor(encoded)

    def each_loss(self, logits: Tensor, encoded: Tensor) -> Tensor:
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        if self.options.loss is not None and self.options.loss.name == "focal":
            return focal_loss(logits, encoded, weights, self.options.loss.gamma)
        smoothing = self.options.label_smoothing
        return cross_entropy(logits, encoded, weights, reduction="none", label_smoothing=smoothing)

    def each_weight(self, encoded: Tensor) -> Tensor:
        if self.class_weights is None:
            return super().each_weight(encoded)
        return self.class_weights.to(encoded.device)[encoded]

    def predict(self, logits: Tensor) -> list[Answer]:
        rows = logits.softmax(-1).cpu()
        best = rows.argmax(-1).tolist()
        return [
            {"answer": self.labels[number], "score": row[number], "probabilities": row}
            for number, row in zip(best, rows.tolist(), strict=True)
        ]

    def truths(self, encoded: Tensor) -> list[str | None]:
        return [self.labels[number] if number >= 0 else None for number in encoded.tolist()]

    def weighted(self, answers: Sequence[Answer], truths: Sequence[str]) -> Weighted:
        return classification_weighted(*_columns(answers, truths), self.labels)


def focal_loss(logits: Tensor, labels: Tensor, weights: Tensor | None, gamma: float) -> Tensor:
    """Cross entropy in which an example of probability p counts (1 - p)^gamma (Lin et al. 2017, equations 4 and 5).

    Gives `(batch,)`, each times its class weight, the paper's alpha.

    Args:
        logits: `(batch, labels)`.
        labels: `(batch,)`, whole numbers.
        weights: `(labels,)`, or None for equal ones.
        gamma: 0 is cross entropy.
    """
    log_p = log_softmax(logits, -1).gather(-1, labels[:, None])[:, 0]
    weight = torch.ones_like(log_p) if weights is None else weights[labels]
    return -weight * (1 - log_p.exp()).clamp(min=LEAST) ** gamma * log_p


def label_settings(labels: Sequence[str], problem_type: str) -> dict[str, Any]:
    """What a model's configuration says of labels."""
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        "problem_type": problem_type,
    }


def check_names(setting: str, wanted: Mapping[str, float], labels: Sequence[str], others: str) -> None:
    """Raises RecipeError where a setting by label name has a name that is no label.

    Args:
        setting: The setting, for the message.
        wanted: Values by label name.
        labels: All label names.
        others: What holds for labels that are not named.
    """
    for name in wanted:
        if name not in labels:
            raise RecipeError(
                f"{setting} names '{name}', which is no label of the data.{near(name, labels)} "
                f"Labels: {', '.join(labels)}. {others}"
            )


def _columns(answers: Sequence[Answer], truths: Sequence[str]) -> tuple[list[str], Sequence[str], np.ndarray]:
    return [answer["answer"] for answer in answers], truths, np.array([answer["probabilities"] for answer in answers])


def class_weights(
    wanted: Literal["balanced"] | dict[str, float] | None,
    labels: Sequence[str],
    rows: Mapping[str, int],
    kind: str = "Labels",
) -> Tensor | None:
    """The weights of `task.class_weights`, in the order of the labels; None for equal ones.

    Args:
        wanted: The setting.
        labels: The names.
        rows: Of each label in train; of a tag, its words.
        kind: What the labels are called.

    Raises:
        RecipeError: The setting names what is no label.
    """
    if wanted is None:
        return None
    if wanted == "balanced":  # as scikit-learn's; a label without a training row has no say
        total = sum(rows.values())
        return torch.tensor([total / (len(labels) * rows[label]) if rows[label] else 1.0 for label in labels])
    check_names("task.class_weights", wanted, labels, f"{kind} that are not named weigh 1.")
    return torch.tensor([wanted.get(label, 1.0) for label in labels])
