"""The loop: read this file to know what an optimizer step is. It knows no recipe, no task by name, no tuning."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from hfft.data.loaders import Batch, StepBatches
from hfft.tasks.task import Task
from hfft.training.optim import step_if_finite
from hfft.tuning.train_mode import StatisticsBefore

STOP_CHECK_STEPS = 8  # with several processes, how often all look whether one of them was told to stop


@dataclass
class Progress:
    """Where a run stands: all that a checkpoint must know beside weights, optimizer and schedule."""

    step: int = 0
    samples: int = 0  # over all processes
    tokens: int = 0  # of this process
    cells: int = 0  # tokens and padding, of this process
    seconds: float = 0.0  # of training, without evaluations and checkpoints
    evaluated_step: int = 0
    best_step: int | None = None
    best_value: float | None = None
    evaluations_without_best: int = 0
    kept: list[tuple[int, float]] = field(default_factory=list)  # (step, value) of weights that are kept, best first
    skipped: int = 0  # steps whose gradient was not finite
    skipped_from: int | None = None  # the first of those that were, up to this step, in a row
    ended: str | None = None  # why the run ends before its last step


@dataclass(frozen=True)
class StepReport:
    """What one step did. Tensors are on the device; reading one waits for it, so read them late or rarely.

    Attributes:
        step: From 1.
        epoch: From 0.
        loss: What this process adds to the loss: the sum over processes is the mean over the global batch.
        gradient_norm: Before clipping.
        moved: False where the gradient was not finite and the step was skipped.
        lr: The largest learning rate among the groups that learn.
    """

    step: int
    epoch: int
    loss: Tensor
    gradient_norm: Tensor
    moved: Tensor
    lr: float


@dataclass
class Run:
    """Everything a run holds, ready to go. Callbacks may read all of it."""

    task: Task
    model: Any
    optimizer: AcceleratedOptimizer
    schedule: LambdaLR
    accelerator: Accelerator
    batches: Callable[[int, int], Iterator[StepBatches]]  # the steps from, up to
    total_steps: int
    steps_per_epoch: int
    clip: float | None
    seed: int
    counts_epochs: bool = True  # False for a stream, whose length nobody knows
    penalty: Callable[[], Tensor] | None = None  # of the weights alone, which each step adds to the loss
    known: Callable[[Batch], AbstractContextManager[Any]] = nullcontext  # gives the model what a batch holds of it
    callbacks: list[Callable[[Run, StepReport], None]] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)
    signal: int = 0  # the number of a signal that asks this process to stop
    waiting: bool = False  # for a batch, between two steps
    clock: float | None = None  # since when time counts as training; None while it does not

    def tick(self) -> None:
        """Adds the time since the last tick to the seconds of training."""
        if self.clock is not None:
            now = time.perf_counter()
            self.progress.seconds += now - self.clock
            self.clock = now

    @contextmanager
    def paused(self) -> Iterator[None]:
        """For callbacks: time spent inside does not count as training."""
        if self.accelerator.device.type == "cuda":
            torch.cuda.synchronize()
        self.tick()
        running, self.clock = self.clock is not None, None
        try:
            yield
        finally:
            self.clock = time.perf_counter() if running else None

    def asked_to_stop(self) -> int:
        """The number of the signal that any process has got, or 0. With several processes all must ask together."""
        if self.accelerator.num_processes == 1:
            return self.signal
        signals = self.accelerator.gather(torch.tensor([self.signal], device=self.accelerator.device))
        return int(cast(Tensor, signals).max())


def fit(run: Run) -> None:
    """Trains from where `run.progress` stands to the end, or until a callback sets `progress.ended`."""
    progress = run.progress
    batches = run.batches(progress.step, run.total_steps)
    run.clock = time.perf_counter()
    while progress.ended is None and progress.step < run.total_steps:
        run.waiting = True
        batch = next(batches)
        run.waiting = False
        report = train_step(run, batch)
        run.tick()
        for callback in run.callbacks:
            callback(run, report)
    run.tick()
    run.clock = None


def train_step(run: Run, batches: StepBatches) -> StepReport:
    """Makes one optimizer step of the mean loss over the global batch.

    However the batch is cut, into processes and micro-batches, the loss and the gradient are the same, but for what
    dropout draws and BatchNorm counts: each micro-batch counts by its weight over the weight of all. A step whose
    gradient is not finite is skipped: weights, optimizer and the running statistics of BatchNorm stay as they were.
    """
    accelerator, micro_batches = run.accelerator, batches.micro_batches
    statistics = StatisticsBefore(run.model)
    seed_everything(run.seed, run.progress.step, accelerator.process_index)
    weights = [run.task.weight(part.batch) if part.counts else 0.0 for part in micro_batches]
    total = torch.tensor(sum(weights), dtype=torch.float64 if accelerator.device.type == "cpu" else torch.float32)
    total = over_processes(total.to(accelerator.device, non_blocking=True), accelerator)
    loss = torch.zeros((), device=accelerator.device)
    if run.penalty is not None:  # a backward of its own: in the loss, weights that only it reaches are an error to DDP
        with accelerator.no_sync(run.model):  # alike in all processes: their mean leaves it as it is
            accelerator.backward(run.penalty())
    for number, (part, weight) in enumerate(zip(micro_batches, weights, strict=True), start=1):
        last = number == len(micro_batches)
        with nullcontext() if last else accelerator.no_sync(run.model):
            batch = on_device(part.batch, accelerator)
            with run.known(batch):
                share = run.task.loss(run.model, batch) * (weight / total).float()
                accelerator.backward(share * accelerator.num_processes)  # DDP takes the mean over processes
        loss += share.detach()
    norm = _clipped_norm(run)
    lr = max(group["lr"] for group in run.optimizer.param_groups if any(p.requires_grad for p in group["params"]))
    moved = step_if_finite(run.optimizer, norm)
    statistics.put_back_unless(moved)
    run.optimizer.zero_grad()
    run.schedule.step()
    _count(run, batches)
    return StepReport(run.progress.step, batches.epoch, loss, norm, moved, lr)


def seed_everything(*numbers: int) -> None:
    """Seeds what layers draw from (dropout, layer drop) by the given numbers alone.

    Seeding each step by (seed, step, process) makes a resumed run draw what the unbroken one would have drawn,
    whatever was computed in between, and leaves no random state to save.
    """
    state = np.random.SeedSequence(numbers).generate_state(3)
    torch.manual_seed(int(state[0]))
    np.random.seed(int(state[1]))
    random.seed(int(state[2]))


def over_processes(tensor: Tensor, accelerator: Accelerator) -> Tensor:
    """The sum of a tensor over all processes, which all call it."""
    return cast(Tensor, accelerator.reduce(tensor, "sum")) if accelerator.num_processes > 1 else tensor


def plain_model(model: Any, accelerator: Accelerator) -> Any:
    """The model itself, without what several processes or torch.compile wrap around it and its weights' names."""
    return accelerator.unwrap_model(model, keep_torch_compile=False)


def on_device(batch: Batch, accelerator: Accelerator) -> Batch:
    """Moves a batch to the accelerator's device, without waiting for it, but for float64 where that is MPS."""
    stays = torch.float64 if accelerator.device.type == "mps" else None
    return {
        name: tensor if tensor.dtype == stays else tensor.to(accelerator.device, non_blocking=True)
        for name, tensor in batch.items()
    }


def _clipped_norm(run: Run) -> Tensor:
    """The norm of the gradient, which is clipped to `run.clip`."""
    limit = float("inf") if run.clip is None else run.clip
    return cast(Tensor, run.accelerator.clip_grad_norm_(run.model.parameters(), limit))


def _count(run: Run, batches: StepBatches) -> None:
    """Counts a step: samples over all processes, tokens and cells of this one, until a checkpoint adds them up."""
    progress = run.progress
    progress.step += 1
    progress.samples += batches.rows
    for part in batches.micro_batches:
        tokens, cells = part.cells
        progress.tokens += tokens
        progress.cells += cells
