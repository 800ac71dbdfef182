"""Scoring a split: every example answered once, gathered by its id, counted, scored once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from hfft.data.checks import Finding
from hfft.data.labels import unknown_of
from hfft.data.loaders import Examples, MicroBatch, load
from hfft.data.order import Budget, Part, scoring_parts
from hfft.errors import ModelError
from hfft.loop import on_device, plain_model
from hfft.metrics.intervals import Interval, intervals
from hfft.metrics.weighing import Scores, Weighted, repeated
from hfft.tasks.task import NOT_FINITE, Answer, Remarks, Task, is_answered
from hfft.waiting import on_main

STOP_CHECK_BATCHES = 8
DRAW_SEED = 0  # not the run's: runs that differ in their seed are scored on the same rows
OWN = "The task's own"  # how a failure of the task itself begins
TRIED = 32  # answers of a trial, unless there are two different ones before

ExtraMetric = Callable[[list[Any], list[Any]], Mapping[str, float]]


class Interrupted(Exception):
    """A stop signal came while scoring, or waiting for a batch; that is to be done again."""


@contextmanager
def in_evaluation_mode(model: Any) -> Iterator[None]:
    """Puts a model in evaluation mode; afterwards each of its parts is in the mode it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Puts a model in evaluation mode, as `in_evaluation_mode`, and without gradients."""
    with in_evaluation_mode(model), torch.no_grad():
        yield


@dataclass(frozen=True)
class Measured:
    """Scores by name, and what each metric that failed has raised, by its name."""

    scores: Scores = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, measure: Callable[[], Mapping[str, float]]) -> None:
        """Takes the finite ones of the scores that `measure` gives; what it raises is noted under `name`."""
        try:
            self.scores.update((name, value) for name, value in measure().items() if math.isfinite(value))
        except Exception as error:  # whatever a metric of somebody else's raises: no run is lost by it
            self.failed[name] = _said(error)


@dataclass(frozen=True)
class Scored:
    """The answers to a split, in the order of the ids, and what they are worth."""

    task: Task
    ids: list[int]
    answers: list[Answer]
    truths: list[Any]
    extra: Sequence[ExtraMetric] = ()
    given: Measured | None = None  # what the main process has measured

    @cached_property
    def labelled(self) -> tuple[list[Answer], list[Any]]:
        """Answers and truths of the examples that have both: those that can be scored."""
        pairs = enumerate(zip(self.answers, self.truths, strict=True))
        rows = [row for row, (answer, truth) in pairs if truth is not None and is_answered(answer)]
        return [self.answers[row] for row in rows], [self.truths[row] for row in rows]

    @property
    def answered(self) -> int:
        """How many examples have an answer."""
        return sum(map(is_answered, self.answers))

    @property
    def scores(self) -> Scores:
        """The task's scores and those of the further metrics, by name; none that is no finite number.

        Empty where no example has a truth and an answer. A metric that fails has none.
        """
        return self.measured.scores

    @cached_property
    def measured(self) -> Measured:
        """The scores, and what became of the metrics that failed."""
        if self.given is not None:
            return self.given
        if not self.labelled[1]:
            return Measured()
        measured = Measured()
        measured.add(f"{OWN} score", lambda: self.task.score(*self.labelled))
        for metric in self.extra:
            measured.add(_name_of(metric), partial(_values, metric, *self.labelled))
        return measured

    def warnings(self, split: str) -> list[str]:
        """What is wrong with the answers or with a metric: counted rows without an answer, metrics that failed."""
        errors = Counter(answer["error"] for answer in self.answers if not is_answered(answer))
        text = "have no answer and are not scored"
        found = [Finding("unanswered", split, n, len(self.ids), f"{text}: {why}") for why, n in errors.items()]
        failed = [f"{what} failed and is missing: {why}" for what, why in self.measured.failed.items()]
        return [*map(str, found), *failed]

    def remarks(self, split: str) -> Remarks:
        """What people should know of the answers beside their scores."""
        if not self.labelled[1]:
            return Remarks()
        try:
            return self.task.remarks(split, *self.labelled)
        except Exception as error:  # whatever a task of somebody else's raises
            self.measured.failed[f"{OWN} remarks"] = _said(error)
            return Remarks()

    def intervals(self, confidence: float) -> dict[str, Interval]:
        """The interval of each score; none where the task's own code for it fails."""
        try:
            return {name: found for part in self.weighted for name, found in intervals(part, confidence).items()}
        except Exception as error:  # whatever a task of somebody else's raises
            self.measured.failed[f"{OWN} weighted scores"] = _said(error)
            return {}

    @cached_property
    def weighted(self) -> list[Weighted]:
        """The scores of weighted examples: the task's, and those of each further metric."""
        extra = [repeated(partial(_values, metric), *self.labelled) for metric in self.extra]
        return [self.task.weighted(*self.labelled), *extra]

    def rows(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The rows of the predictions file.

        Args:
            inputs: What was asked, an input for each answer; None for one that cannot be shown.
        """
        return [
            {"id": number, **({} if asked is None else {"input": asked}), **answer, "truth": truth, **_unknown(truth)}
            for number, asked, answer, truth in zip(self.ids, inputs, self.answers, self.truths, strict=True)
        ]


def _values(metric: ExtraMetric, answers: Sequence[Answer], truths: Sequence[Any]) -> Scores:
    plain = [answer["answer"] for answer in answers]
    return {name: float(value) for name, value in metric(plain, list(truths)).items()}


def _name_of(metric: ExtraMetric) -> str:
    name = getattr(metric, "setting", None) or getattr(metric, "__qualname__", type(metric).__name__)
    return f"The metric '{name}'"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _unknown(truth: Any) -> dict[str, list[str]]:
    unknown = unknown_of(truth)
    return {"unknown": list(unknown)} if unknown else {}


@dataclass(frozen=True)
class Scorer:
    """Scores a split with the model as it stands.

    Attributes:
        task: Answers and scores.
        examples: The split.
        budget: What one process answers at once.
        workers: Processes that load batches.
        extra: Further metrics, functions of (answers, truths).
        settles: Whether the task chooses on this split what answers depend on beside the weights.
    """

    task: Task
    examples: Examples
    budget: Budget
    workers: int = 0
    extra: Sequence[ExtraMetric] = ()
    settles: bool = False

    def __call__(
        self,
        model: Any,
        accelerator: Accelerator,
        asked_to_stop: Callable[[], int] = lambda: 0,
        tell: Callable[[int, int], None] = lambda done, batches: None,
    ) -> Scored:
        """Answers every example and gathers the answers on all processes; the main one computes the scores of all.

        A row whose numbers are not finite has no answer: `answer` is None, and `error` says why.

        Training and evaluation modes of the model's parts are as before afterwards.

        Args:
            model: The prepared model.
            accelerator: Tells this process's share.
            asked_to_stop: Asked every few batches, by all processes together.
            tell: Told before each batch, and at the end, how many this process has answered, and of how many.

        Raises:
            Interrupted: `asked_to_stop` said so.
        """
        parts = scoring_parts(
            self.examples.lengths,
            len(self.examples),
            self.budget,
            accelerator.process_index,
            accelerator.num_processes,
        )
        found: list[tuple[int, Answer, Any]] = []
        with evaluating(model), accelerator.autocast():  # Accelerate's own is around `forward`: `generate` goes past it
            for number, part in enumerate(self._load(parts)):
                tell(number, len(parts))
                if number % STOP_CHECK_BATCHES == 0 and asked_to_stop():
                    raise Interrupted
                answers = map(_sound, self.task.answers(model, on_device(part.batch, accelerator)))
                if part.counts:
                    found += zip(part.ids, answers, self.task.truths(part.batch), strict=True)
        tell(len(parts), len(parts))
        if accelerator.num_processes > 1:
            found = gather_object(found)
        found.sort(key=lambda row: row[0])
        ids = [row[0] for row in found]
        # Padding duplicates and dropped last batches make wrong scores in most tools: count.
        assert ids == self.examples.ids.tolist(), f"{len(ids)} answers to {len(self.examples)} examples"
        answers, truths = [row[1] for row in found], [row[2] for row in found]
        known = [row for row, answer in enumerate(answers) if is_answered(answer)]
        made = self.task.worded([answers[row] for row in known]) if known else []
        if self.settles and known:
            made = self.task.settle(made, [truths[row] for row in known])
        for row, answer in zip(known, made, strict=True):
            answers[row] = answer
        scored = Scored(self.task, ids, answers, truths, self.extra)
        if accelerator.num_processes == 1:
            return scored
        return replace(scored, given=on_main(accelerator, lambda: scored.measured))

    def _load(self, parts: Iterable[Part]) -> Iterator[MicroBatch]:
        return load(self.examples, ((part, None) for part in parts), self.task.collate, self.workers)

    @property
    def shapes(self) -> set[tuple[int, int]]:
        """How many rows each part has, and how long the longest of them is; 0 where rows have no length."""
        lengths = self.examples.lengths
        parts = scoring_parts(lengths, len(self.examples), self.budget, 0, 1)
        return {(len(part.rows), 0 if lengths is None else int(lengths[part.rows].max())) for part in parts}

    def some(self, count: int | None) -> Scorer:
        """The same for `count` rows drawn once and for all; for all of them where there are no more, or None."""
        if count is None or count >= len(self.examples):
            return self
        rows = np.sort(np.random.default_rng(DRAW_SEED).permutation(len(self.examples))[:count])
        return replace(self, examples=self.examples.select(rows))

    def trial(self, model: Any, accelerator: Accelerator) -> Scored:
        """Gives the model's answers to the first few examples as those to all of them: what is scored, not how well."""
        parts = scoring_parts(None, len(self.examples), Budget(TRIED), 0, 1)
        plain = plain_model(model, accelerator)
        given: list[Answer] = []
        truths: list[Any] = []
        with evaluating(plain), accelerator.autocast():
            for part in self._load(parts):
                if len(given) < TRIED and all(answer == given[0] for answer in given):  # a score may want two kinds
                    answers = map(_sound, self.task.answers(plain, on_device(part.batch, accelerator)))
                    given += self.task.worded([answer for answer in answers if is_answered(answer)])
                truths += self.task.truths(part.batch)
        if not given:
            raise ModelError(
                f"The model has no answer to any row before it is trained: {NOT_FINITE}. Look at its weights, and at "
                "the inputs."
            )
        tried = (given[row % len(given)] for row in range(len(truths)))
        answers = [_fitting(answer, truth) for answer, truth in zip(tried, truths, strict=True)]
        return Scored(self.task, self.examples.ids.tolist(), answers, truths, self.extra)


def _sound(answer: Answer) -> Answer:
    """The answer, or, where a number in it is not finite, that there is none."""
    return answer if _is_finite(answer) else {"answer": None, "error": NOT_FINITE}


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, (list, tuple)):
        check = math.isfinite if set(map(type, value)) <= {float, int} else _is_finite  # thousands of probabilities
        return all(map(check, value))
    return True


def _fitting(answer: Answer, truth: Any) -> Answer:
    """An answer that may stand beside a truth: a list, such as a tag for each word, is as long as its input says."""
    lists = isinstance(answer["answer"], list) and isinstance(truth, list)
    return {**answer, "answer": truth} if lists else answer
