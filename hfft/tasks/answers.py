"""What tasks answer, and what is known of a task without its code: plain values, which reports read without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hfft.data.findings import Finding

Answer = dict[str, Any]

Output = Literal["label", "labels", "numbers", "spans", "text", "other"]
"""What an answer is: report, card and compare show each kind in its own way."""

NOT_FINITE = "the model's numbers are not finite (NaN or infinity)"


def is_answered(answer: Answer) -> bool:
    """Whether there is an answer, rather than an `error` that says why there is none."""
    return "error" not in answer


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


@dataclass(frozen=True)
class Purpose:
    """What a task is for: in a sentence, the columns it needs, and the shortest recipe."""

    sentence: str
    columns: str
    example: str


def pipeline_usage(task: str, example: str) -> str:
    """The code of a model card that asks a model, of an example, by the pipeline of transformers for a task."""
    return f'from transformers import pipeline\n\npipeline("{task}", model="path/to/model")("{example}")'
