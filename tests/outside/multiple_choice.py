"""The right one of several endings: a context, a list of endings, and the right one's number (SWAG and its kin)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from datasets import Dataset
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForMultipleChoice

from hfft.data import checks
from hfft.data.loaders import Batch
from hfft.data.tokenization import tokenized
from hfft.errors import DataError
from hfft.metrics.weighing import Scores
from hfft.tasks.task import Answer, Task

USE = """from transformers import AutoModelForMultipleChoice, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/model")
model = AutoModelForMultipleChoice.from_pretrained("path/to/model")
context, endings = "...", ["...", "..."]
inputs = tokenizer([context] * len(endings), endings, padding=True, truncation=True, max_length={}, return_tensors="pt")
probabilities = model(**{{name: tensor[None] for name, tensor in inputs.items()}}).logits[0].softmax(-1)"""


class Options(BaseModel):
    """Options of the task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    context: str = Field(default="context", description="The column of the context.")
    endings: str = Field(default="endings", description="The column of the endings, a list of two or more.")
    label: str = Field(default="label", description="The column of the right ending's number, from 0; -1: unknown.")
    max_length: Annotated[int, Field(ge=3)] | None = Field(
        default=None, description="Tokens a context with an ending may have. Default, and limit: what the model takes."
    )


class MultipleChoice(Task):
    """A number for each ending from a text encoder; softmax over those of a row."""

    Options: ClassVar[type[BaseModel]] = Options
    auto_class = AutoModelForMultipleChoice

    def __init__(self, options: Options):
        super().__init__(options)
        self.inputs = [options.context, options.endings]

    @property
    def usage(self) -> str:  # type: ignore[override]
        return USE.format(self.max_length)

    def read(self, rows: Dataset, split: str) -> Dataset:
        context, endings = self.inputs
        checks.require_columns({split: rows}, {"task.context": [context], "task.endings": [endings]})
        checks.require_texts(rows[context][:], split, context, "task.context")
        for row, found in enumerate(rows[endings][:]):
            if not isinstance(found, list) or len(found) < 2 or not all(isinstance(ending, str) for ending in found):
                raise DataError(
                    f"task.endings: in row {row} of the {split} split the column '{endings}' is {found!r}, which is no "
                    "list of two or more texts."
                )
        return rows.select_columns(self.inputs)

    def labels(self, rows: Dataset, split: str) -> list[int | None]:
        column, endings = self.options.label, rows[self.options.endings][:]
        checks.require_columns({split: rows}, {"task.label": [column]})
        labels = [None if label == -1 else label for label in rows[column][:]]
        for row, (label, some) in enumerate(zip(labels, endings, strict=True)):
            if label is not None and (type(label) is not int or not 0 <= label < len(some)):
                raise DataError(
                    f"task.label: in row {row} of the {split} split the column '{column}' is {label!r}; the row has "
                    f"{len(some)} endings: give 0 to {len(some) - 1}, or -1 where the right one is not known."
                )
        return labels

    def preprocess(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        contexts, endings = (batch[name] for name in self.inputs)
        pairs = [(text, ending) for text, some in zip(contexts, endings, strict=True) for ending in some]
        firsts, seconds = (list(texts) for texts in zip(*pairs, strict=True))
        columns, long = tokenized(self.processor, self.max_length, text=firsts, text_pair=seconds)
        ends = np.cumsum([0, *map(len, endings)]).tolist()
        grouped = {
            name: [values[start:end] for start, end in itertools.pairwise(ends)]
            for name, values in {**columns, "cut": long}.items()
        }
        return {**grouped, "cut": [sum(flags) for flags in grouped["cut"]]}

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        """Endings of all rows in one list, for rows may have unlike numbers; `endings` of `(rows, most)` are places."""
        flat = super().collate(rows)
        places = torch.arange(len(flat["input_ids"])).split(flat.pop("windows").tolist())
        return {**flat, "endings": pad_sequence(list(places), batch_first=True, padding_value=-1)}

    def logits(self, model: Any, batch: Batch) -> Tensor:
        """`(rows, most endings)`, in float32; -inf where a row has no such ending."""
        inputs = {name: tensor[None] for name, tensor in batch.items() if name not in ("endings", "labels")}
        flat = model(**inputs).logits[0].float()
        return flat[batch["endings"]].masked_fill(batch["endings"] < 0, float("-inf"))

    def predict(self, model: Any, batch: Batch) -> list[Answer]:
        counts = (batch["endings"] >= 0).sum(1).tolist()
        found = [row[:count] for row, count in zip(self.logits(model, batch).softmax(-1).tolist(), counts, strict=True)]
        return [{"answer": int(np.argmax(row)), "score": max(row), "probabilities": row} for row in found]

    def show(self, batch: Batch) -> list[str]:
        texts = self.processor.batch_decode(batch["input_ids"])
        rows = ([texts[place] for place in places if place >= 0] for places in batch["endings"].tolist())
        return [f"{label}: {' | '.join(row)}" for label, row in zip(batch["labels"].tolist(), rows, strict=True)]

    def compute_metrics(self, answers: Sequence[Answer], labels: Sequence[Any]) -> Scores:
        right = [answer["answer"] == label for answer, label in zip(answers, labels, strict=True)]
        return {"accuracy": float(np.mean(right))}
