"""Any number of labels for each input, none included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from hfft.data import checks
from hfft.data.label_columns import Reading, label_sets
from hfft.data.label_values import Applying, unknown_of
from hfft.data.label_warnings import name_findings, spelling_findings
from hfft.data.labels import choose_names, encode_sets
from hfft.errors import DataError
from hfft.metrics.multi_label import best_threshold, multi_label_weighted
from hfft.metrics.weighing import Weighted
from hfft.models.heads import last_layer
from hfft.models.pretrained import Pretrained, head_is_new, labels_of
from hfft.tasks.problems.problem import Answer, MeanLoss, Output, ProblemName, ProblemOptions
from hfft.tasks.problems.single_label import LEAST, check_names, label_settings

UNDECIDED = 0.5  # the threshold until one is chosen


class MultiLabel(MeanLoss):
    """A sigmoid and binary cross entropy, or focal loss, for each label (see `Problem` for what methods promise).

    A label applies from its threshold on. `tune_threshold` chooses one for all labels, the one with the best
    macro F1 on the eval split, and the model's configuration keeps it.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"labels", "delimiter", "class_weights", "label_smoothing", "threshold"})
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy", "focal")
    name: ProblemName = "multi"
    output: ClassVar[Output] = "labels"

    def __init__(self, options: ProblemOptions):
        self.options = options
        self.reading = Reading()
        self.labels: list[str] = []
        self.class_weights: Tensor | None = None
        self.shares: Tensor | None = None  # of the rows that have each label, where the head is new
        self.tunes_threshold = options.threshold == "auto"
        self.fitted: dict[str, Any] = {}

    def look(self, train: Dataset) -> None:
        options = self.options
        self.reading = Reading.of_several_labels(train, options.columns, options.delimiter, options.labels)

    def read(self, rows: Dataset, split: str) -> list[list[str] | None]:
        return label_sets(rows, self.options.columns, self.options.delimiter, self.reading, split)

    def label_findings(self, rows: Dataset, split: str) -> list[checks.Finding]:
        column, delimiter = self.options.columns[0], self.options.delimiter
        if len(self.options.columns) > 1 or delimiter is not None:
            return []
        return spelling_findings(split, rows, column, self.reading)

    def learn(
        self,
        rows: Dataset,
        truths: Sequence[list[str] | None],
        pretrained: Pretrained,
        trained: Sequence[list[str] | None] | None = None,
    ) -> None:
        options, columns = self.options, self.options.columns
        flat = [name for names in truths for name in names or ()]
        feature = getattr(rows.features[columns[0]], "feature", None)
        given = options.labels or self.reading.marks or (columns if len(columns) > 1 else None)
        if options.labels is not None and len(columns) > 1 and set(options.labels) != set(columns):
            raise DataError(
                f"task.labels is {options.labels}, but the labels are the columns of task.label: {columns}."
            )
        self.labels = choose_names(flat, feature, given, pretrained.labels)
        labelled = [names for names in trained or truths if names is not None]
        if head_is_new(pretrained.labels, len(self.labels)):
            counts = _counts(labelled, self.labels)
            self.shares = torch.tensor([(with_it + 1) / (known + 2) for with_it, known in counts])
        self.class_weights = _positive_weights(options.class_weights, self.labels, labelled)
        self._set_threshold()

    def restore(self, config: Any) -> None:
        self.labels = labels_of(config)
        self.reading = Reading.of_model(self.labels, self.options.labels)
        self._set_threshold()
        kept = getattr(config, "threshold", None)
        if kept is not None and self.options.threshold == "auto":
            self.fitted = {"threshold": kept}

    def _set_threshold(self) -> None:
        wanted = self.options.threshold
        if isinstance(wanted, dict):
            check_names("task.threshold", wanted, self.labels, f"Labels that are not named have {UNDECIDED}.")
            wanted = {label: wanted.get(label, UNDECIDED) for label in self.labels}
        self.fitted = {"threshold": UNDECIDED if wanted == "auto" else wanted}

    def settings(self) -> dict[str, Any]:
        return label_settings(self.labels, "multi_label_classification")

    def encode(self, truths: Sequence[list[str] | None], split: str) -> list[list[int]]:
        return encode_sets(truths, self.labels, split)

    def summary(self, split: str, truths: Sequence[list[str]]) -> tuple[dict[str, Any], list[checks.Finding]]:
        counts, findings = checks.balance(split, (name for names in truths for name in names), self.labels)
        if split == "train":
            findings += name_findings(split, counts)
        text = "have marks that nobody knows, which count neither in the loss nor in the scores"
        findings += checks.count_rows("unknown-mark", split, map(bool, map(unknown_of, truths)), len(truths), text)
        if self.options.delimiter is not None:
            none = [not names for names in truths]
            findings += checks.count_rows(
                "no-label-applies", split, none, len(truths), "have an empty label: none applies"
            )
        mean = sum(map(len, truths)) / max(len(truths), 1)
        return {"labels": counts, "labels_per_row": mean}, findings

    def attach(self, model: Any) -> None:
        """Lets a new head start from how common each label is (Lin et al. 2017, section 4.1: a prior for rare labels).

        Else the first steps teach the whole model to say no to everything, and rare labels are learnt late or never.
        """
        last = last_layer(model, len(self.labels))
        if self.shares is not None and last.bias is not None:
            with torch.no_grad():
                last.bias.copy_(self.shares.logit())

    def tensor(self, encoded: Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(encoded)

    def each_loss(self, logits: Tensor, encoded: Tensor) -> Tensor:
        options, truth, known = self.options, encoded.clamp(min=0).to(logits.dtype), encoded >= 0
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        if options.loss is not None and options.loss.name == "focal":
            # Lin et al. 2017, equation 5, for each label by itself
            wrong = (truth - logits.sigmoid()).abs().clamp(min=LEAST)
            plain = binary_cross_entropy_with_logits(logits, truth, pos_weight=weights, reduction="none")
            return (wrong**options.loss.gamma * plain * known).mean(-1)
        smoothed = truth * (1 - options.label_smoothing) + options.label_smoothing / 2
        plain = binary_cross_entropy_with_logits(logits, smoothed, pos_weight=weights, reduction="none")
        return (plain * known).mean(-1)

    def each_weight(self, encoded: Tensor) -> Tensor:
        """The share of an example's marks that are known: the loss is a mean over all known marks of a batch."""
        return (encoded >= 0).float().mean(-1)

    def predict(self, logits: Tensor) -> list[Answer]:
        known = logits.where(logits.isfinite(), torch.nan)  # the sigmoid of infinity would pass for an answer
        return self._decided(known.sigmoid().cpu().tolist())

    def _decided(self, probabilities: Sequence[Sequence[float]]) -> list[Answer]:
        threshold = self.fitted["threshold"]
        each = [threshold[name] if isinstance(threshold, dict) else threshold for name in self.labels]
        return [
            {
                "answer": [name for name, p, least in zip(self.labels, row, each, strict=True) if p >= least],
                "probabilities": list(row),
            }
            for row in probabilities
        ]

    def truths(self, encoded: Tensor) -> list[list[str] | None]:
        return [self._named(row) for row in encoded.tolist()]

    def _named(self, marks: Sequence[int]) -> list[str] | None:
        applying, unknown = (
            [name for name, mark in zip(self.labels, marks, strict=True) if mark == wanted] for wanted in (1, -1)
        )
        return None if len(unknown) == len(marks) else Applying(applying, unknown) if unknown else applying

    def tune_threshold(self, answers: Sequence[Answer], truths: Sequence[list[str] | None]) -> list[Answer]:
        probabilities = [answer["probabilities"] for answer in answers]
        known = [row for row, names in enumerate(truths) if names is not None]
        if self.options.threshold == "auto" and known:
            sets = [truths[row] or [] for row in known]
            marks = self._indicators(sets), self._known(sets)
            self.fitted = {"threshold": best_threshold(np.array(probabilities)[known], *marks)}
        return self._decided(probabilities)

    def weighted(self, answers: Sequence[Answer], truths: Sequence[list[str]]) -> Weighted:
        return multi_label_weighted(*self._columns(answers, truths))

    def _columns(
        self, answers: Sequence[Answer], truths: Sequence[list[str]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, Sequence[str], np.ndarray]:
        given = self._indicators([answer["answer"] for answer in answers])
        probabilities = np.array([answer["probabilities"] for answer in answers])
        return given, self._indicators(truths), probabilities, self.labels, self._known(truths)

    def _known(self, truths: Sequence[Sequence[str]]) -> np.ndarray:
        """`(examples, labels)`, whether it is known that each label applies, or that it does not."""
        return ~self._indicators([unknown_of(truth) for truth in truths])

    def _indicators(self, sets: Sequence[Sequence[str]]) -> np.ndarray:
        """`(examples, labels)`, whether each label is in each set."""
        number = {label: index for index, label in enumerate(self.labels)}
        made = np.zeros((len(sets), len(self.labels)), dtype=bool)
        for row, names in enumerate(sets):
            made[row, [number[name] for name in names]] = True
        return made


def _counts(sets: Sequence[Sequence[str]], labels: Sequence[str]) -> list[tuple[int, int]]:
    """Of each label, in how many rows it applies, and of how many that is known."""
    applying = Counter(name for names in sets for name in names)
    unknown = Counter(name for names in sets for name in unknown_of(names))
    return [(applying[name], len(sets) - unknown[name]) for name in labels]


def _positive_weights(
    wanted: Literal["balanced"] | dict[str, float] | None, labels: Sequence[str], sets: Sequence[Sequence[str]]
) -> Tensor | None:
    """What the rows that have a label weigh beside those that have not."""
    if wanted is None:
        return None
    if wanted == "balanced":
        counts = _counts(sets, labels)
        return torch.tensor([(known - with_it) / with_it if with_it else 1.0 for with_it, known in counts])
    check_names("task.class_weights", wanted, labels, "Labels that are not named weigh 1.")
    return torch.tensor([wanted.get(label, 1.0) for label in labels])
