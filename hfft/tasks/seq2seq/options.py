"""The options of tasks that write a text from a text."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hfft.metrics.generation import GenerationMetric
from hfft.tasks.seq2seq.generation import Generation

Metrics = Annotated[list[GenerationMetric], Field(min_length=1)]


class WritingOptions(BaseModel):
    """What summarization and translation have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(default="source", description="The column that is read; 'translation.en' for a nested one.")
    target: str = Field(default="target", description="The column of what is to be written.")
    references: str | None = Field(
        default=None, description="A column of lists of right answers to score against. Default: the target alone."
    )
    source_language: str | None = Field(default=None, description="A code of the model's tokenizer, such as en_XX.")
    target_language: str | None = Field(default=None, description="As source_language.")
    prefix: str | None = Field(
        default=None, description="Stands before every source. Default: what the model was pretrained with, as T5 was."
    )
    max_source_length: Annotated[int, Field(ge=2)] | None = Field(
        default=None, description="Tokens of a source. Default, and limit: what the model can take; 1024 without limit."
    )
    max_target_length: Annotated[int, Field(ge=2)] | None = Field(
        default=None, description="Tokens of a target, and of an answer. Default: 128; for a finished model, its own."
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the loss that is a mean over all tokens."
    )
    metrics: Metrics = Field(default=["rouge"], description="Scores of what is written: rouge, bleu, chrf, ter.")
    bleu_tokenize: str | None = Field(
        default=None,
        description="sacrebleu's tokenizer for BLEU: 13a, zh, char, intl, ... By default the one that reads the "
        "targets: 13a, or for languages without spaces between words zh, ja-mecab or char.",
    )
    generation: Generation = Field(default=Generation(), description="How answers are searched for.")


class SummarizationOptions(WritingOptions):
    """Options of `summarization`."""

    source: str = Field(default="document", description="The column that is read.")
    target: str = Field(default="summary", description="The column of what is to be written.")


class TranslationOptions(WritingOptions):
    """Options of `translation`."""

    metrics: Metrics = Field(
        default=["bleu", "chrf", "ter"], description="Scores of what is written: rouge, bleu, chrf, ter."
    )
