"""What a frozen trunk makes of examples: tried on a few, computed once for all of them, kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from hfft.data.loaders import TRUNK, Batch, Examples, load
from hfft.data.sampling import Budget, Part, scoring_parts
from hfft.data.states import States, cut, writer
from hfft.tasks.task import Task
from hfft.training.evaluation import STOP_CHECK_BATCHES, Interrupted, evaluating
from hfft.training.loop import on_device, plain_model, seed_everything
from hfft.training.weights import digest
from hfft.tuning.train_mode import StatisticsBefore
from hfft.tuning.trunk import Trunk

TRIED = 4  # examples

TOLERANCE = {torch.float32: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.1}
"""The share of itself by which a loss or a gradient may differ where states are kept in this type."""

Drawn = tuple[int, int] | None  # the seed and the epoch whose view of an example is seen


class TrunkCache:
    """Computes what a frozen trunk makes of examples, and gives it to the model in place of the trunk.

    Args:
        trunk: Part of the model.
        task: Makes batches.
        model: The prepared model.
        accelerator: Tells this process's share, and the precision.
        dtype: In which states are kept.
    """

    def __init__(self, trunk: Trunk, task: Task, model: Any, accelerator: Accelerator, dtype: torch.dtype):
        self.trunk, self.task, self.accelerator, self.dtype = trunk, task, accelerator, dtype
        self.model = plain_model(model, accelerator)
        self.shape: tuple[int, ...] = ()
        self.bytes_a_unit = 0.0  # of the length of examples, or of one example where they have none

    @contextmanager
    def __call__(self, batch: Batch) -> Iterator[None]:
        """While inside, the model takes the states that stand in a batch, if any do; they are taken out of it."""
        states = batch.pop(TRUNK, None)
        if states is None:
            yield
        else:
            with self.trunk.given(states):
                yield

    def trial(self, examples: Examples, drawn: Drawn) -> str | None:
        """Trains on a few examples with the trunk and without: says why it must be computed each time, if so.

        Weights, statistics and modes of the model are as before afterwards.

        Args:
            examples: Of the training split.
            drawn: By what training sees them.
        """
        lengths = examples.lengths
        order = np.arange(len(examples)) if lengths is None else np.argsort(lengths, kind="stable")
        places = np.unique(order[np.linspace(0, 0.9 * (len(order) - 1), TRIED).astype(int)])
        halves = np.array_split(places, min(2, len(places)))
        whole, *parts = (
            next(load(examples, [(Part(rows, True), drawn)], self.task.collate, 0)).batch for rows in (places, *halves)
        )
        batch, statistics = on_device(whole, self.accelerator), StatisticsBefore(self.model)
        try:
            with torch.no_grad(), self.accelerator.autocast():
                reason = self.trunk.learn_form(lambda: self.task.loss(self.model, batch))
            if reason is not None:
                return reason
            found = [self._states(part, self.task.loss) for part in parts]
            mask = whole.get("attention_mask")
            if mask is not None and found[0].shape[:2] != parts[0]["attention_mask"].shape:
                return "what it makes of a text is not one vector a token"
            kept = []
            for part, half, states in zip(parts, halves, found, strict=True):
                of_examples = cut(states, part, len(half))
                if of_examples is None:
                    return "a batch has other rows than its examples"
                kept += of_examples
            self.shape = tuple(found[0].shape[1 if mask is None else 2 :])
            units = len(places) if lengths is None else lengths[places].sum()
            self.bytes_a_unit = sum(map(len, kept)) / max(units, 1)
            joined = States.joined(kept, mask, self.shape, self.dtype)
            return self._unlike(batch, joined.to(self.accelerator.device))
        finally:
            self.model.zero_grad()
            statistics.put_back_unless(torch.tensor(False, device=self.accelerator.device))

    @cached_property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of all weights that states depend on, by name."""
        return {name: digest(tensor) for name, tensor in self.trunk.weights.items()}

    def bytes_of(self, examples: Examples) -> int:
        """About how many bytes the states of a split take."""
        units = len(examples) if examples.lengths is None else int(examples.lengths.sum())
        return int(self.bytes_a_unit * units)

    def fill(
        self,
        examples: Examples,
        file: Path,
        drawn: Drawn,
        budget: Budget,
        workers: int,
        call: Callable[[Any, Batch], Any],
        asked_to_stop: Callable[[], int],
        tell: Callable[[int, int], None],
    ) -> None:
        """Writes the states of this process's share of a split.

        Args:
            examples: The split.
            file: Is there when all is written.
            drawn: By what they are seen.
            budget: What one process computes at once.
            workers: Processes that load batches.
            call: Runs the model on a batch.
            asked_to_stop: Asked every few batches, by all processes together.
            tell: Told how many batches are done, and of how many.

        Raises:
            Interrupted: `asked_to_stop` said so.
            DiskError: The file cannot be written.
        """
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        parts = scoring_parts(examples.lengths, len(examples), budget, rank, processes)
        loaded = load(examples, ((part, drawn) for part in parts), self.task.collate, workers)
        with writer(file) as write:
            for number, (part, made) in enumerate(zip(parts, loaded, strict=True)):
                tell(number, len(parts))
                if number % STOP_CHECK_BATCHES == 0 and asked_to_stop():
                    raise Interrupted
                kept = cut(self._states(made.batch, call), made.batch, len(part.rows))
                assert kept is not None, "the trial has seen that each example has its rows"
                if part.counts:
                    write(part.rows.tolist(), kept)
        tell(len(parts), len(parts))

    def _states(self, batch: Batch, call: Callable[[Any, Batch], Any]) -> Tensor:
        """What comes out of the trunk, on the CPU."""
        with evaluating(self.model), self.accelerator.autocast():
            found = self.trunk.states(lambda: call(self.model, on_device(batch, self.accelerator)))
        return found.to("cpu", self.dtype)

    def _unlike(self, batch: Batch, states: Tensor) -> str | None:
        """Why the model learns otherwise from states that were computed among other examples, if it does."""
        plain = self._learnt(batch)
        with self.trunk.given(states):
            given = self._learnt(batch)
        if any((one is None) != (other is None) for one, other in zip(plain, given, strict=True)):
            return "weights that learn stand below it"
        both = zip(plain, given, strict=True)
        pairs = [(one.float(), other.float()) for one, other in both if one is not None and other is not None]
        whole = torch.stack([one.norm() for one, _ in pairs[1:]]).norm()
        floors = [pairs[0][0].abs(), *(one.norm() + 0.01 * whole for one, _ in pairs[1:])]
        share = max(float((one - other).norm() / floor) for (one, other), floor in zip(pairs, floors, strict=True))
        if share <= TOLERANCE[self.dtype]:
            return None
        if self.trunk.passes_more:
            return "they pass more than their result on to those above, as T5's do the bias of positions"
        return f"with its result given, loss or gradients differ by {100 * share:.2g} %"

    def _learnt(self, batch: Batch) -> list[Tensor | None]:
        """The loss of a batch, and the gradients of all weights."""
        self.model.zero_grad()
        seed_everything(0)
        with self.accelerator.autocast():
            loss = self.task.loss(self.model, batch)
        loss.backward()
        gradients = [weight.grad for weight in self.model.parameters()]
        return [loss.detach(), *(None if each is None else each.clone() for each in gradients)]
