"""What the author of a task writes. All else is made of that by `hfft.tasks.prepare`.

A task knows the shape of its data, its loss, its answers and its score; it knows nothing of freezing, optimizers,
processes or the loop. hfft's own tasks and those of other packages are the same kind of object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from datasets import Dataset
from pydantic import BaseModel
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from hfft.data import checks
from hfft.data.columns import as_array, chosen, tuples, with_column
from hfft.data.findings import Finding
from hfft.data.loaders import Batch, Examples, Views
from hfft.data.sampling import Grouping
from hfft.data.tokenization import longest_input, pad, token_counts
from hfft.errors import DataError
from hfft.metrics import LOWER_IS_BETTER
from hfft.metrics.weighing import Scores, Weighted, repeated
from hfft.models.pretrained import Pretrained
from hfft.tasks.answers import NOT_FINITE, Answer, Notes, Output, Purpose, ScoringDefaults, is_answered

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["NOT_FINITE", "Answer", "Notes", "Pictured", "Purpose", "ScoringDefaults", "Task", "is_answered"]

IGNORED = -100
"""The label of what no loss counts, as in torch."""


class Task:
    """One kind of problem.

    Calls come in this order: the class with its validated `Options`; `look`, `setup`, `read`, `labels` and `fit`, or
    of a finished model `setup` and `restore`; then the rest, any number of times. Every process makes the same calls.
    """

    # To be written.

    Options: ClassVar[type[BaseModel]]
    """The task's options: a closed pydantic model (`extra="forbid"`), validated before any download."""

    auto_class: ClassVar[Any]
    """The class of transformers that loads the model, such as `AutoModelForMultipleChoice`."""

    inputs: list[str]
    """The columns of the input, in order: one, or those of a pair. Set where the options are known."""

    def read(self, rows: Dataset, split: str) -> Dataset:
        """The inputs of raw rows, checked: a row each, and the columns that `preprocess` and `postprocess` want.

        By default those of `inputs`, which hold texts.

        Raises:
            DataError: A column is missing, or holds something else; the message names setting, row and split.
        """
        checks.require_columns({split: rows}, {self.setting_of(column): [column] for column in self.inputs})
        for column in self.inputs:
            checks.require_text_column(rows, split, column, self.setting_of(column))
        return rows.select_columns(self.inputs)

    def labels(self, rows: Dataset, split: str) -> list[Any]:
        """The right answer to each raw row as a plain value; None where there is none.

        Raises:
            DataError: As `read`.
        """
        raise NotImplementedError

    def preprocess(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The features of a batch of inputs, such as token ids; they are kept on disk for the next run.

        `cut` says of each row whether, or how often, something of it was cut off. Rows whose `learnable` is false are
        left out of the training rows. Where `reads_labels`, the batch has `labels`, unless nobody asks for scores.
        """
        raise NotImplementedError

    def logits(self, model: Any, batch: Batch) -> Tensor:
        """`(rows, ..., classes)` in float32. A task that has none writes `loss` and `predict` without them."""
        raise NotImplementedError

    def predict(self, model: Any, batch: Batch) -> list[Answer]:
        """The model's answers, one an example, as plain Python values; the batch is on the model's device.

        They are small: what processes send each other, and what is kept of a split until all of it is answered. A row
        that cannot be answered has `{"answer": None, "error": why}`. Where a number in an answer is not finite, it is
        made so for the task. `score` is shown beside the answer: its probability.
        """
        raise NotImplementedError

    def compute_metrics(self, answers: Sequence[Answer], labels: Sequence[Any]) -> Scores:
        """Scores the answers to a whole split. Names with a slash (`f1/dog`) belong to one label.

        A task whose scores are quick for many resamples writes `weighted` instead, of which this is the plain value.
        """
        return self.weighted(answers, labels).scores

    # What a task is, where it differs.

    output: Output = "other"
    """What its answers are."""

    purpose: ClassVar[Purpose | None] = None
    """What it is for, for `hfft tasks`."""

    lower_is_better: ClassVar[frozenset[str]] = LOWER_IS_BETTER
    """Names of scores of which less is better."""

    unranked: ClassVar[frozenset[str]] = frozenset()
    """Names of scores of which neither more nor less is better: no weights are chosen by them."""

    scoring: ClassVar[ScoringDefaults] = ScoringDefaults()
    """How its splits are scored by default."""

    group_by_length: ClassVar[Grouping] = True
    """Whether training batches hold rows of like length by default, where rows have one (`train.group_by_length`)."""

    streams: ClassVar[bool] = True
    """Whether its training rows may come as a stream: all that must be known of them stands in the options."""

    caches: ClassVar[bool] = True
    """Whether `preprocess` makes features once. If not, it is not called, and `collate` gets the inputs."""

    reads_labels: ClassVar[bool] = False
    """Whether `preprocess` reads the labels too, as `encode_labels` gives them."""

    for_answers: ClassVar[frozenset[str]] = frozenset()
    """Features that `postprocess` alone reads: training rows go without them."""

    label_option: ClassVar[str] = "label"
    """The option that names the column of the right answers."""

    tunes_threshold: bool = False
    """Whether `tune_threshold` chooses anything: scores on the eval split are then marked as selected."""

    processor: Any
    """Tokenizer or image processor, after `setup`; saved beside the model with `save_pretrained`."""

    max_length: int
    """Tokens an input may have, after `setup`; 0 where none are counted."""

    usage: str = ""
    """How to ask the saved model with plain transformers: Python code for the model card."""

    def __init__(self, options: Any):
        self.options: Any = options
        self.processor = None
        self.max_length = 0

    @property
    def fitted(self) -> dict[str, Any]:
        """What answers depend on beside the weights, such as a threshold: plain values for the configuration."""
        return {}

    @property
    def file_columns(self) -> list[str]:
        """Columns of its inputs whose texts are names of files."""
        return []

    @property
    def number_columns(self) -> list[str]:
        """Columns of its labels that are numbers, if their texts are."""
        return []

    def setting_of(self, column: str) -> str:
        """The option that names a column of the inputs, such as `task.text`."""
        names = [
            name for name, value in self.options if value == column or (isinstance(value, list) and column in value)
        ]
        return ".".join(["task", *names[:1]])

    # What is made of data and checkpoint, where it differs.

    def look(self, train: Dataset) -> None:
        """Looks at the raw training rows before any are read."""

    def setup(self, pretrained: Pretrained) -> None:
        """Takes processor and limits from the checkpoint: by default its tokenizer, and `max_length` of the options."""
        self.processor = pretrained.tokenizer()
        wanted = getattr(self.options, "max_length", None)
        self.max_length = longest_input(self.processor, pretrained.config, wanted)

    def fit(self, rows: Dataset, labels: Sequence[Any], learnt: Sequence[bool], pretrained: Pretrained) -> None:
        """Takes what the model must know from the training rows, such as the names of the labels.

        Args:
            rows: The raw rows.
            labels: Theirs.
            learnt: Whether a row can be read, and so trained on.
            pretrained: The checkpoint.
        """

    def fit_examples(self, train: Examples) -> None:
        """Takes the same from the training examples once they are made, such as weights of tags."""

    def restore(self, pretrained: Pretrained) -> None:
        """Takes from a finished model what `look` and `fit` take from data, so that it can answer and be scored."""

    def strata(self, train: Dataset) -> Sequence[Any] | None:
        """Values whose shares a hold-out should keep, one a raw row of `train`; None for a plain random one.

        A list instead holds all that is in a row, such as its labels: of each of them a row stays in train.
        """
        return None

    def check_stream(self, first: Dataset) -> list[Finding]:
        """Tells what is known of the training rows from the first of them alone.

        Raises:
            RecipeError: Something has to be known of all rows, and the recipe does not give it.
        """
        return []

    def faults(self, inputs: Dataset, split: str) -> dict[int, str]:
        """Why some of the inputs cannot be read, by their numbers, such as pictures."""
        return {}

    def none_readable(self, inputs: Dataset, split: str, faults: Mapping[int, str]) -> DataError:
        """The error for a split of which nothing can be read."""
        row, why = next(iter(faults.items()))
        return DataError(f"No row of the {split} split can be read; {checks.row_of(row, split)}: {why}.")

    def encode_labels(self, labels: Sequence[Any], split: str) -> Sequence[Any] | None:
        """The labels of a whole split as `collate`, or `preprocess`, finds them under `labels`; None for no column."""
        return [IGNORED if label is None else label for label in labels]

    def add_labels(self, rows: Dataset, labels: Sequence[Any], ids: np.ndarray, split: str) -> Dataset:
        """Puts the labels of a whole split beside the features of its rows `ids`."""
        encoded = self.encode_labels(labels, split)
        return rows if encoded is None else with_column(rows, "labels", chosen(encoded, ids))

    def shown_labels(self, labels: Sequence[Any], rows: Dataset) -> Sequence[Any]:
        """The labels that answers are scored against, of the examples that these rows are: by default as read."""
        return labels

    def lengths(self, rows: Dataset) -> np.ndarray | None:
        """`(rows,)`, the length by which like rows are batched together; None for any."""
        return token_counts(rows)

    def views(self) -> Views | None:
        """How training sees the examples; None for as they are."""
        return None

    def preprocess_settings(self) -> list[Any]:
        """What `preprocess` depends on beside inputs and tokenizer, as plain values."""
        return [self.options.model_dump(mode="json"), self.max_length]

    # What people are told of the data, where it differs.

    def findings(self, inputs: Mapping[str, Dataset], labels: Sequence[Any]) -> list[Finding]:
        """What is worth a warning in the inputs of all splits: by default, rows that are empty or stand twice.

        Args:
            inputs: By split.
            labels: Of the training rows: one input with two labels is found by them.
        """
        asked, found = {}, []
        for split, rows in inputs.items():
            empty = (not all(part.strip() for part in row if isinstance(part, str)) for row in tuples(rows))
            found += checks.count_rows("empty", split, empty, len(rows), "are empty")
            asked[split] = checks.hashes(tuples(rows), _same)
        found += checks.repeated(asked, _same)
        return found + checks.contradictions(asked["train"], [checks.hashable(label) for label in labels], _same)

    def label_findings(self, rows: Dataset, split: str) -> list[Finding]:
        """What is odd about how the labels of raw rows are written."""
        return []

    def describe(
        self, split: str, inputs: Dataset, labels: Sequence[Any], examples: Examples
    ) -> tuple[dict[str, Any], list[Finding]]:
        """What the plan tells of a split, as plain values, and what is worth a warning in its examples.

        Known names are shown: `labels` (rows by label), `problem`, `numbers`, `images`, `cut`.

        Args:
            split: Its name.
            inputs: All of its rows.
            labels: Theirs.
            examples: What became of them; `cut` stands in the rows, where something was cut.
        """
        return self.told_cut(split, examples)

    def told_cut(
        self, split: str, examples: Examples, name: str = "cut", text: str | None = None, share: float = 0.0
    ) -> tuple[dict[str, Any], list[Finding]]:
        """How many rows were cut, and a warning where more than a share of them were; nothing without such a column.

        Args:
            split: Its name.
            examples: Of it.
            name: Of the column, and in the summary.
            text: What the warning says; None for "are cut to so many tokens".
            share: Of the rows.
        """
        if name not in examples.rows.column_names:
            return {}, []
        cut = as_array(examples.rows, name) > 0
        text = f"are cut to {self.max_length} tokens" if text is None else text
        kind = name.replace("_", "-")
        found = checks.count_rows(kind, split, cut, len(cut), text, examples.ids) if cut.mean() > share else []
        return {name: int(cut.sum())}, found

    # What the model computes and says, where it differs.

    def model_settings(self) -> dict[str, Any]:
        """What the model's configuration has to say, such as `id2label`."""
        return {}

    def model(self, pretrained: Pretrained) -> tuple[PreTrainedModel, list[str]]:
        """Loads the model with its head; the second value names parameters that start at random."""
        return pretrained.load(self.auto_class, **self.model_settings())

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        """Makes a batch of rows of `Examples.rows`. Runs in worker processes; reads no random state.

        Where the examples have `views`, training rows say by what numbers their random view is drawn: see
        `hfft.data.loaders.Views`.
        """
        return {**pad(rows, self.processor), "labels": torch.tensor([row["labels"] for row in rows])}

    def loss(self, model: Any, batch: Batch) -> Tensor:
        """The mean loss over the items of a batch, as a scalar tensor with gradient: by default cross entropy.

        Finite where `weight` is 0 too: several processes compute such a batch, and 0 times NaN is NaN.
        """
        labels = batch["labels"].flatten()
        losses = cross_entropy(self.logits(model, batch).flatten(0, -2), labels, ignore_index=IGNORED, reduction="sum")
        return losses / (labels != IGNORED).sum().clamp(min=1)

    def weight(self, batch: Batch) -> float:
        """The denominator of `loss`: what the batch weighs in the mean over the global batch."""
        return float((batch["labels"] != IGNORED).sum())

    def answer_bytes(self, model: Any, rows: int, length: int) -> int:
        """Bytes that answering takes beside the weights, about, where it is worth a check; else 0.

        Args:
            model: The model.
            rows: Examples answered at once.
            length: Of the longest of them, as in `Examples.lengths`.
        """
        return 0

    def postprocess(self, answers: Sequence[Answer], examples: Examples) -> list[Answer]:
        """Puts the answers to some examples in words.

        Each then has at least `answer`, as `Examples.labels` have it; what else it holds goes into the predictions
        file.
        """
        return list(answers)

    def tune_threshold(self, answers: Sequence[Answer], labels: Sequence[Any]) -> list[Answer]:
        """Chooses on the eval split what stands in `fitted`, and gives the answers that follow from it."""
        return list(answers)

    def fuse_scale(self, model: Any) -> None:
        """Puts into a finished model's weights, in place, what the task keeps beside them (such as a scale).

        Afterwards the task takes the model's answers as they are.
        """

    def show(self, batch: Batch) -> list[str]:
        """Shows the examples of a batch to people, a line each, as the model reads them."""
        texts = self.processor.batch_decode(batch["input_ids"])
        if "windows" not in batch:
            return texts
        counts = batch["windows"].tolist()
        first = np.cumsum([0, *counts])
        return [f"{texts[start]} ({count} windows)" for start, count in zip(first, counts, strict=False)]

    def notes(self, split: str, answers: Sequence[Answer], labels: Sequence[Any]) -> Notes:
        """Says what people should know of the answers to a split beside their scores."""
        return Notes()

    def weighted(self, answers: Sequence[Answer], labels: Sequence[Any]) -> Weighted:
        """The scores of weighted examples, of which intervals and differences between runs are made.

        By default those of `compute_metrics` for each resample.
        """
        return repeated(self.compute_metrics, answers, labels)


def lacking(kind: type[Task]) -> list[str]:
    """What a task has to write and does not: each of these, or what stands behind it instead."""
    needed = {"Options": "", "auto_class": "model", "labels": "", "logits": "loss", "predict": ""}
    needed |= {"compute_metrics": "weighted"} | ({"preprocess": ""} if kind.caches else {})
    return [member for member, other in needed.items() if not (_writes(kind, member) or _writes(kind, other))]


def _writes(kind: type[Task], member: str) -> bool:
    return getattr(kind, member, None) is not getattr(Task, member, None)


@runtime_checkable
class Pictured(Protocol):
    """What a task has beside the members of `Task` whose inputs are pictures."""

    file_columns: list[str]

    def pictures(self, batch: Batch) -> list[tuple[str, Image]]:
        """The examples of a batch as the model sees them, each with a title."""
        ...


def _same(row: tuple[Any, ...]) -> Any:
    """What makes two inputs the same: their words, whatever case and spacing."""
    return tuple(tuple(map(checks.folded, part)) if isinstance(part, list) else checks.folded(part) for part in row)
