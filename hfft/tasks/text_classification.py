"""A label, several labels or numbers for each text or pair of texts: sentiment, intent, entailment, likeness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from datasets import Dataset
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from hfft.data import checks
from hfft.data.columns import values_of
from hfft.data.loaders import Batch, Examples
from hfft.data.tokenization import SpecialTokens, check_windows, joined, tokenized, tokenized_in_windows
from hfft.models.pretrained import Pretrained
from hfft.tasks.answers import Purpose, pipeline_usage
from hfft.tasks.classification import Classification
from hfft.tasks.problems.problem import ProblemOptions

CUT_SHARE = 0.01  # more cut texts than this share of a split are worth a warning


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
    auto_class = AutoModelForSequenceClassification
    usage = pipeline_usage("text-classification", "...")
    purpose = Purpose(
        "One label, several labels or numbers for each text or pair of texts: topic, intent, sentiment, likeness.",
        "text (or two columns: a pair), label",
        "task: {name: text-classification, text: body, label: team}",
    )

    def __init__(self, options: Options):
        super().__init__(options)
        self.inputs = options.texts

    def setup(self, pretrained: Pretrained) -> None:
        super().setup(pretrained)
        if self.options.truncation_side is not None:
            self.processor.truncation_side = self.options.truncation_side
        if self.options.windows is not None:
            check_windows(self.processor, self.max_length, self.options.windows.overlap, "task.windows.overlap")
        self.special = SpecialTokens(self.processor)
        self.reads_special = not pretrained.config.is_encoder_decoder  # BART's head looks for its one end token

    def preprocess(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        texts = [batch[name] for name in self.inputs]
        if not self.reads_special:
            texts = [[self.special.without(text) for text in column] for column in texts]
        if self.options.windows is not None:
            return tokenized_in_windows(self.processor, texts, self.max_length, self.options.windows.overlap)
        named = dict(zip(("text", "text_pair"), texts, strict=False))
        columns, long = tokenized(self.processor, self.max_length, **named)
        return {**columns, "cut": long}

    def preprocess_settings(self) -> list[Any]:
        windows = self.options.windows
        return [self.max_length, windows and windows.overlap, self.reads_special]

    def describe(
        self, split: str, inputs: Dataset, labels: Sequence[Any], examples: Examples
    ) -> tuple[dict[str, Any], list[checks.Finding]]:
        read = "the model reads as such" if self.reads_special else "are left out, for this model has them for itself"
        found: list[checks.Finding] = []
        for column in self.inputs:
            texts, text = values_of(inputs, column), f"have {{tokens}} in '{column}', which {read}"
            found += self.special.findings(split, texts, text)
        told, odd = super().describe(split, inputs, labels, examples)
        if self.options.windows is None:
            cut, long = self.told_cut(split, examples, share=CUT_SHARE)
        else:
            several = sum(len(row) > 1 for row in values_of(examples.rows, "input_ids"))
            cut, long = {"cut": 0, "in_windows": several}, []
        return {**told, **cut}, found + odd + long

    def model_settings(self) -> dict[str, Any]:
        return {"pad_token_id": self.processor.pad_token_id}

    def logits(self, model: Any, batch: Batch) -> Tensor:
        inputs = {name: tensor for name, tensor in batch.items() if name not in ("labels", "windows")}
        return joined(model(**inputs).logits.float(), batch.get("windows"))
