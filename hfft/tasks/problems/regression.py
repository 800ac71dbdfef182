"""One or several numbers for each input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.nn.functional import huber_loss, mse_loss

from hfft.data import checks
from hfft.data.labels import read_numbers
from hfft.errors import DataError
from hfft.metrics.regression import regression_weighted
from hfft.metrics.weighing import Weighted
from hfft.models.heads import last_layer
from hfft.models.pretrained import Pretrained, head_is_new, labels_of
from hfft.tasks.problems.problem import Answer, MeanLoss, Output, ProblemName, ProblemOptions
from hfft.tasks.problems.single_label import label_settings


class Regression(MeanLoss):
    """The squared loss, or Huber's (1964), of standardized numbers (see `Problem` for what methods promise).

    A head starts near 0 and moves by small steps, so it would take for ever to reach prices in the thousands: the model
    learns numbers less their mean, over their standard deviation, and at the end both go into its last layer. A trained
    head, which speaks in the data's own units, has them taken out of its last layer first: it goes on as it began.
    """

    uses: ClassVar[frozenset[str]] = frozenset()
    losses: ClassVar[tuple[str, ...]] = ("squared", "huber")
    name: ProblemName = "regression"
    output: ClassVar[Output] = "numbers"

    def __init__(self, options: ProblemOptions):
        self.options = options
        self.names: list[str] = []
        self.mean = self.spread = torch.zeros(0, dtype=torch.float64)
        self.trained = False  # whether the checkpoint has a head
        self.fitted: dict[str, Any] = {}

    def look(self, train: Dataset) -> None:
        """Numbers are read alike everywhere."""

    def label_findings(self, rows: Dataset, split: str) -> list[checks.Finding]:
        return []

    def read(self, rows: Dataset, split: str) -> list[Any]:
        found = read_numbers(rows, self.options.columns, split)
        one = isinstance(self.options.label, str) and all(numbers is None or len(numbers) == 1 for numbers in found)
        return [numbers[0] if one and numbers is not None else numbers for numbers in found]

    def learn(
        self, rows: Dataset, truths: Sequence[Any], pretrained: Pretrained, trained: Sequence[Any] | None = None
    ) -> None:
        known = _table([truth for truth in trained or truths if truth is not None])
        if not known.size:
            raise DataError(f"task.label: no training row has a number in {self.options.columns}.")
        columns = self.options.columns
        count = known.shape[1]
        self.names = columns if len(columns) == count else [f"{columns[0]}_{number}" for number in range(count)]
        head = None if head_is_new(pretrained.labels, count) else pretrained.labels
        if head is not None and (len(head) != count or pretrained.config.problem_type not in (None, "regression")):
            kind = "labels" if pretrained.config.problem_type not in (None, "regression") else "numbers"
            raise DataError(
                f"The checkpoint's trained head gives {len(head)} {kind}, but the data has {count} number(s) a row. "
                "Start a new head with model.new_head=true."
            )
        spread = known.std(0)
        if not spread.all():
            name = self.names[int(np.argmin(spread))]
            raise DataError(f"task.label: all training rows have the same number in '{name}': nothing to learn.")
        self.mean, self.spread = torch.from_numpy(known.mean(0)), torch.from_numpy(spread)
        self.trained = head is not None

    def restore(self, config: Any) -> None:
        self.names = labels_of(config)
        self._take_as_they_are()

    def _take_as_they_are(self) -> None:
        self.mean = torch.zeros(len(self.names), dtype=torch.float64)
        self.spread = torch.ones(len(self.names), dtype=torch.float64)

    def settings(self) -> dict[str, Any]:
        return label_settings(self.names, "regression")

    def encode(self, truths: Sequence[Any], split: str) -> list[list[float]]:
        missing = [float("nan")] * len(self.names)
        rows = [missing if truth is None else _as_list(truth) for truth in truths]
        for row, numbers in enumerate(rows):
            if len(numbers) != len(self.names):
                raise DataError(
                    f"task.label: {checks.row_of(row, split)} has {len(numbers)} numbers, but the training rows "
                    f"have {len(self.names)}."
                )
        return rows

    def summary(self, split: str, truths: Sequence[Any]) -> tuple[dict[str, Any], list[checks.Finding]]:
        table = _table(truths)
        described = {
            name: {"mean": float(v.mean()), "spread": float(v.std()), "least": float(v.min()), "most": float(v.max())}
            for name, v in zip(self.names, table.T, strict=True)
            if len(v)
        }
        return {"numbers": described}, []

    def attach(self, model: Any) -> None:
        """Without a bias in the last layer the mean has nowhere to go: then only the size is taken out."""
        last = last_layer(model, len(self.names))
        if last.bias is None:
            self.mean, self.spread = torch.zeros_like(self.mean), (self.spread**2 + self.mean**2).sqrt()
        if self.trained:
            _rescale(last, 1 / self.spread, -self.mean / self.spread)

    def tensor(self, encoded: Sequence[Sequence[float]]) -> Tensor:
        return torch.tensor(encoded, dtype=torch.float64)  # the truths are written out from here: not a digit is lost

    def each_loss(self, logits: Tensor, encoded: Tensor) -> Tensor:
        mean, spread = self.mean.to(encoded), self.spread.to(encoded)
        truth = ((encoded - mean) / spread).to(logits)  # in float64 before, on the CPU where the device has none
        if self.options.loss is not None and self.options.loss.name == "huber":
            return huber_loss(logits, truth, reduction="none", delta=self.options.loss.delta).mean(-1)
        return mse_loss(logits, truth, reduction="none").mean(-1)

    def predict(self, logits: Tensor) -> list[Answer]:
        rows = logits.cpu().double() * self.spread + self.mean
        return [{"answer": self._plain(row)} for row in rows.tolist()]

    def truths(self, encoded: Tensor) -> list[Any]:
        return [None if row[0] != row[0] else self._plain(row) for row in encoded.tolist()]

    def _plain(self, row: list[float]) -> float | list[float]:
        return row[0] if len(row) == 1 and isinstance(self.options.label, str) else row

    def fuse_scale(self, model: Any) -> None:
        _rescale(last_layer(model, len(self.names)), self.spread, self.mean)
        self._take_as_they_are()

    def weighted(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Weighted:
        return regression_weighted(_table([a["answer"] for a in answers]), _table(truths), self.names)


@torch.no_grad()
def _rescale(last: nn.Linear, scale: Tensor, shift: Tensor) -> None:
    """Makes a layer give `scale` times what it gave, plus `shift`, for each output."""
    last.weight.copy_(last.weight.cpu().double() * scale[:, None])
    if last.bias is not None:
        last.bias.copy_(last.bias.cpu().double() * scale + shift)


def _as_list(truth: Any) -> list[float]:
    return list(truth) if isinstance(truth, (list, tuple)) else [truth]


def _table(truths: Sequence[Any]) -> np.ndarray:
    """`(examples, outputs)` in float64."""
    return np.array([_as_list(truth) for truth in truths], dtype=np.float64)
