"""A label, several labels or numbers for each text or pair of texts: sentiment, intent, entailment, likeness."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from datasets import Dataset
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from hfft.backbone import Pretrained
from hfft.data import checks
from hfft.data.loaders import Batch, Examples
from hfft.data.stream import require_known_labels
from hfft.data.text import joined, longest_input, pad, token_counts, tokenize
from hfft.errors import DataError
from hfft.metrics.intervals import Intervals, Scores
from hfft.tasks.targets import Target, TargetOptions, target_of_data, target_of_model
from hfft.tasks.task import Answer, Prepared, Remarks, ScoringDefaults

CUT_SHARE = 0.01  # more cut texts than this share of a split are worth a warning
USE = """from transformers import pipeline

pipeline("text-classification", model="path/to/model")("...")"""
NOT_FOR_THE_MODEL = ("labels", "windows")


class Windows(BaseModel):
    """`task.windows`: texts longer than `max_length` are read in windows, whose logits are averaged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    overlap: int = Field(default=32, ge=0, description="Tokens that neighbouring windows share.")


class Options(TargetOptions):
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
        return self

    @property
    def texts(self) -> list[str]:
        """The columns of the text, one or two."""
        return [self.text] if isinstance(self.text, str) else list(self.text)


class TextClassification:
    """A classification head on a text encoder (see `hfft.tasks.task.Task` for what each method promises)."""

    Options: ClassVar[type[BaseModel]] = Options
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"mse", "rmse", "mae", "hamming_loss"})
    unranked: ClassVar[frozenset[str]] = frozenset()
    scoring: ClassVar[ScoringDefaults] = ScoringDefaults()
    usage = USE

    def __init__(self, options: Options):
        self.options = options
        self.processor: Any = None
        self.target: Target
        self.max_length = 0

    @property
    def inputs(self) -> list[str]:
        return self.options.texts

    @property
    def settles(self) -> bool:
        return self.target.settles

    @property
    def settled(self) -> dict[str, Any]:
        return self.target.settled

    def strata(self, train: Dataset) -> Sequence[Any] | None:
        checks.require_columns({"train": train}, self._label_columns())
        target = target_of_data(self.options, train)
        return target.read(train, "train") if target.problem == "single" else None

    def prepare(self, splits: Mapping[str, Dataset], backbone: Pretrained) -> Prepared:
        checks.require_rows(splits)
        checks.require_columns({"train": splits["train"]}, self._label_columns())
        self.target = target_of_data(self.options, splits["train"])
        truths = {split: self._truths(rows, split) for split, rows in splits.items()}
        self.target.learn(splits["train"], truths["train"], backbone)
        self._open_processor(backbone)
        prepared = Prepared({}, [])
        texts = {split: self._texts(rows, split) for split, rows in splits.items()}
        prepared.findings.extend(_text_findings(texts, truths["train"]))
        for split, rows in splits.items():
            predict = split != "train" and self.options.unlabelled == "predict"
            self._prepare_split(split, rows, truths[split], predict, prepared)
        return prepared

    def reopen(self, backbone: Pretrained) -> None:
        self.target = target_of_model(self.options, backbone)
        self._open_processor(backbone)

    def questions(self, rows: Dataset, answered: bool) -> Prepared:
        prepared = Prepared({}, [])
        if not len(rows):
            raise DataError("There are no rows to answer.")
        self._texts(rows, "data")
        truths = self._truths(rows, "data") if answered else [None] * len(rows)
        predict = not answered or self.options.unlabelled == "predict"
        self._prepare_split("data", rows, truths, predict, prepared, keep=False)
        return prepared

    def check_stream(self, first: Dataset) -> list[checks.Finding]:
        checks.require_columns({"train": first}, self._label_columns())
        if target_of_data(self.options, first).problem == "regression":
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

    def _label_columns(self) -> dict[str, list[str]]:
        return {"task.label": self.options.columns}

    def _truths(self, rows: Dataset, split: str) -> list[Any]:
        if self.options.unlabelled == "predict" and not any(name in rows.column_names for name in self.options.columns):
            return [None] * len(rows)
        checks.require_columns({split: rows}, self._label_columns())
        return self.target.read(rows, split)

    def _texts(self, rows: Dataset, split: str) -> list[tuple[str, ...]]:
        """Checks the text columns of a split, and reads them: a tuple of one or two texts a row."""
        checks.require_columns({split: rows}, {"task.text": self.options.texts})
        for column in self.options.texts:
            checks.require_texts(rows[column], split, column, "task.text")
        return list(zip(*(rows[column] for column in self.options.texts), strict=True))

    def _open_processor(self, backbone: Pretrained) -> None:
        self.processor = backbone.tokenizer()
        if self.processor.pad_token_id is None:  # GPT-like models were not made for batches of unlike lengths
            self.processor.pad_token = self.processor.eos_token
            self.processor.padding_side = "right"  # their head looks for the last token before the padding
        if self.options.truncation_side is not None:
            self.processor.truncation_side = self.options.truncation_side
        self.max_length = longest_input(self.processor, backbone.config, self.options.max_length)

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
        without = np.array([truth is None for truth in truths])
        done = "are answered and not scored" if predict else "are left out"
        unlabelled = checks.count_rows("unlabelled", split, without, len(rows), f"have no label and {done}")
        ids = np.arange(len(rows)) if predict else np.flatnonzero(~without)
        if not len(ids):
            raise DataError(
                f"task.label: no row of the {split} split has a label in {self.options.columns}."
                f"{'' if split == 'train' else ' To have its rows answered: task.unlabelled=predict.'}"
            )
        examples, long = self._encoded(split, rows, truths, ids, keep)
        lengths, windows = examples.lengths, self.options.windows
        assert lengths is not None
        long_text = f"are cut to {self.max_length} tokens"
        cut = long & (windows is None)
        cut_findings = checks.count_rows("cut", split, cut, len(ids), long_text) if cut.mean() > CUT_SHARE else []
        known = [truth for truth in truths if truth is not None]
        described, findings = self.target.summary(split, known) if known else ({}, [])
        prepared.splits[split] = examples
        prepared.findings.extend([*unlabelled, *cut_findings, *findings])
        prepared.summary[split] = {
            "rows": len(ids),
            "problem": self.target.problem,
            **described,
            "tokens": {"median": float(np.median(lengths)), "longest": int(lengths.max())},
            "cut": int(cut.sum()),
            **({"in_windows": int(long.sum())} if windows else {}),
        }

    def _encoded(
        self, split: str, rows: Dataset, truths: Sequence[Any], ids: np.ndarray, keep: bool
    ) -> tuple[Examples, np.ndarray]:
        """Makes examples of the rows `ids`; the second value says which of them were too long."""
        names: dict[str, str] = dict(zip(self.options.texts, ("text", "pair"), strict=False))
        kept = rows.select_columns(list(names)).rename_columns(names).select(ids)
        windows = self.options.windows
        encoded, long = tokenize(kept, self.processor, self.max_length, windows.overlap if windows else None, keep)
        numbers = self.target.encode(truths, split)  # all of them: a message names the row in the file
        labels = [numbers[row] for row in ids.tolist()]
        return Examples(encoded.add_column("labels", labels), ids, token_counts(encoded)), long

    def model(self, backbone: Pretrained) -> tuple[PreTrainedModel, list[str]]:
        settings = {**self.target.settings(), "pad_token_id": self.processor.pad_token_id}
        model, new = backbone.load(AutoModelForSequenceClassification, **settings)
        self.target.attach(model)
        return model, new

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        return {**pad(rows, self.processor), "labels": self.target.tensor([row["labels"] for row in rows])}

    def loss(self, model: Any, batch: Batch) -> Tensor:
        return self.target.loss(_logits(model, batch), batch["labels"])

    def weight(self, batch: Batch) -> float:
        return self.target.weight(batch["labels"])

    def answers(self, model: Any, batch: Batch) -> list[Answer]:
        return self.target.answers(_logits(model, batch))

    def worded(self, answers: Sequence[Answer]) -> list[Answer]:
        return list(answers)

    def truths(self, batch: Batch) -> list[Any]:
        return self.target.truths(batch["labels"])

    def decoded(self, batch: Batch) -> list[str]:
        texts = self.processor.batch_decode(batch["input_ids"])
        if "windows" in batch:
            first = np.concatenate([[0], np.cumsum(batch["windows"].tolist())[:-1]])
            texts = [
                f"{texts[start]} ({count} windows)"
                for start, count in zip(first, batch["windows"].tolist(), strict=True)
            ]
        return [f"{truth}: {text}" for truth, text in zip(self.truths(batch), texts, strict=True)]

    def settle(self, answers: Sequence[Answer], truths: Sequence[Any]) -> list[Answer]:
        return self.target.settle(answers, truths)

    def fold(self, model: Any) -> None:
        self.target.fold(model)

    def score(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Scores:
        return self.target.score(answers, truths)

    def remarks(self, split: str, answers: Sequence[Answer], truths: Sequence[Any]) -> Remarks:
        return Remarks()

    def answer_bytes(self, model: Any, rows: int, length: int) -> int:
        return 0

    def intervals(self, answers: Sequence[Answer], truths: Sequence[Any], confidence: float) -> Intervals:
        return self.target.intervals(answers, truths, confidence)


def _logits(model: Any, batch: Batch) -> Tensor:
    """`(batch, outputs)`, in float32 whatever the forward pass was computed in."""
    inputs = {name: tensor for name, tensor in batch.items() if name not in NOT_FOR_THE_MODEL}
    return joined(model(**inputs).logits.float(), batch.get("windows"))


def _text_findings(texts: Mapping[str, Sequence[tuple[str, ...]]], truths: Sequence[Any]) -> list[checks.Finding]:
    findings = []
    for split, rows in texts.items():
        empty = (not all(text.strip() for text in row) for row in rows)
        findings += checks.count_rows("empty", split, empty, len(rows), "are empty")
    findings += checks.repeated(texts, _folded)
    return findings + checks.contradictions(texts["train"], [_hashable(truth) for truth in truths], _folded)


def _folded(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(checks.folded(text) for text in texts)


def _hashable(truth: Any) -> Hashable:
    if isinstance(truth, list):
        return tuple(sorted(truth)) if all(isinstance(part, str) for part in truth) else tuple(truth)
    return truth
