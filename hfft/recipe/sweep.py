"""`sweep` in a recipe: which settings are tried with which values, in what order, and for how long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import yaml
from pydantic import Field, field_validator, model_validator

from hfft.recipe.sections import Duration
from hfft.section import Section, mended

NUMBER = r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"

RANGE = re.compile(rf"((?:(?:int|log):)*)({NUMBER})\.\.({NUMBER})(?:/({NUMBER}))?")

NEARLY_A_RANGE = re.compile(r"(int|log|float):.*|.*[0-9]\.\..*|.*\.\.[0-9].*")

GRAMMAR = "A..B, log:A..B, int:A..B (a range; A..B/S in steps of S), or choices such as 0.7,0.8,0.9"

TRIALS = 20


def _missing(value: Any) -> bool:
    return value is None


class Values(Section):
    """The values that a setting is tried with: a range, or choices. A text or a list is short for it."""

    kind: Literal["float", "int", "choice"] = Field(default="float", description="Of a range: float or int.")
    low: int | float | None = Field(default=None, exclude_if=_missing, description="Where the range begins.")
    high: int | float | None = Field(default=None, exclude_if=_missing, description="Where it ends; tried too.")
    log: bool = Field(default=False, description="Whether its logarithm is evenly spread: for rates.")
    step: int | float | None = Field(default=None, exclude_if=_missing, gt=0, description="From one value to the next.")
    choices: list[Any] | None = Field(default=None, exclude_if=_missing, description="Instead of a range.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        """Reads what is short for a mapping."""
        if isinstance(given, Values):
            return given.model_dump()
        found = _read(given) if isinstance(given, str) else given
        if not isinstance(found, dict):
            found = {"choices": found if isinstance(found, list) else [found]}
        return mended({"kind": "choice", **found} if "choices" in found else found)

    @model_validator(mode="after")
    def _some_values(self) -> Values:
        if self.kind == "choice":
            self._check_choices()
            return self
        if self.low is None or self.high is None:
            raise ValueError(f"a range has 'low' and 'high'. As a text: {GRAMMAR}")
        if self.low >= self.high:
            raise ValueError(f"the range from {self.low:g} to {self.high:g} is empty: low is to be below high")
        if self.log and self.low <= 0:
            raise ValueError(
                f"the range begins at {self.low:g}, which has no logarithm: begin above 0, or leave log out"
            )
        if self.log and self.step is not None:
            raise ValueError("a range goes by its logarithm ('log') or in steps of the same size ('step'): give one")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"the step {self.step:g} is longer than the range, {self.high - self.low:g}")
        ends = [end for end in (self.low, self.high, self.step) if end is not None]
        if self.kind == "int" and any(end != int(end) for end in ends):
            raise ValueError(f"a range of int has whole numbers; here are {', '.join(f'{end:g}' for end in ends)}")
        return self

    def _check_choices(self) -> None:
        if not self.choices:
            raise ValueError("there are no values to try")
        if self.low is not None or self.high is not None or self.log or self.step is not None:
            raise ValueError("give a range or 'choices', not both")
        twice = [choice for number, choice in enumerate(self.choices) if _held(choice, self.choices[:number])]
        if twice:
            raise ValueError(f"the choice {twice[0]!r} is given twice")

    @property
    def few(self) -> list[Any] | None:
        """All values, where they can be counted: choices, whole numbers, steps; else None."""
        if self.kind == "choice":
            return list(self.choices or [])
        assert self.low is not None
        assert self.high is not None
        if self.kind == "int":
            return list(range(int(self.low), int(self.high) + 1, int(self.step or 1)))
        if self.step is None:
            return None
        low, high, step = (Decimal(str(end)) for end in (self.low, self.high, self.step))
        return [float(low + number * step) for number in range(int((high - low) / step) + 1)]

    @property
    def probes(self) -> list[Any]:
        """Values to look at whether a setting may have those of this range: all choices; of a range ends and middle."""
        if self.kind == "choice" or self.low is None or self.high is None:
            return list(self.choices or [])
        if self.kind == "int":
            return [int(self.low), int(self.high)]
        middle = self.low + (self.high - self.low) / 3**0.5  # no whole number, where whole ones alone are allowed
        return [float(self.low), float(self.high), *([middle] if self.step is None else [float(self.low + self.step)])]


def _held(value: Any, values: Sequence[Any]) -> bool:
    return any(value == other and type(value) is type(other) for other in values)


def _read(text: str) -> Any:
    """What the text of a space stands for: the settings of a range, or choices.

    >>> _read("log:1e-5..1e-3"), _read("true, 50%")
    ({'kind': 'float', 'log': True, 'low': 1e-05, 'high': 0.001}, [True, '50%'])
    """
    found = RANGE.fullmatch(text.strip())
    if found is not None:
        kind = "int" if "int:" in found[1] else "float"
        number = (lambda end: int(end) if end.lstrip("+-").isdigit() else float(end)) if kind == "int" else float
        ends = {"low": number(found[2]), "high": number(found[3]), **({"step": number(found[4])} if found[4] else {})}
        return {"kind": kind, "log": "log:" in found[1], **ends}
    if NEARLY_A_RANGE.fullmatch(text.strip()):
        raise ValueError(f"'{text}' is no range. Write {GRAMMAR}")
    try:
        values = yaml.safe_load(f"[{text}]")
    except (yaml.YAMLError, ValueError):
        raise ValueError(f"'{text}' is no list of YAML values. Write {GRAMMAR}") from None
    inner = values[0] if len(values) == 1 else None
    return inner if isinstance(inner, list) else values


class SweepSection(Section):
    """`sweep`: what `hfft sweep` tries. `hfft train` takes no notice of it."""

    space: dict[str, Values] = Field(
        default_factory=dict,
        description=f"By dotted setting, such as optim.lr, the values to try: {GRAMMAR}; a list; or a mapping of "
        "low, high, log, step and kind (int).",
    )
    method: Literal["tpe", "random", "grid"] = Field(
        default="tpe",
        description="How the next settings are chosen: by those that did well (Bergstra et al. 2011), at random, or "
        "every combination.",
    )
    trials: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description=f"How many, over all commands that work on the sweep. Default: {TRIALS}; of a grid all; with "
        "time_limit as many as there is time for.",
    )
    time_limit: Duration | None = Field(
        default=None,
        description="Seconds of all trials together, or 90s, 45m, 2h, after which none begins.",
    )
    pruner: Literal["none", "median", "asha", "hyperband"] = Field(
        default="none",
        description="Which trials end early, by their evaluations while training: those below the median, or by "
        "asynchronous successive halving (Li et al. 2020), in brackets or not (Li et al. 2018). Needs more than one "
        "evaluation a run: train.eval_every.",
    )
    finalists: Annotated[int, Field(ge=1)] = Field(
        default=1, description="How many of the best trials are trained with each of `seeds` before one is chosen."
    )
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = Field(
        default=None, description="For the finalists. Default: none for one finalist, 0, 1, 2 for several."
    )
    storage: str | None = Field(
        default=None,
        description="The URL of a database in which several machines share the sweep, such as "
        "postgresql+psycopg://user@host/name. Default: study.log in the sweep's folder.",
    )
    keep: Literal["best", "all"] = Field(
        default="best", description="Whose model/ stays on the disk: that of the best trial so far, or of all."
    )
    seed: int = Field(default=0, ge=0, description="Of the settings that are chosen.")

    @field_validator("storage")
    @classmethod
    def _is_address(cls, storage: str | None) -> str | None:
        if storage is not None and not urlsplit(storage).scheme:
            raise ValueError("it is no URL of a database, such as postgresql+psycopg://user@host/name")
        return storage

    @model_validator(mode="after")
    def _consistent(self) -> SweepSection:
        endless = [key for key, values in self.space.items() if values.few is None]
        if self.method == "grid" and endless:
            raise ValueError(
                f"a grid has countable values, and {endless[0]} is a range without steps: give choices, a step "
                "(A..B/S), or another method"
            )
        if self.seeds is not None and len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"'seeds' is {self.seeds}: give each once")
        return self

    @property
    def most_trials(self) -> int | None:
        """How many trials there are at most; None where time alone decides, or the grid has an end."""
        return self.trials or (TRIALS if self.time_limit is None and self.method != "grid" else None)

    @property
    def final_seeds(self) -> list[int] | None:
        """The seeds that finalists are trained with; None where the best trial is chosen as it is."""
        return self.seeds or ([0, 1, 2] if self.finalists > 1 else None)

    def for_files(self) -> SweepSection:
        """The same without the password of the storage."""
        return self if self.storage is None else self.model_copy(update={"storage": without_password(self.storage)})


def without_password(address: str) -> str:
    """The URL of a database without the password in it.

    >>> without_password("postgresql+psycopg://me:secret@host:5432/db?password=x&sslmode=require")
    'postgresql+psycopg://me@host:5432/db?sslmode=require'
    """
    parts = urlsplit(address)
    who, at, host = parts.netloc.rpartition("@")
    query = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] != "password"])
    return urlunsplit(parts._replace(netloc=f"{who.partition(':')[0]}{at}{host}", query=query))
