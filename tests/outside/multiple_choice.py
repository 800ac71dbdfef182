"""The right one of several endings: a context, a list of endings, and the right one's number (SWAG and its kin)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from datasets import Dataset
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForMultipleChoice, PreTrainedModel

from hfft.data import checks
from hfft.data.loaders import Batch, Examples
from hfft.data.tokenization import encode_rows, longest_input, pad, token_counts, tokenized
from hfft.errors import DataError
from hfft.metrics.weighing import Scores
from hfft.models.pretrained import Pretrained
from hfft.tasks.task import Answer, Plain, Prepared

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


class MultipleChoice(Plain):
    """A number for each ending from a text encoder; softmax over those of a row (see `hfft.tasks.task.Task`)."""

    Options: ClassVar[type[BaseModel]] = Options

    def __init__(self, options: Options):
        super().__init__(options)
        self.inputs = [options.context, options.endings]
        self.max_length = 0

    @property
    def usage(self) -> str:
        return USE.format(self.max_length)

    def prepare(self, splits: Mapping[str, Dataset], pretrained: Pretrained) -> Prepared:
        checks.require_rows(splits)
        self.reopen(pretrained)
        asked = {split: self._asked(rows, split) for split, rows in splits.items()}
        prepared = Prepared({}, checks.repeated(asked, lambda texts: tuple(map(checks.folded, texts))))
        for split, rows in splits.items():
            self._put_answered(split, rows, prepared)
        return prepared

    def reopen(self, pretrained: Pretrained) -> None:
        self.processor = pretrained.tokenizer()
        self.max_length = longest_input(self.processor, pretrained.config, self.options.max_length)

    def questions(self, rows: Dataset, answered: bool) -> Prepared:
        prepared = Prepared({})
        if not len(rows):
            raise DataError("There are no rows to answer.")
        self._asked(rows, "data")
        if answered:
            self._put_answered("data", rows, prepared, keep=False)
        else:
            self._put("data", rows, np.full(len(rows), -1), prepared, keep=False)
        return prepared

    def _asked(self, rows: Dataset, split: str) -> list[tuple[str, ...]]:
        """Checks the inputs of a split, and reads them: a context and its endings a row."""
        context, endings = self.options.context, self.options.endings
        checks.require_columns({split: rows}, {"task.context": [context], "task.endings": [endings]})
        checks.require_texts(rows[context], split, context, "task.context")
        for row, found in enumerate(rows[endings]):
            if not isinstance(found, list) or len(found) < 2 or not all(isinstance(ending, str) for ending in found):
                raise DataError(
                    f"task.endings: in row {row} of the {split} split the column '{endings}' is {found!r}, which is no "
                    "list of two or more texts."
                )
        return [(text, *found) for text, found in zip(rows[context], rows[endings], strict=True)]

    def _labels(self, rows: Dataset, split: str) -> np.ndarray:
        """`(rows,)`, the right ending's number; -1 where it is not known."""
        column = self.options.label
        checks.require_columns({split: rows}, {"task.label": [column]})
        labels = [-1 if label is None else label for label in rows[column]]
        for row, (label, endings) in enumerate(zip(labels, rows[self.options.endings], strict=True)):
            if type(label) is not int or not -1 <= label < len(endings):
                raise DataError(
                    f"task.label: in row {row} of the {split} split the column '{column}' is {label!r}; the row has "
                    f"{len(endings)} endings: give 0 to {len(endings) - 1}, or -1 where the right one is not known."
                )
        return np.array(labels)

    def _put_answered(self, split: str, rows: Dataset, prepared: Prepared, keep: bool = True) -> None:
        """Puts the rows with a label into `prepared`; the others are counted."""
        labels = self._labels(rows, split)
        unknown = labels == -1
        text = "have no label and are left out"
        prepared.findings.extend(checks.count_rows("unlabelled", split, unknown, len(rows), text))
        if unknown.all():
            raise DataError(f"task.label: no row of the {split} split has a label in '{self.options.label}'.")
        self._put(split, rows, labels, prepared, np.flatnonzero(~unknown), keep)

    def _put(
        self,
        split: str,
        rows: Dataset,
        labels: np.ndarray,
        prepared: Prepared,
        ids: np.ndarray | None = None,
        keep: bool = True,
    ) -> None:
        """Tokenizes the rows `ids` (None: all) and puts them, their findings and their summary into `prepared`."""
        ids = np.arange(len(rows)) if ids is None else ids
        texts = rows.select_columns(self.inputs).select(ids)
        settings = ["multiple-choice", *self.inputs, self.max_length] if keep else None
        encoded = encode_rows(texts, self._encode, self.inputs, self.processor, settings)
        cut = np.array([sum(flags) for flags in encoded["cut"]])
        encoded = encoded.remove_columns("cut").add_column("labels", labels[ids].tolist())
        lengths = token_counts(encoded)
        text = f"have endings that are cut, with their context, to {self.max_length} tokens ({cut.sum()} endings)"
        prepared.findings.extend(checks.count_rows("cut", split, cut > 0, len(ids), text, ids))
        right = [None if label == -1 else int(label) for label in labels[ids]]
        prepared.splits[split] = Examples(encoded, ids, lengths, labels=right)
        tokens = {"median": float(np.median(lengths)), "longest": int(lengths.max())}
        prepared.summary[split] = {"rows": len(ids), "tokens": tokens, "cut": int(cut.sum())}

    def _encode(self, batch: dict[str, list[Any]]) -> dict[str, Any]:
        contexts, endings = (batch[name] for name in self.inputs)
        pairs = [(text, ending) for text, some in zip(contexts, endings, strict=True) for ending in some]
        firsts, seconds = (list(texts) for texts in zip(*pairs, strict=True))
        columns, long = tokenized(self.processor, self.max_length, text=firsts, text_pair=seconds)
        ends = np.cumsum([len(some) for some in endings])[:-1].tolist()
        return {name: _split(values, ends) for name, values in {**columns, "cut": long}.items()}

    def model(self, pretrained: Pretrained) -> tuple[PreTrainedModel, list[str]]:
        return pretrained.load(AutoModelForMultipleChoice)

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        """Endings of all rows in one list, for rows may have unlike numbers; `endings` of `(rows, most)` are places."""
        flat = pad(rows, self.processor)
        places = torch.arange(len(flat["input_ids"])).split(flat.pop("windows").tolist())
        labels = torch.tensor([row["labels"] for row in rows])
        return {**flat, "endings": pad_sequence(list(places), batch_first=True, padding_value=-1), "labels": labels}

    def loss(self, model: Any, batch: Batch) -> Tensor:
        return cross_entropy(_logits(model, batch), batch["labels"])

    def weight(self, batch: Batch) -> float:
        return float(len(batch["labels"]))

    def predict(self, model: Any, batch: Batch) -> list[Answer]:
        counts = (batch["endings"] >= 0).sum(1).tolist()
        rows = zip(_logits(model, batch).softmax(-1).tolist(), counts, strict=True)
        found = [probabilities[:count] for probabilities, count in rows]
        return [{"answer": int(np.argmax(row)), "score": max(row), "probabilities": row} for row in found]

    def show(self, batch: Batch) -> list[str]:
        texts = self.processor.batch_decode(batch["input_ids"])
        rows = ([texts[place] for place in places if place >= 0] for places in batch["endings"].tolist())
        return [f"{label}: {' | '.join(row)}" for label, row in zip(batch["labels"].tolist(), rows, strict=True)]

    def score(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Scores:
        right = [answer["answer"] == truth for answer, truth in zip(answers, truths, strict=True)]
        return {"accuracy": float(np.mean(right))}


def _logits(model: Any, batch: Batch) -> Tensor:
    """`(rows, most endings)`, in float32; -inf where a row has no such ending."""
    inputs = {name: tensor[None] for name, tensor in batch.items() if name not in ("endings", "labels")}
    flat = model(**inputs).logits[0].float()
    return flat[batch["endings"]].masked_fill(batch["endings"] < 0, float("-inf"))


def _split(values: list[Any], ends: list[int]) -> list[list[Any]]:
    return [values[start:end] for start, end in zip([0, *ends], [*ends, len(values)], strict=True)]
