"""The half of a task that depends on what is asked of the model, and not on what the model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from hfft.data import checks
from hfft.data.loaders import Batch
from hfft.errors import DataError
from hfft.metrics.weighing import Scores, Weighted
from hfft.tasks.problems import problem_of_data
from hfft.tasks.problems.problem import Problem, ProblemOptions
from hfft.tasks.task import Answer, Plain, Prepared


class Classification(Plain):
    """Asks one label, several labels or numbers of a model with a head on its encoder, be it of texts or of images.

    What is left to the task: reading its inputs, making batches of them, and `logits`. A batch has the encoded truths
    as `labels`; where examples were mixed, those of their partners as `partner_labels`, and in `shares` how much of
    each example is its own.
    """

    lower_is_better: ClassVar[frozenset[str]] = frozenset({"mse", "rmse", "mae", "hamming_loss"})
    target: Problem

    def __init__(self, options: ProblemOptions):
        self.options: Any = options
        self.processor: Any = None
        self.odd: dict[str, list[checks.Finding]] = {}  # by split, of the truths as they are written

    @property
    def settles(self) -> bool:  # type: ignore[override]
        return self.target.settles

    @property
    def settled(self) -> dict[str, Any]:  # type: ignore[override]
        return self.target.settled

    def strata(self, train: Dataset) -> Sequence[Any] | None:
        checks.require_columns({"train": train}, self.label_columns)
        target = problem_of_data(self.options, train)
        if target.problem == "regression" or (target.problem == "multi" and self.options.labels):
            return None  # with all labels known, a row may be held out that is the only one of its label
        return target.read(train, "train")

    @property
    def label_columns(self) -> dict[str, list[str]]:
        """The columns of the label, by their setting."""
        return {"task.label": self.options.columns}

    def read_truths(self, splits: Mapping[str, Dataset]) -> dict[str, list[Any]]:
        """Finds out what is asked, and reads the truths of each split."""
        checks.require_rows(splits)
        checks.require_columns({"train": splits["train"]}, self.label_columns)
        self.target = problem_of_data(self.options, splits["train"])
        return {split: self.truths_of(rows, split) for split, rows in splits.items()}

    def truths_of(self, rows: Dataset, split: str) -> list[Any]:
        """The truths of a split, one a row, None where there is none."""
        if self.options.unlabelled == "predict" and not any(name in rows.column_names for name in self.options.columns):
            return [None] * len(rows)
        checks.require_columns({split: rows}, self.label_columns)
        truths = self.target.read(rows, split)
        self.odd[split] = self.target.oddities(rows, split)
        return truths

    def answerable(
        self, split: str, truths: Sequence[Any], predict: bool, prepared: Prepared, readable: np.ndarray | None = None
    ) -> np.ndarray:
        """The rows of a split that become examples; what is left out is counted in `prepared`.

        Args:
            split: Its name.
            truths: A truth a row, or None.
            predict: Whether rows without a truth stay in, to be answered.
            prepared: Gets the findings.
            readable: `(rows,)`, whether a row can be read at all; None for all.
        """
        prepared.findings.extend(self.odd.pop(split, []))
        without = np.array([truth is None for truth in truths])
        done = "are answered and not scored" if predict else "are left out"
        prepared.findings.extend(
            checks.count_rows(checks.UNLABELLED, split, without, len(truths), f"have no label and {done}")
        )
        wanted = np.ones(len(truths), dtype=bool) if predict else ~without
        if not wanted.any():
            raise DataError(
                f"task.label: no row of the {split} split has a label in {self.options.columns}."
                f"{'' if split == 'train' else ' To have its rows answered: task.unlabelled=predict.'}"
            )
        return np.flatnonzero(wanted if readable is None else wanted & readable)

    def predicts(self, split: str) -> bool:
        """Whether rows of a split that have no truth are answered."""
        return split != "train" and self.options.unlabelled == "predict"

    def describe(self, split: str, truths: Sequence[Any], ids: np.ndarray, prepared: Prepared) -> dict[str, Any]:
        """What the plan tells of the truths of a split; findings go into `prepared`."""
        known = [truths[row] for row in ids.tolist() if truths[row] is not None]
        described, findings = self.target.summary(split, known) if known else ({}, [])
        prepared.findings.extend(findings)
        return {"rows": len(ids), "problem": self.target.problem, **described}

    def encoded(self, truths: Sequence[Any], split: str, ids: np.ndarray) -> list[Any]:
        """The truths of the rows `ids` as numbers."""
        numbers = self.target.encode(truths, split)  # all of them: a message names the row in the file
        return [numbers[row] for row in ids.tolist()]

    def labels_of(self, split: str, encoded: Sequence[Any]) -> Sequence[Any]:
        """What `encoded` gives as names or numbers, for a split that is scored: of the train split nobody asks."""
        return () if split == "train" else self.target.truths(self.target.tensor(list(encoded)))

    def logits(self, model: Any, batch: Batch) -> Tensor:
        """`(batch, outputs)`, in float32 whatever the forward pass was computed in."""
        raise NotImplementedError

    def loss(self, model: Any, batch: Batch) -> Tensor:
        logits = self.logits(model, batch)
        if "shares" not in batch:
            return self.target.loss(logits, batch["labels"])
        return self.target.loss(torch.cat([logits, logits]), *_both(batch))

    def weight(self, batch: Batch) -> float:
        return self.target.weight(*_both(batch)) if "shares" in batch else self.target.weight(batch["labels"])

    def predict(self, model: Any, batch: Batch) -> list[Answer]:
        return self.target.predict(self.logits(model, batch))

    def settle(self, answers: Sequence[Answer], truths: Sequence[Any]) -> list[Answer]:
        return self.target.settle(answers, truths)

    def fold(self, model: Any) -> None:
        self.target.fold(model)

    def score(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Scores:
        return self.target.score(answers, truths)

    def weighted(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Weighted:
        return self.target.weighted(answers, truths)


def _both(batch: Batch) -> tuple[Tensor, Tensor]:
    """The truths of mixed examples and of their partners, one below the other, and how much each counts.

    A loss that is a weighted sum of the two is that of the mixed truth (Zhang et al. 2018, section 2), up to what does
    not depend on the model.
    """
    truths = torch.cat([batch["labels"], batch["partner_labels"]])
    return truths, torch.cat([batch["shares"], 1 - batch["shares"]])
