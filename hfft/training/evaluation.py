"""Scoring a split: every example answered once, gathered by its id, counted, scored once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from hfft.data.loaders import Batch, Examples, MicroBatch, load
from hfft.data.sampling import Budget, Part, scoring_parts
from hfft.errors import ModelError
from hfft.tasks.scores import ExtraMetric, Scored
from hfft.tasks.task import NOT_FINITE, Answer, Task, is_answered
from hfft.training.loop import on_device, plain_model
from hfft.training.processes import on_main

STOP_CHECK_BATCHES = 8

DRAW_SEED = 0  # not the run's: runs that differ in their seed are scored on the same rows

TRIED = 32  # answers of a trial, unless there are two different ones before


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
class Evaluator:
    """Scores a split with the model as it stands.

    Attributes:
        task: Answers and scores.
        examples: The split.
        budget: What one process answers at once.
        workers: Processes that load batches.
        extra: Further metrics, functions of (answers, truths).
        tunes_threshold: Whether the task chooses on this split what answers depend on beside the weights.
        known: As `Run.known`.
    """

    task: Task
    examples: Examples
    budget: Budget
    workers: int = 0
    extra: Sequence[ExtraMetric] = ()
    tunes_threshold: bool = False
    known: Callable[[Batch], AbstractContextManager[Any]] = nullcontext

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
        found: list[tuple[int, Answer]] = []
        with evaluating(model), accelerator.autocast():  # Accelerate's own is around `forward`: `generate` goes past it
            for number, part in enumerate(self._load(parts)):
                tell(number, len(parts))
                if number % STOP_CHECK_BATCHES == 0 and asked_to_stop():
                    raise Interrupted
                batch = on_device(part.batch, accelerator)
                with self.known(batch):
                    answers = [*map(_sound, self.task.predict(model, batch))]
                if part.counts:
                    found += zip(part.ids, answers, strict=True)
        tell(len(parts), len(parts))
        if accelerator.num_processes > 1:
            found = gather_object(found)
        found.sort(key=lambda row: row[0])
        ids = [row[0] for row in found]
        # Padding duplicates and dropped last batches make wrong scores in most tools: count.
        assert ids == self.examples.ids.tolist(), f"{len(ids)} answers to {len(self.examples)} examples"
        answers, truths = [row[1] for row in found], list(self.examples.labels)
        known = [row for row, answer in enumerate(answers) if is_answered(answer)]
        made = self._postprocessed(answers, known)
        if self.tunes_threshold and known:
            made = self.task.tune_threshold(made, [truths[row] for row in known])
        for row, answer in zip(known, made, strict=True):
            answers[row] = answer
        scored = Scored(self.task, ids, answers, truths, self.extra)
        if accelerator.num_processes == 1:
            return scored
        return replace(scored, given=on_main(accelerator, lambda: scored.measured))

    def _postprocessed(self, answers: Sequence[Answer] | Mapping[int, Answer], rows: Sequence[int]) -> list[Answer]:
        """The answers, in words, to the examples at some places."""
        if not rows:
            return []
        examples = self.examples if len(rows) == len(self.examples) else self.examples.select(np.array(rows))
        return self.task.postprocess([answers[row] for row in rows], examples)

    def _load(self, parts: Iterable[Part]) -> Iterator[MicroBatch]:
        return load(self.examples, ((part, None) for part in parts), self.task.collate, self.workers)

    @property
    def shapes(self) -> set[tuple[int, int]]:
        """How many rows each part has, and how long the longest of them is; 0 where rows have no length."""
        lengths = self.examples.lengths
        parts = scoring_parts(lengths, len(self.examples), self.budget, 0, 1)
        return {(len(part.rows), 0 if lengths is None else int(lengths[part.rows].max())) for part in parts}

    def some(self, count: int | None) -> Evaluator:
        """The same for `count` rows drawn once and for all; for all of them where there are no more, or None."""
        if count is None or count >= len(self.examples):
            return self
        rows = np.sort(np.random.default_rng(DRAW_SEED).permutation(len(self.examples))[:count])
        return replace(self, examples=self.examples.select(rows))

    def trial(self, model: Any, accelerator: Accelerator) -> Scored:
        """Gives the model's answers to the first few examples as those to all of them: what is scored, not how well."""
        parts = scoring_parts(None, len(self.examples), Budget(TRIED), 0, 1)
        plain, truths = plain_model(model, accelerator), self.examples.labels
        given: list[Answer] = []
        with evaluating(plain), accelerator.autocast():
            for part, loaded in zip(parts, self._load(parts), strict=True):
                found = map(_sound, self.task.predict(plain, on_device(loaded.batch, accelerator)))
                answers = dict(zip(part.rows.tolist(), found, strict=True))
                given += self._postprocessed(answers, [row for row in answers if is_answered(answers[row])])
                if len(given) >= TRIED or any(answer != given[0] for answer in given):  # a score may want two kinds
                    break
        if not given:
            raise ModelError(
                f"The model has no answer to any row before it is trained: {NOT_FINITE}. Look at its weights, and at "
                "the inputs."
            )
        tried = (given[row % len(given)] for row in range(len(truths)))
        answers = [_fitting(answer, truth) for answer, truth in zip(tried, truths, strict=True)]
        return Scored(self.task, self.examples.ids.tolist(), answers, list(truths), self.extra)


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
