"""The answer to a question, taken from a text: extractive question answering, as SQuAD has it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, zip_longest
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import torch
from datasets import Dataset
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from transformers import AutoModelForQuestionAnswering

from hfft.data import checks
from hfft.data.loaders import Batch, Examples
from hfft.data.tokenization import check_windows, pad, tokenized_in_windows
from hfft.errors import DataError
from hfft.metrics.answers import answers_weighted
from hfft.metrics.weighing import Weighted
from hfft.models.pretrained import Pretrained
from hfft.tasks.task import Answer, Purpose, Task

USE = """import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/model")
model = AutoModelForQuestionAnswering.from_pretrained("path/to/model")
question, context = "...", "..."  # of a longer one the rest is left out; hfft predict reads all, in windows
inputs = tokenizer(question, context, truncation="only_second", max_length={max_length}, return_tensors="pt")
read = torch.tensor([owner == 1 for owner in inputs.sequence_ids()])
with torch.no_grad():
    found = model(**inputs)
start, end = (side[0].masked_fill(~read, -1e4).softmax(-1) for side in (found.start_logits, found.end_logits))
first, last = divmod(int((start[:, None] * end).triu().tril({longest} - 1).argmax()), len(end))
answer = context[inputs.token_to_chars(first).start : inputs.token_to_chars(last).end]"""


class Options(BaseModel):
    """Options of `question-answering`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str = Field(default="question", description="The column of the question.")
    context: str = Field(default="context", description="The column of the text that the answer is taken from.")
    answers: str = Field(
        default="answers",
        description="The column of the right answers: {text: [...], answer_start: [...]}, the places in characters.",
    )
    max_length: Annotated[int, Field(ge=8)] | None = Field(
        default=None, description="Tokens of a window, question included. Default, and limit: what the model can take."
    )
    overlap: int = Field(default=32, ge=0, description="Tokens that neighbouring windows of a long context share.")
    max_answer_length: int = Field(default=30, ge=1, description="Tokens that an answer may have.")

    @model_validator(mode="after")
    def _columns_differ(self) -> Options:
        checks.require_apart("context", [self.question, self.context], "answers", [self.answers])
        return self


class Right(NamedTuple):
    """The right answers to a question, and where the first of them stands, in characters."""

    texts: list[str]
    start: int
    end: int


class QuestionAnswering(Task):
    """Where an answer begins and where it ends, of each token (Devlin et al. 2019, section 4.2).

    Of a long context each window is learnt; where the answer is not in it, its first token stands for that.
    """

    Options: ClassVar[type[BaseModel]] = Options
    auto_class = AutoModelForQuestionAnswering
    output = "text"
    label_option = "answers"
    reads_labels = True
    purpose = Purpose(
        "The answer to a question, taken from a text, scored by exact match and F1 of its words.",
        "question, context, answers ({text: [...], answer_start: [...]})",
        "task: {name: question-answering, question: question, context: passage}",
    )

    def __init__(self, options: Options):
        super().__init__(options)
        self.inputs = [options.question, options.context]

    def setup(self, pretrained: Pretrained) -> None:
        super().setup(pretrained)
        check_windows(self.processor, self.max_length, self.options.overlap, "task.overlap")
        self.processor.padding_side = "right"  # tokens keep their places
        self.usage = USE.format(max_length=self.max_length, longest=self.options.max_answer_length)

    def labels(self, rows: Dataset, split: str) -> list[Right | None]:
        column = self.options.answers
        checks.require_columns({split: rows}, {"task.answers": [column]})
        both = enumerate(zip(rows[self.options.context][:], rows[column][:], strict=True))
        return [self._right(context, given, checks.row_of(row, split)) for row, (context, given) in both]

    def _right(self, context: str, given: Any, row: str) -> Right | None:
        table = given if isinstance(given, dict) else {"text": [] if given is None else [given]}
        texts, starts = [table.get(name) or [] for name in ("text", "answer_start")]
        odd = [
            text
            for text, start in zip_longest(texts, starts)
            if not text or type(start) is not int or start < 0 or not context.startswith(str(text), start)
        ]
        if odd:
            raise DataError(
                f"task.answers: in {row} the answer {odd[0]!r:.80} does not stand at its place in the context, counted "
                f"in characters from 0 ('{self.options.answers}' is {given!r:.80})."
            )
        return Right(texts, starts[0], starts[0] + len(texts[0])) if texts else None

    def encode_labels(self, labels: Sequence[Any], split: str) -> Sequence[Any]:
        return [(-1, -1) if label is None else (label.start, label.end) for label in labels]

    def shown_labels(self, labels: Sequence[Any], rows: Dataset) -> Sequence[Any]:
        return [None if label is None else label.texts for label in labels]

    def preprocess(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        texts = [batch[name] for name in self.inputs]
        made = tokenized_in_windows(self.processor, texts, self.max_length, self.options.overlap, places=True)
        both = list(zip(made["places"], batch["labels"], strict=True))
        learnt = [[_tokens(window, *label) for window in windows] for windows, label in both]
        cut = [label[0] >= 0 and not any(map(any, found)) for found, (_, label) in zip(learnt, both, strict=True)]
        return {**made, "labels": learnt, "cut": cut}

    def describe(self, split: str, inputs: Any, labels: Any, examples: Examples) -> Any:
        return self.told_cut(split, examples, text="have an answer that no window holds: make task.overlap larger")

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        batch = pad(rows, self.processor)
        windows = [torch.tensor(window)[:, 0] >= 0 for row in rows for window in row["places"]]
        context = torch.nn.utils.rnn.pad_sequence(windows, batch_first=True)
        return {**batch, "context": context, "labels": torch.tensor([label for row in rows for label in row["labels"]])}

    def logits(self, model: Any, batch: Batch) -> Tensor:
        """`(windows of all rows, 2, length)`, in float32: where the answer begins, and where it ends."""
        found = model(**{name: batch[name] for name in batch if name not in ("labels", "windows", "context")})
        logits = torch.stack([found.start_logits, found.end_logits], 1).float()
        none = ~batch["context"] & (torch.arange(logits.shape[-1], device=logits.device) > 0)
        return logits.masked_fill(none[:, None], torch.finfo(logits.dtype).min)

    def predict(self, model: Any, batch: Batch) -> list[Answer]:
        chances = self.logits(model, batch).softmax(-1) * batch["context"][:, None]
        start, end = chances.unbind(1)
        longest = min(self.options.max_answer_length, start.shape[1])
        ends = torch.nn.functional.pad(end, (0, longest - 1)).unfold(1, longest, 1)  # those from each token on
        best = (start[:, :, None] * ends).flatten(1).max(-1)
        found = [(score, *divmod(place, longest)) for score, place in zip(*map(Tensor.tolist, best), strict=True)]
        made, windows = [], np.cumsum([0, *batch["windows"].tolist()]).tolist()
        for first, behind in pairwise(windows):
            window = max(range(first, behind), key=lambda number: found[number][0])
            score, token, more = found[window]
            made.append({"place": [window - first, token, token + more], "score": score})
        return made

    def postprocess(self, answers: Sequence[Answer], examples: Examples) -> list[Answer]:
        made, contexts = [], examples.inputs[self.options.context][:]
        for answer, context, windows in zip(answers, contexts, examples.rows["places"][:], strict=True):
            window, first, last = answer["place"]
            start, end = max(windows[window][first][0], 0), max(windows[window][last][1], 0)
            made.append({"answer": context[start:end], "start": start, "score": answer["score"]})
        return made

    def weighted(self, answers: Sequence[Answer], labels: Sequence[Any]) -> Weighted:
        return answers_weighted([answer["answer"] for answer in answers], labels)


def _tokens(window: Sequence[Sequence[int]], start: int, end: int) -> list[int]:
    """The first and the last token of what stands from one character to another; the first of all where it does not."""
    inside = [number for number, (first, behind) in enumerate(window) if first < end and behind > start and first >= 0]
    whole = bool(inside) and window[inside[0]][0] <= start and window[inside[-1]][1] >= end
    return [inside[0], inside[-1]] if whole else [0, 0]
