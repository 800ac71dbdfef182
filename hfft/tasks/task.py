"""The contract between a task and everything else.

A task knows the shape of its data, its loss, its answers and its score; it knows nothing of freezing, optimizers,
processes or the loop. hfft's own tasks and those of other packages are the same kind of object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from hfft.data.findings import Finding
from hfft.metrics.weighing import Scores, Weighted, repeated

if TYPE_CHECKING:  # reports know of tasks, and are made without any of these
    from datasets import Dataset
    from PIL.Image import Image
    from pydantic import BaseModel
    from torch import Tensor
    from transformers import PreTrainedModel

    from hfft.data.loaders import Batch, Examples
    from hfft.models.pretrained import Pretrained

Answer = dict[str, Any]

NOT_FINITE = "the model's numbers are not finite (NaN or infinity)"


def is_answered(answer: Answer) -> bool:
    """Whether there is an answer, rather than an `error` that says why there is none."""
    return "error" not in answer


@dataclass(frozen=True)
class Prepared:
    """What `Task.prepare` gives.

    Attributes:
        splits: The examples by split name.
        findings: What the checks found; each is a counted warning.
        summary: By split, plain values for people. Those that are known are shown: `rows` (by default the examples),
            `tokens` (`median` and `longest`), `labels` (rows by label), `problem`, `numbers`, `images`.
        unanswered: Of `Task.questions`: why a row is no example, by its number, such as a picture that cannot be read.
    """

    splits: dict[str, Examples]
    findings: list[Finding] = field(default_factory=list)
    summary: dict[str, dict[str, Any]] = field(default_factory=dict)
    unanswered: dict[int, str] = field(default_factory=dict)

    def told(self) -> dict[str, dict[str, Any]]:
        """The summary of every split, each with its number of rows."""
        return {split: {"rows": len(rows), **self.summary.get(split, {})} for split, rows in self.splits.items()}


@dataclass(frozen=True)
class Notes:
    """What people should know of the answers to a split beside their scores.

    Attributes:
        findings: Counted warnings, as of answers that are empty.
        facts: Plain values for results.json, such as a metric's signature.
    """

    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoringDefaults:
    """How a task's splits are scored where the recipe does not say.

    Attributes:
        while_training: Rows of the eval split scored while training; None for all.
        batch_tokens: Tokens one process answers at once, padding included; None counts rows alone.
    """

    while_training: int | None = None
    batch_tokens: int | None = None


@runtime_checkable
class Pictured(Protocol):
    """What a task may have beside the members of `Task`: inputs that are pictures, or lie in files of their own."""

    file_columns: list[str]
    """Columns of its inputs whose texts are names of files."""

    def pictures(self, batch: Batch) -> list[tuple[str, Image]]:
        """The examples of a batch as the model sees them, each with a title."""
        ...


class Task(Protocol):
    """One kind of problem. With the methods of `hfft.data.streaming.Encoder` it can be trained on streams too.

    Calls come in this order: the class with validated `Options`, `prepare`, `model`; then the rest, any number of
    times. Every process makes the same calls.
    """

    Options: ClassVar[type[BaseModel]]
    """The task's options: a closed pydantic model (`extra="forbid"`), validated before any download."""

    lower_is_better: ClassVar[frozenset[str]]
    """Names of scores of which less is better; an empty set where there are none."""

    unranked: ClassVar[frozenset[str]]
    """Names of scores of which neither more nor less is better: no weights are chosen by them."""

    scoring: ClassVar[ScoringDefaults]
    """How its splits are scored by default."""

    processor: Any
    """Tokenizer or image processor, after `prepare`; saved beside the model with `save_pretrained`."""

    inputs: list[str]
    """The columns of the input, in order: one, or those of a pair."""

    settles: bool
    """Whether `settle` chooses anything: scores on the eval split are then marked as selected."""

    settled: dict[str, Any]
    """What answers depend on beside the weights, such as a threshold: plain values for the model's configuration."""

    usage: str
    """How to ask the saved model with plain transformers: Python code for the model card."""

    def __init__(self, options: Any) -> None: ...

    def strata(self, train: Dataset) -> Sequence[Any] | None:
        """Values whose shares a hold-out should keep, one a row of `train`; None for a plain random one.

        A list instead holds all that is in a row, such as its labels: of each of them a row stays in train.
        """
        ...

    def prepare(self, splits: Mapping[str, Dataset], pretrained: Pretrained) -> Prepared:
        """Checks the data and makes examples of it.

        Args:
            splits: Raw rows by split name, `train` among them.
            pretrained: Brings the processor and the configuration.

        Raises:
            DataError: The data cannot be trained on; the message names column and row.
        """
        ...

    def reopen(self, pretrained: Pretrained) -> None:
        """Takes from a finished model what `prepare` takes from data, so that it can answer and be scored."""
        ...

    def questions(self, rows: Dataset, answered: bool) -> Prepared:
        """Makes examples of new rows, after `prepare` or `reopen`: one split, "data"; none if no row can be answered.

        Args:
            rows: Raw rows. Each has a value in the columns of the input, be it an empty one.
            answered: Whether the right answers are in the rows; else only the inputs are looked at.

        Raises:
            DataError: As `prepare`.
        """
        ...

    def model(self, pretrained: Pretrained) -> tuple[PreTrainedModel, list[str]]:
        """Loads the model with its head; the second value names parameters that start at random."""
        ...

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        """Makes a batch of rows of `Examples.rows`. Runs in worker processes; reads no random state.

        Where the examples have `views`, training rows say by what numbers their random view is drawn: see
        `hfft.data.loaders.Views`.
        """
        ...

    def loss(self, model: Any, batch: Batch) -> Tensor:
        """The mean loss over the items of a batch, as a scalar tensor with gradient."""
        ...

    def weight(self, batch: Batch) -> float:
        """The denominator of `loss`: what the batch weighs in the mean over the global batch. Class weights count."""
        ...

    def predict(self, model: Any, batch: Batch) -> list[Answer]:
        """The model's answers, one an example, as plain Python values; the batch is on the model's device.

        They are small: what processes send each other, and what is kept of a split until all of it is answered. A row
        that cannot be answered has `{"answer": None, "error": why}`. Where a number in an answer is not finite, it is
        made so for the task.
        """
        ...

    def postprocess(self, answers: Sequence[Answer], examples: Examples) -> list[Answer]:
        """Puts the answers to some examples in words.

        Each then has at least `answer`, as `Examples.labels` have it; what else it holds goes into the predictions
        file. `score` is shown beside the answer: its probability.
        """
        ...

    def show(self, batch: Batch) -> list[str]:
        """Shows the examples of a batch to people, a line each, as the model reads them."""
        ...

    def settle(self, answers: Sequence[Answer], truths: Sequence[Any]) -> list[Answer]:
        """Chooses on the eval split what stands in `settled`, and gives the answers that follow from it."""
        ...

    def fold(self, model: Any) -> None:
        """Puts into a finished model's weights, in place, what the task keeps beside them (such as a scale).

        Afterwards the task takes the model's answers as they are.
        """
        ...

    def score(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Scores:
        """Scores the answers to a whole split. Names with a slash (`f1/dog`) belong to one label."""
        ...

    def notes(self, split: str, answers: Sequence[Answer], truths: Sequence[Any]) -> Notes:
        """Says what people should know of the answers to a split beside their scores."""
        ...

    def answer_bytes(self, model: Any, rows: int, length: int) -> int:
        """Bytes that answering takes beside the weights, about, where it is worth a check; else 0.

        Args:
            model: The model.
            rows: Examples answered at once.
            length: Of the longest of them, as in `Examples.lengths`.
        """
        ...

    def weighted(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Weighted:
        """The values of `score` of weighted examples, which intervals and differences between runs are made of.

        `hfft.metrics.weighing.repeated` does it for any score.
        """
        ...


class Scoring(Protocol):
    """What `Plain` leaves to the task and uses itself."""

    def score(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Scores:
        """See `Task.score`."""
        ...


class Plain:
    """What most tasks write alike, for tasks to build on; nobody has to.

    Less of a score is never better, nothing is chosen on the eval split or kept beside the weights, answers are in
    words as they come, and nothing is remarked on them.
    """

    lower_is_better: ClassVar[frozenset[str]] = frozenset()
    unranked: ClassVar[frozenset[str]] = frozenset()
    scoring: ClassVar[ScoringDefaults] = ScoringDefaults()
    settles: bool = False

    def __init__(self, options: Any):
        self.options = options
        self.settled: dict[str, Any] = {}
        self.processor: Any = None

    def strata(self, train: Dataset) -> Sequence[Any] | None:
        return None

    def postprocess(self, answers: Sequence[Answer], examples: Examples) -> list[Answer]:
        return list(answers)

    def settle(self, answers: Sequence[Answer], truths: Sequence[Any]) -> list[Answer]:
        return list(answers)

    def fold(self, model: Any) -> None:
        """Nothing is kept beside the weights."""

    def notes(self, split: str, answers: Sequence[Answer], truths: Sequence[Any]) -> Notes:
        return Notes()

    def answer_bytes(self, model: Any, rows: int, length: int) -> int:
        return 0

    def weighted(self: Scoring, answers: Sequence[Answer], truths: Sequence[Any]) -> Weighted:
        return repeated(self.score, answers, truths)
