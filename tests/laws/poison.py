"""A task of one's own, by its dotted path: text classification whose loss is not a number at given steps."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hfft.data.loaders import Batch
from hfft.tasks import text_classification


class Options(text_classification.Options):
    steps: list[int] = []


class Poisoned(text_classification.TextClassification):
    Options = Options

    def __init__(self, options: Options):
        super().__init__(options)
        self.poisoned, self.calls = options.steps, 0

    def loss(self, model: Any, batch: Batch) -> Tensor:
        self.calls += 1
        return super().loss(model, batch) * (float("nan") if self.calls in self.poisoned else 1.0)
