"""The contract of a problem, and the options that all problems share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Protocol

import torch
from datasets import Dataset
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from torch import Tensor

from hfft.data.checks import Finding
from hfft.metrics.weighing import Weighted
from hfft.models.pretrained import Pretrained
from hfft.tasks.answers import Answer, Output

ProblemName = Literal["single", "multi", "regression"]

LabelName = Annotated[
    str, BeforeValidator(lambda value: str(value) if type(value) in (int, float) else value)
]  # YAML has [-1, 0, 1] as numbers

Probability = Annotated[float, Field(ge=0, le=1)]


class LossOptions(BaseModel):
    """`loss`: a name, or a name with its setting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["cross_entropy", "focal", "squared", "huber"] = Field(
        description="Of labels cross_entropy or focal, of numbers squared or huber."
    )
    gamma: float = Field(default=2.0, ge=0, description="Of 'focal': how little easy examples count.")
    delta: float = Field(
        default=1.0,
        gt=0,
        description="Of 'huber': errors beyond count linearly; in standard deviations of the numbers.",
    )

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _used(self) -> LossOptions:
        for setting, owner in (("gamma", "focal"), ("delta", "huber")):
            if getattr(self, setting) != type(self).model_fields[setting].default and self.name != owner:
                raise ValueError(f"'{setting}' belongs to the loss '{owner}', not to '{self.name}'")
        return self


class ProblemOptions(BaseModel):
    """The options of a task that asks for a label, several labels or numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str | Annotated[list[str], Field(min_length=1)] = Field(
        default="label",
        description="The column of the label (text, whole number, boolean, ClassLabel), of a list of labels or of a "
        "number; or several columns, one for each label or number.",
    )
    delimiter: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="What stands between labels, where one text holds several: 'joy|relief'."
    )
    problem: ProblemName | None = Field(
        default=None, description="One label, several labels, or numbers. Default: found from the data."
    )
    labels: list[LabelName] | None = Field(
        default=None, description="The label names, in order. Default: found in the data."
    )
    unlabelled: Literal["skip", "predict"] = Field(
        default="skip",
        description="Rows without a label (null, an empty text, -1) in eval and test are left out and counted, or "
        "answered and not scored. Those of train are left out.",
    )
    loss: LossOptions | None = Field(
        default=None,
        description="For labels cross_entropy (default) or focal, for numbers squared (default) or huber.",
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="The share of the probability that all labels get alike."
    )
    class_weights: Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        default=None,
        description="Weights by label name. 'balanced': rows / (labels x rows of the label); with several labels, for "
        "the rows that have the label: rows without / rows with it.",
    )
    threshold: Literal["auto"] | Probability | dict[str, Probability] = Field(
        default="auto",
        description="With several labels: the probability from which a label applies, for all or by label name (0.5 "
        "for others). 'auto': the one with the best f1 on the eval split.",
    )

    @property
    def columns(self) -> list[str]:
        """The columns of the label."""
        return [self.label] if isinstance(self.label, str) else list(self.label)

    @model_validator(mode="after")
    def _columns_differ(self) -> ProblemOptions:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError(f"'label' names a column twice: {self.columns}")
        if self.delimiter is not None and len(self.columns) > 1:
            raise ValueError("'delimiter' splits one column, but 'label' names several: give only one of the two")
        return self


class MeanLoss:
    """The mean over examples of a loss that is known for each, for problems to build on; nothing is chosen on eval."""

    tunes_threshold: bool = False

    def tune_threshold(self, answers: Sequence[Answer], truths: Sequence[Any]) -> list[Answer]:
        return list(answers)

    def fuse_scale(self, model: Any) -> None:
        """Nothing is kept beside the weights that the configuration does not have."""

    def each_loss(self, logits: Tensor, encoded: Tensor) -> Tensor:
        """`(batch,)`, class weights included."""
        raise NotImplementedError

    def each_weight(self, encoded: Tensor) -> Tensor:
        """`(batch,)`, what an example weighs in the mean."""
        return torch.ones(len(encoded), device=encoded.device)

    def loss(self, logits: Tensor, encoded: Tensor, shares: Tensor | None = None) -> Tensor:
        """See `Problem.loss`."""
        losses, weights = self.each_loss(logits, encoded), self.each_weight(encoded).to(logits.device)
        if shares is not None:
            losses, weights = losses * shares, weights * shares
        return losses.sum() / weights.sum()

    def weight(self, encoded: Tensor, shares: Tensor | None = None) -> float:
        """See `Problem.weight`."""
        weights = self.each_weight(encoded)
        return float((weights if shares is None else weights * shares).sum())


class Problem(Protocol):
    """What is asked about each input.

    `look` and `learn`, or `restore`, come first, then the rest. Encoded truths are what stands in a batch as `labels`.
    """

    uses: ClassVar[frozenset[str]]
    """The options that have an effect, beside those that all problems use."""

    losses: ClassVar[tuple[str, ...]]
    """The losses it can be trained with; the first is the default."""

    tunes_threshold: bool
    """See `hfft.tasks.task.Task.tunes_threshold`."""

    fitted: dict[str, Any]
    """See `hfft.tasks.task.Task.fitted`."""

    name: ProblemName

    output: ClassVar[Output]
    """See `hfft.tasks.task.Task.output`."""

    def __init__(self, options: ProblemOptions) -> None: ...

    def look(self, train: Dataset) -> None:
        """Finds out from the training rows how their columns, and those of other splits, are to be read."""
        ...

    def read(self, rows: Dataset, split: str) -> list[Any]:
        """Reads the truths, one a row, as the predictions file has them; None where a row has none."""
        ...

    def label_findings(self, rows: Dataset, split: str) -> list[Finding]:
        """What is odd about how the truths of a split are written, and not read as it stands there."""
        ...

    def learn(
        self, rows: Dataset, truths: Sequence[Any], pretrained: Pretrained, trained: Sequence[Any] | None = None
    ) -> None:
        """Takes labels, weights and scales from the training rows, and matches them with the checkpoint's.

        Args:
            rows: The training rows.
            truths: Their truths, from which the labels come.
            pretrained: The checkpoint.
            trained: The truths of those rows that are trained on, from which weights and scales come; None for all.
        """
        ...

    def restore(self, config: Any) -> None:
        """Takes them from a finished model's configuration."""
        ...

    def settings(self) -> dict[str, Any]:
        """What the model's configuration has to say of the answers."""
        ...

    def encode(self, truths: Sequence[Any], split: str) -> list[Any]:
        """Truths as numbers; a value that `truths` gives back as None where there is none."""
        ...

    def summary(self, split: str, truths: Sequence[Any]) -> tuple[dict[str, Any], list[Finding]]:
        """What the plan tells of the truths of a split, none of them None, and what is worth a warning."""
        ...

    def attach(self, model: Any) -> None:
        """Looks at the loaded model."""
        ...

    def tensor(self, encoded: Sequence[Any]) -> Tensor:
        """A batch of encoded truths."""
        ...

    def loss(self, logits: Tensor, encoded: Tensor, shares: Tensor | None = None) -> Tensor:
        """The mean loss, with its gradient.

        Args:
            logits: `(batch, outputs)` in float32.
            encoded: `(batch, ...)`.
            shares: `(batch,)`, how much of an example each row is, such as of two that were mixed; None for all of it.
        """
        ...

    def weight(self, encoded: Tensor, shares: Tensor | None = None) -> float:
        """The denominator of `loss`."""
        ...

    def predict(self, logits: Tensor) -> list[Answer]:
        """Answers as plain values."""
        ...

    def truths(self, encoded: Tensor) -> list[Any]:
        """Encoded truths as plain values again."""
        ...

    def tune_threshold(self, answers: Sequence[Answer], truths: Sequence[Any]) -> list[Answer]:
        """See `hfft.tasks.task.Task.tune_threshold`."""
        ...

    def fuse_scale(self, model: Any) -> None:
        """See `hfft.tasks.task.Task.fuse_scale`."""
        ...

    def weighted(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Weighted:
        """See `hfft.tasks.task.Task.weighted`."""
        ...
