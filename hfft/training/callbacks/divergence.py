"""Runs that diverge: steps that are skipped are counted, too many of them end a run, and no NaN is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from hfft.errors import Diverged, TrainingError
from hfft.training.callbacks.ema import average_of
from hfft.training.loop import Progress, Run, plain_model
from hfft.training.processes import on_main

MOST_IN_A_ROW = 10  # float16's scaler needs a few to settle

WAYS_OUT = "Start again in another folder with a lower optim.lr, a longer optim.warmup or a lower optim.clip"


def note_steps(progress: Progress, first: int, moved: Iterable[bool]) -> None:
    """Counts steps, of which `first` is the number of the first; what is counted is in the progress.

    Raises:
        TrainingError: Too many in a row were skipped.
    """
    longest: tuple[int, int] | None = None
    for step, did_move in enumerate(moved, start=first):
        if did_move:
            progress.skipped_from = None
            continue
        progress.skipped += 1
        progress.skipped_from = progress.skipped_from or step
        if step - progress.skipped_from + 1 >= MOST_IN_A_ROW and longest is None:
            longest = progress.skipped_from, step
    if longest is not None:
        start, end = longest
        raise TrainingError(
            f"The gradient was not finite in {MOST_IN_A_ROW} steps in a row, steps {start} to {end}, so the weights no "
            f"longer move. {WAYS_OUT}; or look at the rows of step {start}."
        )


def require_answers(progress: Progress, split: str, answered: int, asked: int) -> None:
    """Looks whether a run has diverged: nothing that is scored has an answer, and the last step was skipped.

    Raises:
        Diverged: It has.
    """
    since = progress.skipped_from
    if since is not None and asked and not answered:
        raise Diverged(
            f"The run has diverged: from step {since} on the gradient was not finite, and after step {progress.step} "
            f"the model's numbers are finite for none of the {asked} rows of {split}. {WAYS_OUT}."
        )


def require_a_step(progress: Progress) -> None:
    """Raises TrainingError where a run is at its end, and no step moved the weights."""
    if progress.step and progress.skipped == progress.step:
        raise TrainingError(
            f"The gradient was not finite in any of the {progress.step} steps, so nothing was learnt. {WAYS_OUT}."
        )


def require_finite(run: Run) -> None:
    """Looks whether weights, running statistics and their average are finite, before they are kept. All call it.

    Raises:
        Diverged: One is not.
    """

    def look() -> list[str]:
        average = average_of(run)
        averages = {} if average is None else {f"the average of {name}": a for name, a in average.averages.items()}
        return _not_finite(plain_model(run.model, run.accelerator), averages)

    names = on_main(run.accelerator, look)
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise Diverged(
            f"After step {run.progress.step} '{names[0]}'{more} of the model's tensors is not finite (NaN or "
            f"infinity), so nothing of it is kept. {WAYS_OUT}."
        )


@torch.no_grad()
def _not_finite(model: nn.Module, averages: Mapping[str, Tensor]) -> list[str]:
    weights = dict(model.named_parameters(remove_duplicate=False))
    given = {name: tensor for name, tensor in {**model.state_dict(), **averages}.items() if tensor.is_floating_point()}
    # A mask among the buffers may hold minus infinity.
    spoilt = [~(tensor.isfinite() if name in weights else tensor < torch.inf).all() for name, tensor in given.items()]
    return [name for name, is_spoilt in zip(given, torch.stack(spoilt).tolist(), strict=True) if is_spoilt]


def skips_told(progress: Progress) -> list[str]:
    """The warning that steps were skipped, where some were."""
    if not progress.skipped:
        return []
    share = f"{progress.skipped} of {progress.step} steps ({progress.skipped / progress.step:.1%})"
    rest = " The run ended so: a lower optim.lr may help." if progress.skipped_from is not None else ""
    return [f"{share} were skipped, for their gradient was not finite: the weights did not move there.{rest}"]
