"""What a run writes into its folder, as far as others rely on it: what no model names may be anything."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat


class Written(BaseModel):
    """A part of what a run writes; keys with a default may lack."""

    model_config = ConfigDict(strict=True)


class Score(Written):
    """A score of a split or of a label."""

    value: FiniteFloat
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    selected: bool = False


Table = dict[str, Score]


class Slice(Written):
    """The scores of a part of a split."""

    column: str
    examples: int
    scores: Table


class Answers(Written):
    """What else there is to say of the answers to a split."""

    signatures: dict[str, str] = {}


OF_SPLIT: dict[str, Any] = {
    "": Table,
    "_examples": int,
    "_labels": dict[str, Table],
    "_slices": list[Slice],
    "_answers": Answers,
}
"""What results.json has of a split, by the ending of its key."""


class Soup(Written):
    """The checkpoints whose mean the weights are."""

    steps: list[int]


class Told(Written):
    """What results.json says beside scores and steps."""

    ended: str | None = None
    seeds: list[int] = []
    best_seed: int = 0
    settled: dict = {}
    output: str = ""
    warnings: list[str] = []
    remarks: list[str] = []
    train_seconds: FiniteFloat | None = None
    samples_per_second: FiniteFloat | None = None
    soup: Soup = Soup(steps=[])


class Results(Told):
    """results.json, beside what it has of each split."""

    task: str = ""
    steps: int = 0
    best_step: int = 0
    confidence: FiniteFloat = 0


class Reported(Told):
    """results.json, as a report needs it."""

    task: str
    steps: int
    best_step: int
    confidence: FiniteFloat


class Environment(Written):
    """environment.json."""

    versions: dict[str, str] = {}
    devices: list[str] = []
    processes: int = 1
    processor: str | None = None
    accelerate: dict[str, str] = {}
    data: dict[str, str] = {}
    base: dict[str, str] = {}
    extended: list[dict[str, FiniteFloat]] = []


class Parameter(Written):
    """A row of parameters.json."""

    name: str
    shape: list[int]
    stack: str
    block: int
    trainable: bool
    lr: FiniteFloat
    weight_decay: FiniteFloat
    from_step: int = 1


class Split(Written):
    """What data.json says of a split."""

    rows: int = 0
    problem: str | None = None
    labels: dict | list = []
    numbers: dict | list = []


class Found(Written):
    """What the checks found in the data."""

    kind: str
    split: str
    count: int
    total: int
    text: str


class Data(Written):
    """data.json."""

    splits: dict[str, Split] = {}
    findings: list[Found] = []


class Event(Written):
    """A row of metrics.jsonl."""

    event: str
    step: int
    loss: FiniteFloat | None = None
    lr: FiniteFloat | None = None
    gradient_norm: FiniteFloat | None = None
