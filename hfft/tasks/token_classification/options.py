"""The options of `token-classification`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hfft.data.checks import require_apart
from hfft.tasks.token_classification.schemes import SchemeName


class Options(BaseModel):
    """Options of `token-classification`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: str = Field(default="tokens", description="The column of the words (lists of texts), or of whole texts.")
    tags: str = Field(
        default="tags",
        description="With words: the column of their tags, a list of as many (texts, ClassLabel numbers, or positions "
        "in 'labels'). With texts: of spans of characters, a list of {start, end, label} or of [start, end, label], "
        "'end' behind the last one.",
    )
    labels: list[str] | None = Field(
        default=None, description="The tags, in order: O, B-PER, I-PER, ... Default: found in the data."
    )
    scheme: SchemeName | None = Field(
        default=None,
        description="BIO (or IOB2): B- begins an entity, I- goes on. IO: neighbours of one type are one entity. "
        "Default: found from the tags; spans are learnt as BIO. Tags without O, B- and I- (parts of speech) are then "
        "no entities: each word is scored by itself.",
    )
    max_length: Annotated[int, Field(ge=3)] | None = Field(
        default=None,
        description="Tokens of a window; longer documents are read in several. Default, and limit: what the model can "
        "take.",
    )
    overlap: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Tokens that neighbouring windows share. Default: an eighth of a window."
    )
    pieces: Literal["first", "all"] = Field(
        default="first",
        description="Which pieces of a word are learnt. With all, those behind the first of a B- are learnt as I-. "
        "Answers are those of the first piece.",
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="The share of the probability that all labels get alike."
    )
    class_weights: Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        default=None, description="Weights by tag. 'balanced': words / (tags x words of the tag)."
    )
    unlabelled: Literal["skip", "predict"] = Field(
        default="skip",
        description="Rows without tags (null) in eval and test are left out and counted, or answered and not scored. "
        "Those of train are left out.",
    )

    @model_validator(mode="after")
    def _columns_apart(self) -> Options:
        require_apart("tokens", [self.tokens], "tags", [self.tags])
        return self
