"""A label, several labels or numbers for each text or pair of texts: sentiment, intent, entailment, likeness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from datasets import Dataset
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from hfft.data import checks
from hfft.data.loaders import Batch, Examples
from hfft.data.streaming import require_known_labels
from hfft.data.tokenization import SpecialTokens, joined, longest_input, pad, token_counts, tokenize, told_lengths
from hfft.errors import DataError
from hfft.models.pretrained import Pretrained
from hfft.tasks.classification import Classification
from hfft.tasks.problems import problem_of_data, problem_of_model
from hfft.tasks.problems.problem import ProblemOptions
from hfft.tasks.task import Prepared

CUT_SHARE = 0.01  # more cut texts than this share of a split are worth a warning

USE = """from transformers import pipeline

pipeline("text-classification", model="path/to/model")("...")"""

NOT_FOR_THE_MODEL = ("labels", "windows")


class Windows(BaseModel):
    """`task.windows`: texts longer than `max_length` are read in windows, whose logits are averaged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    overlap: int = Field(default=32, ge=0, description="Tokens that neighbouring windows share.")


class Options(ProblemOptions):
    """Options of `text-classification`."""

    text: str | Annotated[list[str], Field(min_length=2, max_length=2)] = Field(
        default="text", description="The column of the text, or two columns: a pair of texts."
    )
    max_length: Annotated[int, Field(ge=3)] | None = Field(
        default=None, description="Tokens a text, or pair, may have. Default, and limit: what the model can take."
    )
    truncation_side: Literal["left", "right"] | None = Field(
        default=None, description="Where longer texts are cut. Default: as the tokenizer does, mostly right."
    )
    windows: Windows | None = Field(
        default=None, description="Read longer texts in windows, and average their logits, instead of cutting them."
    )

    @model_validator(mode="after")
    def _texts_differ(self) -> Options:
        if len(set(self.texts)) < len(self.texts):
            raise ValueError(f"'text' names one column twice: {self.texts}")
        checks.require_apart("text", self.texts, "label", self.columns)
        return self

    @property
    def texts(self) -> list[str]:
        """The columns of the text, one or two."""
        return [self.text] if isinstance(self.text, str) else list(self.text)


class TextClassification(Classification):
    """A classification head on a text encoder (see `hfft.tasks.task.Task` for what each method promises)."""

    Options: ClassVar[type[BaseModel]] = Options
    usage = USE

    def __init__(self, options: Options):
        super().__init__(options)
        self.max_length = 0

    @property
    def inputs(self) -> list[str]:
        return self.options.texts

    def prepare(self, splits: Mapping[str, Dataset], pretrained: Pretrained) -> Prepared:
        truths = self.read_truths(splits)
        self.target.learn(splits["train"], truths["train"], pretrained)
        self._open_processor(pretrained)
        prepared = Prepared({}, [])
        texts = {split: self._texts(rows, split) for split, rows in splits.items()}
        prepared.findings.extend(_text_findings(texts, truths["train"]))
        for split, rows in splits.items():
            self._prepare_split(split, rows, truths[split], self.predicts(split), prepared)
        return prepared

    def reopen(self, pretrained: Pretrained) -> None:
        self.target = problem_of_model(self.options, pretrained)
        self._open_processor(pretrained)

    def questions(self, rows: Dataset, answered: bool) -> Prepared:
        prepared = Prepared({}, [])
        if not len(rows):
            raise DataError("There are no rows to answer.")
        self._texts(rows, "data")
        truths = self.truths_of(rows, "data") if answered else [None] * len(rows)
        self._prepare_split("data", rows, truths, not answered or self.predicts("data"), prepared, keep=False)
        return prepared

    def check_stream(self, first: Dataset) -> list[checks.Finding]:
        checks.require_columns({"train": first}, self.label_columns)
        if problem_of_data(self.options, first).problem == "regression":
            text = "give the mean and the spread by which the numbers are scaled, for the whole stream is not known"
            return [checks.Finding("scale", "train", len(first), len(first), text)]
        require_known_labels(first, self.options.columns, self.options.labels, self.options.class_weights)
        return []

    def answered(self, rows: Dataset) -> list[bool]:
        return [truth is not None for truth in self.target.read(rows, "train")]

    def encode(self, rows: Dataset) -> Examples:
        self._texts(rows, "train")
        truths = self.target.read(rows, "train")
        return self._encoded("train", rows, truths, np.arange(len(rows)), keep=False)[0]

    def _texts(self, rows: Dataset, split: str) -> list[tuple[str, ...]]:
        """Checks the text columns of a split, and reads them: a tuple of one or two texts a row."""
        checks.require_columns({split: rows}, {"task.text": self.options.texts})
        for column in self.options.texts:
            checks.require_texts(rows[column][:], split, column, "task.text")
        return list(zip(*(rows[column][:] for column in self.options.texts), strict=True))

    def _open_processor(self, pretrained: Pretrained) -> None:
        self.processor = pretrained.tokenizer()
        if self.options.truncation_side is not None:
            self.processor.truncation_side = self.options.truncation_side
        self.max_length = longest_input(self.processor, pretrained.config, self.options.max_length)
        self.special = SpecialTokens(self.processor)
        self.reads_special = not pretrained.config.is_encoder_decoder  # BART's head looks for its one end token

    def _prepare_split(
        self, split: str, rows: Dataset, truths: Sequence[Any], predict: bool, prepared: Prepared, keep: bool = True
    ) -> None:
        """Tokenizes one split and puts it, its findings and its summary into `prepared`.

        Args:
            split: Its name.
            rows: Its rows.
            truths: A truth a row, or None.
            predict: Whether rows without a truth stay in, to be answered.
            prepared: Gets the split.
            keep: Keep its tokens on disk.
        """
        ids = self.answerable(split, truths, predict, prepared)
        read = "the model reads as such" if self.reads_special else "are left out, for this model has them for itself"
        for column in self.options.texts:
            found = self.special.findings(split, rows[column][:], f"have {{tokens}} in '{column}', which {read}")
            prepared.findings.extend(found)
        examples, long = self._encoded(split, rows, truths, ids, keep)
        lengths, windows = examples.lengths, self.options.windows
        assert lengths is not None
        cut = long & (windows is None)
        if cut.mean() > CUT_SHARE:
            text = f"are cut to {self.max_length} tokens"
            prepared.findings.extend(checks.count_rows("cut", split, cut, len(ids), text, ids))
        prepared.splits[split] = examples
        prepared.summary[split] = {
            **self.describe(split, truths, ids, prepared),
            "tokens": told_lengths(lengths),
            "cut": int(cut.sum()),
            **({"in_windows": int(long.sum())} if windows else {}),
        }

    def _encoded(
        self, split: str, rows: Dataset, truths: Sequence[Any], ids: np.ndarray, keep: bool
    ) -> tuple[Examples, np.ndarray]:
        """Makes examples of the rows `ids`; the second value says which of them were too long."""
        names: dict[str, str] = dict(zip(self.options.texts, ("text", "pair"), strict=False))
        kept = rows.select_columns(list(names)).rename_columns(names).select(ids)
        if not self.reads_special:
            without = self.special.without
            kept = Dataset.from_dict({name: [without(text) for text in kept[name][:]] for name in kept.column_names})
        windows = self.options.windows
        tokens, long = tokenize(kept, self.processor, self.max_length, windows.overlap if windows else None, keep)
        labels = self.encoded(truths, split, ids)
        rows = tokens.add_column("labels", labels)
        return Examples(rows, ids, token_counts(tokens), labels=self.labels_of(split, labels)), long

    def model(self, pretrained: Pretrained) -> tuple[PreTrainedModel, list[str]]:
        settings = {**self.target.settings(), "pad_token_id": self.processor.pad_token_id}
        model, new = pretrained.load(AutoModelForSequenceClassification, **settings)
        self.target.attach(model)
        return model, new

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        return {**pad(rows, self.processor), "labels": self.target.tensor([row["labels"] for row in rows])}

    def logits(self, model: Any, batch: Batch) -> Tensor:
        inputs = {name: tensor for name, tensor in batch.items() if name not in NOT_FOR_THE_MODEL}
        return joined(model(**inputs).logits.float(), batch.get("windows"))

    def show(self, batch: Batch) -> list[str]:
        texts = self.processor.batch_decode(batch["input_ids"])
        if "windows" in batch:
            first = np.concatenate([[0], np.cumsum(batch["windows"].tolist())[:-1]])
            texts = [
                f"{texts[start]} ({count} windows)"
                for start, count in zip(first, batch["windows"].tolist(), strict=True)
            ]
        labels = self.target.truths(batch["labels"])
        return [f"{label}: {text}" for label, text in zip(labels, texts, strict=True)]


def _text_findings(texts: Mapping[str, Sequence[tuple[str, ...]]], truths: Sequence[Any]) -> list[checks.Finding]:
    findings = []
    for split, rows in texts.items():
        empty = (not all(text.strip() for text in row) for row in rows)
        findings += checks.count_rows("empty", split, empty, len(rows), "are empty")
    findings += checks.repeated(texts, _folded)
    return findings + checks.contradictions(texts["train"], [checks.hashable(truth) for truth in truths], _folded)


def _folded(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(checks.folded(text) for text in texts)
