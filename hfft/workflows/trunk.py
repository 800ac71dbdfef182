"""Whether what a frozen trunk makes of the examples is kept rather than computed each time, and where it is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hfft.data.fingerprint import fingerprint
from hfft.data.loaders import Batch, Cut, Examples, StepBatches, train_batches
from hfft.data.sampling import Budget, scoring_parts
from hfft.data.states import States, make_room, rows_in
from hfft.data.streaming import Stream
from hfft.data.tokenization import cache_folder
from hfft.io.progress import progress
from hfft.io.run_folder import mib, room_at
from hfft.recipe import Recipe
from hfft.tasks.task import Pictured
from hfft.training.callbacks.evaluate import Evaluate
from hfft.training.loop import Run, over_processes
from hfft.training.processes import on_main
from hfft.training.trunk_cache import Drawn, TrunkCache
from hfft.tuning.apply import Tuned
from hfft.tuning.trunk import frozen_trunk
from hfft.workflows.environment import versions

MOST = 32 << 30  # bytes of all states that are kept, of all runs

TYPES = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}  # by Accelerate's mixed_precision


@dataclass(frozen=True)
class KeptTrunk:
    """A frozen trunk whose results are kept for a run.

    Attributes:
        cache: Computes them.
        run: The run.
        examples: The training examples.
        cut: How they become batches.
        budget: How many are computed at once.
        views: By what training sees them: one view, or those that are kept.
        until: The last step for which the results hold: with the next a part of the trunk begins to learn.
    """

    cache: TrunkCache
    run: Run
    examples: Examples
    cut: Cut
    budget: Budget
    views: list[Drawn]
    until: int

    @property
    def said(self) -> str:
        """What people are told of it."""
        trunk, rows = self.cache.trunk, len(self.examples) * len(self.views)
        blocks = (
            "all blocks" if len(trunk.blocks) == trunk.of else f"the lowest {len(trunk.blocks)} of {trunk.of} blocks"
        )
        passes = f"{self.until / self.run.steps_per_epoch / len(self.views):.3g} times"
        until = f" up to step {self.until}" if self.until < self.run.total_steps else ""
        size = mib(self.cache.bytes_of(self.examples) * len(self.views))
        kind = str(self.cache.dtype).removeprefix("torch.")
        what = "views" if self.examples.views is not None else "rows"
        return (
            f"Kept{until}: what {blocks} ({trunk.stack}), which are frozen, make of {rows:,} training {what} is "
            f"computed once and not {passes}; {size} in {kind}, in {_folder()}"
        )

    def attach(self, raw: Mapping[str, str], evaluate: Evaluate | None) -> None:
        """Computes what is not there yet, and lets training and the evaluations meanwhile go by it.

        Args:
            raw: The fingerprints of the raw rows, by split; in the main process.
            evaluate: Scores the eval split while training.

        Raises:
            Interrupted: A signal came meanwhile.
            DiskError: There is no room.
        """
        run, task = self.run, self.run.task
        if run.progress.step >= self.until or run.progress.ended is not None:
            return
        kept = [self._states("train", self.examples, view, raw, task.loss) for view in self.views]
        states = [each for each in kept if each is not None]
        if len(states) == len(kept):
            run.batches, run.known = self._batches(replace(self.examples, states=states), run.batches), self.cache
        if evaluate is not None and evaluate.cadence.left(run.progress.step) > 1:
            scorer = evaluate.evaluator
            found = self._states("eval", scorer.examples, None, raw, task.predict)
            if found is not None:
                examples = replace(scorer.examples, states=[found])
                evaluate.meanwhile = self.until, replace(scorer, examples=examples, known=self.cache)

    def _batches(self, kept: Examples, plain: Callable[[int, int], Iterator[StepBatches]]) -> Any:
        def batches(first: int, last: int) -> Iterator[StepBatches]:
            yield from train_batches(kept, self.run.task.collate, self.cut, first, min(last, self.until))
            yield from plain(max(first, self.until), last)

        return batches

    def _states(
        self,
        split: str,
        examples: Examples,
        drawn: Drawn,
        raw: Mapping[str, str],
        call: Callable[[Any, Batch], Any],
    ) -> States | None:
        """The states of a split; None where they are not on a disk that all processes see."""
        run = self.run
        accelerator, rank = run.accelerator, run.accelerator.process_index
        key = on_main(accelerator, lambda: self._key(examples, drawn, raw.get(split, "")))
        files = [
            _folder() / f"{key}-{number}of{accelerator.num_processes}.arrow"
            for number in range(accelerator.num_processes)
        ]
        mine = scoring_parts(examples.lengths, len(examples), self.budget, rank, accelerator.num_processes)
        lacking = rows_in(files[rank]) != sum(len(part.rows) for part in mine if part.counts)
        if self.any_process(lacking):
            on_main(accelerator, lambda: make_room(_folder(), self.cache.bytes_of(examples), MOST))
            with progress(f"Computing what frozen blocks make of {split}", "batches") as tell:
                self.cache.fill(
                    examples, files[rank], drawn, self.budget, self.cut.workers, call, run.asked_to_stop, tell
                )
        accelerator.wait_for_everyone()
        if self.any_process(not all(file.is_file() for file in files)):
            return None
        return States(files, self.cache.shape, self.cache.dtype, for_inputs=self.cache.trunk.stem is not None)

    def any_process(self, here: bool) -> bool:
        """Whether it is so in any process."""
        return bool(over_processes(torch.tensor(float(here), device=self.run.accelerator.device), self.run.accelerator))

    def _key(self, examples: Examples, drawn: Drawn, raw: str) -> str:
        """A name for states that depends on all that they depend on."""
        task, accelerator = self.run.task, self.run.accelerator
        if isinstance(task, Pictured):
            settings = [task.processor.to_json_string(), task.preprocess_settings(), drawn]
            rows = [raw, hashlib.sha256(examples.ids.tobytes()).hexdigest()]
        else:
            rows, settings = [fingerprint(examples.rows)], [drawn]
        weights = self.cache.digests
        model = self.cache.model.config.to_json_string()
        how = [str(self.cache.dtype), accelerator.mixed_precision, accelerator.device.type, repr(self.budget)]
        described = json.dumps([type(task).__qualname__, rows, settings, weights, model, how, versions()], default=str)
        return hashlib.sha256(described.encode()).hexdigest()[:32]


def keep_trunk(
    recipe: Recipe, run: Run, made: Tuned, examples: Examples | Stream, cut: Cut, budget: Budget
) -> tuple[KeptTrunk | None, str | None]:
    """A trunk whose results are kept, where that pays; and what people are told of it, or of why there is none.

    Args:
        recipe: The recipe.
        run: The run; the model stands as in its first phase.
        made: What was done with the model.
        examples: The training examples, or a stream.
        cut: How they become batches.
        budget: How many are computed at once.
    """
    if recipe.tune.cache is False or recipe.train.compile or not isinstance(examples, Examples):
        return None, None  # a compiled model runs whole
    trunk = frozen_trunk(made.model, made.block_of, made.learning - made.phases[0].closed)
    until = _until(made, run.total_steps)
    views = examples.views
    count = 1 if views is None or views.count is None else views.count
    if trunk is None or until < 2 * run.steps_per_epoch * count:
        return None, None
    if views is not None and (views.count is None or views.mixed):
        return None, (
            "Frozen blocks are computed anew in each epoch, for training changes its images at random (task.augment): "
            + ("mixed ones cannot be kept." if views.mixed else "task.augment.views=N shows N views of each in turn.")
        )
    drawn: list[Drawn] = [None] if views is None else [(cut.seed, view) for view in range(count)]
    dtype = TYPES.get(run.accelerator.mixed_precision, torch.float32)
    cache = TrunkCache(trunk, run.task, run.model, run.accelerator, dtype)
    kept = KeptTrunk(cache, run, examples, cut, budget, drawn, until)
    reason = cache.trial(examples, drawn[0]) or _lack_of_room(kept)
    if kept.any_process(reason is not None):
        return None, f"Frozen blocks are computed anew in each epoch: {reason or 'another process cannot keep them'}."
    return kept, kept.said


def _until(made: Tuned, total: int) -> int:
    """The last step before more weights begin to learn than in the first."""
    return made.phases[1].first_step - 1 if len(made.phases) > 1 else total


def _lack_of_room(kept: KeptTrunk) -> str | None:
    needed, (place, free) = kept.cache.bytes_of(kept.examples) * len(kept.views), room_at(_folder())
    if needed <= min(MOST, free // 2):
        return None
    return f"to keep what they make would take {mib(needed)} on the disk of {place}, of which {mib(free)} are free"


def _folder() -> Path:
    return cache_folder() / "states"
